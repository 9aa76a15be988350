"""An even frame rate out of whatever a camera delivers.

Output frames lie on the grid ``round(n * 1000 / fps)`` ms, whatever the input's times are, so a
replay gives the same frames.
"""

import math
from dataclasses import replace

import numpy as np

from fingerpost.edge_runtime.keypoints import KeypointFrame, PoseSequence

MAX_STEP_MS = 250  # input frames further apart are not joined: what lies between was not seen
MAX_HOLE_MS = 3000  # a longer hole (a paused camera) is cut to so many ms of unseen frames


class Resampler:
    """Streaming linear interpolation to ``fps``."""

    def __init__(self, fps: float) -> None:
        if not fps > 0:
            raise ValueError(f"expected a frame rate above 0, got {fps}")
        self.fps = fps
        self.reset()

    def reset(self) -> None:
        """Forgets the last frame; the next one starts a new stream."""
        self._last: KeypointFrame | None = None
        self._next = 0  # number of the grid point to be given next

    def push(self, frame: KeypointFrame) -> list[KeypointFrame]:
        """The grid frames that are known now. A frame not later than the last one is dropped."""
        last = self._last
        if last is None:
            self._next = self._number_at(frame.time_ms)
            last = frame
        elif frame.time_ms <= last.time_ms:
            return []
        if frame.time_ms - last.time_ms > MAX_HOLE_MS:
            self._next = max(self._next, self._number_at(frame.time_ms - MAX_HOLE_MS))
        self._last = frame
        frames = []
        while self._time_ms(self._next) <= frame.time_ms:
            frames.append(_between(last, frame, self._time_ms(self._next)))
            self._next += 1
        return frames

    def _time_ms(self, number: int) -> int:
        return round(number * 1000 / self.fps)

    def _number_at(self, time_ms: int) -> int:
        """The first point of the grid that is not before a time."""
        number = math.floor(time_ms * self.fps / 1000)
        return number if self._time_ms(number) >= time_ms else number + 1


def resample(sequence: PoseSequence, fps: float) -> PoseSequence:
    """The whole sequence at another rate: the frames that ``Resampler`` gives for it.

    Raises ValueError for an empty sequence.
    """
    if len(sequence) == 0:
        raise ValueError("cannot resample a sequence without frames")
    resampler = Resampler(fps)
    frames = [out for frame in sequence.frames() for out in resampler.push(frame)]
    if not frames:  # shorter than one step of the grid
        frames = sequence.frames()[:1]
    return sequence_of(frames, fps, sequence)


def sequence_of(frames: list[KeypointFrame], fps: float, like: PoseSequence) -> PoseSequence:
    """Frames of the grid as a sequence with the schema, aspect and extractor of another."""
    return replace(
        like,
        xyz=np.stack([f.xyz for f in frames]),
        confidence=np.stack([f.confidence for f in frames]),
        fps=fps,
        start_ms=frames[0].time_ms,
    )


def _between(before: KeypointFrame, after: KeypointFrame, time_ms: int) -> KeypointFrame:
    """The keypoints at a time between two frames; a point seen in one only is taken from it."""
    step = after.time_ms - before.time_ms
    if time_ms == after.time_ms or step == 0:
        return replace(after, time_ms=time_ms)
    if time_ms == before.time_ms:
        return before
    if step > MAX_STEP_MS:
        return KeypointFrame(time_ms, np.zeros_like(after.xyz), np.zeros_like(after.confidence))
    share = np.float32((time_ms - before.time_ms) / step)
    weight_before = np.where(before.confidence > 0, 1 - share, 0)
    weight_after = np.where(after.confidence > 0, share, 0)
    total = np.maximum(weight_before + weight_after, np.float32(1e-6))
    xyz = (weight_before[:, None] * before.xyz + weight_after[:, None] * after.xyz) / total[:, None]
    confidence = (1 - share) * before.confidence + share * after.confidence
    return KeypointFrame(time_ms, xyz.astype(np.float32), confidence.astype(np.float32))
