"""The best row of glosses of a sentence: what frames show and what is usual, by hand."""

import itertools
import math

import numpy as np
import pytest

from fingerpost.edge_runtime.gloss_search import (
    GlossSearch,
    SearchSettings,
    aligned,
    log_softmax,
    order_of,
    pairs_of,
    read_order,
)

NO_ORDER = np.zeros((4, 4))
PLAIN = SearchSettings(order_weight=0, gloss_bonus=0, beams=100, candidates=4)


def frames(*rows: dict[int, float]) -> np.ndarray:
    """Logits whose soft-max are these probabilities; what is not named shares the rest."""
    scores = []
    for row in rows:
        rest = (1 - sum(row.values())) / (4 - len(row))
        scores.append([math.log(row.get(k, rest)) for k in range(4)])
    return np.array(scores, np.float32)


def brute_force(scores: np.ndarray) -> dict[tuple[int, ...], float]:
    """The probability of every row, over all ways through the frames."""
    shares = np.exp(log_softmax(scores))
    found: dict[tuple[int, ...], float] = {}
    for way in itertools.product(range(4), repeat=len(scores)):
        row = tuple(k for k, _ in itertools.groupby(way) if k)
        chance = math.prod(float(shares[t, k]) for t, k in enumerate(way))
        found[row] = found.get(row, 0.0) + chance
    return found


def test_the_search_finds_the_likeliest_row_of_all():
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores = rng.normal(0, 2, (5, 4)).astype(np.float32)
        chances = brute_force(scores)
        found = tuple(sign.label for sign in GlossSearch(NO_ORDER, PLAIN).signs(scores))
        assert chances[found] == pytest.approx(max(chances.values()))


def test_a_usual_order_decides_where_frames_do_not():
    order = order_of([(0, 1, 50), (1, 2, 50), (2, 0, 50)], 3)
    scores = frames({1: 0.9}, {0: 0.9}, {2: 0.45, 3: 0.5})
    assert [s.label for s in GlossSearch(order, PLAIN).signs(scores)] == [1, 3]
    usual = SearchSettings(order_weight=1, gloss_bonus=0)
    assert [s.label for s in GlossSearch(order, usual).signs(scores)] == [1, 2]


def test_a_bonus_keeps_a_gloss_that_is_no_likelier_than_none():
    scores = frames({1: 0.9}, {0: 0.55, 2: 0.43})
    assert [s.label for s in GlossSearch(NO_ORDER, PLAIN).signs(scores)] == [1]
    longer = SearchSettings(order_weight=0, gloss_bonus=1)
    assert [s.label for s in GlossSearch(NO_ORDER, longer).signs(scores)] == [1, 2]


def test_the_same_gloss_twice_needs_a_blank_between():
    assert len(GlossSearch(NO_ORDER, PLAIN).signs(frames({1: 0.9}, {1: 0.9}, {1: 0.9}))) == 1
    twice = frames({1: 0.9}, {0: 0.9}, {1: 0.9})
    assert [s.label for s in GlossSearch(NO_ORDER, PLAIN).signs(twice)] == [1, 1]


def test_each_sign_has_the_frames_that_show_it():
    scores = frames({0: 0.9}, {1: 0.9}, {1: 0.8}, {0: 0.9}, {2: 0.7}, {0: 0.9})
    first, second = GlossSearch(NO_ORDER, PLAIN).signs(scores)
    assert (first.frames, second.frames) == ([1, 2], [4])
    assert first.shares == pytest.approx([0.9, 0.8]) and second.share == pytest.approx(0.7)
    assert aligned(log_softmax(scores), [2, 1]) == [[0], [1, 2]]  # an order nobody signed


def test_nothing_seen_is_no_gloss():
    search = GlossSearch(NO_ORDER, PLAIN)
    assert search.signs(np.zeros((0, 4), np.float32)) == []
    assert search.signs(frames({0: 0.97}, {0: 0.97})) == []


def test_an_order_counts_pairs_from_the_edge_to_the_edge():
    pairs = pairs_of([(1, 2), (1, 3), (1,)])
    assert pairs == [(0, 1, 3), (1, 0, 1), (1, 2, 1), (1, 3, 1), (2, 0, 1), (3, 0, 1)]
    order = np.exp(order_of(pairs, 3))
    assert order.sum(axis=1) == pytest.approx([1, 1, 1, 1])
    # (3 + 5 a) / (3 + 5) with a = (3 + 1) / (8 + 4), the share of gloss 1 by itself, smoothed
    assert order[0, 1] == pytest.approx((3 + 5 * 4 / 12) / 8)
    assert order[2, 1] == pytest.approx((5 * 4 / 12) / 6)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[[0, 1]]", b"[[0, 9, 1]]", b"[[0, 1, -99]]", b'[["a", 1, 1]]', b"7"]
)
def test_a_damaged_order_is_one_line(content: bytes):
    with pytest.raises(ValueError, match="order of glosses .* export it again"):
        read_order(content, 3)
