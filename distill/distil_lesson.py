"""What a teacher said of the clips of a batch, in the terms of the student that learns from it.

The teacher has frames of its own rate, and the student's clip may be hurried: each of the student's
frames takes what the teacher said of the same moment. Glosses are tokens to the teacher, and
numbers to the student's gloss head.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from fingerpost.distill.distil_recipe import Distil
from fingerpost.distill.losses import best_path
from fingerpost.distill.teacher import ClipReading, QuestionReading
from fingerpost.distill.teacher_cache import padded_few
from fingerpost.distill.top_k import NOTHING, TopK
from fingerpost.trainer.models.gloss_alignment import NO_TOKEN, NONE, NOT_KNOWN, Glosses
from fingerpost.trainer.models.language_model import IGNORED

NO_GLOSS = -1  # what a token stands for that is no gloss of the student's


class Lesson(NamedTuple):
    """Of R questions about B clips; None = not asked for.

    followed : shape (R, L), the tokens that ``few`` and ``decoder`` are of; ``IGNORED`` after a
        row's end. None where they are the student's own labels, and need not be read twice
    few : shape (R, L, k)
    said : shape (R, S), the best answers; ``IGNORED`` after their ends
    encoder : shape (R, N, D), at the moments of the student's own states
    decoder : shape (R, L, D)
    frames : shape (B, T, k), numbers of the student's glosses
    frame_mask : shape (B, T), bool: whether anything is known of a frame
    glosses : rows of the student's numbers; nothing of frames
    row_weights, clip_weights : shapes (R,) and (B,): tokens of a row, and of all about a clip
    """

    followed: Tensor | None
    few: TopK | None
    said: Tensor | None
    encoder: Tensor | None
    decoder: Tensor | None
    frames: TopK | None
    frame_mask: Tensor | None
    glosses: Glosses | None
    row_weights: Tensor
    clip_weights: Tensor


class Lessons:
    """Makes lessons of readings.

    distil : which terms there are
    temperatures : that the readings were made for
    gloss_tokens : shape (G,), the token of each output of the student's gloss head; ``NO_TOKEN``
        for a gloss of several. What shows one of these is not taught, nor are two glosses that
        share a token: ``n_left_out``
    n_tokens : of the tokenizer
    """

    def __init__(
        self,
        distil: Distil,
        temperatures: Sequence[float],
        gloss_tokens: np.ndarray,
        n_tokens: int,
    ) -> None:
        self.distil, self.temperatures = distil, tuple(temperatures)
        tokens, counts = np.unique(gloss_tokens, return_counts=True)
        sound = np.isin(gloss_tokens, tokens[counts == 1]) & (gloss_tokens != NO_TOKEN)
        self.n_glosses = len(gloss_tokens)
        self.n_left_out = int((~sound).sum())
        self.number = torch.full((n_tokens,), NO_GLOSS)  # of the gloss that a token stands for
        self.number[torch.from_numpy(gloss_tokens[sound])] = torch.from_numpy(np.flatnonzero(sound))

    def lesson(
        self,
        readings: Sequence[ClipReading],
        asked: Sequence[tuple[int, str]],
        moments: Sequence[tuple[np.ndarray, np.ndarray]],
        labels: Tensor,
    ) -> Lesson:
        """readings : of the clips of a batch
        asked : of each row of labels the clip's number, and the kind of answer; one that the
            teacher was not asked for teaches nothing
        moments : of each clip, of the student's frames and of its encoder's states
        labels : shape (R, L), the student's own
        """
        distil = self.distil
        rows = [_question(readings[i], kind) for i, kind in asked]
        taught = torch.tensor([len(row.tokens) > 0 for row in rows])
        weights = (labels != IGNORED).sum(dim=1)
        clips = torch.tensor([i for i, _ in asked])
        followed = _padded([row.tokens for row in rows])
        of_states = distil.hidden or distil.relation
        same = torch.equal(followed, labels) or not (distil.token or of_states)
        encoder = [_at(row.encoder, moments[i][1]) for row, i in zip(rows, clips, strict=True)]
        frames, frame_mask = self._frames(readings, [of_frames for of_frames, _ in moments])
        return Lesson(
            followed=None if same else followed,
            few=padded_few([row.few for row in rows]) if distil.token else None,
            said=_padded([_best(row) for row in rows]) if distil.sequence else None,
            encoder=_states(encoder) if of_states else None,
            decoder=_states([row.decoder for row in rows]) if of_states else None,
            frames=frames,
            frame_mask=frame_mask,
            glosses=self._glosses(readings) if distil.ctc else None,
            row_weights=weights * taught,
            clip_weights=torch.zeros(len(readings), dtype=torch.long).index_add(0, clips, weights),
        )

    def _frames(
        self, readings: Sequence[ClipReading], moments: Sequence[np.ndarray]
    ) -> tuple[TopK | None, Tensor | None]:
        """(B, T, k) and (B, T)."""
        if not self.distil.frames:
            return None, None
        rows, masks = [], []
        for reading, at in zip(readings, moments, strict=True):
            few = reading.frames
            if few is None:
                raise ValueError("the cache has no glosses of frames: set teacher.frames")
            here = torch.from_numpy((at * len(few.ids)).astype(int))
            row, known = self._as_glosses(TopK(*(part[here] for part in few)))
            rows.append(row)
            masks.append(known)
        return padded_few(rows), pad_sequence(masks, batch_first=True)

    def _as_glosses(self, few: TopK) -> tuple[TopK, Tensor]:
        """Tokens (T, k) as the student's glosses, and in which frames, (T,), there is any.

        A token that is no gloss of the student's is "another"; the place that it leaves has a share
        of nothing.
        """
        numbers = self.number[few.ids]
        known = numbers != NO_GLOSS
        lost = few.log_probs.masked_fill(known, NOTHING)
        rests = [
            torch.logaddexp(few.rests[:, i], (lost / t).logsumexp(dim=-1))
            for i, t in enumerate(self.temperatures)
        ]
        rest = torch.stack(rests, dim=-1)
        # of a student that has no other glosses, nothing of it can be asked
        rest = rest.masked_fill((known.sum(dim=1) == self.n_glosses)[:, None], NOTHING)
        first = numbers.gather(1, known.int().argmax(dim=1, keepdim=True))  # a gloss that is there
        return (
            TopK(
                torch.where(known, numbers, first).clamp(min=0),
                few.log_probs.masked_fill(~known, NOTHING),
                rest,
            ),
            known.any(dim=1),
        )

    def _glosses(self, readings: Sequence[ClipReading]) -> Glosses:
        """The rows of glosses that the teacher's frames show; one with a strange token is empty."""
        rows = []
        for reading in readings:
            if reading.frames is None:
                raise ValueError("the cache has no glosses of frames: set teacher.frames")
            few = TopK(*(part[None] for part in reading.frames))
            (shown,) = best_path(few, torch.ones(few.ids.shape[:2]), NONE)
            row = self.number[shown]
            rows.append(row[:0] if (row == NO_GLOSS).any() else row)
        tokens = pad_sequence(rows, batch_first=True, padding_value=NO_TOKEN)
        return Glosses(tokens, torch.full((len(rows), 1), NOT_KNOWN))


def _question(reading: ClipReading, kind: str) -> QuestionReading:
    """The reading of a question; without tokens and states where it was not asked."""
    for question in reading.questions:
        if question.kind == kind:
            return question
    other = reading.questions[0]
    return QuestionReading(
        kind,
        other.tokens[:0],
        TopK(*(part[:0] for part in other.few)),
        (),
        None if other.encoder is None else other.encoder[:0],
        None if other.decoder is None else other.decoder[:0],
    )


def _best(question: QuestionReading) -> Tensor:
    return question.said[0].tokens if question.said else question.tokens[:0]


def _at(states: Tensor | None, moments: np.ndarray) -> Tensor | None:
    """Of states (T, D) those of so many moments, shares of the clip's length."""
    if states is None or len(states) == 0:
        return states
    return states[torch.from_numpy((moments * len(states)).astype(int))]


def _padded(rows: Sequence[Tensor]) -> Tensor:
    return pad_sequence(list(rows), batch_first=True, padding_value=IGNORED)


def _states(rows: Sequence[Tensor | None]) -> Tensor | None:
    """(R, N, D), 0 after each row's end; None where they were not kept."""
    there = [row for row in rows if row is not None]
    return pad_sequence(there, batch_first=True) if there else None
