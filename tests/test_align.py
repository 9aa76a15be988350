"""Whole subtitle tracks: every cue is kept, in order; a model's answers; ``fingerpost align``."""

import itertools

import numpy as np
import pytest

from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence
from fingerpost.edge_runtime.timed_text import Cue
from fingerpost.trainer.subtitles.aligner import align_subtitles, between_neighbours
from fingerpost.trainer.subtitles.scores import score_alignments
from fingerpost.trainer.subtitles.windows import Window

SENTENCES = 40
EVENING = "good evening to you all and to all who are not here tonight "


def signed(n: int = SENTENCES, seed: int = 0) -> tuple[PoseSequence, list[Cue]]:
    """A hand that goes up and moves for a second to four, and rests; and what it says."""
    rng = np.random.default_rng(seed)
    cues, now = [], 3000
    for _ in range(n):
        took = int(rng.integers(1000, 4000))
        cues.append(Cue(now, now + took, EVENING[: took // 70]))
        now += took + int(rng.integers(900, 6000))
    times = np.arange(0, now, 40)
    up = np.zeros(len(times), bool)
    for cue in cues:
        up |= (times >= cue.start_ms) & (times < cue.end_ms)
    xyz = np.zeros((len(times), 69, 3), np.float32)
    for side, place in (("left", 0.7), ("right", 0.3)):
        xyz[:, SIGN69.index(f"{side}_shoulder"), :2] = place, 0.4
    where = np.stack([0.4 + 0.1 * np.sin(times / 140), np.where(up, 0.5, 0.98)], axis=1)
    xyz[:, SIGN69.groups["right_hand"], :2] = where[:, None] + rng.normal(0, 0.02, (21, 2))
    return PoseSequence(xyz, (xyz != 0).any(-1).astype(np.float32), 25.0, SIGN69), cues


def late(cues: list[Cue], by_ms: int = -2500, jitter_ms: float = 400.0) -> list[Cue]:
    rng = np.random.default_rng(1)
    moves = (by_ms + rng.normal(0, jitter_ms, len(cues))).astype(int).tolist()
    return [
        Cue(max(c.start_ms + move, 0), max(c.end_ms + move, 1), c.text)
        for c, move in zip(cues, moves, strict=True)
    ]


def spans_of(placements):
    return [placement.span for placement in placements]


def times_of(cues):
    return [(cue.start_ms, cue.end_ms) for cue in cues]


def in_order_and_apart(spans):
    return all(x[1] <= y[0] for x, y in itertools.pairwise(spans))


def test_shifted_subtitles_come_back():
    sequence, cues = signed()
    given = late(cues)
    spans = spans_of(align_subtitles(given, sequence))
    assert score_alignments([(times_of(cues), times_of(given))]).f1[0.50] < 30
    assert score_alignments([(times_of(cues), spans)]).f1[0.50] > 95
    assert in_order_and_apart(spans)


def test_the_order_of_the_file_does_not_matter():
    sequence, cues = signed()
    given = late(cues)
    there = align_subtitles(given, sequence)
    assert align_subtitles(given[::-1], sequence) == there[::-1]


def test_what_says_nothing_is_put_between_its_neighbours():
    sequence, cues = signed()
    given = late(cues)
    gap = given[10].end_ms, given[11].start_ms
    given.insert(11, Cue(gap[0], gap[1], "[music]"))
    placed = align_subtitles(given, sequence)
    assert placed[11].how == "guessed"
    assert [p.how for p in placed].count("found") == SENTENCES
    spans = spans_of(placed)
    assert in_order_and_apart(spans)
    wanted = (gap[0] + 2500, gap[1] + 2500)
    assert max(abs(a - b) for a, b in zip(spans[11], wanted, strict=True)) < 1500


def test_no_cue_is_lost_where_nobody_signs():
    sequence, cues = signed(3)
    sequence.xyz[:] = sequence.xyz[:1]
    placed = align_subtitles(cues, sequence)
    assert spans_of(placed) == times_of(cues)
    assert {p.how for p in placed} == {"guessed"}
    assert align_subtitles([], sequence) == []


def test_cues_without_room_are_unplaceable_and_all_others_stay():
    spans = [(0, 1000), None, None, (1300, 2000), None]
    wanted = [(0, 0), (900, 1500), (1500, 1700), (0, 0), (1000, 1900)]
    assert between_neighbours(spans, wanted) == [
        *((0, 1000), (1000, 1300), None, (1300, 2000), (2000, 2900))
    ]


def test_guessed_cues_share_what_room_there_is():
    spans = [None, None, (1000, 1100)]
    wanted = [(-700, 100), (300, 1700), (0, 0)]
    first, second, _ = between_neighbours(spans, wanted)
    # 200 ms each; of the 600 + 1200 that they want beside, 600 are there: a third
    assert (first, second) == ((0, 400), (400, 1000))
    assert between_neighbours([None, None], [(50, 90), (60, 400)]) == [(50, 90), (90, 430)]


class Told:
    """A model that knows the truth of some texts, and is wrong or silent about others."""

    view = SIGN69

    def __init__(self, cues: list[Cue], silent=(), wrong=()) -> None:
        self.truth = {f"{n} {cue.text}".strip(): cue for n, cue in enumerate(cues)}
        self.silent, self.wrong = silent, wrong
        self.windows: list[Window] = []

    def spans(self, sequence, asked):
        answers = []
        for window, text in asked:
            self.windows.append(window)
            number, cue = int(text.split()[0]), self.truth[text]
            if number in self.silent:
                answers.append(None)
            elif number in self.wrong:
                answers.append((0, window.n_frames))
            else:
                answers.append(window.frames_of(cue.start_ms, cue.end_ms))
        return answers


def numbered(cues):
    return [cue._replace(text=f"{n} {cue.text}") for n, cue in enumerate(cues)]


def test_a_models_answers_are_taken_and_what_it_does_not_say_is_found_by_motion():
    sequence, cues = signed()
    reader = Told(cues, silent={5, 6}, wrong={20})
    told = []
    placed = align_subtitles(numbered(late(cues)), sequence, reader, tell=lambda *n: told.append(n))
    spans = spans_of(placed)
    right = [n for n in range(SENTENCES) if n not in (5, 6, 19, 20, 21)]
    for n in right:
        assert spans[n] == pytest.approx(times_of(cues)[n], abs=40)
    assert in_order_and_apart([span for span in spans if span is not None])
    assert all(span is not None for span in spans)
    assert told[-1] == (SENTENCES, SENTENCES)
    assert all(window.n_frames == 500 for window in reader.windows)
