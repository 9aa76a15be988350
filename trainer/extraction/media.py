"""Pictures of a sample's media, from its start to its end: a video, or a folder of frames."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fingerpost.edge_runtime.video import import_cv2, open_video

FRAME_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}
KEYPOINT_SUFFIXES = {".npz", ".pose"}  # read as they are, nothing to find


class Pictures(ABC):
    """The pictures of a part of some media. Use it in a ``with``, and iterate once.

    width, height : of the first picture, in pixels
    fps : frames a second; of a folder the one that was given
    problem : "" or, after the last picture, one line on why there were fewer than announced
    """

    width: int
    height: int
    fps: float
    problem: str = ""

    @abstractmethod
    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yields (time_ms, rgb) with start <= time_ms < end; rgb is (H, W, 3) uint8."""

    @abstractmethod
    def close(self) -> None:
        """Lets go of the file."""

    def __enter__(self) -> "Pictures":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def open_pictures(
    media: Path, start_ms: int | None, end_ms: int | None, folder_fps: float
) -> Pictures:
    """Opens a video or a folder of frames. ValueError or OSError: one line on what is wrong.

    start_ms, end_ms : None = from the first, to the last picture
    folder_fps : frames a second of a folder, which does not say
    """
    if media.is_dir():
        return FramesOfFolder(media, start_ms, end_ms, folder_fps)
    return FramesOfVideo(media, start_ms, end_ms)


class FramesOfVideo(Pictures):
    """A part of a video file."""

    def __init__(self, media: Path, start_ms: int | None, end_ms: int | None) -> None:
        self._video = open_video(media)
        self._start, self._end = start_ms or 0, end_ms
        self._video.skip_to(self._start)
        info = self._video.info
        self.width, self.height, self.fps = info.width, info.height, info.fps

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        for time_ms, rgb in self._video:
            if self._end is not None and time_ms >= self._end:
                return
            if time_ms >= self._start:
                yield time_ms, rgb
        self.problem = self._video.problem

    def close(self) -> None:
        self._video.close()


class FramesOfFolder(Pictures):
    """A part of a folder of frames, in the order of the numbers in their names.

    Phoenix has its frames one folder further down (``NAME/1/``): that is looked into.
    """

    def __init__(
        self, media: Path, start_ms: int | None, end_ms: int | None, folder_fps: float
    ) -> None:
        frames = _frames_in(media)
        inner = [path for path in media.iterdir() if path.is_dir()]
        if not frames and len(inner) == 1:
            frames = _frames_in(inner[0])
        if not frames:
            raise ValueError(f"{media} holds no frames ({' '.join(sorted(FRAME_SUFFIXES))})")
        self.fps = folder_fps
        end = float("inf") if end_ms is None else end_ms
        times = [round(n * 1000 / folder_fps) for n in range(len(frames))]
        self._frames = [
            (time_ms, path)
            for time_ms, path in zip(times, frames, strict=True)
            if (start_ms or 0) <= time_ms < end
        ]
        self.height, self.width = _read_picture(frames[0]).shape[:2]

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        for time_ms, path in self._frames:
            yield time_ms, _read_picture(path)

    def close(self) -> None:
        self._frames = []


def _frames_in(folder: Path) -> list[Path]:
    frames = [path for path in folder.iterdir() if path.suffix.lower() in FRAME_SUFFIXES]
    return sorted(frames, key=lambda path: (_numbers(path.stem), path.name))


def _numbers(name: str) -> list[int]:
    """Frame 10 comes after frame 9, with or without leading zeros."""
    return [int(digits) for digits in re.findall(r"\d+", name)]


def _read_picture(path: Path) -> np.ndarray:
    """Shape (H, W, 3), uint8 RGB; ValueError where it is no picture."""
    cv2 = import_cv2()
    content = np.frombuffer(path.read_bytes(), np.uint8)
    bgr = cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
    if bgr is None:
        raise ValueError(f"{path} is not a picture, or is damaged")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
