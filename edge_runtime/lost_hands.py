"""Hands that a landmarker has lost for a moment, mostly because they were fast, are filled in.

The arm is still seen: the hand keeps its shape and goes along with the body's own wrist, with less
confidence. So nothing waits for the hand to come back; waiting, to draw a straight line between
where it was lost and found, came no nearer to the truth (docs/live.md). ``preprocess.fill_gaps``
does that for whole clips.
"""

from dataclasses import dataclass

import numpy as np

from fingerpost.edge_runtime.keypoints import SIGN69, KeypointFrame
from fingerpost.edge_runtime.preprocess import FILLED_CONFIDENCE

EDGE = 0.05  # of the picture's width; a hand so near to its side has gone out
LOW = 0.8  # of its height; a hand that low has been lowered
ARM_SEEN = 0.1  # confidence of a wrist that counts
_HANDS = [
    (SIGN69.groups[f"{side}_hand"], SIGN69.index(f"{side}_wrist")) for side in ("left", "right")
]


@dataclass(frozen=True)
class LostHandSettings:
    """fill_ms : a hand that is lost for longer is not there; 0 = none is filled in"""

    fill_ms: int = 200


class LostHands:
    """Push frames of view sign69; out comes each at once, with its hands as far as one can tell."""

    def __init__(self, settings: LostHandSettings | None = None) -> None:
        self._fill_ms = (settings or LostHandSettings()).fill_ms
        self.reset()

    def reset(self) -> None:
        """Forgets where hands were."""
        self._last: list[KeypointFrame | None] = [None, None]  # that showed the left, the right one

    def push(self, frame: KeypointFrame) -> KeypointFrame:
        """The frame itself where no hand was lost."""
        filled = frame
        for side, (hand, wrist) in enumerate(_HANDS):
            last = self._last[side]
            if (frame.confidence[hand] > 0).any():
                self._last[side] = frame
            elif last is not None and self._may_be_there(last, hand, frame.time_ms):
                filled = _with_hand(filled, last, hand, wrist)
        return filled

    def _may_be_there(self, last: KeypointFrame, hand: slice, now_ms: int) -> bool:
        """Whether it was lost just now, and not where hands leave the picture."""
        x, y = last.xyz[hand.start, :2]
        return now_ms - last.time_ms <= self._fill_ms and EDGE < x < 1 - EDGE and y < LOW


def _with_hand(frame: KeypointFrame, last: KeypointFrame, hand: slice, wrist: int) -> KeypointFrame:
    """The frame with the hand of another one, moved as its arm has moved since."""
    xyz, confidence = frame.xyz.copy(), frame.confidence.copy()
    seen = last.confidence[hand] > 0
    xyz[hand] = last.xyz[hand]
    if min(last.confidence[wrist], frame.confidence[wrist]) > ARM_SEEN:
        xyz[hand, :2] += np.where(seen[:, None], frame.xyz[wrist, :2] - last.xyz[wrist, :2], 0)
    confidence[hand] = np.where(seen, np.minimum(last.confidence[hand], FILLED_CONFIDENCE), 0)
    return KeypointFrame(frame.time_ms, xyz, confidence)
