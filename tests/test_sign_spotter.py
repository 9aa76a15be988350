"""Own signs in a stream of states: found at any speed, one at a time, and glosses make way."""

import numpy as np
import pytest

from fingerpost.edge_runtime.gloss_row import Sign
from fingerpost.edge_runtime.own_row import OwnRow, with_names
from fingerpost.edge_runtime.sign_spotter import SETTLE, Spotter, Taught, nearest

WIDTH = 32


def rows(text):
    """A letter is a direction; "." is one that no example has."""
    return np.eye(WIDTH, dtype=np.float32)[[ord(c) % WIDTH if c != "." else 0 for c in text]]


def taught(name, *examples, limit=0.2):
    return Taught(name, tuple(rows(example) for example in examples), limit)


def spot(stream, *signs, parts=1):
    spotter = Spotter(signs)
    found = [one for part in np.array_split(rows(stream), parts) for one in spotter.push(part)]
    return [(one.name, one.first, one.last) for one in found + spotter.flush()]


@pytest.mark.parametrize("parts", [1, 3, 16])
@pytest.mark.parametrize(
    ("stream", "first", "last"),
    [
        ("....abcdef........", 4, 9),
        ("....aabbccddeeff..", 4, 15),  # at half the speed
        ("....ace...........", 4, 6),  # at double speed
        ("abcdef", 0, 5),  # the stream ends with it
    ],
)
def test_a_sign_is_found_at_any_speed(stream, first, last, parts):
    (name, begin, end), *more = spot(stream, taught("x", "abcdef"), parts=parts)
    assert name == "x" and not more
    # A letter that comes twice may count once, and the last one may be left out of a fast sign.
    assert abs(begin - first) <= 1 and abs(end - last) <= 1


def test_what_is_further_than_the_limit_is_not_it():
    # One of six frames is another: the distance is 1/6.
    assert spot("..abcxef..", taught("x", "abcdef", limit=0.16)) == []
    assert spot("..abcxef..", taught("x", "abcdef", limit=0.17)) == [("x", 2, 7)]
    assert nearest(rows("abcdef"), rows("..abcxef..")) == pytest.approx(1 / 6)
    assert nearest(rows("abcdef"), rows("........")) == pytest.approx(1.0)


def test_the_nearest_example_names_it_and_signs_do_not_overlap():
    signs = taught("x", "abcdef", "abcduv", limit=0.4), taught("y", "abcxyz", limit=0.4)
    assert spot("...abcxyz.......abcduv....", *signs) == [("y", 3, 8), ("x", 16, 21)]


def test_the_same_frames_are_one_sign_and_a_later_one_is_another():
    stream = "..abcdef" + "." * (SETTLE + 4) + "abcdef.."
    assert spot(stream, taught("x", "abcdef")) == [("x", 2, 7), ("x", 18, 23)]


def test_a_spotter_that_was_reset_knows_nothing_of_before():
    spotter = Spotter([taught("x", "abcdef")])
    spotter.push(rows("..abc"))
    spotter.reset()
    assert spotter.push(rows("def" + "." * 9)) == [] and spotter.flush() == []
    assert Spotter([]).push(rows("abc")) == []
    with pytest.raises(ValueError, match="without frames"):
        Spotter([Taught("x", (rows(""),), 0.2)])


def gloss(first, last, label=1):
    return Sign(label, list(range(first, last + 1)), [0.9] * (last - first + 1))


def test_a_gloss_waits_for_a_sign_that_may_be_it_and_goes_with_it():
    row = OwnRow([taught("x", "abcdef")], first_label=5)
    before, within = gloss(0, 2), gloss(6, 8)
    row.push(rows("....ab"))
    assert row.among([before]) == [before]
    row.push(rows("cd"))
    assert row.among([before, within]) == [before]  # half of it was seen: it may be x
    row.push(rows("ef" + "." * 9))
    shown = row.among([before, within])
    assert [sign.label for sign in shown] == [1, 5] and row.is_own(shown[1])
    assert shown[1].frames == [4, 5, 6, 7, 8, 9]
    assert row.others(12) == [0, 1, 2, 3, 10, 11]


def test_a_gloss_that_waited_for_nothing_is_shown_after_all():
    row = OwnRow([taught("x", "abcdef")], first_label=5)
    within = gloss(2, 4)
    row.push(rows("..abc"))
    assert row.among([within]) == []
    row.push(rows("......"))
    assert row.among([within]) == [within]


def test_a_sign_made_twice_is_one():
    row = OwnRow([taught("x", "abcdef")], first_label=5)
    row.push(rows("abcdef...abcdef" + "." * 9))
    row.flush()
    assert [sign.frames for sign in row.signs] == [list(range(15))]


def test_names_stand_in_brackets_beside_the_sentence():
    assert with_names("Where is he?", [], ["Anna"]) == "Where is he? [Anna]"
    assert with_names("Good.", ["Anna", "Ben"], ["Cy"]) == "[Anna] [Ben] Good. [Cy]"
    assert with_names("", ["Anna"], ["Ben"]) == "Anna, Ben"
