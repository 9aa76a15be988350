"""Runs of signs for subtitles, in order: the dynamic programming behind ``placing``.

Arrays in, numbers out. Costs are in nats. A cost of a size is the negative logarithm of a Laplace
distribution's density whose scale is the mean absolute error: an outlier does not pull.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fingerpost.trainer.segmentation.spans import Span

Run = tuple[int, int]  # number of its first sign, the one after its last


@dataclass(frozen=True)
class PlacingSettings:
    """Chosen on dev streams of the rendered signer (docs/align.md). Costs are in nats.

    reach_ms : the largest offset between subtitles and signing that is looked for
    rest : of one second of rest within a run
    within : of an end of a run in the middle of signing, where the hands do not rest
    left_over : of one second of signing that no subtitle has
    skipped : of a subtitle without signs
    heard : of one nat by which a run says less of a subtitle's text than the run that says most
    most_heard : nats by which it can say less; more are not counted
    """

    reach_ms: int = 30_000
    rest: float = 3.0
    within: float = 3.0
    left_over: float = 0.5
    skipped: float = 12.0
    heard: float = 1.0
    most_heard: float = 20.0


@dataclass(frozen=True)
class Expected:
    """What is thought of the N subtitles so far: arrays (N,), and two mean errors.

    anchor : which moment of a subtitle is known best: its start (0), middle (0.5) or end (1)
    anchor_ms : when that of each is signed; length_ms : how long it takes
    position_ms : mean error of anchors; length : mean error of the logarithm of lengths
    """

    anchor: float
    anchor_ms: np.ndarray
    length_ms: np.ndarray
    position_ms: float
    length: float


@dataclass(frozen=True)
class Signs:
    """K signs in order. start, end : ms, (K,); rest : ms at rest before each, (K,)"""

    start: np.ndarray
    end: np.ndarray
    rest: np.ndarray

    @classmethod
    def of(cls, stretches: Sequence[Sequence[Span]]) -> "Signs":
        signs = [sign for stretch in stretches for sign in stretch]
        start, end = (np.array([getattr(s, f"{w}_ms") for s in signs]) for w in ("start", "end"))
        rest = np.concatenate([[np.inf], np.maximum(start[1:] - end[:-1], 0)])
        return cls(start.astype(float), end.astype(float), rest)

    def span(self, run: Run) -> tuple[int, int]:
        return int(self.start[run[0]]), int(self.end[run[1] - 1])


def best_runs(
    signs: Signs,
    expected: Expected,
    settings: PlacingSettings,
    heard: Sequence[Mapping[Run, float]] | None = None,
) -> tuple[list[Run | None], float]:
    """Of each subtitle (number of its first sign, the one after its last), or None; what they cost.

    heard : of each subtitle the runs that it can have, and what each costs beside; None = all can
        be had, for nothing

    Of all ways to give runs in the order of the subtitles and apart, the one that costs least. A
    run may be six mean errors of position off, and four times as long as is thought and two
    seconds. Time grows with subtitles times signs, memory with the signs within reach.
    """
    k = len(signs.start)
    # What it costs to leave over all signs before each of K + 1 places
    left_over = np.concatenate([[0], np.cumsum((signs.end - signs.start) / 1000)])
    left_over *= settings.left_over
    costs = left_over.copy()  # of the best way in which all so far use signs before each place
    steps = []
    for n in range(len(expected.anchor_ms)):
        open_costs, opened = _running_least(costs - left_over)
        open_costs = open_costs + left_over  # (K + 1,)
        low, rows = _run_costs(signs, n, expected, settings)
        if heard is not None:
            rows = _only(rows, low, heard[n])
        after = costs + settings.skipped
        n_ends, n_lengths = rows.shape
        ends = low + 1 + np.arange(n_ends)
        firsts = np.maximum(ends[:, None] - 1 - np.arange(n_lengths), 0)
        whole = rows + open_costs[firsts]  # (ends, lengths)
        choice = whole.argmin(axis=1) if n_lengths else np.zeros(n_ends, int)
        best = whole[np.arange(n_ends), choice]
        taken = best < after[ends]
        after[ends] = np.where(taken, best, after[ends])
        first = firsts[np.arange(n_ends), choice]
        steps.append((low, np.where(taken, first, -1), opened[first]))
        costs = after
    costs += left_over[k] - left_over
    place = int(np.argmin(costs))
    return _traced(steps, place), float(costs[place])


def likely_runs(
    signs: Signs, expected: Expected, settings: PlacingSettings, most: int
) -> list[list[Run]]:
    """Of each subtitle the runs that cost least by themselves, the cheapest first, so many."""
    likely = []
    for n in range(len(expected.anchor_ms)):
        low, costs = _run_costs(signs, n, expected, settings)
        order = np.argsort(costs, axis=None, kind="stable")[:most]
        rows, columns = np.unravel_index(order[np.isfinite(costs.flat[order])], costs.shape)
        ends = low + 1 + rows
        likely.append(list(zip((ends - 1 - columns).tolist(), ends.tolist(), strict=True)))
    return likely


def _only(costs: np.ndarray, low: int, heard: Mapping[Run, float]) -> np.ndarray:
    """The costs of ``_run_costs`` and those of ``heard``; infinite for runs that are not in it."""
    both = np.full(costs.shape, np.inf)
    for (first, end), more in heard.items():
        place = end - 1 - low, end - 1 - first
        if 0 <= place[0] < costs.shape[0] and place[1] < costs.shape[1]:
            both[place] = costs[place] + more
    return both


def _traced(steps: Sequence[tuple[int, np.ndarray, np.ndarray]], place: int) -> list[Run | None]:
    runs: list[Run | None] = []
    for low, firsts, before in reversed(steps):
        at = place - low - 1
        if 0 <= at < len(firsts) and firsts[at] >= 0:
            runs.append((int(firsts[at]), place))
            place = int(before[at])
        else:
            runs.append(None)
    return runs[::-1]


def _run_costs(
    signs: Signs, n: int, expected: Expected, settings: PlacingSettings
) -> tuple[int, np.ndarray]:
    """The costs of all runs within reach of subtitle n: ``low`` and (ends, lengths).

    Row r, column c: the run of c + 1 signs whose last is sign ``low + r``; infinite where there is
    none such.
    """
    anchor, length = float(expected.anchor_ms[n]), float(expected.length_ms[n])
    longest = 4 * length + 2000
    reach = 6 * expected.position_ms + longest
    low = int(np.searchsorted(signs.end, anchor - reach))
    high = int(np.searchsorted(signs.start, anchor + reach))
    if low >= high:
        return low, np.zeros((0, 0))
    ends = np.arange(low, high)
    earliest = np.searchsorted(signs.start, signs.end[ends] - longest)
    most = int(max(1, (ends - earliest + 1).max()))
    firsts = ends[:, None] - np.arange(most)  # (ends, lengths)
    there = np.maximum(firsts, 0)
    start, end = signs.start[there], signs.end[ends][:, None]
    took = end - start
    off = np.abs(start + expected.anchor * took - anchor) / expected.position_ms
    stretched = np.abs(np.log(np.maximum(took, 1) / length)) / expected.length
    rests = np.concatenate([[0.0], np.cumsum(np.minimum(signs.rest, 1e9)[1:])])
    inside = (rests[ends][:, None] - rests[there]) / 1000 * settings.rest
    next_rest = np.append(signs.rest[1:], np.inf)
    cut = (signs.rest[there] == 0) * settings.within
    cut = cut + (next_rest[ends] == 0)[:, None] * settings.within
    costs = off + stretched + inside + cut
    return low, np.where((firsts < 0) | (took > longest), np.inf, costs)


def _running_least(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least value so far, and the last place where it was."""
    least = np.minimum.accumulate(values)
    return least, np.maximum.accumulate(np.where(values <= least, np.arange(len(values)), 0))
