"""SIGNET's fine-tuning, Stage III: Uni-Sign's task, with frozen experts in place of the encoder.

"SIGNET: Motion-Level Knowledge Transfer for Cross-Language Sign Language Translation", Sec. 3.4 to
3.8 and Appendix B; ``signet_alignment`` is Stage II. Experts are checkpoints of Stage I, which is
the task ``translation``; or all that a training of Stage II has, by ``start_from``.

With ``settings.features`` each expert sees each clip once, and is never run again. Frames are then
left out of what it saw, after it; the noise on coordinates has nothing to move any more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor, nn

from fingerpost.trainer.augment_clips import ClipAugment, still_there, strided
from fingerpost.trainer.checkpoint import resolve_checkpoint
from fingerpost.trainer.experts import open_experts, open_signet, reader_for, without
from fingerpost.trainer.experts_cache import ClipFeatures, FeatureCache, cache_features
from fingerpost.trainer.models.common import PoseEncoder
from fingerpost.trainer.models.signet import (
    ExpertFeatures,
    Signet,
    SignetConfig,
    check_experts,
    features_of,
    with_changes,
)
from fingerpost.trainer.models.signet_routing import figures_of
from fingerpost.trainer.models.uni_sign import UniSign
from fingerpost.trainer.recipe import convert
from fingerpost.trainer.shards import Clip, open_shards
from fingerpost.trainer.tasks import translation
from fingerpost.trainer.tasks.bodies import check_bodies
from fingerpost.trainer.tasks.task import Batch
from fingerpost.trainer.tasks.translation import PreparedClip, Translation
from fingerpost.trainer.text_tokenizer import TOKENIZER, check_pieces, tokenizer_for


class Settings(translation.Settings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Those of ``translation``, but for ``augment``, and:

    experts : checkpoints of Stage I by name; none = those of ``start_from``
    spoken : the code of the language whose texts each of them learned by, such as en
    leave_out : names of experts to do without
    reader : the expert whose language model goes on; empty = one that has seen the texts' language,
        else one drawn by ``draw``
    features : folder in which the experts' features are kept; empty = they are run in each epoch
    jitter : standard deviation of the noise on coordinates (the paper: 0.01)
    left_out : share of the frames that training leaves out (the paper: 0.15)
    """

    experts: dict[str, str] = {}
    spoken: dict[str, str] = {}
    leave_out: tuple[str, ...] = ()
    reader: str = ""
    draw: int = 0
    features: str = ""
    jitter: float = 0.0
    left_out: float = 0.0


@dataclass(frozen=True)
class PreparedFeatures(PreparedClip):
    """keypoints : (T, 0, 3), for the features stand for them"""

    features: ClipFeatures | None = None


@dataclass(frozen=True)
class Start:
    """What a training starts from.

    encoders : of the experts, by name
    stage1 : the checkpoints that they are of; {} where ``signet`` has them all
    reader : the name of the expert whose language model goes on
    seen : whether it has learned the language of the texts
    """

    encoders: dict[str, PoseEncoder]
    stage1: dict[str, UniSign]
    signet: Signet | None
    reader: str
    seen: bool
    tokenizer: Path


class SignetTranslation(Translation):
    """For Signet."""

    network: Any = Signet
    config: Any = SignetConfig
    settings_type: Any = Settings
    settings: Settings

    def __init__(self, settings: Settings, tokenizer: Any, names: Sequence[str]) -> None:
        _check(settings)
        super().__init__(settings, tokenizer)
        self.names = tuple(names)
        self._augment = augment_of(settings)
        self._start: Start | None = None
        self._cache: FeatureCache | None = None

    @classmethod
    def from_data(
        cls, settings: dict[str, Any], clips: Any, start: Path | None
    ) -> "SignetTranslation":
        chosen = convert(settings, cls.settings_type, "settings")
        _check(chosen)
        check_bodies(clips)
        begun = start_of(chosen, clips.text_language, start)

        def texts() -> list[str]:
            return [*clips.column("text"), *(" ".join(row) for row in clips.column("glosses"))]

        tokenizer = tokenizer_for(chosen.tokenizer, begun.tokenizer, texts, chosen.pieces)
        task = cls(chosen, tokenizer, tuple(begun.encoders))
        task._start = begun
        if chosen.features:
            task._cache = task._cached(clips)
        return task

    @classmethod
    def from_checkpoint(cls, folder: Path, info: dict[str, Any]) -> "SignetTranslation":
        """Without ``features``: the network has its experts, and sees clips that none has seen."""
        settings = convert({**info["settings"], "features": ""}, cls.settings_type, "settings")
        tokenizer = translation.load_tokenizer(str(folder / TOKENIZER))
        return cls(settings, tokenizer, SignetConfig(**info["config"]).names)

    def new_model(self, fields: dict[str, Any]) -> Signet:
        if self._start is None:
            raise ValueError("a SIGNET is made of experts: give a recipe with settings.experts")
        known = [name for name in SignetConfig.__dataclass_fields__ if name not in _NOT_CHOSEN]
        unknown = [name for name in fields if name not in known]
        if unknown:
            raise ValueError(f"[model] has no {', '.join(unknown)}; known: {', '.join(known)}")
        if self._start.signet is not None:
            model = Signet(with_changes(self._start.signet.config, **fields))
        else:
            reader = self._start.stage1[self._start.reader]
            model = Signet.of_experts(self._start.stage1, reader, **fields)
        check_pieces(self.tokenizer, model.language_model.config.vocab_size)
        model.log_temperature.requires_grad = False  # of Stage II alone
        return model

    def prepare(self, clip: Clip) -> PreparedClip:
        prepared = super().prepare(clip)
        if self._cache is None:
            return prepared
        if clip.id in self._cache:
            features = self._cache.features(clip.id)
        else:  # of validation, from a folder of its own: it is kept in memory
            features = self._seen_now(clip)
        return PreparedFeatures(**vars(prepared), features=features)

    def batch(
        self, clips: Sequence[PreparedClip], draws: Sequence[int] | None, at_least: int
    ) -> Batch:
        batch = super().batch(clips, draws, at_least)
        seen = [clip.features for clip in clips if isinstance(clip, PreparedFeatures)]
        if seen:
            frames = batch.inputs["keypoints"].transpose(1, 2)  # (B, T, N, E), of ``_changed``
            regions = np.stack([one.regions for one in seen if one is not None])
            batch.inputs["keypoints"] = ExpertFeatures(frames, torch.from_numpy(regions))
        return batch

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        routed = model(**batch.inputs)
        batch.figures.update(figures_of(routed.shares, self.names))
        return self.weighted(routed.loss, batch)

    def moments(self, clip: PreparedClip, draw: int | None) -> tuple[np.ndarray, np.ndarray]:
        if not isinstance(clip, PreparedFeatures):
            return super().moments(clip, draw)
        moments = (self._left(clip, draw) + 0.5) / len(clip.keypoints)
        return moments, moments

    def frames_of(self, clip: Clip) -> Tensor:
        """What the experts are shown of a clip, (T, 69, 3), unless training changes it."""
        keypoints = strided(super()._read(clip), self.settings.stride)
        return torch.from_numpy(keypoints.astype(np.float32))

    def _read(self, clip: Clip) -> np.ndarray:
        if self._cache is None:
            return super()._read(clip)
        n_frames = len(strided(self._kept(len(self._timed(clip.sequence))), self.settings.stride))
        return np.empty((n_frames, 0, 3), np.float16)

    def _changed(self, clip: PreparedClip, draw: int | None) -> tuple[Tensor, np.ndarray]:
        if not isinstance(clip, PreparedFeatures) or clip.features is None:
            return super()._changed(clip, draw)
        frames = clip.features.frames[:, self._left(clip, draw)]  # (N, T, E)
        return torch.from_numpy(frames.astype(np.float32).swapaxes(0, 1)), clip.of_frame

    def _left(self, clip: PreparedClip, draw: int | None) -> np.ndarray:
        """Which of the frames that the experts saw are left."""
        n_frames = len(clip.keypoints)
        if draw is None:
            return np.arange(n_frames)
        return still_there(n_frames, np.random.default_rng(draw), self.settings.left_out)

    def _cached(self, clips: Any) -> FeatureCache:
        """Of all splits of the clips' folders, so that validation runs no expert either."""
        begun: Any = self._start
        about = {name: getattr(self.settings, name) for name in ("fps", "stride", "max_frames")}
        whole = [open_shards(shards.folder) for shards in clips.shards]
        with Progress(console=Console(stderr=True), transient=True) as progress:
            bars: dict[str, Any] = {}

            def tell(name: str, done: int, n_clips: int) -> None:
                if name not in bars:
                    bars[name] = progress.add_task(f"what {name} sees", total=n_clips)
                progress.update(bars[name], completed=done, total=n_clips)

            return cache_features(
                Path(self.settings.features), begun.encoders, whole, self.frames_of, about, tell
            )

    @torch.no_grad()
    def _seen_now(self, clip: Clip) -> ClipFeatures:
        begun: Any = self._start
        keypoints = self.frames_of(clip)[None]
        mask = torch.ones(keypoints.shape[:2])
        seen = [features_of(encoder, keypoints, mask) for encoder in begun.encoders.values()]
        frames, regions = (
            torch.stack(parts, dim=1)[0].numpy() for parts in zip(*seen, strict=True)
        )
        return ClipFeatures(frames.astype(np.float16), regions)


def start_of(settings: Settings, text_language: str, start: Path | None) -> Start:
    """What the settings and ``start_from`` name. ValueError, in one line, where it is not enough.

    text_language : code of the corpus's texts
    start : the checkpoint that the training starts from
    """
    if start is not None:
        signet = open_signet(start)
        if signet is None or settings.experts:
            raise ValueError(
                "start_from: SIGNET goes on from a SIGNET, which has its experts; else name "
                "checkpoints of Stage I in settings.experts and leave start_from empty"
            )
        if settings.leave_out:
            raise ValueError("settings.leave_out: leave experts out where they are named, before")
        names = signet.config.names
        reader, seen = reader_for(text_language, names, settings.spoken, settings.reader)
        encoders: dict[str, Any] = dict(zip(names, signet.poses.encoders, strict=True))
        return Start(encoders, {}, signet, reader, seen, start)
    folders = without(settings.experts, settings.leave_out)
    spoken = {name: code for name, code in settings.spoken.items() if name in folders}
    unknown = [name for name in settings.spoken if name not in settings.experts]
    if unknown:
        raise ValueError(f"settings.spoken: no expert {unknown[0]!r} in settings.experts")
    reader, seen = reader_for(text_language, tuple(folders), spoken, settings.reader, settings.draw)
    stage1 = open_experts(folders, reader)
    check_experts(stage1, stage1[reader])  # before anything is made of them
    folder = resolve_checkpoint(Path(folders[reader]))
    if not settings.tokenizer and not (folder / TOKENIZER).is_dir():
        raise ValueError(f"{folder} of {reader} has no tokenizer: name its in settings.tokenizer")
    for expert in stage1.values():
        expert.poses.requires_grad_(False).eval()
    encoders = {name: expert.poses for name, expert in stage1.items()}
    return Start(encoders, stage1, None, reader, seen, folder)


def augment_of(settings: Settings) -> ClipAugment:
    """Noise and frames left out, and nothing else of what other trainings do to a clip."""
    off: Mapping[str, float] = {f.name: 0.0 for f in fields(ClipAugment) if f.name != "stride"}
    changes = {"jitter": settings.jitter, "left_out": settings.left_out}
    return ClipAugment(stride=settings.stride, **{**off, **changes})


def _check(settings: Settings) -> None:
    wrong = {
        "augment": settings.augment is not None,
        "align": settings.align != 0 or settings.only_align,
        "reads": settings.reads != "poses",
        "hands": bool(settings.hands),
    }
    for name, is_wrong in wrong.items():
        if is_wrong:
            raise ValueError(
                f"settings.{name} is no part of SIGNET; its augmentation is jitter and left_out, "
                "and experts learn all else in Stage I"
            )
    if settings.features and settings.jitter:
        raise ValueError(
            "settings.jitter moves coordinates, and kept features have none: set it to 0, or leave "
            "settings.features empty"
        )


_NOT_CHOSEN = ("experts", "language_model", "tied", "rgb", "pose_widths", "placed")
