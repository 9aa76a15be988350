"""The likeliest rows of tokens, looked for side by side: a beam search.

As Graves, "Sequence Transduction with Recurrent Neural Networks" (2012), Sec. 2.5 has it for
networks that say one token after the other: of all rows so far that go on, the ``width`` likeliest
are kept. A row's probability is the product of its tokens', so the rows that come out are as many
answers to one question, and their probabilities add up to 1 at most.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import numpy as np

State = TypeVar("State")
Step = Callable[[int, int, State], tuple[np.ndarray, State]]


class Found(NamedTuple):
    """tokens : without the one that ends them; log_probability : of them all and the end"""

    tokens: tuple[int, ...]
    log_probability: float


class _Open(NamedTuple):
    """A row that goes on. last : its last token, or the first that was given"""

    tokens: tuple[int, ...]
    log_probability: float
    last: int
    state: object


def beam_search(
    step: Step[State], first: int, state: State, end: int, width: int, longest: int
) -> list[Found]:
    """Up to ``width`` rows of tokens, the likeliest first.

    step : (token, position, state) to log-probabilities (n_tokens,) of the next one, and the state
        after it; what it is given must stay as it is, for other rows go on from there too
    first : the token that asks; end : the token that ends a row
    longest : so many steps are made at most; a row that has not ended by then counts as it is
    """
    if width < 1 or longest < 1:
        raise ValueError(f"a beam has a width and a length of at least 1, got {width}, {longest}")
    open_rows = [_Open((), 0.0, first, state)]
    found: list[Found] = []
    for position in range(longest):
        open_rows = _grown(step, open_rows, position, end, width, found)
        found.sort(key=_likeliest_first)
        del found[width:]
        # A row only loses by going on: the likeliest that goes on cannot overtake these any more.
        least = found[-1].log_probability if len(found) == width else -np.inf
        if not open_rows or open_rows[0].log_probability <= least:
            return found
    found += [Found(row.tokens, row.log_probability) for row in open_rows]
    return sorted(found, key=_likeliest_first)[:width]


def _grown(
    step: Step,
    rows: list[_Open],
    position: int,
    end: int,
    width: int,
    found: list[Found],
) -> list[_Open]:
    """The ``width`` likeliest rows with one token more; those that end go to ``found``."""
    grown: list[_Open] = []
    for row in rows:
        logs, state = step(row.last, position, row.state)
        # One more than the width: one of them may be the end.
        for token in np.argsort(-logs, kind="stable")[: width + 1].tolist():
            total = row.log_probability + float(logs[token])
            if token == end:
                found.append(Found(row.tokens, total))
            else:
                grown.append(_Open((*row.tokens, token), total, token, state))
    return sorted(grown, key=_likeliest_first)[:width]


def _likeliest_first(row: Found | _Open) -> float:
    return -row.log_probability
