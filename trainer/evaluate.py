"""What a checkpoint says of clips, and how right it is."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fingerpost.trainer.checkpoint import load_checkpoint, resolve_checkpoint
from fingerpost.trainer.evaluation import MAIN_FIGURE, Evaluation, evaluate_predictions
from fingerpost.trainer.feed import Clips, PreparedClips, plain_batches
from fingerpost.trainer.predictions import Prediction
from fingerpost.trainer.retrieval import search
from fingerpost.trainer.shards import Clip
from fingerpost.trainer.tasks import find_task
from fingerpost.trainer.tasks.task import Task

Answers = dict[str, list[Prediction]]  # by kind: isolated, glosses, text


def evaluate_checkpoint(
    folder: Path,
    shards: Sequence[str],
    split: str,
    batch: int = 32,
    n_resamples: int = 1000,
    changes: dict[str, Any] | None = None,
) -> dict[str, tuple[Evaluation, list[Prediction]]]:
    """The evaluation of each kind of answer that the checkpoint gives, with the answers.

    folder : a checkpoint, or a training's folder: then its best one
    shards : folders; split : "" = all of them
    changes : to the settings of its task, such as the folder of hands
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network, task = load_for_answers(folder, changes or {})
    clips = Clips(shards, split)
    prepared = PreparedClips(clips, task, cache=False)
    answers = predict(task, network.to(device), prepared, range(len(clips)), batch, device)
    if getattr(network, "can_retrieve", False):
        answers |= search(task, network, prepared, batch, device)
    return {
        kind: (
            evaluate_predictions(kind, said, clips.text_language, n_resamples=n_resamples),
            said,
        )
        for kind, said in answers.items()
    }


def load_for_answers(folder: Path, changes: dict[str, Any]) -> tuple[nn.Module, Task]:
    """The network of a checkpoint in eval mode, and the task that it was trained for."""
    checkpoint = resolve_checkpoint(folder)
    network, info, _ = load_checkpoint(checkpoint)
    if "task" not in info:
        raise ValueError(
            f"{checkpoint} was not made by `fingerpost train`: its config.json names no task"
        )
    info["settings"] = {**info.get("settings", {}), **changes}
    try:
        return network, find_task(info["task"]).from_checkpoint(checkpoint, info)
    except KeyError as error:
        raise ValueError(f"{checkpoint}: config.json has no {error}; train it again") from error


def answers_to(network: nn.Module, task: Task, clips: Sequence[Clip], batch: int = 16) -> Answers:
    """What a network says of a few clips, by kind, in their order."""
    answers: Answers = {}
    network.eval()
    prepared = [task.prepare(clip) for clip in clips]
    with torch.no_grad():
        for start in range(0, len(prepared), batch):
            of_batch = task.batch(prepared[start : start + batch], None, 0)
            for kind, said in task.predict(network, of_batch).items():
                answers.setdefault(kind, []).extend(said)
    return answers


def main_figures(answers: Answers, text_language: str) -> dict[str, float]:
    """Of each kind the figure that it is judged by, in percent: {"text.bleu4": 21.4}."""
    figures = {}
    for kind, said in answers.items():
        name = MAIN_FIGURE[kind]
        found = evaluate_predictions(kind, said, text_language, n_resamples=0)
        figures[f"{kind}.{name}"] = found.figures[name].value
    return figures


def predict(
    task: Task,
    network: nn.Module,
    clips: PreparedClips,
    numbers: Sequence[int],
    batch: int,
    device: Any,
    autocast: Callable[[], AbstractContextManager] = nullcontext,
) -> Answers:
    """The answers to the clips of these numbers, by kind, in the order of the clips' lengths."""
    answers: Answers = {}
    network.eval()
    with torch.no_grad():
        for of_batch in plain_batches(clips, numbers, batch):
            with autocast():
                of_clips = task.predict(network, of_batch.to(device))
            for kind, said in of_clips.items():
                answers.setdefault(kind, []).extend(said)
    return answers
