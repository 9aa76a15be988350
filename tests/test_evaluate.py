"""Figures are only worth what their arithmetic is: hand-computed cases."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence
from fingerpost.trainer import evaluate_recogniser as module
from fingerpost.trainer.evaluate_captions import CaptionResult
from fingerpost.trainer.evaluate_recogniser import evaluate
from fingerpost.trainer.signer import concatenate, random_signer, sign_sentence


def test_word_error_rate_counts_all_three_kinds():
    assert CaptionResult(1, 2, 3, 12, 0, 0.0).word_error_rate == 0.5


class FixedAnswers:
    """A recogniser that gives the next of the answers it was made with."""

    def __init__(self, answers):
        self.answers = iter(answers)

    def probabilities(self, clip):
        return np.array(next(self.answers))


class WithNoSign:
    class manifest:
        special = {"reject": "<no sign>"}

    vocabulary = ("<no sign>", "a", "b", "c", "d", "e", "f")


class OfSignsAlone:
    class manifest:
        special: dict = {}

    vocabulary = ("a", "b")


def nothing(n_frames, confidence=0.0):
    """Frames in which every point is in the same place."""
    shape = (n_frames, len(SIGN69))
    sure = np.full(shape, confidence, np.float32)
    return PoseSequence(np.zeros((*shape, 3), np.float32), sure, 25.0, SIGN69)


def test_top1_top5_and_sure():
    answers = [
        [0.1, 0.5, 0.1, 0.1, 0.1, 0.05, 0.05],  # a, and sure of it
        [0.6, 0.2, 0.1, 0.04, 0.03, 0.02, 0.01],  # a, but "no sign" is likelier
        [0.0, 0.3, 0.2, 0.2, 0.15, 0.1, 0.05],  # b is among the best five
        [0.9, 0.04, 0.03, 0.02, 0.008, 0.0015, 0.0005],  # f is the last but for "no sign"
    ]
    clips, glosses = [nothing(1)] * 4, ["a", "a", "b", "f"]
    result = evaluate(WithNoSign, FixedAnswers(answers), clips, glosses)
    assert (result.top1, result.top5, result.sure, result.n) == (0.5, 0.75, 0.25, 4)


def test_a_pack_of_signs_alone_is_never_sure_and_wrong_where_it_does_not_know_a_gloss():
    answers = FixedAnswers([[0.9, 0.1]] * 2)
    result = evaluate(OfSignsAlone, answers, [nothing(1)] * 2, ["a", "zebra"])
    assert (result.top1, result.top5, result.sure) == (0.5, 0.5, None)
    assert "no sign" not in str(result)


def test_as_a_file_a_clip_without_one_sign_is_wrong():
    answers = FixedAnswers([[0.9, 0.1]])
    rng = np.random.default_rng(2)
    signer = random_signer(rng)
    twice = concatenate([sign_sentence(["book"], signer, rng) for _ in range(2)])
    held = nothing(250, 1.0)  # hands that are there for 10 s
    clips = [nothing(30, 1.0), nothing(30), twice.keypoints(fps=25.0), held]
    result = evaluate(OfSignsAlone, answers, clips, ["a"] * 4, as_files=True)
    assert (result.top1, result.n) == (0.25, 4)


def test_a_pack_for_other_glosses_is_refused(monkeypatch):
    monkeypatch.setattr(module, "open_pack", lambda path: OfSignsAlone)
    corpus = SimpleNamespace(glosses=[f"sign {i}" for i in range(9)], label=range(9))
    monkeypatch.setattr(module, "read_wlasl_hands", lambda *given: corpus)
    with pytest.raises(ValueError, match="does not know sign 0, .*sign 4 and 4 more"):
        module.wlasl_result(Path("pack"), Path("file"), 9, "val")


def test_no_clips_are_refused():
    with pytest.raises(ValueError, match="no clips to evaluate on"):
        evaluate(OfSignsAlone, FixedAnswers([]), [], [])
