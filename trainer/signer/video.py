"""A performance as a video file."""

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import numpy as np

from fingerpost.edge_runtime import video


def write_video(frames: Iterable[np.ndarray], path: Path, fps: float = 25) -> int:
    """Writes RGB frames (H, W, 3) uint8; the file appears when it is whole.

    Returns the number of frames.
    """
    remaining, count = iter(frames), 0
    first = next(remaining, None)
    if first is None:
        raise ValueError(f"no frames to write to {path}")
    height, width = first.shape[:2]
    with video.write_video(path, fps, (width, height)) as out:
        for frame in chain([first], remaining):
            out.write(frame)
            count += 1
    return count
