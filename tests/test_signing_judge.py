"""What tells signing from idle hands: its file, and what a row of glosses makes of it."""

import io

import numpy as np
import pytest

from fingerpost.edge_runtime.gloss_row import GlossRow, RowSettings
from fingerpost.edge_runtime.signing_judge import SigningJudge, read_signing_judge

NEVER = RowSettings(begin_ms=10_000, alone_ms=10_000)  # but for the judge, no line begins


def judge_with(**changed):
    """Two numbers a state; the first does not count."""
    parts = dict(
        mean=np.array([0.0, 1.0]),
        scale=np.array([1.0, 2.0]),
        hidden=np.array([[0.0, 0.0], [1.0, -100.0]]),
        hidden_bias=np.array([0.0, 50.0]),
        output=np.array([4.0, -1.0]),
        bias=np.array(0.25),
    )
    return SigningJudge(**{**parts, **changed})


def test_by_hand():
    states = np.array([[9.0, 5.0], [9.0, 3.0], [0.0, 1.0], [0.0, -999.0]])
    # x = (5 - 1) / 2 = 2: 4 x / (1 + e^-x) = 7.0464, and of 50 - 100 x < 0 next to nothing
    # x = 1: 2.9242; x = 0: -50; x = -500: of the first nothing, -(50 + 50,000) of the second
    expected = [7.0464 + 0.25, 2.9242 + 0.25, -50 + 0.25, -50_050 + 0.25]
    assert judge_with().logits(states) == pytest.approx(expected, abs=1e-3)


def test_its_file_is_the_same_each_time_and_says_the_same():
    judge = judge_with()
    content = judge.to_bytes()
    assert content == judge.to_bytes()
    states = np.random.default_rng(0).normal(size=(5, 2))
    read = read_signing_judge(content)
    assert read.logits(states) == pytest.approx(judge.logits(states), rel=1e-5)


def npz(**arrays):
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        judge_with().to_bytes()[:200],
        npz(mean=np.zeros(2)),
        npz(**{**vars(judge_with()), "output": np.zeros(3)}),
        npz(**{**vars(judge_with()), "bias": np.array(np.nan)}),
        npz(**{**vars(judge_with()), "scale": np.zeros(2)}),
        npz(**{**vars(judge_with()), "mean": np.array(["a", "b"])}),
        npz(**{**vars(judge_with()), "mean": np.array(0.0)}),
        npz(**{**vars(judge_with()), "mean": np.array([None, None])}),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(content):
    with pytest.raises(ValueError, match=r"^the pack's judge of signing is damaged; fit it again$"):
        read_signing_judge(content)


def row_of(text, signing, share=0.7, settings=NEVER, order=None):
    """The labels of a row of frames, one for each letter: "." is blank. signing : logits, one or
    one for each frame"""
    scores = np.full((len(text), 4), np.log((1 - share) / 3), np.float32)
    for t, letter in enumerate(text):
        scores[t, ".abc".index(letter)] = np.log(share)
    logits = None if signing is None else np.broadcast_to(np.float32(signing), len(text))
    row = GlossRow(25.0, settings, order)
    row.push(scores, logits)
    return [sign.label for sign in row.signs]


def test_signing_begins_a_line_at_once():
    assert row_of("..aaaaaa", 1.8) == [1]  # 240 ms, a chance of 0.858
    assert row_of("..aaaaaa", 1.7) == []  # 0.846
    assert row_of("..aaaaaa", None) == []
    assert row_of("..aaaaa", 3.0) == []  # 200 ms
    assert row_of("..aaaaaa", 3.0, share=0.55) == []
    assert row_of("aaaaaa", [11, 11, 11, -7, -7, -7]) == [1]  # of all its frames, the mean
    assert row_of("aaaaaa", [11, 11, -7, -7, -7, -7]) == []
    assert row_of("..aaaaaa", 0.8, settings=RowSettings(signing_from=0.65)) == [1]
    assert row_of("..aaa.bb", 3.0, settings=RowSettings(signing_ms=120)) == [1, 2]


def test_a_gloss_that_hardly_ever_begins_a_sentence_has_to_be_surer():
    order = np.full((4, 4), -5.5)
    order[0, 2] = -4.9
    assert row_of("bbbbbb", 2.0, order=order) == [2]
    assert row_of("aaaaaa", 2.0, order=order) == []
    assert row_of("aaaaaa", 6.1, order=order) == []  # 0.9978
    assert row_of("aaaaaa", 6.3, order=order) == [1]
    told = RowSettings(begin_ms=10_000, alone_ms=10_000, signing_first=-6)
    assert row_of("aaaaaa", 2.0, settings=told, order=order) == [1]


def test_idle_hands_begin_none_however_sure_the_glosses_are():
    sure = "aaaaaaaa.bbbbbbbb"
    assert row_of(sure, None, 0.99, RowSettings()) == [1, 2]
    assert row_of(sure, -1.3, 0.99, RowSettings()) == [1, 2]  # a chance of 0.21
    assert row_of(sure, -1.5, 0.99, RowSettings()) == []  # 0.18
    assert row_of(sure, -1.5, 0.99, RowSettings(idle_below=0.05)) == [1, 2]
    one_signs = np.where(np.arange(len(sure)) < 9, -5.0, 0.5)
    assert row_of(sure, one_signs, 0.99, RowSettings()) == [1, 2]


def test_a_line_that_has_begun_takes_what_comes():
    text = "aaaaaa..bb"
    assert row_of(text, np.where(np.arange(len(text)) < 7, 3.0, -9.0)) == [1, 2]
