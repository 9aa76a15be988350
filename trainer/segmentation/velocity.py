"""The plain way to find boundaries between signs: where the hands are slowest.

The baseline that the attention of MS-MAE is measured against, tuned on the same sentences.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.edge_runtime.preprocess import fill_gaps, normalise
from fingerpost.trainer.segmentation.spans import Span
from fingerpost.trainer.segmentation.stretches import signing_stretches, spans_between

HANDS = ("left_hand", "right_hand")
TIPS = (0, 4, 8, 12, 20)  # wrist and fingertips, of a hand's 21 points
HAND_WAYS = ("fastest", "sum", "wrists")


@dataclass(frozen=True)
class VelocitySettings:
    """smooth_ms : standard deviation of the Gaussian that the speed is smoothed with
    depth : how much slower than its surroundings a minimum is, shoulder widths a second
    min_sign_ms : two boundaries are at least so far apart
    way_ms : see ``spans_between``
    hands : what the speed is: of the fastest hand, of both added, or of the wrists alone added
    """

    smooth_ms: float = 60.0
    depth: float = 0.4
    min_sign_ms: float = 240.0
    way_ms: float = 160.0
    hands: str = "fastest"

    def __post_init__(self) -> None:
        if self.hands not in HAND_WAYS:
            raise ValueError(f"unknown hands {self.hands!r}; known: {', '.join(HAND_WAYS)}")
        if min(self.smooth_ms, self.depth, self.min_sign_ms, self.way_ms) < 0:
            raise ValueError("smooth_ms, depth, min_sign_ms and way_ms are 0 or more")


def segment_by_velocity(sequence: PoseSequence, settings: VelocitySettings) -> list[Span]:
    """The spans between the slowest points of every stretch of signing."""
    boundaries = velocity_boundaries(sequence, settings)
    return spans_between(signing_stretches(sequence), boundaries, settings.way_ms)


def velocity_boundaries(sequence: PoseSequence, settings: VelocitySettings) -> list[float]:
    """The times at which the hands are slowest, ms, in order."""
    speed = hand_speed(sequence, settings.hands)
    frame_ms = 1000 / sequence.fps
    if settings.smooth_ms > 0:
        speed = gaussian_filter1d(speed, settings.smooth_ms / frame_ms, mode="nearest")
    apart = max(1.0, settings.min_sign_ms / frame_ms)
    slowest, _ = find_peaks(-speed, distance=apart, prominence=settings.depth)
    return [sequence.start_ms + float(t) * frame_ms for t in slowest]


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
