"""Figures are only worth what their arithmetic is: hand-computed cases."""

import numpy as np
import pytest

from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence
from fingerpost.trainer.evaluate_captions import CaptionResult
from fingerpost.trainer.evaluate_recogniser import evaluate

VOCABULARY = ("<no sign>", "a", "b", "c", "d", "e", "f")


def test_word_error_rate_counts_all_three_kinds():
    assert CaptionResult(1, 2, 3, 12, 0, 0.0).word_error_rate == 0.5


class FixedAnswers:
    """A recogniser that gives the next of the answers it was made with."""

    vocabulary = VOCABULARY

    def __init__(self, answers):
        self.answers = iter(answers)

    def probabilities(self, clip):
        return np.array(next(self.answers))


def test_top1_top5_and_sure():
    clip = PoseSequence(
        np.zeros((1, 69, 3), np.float32), np.zeros((1, 69), np.float32), 25.0, SIGN69
    )
    answers = [
        [0.1, 0.5, 0.1, 0.1, 0.1, 0.05, 0.05],  # a, and sure of it
        [0.6, 0.2, 0.1, 0.04, 0.03, 0.02, 0.01],  # a, but "no sign" is likelier
        [0.0, 0.3, 0.2, 0.2, 0.15, 0.1, 0.05],  # b is among the best five
        [0.9, 0.04, 0.03, 0.02, 0.008, 0.0015, 0.0005],  # f is the last but for "no sign"
    ]
    result = evaluate(FixedAnswers(answers), "<no sign>", [clip] * 4, ["a", "a", "b", "f"])
    assert (result.top1, result.top5, result.sure, result.n) == (0.5, 0.75, 0.25, 4)


def test_a_gloss_that_the_pack_does_not_know_is_refused():
    with pytest.raises(ValueError, match="does not know zebra"):
        evaluate(FixedAnswers([]), "<no sign>", [], ["zebra"])
