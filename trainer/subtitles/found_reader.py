"""A trained model of "Lost in Translation, Found in Embeddings" as a reader of windows.

With so many beams as the training validates with; the paper has five.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.edge_runtime.preprocess_found import preprocess_found
from fingerpost.trainer.evaluate import load_for_answers
from fingerpost.trainer.models.found import Found
from fingerpost.trainer.subtitles.aligner import Question
from fingerpost.trainer.subtitles.digits import digit_spans
from fingerpost.trainer.subtitles.found_listener import FoundListener
from fingerpost.trainer.subtitles.windows import Window, part
from fingerpost.trainer.tasks.found import FoundTask
from fingerpost.trainer.tasks.found_settings import prompt_for_span


class FoundReader:
    """A ``WindowReader``, see ``aligner``."""

    def __init__(self, network: Found, task: FoundTask) -> None:
        self.network, self.task = network.eval(), task
        self.view = task.view
        self.fps = task.settings.fps
        self.n_frames = task.n_window

    def listener(self, sequence: PoseSequence, texts: Sequence[str]) -> FoundListener | None:
        """See ``WindowReader``. None for a model that never learned to translate."""
        if "text" not in self.task.settings.asks:
            return None
        return FoundListener(self.network, self.task, sequence, texts)

    def spans(
        self, sequence: PoseSequence, questions: Sequence[Question]
    ) -> list[tuple[float, float] | None]:
        """See ``WindowReader``. A model that never was told a prior is not told one here.

        One that never learned spans has no answer.
        """
        if "spans" not in self.task.settings.asks:
            return [None] * len(questions)
        windows = [preprocess_found(_frames(sequence, q.window), self.view) for q in questions]
        longest = max(len(window) for window in windows)
        keypoints = np.zeros((len(windows), longest, *windows[0].shape[1:]), np.float32)
        mask = np.zeros((len(windows), longest), np.int64)
        for row, window in enumerate(windows):
            keypoints[row, : len(window)], mask[row, : len(window)] = window, 1
        told = self.task.settings.tells_prior > 0
        asked = [prompt_for_span(q.text, q.prior if told else None) for q in questions]
        digits = self.network.place(
            torch.from_numpy(keypoints),
            torch.from_numpy(mask),
            self.task.prompts(asked),
            self.task.digit_tokens,
            self.task.settings.beams,
        )
        spans = digit_spans(digits).tolist()
        return [(start, end) if start < end else None for start, end in spans]


def open_reader(folder: Path) -> FoundReader:
    """Of a checkpoint or a training's folder; ValueError where it is of another task."""
    network, task = load_for_answers(folder, {})
    if not isinstance(task, FoundTask) or not isinstance(network, Found):
        raise ValueError(
            f"{folder} never learned to align subtitles; give a training of the task found, or "
            "leave --checkpoint out"
        )
    if task.settings.lips:
        raise ValueError(f"{folder} reads lips, and align has none; give a model of poses alone")
    return FoundReader(network, task)


def _frames(sequence: PoseSequence, window: Window) -> PoseSequence:
    """The frames of a window, not more than there are."""
    first = round((window.start_ms - sequence.start_ms) * sequence.fps / 1000)
    first = min(max(first, 0), max(len(sequence) - window.n_frames, 0))
    return part(sequence, first, first + window.n_frames)
