"""The confidence of a subtitle's moments, and overlaps that are taken away."""

import itertools

import numpy as np
import pytest

from fingerpost.trainer.subtitles.confidence import confidence_curve
from fingerpost.trainer.subtitles.warping import (
    SHORTEST_FRAMES,
    UNPLACED,
    best_stretches,
    without_overlaps,
)


def test_the_curve_has_a_plateau_and_falls_to_zero_as_a_cosine():
    moments = np.array([-1.0, 0.0, 2.0, 4.0, 5.0, 6.0, 8.0, 9.0, 10.0, 11.0])
    curve = confidence_curve(moments, 0, 10, plateau=0.2)
    # the plateau is 4 to 6; 2 and 8 are half-way down
    assert curve == pytest.approx(
        [0, 0, 0.5, 1, 1, 1, 0.5, (1 + np.cos(np.pi * 0.75)) / 2, 0, 0], abs=1e-12
    )


def test_plateaus_of_nothing_and_of_all():
    assert confidence_curve(np.array([5.0, 2.5]), 0, 10, 0.0) == pytest.approx([1, 0.5])
    assert confidence_curve(np.array([0.0, 9.9, 10.1]), 0, 10, 1.0).tolist() == [1, 1, 0]
    with pytest.raises(ValueError, match="has no length"):
        confidence_curve(np.zeros(1), 3, 3)
    with pytest.raises(ValueError, match="from 0 to 1, got 2"):
        confidence_curve(np.zeros(1), 0, 1, 2.0)


def test_what_does_not_overlap_stays_to_the_millisecond():
    spans = [(13, 999), None, (999, 1507), (2001, 2007)]
    assert without_overlaps(spans) == spans
    assert without_overlaps([]) == []


def test_the_shorter_subtitle_keeps_more_of_itself():
    """10 s and 2 s overlap by 1 s; an equal split would leave the short one 75 %."""
    long, short = without_overlaps([(0, 10_000), (9000, 11_000)])
    assert long is not None and short is not None
    assert long[0] == 0 and short[1] == 11_000
    assert long[1] == short[0]
    assert 9000 < short[0] < 9500
    # and where it comes first, the mirror image
    first, second = without_overlaps([(0, 2000), (1000, 11_000)])
    assert first == (0, 11_000 - short[0]) and second == (11_000 - short[0], 11_000)


def test_equal_ones_share_evenly():
    assert without_overlaps([(0, 4000), (2000, 6000)]) == [(0, 3000), (3000, 6000)]


def test_a_subtitle_within_another_leaves_it_its_better_side():
    outer, inner = without_overlaps([(0, 10_000), (7000, 8000)])
    assert inner is not None and outer is not None
    assert outer[1] == inner[0] <= 7500
    assert inner[1] == 8000


def test_wrong_order_costs_the_place_of_one():
    assert without_overlaps([(5000, 6000), (1000, 4000)]) == [None, (1000, 4000)]
    assert without_overlaps([(5000, 9000), (1000, 2000), (9500, 9900)]) == [
        *((5000, 9000), None, (9500, 9900))
    ]


def test_too_many_in_too_little_time_are_not_all_placed():
    placed = without_overlaps([(0, 400)] * 5)
    kept = [span for span in placed if span is not None]
    assert len(kept) == 2
    assert kept[0][1] <= kept[1][0]


def best_by_trying(curves):
    """All ways of giving stretches, one after the other."""

    def options(start, curve):
        n = len(curve)
        shortest = min(SHORTEST_FRAMES, n)
        yield None, -UNPLACED
        for a in range(n - shortest + 1):
            for b in range(a + shortest, n + 1):
                yield (start + a, start + b), float(curve[a:b].sum())

    best = -np.inf
    for way in itertools.product(*(list(options(*curve)) for curve in curves)):
        ends = [stretch for stretch, _ in way if stretch is not None]
        if all(x[1] <= y[0] for x, y in itertools.pairwise(ends)):
            best = max(best, sum(worth for _, worth in way))
    return best


@pytest.mark.parametrize("seed", range(12))
def test_the_best_way_is_found(seed):
    rng = np.random.default_rng(seed)
    curves = [
        (int(rng.integers(0, 9)), rng.uniform(0, 1, int(rng.integers(1, 10)))) for _ in range(3)
    ]
    found = best_stretches(curves)
    placed = [stretch for stretch in found if stretch is not None]
    assert all(x[1] <= y[0] for x, y in itertools.pairwise(placed))
    worth = 0.0
    for (start, curve), stretch in zip(curves, found, strict=True):
        if stretch is None:
            worth -= UNPLACED
        else:
            assert stretch[1] - stretch[0] >= min(SHORTEST_FRAMES, len(curve))
            worth += float(curve[stretch[0] - start : stretch[1] - start].sum())
    assert worth == pytest.approx(best_by_trying(curves))


@pytest.mark.parametrize("seed", [0])
def test_an_hour_of_overlaps_comes_out_in_order_and_within_its_spans(seed):
    rng = np.random.default_rng(seed)
    starts = np.sort(rng.integers(0, 3_600_000, 900)) + rng.integers(-3000, 3000, 900)
    ends = starts + rng.integers(500, 9000, 900)
    spans = list(zip(starts.tolist(), ends.tolist(), strict=True))
    spans[5] = (0, 3_600_000)  # one that claims all of it
    placed = without_overlaps(spans)
    kept = [(span, was) for span, was in zip(placed, spans, strict=True) if span is not None]
    assert len(kept) > 700
    assert all(x[0][1] <= y[0][0] for x, y in itertools.pairwise(kept))
    assert all(was[0] <= span[0] < span[1] <= was[1] for span, was in kept)
