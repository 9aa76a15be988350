"""The preprocessings that a pack's manifest can name, each for one sign in a window of frames."""

from collections.abc import Callable

import numpy as np

from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.edge_runtime.preprocess import hands_alone, preprocess, resample_window, trim
from fingerpost.edge_runtime.preprocess_ms_mae import preprocess_ms_mae

Preprocessing = Callable[[PoseSequence, int], np.ndarray]


def one_sign_ms_mae(sequence: PoseSequence, window: int) -> np.ndarray:
    """One sign, as a recogniser with MS-MAE's encoder eats it.

    sequence : the span of one sign, of any schema that view msmae can be made from
    window : number of frames T that the model takes

    Returns shape (1, T, 48, 4), float32, of ``preprocess_ms_mae``: body and hands, no face.
    """
    return resample_window(preprocess_ms_mae(trim(sequence)), window)[None]


def of_hands(preprocessing: Preprocessing) -> Preprocessing:
    """The same, for a network that has learned from hands alone: a body would only confuse it."""
    return lambda sequence, window: preprocessing(hands_alone(sequence), window)


OF_HANDS = "_hands"  # ends the names of those that take body and face away
PREPROCESSINGS: dict[str, Preprocessing] = {
    "sign": preprocess,
    "sign" + OF_HANDS: of_hands(preprocess),
    "ms_mae": one_sign_ms_mae,
    "ms_mae" + OF_HANDS: of_hands(one_sign_ms_mae),
}


def find_preprocessing(name: str) -> Preprocessing:
    """One of ``PREPROCESSINGS``: a sequence in the pack's view and the window's length to a graph's
    input, (1, T, K, 4) float32. ValueError lists the known ones.
    """
    if name not in PREPROCESSINGS:
        raise ValueError(
            f"the pack needs the preprocessing {name!r}, which this version of Fingerpost does "
            f"not have; it has: {', '.join(sorted(PREPROCESSINGS))}"
        )
    return PREPROCESSINGS[name]
