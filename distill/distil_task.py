"""A task with a teacher: each batch carries what the teacher said of its clips.

A task can listen to a teacher that has, beside what all tasks have: ``tokenizer``,
``settings.asks``, ``asked_of``, ``moments``, ``gloss_tokens`` and ``weighted``; and its network
``study`` (``Studied``). All else is handed on.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from fingerpost.distill.distil_lesson import Lessons
from fingerpost.distill.teacher_cache import TeacherCache
from fingerpost.trainer.predictions import Prediction
from fingerpost.trainer.shards import Clip
from fingerpost.trainer.tasks import TASKS
from fingerpost.trainer.tasks.task import Batch

LISTENS = ("asked_of", "moments", "gloss_tokens", "weighted")


class TaughtTask:
    """What a student's task does by itself, handed on; its batches and losses are for subclasses.

    cache : of the teacher
    """

    def __init__(self, task: Any, cache: TeacherCache) -> None:
        self.inner, self.cache = task, cache
        self.best: str = task.best

    def save(self, folder: Path) -> dict[str, Any]:
        return self.inner.save(folder)

    def new_model(self, fields: dict[str, Any]) -> nn.Module:
        return self.inner.new_model(fields)

    def prepare(self, clip: Clip) -> Any:
        return self.inner.prepare(clip)

    def predict(self, model: nn.Module, batch: Batch) -> dict[str, list[Prediction]]:
        return self.inner.predict(model, batch)


class DistilTask(TaughtTask):
    """task : one that can listen; lessons : of its settings"""

    def __init__(self, task: Any, cache: TeacherCache, lessons: Lessons) -> None:
        super().__init__(task, cache)
        self.lessons = lessons

    def batch(self, clips: Sequence[Any], draws: Sequence[int] | None, at_least: int) -> Batch:
        batch = self.inner.batch(clips, draws, at_least)
        if draws is None:  # for answers, not to learn from
            return batch
        batch.inputs["lesson"] = self.lessons.lesson(
            [self.cache.reading(clip.id) for clip in clips],
            self.inner.asked_of(clips),
            [self.inner.moments(clip, draw) for clip, draw in zip(clips, draws, strict=True)],
            batch.inputs["labels"],
        )
        return batch

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        own, terms = model(weight=batch.weight, **batch.inputs)
        return {**self.inner.weighted(own, batch), **terms}


def check_listens(name: str) -> None:
    """ValueError for a task of ``TASKS`` that cannot learn from a teacher."""
    can = [known for known, task in TASKS.items() if all(hasattr(task, what) for what in LISTENS)]
    if name not in can:
        raise ValueError(
            f"the task {name!r} cannot learn from a teacher; those that can: isolated, "
            f"{', '.join(can)}"
        )
