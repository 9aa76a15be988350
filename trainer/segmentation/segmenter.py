"""Sign spans by the attention of MS-MAE, with boundaries that nobody has to choose by hand.

    segmented = segment_by_attention(open_reader(Path("runs/ms_mae")), sequence)
    segmented.spans

The paper (appendix F) looks at the attention and marks blocks along its diagonal. Here dynamic
programming cuts the diagonal into the blocks that belong together most (``boundaries``); hands that
travel fast speak for a cut, too. It finds where motion changes, not what is signed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.trainer.segmentation.attention import AttentionBand, Reader, attention_band
from fingerpost.trainer.segmentation.boundaries import best_blocks, contrast
from fingerpost.trainer.segmentation.spans import Span
from fingerpost.trainer.segmentation.stretches import signing_stretches, spans_between
from fingerpost.trainer.segmentation.velocity import hand_speed, smoothed

SMOOTH_MS = 60.0  # standard deviation, of the speed


@dataclass(frozen=True)
class AttentionSettings:
    """Chosen on dev sentences of the rendered signer and of spliced clips (docs/segment.md).

    cost : what a block costs, see ``best_blocks``; more makes fewer signs
    shortest_ms, longest_ms : of a sign
    way_ms : see ``spans_between``
    speed : what a cut is worth where the hands are a standard deviation faster than on average;
        0 = the attention alone decides
    """

    cost: float = 2.0
    shortest_ms: float = 560.0
    longest_ms: float = 1600.0
    way_ms: float = 160.0
    speed: float = 2.0

    def __post_init__(self) -> None:
        if not 0 <= self.shortest_ms <= self.longest_ms:
            raise ValueError(
                f"signs last from {self.shortest_ms:g} to {self.longest_ms:g} ms; give the "
                "shorter time first"
            )


@dataclass(frozen=True)
class Segmented:
    """spans : in order of time; band : what they were found in; boundaries : ms, all of them"""

    spans: list[Span]
    band: AttentionBand
    boundaries: list[float]


def segment_by_attention(
    reader: Reader, sequence: PoseSequence, settings: AttentionSettings | None = None
) -> Segmented:
    """The signs of a sequence of any length and schema that view msmae can be made from."""
    settings = settings or AttentionSettings()
    band = attention_band(reader, sequence)
    stretches = signing_stretches(sequence)
    boundaries = attention_boundaries(band, stretches, settings, hurry(sequence, band))
    return Segmented(spans_between(stretches, boundaries, settings.way_ms), band, boundaries)


def attention_boundaries(
    band: AttentionBand,
    stretches: Sequence[tuple[int, int]],
    settings: AttentionSettings,
    hurry: np.ndarray | None = None,
) -> list[float]:
    """Boundaries in ms, each stretch of signing for itself: rest is no part of any block.

    hurry : of ``hurry``; None where only the attention is to decide
    """
    shortest, longest = (
        max(1, round(ms * band.fps / 1000)) for ms in (settings.shortest_ms, settings.longest_ms)
    )
    found = []
    n = len(band.band)
    for stretch in stretches:
        first, end = (round((ms - band.start_ms) * band.fps / 1000) for ms in stretch)
        first, end = max(0, first), min(end, n)
        worth = None if hurry is None else settings.speed * hurry[first : end + 1]
        likeness = contrast(own_band(band.band, first, end))
        cuts = best_blocks(likeness, settings.cost, shortest, longest, worth)
        found += [band.time_ms(first + cut) for cut in cuts]
    return found


def hurry(sequence: PoseSequence, band: AttentionBand) -> np.ndarray:
    """How fast the hands are at each cut of a band, in standard deviations from their mean.

    Shape (frames + 1,).
    """
    speed = smoothed(hand_speed(sequence), SMOOTH_MS, sequence.fps)
    speed = (speed - speed.mean()) / max(float(speed.std()), 1e-6)
    times = sequence.start_ms + np.arange(len(speed)) * 1000 / sequence.fps
    cuts = [band.time_ms(cut) for cut in range(len(band.band) + 1)]
    return np.interp(cuts, times, speed)


def own_band(band: np.ndarray, first: int, end: int) -> np.ndarray:
    """The band of frames first to end alone: what reaches beyond the end becomes 0."""
    own = band[first:end].copy()
    n, width = own.shape
    own[np.add.outer(np.arange(n), np.arange(width)) >= n] = 0
    return own
