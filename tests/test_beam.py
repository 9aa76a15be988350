"""The beam search on made-up networks whose rows can be counted by hand."""

import itertools

import numpy as np
import pytest

from fingerpost.edge_runtime.beam import beam_search

END, A, B, ASK = 0, 1, 2, 3


def step_of(table):
    """table : by the row so far, the probabilities of END, A and B. The state is that row."""

    def step(token, position, said):
        said = said if token == ASK else (*said, token)
        assert len(said) == position
        with np.errstate(divide="ignore"):
            return np.log(np.array(table(said))), said

    return step


def search(table, width, longest=8):
    found = beam_search(step_of(table), ASK, (), END, width, longest)
    return [(row.tokens, pytest.approx(np.exp(row.log_probability))) for row in found]


def garden_path(said):
    """A is likelier than B at first, but what follows B is sure: A 0.6 · 0.5, B 0.4 · 1."""
    return {
        (): (0.0, 0.6, 0.4),
        (A,): (0.5, 0.25, 0.25),
        (B,): (1.0, 0.0, 0.0),
    }.get(said, (1.0, 0.0, 0.0))


def test_a_good_beginning_may_not_be_the_best_row():
    assert search(garden_path, 1) == [((A,), 0.3)]
    assert search(garden_path, 2) == [((B,), 0.4), ((A,), 0.3)]
    best = search(garden_path, 4)
    assert best[:2] == [((B,), 0.4), ((A,), 0.3)]
    assert {row for row, _ in best[2:]} == {(A, A), (A, B)}
    assert [chance for _, chance in best[2:]] == [0.15, 0.15]


def test_with_room_enough_it_finds_what_counting_all_rows_finds():
    rng = np.random.default_rng(0)
    table = {
        said: rng.dirichlet((1, 1, 1))
        for n in range(4)
        for said in itertools.product((A, B), repeat=n)
    }
    chances = {}
    for said in table:
        so_far = np.prod([table[said[:i]][token] for i, token in enumerate(said)])
        chances[said] = so_far * table[said][END]
    most = sorted(chances, key=lambda said: -chances[said])[:3]
    found = search(lambda said: table.get(said, (1.0, 0.0, 0.0)), 16)
    longer = [row for row, _ in found if len(row) > 3]
    assert [row for row, _ in found if row not in longer][:3] == most


def test_a_row_that_never_ends_counts_as_it_is():
    found = search(lambda said: (0.0, 1.0, 0.0), 2, longest=3)
    assert found[0] == ((A, A, A), 1.0)


def test_an_answer_of_nothing_is_an_answer():
    assert search(lambda said: (1.0, 0.0, 0.0), 3)[0] == ((), 1.0)


@pytest.mark.parametrize(("width", "longest"), [(0, 8), (2, 0)])
def test_a_beam_of_nothing_is_refused(width, longest):
    with pytest.raises(ValueError, match="at least 1"):
        search(garden_path, width, longest)
