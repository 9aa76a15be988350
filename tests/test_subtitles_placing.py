"""Subtitles to signs without a network: offsets, the best runs by trying all, whole videos."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from fingerpost.edge_runtime.keypoints import MEDIAPIPE_HOLISTIC, SIGN69, PoseSequence, to_view
from fingerpost.trainer.segmentation.spans import Span
from fingerpost.trainer.segmentation.stretches import signing_stretches
from fingerpost.trainer.subtitles import activity
from fingerpost.trainer.subtitles.offsets import slow_offsets
from fingerpost.trainer.subtitles.placing import place_subtitles
from fingerpost.trainer.subtitles.runs import (
    Expected,
    PlacingSettings,
    Signs,
    best_runs,
    likely_runs,
)
from fingerpost.trainer.subtitles.scores import score_alignments


def talk(n: int, seed: int = 0) -> tuple[list[list[Span]], list[tuple[int, int]], list[str]]:
    """Sentences of 2 to 8 signs with rests between them: stretches, true times, texts."""
    rng = np.random.default_rng(seed)
    stretches, times, texts, now = [], [], [], 4000
    for _ in range(n):
        n_signs = int(rng.integers(2, 9))
        cuts = now + np.concatenate([[0], np.cumsum(rng.integers(350, 900, n_signs))])
        stretches.append([Span(int(a), int(b)) for a, b in itertools.pairwise(cuts)])
        times.append((int(cuts[0]), int(cuts[-1])))
        texts.append("signs " * n_signs)
        now = int(cuts[-1]) + int(rng.integers(600, 5000))
    return stretches, times, texts


def shifted(times, by, jitter_ms=0, seed=1):
    """Moved by a number of ms, or a function of the time, and by chance; never before 0."""
    rng = np.random.default_rng(seed)
    moved = []
    for start, end in times:
        move = (by(start) if callable(by) else by) + rng.normal(0, jitter_ms)
        moved.append((max(round(start + move), 0), max(round(end + move), 1)))
    return moved


@pytest.mark.parametrize("by", [0, 4000, -6500, 21_000])
def test_a_constant_offset_is_found(by):
    _, times, _ = talk(120)
    found = slow_offsets(shifted(times, by), times, 30_000)
    assert np.abs(found + by)[5:-5].max() <= 400


def test_a_drift_is_followed():
    _, times, _ = talk(300)

    def by(ms):
        return -3000 - ms / 400  # half a minute in a little more than three hours

    found = slow_offsets(shifted(times, by, 400), times, 30_000)
    wanted = -np.array([by(start) for start, _ in times])
    assert np.abs(found - wanted).mean() < 500


def test_without_signing_or_subtitles_nothing_is_moved():
    assert slow_offsets([], [(0, 5)], 1000).tolist() == []
    assert slow_offsets([(0, 5)], [], 1000).tolist() == [0]
    assert place_subtitles([(0, 500)], ["so"], [])[0] == [None]
    assert place_subtitles([], [], talk(3)[0])[0] == []
    with pytest.raises(ValueError, match="texts of 1 subtitles, got 2"):
        place_subtitles([(0, 500)], ["so", "no"], [])


def cost_of(signs, runs, expected, settings):
    """What giving these runs costs, added up one by one."""
    cost, at = 0.0, 0
    for i, run in enumerate(runs):
        if run is None:
            cost += settings.skipped
            continue
        first, end = run
        for k in range(at, first):
            cost += settings.left_over * (signs.end[k] - signs.start[k]) / 1000
        start_ms, end_ms = signs.start[first], signs.end[end - 1]
        if end_ms - start_ms > 4 * expected.length_ms[i] + 2000:
            return np.inf
        anchor = start_ms + expected.anchor * (end_ms - start_ms)
        cost += abs(anchor - expected.anchor_ms[i]) / expected.position_ms
        cost += abs(np.log((end_ms - start_ms) / expected.length_ms[i])) / expected.length
        for k in range(first + 1, end):
            cost += settings.rest * signs.rest[k] / 1000
        cost += settings.within * (signs.rest[first] == 0)
        cost += settings.within * (end < len(signs.start) and signs.rest[end] == 0)
        at = end
    for k in range(at, len(signs.start)):
        cost += settings.left_over * (signs.end[k] - signs.start[k]) / 1000
    return cost


@pytest.mark.parametrize("seed", range(6))
def test_the_cheapest_runs_are_found(seed):
    rng = np.random.default_rng(seed)
    stretches = talk(2, seed)[0]
    signs = Signs.of([stretch[:4] for stretch in stretches])
    k = len(signs.start)
    anchors = np.sort(rng.uniform(4000, float(signs.end[-1]), 3))
    anchor = float(rng.choice([0.0, 0.5, 1.0]))
    expected = Expected(anchor, anchors, rng.uniform(500, 3000, 3), 1500.0, 0.4)
    settings = PlacingSettings(skipped=float(rng.uniform(1, 9)))
    options = [None, *((a, b) for a in range(k) for b in range(a + 1, k + 1))]
    least = np.inf
    for runs in itertools.product(options, repeat=3):
        given = [run for run in runs if run is not None]
        if all(x[1] <= y[0] for x, y in itertools.pairwise(given)):
            least = min(least, cost_of(signs, runs, expected, settings))
    found, cost = best_runs(signs, expected, settings)
    assert cost == pytest.approx(least)
    assert cost_of(signs, found, expected, settings) == pytest.approx(least)


def test_shifted_subtitles_come_back_to_their_signs():
    stretches, times, texts = talk(150)
    given = shifted(times, -5000, 700)
    placed, offsets = place_subtitles(given, texts, stretches)
    assert score_alignments([(times, placed)]).f1[0.50] > 97
    assert np.abs(offsets - 5000).mean() < 600
    kept = [span for span in placed if span is not None]
    assert all(x[1] <= y[0] for x, y in itertools.pairwise(kept))


def test_how_hurried_a_signer_is_and_which_end_is_sure_are_learned():
    """The second half is signed twice as slowly; starts are exact, ends are not."""
    stretches, times, texts = talk(160)
    half = times[80][0]

    def slower(ms):
        return ms if ms < half else half + 2 * (ms - half)

    stretches = [
        [Span(slower(sign.start_ms), slower(sign.end_ms)) for sign in stretch]
        for stretch in stretches
    ]
    joined = [[*a, *b] for a, b in zip(stretches[::2], stretches[1::2], strict=True)]
    true = [(slower(start), slower(end)) for start, end in times]
    rng = np.random.default_rng(3)
    shown = [
        (max(start - 3000, 0), start - 3000 + int(rng.integers(3100, 7000))) for start, _ in true
    ]
    placed, offsets = place_subtitles(shown, texts, joined)
    assert score_alignments([(true, placed)]).f1[0.50] > 95
    assert np.abs(offsets - 3000)[5:-5].max() < 500


def test_signing_without_subtitles_is_left_over_and_the_other_way_round():
    stretches, times, texts = talk(150)
    quiet = {20, 21, 22, 90}  # of these no subtitle tells
    told = [i for i in range(150) if i not in quiet]
    given = shifted([times[i] for i in told], -3000, 300)
    placed, _ = place_subtitles(given, [texts[i] for i in told], stretches)
    assert score_alignments([([times[i] for i in told], placed)]).f1[0.50] > 95
    signed = [stretch for i, stretch in enumerate(stretches) if i not in quiet]
    placed, _ = place_subtitles(shifted(times, -3000, 300), texts, signed)
    assert sum(placed[i] is None for i in quiet) >= 3
    assert sum(span is None for span in placed) <= 6


def test_sentences_without_a_rest_between_them_are_cut_by_their_length():
    stretches, _, _ = talk(60)
    joined, times, texts, now = [], [], [], 2000
    for stretch in stretches:
        move = now - stretch[0].start_ms
        signs = [replace(s, start_ms=s.start_ms + move, end_ms=s.end_ms + move) for s in stretch]
        joined += signs
        times.append((signs[0].start_ms, signs[-1].end_ms))
        texts.append("signs " * len(signs))
        now = signs[-1].end_ms
    placed, _ = place_subtitles(shifted(times, 0, 300), texts, [joined])
    assert score_alignments([(times, placed)]).f1[0.50] > 85


def moving(seconds: float) -> PoseSequence:
    """The right hand goes up and moves for two seconds of every five."""
    n = round(seconds * 25)
    rng = np.random.default_rng(0)
    xyz = np.zeros((n, 69, 3), np.float32)
    for side, place in (("left", 0.7), ("right", 0.3)):
        xyz[:, SIGN69.index(f"{side}_shoulder"), :2] = place, 0.4
    shape = rng.normal(0, 0.02, (21, 2))
    times = np.arange(n) / 25
    up = times % 5 < 2
    where = np.stack([0.4 + 0.1 * np.sin(times * 7), np.where(up, 0.5, 0.98)], axis=1)
    xyz[:, SIGN69.groups["right_hand"], :2] = where[:, None] + shape
    return PoseSequence(xyz, (xyz != 0).any(-1).astype(np.float32), 25.0, SIGN69)


def test_a_long_video_is_cut_in_pieces_as_in_one(monkeypatch):
    sequence = moving(120)
    whole = activity.signing(sequence)
    monkeypatch.setattr(activity, "PIECE_S", 17)
    assert activity.signing(sequence) == whole
    assert [(s[0].start_ms, s[-1].end_ms) for s in whole] == signing_stretches(sequence)
    assert len(whole) == 24
    assert max(map(len, whole)) > 1


def test_a_landmarkers_keypoints_are_made_a_view():
    sequence = moving(1)
    assert activity.small_view(sequence) is sequence
    shape = (25, len(MEDIAPIPE_HOLISTIC))
    full = PoseSequence(np.zeros((*shape, 3)), np.zeros(shape), 25.0, MEDIAPIPE_HOLISTIC)
    assert activity.small_view(full).schema == to_view(full, SIGN69).schema


@pytest.mark.parametrize("seed", range(3))
def test_likely_runs_are_those_that_cost_least_by_themselves(seed):
    rng = np.random.default_rng(seed)
    signs = Signs.of([stretch[:4] for stretch in talk(2, seed)[0]])
    k = len(signs.start)
    expected = Expected(
        0.5, rng.uniform(4000, float(signs.end[-1]), 2), np.full(2, 900.0), 900, 0.3
    )
    settings = PlacingSettings(left_over=0.0, skipped=0.0)
    for n, likely in enumerate(likely_runs(signs, expected, settings, 5)):

        def alone(run, n=n):
            return cost_of(signs, [None] * n + [run], expected, settings)

        every = [(a, b) for a in range(k) for b in range(a + 1, k + 1)]
        assert [alone(run) for run in likely] == pytest.approx(sorted(map(alone, every))[:5])


def test_only_runs_that_were_heard_can_be_had_and_cost_more():
    signs = Signs.of([[Span(0, 500), Span(500, 1000), Span(1000, 1500)]])
    expected = Expected(0.5, np.array([750.0]), np.array([1500.0]), 500.0, 0.4)
    settings = PlacingSettings()
    whole, one = {(0, 3): 0.0}, {(1, 2): 0.0}
    assert best_runs(signs, expected, settings)[0] == [(0, 3)]
    runs, cost = best_runs(signs, expected, settings, [one])
    assert runs == [(1, 2)]
    assert cost == pytest.approx(cost_of(signs, runs, expected, settings))
    assert best_runs(signs, expected, settings, [{**one, (0, 3): 50.0}])[0] == [(1, 2)]
    assert best_runs(signs, expected, settings, [{(0, 3): 2.0}])[1] == pytest.approx(
        best_runs(signs, expected, settings, [whole])[1] + 2
    )
    assert best_runs(signs, expected, settings, [{}])[0] == [None]


def test_a_model_that_reads_signing_tells_sentences_apart_that_motion_cannot():
    """Four sentences without a rest between them, subtitles off by seconds and of any length."""
    rng = np.random.default_rng(4)
    now, stretches, times = 2000, [], []
    for number in range(80):
        cuts = now + np.concatenate([[0], np.cumsum(rng.integers(350, 900, rng.integers(2, 9)))])
        signs = [Span(int(a), int(b)) for a, b in itertools.pairwise(cuts)]
        stretches[number // 4 :] = [[*(stretches[number // 4 :] or [[]])[0], *signs]]
        times.append((int(cuts[0]), int(cuts[-1])))
        now = int(cuts[-1]) + (2500 if number % 4 == 3 else 0)
    texts = ["the same"] * 80
    starts = [start for start, _ in shifted(times, -2000, 800)]
    given = [(start, start + int(rng.integers(1000, 4000))) for start in starts]

    def listen(heard):
        """The likelier, the more of it is shared."""
        true = np.array([times[n] for n, _ in heard])
        said = np.array([span for _, span in heard])
        shared = np.minimum(true, said)[:, 1] - np.maximum(true, said)[:, 0]
        whole = np.maximum(true, said)[:, 1] - np.minimum(true, said)[:, 0]
        return 12 * shared / whole

    near = PlacingSettings(reach_ms=4000, heard=1.0)
    by_motion, _ = place_subtitles(given, texts, stretches, near)
    heard, _ = place_subtitles(given, texts, stretches, near, listen)
    of_motion, of_both = (score_alignments([(times, s)]).f1[0.50] for s in (by_motion, heard))
    assert of_motion < 70
    assert of_both > 95
