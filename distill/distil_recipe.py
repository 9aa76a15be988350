"""The recipe of a distillation: that of a training, with what is asked of the teacher, and learned.

A recipe of ``fingerpost train`` with two tables more: [teacher], what of it is kept
(``TeacherSettings``), and [distil], the weight of each term.
"""

from collections.abc import Sequence

import msgspec

from fingerpost.distill.budget import Budget
from fingerpost.distill.distil_start import LANGUAGE_MODEL
from fingerpost.distill.teacher import TeacherSettings, check_settings
from fingerpost.trainer.recipe import Recipe

STARTS = ("", "layers")
TERMS = ("sequence", "token", "hidden", "relation", "ctc", "frames")


class Distil(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Weights of what is learned from a teacher, beside the task's own terms; 0 = not computed.

    sequence : the next token of its best answer, as if that were the truth
    token : its probabilities of each token
    hidden : the states of its encoder and its decoder, through a learned matrix each
    relation : how much these states have to do with each other
    ctc : the row of glosses that its frames show
    frames : its probabilities of the gloss of each frame
    temperature : of ``token`` and ``frames``; one of teacher.temperatures
    relation_heads : pieces that states are cut into, for ``relation``
    start : layers = the student begins with some of the teacher's; empty = as the recipe says.
        With ``start_from``, its language model's alone, which then has to be among ``fresh``
    teacher : hash of its weights and config; the command writes it
    """

    sequence: float = 0.0
    token: float = 0.0
    hidden: float = 0.0
    relation: float = 0.0
    ctc: float = 0.0
    frames: float = 0.0
    temperature: float = 2.0
    relation_heads: int = 8
    start: str = ""
    teacher: str = ""


class DistilRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A training with a teacher. budget : what quantising the student may cost, at its export"""

    distil: Distil = Distil()
    teacher: TeacherSettings = TeacherSettings()
    budget: Budget = Budget()


def with_clips(recipe: DistilRecipe, folders: Sequence[str]) -> DistilRecipe:
    """The recipe with other folders of shards to train on."""
    return msgspec.structs.replace(
        recipe, data=msgspec.structs.replace(recipe.data, train=tuple(folders))
    )


def check_distil(recipe: DistilRecipe) -> None:
    """ValueError, in one line, for numbers that cannot be, or that the teacher is not asked for."""
    check_settings(recipe.teacher)
    distil, teacher = recipe.distil, recipe.teacher
    for term in TERMS:
        if not 0 <= getattr(distil, term) < 1e6:
            raise ValueError(f"distil.{term} cannot be {getattr(distil, term)!r}")
    if not any(getattr(distil, term) for term in TERMS):
        raise ValueError(f"[distil]: nothing is learned from the teacher; give {', '.join(TERMS)}")
    if distil.start not in STARTS:
        raise ValueError(f"distil.start: {distil.start!r}; known: layers, or empty")
    if distil.start and recipe.start_from and LANGUAGE_MODEL not in recipe.fresh:
        raise ValueError(
            "distil.start and start_from both say how the student's language model begins; give "
            f'one, or fresh = ["{LANGUAGE_MODEL}"]'
        )
    if distil.relation_heads < 1:
        raise ValueError(f"distil.relation_heads cannot be {distil.relation_heads}")
    if (distil.token or distil.frames) and distil.temperature not in teacher.temperatures:
        known = ", ".join(f"{t:g}" for t in teacher.temperatures)
        raise ValueError(
            f"distil.temperature: {distil.temperature:g} is none of teacher.temperatures ({known})"
        )
    states = {"encoder", "decoder"} & set(teacher.states)
    needs = {
        "sequence": ("teacher.n_best above 0", teacher.n_best > 0),
        "hidden": ('teacher.states = ["encoder", "decoder"], or one of them', bool(states)),
        "relation": ('teacher.states = ["encoder", "decoder"], or one of them', bool(states)),
        "ctc": ("teacher.frames above 0", teacher.frames > 0),
        "frames": ("teacher.frames above 0", teacher.frames > 0),
    }
    for term, (what, is_there) in needs.items():
        if getattr(distil, term) and not is_there:
            raise ValueError(f"distil.{term} needs {what}")
