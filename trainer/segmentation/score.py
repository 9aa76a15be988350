"""How well found spans fit the true ones: F1 of the boundaries between signs, and mean IoU.

A *boundary* is where one sign gives way to the next. Between two true signs the hands are on their
way, and anywhere on it is right; what was found is the middle between two neighbours. Where the
hands rest for longer than ``PAUSE_MS`` there are two boundaries: the end of the one sign and the
start of the other. The start of the first sign and the end of the last are not counted: that the
hands went up or down is easily seen, and would flatter whatever is scored.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from fingerpost.trainer.segmentation.spans import Span, in_order

TOLERANCE_MS = 80  # a boundary is found if one was set this near: two frames of 25 a second
PAUSE_MS = 600


@dataclass(frozen=True)
class SpanScore:
    """Counts that can be added up over sentences.

    true, found, hits : boundaries that there are, that were set, and that were set near enough
    overlap : sum of the IoU of spans, each paired with at most one
    true_spans, found_spans : how many there are
    """

    true: int = 0
    found: int = 0
    hits: int = 0
    overlap: float = 0.0
    true_spans: int = 0
    found_spans: int = 0

    def __add__(self, other: "SpanScore") -> "SpanScore":
        sums = {name: value + getattr(other, name) for name, value in vars(self).items()}
        return SpanScore(**sums)

    @property
    def precision(self) -> float:
        """Of the boundaries that were set, the share that is right; 0 where none was set."""
        return self.hits / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """Of the true boundaries, the share that was found; 0 where there is none."""
        return self.hits / self.true if self.true else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 1 where there is nothing to find or found."""
        return 2 * self.hits / (self.true + self.found) if self.true + self.found else 1.0

    @property
    def iou(self) -> float:
        """Mean IoU of paired spans; a span of either side without a partner counts as 0.

        The pairs' sum over the mean number of spans, so neither too many nor too few pays.
        """
        spans = self.true_spans + self.found_spans
        return 2 * self.overlap / spans if spans else 1.0


def score_spans(
    truth: Sequence[Span], found: Sequence[Span], tolerance_ms: int = TOLERANCE_MS
) -> SpanScore:
    """The score of one sentence. ValueError for a negative tolerance, or spans that cannot be."""
    if tolerance_ms < 0:
        raise ValueError(f"a tolerance is 0 ms or more, got {tolerance_ms}")
    truth, found = in_order(truth), in_order(found)
    here = boundaries_of(truth)
    there = [(start + end) / 2 for start, end in boundaries_of(found)]
    return SpanScore(
        len(here),
        len(there),
        count_hits(here, there, tolerance_ms),
        _paired_iou(truth, found),
        len(truth),
        len(found),
    )


def boundaries_of(spans: Sequence[Span]) -> list[tuple[int, int]]:
    """From when to when each boundary between signs lasts, ms. spans : in order of time, and so it
    is returned"""
    ways: list[tuple[int, int]] = []
    for before, after in zip(spans, spans[1:], strict=False):
        end, start = sorted((before.end_ms, after.start_ms))  # neighbours may overlap
        if after.start_ms - before.end_ms > PAUSE_MS:
            ways += [(end, end), (start, start)]
        else:
            ways.append((end, start))
    return ways


def count_hits(
    truth: Sequence[tuple[int, int]], found: Iterable[float], tolerance_ms: float
) -> int:
    """The most pairs of a true boundary and a found time within it, or near it; each used once.

    On a line, pairing the boundary that ends first with the earliest time gives the most pairs.
    """
    waiting = sorted(found)
    hits = 0
    for start, end in sorted(truth, key=lambda way: way[1]):
        near = [time for time in waiting if start - tolerance_ms <= time <= end + tolerance_ms]
        if near:
            waiting.remove(near[0])
            hits += 1
    return hits


def _paired_iou(truth: Sequence[Span], found: Sequence[Span]) -> float:
    """The greatest sum of IoU over pairs of spans (Hungarian method)."""
    if not truth or not found:
        return 0.0
    a = np.array([(s.start_ms, s.end_ms) for s in truth], float)[:, None]  # (true, 1, 2)
    b = np.array([(s.start_ms, s.end_ms) for s in found], float)[None]  # (1, found, 2)
    shared = np.maximum(
        np.minimum(a[..., 1], b[..., 1]) - np.maximum(a[..., 0], b[..., 0]), 0
    )  # (true, found)
    both = (a[..., 1] - a[..., 0]) + (b[..., 1] - b[..., 0]) - shared
    iou = shared / np.maximum(both, 1e-9)
    rows, columns = linear_sum_assignment(iou, maximize=True)
    return float(iou[rows, columns].sum())
