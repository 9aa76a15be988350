"""What a teacher says of each clip, kept beside the shards: no epoch runs the teacher twice.

    cache = make_teacher_cache(folder, teacher, clips, TeacherSettings())
    cache.answers("clip_7", "text")  # its best texts, as tokens, with scores
    targets = cache.targets([("clip_7", "text"), ("clip_8", "text")])
    token_loss(logits, targets.few, targets.mask, 2.0, cache.settings.temperatures)

    teacher.json           of which teacher, clips and settings; it makes the folder valid, so it
                           is written last
    part-00000.arrow       Arrow streams: a clip a row

A cache of other weights, clips or settings is refused. Clips are read in batches whose make-up
depends on nothing but the clips, so a cache that was stopped and gone on with is the same as one
that was not.
"""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from fingerpost.distill.teacher import (
    ClipReading,
    QuestionReading,
    Said,
    Teacher,
    TeacherSettings,
    check_settings,
)
from fingerpost.distill.teacher_rows import ROW, reading_of, table_of
from fingerpost.distill.top_k import TopK
from fingerpost.trainer.clip_rows import ClipRows, read_rows
from fingerpost.trainer.feed import Clips, PreparedClips, plain_batches
from fingerpost.trainer.models.language_model import IGNORED
from fingerpost.trainer.recipe import convert

FORMAT_VERSION = 1
ABOUT = "teacher.json"
METADATA = b"fingerpost"  # of a part's Arrow schema: what teacher.json will say
PARTS = "part-*.arrow"
PART_CLIPS = 64  # at least; what is lost when it is killed
MAKE_IT = "make it with `fingerpost distill --cache-only`"


class Targets(NamedTuple):
    """What a student answers, and the teacher's probabilities of it: R rows of at most L tokens.

    tokens : shape (R, L), int64, ``IGNORED`` where there is none
    few : shape (R, L, k)
    mask : shape (R, L), bool: where there are tokens
    """

    tokens: Tensor
    few: TopK
    mask: Tensor


class TeacherCache(ClipRows):
    """Readings by the ids of clips, mapped; cheap to fork and to pickle."""

    def __init__(self, folder: Path, made: dict[str, Any]) -> None:
        super().__init__(folder, [_read(path)[0] for path in sorted(folder.glob(PARTS))])
        self.made = made
        self.settings = convert(made["settings"], TeacherSettings, str(folder / ABOUT))

    def __reduce__(self) -> tuple:
        return TeacherCache, (self.folder, self.made)  # a worker process maps the files itself

    def summary(self) -> dict[str, Any]:
        """Where it is, how many clips and questions, and bytes on disk."""
        n_questions = sum(len(batch.column("kinds").flatten()) for batch in self._batches)
        size = sum(path.stat().st_size for path in self.folder.iterdir())
        figures = {"clips": len(self), "questions": n_questions, "bytes": size}
        return {"cache": str(self.folder), **figures, "teacher": self.made["teacher"]}

    def reading(self, clip_id: str) -> ClipReading:
        """All of a clip. ValueError for one that is not in here."""
        if clip_id not in self._places:
            raise ValueError(f"{self.folder} has no clip {clip_id!r}; make it of the same shards")
        b, row = self._places[clip_id]
        return reading_of(self._batches[b], row, self.settings)

    def kinds(self) -> set[str]:
        """What the teacher was asked for."""
        kinds = [batch.column("kinds").flatten().unique() for batch in self._batches]
        return {kind for of_batch in kinds for kind in of_batch.to_pylist()}

    def first(self) -> ClipReading:
        """Of any clip, for what is the same of all."""
        return self.reading(self.ids[0])

    def answers(self, clip_id: str, kind: str) -> tuple[Said, ...]:
        """The teacher's answers to a question, the best first."""
        return self._question(clip_id, kind).said

    def targets(self, rows: Sequence[tuple[str, str]]) -> Targets:
        """Of each row, a clip's id and a kind of answer."""
        found = [self._question(*row) for row in rows]
        tokens = pad_sequence([q.tokens for q in found], batch_first=True, padding_value=IGNORED)
        return Targets(tokens, padded_few([q.few for q in found]), tokens != IGNORED)

    def frames(self, clip_ids: Sequence[str], n_frames: Sequence[int]) -> tuple[TopK, Tensor]:
        """Glosses of frames, (B, T, k), and which of the T frames are a clip's, (B, T), bool.

        n_frames : that each clip has at the student; each of them takes the teacher's frame of the
            same moment, whatever frame rate that has
        """
        rows = []
        for clip_id, n in zip(clip_ids, n_frames, strict=True):
            frames = self.reading(clip_id).frames
            if frames is None:
                raise ValueError(f"{self.folder} has no glosses of frames: set teacher.frames")
            at = _same_moment(len(frames.ids), n)
            rows.append(TopK(*(part[at] for part in frames)))
        few = padded_few(rows)
        longest = torch.arange(few.ids.shape[1])
        return few, longest < torch.tensor(list(n_frames))[:, None]

    def states(
        self, rows: Sequence[tuple[str, str]], which: str, n_frames: Sequence[int] | None = None
    ) -> Tensor:
        """States (R, N, D), 0 after each row's end: of frames (encoder) or of tokens (decoder).

        n_frames : of encoder: that each row has at the student; None = as the teacher has them
        """
        found = [getattr(self._question(*row), which) for row in rows]
        if any(states is None for states in found):
            raise ValueError(f"{self.folder} has no states of the {which}: set teacher.states")
        if n_frames is not None:
            pairs = zip(found, n_frames, strict=True)
            found = [states[_same_moment(len(states), n)] for states, n in pairs]
        return pad_sequence(found, batch_first=True)

    def _question(self, clip_id: str, kind: str) -> QuestionReading:
        questions = self.reading(clip_id).questions
        for question in questions:
            if question.kind == kind:
                return question
        known = ", ".join(question.kind for question in questions)
        raise ValueError(f"{self.folder}: clip {clip_id!r} was not asked for {kind}; but {known}")


def key_of(teacher_hash: str, clips: Clips, settings: TeacherSettings) -> dict[str, Any]:
    """What a cache is of: where any of it differs, it is another cache.

    teacher_hash : of ``hash_of_teacher``
    """
    return {
        "format_version": FORMAT_VERSION,
        "teacher": teacher_hash,
        "clips": sorted(shards.about.content_hash for shards in clips.shards),
        "settings": json.loads(msgspec.json.encode(settings)),  # with lists, as it is read back
    }


def open_teacher_cache(folder: Path, key: dict[str, Any] | None = None) -> TeacherCache:
    """Maps a cache. ValueError or OSError, in one line, where it is none or not the one wanted.

    key : of ``key_of``, or a part of it; None = whatever it is of
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}; {MAKE_IT}")
    if not (folder / ABOUT).is_file():
        raise ValueError(f"{folder} holds no teacher's answers, or is not complete: {MAKE_IT}")
    try:
        made = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        n_clips, _ = made.pop("n_clips"), made["settings"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{folder / ABOUT} is damaged: {MAKE_IT}") from error
    _check_same(folder, made, made if key is None else key)
    cache = TeacherCache(folder, made)
    if len(cache) != n_clips:
        raise ValueError(f"{folder} holds {len(cache)} clips, {n_clips} were made; copy it again")
    return cache


def make_teacher_cache(
    folder: Path,
    teacher: Teacher,
    clips: Clips,
    settings: TeacherSettings,
    tell: Callable[[int], None] = lambda n: None,
) -> TeacherCache:
    """Asks the teacher about each clip, once. Goes on where it was stopped.

    tell : is called with how many clips are done, at first with those of an earlier run

    ValueError where two clips have one id, the folder was begun with something else, or a clip has
    nothing to ask for.
    """
    check_settings(settings)
    ids = clips.column("id")
    if len(set(ids)) < len(ids):
        raise ValueError("two clips have one id; give folders of shards that share none")
    key = key_of(teacher.hash, clips, settings)
    done = _begin(folder, key)
    tell(n_done := len(done))
    left = [i for i, name in enumerate(ids) if name not in done]
    if not left and (folder / ABOUT).is_file():
        return open_teacher_cache(folder, key)
    (folder / ABOUT).unlink(missing_ok=True)  # of another split of these clips, as a rule
    readings: list[ClipReading] = []
    prepared = PreparedClips(clips, teacher.task, cache=False)
    for batch in plain_batches(prepared, left, settings.batch):
        readings += teacher.read(batch, settings)
        tell(n_done := n_done + len(batch.clips))
        if len(readings) >= PART_CLIPS:
            _write(folder, readings, key)
            readings = []
    if readings:
        _write(folder, readings, key)
    partial = folder / f"{ABOUT}.{os.getpid()}.partial"
    partial.write_text(json.dumps(key | {"n_clips": n_done}, indent=2) + "\n", encoding="utf-8")
    partial.replace(folder / ABOUT)
    return open_teacher_cache(folder, key)


def _check_same(folder: Path, made: dict[str, Any], wanted: dict[str, Any]) -> None:
    what = {"teacher": "another teacher", "clips": "other clips", "settings": "other settings"}
    for name, value in wanted.items():
        if made.get(name) != value:
            of = what.get(name, "another version of Fingerpost")
            raise ValueError(f"{folder} is of {of}: delete it, or give another folder")


def _begin(folder: Path, key: dict[str, Any]) -> set[str]:
    """The ids of the clips that the folder holds already."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.partial"):  # of one that was killed
        path.unlink()
    done: set[str] = set()
    for path in folder.glob(PARTS):
        table, made = _read(path)
        _check_same(folder, made, key)
        done |= set(table.column("id").to_pylist())
    return done


def _write(folder: Path, readings: list[ClipReading], key: dict[str, Any]) -> None:
    """A part, whole or not at all."""
    path = folder / f"part-{len(list(folder.glob(PARTS))):05d}.arrow"
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    table = table_of(readings, {METADATA: json.dumps(key).encode()})
    with pa.OSFile(str(partial), "wb") as file, pa.ipc.new_stream(file, table.schema) as out:
        out.write_batch(table)
    partial.replace(path)


def _read(path: Path) -> tuple[pa.RecordBatch, dict[str, Any]]:
    """The rows of a part, mapped, and what it is of."""
    try:
        batch = read_rows(path)
        made = json.loads((batch.schema.metadata or {})[METADATA])
    except (pa.ArrowException, OSError, StopIteration, ValueError, KeyError) as error:
        raise ValueError(f"{path} is damaged: delete it, and {MAKE_IT} again") from error
    if not batch.schema.equals(ROW):
        raise ValueError(f"{path} is no part of a teacher's answers")
    return batch, made


def padded_few(rows: Sequence[TopK]) -> TopK:
    """Rows of different lengths as one; what fills up means nothing."""
    return TopK(*(pad_sequence([row[i] for row in rows], batch_first=True) for i in range(3)))


def _same_moment(n_there: int, n_here: int) -> np.ndarray:
    """For each of the frames here, (n_here,), the frame there whose time is the same."""
    return ((np.arange(n_here) + 0.5) * n_there / n_here).astype(int)
