"""A performance as a video file."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np


def write_video(frames: Iterable[np.ndarray], path: Path, fps: float = 25) -> int:
    """Writes RGB frames (H, W, 3) uint8 as mp4v; the file appears when it is whole.

    Returns the number of frames.
    """
    import cv2

    path = Path(path)
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    writer, count = None, 0
    for frame in frames:
        if writer is None:
            height, width = frame.shape[:2]
            codec = cv2.VideoWriter.fourcc(*"mp4v")
            writer = cv2.VideoWriter(str(part), codec, fps, (width, height))
            if not writer.isOpened():
                raise ValueError(f"cannot write {path}: is its folder there, and writable?")
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
        count += 1
    if writer is None:
        raise ValueError(f"no frames to write to {path}")
    writer.release()
    os.replace(part, path)
    return count
