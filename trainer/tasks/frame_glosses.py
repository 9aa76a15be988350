"""Which frames of a clip are used, and which glosses they show, for the tasks that read frames."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from fingerpost.trainer.models.gloss_alignment import NO_TOKEN, NOT_KNOWN, Glosses


def kept_frames(n_frames: int, most: int) -> np.ndarray:
    """The frames of a clip that may be used: all, or of one that is too long, so many, evenly."""
    if n_frames <= most:
        return np.arange(n_frames)
    return np.linspace(0, n_frames - 1, most).round().astype(int)


def padded_glosses(
    rows: Sequence[np.ndarray], shown: Sequence[np.ndarray], n_frames: int
) -> Glosses:
    """Of each clip of a batch the row of glosses, and what each frame shows.

    rows : (N,) of each clip, as numbers or tokens; shown : (T,), or (0,) where nobody knows
    n_frames : of the batch
    """
    of_frame = torch.full((len(rows), n_frames), NOT_KNOWN)
    for row, numbers in zip(of_frame, shown, strict=True):
        row[: len(numbers)] = torch.from_numpy(numbers)
    tokens = [torch.from_numpy(row) for row in rows]
    return Glosses(pad_sequence(tokens, batch_first=True, padding_value=NO_TOKEN), of_frame)
