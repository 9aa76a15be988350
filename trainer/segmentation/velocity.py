"""The plain way to find boundaries between signs: where the hands are slowest.

The baseline that the attention of MS-MAE is measured against, tuned on the same sentences. Between
signs hands travel, so where they are *fastest* turns out to be the better guess (docs/segment.md);
both are here.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from fingerpost.edge_runtime.keypoints import HANDS, PoseSequence
from fingerpost.edge_runtime.preprocess import fill_gaps, normalise
from fingerpost.trainer.segmentation.spans import Span
from fingerpost.trainer.segmentation.stretches import signing_stretches, spans_between

TIPS = (0, 4, 8, 12, 20)  # wrist and fingertips, of a hand's 21 points
HAND_WAYS = ("fastest", "sum", "wrists")
CUTS_AT = ("slowest", "fastest")


@dataclass(frozen=True)
class VelocitySettings:
    """smooth_ms : standard deviation of the Gaussian that the speed is smoothed with
    depth : how much slower, or faster, than its surroundings a cut is, shoulder widths a second
    min_sign_ms : two boundaries are at least so far apart
    way_ms : see ``spans_between``
    hands : what the speed is: of the fastest hand, of both added, or of the wrists alone added
    cut_at : where the hands are slowest, or fastest
    """

    smooth_ms: float = 80.0
    depth: float = 0.4
    min_sign_ms: float = 560.0
    way_ms: float = 160.0
    hands: str = "fastest"
    cut_at: str = "slowest"

    def __post_init__(self) -> None:
        if self.hands not in HAND_WAYS:
            raise ValueError(f"unknown hands {self.hands!r}; known: {', '.join(HAND_WAYS)}")
        if self.cut_at not in CUTS_AT:
            raise ValueError(f"unknown cut_at {self.cut_at!r}; known: {', '.join(CUTS_AT)}")
        if min(self.smooth_ms, self.depth, self.min_sign_ms, self.way_ms) < 0:
            raise ValueError("smooth_ms, depth, min_sign_ms and way_ms are 0 or more")


def segment_by_velocity(sequence: PoseSequence, settings: VelocitySettings) -> list[Span]:
    """The spans between the slowest points of every stretch of signing."""
    boundaries = velocity_boundaries(sequence, settings)
    return spans_between(signing_stretches(sequence), boundaries, settings.way_ms)


def velocity_boundaries(
    sequence: PoseSequence, settings: VelocitySettings, speed: np.ndarray | None = None
) -> list[float]:
    """The times at which the hands are slowest (or fastest), ms, in order.

    speed : of ``hand_speed``, where it is known already
    """
    if speed is None:
        speed = hand_speed(sequence, settings.hands)
    speed = smoothed(speed, settings.smooth_ms, sequence.fps)
    frame_ms = 1000 / sequence.fps
    apart = max(1.0, settings.min_sign_ms / frame_ms)
    towards = speed if settings.cut_at == "fastest" else -speed
    cuts, _ = find_peaks(towards, distance=apart, prominence=settings.depth)
    return [sequence.start_ms + float(t) * frame_ms for t in cuts]


def smoothed(speed: np.ndarray, smooth_ms: float, fps: float) -> np.ndarray:
    """A speed (T,), smoothed with a Gaussian of this standard deviation."""
    if smooth_ms <= 0 or len(speed) == 0:
        return speed
    return gaussian_filter1d(speed, smooth_ms * fps / 1000, mode="nearest")


def hand_speed(sequence: PoseSequence, hands: str = "fastest") -> np.ndarray:
    """Speed at each frame, shape (T,), shoulder widths a second; 0 where no hand is seen.

    Over the steps before and after a frame; a hand that is not seen does not move.
    """
    places = normalise(fill_gaps(sequence))  # (T, K, 4), shoulder widths
    speeds = []
    for hand in HANDS:
        start = sequence.schema.groups[hand].start
        points = [start] if hands == "wrists" else [start + tip for tip in TIPS]
        xy, seen = places[:, points, :2], places[:, start, 3] > 0
        steps = np.linalg.norm(np.diff(xy, axis=0), axis=-1).mean(axis=-1)  # (T - 1,)
        steps = np.where(seen[1:] & seen[:-1], steps, 0)
        around = np.pad(steps, 1, mode="edge") if len(steps) else np.zeros(2)
        speeds.append((around[1:] + around[:-1]) / 2 * sequence.fps)
    return np.maximum(*speeds) if hands == "fastest" else speeds[0] + speeds[1]
