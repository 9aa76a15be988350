"""The trainings of ``compare_sigma``: of networks that read what a frozen pose encoder has seen.

The part-wise graphs of the pose encoder cost most of a step, and they are the same of Uni-Sign and
of Sigma. So they are trained once, stay as they are, and are run over each clip once; all ways
learn from the same features of frames, kept in memory. What learns is all that stands after them:
the linear layer to the language model's width, the language model, and what is Sigma's own. Weights
are those of ``start_from``, and go from a pre-training to its fine-tuning without a checkpoint.

    features-1f0c….npz      what was seen, by clip; named after all that it depends on
"""

import hashlib
import zipfile
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
from fingerpost.trainer.experts import hash_of_expert
from fingerpost.trainer.feed import Clips, PreparedClips, plain_batches, training_batches
from fingerpost.trainer.models.common import PoseEncoder
from fingerpost.trainer.models.sigma import Sigma
from fingerpost.trainer.models.uni_sign import UniSign
from fingerpost.trainer.models.uni_sign_rgb import HandPictures
from fingerpost.trainer.recipe import Recipe
from fingerpost.trainer.retrieval import search
from fingerpost.trainer.shards import Clip
from fingerpost.trainer.tasks.sigma import SigmaPretraining, SigmaTranslation
from fingerpost.trainer.tasks.translation import PreparedClip, Translation
from fingerpost.trainer.train import build, start, take_step

Features = Mapping[str, np.ndarray]  # of each clip, by id: (T, 4 C) float16
Weights = dict[str, Tensor]
BY = 2  # frames of the stride that are averaged: half as many are as good here, and cheaper
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
    """Uni-Sign, from features on."""


class SigmaOnFeatures(OnFeatures, Sigma):
    """Sigma, from features on."""


class KeptFrames:
    """A task whose clips are features, of its stride already."""

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
    out : where features are kept
    """

    def __init__(self, recipe: Recipe, out: Path) -> None:
        self.recipe, self.out = recipe, out
        self._features: Features | None = None
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
        """Of every clip, by the pose encoder of ``start_from``, T of ``BY`` frames each."""
        if self._features is None:
            kept = kept_features(self.recipe, self.out)
            self._features = {clip: averaged(frames, BY) for clip, frames in kept.items()}
        return self._features


def kept_features(recipe: Recipe, out: Path) -> Features:
    """What the pose encoder of ``start_from`` sees in the clips; read where it was written.

    ValueError where the file is damaged.
    """
    folder = resolve_checkpoint(Path(recipe.start_from))
    network: Any = load_checkpoint(folder)[0]
    clips = Clips(recipe.data.train, "")
    task = Translation.from_data({**recipe.settings, "asks": ["glosses"]}, clips, folder)
    key = [hash_of_expert(network.poses), *clips.hashes.values(), repr(task.settings)]
    name = hashlib.sha256(" ".join(key).encode()).hexdigest()[:16]
    path = out / f"features-{name}.npz"
    if not path.is_file():
        seen = features_of(network.poses, PreparedClips(clips, task, cache=False))
        out.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.partial")
        with partial.open("wb") as file:
            np.savez(file, **seen)  # type: ignore[arg-type]  # it takes file= for a clip's name
        partial.replace(path)
    try:
        with np.load(path) as file:
            return {clip: file[clip] for clip in file.files}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is damaged; delete it, and it is made again") from error


def averaged(frames: np.ndarray, by: int) -> np.ndarray:
    """(T, E) to (T / by, E), rounded up: means of so many frames, the last of what is left."""
    starts = np.arange(0, len(frames), by)
    sums = np.add.reduceat(frames.astype(np.float32), starts, axis=0)
    counts = np.diff([*starts, len(frames)])[:, None]
    return (sums / counts).astype(frames.dtype)


@torch.no_grad()
def features_of(encoder: PoseEncoder, clips: PreparedClips) -> dict[str, np.ndarray]:
    """What an encoder sees in each frame of each clip, (T, 4 C) float16 by id.

    clips : of ``Translation``, whose stride says which frames
    """
    task: Any = clips.task
    seen = {}
    for batch in plain_batches(clips, range(len(clips)), AT_ONCE):
        regions = encoder.eval().regions(batch.inputs["keypoints"]).numpy().astype(np.float16)
        for clip, row in zip(batch.clips, regions, strict=True):
            seen[clip.id] = row[: len(strided(clip.keypoints, task.settings.stride))]
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
        figures = take_step(accelerator, clips.task, model, optimizer, recipe.training, [batch])
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
        for name, figure in evaluate_predictions(
            kind, said, language, n_resamples=0
        ).figures.items()
    }
    return {name: figures[name] for name in WANTED if name in figures}


def with_settings(recipe: Recipe, **changes: Any) -> Recipe:
    """The recipe with other settings."""
    return msgspec.structs.replace(recipe, settings={**recipe.settings, **changes})
