"""Subtitles to signs, in order, without any network: proportional dynamic time warping.

Somebody signs, and motion alone says from when to when, cut into signs (``activity``). Each
subtitle is given a run of neighbouring signs; runs are in the order of the subtitles and apart.
Signs may be left over (hands that move and say nothing), and so may subtitles. What a run costs is
how unlikely it is: too early or too late by the offset of its surroundings (``offsets``), too long
or too short for its text, rests of the hands within it, an end in the middle of signing.

How far off subtitles are, and how long text takes to sign, nobody knows before. So it is done in
``ROUNDS``: after each, the offset of every subtitle's surroundings, the time that its text and its
own length speak for, and the usual size of both errors are worked out from the runs that were found
and used in the next. A cost is the negative logarithm of a Laplace distribution's density, whose
scale is the mean absolute error: an outlier does not pull.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import nnls

from fingerpost.trainer.segmentation.spans import Span
from fingerpost.trainer.subtitles.offsets import slow_offsets

ROUNDS = 4
FIRST_POSITION_MS = 2500.0  # mean error of a subtitle's middle, before anything is known
FIRST_LENGTH = 0.4  # mean error of the logarithm of its length
SURROUNDINGS = 6.0  # standard deviation, in subtitles, of what the offset is averaged over


@dataclass(frozen=True)
class PlacingSettings:
    """Chosen on dev streams of the rendered signer (docs/align.md). Costs are in nats.

    reach_ms : the largest offset between subtitles and signing that is looked for
    rest : of one second of rest within a run
    within : of an end of a run in the middle of signing, where the hands do not rest
    left_over : of one second of signing that no subtitle has
    skipped : of a subtitle without signs
    """

    reach_ms: int = 30_000
    rest: float = 3.0
    within: float = 2.0
    left_over: float = 0.5
    skipped: float = 12.0


@dataclass(frozen=True)
class Expected:
    """What is thought of the N subtitles so far: arrays (N,), and two mean errors.

    middle_ms : when the middle of each is signed; length_ms : how long it takes
    position_ms : mean error of middles; length : mean error of the logarithm of lengths
    """

    middle_ms: np.ndarray
    length_ms: np.ndarray
    position_ms: float
    length: float


def place_subtitles(
    times: Sequence[tuple[int, int]],
    letters: Sequence[int],
    stretches: Sequence[Sequence[Span]],
    settings: PlacingSettings | None = None,
) -> tuple[list[tuple[int, int] | None], np.ndarray]:
    """When each subtitle is signed, ms, None where no signs are left for it; and its offset, ms.

    times : start and end of each, in ms, in order
    letters : of its text, 1 or more
    stretches : the signs of each stretch of signing, see ``activity.signing``
    """
    settings = settings or PlacingSettings()
    n = len(times)
    if len(letters) != n:
        raise ValueError(f"expected the letters of {n} subtitles, got {len(letters)} numbers")
    middles = np.array([(start + end) / 2 for start, end in times])
    lengths = np.array([max(end - start, 1) for start, end in times], float)
    signed = [(stretch[0].start_ms, stretch[-1].end_ms) for stretch in stretches if stretch]
    offsets = slow_offsets(times, signed, settings.reach_ms)
    if n == 0 or not signed:
        return [None] * n, offsets
    signs = Signs.of(stretches)
    expected = Expected(middles + offsets, lengths, FIRST_POSITION_MS, FIRST_LENGTH)
    runs: list[tuple[int, int] | None] = []
    for _ in range(ROUNDS):
        runs = best_runs(signs, expected, settings)
        expected, offsets = _learnt(signs, runs, expected, middles, lengths, np.array(letters))
    return [signs.span(run) if run is not None else None for run in runs], offsets


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

    def span(self, run: tuple[int, int]) -> tuple[int, int]:
        return int(self.start[run[0]]), int(self.end[run[1] - 1])


def best_runs(
    signs: Signs, expected: Expected, settings: PlacingSettings
) -> list[tuple[int, int] | None]:
    """Of each subtitle (number of its first sign, the one after its last), or None; in order.

    Of all ways to give runs within reach, the one that costs least. Time and memory grow with the
    subtitles times the signs within their reach.
    """
    k = len(signs.start)
    # What it costs to leave over all signs before each of K + 1 places
    left_over = np.concatenate([[0], np.cumsum((signs.end - signs.start) / 1000)])
    left_over *= settings.left_over
    costs = left_over.copy()  # of the best way in which all so far use signs before each place
    steps = []
    for middle, length in zip(expected.middle_ms, expected.length_ms, strict=True):
        open_costs, opened = _running_least(costs - left_over)
        open_costs = open_costs + left_over  # (K + 1,)
        low, rows = _run_costs(signs, float(middle), float(length), expected, settings)
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
    return _traced(steps, int(np.argmin(costs + left_over[k] - left_over)))


def _traced(
    steps: Sequence[tuple[int, np.ndarray, np.ndarray]], place: int
) -> list[tuple[int, int] | None]:
    runs: list[tuple[int, int] | None] = []
    for low, firsts, before in reversed(steps):
        at = place - low - 1
        if 0 <= at < len(firsts) and firsts[at] >= 0:
            runs.append((int(firsts[at]), place))
            place = int(before[at])
        else:
            runs.append(None)
    return runs[::-1]


def _run_costs(
    signs: Signs, middle: float, length: float, expected: Expected, settings: PlacingSettings
) -> tuple[int, np.ndarray]:
    """The costs of all runs within reach of a subtitle: ``low`` and (ends, lengths).

    Row r, column c: the run of c + 1 signs whose last is sign ``low + r``; infinite where there is
    none such.
    """
    reach = 6 * expected.position_ms + length
    longest = 4 * length + 2000
    low = int(np.searchsorted(signs.end, middle - reach))
    high = int(np.searchsorted(signs.start, middle + reach))
    if low >= high:
        return low, np.zeros((0, 0))
    ends = np.arange(low, high)
    most = int(max(1, (ends - np.searchsorted(signs.end, signs.end[ends] - longest)).max()))
    firsts = ends[:, None] - np.arange(most)  # (ends, lengths)
    there = np.maximum(firsts, 0)
    start, end = signs.start[there], signs.end[ends][:, None]
    took = end - start
    off = np.abs((start + end) / 2 - middle) / expected.position_ms
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


def _learnt(
    signs: Signs,
    runs: Sequence[tuple[int, int] | None],
    expected: Expected,
    middles: np.ndarray,
    lengths: np.ndarray,
    letters: np.ndarray,
) -> tuple[Expected, np.ndarray]:
    """What the runs that were found say of all subtitles; and the offsets, ms (N,)."""
    found = np.array([run is not None for run in runs])
    spans = np.array([signs.span(run) if run is not None else (0, 0) for run in runs], float)
    if found.sum() < 3:
        return expected, expected.middle_ms - middles
    residual = np.where(found, spans.mean(axis=1) - middles, 0)
    weight = gaussian_filter1d(found.astype(float), SURROUNDINGS, mode="nearest")
    smooth = gaussian_filter1d(residual, SURROUNDINGS, mode="nearest") / np.maximum(weight, 1e-6)
    offsets = np.where(weight > 1e-3, smooth, expected.middle_ms - middles)
    position = float(np.abs(residual - offsets)[found].mean())
    took = np.maximum(spans[:, 1] - spans[:, 0], 1)
    parts = np.stack([np.ones_like(lengths), letters, lengths], axis=1)
    # Divided by what was found: relative errors count, so long ones do not outweigh short ones
    weights, _ = nnls((parts / took[:, None])[found], np.ones(int(found.sum())))
    guess = np.maximum(parts @ weights, 200.0)
    length = float(np.abs(np.log(took / guess))[found].mean())
    return (
        Expected(middles + offsets, guess, max(position, 150.0), max(length, 0.1)),
        offsets,
    )
