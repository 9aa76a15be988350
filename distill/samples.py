"""Sample windows that an exported graph is compared with the network on."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fingerpost.edge_runtime.keypoints import schema, to_view
from fingerpost.edge_runtime.preprocessings import find_preprocessing

INPUT = "keypoints"
N_SIGNER_SENTENCES = 40  # rendered for samples where none are given


@dataclass(frozen=True)
class Samples:
    """keypoints : (N, T, K, 4) float32, exact in float16; label : (N,) int, or None."""

    keypoints: np.ndarray
    label: np.ndarray | None = None


def read_samples(file: Path) -> Samples:
    """An .npz of keypoints and, where it has them, labels."""
    if not file.is_file():
        raise FileNotFoundError(f"no samples at {file}: expected an .npz with keypoints")
    try:
        with np.load(file, allow_pickle=False) as opened:
            arrays = dict(opened)
    except (ValueError, OSError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{file} is not an .npz of plain arrays") from error
    if INPUT not in arrays:
        raise ValueError(f"{file} has no array {INPUT!r}; it has: {', '.join(arrays)}")
    return Samples(_as_float16_can(arrays[INPUT]), arrays.get("label"))


def signer_samples(
    vocabulary: list[str], window: int, view: str, preprocess: str, seed: int = 7
) -> Samples:
    """Signs of the rendered signer, and what lies between them, as a device makes a graph's input.

    view, preprocess : of the pack

    Labels where the vocabulary has a class for "no sign"; else the signer signs all it knows, and
    nobody says what is right.
    """
    from fingerpost.trainer.recogniser_data import REJECT, signer_sequences
    from fingerpost.trainer.signer import LEXICON

    knows = REJECT in vocabulary and not LEXICON.keys().isdisjoint(vocabulary)
    names = vocabulary if knows else [REJECT, *sorted(LEXICON)]
    spans = list(signer_sequences(names, N_SIGNER_SENTENCES, seed))
    eaten = find_preprocessing(preprocess)
    keypoints = [eaten(to_view(span, schema(view)), window) for span, _ in spans]
    label = np.array([names.index(gloss) for _, gloss in spans]) if knows else None
    return Samples(_as_float16_can(np.concatenate(keypoints)), label)


def check_samples(samples: Samples, shape: tuple[int, ...], at_least: int) -> None:
    """ValueError where they do not fit a graph's input, (1, T, K, 4), or are too few."""
    if samples.keypoints.shape[1:] != shape[1:] or len(samples.keypoints) < at_least:
        raise ValueError(
            f"expected at least {at_least} samples of shape {shape[1:]}, "
            f"got {samples.keypoints.shape}"
        )


def _as_float16_can(keypoints: np.ndarray) -> np.ndarray:
    """Rounded, so that the golden inputs, kept as float16, are the very inputs measured on."""
    return keypoints.astype(np.float16).astype(np.float32)
