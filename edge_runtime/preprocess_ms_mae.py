"""What MS-MAE eats: the msmae view of a clip, placed and scaled by ``preprocess``.

"Improving Sign Language Understanding with a Multi-Stream Masked Autoencoder Trained on ASL
Videos", appendix A, says which keypoints; of their normalisation the paper says nothing. Ours is
the one of ``preprocess``: it works for whole bodies and for hands alone, tells left-handed signers
like right-handed ones, and is what the augmentation of training knows. How a stream is told apart
from it (a hand's shape from its place) is the model's own business (``ms_mae_streams``).
"""

import numpy as np

from fingerpost.edge_runtime.keypoints import MSMAE, PoseSequence, to_view
from fingerpost.edge_runtime.preprocess import fill_gaps, normalise, right_handed

N_WITHOUT_FACE = MSMAE.groups["face"].start  # 48: body 6, hands 21 each
LIMIT = 8.0  # shoulder widths; nothing that signs is further away


def preprocess_ms_mae(sequence: PoseSequence, face: bool = False) -> np.ndarray:
    """A clip as MS-MAE eats it; ``preprocess.trim`` it first where it is a single sign.

    sequence : T frames of any schema that view msmae can be made from
    face : with the face's points, which the model must then have a stream for

    Returns shape (T, K, 4), float32: x, y, z relative to the middle of the shoulders in shoulder
    widths, and confidence; K = 48, or with the face all of the view. What was not seen is all
    zeros; a hand lost for a moment is filled in, with the confidence ``FILLED_CONFIDENCE``.
    """
    view = right_handed(fill_gaps(to_view(sequence, MSMAE)))
    keypoints = normalise(view)[:, : None if face else N_WITHOUT_FACE]
    return np.clip(keypoints, -LIMIT, LIMIT)
