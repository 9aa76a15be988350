"""What the published Uni-Sign models eat: their authors' own normalisation, to the last digit.

Weights learn the numbers that they were trained on, so a model imported from the authors cannot
eat those of ``preprocess``. After "Uni-Sign: Toward Unified Sign Language Understanding at Scale"
(ICLR 2025), Appendix A.1, with what only the authors' code says: the confidence threshold, the
box, and what becomes of a clip in which hardly any body was seen.

x and y stay fractions of the picture's width and height, each of its own: a wide picture is
squeezed, as it is for the authors. z is not used.
"""

import numpy as np

from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence, to_view

MIN_CONFIDENCE = 0.3  # a point no surer than this counts as not seen
MIN_BODY_POINTS = 4  # in a whole clip, else nothing of it is used
ROOTS = {  # a keypoint of the group that the others are relative to; the body has none
    "left_hand": SIGN69.index("left_hand_wrist"),
    "right_hand": SIGN69.index("right_hand_wrist"),
    "face": SIGN69.groups["face"].stop - 1,  # the tip of the nose
}


def preprocess_uni_sign(sequence: PoseSequence) -> np.ndarray:
    """A clip as Uni-Sign eats it.

    sequence : a sign, or a sentence, of any schema that view sign69 can be made from

    Returns shape (T, 69, 3), float32: x and y from -1 to 1, and confidence. A point that was not
    seen is all zeros. The body is placed in the square around all that was seen of it in the
    clip; hands and face are relative to their root in sides of that square.
    """
    view = to_view(sequence, SIGN69)
    confidence = view.confidence
    xy = view.xyz[..., :2].astype(np.float32)
    body = SIGN69.groups["body"]
    low, side = _square(xy[:, body], confidence[:, body])
    if side == 0:
        return np.zeros((*confidence.shape, 3), np.float32)

    placed = np.empty_like(xy)
    placed[:, body] = ((xy[:, body] - low) / side - np.float32(0.5)) * 2
    for group, root in ROOTS.items():
        points = SIGN69.groups[group]
        placed[:, points] = (xy[:, points] - xy[:, root, None]) / side
    keypoints = np.concatenate([placed, confidence[..., None]], axis=-1)
    keypoints = np.clip(keypoints, -1, 1)
    keypoints[confidence <= MIN_CONFIDENCE] = 0
    return keypoints.astype(np.float32)


def _square(xy: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, np.float32]:
    """Corner (2,) and side of the square around all points seen; side 0 where there are too few."""
    seen = xy[confidence > MIN_CONFIDENCE]
    if len(seen) < MIN_BODY_POINTS:
        return np.zeros(2, np.float32), np.float32(0)
    low, high = seen.min(axis=0), seen.max(axis=0)
    side = (high - low).max()
    return (low + high - side) / 2, side
