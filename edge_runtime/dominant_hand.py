"""Which hand a signer signs with: the one that does more, up in front of the body.

Models learn right-handed signing best, so a left-handed signer's frames are mirrored for them. A
picture that a selfie camera has mirrored looks left-handed too, and mirroring puts that right.
"""

import numpy as np

from fingerpost.edge_runtime.keypoints import HAND_POINTS, HANDS, SIGN69, PoseSequence
from fingerpost.edge_runtime.preprocess_live import LiveNormaliser

DOMINANT_HANDS = ("auto", "left", "right")
UP = 1.0  # shoulder widths under the shoulders; hands lower than that rest
BEING_UP = 0.02  # shoulder widths of way that a frame at 25 a second counts as, up and still
LONGEST_STEP = 0.3  # shoulder widths; a hand that goes further from frame to frame was lost between
PRIOR = 0.5  # shoulder widths of way that the right hand has ahead: nine of ten are right-handed
BALANCE = 0.08  # by so much of the way of both must a hand be ahead to be the dominant one
MEMORY = 40.0  # shoulder widths of way, some sentences: one with the other hand changes nothing

_WRIST, _MIDDLE = HAND_POINTS.index("wrist"), HAND_POINTS.index("middle_mcp")


class DominantHand:
    """Push the frames of one person; ``left`` is whether they sign with the left hand.

    given : left or right, of a signer who is known; auto finds out
    """

    def __init__(self, given: str = "auto") -> None:
        if given not in DOMINANT_HANDS:
            raise ValueError(
                f"the dominant hand is one of {', '.join(DOMINANT_HANDS)}, got {given!r}"
            )
        self._given = given
        self.reset()

    def reset(self) -> None:
        """Somebody else comes, who is right-handed until they show it."""
        self.left = self._given == "left"
        self._normaliser = LiveNormaliser()
        self._ways = np.array([0.0, PRIOR])  # of the left and the right hand, shoulder widths
        self._last: list[np.ndarray | None] = [None, None]

    def push(self, frame: PoseSequence) -> None:
        """frame : one, of view sign69, at an even rate"""
        if self._given != "auto":
            return
        keypoints = self._normaliser.push(frame)[0]  # (69, 4)
        for side, hand in enumerate(HANDS):
            points = keypoints[SIGN69.groups[hand]]
            if not points[:, 3].any():
                self._last[side] = None
                continue
            place = points[[_WRIST, _MIDDLE], :2].mean(axis=0)
            last, self._last[side] = self._last[side], place
            if place[1] < UP:
                self._ways[side] += BEING_UP * 25 / frame.fps
                if last is not None:
                    self._ways[side] += min(float(np.hypot(*(place - last))), LONGEST_STEP)
        self._decide()

    def _decide(self) -> None:
        both = float(self._ways.sum())
        ahead = float(self._ways[0] - self._ways[1]) / both
        if abs(ahead) > BALANCE:
            self.left = ahead > 0
        if both > MEMORY:
            self._ways *= MEMORY / both
