"""What begins a line: figures counted by hand, and the judge that a pack keeps."""

import json
import math

import numpy as np
import pytest

from fingerpost.edge_runtime.gloss_row import GlossRow
from fingerpost.edge_runtime.line_start import N_EVIDENCE, LineStart, evidence, read_line_start
from fingerpost.edge_runtime.seen_sign import EDGE, Sign, log_chances

ORDER = np.log(
    np.array([[0.1, 0.6, 0.2, 0.1], [0.4, 0.1, 0.3, 0.2], [0.7, 0.1, 0.1, 0.1], [0.25] * 4])
)


def after(ms):
    """A judge that looks at the length of the longest gloss alone."""
    hidden = np.zeros((N_EVIDENCE, 2))
    hidden[0, 0] = 1.0
    limit = math.tanh(math.log(ms / 300))
    return LineStart(
        np.zeros(N_EVIDENCE), np.ones(N_EVIDENCE), hidden, np.zeros(2), np.array([1.0, 0]), -limit
    )


def sign(label, first, n, share=0.9):
    return Sign(label, list(range(first, first + n)), [share] * n)


def test_the_figures_of_one_gloss_counted_by_hand():
    known = evidence([sign(1, 5, 10)], [sign(3, 1, 2)], n_frames=20, frame_ms=40, order=ORDER)
    expected = [math.log(400 / 300), math.log(0.12), math.log(0.6), 0.4, 1, True, False, 0, 0, 0]
    expected += [math.log(0.6), 0.2, 80 / 500]
    assert len(known) == N_EVIDENCE
    np.testing.assert_allclose(known, expected)


def test_the_figures_of_two_glosses_counted_by_hand():
    seen = [sign(2, 12, 8, 0.8), Sign(1, [2, 3, 6], [0.9, 0.9, 0.6])]
    known = evidence(seen, [], n_frames=20, frame_ms=40, order=ORDER)
    best = [math.log(320 / 300), math.log(0.22), math.log(0.2), 0.32, 1, False]
    second = [True, math.log(120 / 300), math.log(0.22)]
    np.testing.assert_allclose(known, [*best, *second, math.log(0.3), math.log(0.6), 0.08, 0])
    gap = evidence(seen[1:], [], n_frames=20, frame_ms=40, order=None)
    assert gap[3] == pytest.approx(0.2) and gap[4] == pytest.approx(0.6)  # 120 of 200 ms
    assert gap[2] == gap[10] == 0  # nobody knows what is usual


def test_how_usual_signs_are_goes_by_time():
    assert log_chances([sign(3, 9, 2), sign(1, 0, 2)], ORDER) == [ORDER[EDGE, 1], ORDER[1, 3]]
    assert log_chances([sign(3, 9, 2)], None) == []


def scores_of(text):
    rows = np.full((len(text), 4), math.log(0.01))
    rows[np.arange(len(text)), [".abc".index(letter) for letter in text]] = math.log(0.97)
    return rows.astype(np.float32)


@pytest.mark.parametrize(("n", "shown"), [(7, []), (8, [1])])
def test_a_line_begins_when_its_judge_says_so(n, shown):
    row = GlossRow(25.0, order=ORDER, start=after(310))
    row.push(scores_of("." + n * "a"))
    assert [one.label for one in row.signs] == shown
    row.push(scores_of("...bbbb"))  # which two glosses do without a judge, and usual ones at once
    assert [one.label for one in row.signs] == ([1, 2] if shown else [])


def test_a_judge_is_kept_in_json_to_six_digits(tmp_path):
    rng = np.random.default_rng(0)
    shapes = [(N_EVIDENCE,), (N_EVIDENCE,), (N_EVIDENCE, 5), (5,), (5,)]
    start = LineStart(*(rng.random(shape) + 0.1 for shape in shapes), bias=-1.234567)
    again = read_line_start(start.to_json())
    figures = rng.random((40, N_EVIDENCE))
    np.testing.assert_allclose(again.score(figures), start.score(figures), atol=1e-4)
    assert again.bias == -1.23457 and again.begins(figures[0]) == (start.score(figures)[0] > 0)
    assert len(start.to_json()) < 1500


@pytest.mark.parametrize(
    "damage",
    [
        lambda kept: {**kept, "mean": kept["mean"][1:]},
        lambda kept: {**kept, "scale": [0] * N_EVIDENCE},
        lambda kept: {**kept, "hidden": kept["hidden"][0]},
        lambda kept: {**kept, "bias": float("nan")},
        lambda kept: {**kept, "bias": "much"},
        lambda kept: {**kept, "more": 1},
        lambda kept: {name: kept[name] for name in kept if name != "output"},
        lambda kept: [kept],
    ],
)
def test_a_damaged_judge_is_said_to_be_one(damage):
    kept = json.loads(after(300).to_json())
    with pytest.raises(ValueError, match="line_start is damaged; fit it again"):
        read_line_start(json.dumps(damage(kept)).encode())
    with pytest.raises(ValueError, match="line_start is damaged"):
        read_line_start(b"{")
