"""Distillation: a student of any task that can listen learns from any teacher's answers.

    distil(Path("runs/uni_sign"), recipe, Path("runs/pocket"), Path("my_shards.teacher"))

The loop is that of every training (``fingerpost.trainer.train``). The teacher is asked once, before
it (``teacher_cache``); no epoch runs it again, and the checkpoints that come out are plain ones.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from torch import nn

from fingerpost.distill.distil_lesson import Lessons
from fingerpost.distill.distil_network import DistilNetwork
from fingerpost.distill.distil_recipe import DistilRecipe, check_distil
from fingerpost.distill.distil_signs import KIND as SIGNS
from fingerpost.distill.distil_signs import DistilSigns, check_signs
from fingerpost.distill.distil_start import LANGUAGE_MODEL, start_from_layers
from fingerpost.distill.distil_task import DistilTask, check_listens
from fingerpost.distill.teacher import STATES, hash_of_teacher, open_teacher
from fingerpost.distill.teacher_cache import (
    ABOUT,
    TeacherCache,
    key_of,
    make_teacher_cache,
    open_teacher_cache,
)
from fingerpost.trainer.checkpoint import CONFIG, load_checkpoint, resolve_checkpoint
from fingerpost.trainer.feed import Clips
from fingerpost.trainer.network import PlainScaffold, Scaffold, new_network
from fingerpost.trainer.tasks.task import Task
from fingerpost.trainer.text_tokenizer import TOKENIZER, load_tokenizer
from fingerpost.trainer.train import Report, load_data, say_nothing, train

Tell = Callable[[str], None]


def nothing(*_: object) -> None:
    """A ``Tell``."""


def distil(
    teacher: Path,
    recipe: DistilRecipe,
    out: Path,
    cache_folder: Path,
    report: Report = say_nothing,
    tell: Tell = nothing,
    tell_asked: Callable[[int, int], None] = nothing,
    changes: dict[str, Any] | None = None,
) -> dict[str, float]:
    """Asks the teacher whatever it was not asked yet, and trains the student; goes on where it was.

    teacher : a checkpoint, or a training's folder
    report : of each step; tell : a line about what was found
    tell_asked : clips that the teacher was asked about, and clips in all
    changes : to the settings of the teacher's task, such as the folder of hands

    Returns the figures of the best validation. ValueError for whatever a user can put right, as a
    rule before the teacher is asked.
    """
    check_distil(recipe)
    if recipe.task != SIGNS:
        check_listens(recipe.task)
    checkpoint = resolve_checkpoint(teacher)
    recipe = _with_teacher(recipe, checkpoint)
    task, clips, _ = load_data(recipe)
    if recipe.task == SIGNS:
        _check_same_signs(recipe, task, checkpoint)
    else:
        _check_tokenizer(task, checkpoint)
    around = WithTeacher(recipe, checkpoint, tell)
    around.begin(new_network(recipe, task))
    around.cache = _asked(checkpoint, recipe, clips, cache_folder, tell_asked, changes or {})
    return train(recipe, out, report, around)


class WithTeacher:
    """What a training has around it: ``Around``. cache : to be there before ``task``."""

    cache: TeacherCache

    def __init__(self, recipe: DistilRecipe, checkpoint: Path, tell: Tell) -> None:
        self.recipe, self.checkpoint, self.tell = recipe, checkpoint, tell

    def task(self, task: Task) -> DistilTask | DistilSigns:
        if self.recipe.task == SIGNS:
            return DistilSigns(
                task, self.cache, self.recipe.distil, self.recipe.teacher.temperatures
            )
        listener: Any = task
        asked = self.cache.kinds()
        if not asked & set(listener.settings.asks):
            raise ValueError(
                f"the teacher was asked for {', '.join(sorted(asked))}, the student learns "
                f"{', '.join(listener.settings.asks)}: settings.asks must have one in common"
            )
        if getattr(listener.settings, "agree", 0):
            raise ValueError("settings.agree: with a teacher, a clip comes once in a batch; say 0")
        lessons = Lessons(
            self.recipe.distil,
            self.recipe.teacher.temperatures,
            listener.gloss_tokens(),
            len(listener.tokenizer),
        )
        if lessons.n_left_out and (self.recipe.distil.ctc or self.recipe.distil.frames):
            n = len(listener.gloss_tokens())
            self.tell(f"{lessons.n_left_out} of {n} glosses are no token of their own: not taught")
        return DistilTask(task, self.cache, lessons)

    def network(self, network: nn.Module) -> Scaffold:
        if self.recipe.task == SIGNS:
            return PlainScaffold(network)
        for line in self.begin(network):
            self.tell(f"from the teacher: {line}")
        return DistilNetwork(
            network, self.recipe.distil, self.recipe.teacher.temperatures, self._widths()
        )

    def begin(self, network: nn.Module) -> list[str]:
        """Gives the student the teacher's layers, where the recipe asks for them."""
        if not self.recipe.distil.start:
            return []
        whole, _, _ = load_checkpoint(self.checkpoint)
        tokenizer = load_tokenizer(str(self.checkpoint / TOKENIZER))
        only = LANGUAGE_MODEL if self.recipe.start_from else ""
        return start_from_layers(network, whole, len(tokenizer), only)

    def _widths(self) -> dict[str, int]:
        """Of the teacher's states that were kept."""
        question = self.cache.first().questions[0]
        kept = {name: getattr(question, name) for name in STATES}
        return {name: states.shape[-1] for name, states in kept.items() if states is not None}


def _with_teacher(recipe: DistilRecipe, checkpoint: Path) -> DistilRecipe:
    """The recipe with the teacher's hash, and its tokenizer where it names none."""
    if not (checkpoint / CONFIG).is_file():
        raise ValueError(f"{checkpoint} is no checkpoint: give a teacher, or a training's folder")
    made = msgspec.structs.replace(recipe.distil, teacher=hash_of_teacher(checkpoint))
    if recipe.task == SIGNS:
        return msgspec.structs.replace(recipe, distil=made)
    if not (checkpoint / TOKENIZER).is_dir():
        raise ValueError(f"{checkpoint} writes no texts: it cannot teach the task {recipe.task!r}")
    settings = dict(recipe.settings)
    settings["tokenizer"] = settings.get("tokenizer") or str(checkpoint / TOKENIZER)
    return msgspec.structs.replace(recipe, settings=settings, distil=made)


def _check_same_signs(recipe: DistilRecipe, task: Any, checkpoint: Path) -> None:
    _, info, _ = load_checkpoint(checkpoint)
    if info.get("task") != SIGNS:
        raise ValueError(f"{checkpoint} names no single signs: it cannot teach the task {SIGNS!r}")
    check_signs(recipe.distil, task.vocabulary, info["vocabulary"])


def _check_tokenizer(task: Any, checkpoint: Path) -> None:
    theirs = load_tokenizer(str(checkpoint / TOKENIZER))
    if task.tokenizer.get_vocab() != theirs.get_vocab():
        raise ValueError(
            "settings.tokenizer: the student must write the teacher's pieces; leave it empty, and "
            "start_from no student of another teacher"
        )


def _asked(
    checkpoint: Path,
    recipe: DistilRecipe,
    clips: Clips,
    folder: Path,
    tell_asked: Callable[[int, int], None],
    changes: dict[str, Any],
) -> TeacherCache:
    """The cache of the recipe's clips; the teacher is loaded where any is missing."""
    everything = Clips(recipe.data.train, recipe.data.train_split)
    key = key_of(recipe.distil.teacher, everything, recipe.teacher)
    if (folder / ABOUT).is_file():
        cache = open_teacher_cache(folder, key)
        if all(name in cache for name in clips.column("id")):
            return cache
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ValueError(
            f"{folder} has not all clips: several processes cannot make it at once; make it first "
            "with `fingerpost distill --cache-only`"
        )
    return make_teacher_cache(
        folder,
        open_teacher(checkpoint, changes),
        everything,
        recipe.teacher,
        lambda n: tell_asked(n, len(everything)),
    )
