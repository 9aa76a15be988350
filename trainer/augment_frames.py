"""Frames left out and shown twice: the signer hurries and lingers, and no picture is changed.

"Improving Sign Language Understanding with a Multi-Stream Masked Autoencoder Trained on ASL
Videos", Sec. 4.2, 4.3 and Appendix C: frames drawn at random for single signs, and for
translation 20 % of the frames "randomly deleted or copied". The paper does not say how many of
each: here every frame that is chosen is deleted or copied with even odds, so a clip keeps its
length on average.
"""

import numpy as np


def deleted_or_copied(n_frames: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """Which frames are left, in order: a frame that is copied comes twice. Never none.

    share : of the frames that are changed, 0 to 1; round(share * n_frames) of them
    """
    if n_frames < 1:
        raise ValueError("a clip needs at least one frame")
    if not 0 <= share <= 1:
        raise ValueError(f"the share of frames deleted or copied is from 0 to 1, got {share}")
    times = np.ones(n_frames, int)
    changed = rng.permutation(n_frames)[: round(share * n_frames)]
    times[changed] = 2 * rng.integers(0, 2, len(changed))
    if not times.any():
        times[rng.integers(n_frames)] = 1
    return np.repeat(np.arange(n_frames), times)
