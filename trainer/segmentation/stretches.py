"""Spans out of boundaries: where somebody signs at all, and what lies between two boundaries.

Both ways to find boundaries (velocity.py, attention.py) share this, so they differ in the
boundaries alone.
"""

from collections.abc import Iterable, Sequence

from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.edge_runtime.segment import Segmenter, SigningEnded, SigningStarted
from fingerpost.trainer.segmentation.spans import Span


def signing_stretches(sequence: PoseSequence) -> list[tuple[int, int]]:
    """(start, end) in ms of every stretch in which somebody signs, by the runtime's segmenter."""
    segmenter = Segmenter(sequence.schema, sequence.fps, sequence.aspect)
    events = [event for frame in sequence.frames() for event in segmenter.push(frame)]
    stretches, start = [], 0
    for event in events + segmenter.flush():
        if isinstance(event, SigningStarted):
            start = event.time_ms
        elif isinstance(event, SigningEnded) and event.time_ms > start:
            stretches.append((start, event.time_ms))
    return stretches


def spans_between(
    stretches: Iterable[tuple[int, int]],
    boundaries: Sequence[float],
    way_ms: float = 0.0,
    min_sign_ms: float = 100.0,
) -> list[Span]:
    """A span between each two boundaries of a stretch, its ends included.

    boundaries : ms, anywhere; those outside of all stretches are no boundaries
    way_ms : of so much around a boundary the hands are on their way; it belongs to neither sign
    min_sign_ms : a span never becomes shorter by that; a boundary nearer to an end is none
    """
    spans = []
    for start, end in stretches:
        inside = [t for t in sorted(boundaries) if start + min_sign_ms < t < end - min_sign_ms]
        times = [start, *inside, end]
        for i, (here, there) in enumerate(zip(times, times[1:], strict=False)):
            spare = max(0.0, there - here - min_sign_ms) / 2
            first = here + (min(way_ms / 2, spare) if i else 0)
            last = there - (min(way_ms / 2, spare) if i + 2 < len(times) else 0)
            spans.append(Span(round(first), round(last)))
    return spans
