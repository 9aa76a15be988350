"""Subtitles to signs, in order, without any network: proportional dynamic time warping.

Somebody signs, and motion alone says from when to when, cut into signs (``activity``). Each
subtitle is given a run of neighbouring signs; runs are in the order of the subtitles and apart
(``runs``). Signs may be left over (hands that move and say nothing), and so may subtitles. What a
run costs is how unlikely it is: too early or too late by the offset of its surroundings, too long
or too short for its text, rests of the hands within it, an end in the middle of signing.

How far off subtitles are, and how long their text takes to sign, nobody knows before. So it is done
in ``ROUNDS``. The first takes the offsets of ``offsets`` and the subtitles' own lengths. After
each, all is worked out anew from the runs that were found: the offset of every subtitle's
surroundings; whether starts, middles or ends are off by the most even time; how long a text takes,
by its letters, its words and the time that it was shown for, and how hurried the signer is just
then; and the usual size of both errors.

With a model that reads signing (``Listener``) come ``HEARD_ROUNDS`` more. It is asked how well each
subtitle's text goes with the runs that are likeliest by motion (``MOST_LIKELY``), and what it says
less of than of the best of them costs more. So where motion sees four sentences without a rest
between them, the words say which is which.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import nnls

from fingerpost.trainer.segmentation.spans import Span
from fingerpost.trainer.subtitles.offsets import slow_offsets
from fingerpost.trainer.subtitles.runs import (
    Expected,
    PlacingSettings,
    Run,
    Signs,
    best_runs,
    likely_runs,
)

ROUNDS = 4
ANCHORS = (0.0, 0.5, 1.0)
FIRST_POSITION_MS = 2500.0  # mean error of a subtitle's middle, before anything is known
FIRST_LENGTH = 0.4  # mean error of the logarithm of its length
LEAST_POSITION_MS, LEAST_LENGTH = 150.0, 0.1  # nothing is surer than that
SHORTEST_MS = 200.0  # that a text is thought to take
SURROUNDINGS = 6.0  # standard deviation, in subtitles, of what offsets are averaged over
SIGNER = 15.0  # ... and how hurried a signer is
FEWEST = 3  # subtitles that must be found before anything is learned of them
HEARD_ROUNDS = 2
MOST_LIKELY = 24  # runs of a subtitle that a model is asked about

Heard = tuple[int, tuple[int, int]]  # number of a subtitle, and start and end of signing in ms
Listener = Callable[[Sequence[Heard]], np.ndarray]  # to log-likelihoods of the texts, nats


@dataclass(frozen=True)
class _Subtitles:
    """times : start and end in ms, (N, 2); parts : (N, P) numbers that lengths may depend on"""

    times: np.ndarray
    parts: np.ndarray

    @classmethod
    def of(cls, times: Sequence[tuple[int, int]], texts: Sequence[str]) -> "_Subtitles":
        array = np.array(times, float).reshape(-1, 2)
        counts = [[1, len(text), len(text.split())] for text in texts]
        shown = np.maximum(array[:, 1:] - array[:, :1], 1)
        return cls(array, np.concatenate([np.array(counts).reshape(-1, 3), shown], axis=1))

    def anchors(self, anchor: float) -> np.ndarray:
        return self.times @ [1 - anchor, anchor]


def place_subtitles(
    times: Sequence[tuple[int, int]],
    texts: Sequence[str],
    stretches: Sequence[Sequence[Span]],
    settings: PlacingSettings | None = None,
    listen: Listener | None = None,
) -> tuple[list[tuple[int, int] | None], np.ndarray]:
    """When each subtitle is signed, ms, None where no signs are left for it; and its offset, ms.

    times : start and end of each, in ms, in order; texts : what they say
    stretches : the signs of each stretch of signing, see ``activity.signing``
    listen : a model that says how likely texts are, given signing; None = by motion alone
    """
    settings = settings or PlacingSettings()
    if len(texts) != len(times):
        raise ValueError(f"expected the texts of {len(times)} subtitles, got {len(texts)}")
    signed = [(stretch[0].start_ms, stretch[-1].end_ms) for stretch in stretches if stretch]
    offsets = slow_offsets(times, signed, settings.reach_ms)
    if not times or not signed:
        return [None] * len(times), offsets
    signs, subtitles = Signs.of(stretches), _Subtitles.of(times, texts)
    # Where the slow offset went astray for a while, one and the same for all is the better start
    starts = offsets, np.full(len(times), np.median(offsets))
    tried = [_rounds(signs, subtitles, start, settings) for start in starts]
    runs, expected, _ = min(tried, key=lambda each: each[-1])
    if listen is not None:
        runs, expected = _listened(signs, subtitles, runs, expected, settings, listen)
    offsets = expected.anchor_ms - subtitles.anchors(expected.anchor)
    return [signs.span(run) if run is not None else None for run in runs], offsets


def _listened(
    signs: Signs,
    subtitles: _Subtitles,
    runs: list[Run | None],
    expected: Expected,
    settings: PlacingSettings,
    listen: Listener,
) -> tuple[list[Run | None], Expected]:
    """Runs, and what they were found with, when the texts are heard too."""
    known: dict[tuple[int, Run], float] = {}
    for _ in range(HEARD_ROUNDS):
        expected = _learnt(signs, runs, expected, subtitles)
        likely = likely_runs(signs, expected, settings, MOST_LIKELY)
        new = [(n, run) for n, row in enumerate(likely) for run in row if (n, run) not in known]
        if new:
            said = listen([(n, signs.span(run)) for n, run in new])
            known |= dict(zip(new, said.tolist(), strict=True))
        costs = []
        for n, row in enumerate(likely):
            best = max((known[n, run] for run in row), default=0.0)
            less = {run: min(best - known[n, run], settings.most_heard) for run in row}
            costs.append({run: settings.heard * nats for run, nats in less.items()})
        runs, _ = best_runs(signs, expected, settings, costs)
    return runs, expected


def _rounds(
    signs: Signs, subtitles: _Subtitles, offsets: np.ndarray, settings: PlacingSettings
) -> tuple[list[Run | None], Expected, float]:
    """Runs, what they were found with, and how unlikely all of it is, nats.

    offsets : of each subtitle's middle to begin with, ms (N,)
    """
    middles, shown = subtitles.anchors(0.5), subtitles.parts[:, -1]
    expected = Expected(0.5, middles + offsets, shown, FIRST_POSITION_MS, FIRST_LENGTH)
    runs, cost = best_runs(signs, expected, settings)
    for _ in range(ROUNDS - 1):
        expected = _learnt(signs, runs, expected, subtitles)
        runs, cost = best_runs(signs, expected, settings)
    # What the densities are divided by: smaller errors make what is within them more likely
    return runs, expected, cost + len(runs) * float(np.log(expected.position_ms * expected.length))


def _learnt(
    signs: Signs, runs: Sequence[Run | None], expected: Expected, subtitles: _Subtitles
) -> Expected:
    """What the runs that were found say of all subtitles."""
    found = np.array([run is not None for run in runs])
    if found.sum() < FEWEST:
        return expected
    spans = np.array([signs.span(run) if run is not None else (0, 0) for run in runs], float)
    positions = []
    for anchor in ANCHORS:
        own = subtitles.anchors(anchor)
        off = spans @ [1 - anchor, anchor] - own
        around = _around(off, found, SURROUNDINGS)
        positions.append((float(np.abs(off - around)[found].mean()), anchor, own + around))
    position, anchor, anchor_ms = min(positions, key=lambda each: each[0])
    took = np.maximum(spans[:, 1] - spans[:, 0], 1)
    # Divided by what it took: relative errors count, so long ones do not outweigh short ones
    weights, _ = nnls((subtitles.parts / took[:, None])[found], np.ones(int(found.sum())))
    guess = np.maximum(subtitles.parts @ weights, SHORTEST_MS)
    guess *= np.exp(_around(np.log(took / guess), found, SIGNER))
    length = float(np.abs(np.log(took / guess))[found].mean())
    return Expected(
        anchor, anchor_ms, guess, max(position, LEAST_POSITION_MS), max(length, LEAST_LENGTH)
    )


def _around(values: np.ndarray, found: np.ndarray, width: float) -> np.ndarray:
    """The mean of the values that were found around each place, (N,), by a Gaussian window."""
    weights = gaussian_filter1d(found.astype(float), width, mode="nearest", truncate=8.0)
    sums = gaussian_filter1d(np.where(found, values, 0), width, mode="nearest", truncate=8.0)
    mean = values[found].mean()
    return np.where(weights > 1e-9, sums / np.maximum(weights, 1e-9), mean)
