"""When somebody signs in a video of any length, cut into signs as well as motion alone allows.

The runtime's segmenter says when the hands are up and move; within such a stretch, a sign gives way
to the next where the hands are fastest (docs/segment.md says how often that is right). No network.
"""

from collections.abc import Iterator

from fingerpost.edge_runtime.keypoints import SIGN69, SOURCES, PoseSequence, to_view
from fingerpost.trainer.segmentation.spans import Span
from fingerpost.trainer.segmentation.stretches import signing_stretches, spans_between
from fingerpost.trainer.segmentation.velocity import VelocitySettings, velocity_boundaries
from fingerpost.trainer.subtitles.windows import part

CUTS = VelocitySettings(cut_at="fastest", min_sign_ms=400.0)
PIECE_S = 600  # of a long video at once: what is looked at takes memory
MARGIN_S = 10  # more on either side, so that the cuts near a piece's end are those of the whole


def small_view(sequence: PoseSequence) -> PoseSequence:
    """Of a landmarker's keypoints those that signing is seen by; a view stays as it is."""
    if sequence.schema.name in {source.name for source in SOURCES}:
        return to_view(sequence, SIGN69)
    return sequence


def signing(sequence: PoseSequence) -> list[list[Span]]:
    """The signs of each stretch of signing, in order of time; signs of a stretch touch.

    A stretch is what lies between two rests of the hands. Hands that move and say nothing are
    taken for signing.
    """
    sequence = small_view(sequence)
    boundaries = sorted(boundary for piece in _pieces(sequence) for boundary in _cuts(*piece))
    return [spans_between([stretch], boundaries) for stretch in signing_stretches(sequence)]


def _pieces(sequence: PoseSequence) -> Iterator[tuple[PoseSequence, float, float]]:
    """Overlapping pieces of a sequence, and from when to when, ms, each is the one to ask."""
    step, margin = (max(1, round(s * sequence.fps)) for s in (PIECE_S, MARGIN_S))
    for first in range(0, len(sequence), step):
        low, high = max(0, first - margin), first + step + margin
        piece = part(sequence, low, high)
        yield piece, sequence.time_ms(first), sequence.time_ms(first + step)


def _cuts(piece: PoseSequence, start_ms: float, end_ms: float) -> list[float]:
    return [t for t in velocity_boundaries(piece, CUTS) if start_ms <= t < end_ms]
