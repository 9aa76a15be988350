"""Boundary F1 and mean IoU, by hand."""

import pytest

from fingerpost.trainer.segmentation.score import (
    SpanScore,
    boundaries_of,
    count_hits,
    score_spans,
)
from fingerpost.trainer.segmentation.spans import Span

TRUTH = [Span(0, 400), Span(600, 1000), Span(1000, 2000)]


def test_a_boundary_is_the_way_between_neighbours():
    assert boundaries_of(TRUTH) == [(400, 600), (1000, 1000)]
    assert boundaries_of([Span(0, 450), Span(400, 900)]) == [(400, 450)]  # they overlap


def test_a_pause_has_two_ends():
    assert boundaries_of([Span(0, 400), Span(1000, 1200)]) == [(400, 1000)]  # 600 ms: still a way
    assert boundaries_of([Span(0, 400), Span(1001, 1200)]) == [(400, 400), (1001, 1001)]


@pytest.mark.parametrize("spans", [[], [Span(3, 9)]])
def test_one_sign_has_no_boundary_to_find(spans):
    assert boundaries_of(spans) == []


def test_the_truth_itself_is_perfect():
    score = score_spans(TRUTH, TRUTH[::-1])
    assert (score.precision, score.recall, score.f1, score.iou) == (1, 1, 1, 1)


def test_by_hand():
    # Boundaries 400-600 and 1000, found 500 and 1200 (off by more than 80) and 1500 (none there).
    found = [Span(0, 500), Span(500, 1200), Span(1200, 1500), Span(1500, 2000)]
    score = score_spans(TRUTH, found)
    assert (score.true, score.found, score.hits) == (2, 3, 1)
    assert score.precision == pytest.approx(1 / 3)
    assert score.recall == pytest.approx(1 / 2)
    assert score.f1 == pytest.approx(2 / 5)
    # 0-400 in 0-500: 0.8. 600-1000 in 500-1200: 400 / 700. 1000-2000 with 1500-2000: 0.5.
    assert score.overlap == pytest.approx(0.8 + 4 / 7 + 0.5)
    assert score.iou == pytest.approx((0.8 + 4 / 7 + 0.5) / 3.5)


def test_the_tolerance_is_exact():
    assert score_spans(TRUTH, [Span(0, 680), Span(680, 1000)], 80).hits == 1
    assert score_spans(TRUTH, [Span(0, 681), Span(681, 999)], 80).hits == 0
    assert score_spans(TRUTH, [Span(0, 320), Span(320, 999)], 80).hits == 1
    assert score_spans(TRUTH, [Span(0, 319), Span(319, 999)], 80).hits == 0
    assert score_spans(TRUTH, [Span(0, 500), Span(700, 990)], 0).hits == 1  # the middle: 600


def test_a_boundary_counts_once():
    assert count_hits([(400, 600)], [480, 520], 0) == 1
    assert count_hits([(480, 480), (520, 520)], [500], 100) == 1
    assert count_hits([(100, 100), (200, 200)], [150, 250], 50) == 2
    assert count_hits([(100, 100), (200, 200)], [190, 260], 90) == 2  # not 190 with 200


def test_one_span_over_all_is_no_free_lunch():
    score = score_spans(TRUTH, [Span(0, 2000)])
    assert (score.f1, score.overlap) == (0, 0.5)
    assert score.iou == pytest.approx(0.5 / 2)  # 4 spans in all, 2 on either side on average


def test_nothing_found_is_nothing_right():
    score = score_spans(TRUTH, [])
    assert (score.precision, score.recall, score.f1, score.iou) == (0, 0, 0, 0)


def test_nothing_to_find_and_nothing_found_is_right():
    assert (SpanScore().f1, SpanScore().iou) == (1, 1)


def test_sentences_add_up_by_counts():
    perfect, nothing = score_spans(TRUTH, TRUTH), score_spans(TRUTH, [])
    both = perfect + nothing
    assert (both.true, both.found, both.hits) == (4, 2, 2)
    assert both.f1 == pytest.approx(4 / 6)
    assert both.iou == pytest.approx(2 * 3 / 9)


def test_nonsense_is_named():
    with pytest.raises(ValueError, match="0 ms or more, got -1"):
        score_spans(TRUTH, TRUTH, -1)
    with pytest.raises(ValueError, match="from 9 to 3 ms"):
        score_spans([Span(9, 3)], TRUTH)
