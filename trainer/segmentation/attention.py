"""What moments of signing look at in MS-MAE: the symmetric attention of appendix F, as a band.

"Improving Sign Language Understanding with a Multi-Stream Masked Autoencoder Trained on ASL
Videos", appendix F: the attention of the last layer, averaged over heads; of it the squares of each
stream with itself, averaged; then averaged with its transpose. What differs:

- a stream that is not seen at a moment does not count there (the paper divides by 3);
- a token is a cubelet of 4 frames. The clip is read once for each frame that its cubelets can start
  at, and the matrices are averaged frame by frame, so a boundary is found to a frame;
- a long clip is read in windows, each half over the next.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.edge_runtime.preprocess import PREPROCESS_VERSION
from fingerpost.edge_runtime.preprocess_ms_mae import preprocess_ms_mae
from fingerpost.edge_runtime.resample import resample
from fingerpost.trainer.checkpoint import load_checkpoint, resolve_checkpoint
from fingerpost.trainer.models.ms_mae import MsMaeEncoder

CORPUS_FPS = 25.0  # of the clips that the recipes train on
REACH_MS = 2400  # the furthest that two moments are compared


@dataclass(frozen=True)
class Reader:
    """A trained encoder, and how it is used to clips being.

    fps : frames a second; window : frames that it was shown at once
    """

    encoder: MsMaeEncoder
    fps: float
    window: int


@dataclass(frozen=True)
class AttentionBand:
    """band : shape (frames, reach), see ``boundaries``; 1 = an even share of a window's attention

    fps, start_ms : of its frames
    """

    band: np.ndarray
    fps: float
    start_ms: int

    def time_ms(self, cut: float) -> float:
        """When the cut before a frame is: half-way from the frame before it."""
        return self.start_ms + (cut - 0.5) * 1000 / self.fps


def open_reader(folder: Path) -> Reader:
    """The encoder of a checkpoint of MS-MAE, or of a training's best one; of any of its tasks.

    ValueError where it is another model's, or of another normalisation.
    """
    checkpoint = resolve_checkpoint(folder)
    network, info, _ = load_checkpoint(checkpoint)
    encoder = getattr(network, "encoder", None)
    if not isinstance(encoder, MsMaeEncoder):
        raise ValueError(
            f"{checkpoint} is a {info.get('model')}, whose attention says nothing of signs; give "
            "one of MS-MAE, such as `fingerpost train ms_mae_segmenter` makes"
        )
    if info.get("preprocess_version", PREPROCESS_VERSION) != PREPROCESS_VERSION:
        raise ValueError(f"{checkpoint} is of an older normalisation; train it again")
    settings: dict[str, Any] = info.get("settings", {})
    stride, span = settings.get("stride", 1.0), settings.get("span", 300)
    return Reader(encoder, CORPUS_FPS / stride, round(span / stride))


def attention_band(reader: Reader, sequence: PoseSequence) -> AttentionBand:
    """How much each frame looks at those after it, and they at it. ValueError without frames."""
    if len(sequence) == 0:
        raise ValueError("the clip has no frames")
    even = resample(sequence, reader.fps)
    keypoints = preprocess_ms_mae(even, reader.encoder.config.face)  # (T, K, 4)
    reach = min(round(REACH_MS * reader.fps / 1000), reader.window // 2)
    total, count = np.zeros((2, len(keypoints), reach))
    for start, end in windows(len(keypoints), reader.window, reach):
        for shift in range(reader.encoder.config.cubelet):
            band, counted = _window_band(reader.encoder, keypoints[start:end], shift, reach)
            total[start:end] += band
            count[start:end] += counted
    return AttentionBand(total / np.maximum(count, 1), reader.fps, even.start_ms)


def windows(n: int, window: int, reach: int) -> Iterator[tuple[int, int]]:
    """(start, end) of windows over n frames, so that each two frames closer than reach share one.

    They are all of the same length where n allows, and overlap by half a window at least.
    """
    step = max(1, min(window // 2, window - reach))
    for start in range(0, max(1, n - window), step):
        yield start, min(start + window, n)
    if n > window:
        yield n - window, n


def intra_stream(attention: np.ndarray, n_streams: int) -> tuple[np.ndarray, np.ndarray]:
    """Appendix F: (heads, S N, S N) to the symmetric matrix (N, N), and how many streams each pair
    of tokens was seen in, 0 where in none: there the matrix is 0.

    1 is an even share: weights are multiplied with the number of tokens that there are.
    """
    mean = attention.mean(axis=0)
    there = mean.sum(axis=1) > 0  # (S N,)
    n = len(mean) // n_streams
    total, count = np.zeros((2, n, n))
    for s in range(n_streams):
        own = slice(s * n, (s + 1) * n)
        total += mean[own, own] * there.sum()
        count += np.outer(there[own], there[own])
    total = (total + total.T) / 2
    return np.where(count > 0, total / np.maximum(count, 1), 0), count


def _window_band(
    encoder: MsMaeEncoder, keypoints: np.ndarray, shift: int, reach: int
) -> tuple[np.ndarray, np.ndarray]:
    """Of one window, cubelets starting ``shift`` frames before it: band and what counts, (T, reach)
    each, frame by frame."""
    size = encoder.config.cubelet
    padded = np.concatenate([np.zeros_like(keypoints[:1]).repeat(shift, axis=0), keypoints])
    with torch.inference_mode():
        attention = encoder.last_attention(torch.from_numpy(padded)[None])[0]
    matrix, seen = intra_stream(attention.float().numpy(), len(encoder.config.streams))
    token = (np.arange(len(keypoints)) + shift) // size  # of each frame
    band, counted = np.zeros((2, len(keypoints), reach))
    for d in range(min(reach, len(keypoints))):
        here, there = token[: len(token) - d], token[d:]
        band[: len(here), d] = matrix[here, there]
        counted[: len(here), d] = seen[here, there] > 0
    return band, counted
