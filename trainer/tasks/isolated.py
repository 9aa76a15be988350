"""Isolated signs: one clip, one gloss of a fixed vocabulary.

The recipe's [model] says which network of ``NETWORKS`` learns them; all eat the same keypoints,
augmented the same way. That of MS-MAE's Appendix C is among it: frames drawn at random, and the
picture turned, sheared and scaled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence, to_view
from fingerpost.edge_runtime.preprocess import PREPROCESS_VERSION, hands_alone, preprocess
from fingerpost.trainer.augment import AugmentSettings, augment, evenly
from fingerpost.trainer.augment_sources import SourceAugment, augment_source, ghosts_of
from fingerpost.trainer.models.ms_mae_classifier import MsMaeClassifier, MsMaeClassifierConfig
from fingerpost.trainer.models.pocket import Pocket, PocketConfig
from fingerpost.trainer.predictions import Prediction
from fingerpost.trainer.recipe import convert
from fingerpost.trainer.recogniser_data import CLIP_FRAMES
from fingerpost.trainer.shards import Clip
from fingerpost.trainer.tasks.task import Batch
from fingerpost.trainer.two_views import disagreement

N_RANKED = 5  # answers kept of each clip
NETWORKS: dict[str, tuple[Any, Any]] = {  # that a recipe's [model] can name: config and network
    "pocket": (PocketConfig, Pocket),
    "ms_mae": (MsMaeClassifierConfig, MsMaeClassifier),
}


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """window : frames that a network sees of each clip
    label_smoothing : share of the loss that asks for all glosses alike
    agree : weight of the term by which two views of a clip are to have the same answer
        (``two_views``); above 0 a batch has each clip twice
    hands_only : body and face of every clip are taken away, as for a corpus that has none
    augment : changes to ``AugmentSettings``
    sources : of ``SourceAugment``, what a clip goes through before the preprocessing; {} = nothing
    """

    window: int = 48
    label_smoothing: float = 0.1
    agree: float = 0.0
    hands_only: bool = False
    augment: dict[str, float] = {}
    sources: dict[str, float] = {}


@dataclass(frozen=True)
class PreparedSign:
    """keypoints : (CLIP_FRAMES, 69, 4) float16; label : in the vocabulary, -1 = not in it.

    sequence : what they were made of; None where it is never changed
    """

    id: str
    signer: str
    gloss: str
    keypoints: Tensor
    label: int
    sequence: PoseSequence | None = None


class Isolated:
    """For ``NETWORKS`` from (B, T, 69, 4) keypoints of ``preprocess`` to (B, V) logits."""

    best = "isolated.top1"

    def __init__(self, vocabulary: Sequence[str], settings: Settings) -> None:
        self.vocabulary = tuple(vocabulary)
        self.settings = settings
        self._number = {gloss: i for i, gloss in enumerate(self.vocabulary)}
        try:
            self._augment = AugmentSettings(**settings.augment)
        except TypeError as error:
            known = ", ".join(AugmentSettings.__dataclass_fields__)
            raise ValueError(f"settings.augment: {error}; known: {known}") from error
        if settings.agree < 0:
            raise ValueError(f"settings.agree is a weight, 0 or above, got {settings.agree:g}")
        self._sources = SourceAugment.from_table(settings.sources)
        self._ghosts: list[PoseSequence] = []

    @classmethod
    def from_data(cls, settings: dict[str, Any], clips: Any, start: Path | None) -> "Isolated":
        glosses = clips.column("glosses")
        many = next((i for i, row in enumerate(glosses) if len(row) != 1), None)
        if many is not None:
            raise ValueError(
                f"clip {clips.column('id')[many]!r} has {len(glosses[many])} glosses; the task "
                "isolated needs one in each: use the task translation"
            )
        task = cls(sorted({row[0] for row in glosses}), convert(settings, Settings, "settings"))
        if task._sources.ghost:
            task._ghosts = ghosts_of(clips, SIGN69)
        return task

    @classmethod
    def from_checkpoint(cls, folder: Path, info: dict[str, Any]) -> "Isolated":
        return cls(info["vocabulary"], convert(info["settings"], Settings, "settings"))

    def save(self, folder: Path) -> dict[str, Any]:
        return {
            "vocabulary": list(self.vocabulary),
            "settings": msgspec.to_builtins(self.settings),
            "view": "sign69",
            "preprocess_version": PREPROCESS_VERSION,
        }

    def new_model(self, fields: dict[str, Any]) -> nn.Module:
        """fields : network = a name of ``NETWORKS``, and what its config has beside the labels."""
        fields = {"network": "pocket", **fields}
        name = fields.pop("network")
        if name not in NETWORKS:
            raise ValueError(f"[model] network {name!r}; known: {', '.join(NETWORKS)}")
        config, network = NETWORKS[name]
        known = [f for f in config.__dataclass_fields__ if f not in ("n_labels", "window")]
        unknown = [field for field in fields if field not in known]
        if unknown:
            raise ValueError(
                f"[model] of {name} has no {', '.join(unknown)}; known: network, {', '.join(known)}"
            )
        return network(config(len(self.vocabulary), self.settings.window, **fields))

    def prepare(self, clip: Clip) -> PreparedSign:
        if len(clip.glosses) != 1:
            raise ValueError(f"clip {clip.id!r} has {len(clip.glosses)} glosses, expected one")
        view = to_view(clip.sequence, SIGN69)
        view = hands_alone(view) if self.settings.hands_only else view
        gloss = clip.glosses[0]
        label = self._number.get(gloss, -1)
        kept = view if self._sources != SourceAugment() else None
        return PreparedSign(clip.id, clip.signer, gloss, _keypoints(view), label, kept)

    def batch(
        self, clips: Sequence[PreparedSign], draws: Sequence[int] | None, at_least: int
    ) -> Batch:
        if draws is not None and self.settings.agree:
            clips, draws = [*clips, *clips], [*draws, *(draw + 1 for draw in draws)]
        if draws is None:
            plain = torch.stack([clip.keypoints for clip in clips])
            keypoints = evenly(plain, self.settings.window)
        else:
            drawn = zip(clips, draws, strict=True)
            changed = torch.stack([self._from_another_source(clip, draw) for clip, draw in drawn])
            keypoints = augment(changed, self.settings.window, draws, self._augment)
        labels = torch.tensor([clip.label for clip in clips])
        return Batch({"keypoints": keypoints, "labels": labels}, len(clips), list(clips))

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        return self.losses_of(model(batch.inputs["keypoints"]), batch)

    def losses_of(self, logits: Tensor, batch: Batch) -> dict[str, Tensor]:
        """The terms of a batch whose scores (B, V) are known."""
        smoothing = self.settings.label_smoothing
        labels = batch.inputs["labels"]
        terms = {"loss": F.cross_entropy(logits.float(), labels, label_smoothing=smoothing)}
        if self.settings.agree:
            terms["agree"] = self.settings.agree * disagreement(logits).mean()
        return terms

    def predict(self, model: nn.Module, batch: Batch) -> dict[str, list[Prediction]]:
        scores = model(batch.inputs["keypoints"]).float()
        ranked = scores.topk(min(N_RANKED, scores.shape[1]), dim=-1).indices.tolist()
        answers = []
        for clip, best in zip(batch.clips, ranked, strict=True):
            glosses = tuple(self.vocabulary[i] for i in best)
            answers.append(Prediction(clip.id, clip.signer, clip.gloss, glosses[0], glosses))
        return {"isolated": answers}

    def _from_another_source(self, clip: PreparedSign, draw: int) -> Tensor:
        if clip.sequence is None:
            return clip.keypoints
        rng = np.random.default_rng(draw)
        return _keypoints(augment_source(clip.sequence, rng, self._sources, self._ghosts))


def _keypoints(view: PoseSequence) -> Tensor:
    """Shape (CLIP_FRAMES, 69, 4), float16."""
    return torch.from_numpy(preprocess(view, CLIP_FRAMES)[0].astype(np.float16))
