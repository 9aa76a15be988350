"""The trainings of ``compare_sigma``: of networks that read what a frozen pose encoder has seen.

The part-wise graphs of the pose encoder cost most of a step, and they are the same of Uni-Sign and
of Sigma. So they are trained once, stay as they are, and are run over each clip once; all ways
learn from the same features of frames, kept in memory. What learns is all that stands after them:
the linear layer to the language model's width, the language model, and what is Sigma's own. Weights
are those of ``start_from``, and go from a pre-training to its fine-tuning without a checkpoint.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from fingerpost.trainer.augment_clips import strided
from fingerpost.trainer.checkpoint import load_checkpoint, resolve_checkpoint
from fingerpost.trainer.evaluate import predict
from fingerpost.trainer.evaluation import evaluate_predictions
from fingerpost.trainer.feed import Clips, PreparedClips, plain_batches, training_batches
from fingerpost.trainer.models.uni_sign_rgb import HandPictures
from fingerpost.trainer.models.sigma import Sigma
from fingerpost.trainer.models.uni_sign import UniSign
from fingerpost.trainer.recipe import Recipe
from fingerpost.trainer.retrieval import search
from fingerpost.trainer.shards import Clip
from fingerpost.trainer.tasks.sigma import SigmaPretraining, SigmaTranslation
from fingerpost.trainer.tasks.translation import PreparedClip, Translation
from fingerpost.trainer.train import build, start, take_step

Features = Mapping[str, np.ndarray]  # of each clip, by id: (T, 4 C) float16, T frames of the stride
Weights = dict[str, Tensor]
AT_ONCE = 32  # clips that are read, or answered, at once
PRETRAINING = "pretraining."  # what a fine-tuning does not take over
WANTED = (
    "sign_to_text.r1",
    "text_to_sign.r1",
    "text.bleu4",
    "glosses.wer",
    "isolated.top1",
)


class OnFeatures:
    """A network whose poses are seen already: ``keypoints`` are (B, T, 4 C), of ``regions``."""

    poses: Any

    def _read_frames(self, keypoints: Tensor, hands: HandPictures | None) -> Tensor:
        return self.poses.joined(keypoints)


class UniSignOnFeatures(OnFeatures, UniSign):
    pass


class SigmaOnFeatures(OnFeatures, Sigma):
    pass


class KeptFrames:
    """A task whose clips are features. They are of its stride already."""

    features: Features

    def _read(self, clip: Clip) -> np.ndarray:
        return self.features[clip.id]

    def _changed(self, clip: PreparedClip, draw: int | None) -> tuple[Tensor, np.ndarray]:
        return torch.from_numpy(clip.keypoints.astype(np.float32)), clip.of_frame


class TranslationOnFeatures(KeptFrames, Translation):
    network = UniSignOnFeatures


class SigmaTranslationOnFeatures(KeptFrames, SigmaTranslation):
    network = SigmaOnFeatures


class SigmaPretrainingOnFeatures(KeptFrames, SigmaPretraining):
    network = SigmaOnFeatures


KINDS: dict[str, Any] = {
    "translation": TranslationOnFeatures,
    "sigma": SigmaTranslationOnFeatures,
    "sigma_pretraining": SigmaPretrainingOnFeatures,
}


class Bench:
    """What all trainings of a corpus share.

    recipe : of the task sigma, for the fine-tuning; its ``data.train`` has the splits train, test
        and signs
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._features: dict[str, np.ndarray] | None = None
        self._prepared: dict[tuple[str, ...], PreparedClips] = {}

    def clips(self, task: str, asks: tuple[str, ...], split: str) -> PreparedClips:
        """Prepared for a task and its questions; made once."""
        key = (task, split, *asks)
        if key not in self._prepared:
            clips = Clips(self.recipe.data.train, split)
            folder = resolve_checkpoint(Path(self.recipe.start_from))
            # A single sign is asked for as a row of glosses is: that is what was learned.
            said = {"asks": asks, "prompts": {"isolated": "glosses"}}
            made = KINDS[task].from_data({**self.recipe.settings, **said}, clips, folder)
            made.features = self.features()
            self._prepared[key] = PreparedClips(clips, made, cache=True)
        return self._prepared[key]

    def features(self) -> Features:
        """Of every clip, by the pose encoder of ``start_from``."""
        if self._features is None:
            clips = Clips(self.recipe.data.train, "")
            self._features = features_of(clips, Path(self.recipe.start_from), self.recipe)
        return self._features


@torch.no_grad()
def features_of(clips: Clips, start_from: Path, recipe: Recipe) -> dict[str, np.ndarray]:
    """What the pose encoder of a checkpoint sees in each frame of each clip, (T, 4 C) float16."""
    folder = resolve_checkpoint(start_from)
    network: Any = load_checkpoint(folder)[0]
    settings = {**recipe.settings, "asks": ["glosses"]}
    prepared = PreparedClips(clips, Translation.from_data(settings, clips, folder), cache=False)
    seen = {}
    for batch in plain_batches(prepared, range(len(clips)), AT_ONCE):
        regions = network.poses.regions(batch.inputs["keypoints"]).numpy().astype(np.float16)
        for clip, row in zip(batch.clips, regions, strict=True):
            n_frames = len(strided(clip.keypoints, prepared.task.settings.stride))  # type: ignore[attr-defined]
            seen[clip.id] = row[:n_frames]
    return seen


def trained(
    bench: Bench, recipe: Recipe, weights: Weights | None = None
) -> tuple[nn.Module, dict[str, float]]:
    """A network by a recipe, from ``start_from``, and the terms of its last step's loss.

    weights : what it goes on from, of another training of the bench; those of its pre-training
        alone are left out. ValueError where the loss is no number.
    """
    clips = bench.clips(recipe.task, tuple(recipe.settings["asks"]), recipe.data.train_split)
    accelerator = start(recipe)  # after the clips, for to make them draws random numbers once
    model, optimizer, schedule, order = build(recipe, clips.task, clips.clips, accelerator)
    if weights is not None:
        taken = {k: v for k, v in weights.items() if not k.startswith(PRETRAINING)}
        model.load_state_dict({**model.state_dict(), **taken})
    figures: dict[str, float] = {}
    for batch in training_batches(clips, order, 1, recipe.training.steps, 0):
        figures = take_step(
            accelerator, clips.task, model, optimizer, recipe.training, [batch]
        )
        schedule.step()
        if not np.isfinite(figures["loss"]):
            raise ValueError(f"the loss is {figures['loss']}: lower training.lr")
    accelerator.end_training()
    return accelerator.unwrap_model(model), figures


def measured(bench: Bench, network: nn.Module, recipe: Recipe) -> dict[str, float]:
    """In percent: "text.bleu4", "glosses.wer", "isolated.top1"; before the fine-tuning, of the
    texts alone, with "sign_to_text.r1" and "text_to_sign.r1" where it can search."""
    asks = tuple(recipe.settings["asks"])
    found = _answers(bench.clips(recipe.task, asks, "test"), network)
    if asks != ("text",):
        found |= _answers(bench.clips(recipe.task, ("isolated",), "signs"), network)
    return found


def _answers(clips: PreparedClips, network: nn.Module) -> dict[str, float]:
    answers = predict(clips.task, network, clips, range(len(clips)), AT_ONCE, "cpu")
    if getattr(network, "can_retrieve", False):
        answers |= search(clips.task, network, clips, AT_ONCE, "cpu")
    language = clips.clips.text_language
    figures = {
        f"{kind}.{name}": figure.value
        for kind, said in answers.items()
        for name, figure in evaluate_predictions(kind, said, language, n_resamples=0).figures.items()
    }
    return {name: figures[name] for name in WANTED if name in figures}


def with_settings(recipe: Recipe, **changes: Any) -> Recipe:
    """The recipe with other settings."""
    return msgspec.structs.replace(recipe, settings={**recipe.settings, **changes})
