"""How own signs are scored: what counts as shown or wrong, and what a text says of the rest."""

from fingerpost.edge_runtime.captions import Line
from fingerpost.trainer.evaluate_own_signs import (
    NEAR_MS,
    OwnScores,
    _Made,
    _near,
    _of,
    _without_names,
)

MADE = _Made("own 1", 1000, 1500, "I want coffee.")


def line(spans, *glosses, text=""):
    start, end = min(a for a, _ in spans), max(b for _, b in spans)
    return Line(text, glosses, (), start, end, 1.0, tuple(spans))


def test_a_sign_counts_where_it_was_made():
    spans = [(200, 1000 - NEAR_MS), (900, 1400), (1500 + NEAR_MS - 1, 2400), (2500, 2600)]
    assert list(_near(line(spans, "a", "own 1", "b", "c"), MADE)) == ["own 1", "b"]


def test_the_lines_of_a_sign_are_those_that_were_signed_with_it():
    lines = [line([(0, 1000)], "a", text="x"), line([(1499, 1600)], "b", text="y")]
    assert _of(lines, MADE) == ["y"]


def test_what_was_read_beside_a_sign_is_the_text_without_its_name():
    assert _without_names("[own 1] I want coffee.") == "I want coffee."
    assert _without_names("I want coffee. [own 1] [own 2]") == "I want coffee."
    assert _without_names("own 1") == "own 1"


def test_scores_of_rounds_add_up():
    total = OwnScores(n_same=3, found_same=2, minutes=1.5)
    total.add(OwnScores(n_same=4, false=1, minutes=0.5))
    assert (total.n_same, total.found_same, total.false, total.minutes) == (7, 2, 1, 2.0)
