"""What "Lost in Translation, Found in Embeddings" eats: its 203 keypoints, shoulder length 1.

"Lost in Translation, Found in Embeddings: Sign Language Translation and Alignment", Sec. 3.1 (pose
backbone): 128 keypoints of the face, 33 of the body, 21 of each hand, all normalised by setting the
shoulder length to 1 and centred at the origin.

What the paper does not say: the length and the centre are those of the clip (the median over its
frames, of ``preprocess.normalise``), not of each frame, so that a shrug stays a shrug. Confidence
is a fourth number, for a keypoint at the origin must not look like one that was not seen. Nobody is
mirrored: both hands have the same encoder anyway.
"""

import numpy as np

from fingerpost.edge_runtime.keypoints import FOUND203, KeypointSchema, PoseSequence, to_view
from fingerpost.edge_runtime.preprocess import fill_gaps, normalise

LIMIT = 8.0  # shoulder widths; nothing that signs is further away


def preprocess_found(sequence: PoseSequence, view: KeypointSchema = FOUND203) -> np.ndarray:
    """A clip, or a window of a stream, as the pose backbone eats it.

    sequence : T frames of any schema that the view can be made from
    view : the paper's, or sign69 for keypoints that were kept as that: a third of the points

    Returns shape (T, K, 4), float32: x, y, z relative to the middle of the shoulders in shoulder
    widths, from -8 to 8, and confidence. What was not seen is all zeros; a hand lost for a moment
    is filled in. ValueError where the view cannot be made, or there is no frame.
    """
    if len(sequence) == 0:
        raise ValueError("a clip without frames cannot be read; leave it out")
    keypoints = normalise(fill_gaps(to_view(sequence, view)))
    return np.clip(keypoints, -LIMIT, LIMIT)
