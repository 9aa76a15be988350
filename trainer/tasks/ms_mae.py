"""Pre-training on motion alone: MS-MAE reconstructs what was masked of it. No label is read.

Sec. 3.2 and 4.1 of the paper that ``models/ms_mae`` is after. What differs: clips are augmented,
as they are when signs are learned from them, where the recipe says so; the paper's 300 of 600
frames are ``span`` and ``stride``, and ``tempo`` varies them, because a recogniser is later shown
32 frames of a sign, however long it is.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from fingerpost.edge_runtime.keypoints import SIGN69, view_indices
from fingerpost.edge_runtime.preprocess import PREPROCESS_VERSION, trim
from fingerpost.edge_runtime.preprocess_ms_mae import N_WITHOUT_FACE, preprocess_ms_mae
from fingerpost.trainer.augment import AugmentSettings, augment_frames
from fingerpost.trainer.models.ms_mae import (
    MsMae,
    MsMaeConfig,
    cubes_of,
    only_real,
    target_of,
    wanted_tokens,
)
from fingerpost.trainer.models.ms_mae_masks import MASKS, draw_masks
from fingerpost.trainer.predictions import Prediction
from fingerpost.trainer.recipe import convert
from fingerpost.trainer.shards import Clip
from fingerpost.trainer.tasks.task import Batch

OF_SIGN69 = torch.from_numpy(view_indices("msmae", "sign69")[:N_WITHOUT_FACE])
_FROM_SETTINGS = ("cubelet", "face", "coordinates")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """span : consecutive frames that are used of a clip at once; of a longer one, from anywhere
    stride : of so many frames one is drawn
    tempo : half-width of the natural logarithm by which the stride differs from clip to clip
    uneven : how freely a frame is drawn from its stride, 0 = its middle, 1 = any
    mask : a name of ``MASKS``; ratio : the share of each stream's tokens that is masked
    augment : changes to ``AugmentSettings``; none = clips are left as they are. ``doubt`` is 0
        here: what is doubted is not reconstructed
    cubelet, face, coordinates : of ``MsMaeConfig``
    """

    span: int = 600
    stride: float = 2.0
    tempo: float = 0.0
    uneven: float = 1.0
    mask: str = "diff"
    ratio: float = 0.5
    augment: dict[str, float] | None = None
    cubelet: int = 4
    face: bool = False
    coordinates: int = 2


@dataclass(frozen=True)
class PreparedMotion:
    """keypoints : (T, K, 4) float16, of ``preprocess_ms_mae``"""

    id: str
    signer: str
    keypoints: np.ndarray


class MsMaePretraining:
    """For MsMae."""

    best = "motion.unexplained"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._config = MsMaeConfig(**{name: getattr(settings, name) for name in _FROM_SETTINGS})
        self._augment = _augment_of(settings)
        _check(settings)

    @classmethod
    def from_data(
        cls, settings: dict[str, Any], clips: Any, start: Path | None
    ) -> "MsMaePretraining":
        return cls(convert(settings, Settings, "settings"))

    @classmethod
    def from_checkpoint(cls, folder: Path, info: dict[str, Any]) -> "MsMaePretraining":
        return cls(convert(info["settings"], Settings, "settings"))

    def save(self, folder: Path) -> dict[str, Any]:
        return {
            "settings": msgspec.to_builtins(self.settings),
            "view": "msmae",
            "preprocess_version": PREPROCESS_VERSION,
        }

    def new_model(self, fields: dict[str, Any]) -> MsMae:
        known = [name for name in MsMaeConfig.__dataclass_fields__ if name not in _FROM_SETTINGS]
        unknown = [name for name in fields if name not in known]
        if unknown:
            raise ValueError(
                f"[model] has no {', '.join(unknown)}; known: {', '.join(known)}; "
                f"{', '.join(_FROM_SETTINGS)} are in [settings]"
            )
        given = {name: getattr(self.settings, name) for name in _FROM_SETTINGS}
        return MsMae(MsMaeConfig(**given, **fields))

    def prepare(self, clip: Clip) -> PreparedMotion:
        keypoints = preprocess_ms_mae(trim(clip.sequence), self.settings.face)
        return PreparedMotion(clip.id, clip.signer, keypoints.astype(np.float16))

    def batch(
        self, clips: Sequence[PreparedMotion], draws: Sequence[int] | None, at_least: int
    ) -> Batch:
        """at_least : of no use here; what fills up takes no part in anything."""
        # Of validation, a mask of each clip's own that is the same every time.
        seeds = [zlib.crc32(clip.id.encode()) for clip in clips] if draws is None else list(draws)
        chosen = [
            chosen_frames(len(clip.keypoints), self.settings, None if draws is None else seed)
            for clip, seed in zip(clips, seeds, strict=True)
        ]
        keypoints, frame_mask = _padded(
            [clip.keypoints[at] for clip, at in zip(clips, chosen, strict=True)]
        )
        if draws is not None and self._augment is not None:
            keypoints = only_real(_augmented(keypoints, seeds, self._augment), frame_mask)
        masked = torch.from_numpy(self._masks([len(at) for at in chosen], seeds))
        inputs = {"keypoints": keypoints, "frame_mask": frame_mask, "masked": masked}
        n_masked = int((wanted_tokens(keypoints, self._config) & masked).sum())
        return Batch(inputs, n_masked, list(clips))

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        return {"reconstruction": model(**batch.inputs)}

    def predict(self, model: nn.Module, batch: Batch) -> dict[str, list[Prediction]]:
        """Of each clip its squared error, and that of standing still where it was visible."""
        errors, of_token = model.errors(**batch.inputs)  # type: ignore[operator]
        said = errors.new_zeros(len(batch.clips)).index_add(0, of_token, errors)
        still = self._errors_of_standing_still(**batch.inputs)
        return {
            "motion": [
                Prediction(clip.id, clip.signer, f"{truth:.4f}", f"{error:.4f}")
                for clip, truth, error in zip(
                    batch.clips, still.tolist(), said.tolist(), strict=True
                )
            ]
        }

    def _errors_of_standing_still(
        self, keypoints: Tensor, frame_mask: Tensor, masked: Tensor
    ) -> Tensor:
        """Squared errors (B,) if every point stayed at the mean of where it was not masked.

        A stream of which nothing is left visible is put at the origin.
        """
        total = torch.zeros(len(keypoints), device=keypoints.device)
        for i, cube in enumerate(cubes_of(keypoints, self._config).values()):
            points, counts = target_of(cube)
            hidden = masked[:, i, :, None, None, None] * counts  # (B, N, cubelet, K, 1)
            shown = counts - hidden
            n_shown = shown.sum((1, 2), keepdim=True)
            mean = (points * shown).sum((1, 2), keepdim=True) / n_shown.clamp(min=1)
            total = total + ((points - mean) * hidden).square().flatten(1).sum(1)
        return total

    def _masks(self, n_frames: Sequence[int], seeds: Sequence[int]) -> np.ndarray:
        n_tokens = [-(-n // self.settings.cubelet) for n in n_frames]
        n_streams = len(self._config.streams)
        return draw_masks(self.settings.mask, n_tokens, n_streams, self.settings.ratio, seeds)


def chosen_frames(n_frames: int, settings: Settings, draw: int | None) -> np.ndarray:
    """Which frames of a clip are used, ascending; at least one.

    draw : a seed; None = those in the middle, evenly
    """
    step, start = settings.stride, max(0, n_frames - settings.span) // 2
    of_step: Any = 0.5
    n_used = min(n_frames, settings.span)
    if draw is not None:
        rng = np.random.default_rng([draw, 1])  # another than the mask's
        step = max(1.0, step * np.exp(rng.uniform(-1, 1) * settings.tempo))
        start = int(rng.integers(max(0, n_frames - settings.span) + 1))
    n = max(1, int(n_used / step))
    if draw is not None:
        of_step = 0.5 + settings.uneven * (rng.random(n) - 0.5)
    at = start + (np.arange(n) + of_step) * step
    return np.minimum(at.astype(int), n_frames - 1)


def _padded(clips: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Clips (T, K, 4) as (B, T, K, 4) float32, filled up with zeros, and which frames are real."""
    longest = max(len(clip) for clip in clips)
    keypoints = np.zeros((len(clips), longest, *clips[0].shape[1:]), np.float32)
    frame_mask = np.zeros((len(clips), longest), bool)
    for i, clip in enumerate(clips):
        keypoints[i, : len(clip)] = clip
        frame_mask[i, : len(clip)] = True
    return torch.from_numpy(keypoints), torch.from_numpy(frame_mask)


def _augmented(keypoints: Tensor, seeds: Sequence[int], settings: AugmentSettings) -> Tensor:
    """(B, T, 48, 4), through the view that the augmentation knows, which has the same numbers."""
    b, t = keypoints.shape[:2]
    as_sign69 = keypoints.new_zeros(b, t, len(SIGN69), 4)
    as_sign69[:, :, OF_SIGN69] = keypoints
    return augment_frames(as_sign69, seeds, settings)[:, :, OF_SIGN69]


def _augment_of(settings: Settings) -> AugmentSettings | None:
    if settings.augment is None:
        return None
    if settings.face:
        raise ValueError("settings.augment does not know the face's points; leave one of them out")
    try:
        return AugmentSettings(**{"doubt": 0.0, **settings.augment})
    except TypeError as error:
        known = ", ".join(AugmentSettings.__dataclass_fields__)
        raise ValueError(f"settings.augment: {error}; known: {known}") from error


def _check(settings: Settings) -> None:
    if settings.mask not in MASKS:
        raise ValueError(f"settings.mask: {settings.mask!r}; known: {', '.join(MASKS)}")
    limits = {
        "span": settings.span >= 1,
        "stride": settings.stride >= 1,
        "tempo": settings.tempo >= 0,
        "uneven": 0 <= settings.uneven <= 1,
        "ratio": 0 < settings.ratio < 1,
    }
    for name, sound in limits.items():
        if not sound:
            raise ValueError(f"settings.{name} cannot be {getattr(settings, name)!r}")
