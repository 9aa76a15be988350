"""Scores of aligned subtitles, against figures worked out by hand."""

import numpy as np
import pytest

from fingerpost.trainer.subtitles.scores import (
    NOTHING,
    frame_labels,
    run_counts,
    score_alignments,
)

FRAME = 40  # ms


def ms(*frames: tuple[int, int]) -> list[tuple[int, int]]:
    return [(start * FRAME, end * FRAME) for start, end in frames]


def test_what_is_right_has_all_points():
    truth = ms((10, 60), (70, 200))
    score = score_alignments([(truth, truth)])
    assert (score.accuracy, score.balanced_accuracy) == (100, 100)
    assert score.f1 == {0.10: 100, 0.25: 100, 0.50: 100}
    assert score.n_cues == 2


def test_a_shifted_subtitle_by_hand():
    """50 frames, of which 30 stay: IoU 30 / 70; the video is 60 + 250 frames long."""
    score = score_alignments([(ms((10, 60)), ms((30, 80)))])
    assert score.f1 == {0.10: 100, 0.25: 100, 0.50: 0}
    assert score.accuracy == pytest.approx(100 * (310 - 40) / 310)
    assert score.balanced_accuracy == pytest.approx(100 * (30 / 50 + 240 / 260) / 2)


def test_class_balance_lets_a_short_subtitle_count_as_much_as_a_long_one():
    truth = ms((0, 10), (10, 110))
    score = score_alignments([(truth, [None, truth[1]])])
    assert score.accuracy == pytest.approx(100 * 350 / 360)
    assert score.balanced_accuracy == pytest.approx(100 * 2 / 3)
    assert score.f1[0.50] == pytest.approx(100 * 2 / 3)  # precision 1, recall 1/2


def test_the_later_of_two_overlapping_subtitles_has_the_frame():
    labels = frame_labels(ms((0, 4), (2, 6)), 8)
    assert labels.tolist() == [0, 0, 1, 1, 1, 1, NOTHING, NOTHING]


def test_a_subtitle_that_was_cut_in_two_is_found_once():
    true = np.array([0] * 10)
    said = np.array([0] * 4 + [1] * 2 + [0] * 4)
    # 0.4 of the union each: found at 0.10 and 0.25, not at 0.50; three runs were said
    assert run_counts(true, said).tolist() == [[1, 3, 1], [1, 3, 1], [0, 3, 1]]


def test_numbers_matter_and_not_only_places():
    truth = ms((0, 50), (60, 110))
    score = score_alignments([(truth, truth[::-1])])
    assert score.f1[0.10] == 0
    assert score.balanced_accuracy == pytest.approx(100 / 3)


def test_what_lies_beyond_the_end_is_not_seen_but_its_frames_are_missed():
    truth = ms((0, 50))
    far = score_alignments([(truth, ms((1000, 1050)))])
    assert far.f1[0.10] == 0
    assert far.accuracy == pytest.approx(100 * 250 / 300)
    before = score_alignments([(truth, [(-3000, -1000)])])
    assert before.accuracy == far.accuracy


def test_several_videos_are_put_together():
    truth = ms((0, 50))
    score = score_alignments([(truth, truth), (truth, [None]), ([], [])])
    assert score.f1[0.50] == pytest.approx(200 / 3)
    assert score.balanced_accuracy == pytest.approx(100 * 3 / 4)
    assert score.record() == {
        **{"accuracy": 91.67, "balanced_accuracy": 75.0},
        **{"f1_0.10": 66.67, "f1_0.25": 66.67, "f1_0.50": 66.67, "cues": 2},
    }


def test_nothing_placed_is_zero():
    score = score_alignments([(ms((0, 50)), [None])])
    assert set(score.f1.values()) == {0}


@pytest.mark.parametrize(
    ("videos", "message"),
    [
        ([], "no true subtitles"),
        ([([], [])], "no true subtitles"),
        ([([(0, 10)], [])], "1 true subtitles and 0 placed ones; give both"),
        ([([(10, 0)], [(0, 10)])], "subtitle 1 ends at 0 ms, before 10 ms"),
    ],
)
def test_nonsense_is_named(videos, message):
    with pytest.raises(ValueError, match=message):
        score_alignments(videos)
