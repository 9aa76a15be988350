"""What a model eats that reads signing while it goes on: ``preprocess``'s numbers, frame by frame.

``preprocess.normalise`` takes the shoulders from the whole clip. A stream has no whole clip, so
here they are a running mean of the frames so far. For the same reason no hand is filled in between
two frames, and nobody is mirrored: a left-handed signer stays one, so training has to mirror.
"""

import numpy as np

from fingerpost.edge_runtime.keypoints import HAND_POINTS, HANDS, SIGN69, PoseSequence, to_view
from fingerpost.edge_runtime.preprocess import NOMINAL_SHOULDERS, SHOULDERS_PER_PALM

FPS = 25.0  # that the models are trained on
SETTLE_MS = 4000  # the shoulders are a mean over about so long
NOMINAL_WIDTH = 0.4  # of shoulders, picture heights, where neither they nor a palm were seen
LIMIT = 8.0  # shoulder widths; nothing that signs is further away
PALM_GROWS, PALM_SHRINKS = 0.2, 0.02  # a palm that is turned away looks shorter: trust the longer

_SHOULDERS = [SIGN69.index(f"{side}_shoulder") for side in ("left", "right")]
_PALMS = [
    [SIGN69.groups[hand].start + HAND_POINTS.index(point) for point in ("wrist", "middle_mcp")]
    for hand in HANDS
]


class LiveNormaliser:
    """Push parts of a stream of any length; out come the same frames, as models eat them."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets who stands before the camera."""
        self._n_seen = 0  # frames with both shoulders
        self._middle = np.zeros(2)  # of the shoulders, picture heights
        self._width = NOMINAL_WIDTH
        self._palm = 0.0

    def push(self, part: PoseSequence) -> np.ndarray:
        """Shape (T, 69, 4), float32: x, y, z relative to the middle of the shoulders in shoulder
        widths, and confidence. What was not seen is all zeros.

        part : T frames, 0 too, of any schema that view sign69 can be made from
        """
        part = to_view(part, SIGN69)
        to_square = np.array([part.aspect, 1, part.aspect])
        square = part.xyz * to_square  # (T, 69, 3), picture heights
        places = np.zeros((len(part), 4))  # x, y, z of the origin, and the unit
        least_weight = 1000 / (SETTLE_MS * part.fps)
        for t in range(len(part)):
            self._look(square[t, :, :2], part.confidence[t] > 0, part.aspect, least_weight)
            places[t] = *self._middle, 0, max(self._width, 0.02)
        xyz = (square - places[:, None, :3]) / places[:, None, 3:]
        xyz = np.where(part.confidence[..., None] > 0, np.clip(xyz, -LIMIT, LIMIT), 0)
        return np.concatenate([xyz, part.confidence[..., None]], axis=-1).astype(np.float32)

    def _look(self, xy: np.ndarray, seen: np.ndarray, aspect: float, least_weight: float) -> None:
        """Takes in the body of one frame. xy : (69, 2), picture heights; seen : (69,)"""
        if seen[_SHOULDERS].all():
            left, right = xy[_SHOULDERS]
            self._n_seen += 1
            weight = max(1 / self._n_seen, least_weight)
            self._middle = self._middle + weight * ((left + right) / 2 - self._middle)
            self._width += weight * (float(np.hypot(*(left - right))) - self._width)
        elif self._n_seen == 0:
            self._middle = np.array([NOMINAL_SHOULDERS[0] * aspect, NOMINAL_SHOULDERS[1]])
            for wrist, knuckle in _PALMS:
                if seen[wrist] and seen[knuckle]:
                    self._see_palm(float(np.hypot(*(xy[knuckle] - xy[wrist]))))

    def _see_palm(self, length: float) -> None:
        """Guesses the shoulders from the palms, where nobody's shoulders were seen yet."""
        share = PALM_GROWS if length > self._palm else PALM_SHRINKS
        self._palm = length if self._palm == 0 else self._palm + share * (length - self._palm)
        self._width = self._palm * SHOULDERS_PER_PALM


def preprocess_live(sequence: PoseSequence) -> np.ndarray:
    """A whole clip as ``LiveNormaliser`` gives it frame by frame, (T, 69, 4) float32."""
    return LiveNormaliser().push(sequence)
