"""Subtitles one after the other: the warping of time that takes overlaps away.

"Lost in Translation, Found in Embeddings", section 4.2 and appendix A.6, after Bull et al. (2021)
and Jang et al. (2025). Each subtitle was placed for itself, so neighbours may overlap or stand in
the wrong order. Dynamic programming gives frames to subtitles, in the order of the file, so that
the sum of the confidences (``confidence_curve``) of all given frames is the greatest. Where two
overlap, frames go to whom they matter more: of two curves the shorter subtitle's is the steeper
one, so it keeps more of itself than an equal split would leave it.

The papers give every frame that any subtitle claims to one of them, by a table of all frames times
all subtitles. Here a frame may also belong to nobody, so no subtitle is stretched over frames that
it does not claim. Then running maxima over each subtitle's own frames are enough: time and memory
grow with the spans and not with frames times subtitles, and the answer is still the best of all (a
test tries them all). A subtitle that could have a frame only at the cost of another is not placed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fingerpost.trainer.subtitles.confidence import PLATEAU, confidence_curve

FPS = 25.0
SHORTEST_FRAMES = 5  # a subtitle keeps 200 ms, or all of itself where it is shorter
UNPLACED = 1e6  # what a subtitle without a place costs, in frames of full confidence

Spans = Sequence[tuple[int, int] | None]  # start and end in ms; None: not placed
Curve = tuple[int, np.ndarray]  # number of its first frame, confidences (n,)


def without_overlaps(
    spans: Spans, plateau: float = PLATEAU, fps: float = FPS
) -> list[tuple[int, int] | None]:
    """The same subtitles in order and apart, each within its own span, or None.

    spans : start and end in ms, in the order in which they are to be shown
    fps : where two meet is found to the frame; what meets nobody stays to the millisecond
    ValueError for a span without length.
    """
    placed = list(spans)
    for group in _entangled(spans):
        if len(group) == 1:
            continue
        own = [span for i in group if (span := spans[i]) is not None]
        stretches = best_stretches([_curve(*span, plateau, fps) for span in own])
        for i, (start_ms, end_ms), stretch in zip(group, own, stretches, strict=True):
            placed[i] = None
            if stretch is not None:
                first, end = (round(frame * 1000 / fps) for frame in stretch)
                placed[i] = max(first, start_ms), min(end, end_ms)  # frames are coarser than spans
    return placed


@dataclass(frozen=True)
class _Step:
    """How the best ways for the first subtitles go on with one more.

    start : its first frame; shortest : frames that it has at least
    opened : (n + 1,) for a stretch that ends so many frames later, where it best begins
    ended : (n + 1,) where the best stretch that has ended by then ends
    low : frame of the first of ``takes``; takes : whether it is placed at all, by frame
    """

    start: int
    shortest: int
    opened: np.ndarray
    ended: np.ndarray
    low: int
    takes: np.ndarray


def best_stretches(curves: Sequence[Curve]) -> list[tuple[int, int] | None]:
    """Of each curve the stretch (first frame, the one after the last) that it is given.

    Stretches are in the order of the curves and apart, each at least ``SHORTEST_FRAMES`` long (or
    the whole curve). As many as can be are given, and of these ways the one with the greatest sum
    of confidences; None for a curve without a stretch. Curves have at least one frame.
    """
    # worths[t - low]: of the best way in which all subtitles so far end at frame t or before.
    # After the last entry it is constant; before the first no later subtitle looks.
    worths, low = np.zeros(1), 0
    looks_back = np.minimum.accumulate([start for start, _ in reversed(curves)])[::-1]
    steps = []
    for number, (start, curve) in enumerate(curves):
        n = len(curve)
        shortest = min(SHORTEST_FRAMES, n)
        sums = np.concatenate([[0.0], np.cumsum(curve)])  # (n + 1,)
        # A stretch from a to b adds sums[b] - sums[a] to what ended by a.
        opening, opened = _running_best(_at(worths, low, start + np.arange(n + 1)) - sums)
        ending = np.full(n + 1, -np.inf)
        ending[shortest:] = sums[shortest:] + opening[: n + 1 - shortest]
        ending, ended = _running_best(ending)
        own_low = int(looks_back[min(number + 1, len(curves) - 1)])
        times = np.arange(own_low, max(low + len(worths), start + n + 1, own_low + 1))
        taken = np.where(times < start, -np.inf, ending[np.clip(times - start, 0, n)])
        skipped = _at(worths, low, times) - UNPLACED
        steps.append(_Step(start, shortest, opened, ended, own_low, taken >= skipped))
        worths, low = np.maximum(taken, skipped), own_low
    return _traced(steps)


def _traced(steps: Sequence[_Step]) -> list[tuple[int, int] | None]:
    """The stretches of the best way, from its last subtitle back."""
    found: list[tuple[int, int] | None] = []
    until: int | None = None  # None: no later subtitle sets a limit
    for step in reversed(steps):
        at = len(step.takes) - 1 if until is None else min(until - step.low, len(step.takes) - 1)
        if not step.takes[at]:
            found.append(None)
            continue
        n = len(step.ended) - 1
        end = int(step.ended[n if until is None else min(until - step.start, n)])
        first = int(step.opened[end - step.shortest])
        found.append((step.start + first, step.start + end))
        until = step.start + first
    return found[::-1]


def _at(worths: np.ndarray, low: int, times: np.ndarray) -> np.ndarray:
    return worths[np.clip(times - low, 0, len(worths) - 1)]


def _running_best(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The greatest value so far, and the first place where it was."""
    best = np.maximum.accumulate(values)
    new = np.concatenate([[True], values[1:] > best[:-1]])
    return best, np.maximum.accumulate(np.where(new, np.arange(len(values)), 0))


def _curve(start_ms: int, end_ms: int, plateau: float, fps: float) -> Curve:
    """The confidence in the middle of every frame that a span touches."""
    first, end = int(np.floor(start_ms * fps / 1000)), int(np.ceil(end_ms * fps / 1000))
    middles = (np.arange(first, max(end, first + 1)) + 0.5) * 1000 / fps
    return first, confidence_curve(middles, start_ms, end_ms, plateau)


def _entangled(spans: Spans) -> list[list[int]]:
    """Subtitles that overlap, or stand in the wrong order, together; the others alone."""
    groups: list[tuple[int, list[int]]] = []  # last end of a group, its members in order
    for i, span in enumerate(spans):
        if span is None:
            continue
        start_ms, end_ms = span
        members = [i]
        while groups and groups[-1][0] > start_ms:
            last_end, earlier = groups.pop()
            end_ms, members = max(end_ms, last_end), earlier + members
        groups.append((end_ms, members))
    return [members for _, members in groups]
