"""The glosses of a whole sentence, once it has ended: what was seen, and what is usual.

A row that grows while somebody signs (``GlossRow``) cannot take anything back, and knows only what
each frame shows. When a sentence is over, all rows of glosses are compared that its frames may
show: CTC prefix beam search (Graves et al., 2006; Hannun et al., arXiv:1408.2873), with a bigram
model of the order of glosses and a bonus for each gloss, as speech recognisers do.

    search = GlossSearch(read_order(pack.read("gloss_order.json"), len(glosses)))
    signs = search.signs(scores)    # Signs, with the frames that show them
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from fingerpost.edge_runtime.gloss_row import EDGE, Sign
from fingerpost.edge_runtime.live_glosses import BLANK

BACK_OFF = 5.0  # a pair counts as often as it was seen, and this often by its second gloss alone
NEVER = -1e30  # logarithm of a probability


@dataclass(frozen=True)
class SearchSettings:
    """order_weight : of the order's log-probabilities; 0 = only what frames show counts
    gloss_bonus : for each gloss, or long rows would always be the less likely ones
    beams, candidates : rows that are kept from frame to frame, and glosses that each may go on with
    """

    order_weight: float = 1.0
    gloss_bonus: float = 2.0
    beams: int = 12
    candidates: int = 12


class GlossSearch:
    """order : shape (V, V), log-probabilities, of ``order_of``"""

    def __init__(self, order: np.ndarray, settings: SearchSettings | None = None) -> None:
        self._settings = settings or SearchSettings()
        self._order = self._settings.order_weight * order

    def signs(self, scores: np.ndarray) -> list[Sign]:
        """The likeliest row, with the frames that show each; () for no frames or no gloss.

        scores : shape (T, V), logits, ``BLANK`` first
        """
        if len(scores) == 0:
            return []
        seen = log_softmax(scores)
        labels = self._row(seen)
        shares = np.exp(seen)
        return [
            Sign(label, frames, [float(shares[t, label]) for t in frames])
            for label, frames in zip(labels, aligned(seen, labels), strict=True)
        ]

    def _row(self, seen: np.ndarray) -> tuple[int, ...]:
        """seen : (T, V), log-probabilities"""
        # Of each row, the chance that it ends in a blank, that it ends in its last gloss, and order
        rows: dict[tuple[int, ...], tuple[float, float, float]] = {(): (0.0, NEVER, 0.0)}
        n = min(self._settings.candidates, seen.shape[1])
        likely = np.argpartition(-seen, n - 1, axis=1)[:, :n]
        for frame, candidates in zip(seen.tolist(), likely.tolist(), strict=True):
            rows = self._best(self._longer(rows, frame, candidates))
        return max(rows, key=lambda row: _chance(rows[row]) + float(self._order[_last(row), EDGE]))

    def _longer(
        self,
        rows: dict[tuple[int, ...], tuple[float, float, float]],
        frame: list[float],
        candidates: Sequence[int],
    ) -> dict[tuple[int, ...], tuple[float, float, float]]:
        """What rows may be after one more frame."""
        found: dict[tuple[int, ...], tuple[float, float, float]] = {}

        def add(row: tuple[int, ...], blank: float, gloss: float, order: float) -> None:
            before = found.get(row)
            if before is not None:
                blank, gloss = _either(before[0], blank), _either(before[1], gloss)
            found[row] = blank, gloss, order

        for row, (blank, gloss, order) in rows.items():
            last, either = _last(row), _either(blank, gloss)
            add(row, either + frame[BLANK], NEVER, order)
            if row:
                add(row, NEVER, gloss + frame[last], order)
            for label in candidates:
                if label != BLANK:
                    # the same gloss twice in a row has a blank between
                    begun = (blank if row and label == last else either) + frame[label]
                    usual = order + float(self._order[last, label]) + self._settings.gloss_bonus
                    add((*row, label), NEVER, begun, usual)
        return found

    def _best(
        self, rows: dict[tuple[int, ...], tuple[float, float, float]]
    ) -> dict[tuple[int, ...], tuple[float, float, float]]:
        if len(rows) <= self._settings.beams:
            return rows
        best = sorted(rows.items(), key=lambda item: -_chance(item[1]))
        return dict(best[: self._settings.beams])


def order_of(pairs: Iterable[tuple[int, int, int]], n_glosses: int) -> np.ndarray:
    """Log-probabilities of what follows what, (1 + n_glosses, 1 + n_glosses), ``EDGE`` first.

    pairs : (gloss before, gloss after, how often), glosses numbered from 1. A pair that was never
        seen is as likely as its second gloss is by itself, by Dirichlet's smoothing.
    """
    counts = np.zeros((1 + n_glosses, 1 + n_glosses))
    for before, after, times in pairs:
        counts[before, after] += times
    alone = counts.sum(axis=0) + 1
    alone /= alone.sum()
    return np.log((counts + BACK_OFF * alone) / (counts.sum(axis=1, keepdims=True) + BACK_OFF))


def pairs_of(rows: Iterable[Sequence[int]]) -> list[tuple[int, int, int]]:
    """How often each gloss follows each, in rows of numbers from 1; sorted."""
    counts: dict[tuple[int, int], int] = {}
    for row in rows:
        for pair in zip((EDGE, *row), (*row, EDGE), strict=True):
            counts[pair] = counts.get(pair, 0) + 1
    return [(before, after, n) for (before, after), n in sorted(counts.items())]


def read_order(content: bytes, n_glosses: int) -> np.ndarray:
    """``order_of`` of a pack's file. ValueError where it is not one of so many glosses."""
    try:
        pairs = [(int(a), int(b), int(n)) for a, b, n in json.loads(content)]
        if any(min(pair) < 0 for pair in pairs):
            raise ValueError("a count or a gloss below 0")
        order = order_of(pairs, n_glosses)
    except (ValueError, TypeError, IndexError, RecursionError) as error:
        raise ValueError("the pack's order of glosses is damaged; export it again") from error
    return order


def aligned(seen: np.ndarray, labels: Sequence[int]) -> list[list[int]]:
    """The frames that show each label, by the likeliest way through blanks and labels (Viterbi).

    seen : shape (T, V), log-probabilities; labels : that fit into T frames
    """
    states = [BLANK]
    for label in labels:
        states += [label, BLANK]
    n_frames, n_states = len(seen), len(states)
    may_skip = np.array(
        [k > 1 and states[k] != BLANK and states[k] != states[k - 2] for k in range(n_states)]
    )
    emitted = seen[:, states]  # (T, S)
    score = np.full(n_states, NEVER)
    score[:2] = emitted[0, :2]
    came = np.zeros((n_frames, n_states), int)  # how many states each step went on
    for t in range(1, n_frames):
        ways = np.stack([score, _shifted(score, 1), np.where(may_skip, _shifted(score, 2), NEVER)])
        came[t] = ways.argmax(axis=0)
        score = ways.max(axis=0) + emitted[t]
    state = n_states - 1 - int(n_states > 1 and score[-2] > score[-1])
    frames: list[list[int]] = [[] for _ in labels]
    for t in range(n_frames - 1, -1, -1):
        if state % 2:
            frames[state // 2].insert(0, t)
        state -= int(came[t, state])
    return frames


def log_softmax(scores: np.ndarray) -> np.ndarray:
    """Of each row, (T, V) float64."""
    shifted = scores.astype(np.float64) - scores.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _shifted(score: np.ndarray, n: int) -> np.ndarray:
    return np.concatenate([np.full(n, NEVER), score[:-n]])[: len(score)]


def _last(row: tuple[int, ...]) -> int:
    return row[-1] if row else EDGE


def _chance(found: tuple[float, float, float]) -> float:
    return _either(found[0], found[1]) + found[2]


def _either(a: float, b: float) -> float:
    """Logarithm of the sum of two probabilities."""
    high, low = (a, b) if a >= b else (b, a)
    return high + math.log1p(math.exp(low - high)) if low > NEVER / 2 else high
