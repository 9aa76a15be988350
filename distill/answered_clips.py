"""Clips of other signing, with what a teacher says of them as their texts: a student's second food.

    python -m fingerpost.distill.answered_clips CHECKPOINT SHARDS -o OUT --language fr

"Sequence-Level Knowledge Distillation" (Kim and Rush, 2016), Sec. 3.2, where the clips are not
those that the teacher learned from. A language with few sentences has few clips to distil on, but a
teacher answers any clip: what it makes of another language's signing is what a student of it has to
learn. Departs from the paper: one answer, as the teacher's own task looks for it, not a beam's.

A clip whose text is in that language already keeps it, and the teacher is not asked. Glosses stay;
``--no-glosses`` leaves them out, for a student whose glosses are another language's.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from fingerpost.trainer.evaluate import answers_to, load_for_answers
from fingerpost.trainer.shards import Clip, Shards, ShardsAbout, open_shards, write_shards
from fingerpost.trainer.tasks.task import Task

KIND = "text"
BATCH = 32


def answer_clips(
    teacher: Path,
    shards: Shards,
    out: Path,
    language: str,
    glosses: bool = True,
    changes: dict[str, Any] | None = None,
) -> Shards:
    """Writes clips of like length together, so that nothing is padded far; returns what is written.

    teacher : a checkpoint, or a training's folder: then its best one
    language : code of the texts, such as fr; the teacher is asked for them in it
    glosses : whether they, and their spans, are kept
    changes : to the settings of the teacher's task

    A clip of which it says nothing is left out. ValueError where it writes no texts, the folder
    holds shards already, or no clip is left.
    """
    network, task = load_for_answers(teacher, changes or {})
    if task.best.partition(".")[0] != KIND:
        raise ValueError(f"{teacher} writes no texts; give a teacher that translates")
    answered = _answered(network, task, shards, language)
    kept = (clip if glosses else replace(clip, glosses=(), spans=()) for clip in answered)
    about = ShardsAbout(corpus=f"{shards.about.corpus}-{language}", schema=shards.about.schema)
    return write_shards(out, kept, about)


def _answered(network: nn.Module, task: Task, shards: Shards, language: str) -> Iterator[Clip]:
    order = np.argsort(shards.n_frames, kind="stable")
    written = np.array([code == language for code in shards.column("text_language")], bool)
    written &= np.array([bool(text) for text in shards.column("text")], bool)
    yield from (shards[int(i)] for i in order[written[order]])
    asked = order[~written[order]]
    for start in range(0, len(asked), BATCH):
        clips = [shards[int(i)] for i in asked[start : start + BATCH]]
        yield from _said(network, task, clips, language)


def _said(network: nn.Module, task: Task, clips: Sequence[Clip], language: str) -> Iterator[Clip]:
    # A task prepares no clip without a text, and asks for the language of that text.
    questions = [replace(clip, text="?", text_language=language) for clip in clips]
    answers = {one.id: one.said.strip() for one in answers_to(network, task, questions)[KIND]}
    for clip in clips:
        if answers[clip.id]:
            yield replace(clip, text=answers[clip.id], text_language=language)


def main() -> None:
    """The command line: see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("teacher", type=Path, help="a checkpoint, or a training's folder")
    parser.add_argument("shards", type=Path, help="a folder of shards")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the folder to write")
    parser.add_argument("--language", required=True, help="code of the texts, such as fr")
    parser.add_argument("--split", default="", help="the only one that is answered; all by default")
    parser.add_argument("--no-glosses", action="store_true", help="leave glosses and spans out")
    given = parser.parse_args()
    try:
        shards = open_shards(given.shards)
        if given.split:
            shards = shards.in_split(given.split)
        made = answer_clips(
            given.teacher, shards, given.output, given.language, not given.no_glosses
        )
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    print(f"{given.output}: {len(made)} of {len(shards)} clips")


if __name__ == "__main__":
    main()
