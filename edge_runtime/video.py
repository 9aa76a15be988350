"""Pictures in from video files and cameras, and out to video files. OpenCV stays in here.

    with open_video("signing.mp4") as video:
        for time_ms, rgb in video:  # rgb : (H, W, 3) uint8
            ...

A file that was cut off in the middle is read as far as it goes; ``Video.problem`` then says so in
one line. A phone's rotation mark is honoured: pictures come upright, and so does ``info``.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

import numpy as np

SMALLEST_SIDE = 64  # pixels; less than that and no hand can be made out
SANE_FPS = (1.0, 240.0)  # files without an even rate claim 0, 1000 or 90000
ASSUMED_FPS = 30.0
MOST_FRAMES = 10_000_000  # a count above that is a file's way to say "unknown"
SEEK_MARGIN_MS = 1000  # how much earlier than wanted to jump: an uneven rate throws jumps off
MOST_CAMERAS = 100  # OpenCV reads the hundreds of a camera's number as the driver to use
CODECS = {".mp4": "mp4v", ".mov": "mp4v", ".avi": "MJPG"}  # what OpenCV's wheels can write

_SOUND_MARKS = (b"ID3", b"OggS", b"fLaC", b"\xff\xfb", b"\xff\xf3", b"\xff\xf1", b"#!AMR")
_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video before it is read. frames, duration_ms : 0 where unknown."""

    width: int
    height: int
    fps: float
    frames: int
    duration_ms: int


class Video:
    """Pictures with their times, once through. Made by ``open_video`` and ``open_camera``.

    problem : "" or, once the pictures are through, one line on why there were fewer than announced
    """

    def __init__(self, capture: Any, name: str, live: bool) -> None:
        self.name = name
        self.problem = ""
        self._capture = capture
        self._live = live
        self._started = time.monotonic()
        self._ahead: list[tuple[float, np.ndarray]] = []  # (ms, rgb), read to learn size and rate
        first = self._read()
        if first is None:
            self.close()
            raise ValueError(f"{name} gives no picture that can be decoded")
        self._ahead.append(first)
        height, width = first[1].shape[:2]
        if min(width, height) < SMALLEST_SIDE:
            self.close()
            raise ValueError(
                f"{name} has pictures of {width}x{height} pixels; no hand can be made out in "
                f"less than {SMALLEST_SIDE}x{SMALLEST_SIDE}"
            )
        self.info = self._make_info(width, height)

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yields (time_ms, rgb): times rise strictly, rgb is (H, W, 3) uint8."""
        step_ms, last_ms, count = 1000 / self.info.fps, -1.0, 0
        while (read := self._ahead.pop(0) if self._ahead else self._read()) is not None:
            ms, rgb = read
            if round(ms) <= round(last_ms):  # some containers repeat a time, or have none at all
                ms = max(last_ms + step_ms, 0) if count else 0.0
            last_ms, count = ms, count + 1
            yield round(ms), rgb
        if self._live:
            self.problem = f"{self.name} stopped giving pictures; is it still plugged in?"
        # Both, because files with an uneven rate announce more pictures than they have.
        few = count < 0.95 * self.info.frames - 2
        if few and last_ms < 0.95 * self.info.duration_ms - 2 * step_ms:
            self.problem = (
                f"{self.name} breaks off after {last_ms / 1000:.1f} of "
                f"{self.info.duration_ms / 1000:.1f} s: the file was cut short or is damaged there"
            )

    def skip_to(self, time_ms: int) -> None:
        """Jumps to about a second before a time, so that the pictures from there on soon come.

        Call it before the first picture is taken. Pictures and their times are those of a video
        that was read from its start; where a jump does not land well, it is read from there.
        """
        cv2 = import_cv2()
        if self._live or time_ms <= self._ahead[-1][0] + SEEK_MARGIN_MS:
            return
        self._capture.set(cv2.CAP_PROP_POS_MSEC, time_ms - SEEK_MARGIN_MS)
        landed = self._read()
        if landed is None or not 0 < landed[0] <= time_ms:  # 0: the file has no times at all
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
            landed = self._read()
        self._ahead = [] if landed is None else [landed]

    def at(self, time_ms: float) -> np.ndarray | None:
        """The picture near a time, (H, W, 3) uint8; None past the end. For single pictures of a
        long file: it moves to them, so what is iterated afterwards goes on from there."""
        cv2 = import_cv2()
        self._ahead.clear()
        self._capture.set(cv2.CAP_PROP_POS_MSEC, time_ms)
        read = self._read()
        return None if read is None else read[1]

    def close(self) -> None:
        self._capture.release()

    def __enter__(self) -> "Video":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self) -> tuple[float, np.ndarray] | None:
        cv2 = import_cv2()
        found, bgr = self._capture.read()
        if not found or bgr is None:
            return None
        if self._live:
            ms = (time.monotonic() - self._started) * 1000
        else:
            ms = self._capture.get(cv2.CAP_PROP_POS_MSEC)  # of the picture just read
        return ms, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)

    def _make_info(self, width: int, height: int) -> VideoInfo:
        cv2 = import_cv2()
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        told = SANE_FPS[0] <= fps <= SANE_FPS[1]
        if not told:
            fps = ASSUMED_FPS if self._live else self._measured_fps()
        frames = round(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        if self._live or not told or not 0 < frames < MOST_FRAMES:  # FFmpeg counts by its rate
            frames = 0
        return VideoInfo(width, height, fps, frames, round(frames * 1000 / fps))

    def _measured_fps(self) -> float:
        """The rate of the first pictures, for files that do not tell theirs."""
        while len(self._ahead) < 6 and (read := self._read()) is not None:
            self._ahead.append(read)
        steps_ms = np.diff([ms for ms, _ in self._ahead])
        fps = 1000 / max(float(np.median(steps_ms)), 1e-3) if len(steps_ms) else 0.0
        return fps if SANE_FPS[0] <= fps <= SANE_FPS[1] else ASSUMED_FPS


def open_video(path: str | Path) -> Video:
    """Opens a video file. FileNotFoundError, or ValueError with one line on what is wrong."""
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    if not path.is_file():
        raise ValueError(f"{path} is not a file; give the path of one video")
    cv2 = import_cv2()
    # FFmpeg by name: OpenCV would also try the path as an image sequence and as a device.
    capture = cv2.VideoCapture(str(path.resolve()), _file_backend(cv2))
    if not capture.isOpened():
        raise ValueError(f"{path} {_why_unreadable(path)}")
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    return Video(capture, str(path), live=False)


def open_camera(number: int, width: int = 640, height: int = 480) -> Video:
    """Opens a camera; it may give another size than the one asked for: see ``info``."""
    absent = f"there is no camera {number}, or this user may not open it; see `fingerpost doctor`"
    if not 0 <= number < MOST_CAMERAS:
        raise ValueError(absent)
    cv2 = import_cv2()
    capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        raise ValueError(absent)
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
    return Video(capture, f"camera {number}", live=True)


class VideoWriter:
    """Writes a video beside its final place and moves it there when the ``with`` ends well."""

    def __init__(self, path: Path, fps: float, size: tuple[int, int]) -> None:
        self._path, self._size = path, size
        self._part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
        cv2 = import_cv2()
        code = cv2.VideoWriter.fourcc(*CODECS[path.suffix.lower()])
        self._writer = cv2.VideoWriter(str(self._part), code, fps, size)
        if not self._writer.isOpened():
            self._discard()
            raise ValueError(f"cannot write a video of {size[0]}x{size[1]} pixels to {path}")

    def write(self, rgb: np.ndarray) -> None:
        """Adds a picture, (H, W, 3) uint8 of the size that was announced."""
        if rgb.shape != (self._size[1], self._size[0], 3):  # OpenCV would drop it without a word
            raise ValueError(f"expected pictures of {self._size[::-1]}, got {rgb.shape[:2]}")
        self._writer.write(np.ascontiguousarray(rgb[:, :, ::-1]))

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.release()
        if kind is None:
            os.replace(self._part, self._path)
        else:
            self._discard()

    def _discard(self) -> None:
        with suppress(FileNotFoundError):
            self._part.unlink()


def write_video(path: str | Path, fps: float, size: tuple[int, int]) -> VideoWriter:
    """A context manager with ``write(rgb)``; size is (width, height). Nothing is left by halves."""
    path = Path(path)
    if path.suffix.lower() not in CODECS:
        raise ValueError(f"cannot write a video as {path.name}; end its name in {list(CODECS)}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} into")
    return VideoWriter(path, fps, size)


def import_cv2() -> ModuleType:
    """OpenCV, told to keep its log and FFmpeg's to itself: errors here are ours to word."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
    try:
        import cv2
    except ModuleNotFoundError as error:
        raise ValueError(
            'reading video needs OpenCV, which is not installed: pip install "fingerpost[app]"'
        ) from error
    return cv2


def _file_backend(cv2: ModuleType) -> int:
    has_ffmpeg = cv2.CAP_FFMPEG in cv2.videoio_registry.getStreamBackends()
    return cv2.CAP_FFMPEG if has_ffmpeg else cv2.CAP_ANY  # Jetson's own OpenCV has GStreamer


def _why_unreadable(path: Path) -> str:
    """The end of a sentence that began with the path of a file that OpenCV would not open."""
    with path.open("rb") as file:
        head = file.read(12)
        if not head:
            return "is empty"
        if head[4:8] in _MP4_BOXES:
            return _why_mp4_unreadable(file)
    if head.startswith(_SOUND_MARKS) or (head[:4] == b"RIFF" and head[8:12] == b"WAVE"):
        return "has sound but no pictures"
    return "is not a video, or of a kind that cannot be read here; try to convert it to mp4"


def _why_mp4_unreadable(file: Any) -> str:
    """Walks the boxes of an mp4 file: the index (moov) is missing, or lists no pictures."""
    end, at = os.fstat(file.fileno()).st_size, 0
    while at + 8 <= end:
        file.seek(at)
        size, kind = int.from_bytes(file.read(4), "big"), file.read(4)
        if size == 1:  # the size did not fit into 32 bits
            size = int.from_bytes(file.read(8), "big")
        if kind == b"moov":
            index = file.read(min(size, 1 << 24))
            if at + size > end:
                break
            if b"hdlr" in index and b"vide" not in index:
                return "has sound but no pictures"
            return "holds video of a kind that cannot be read here; try to convert it"
        if size < 8:  # 0: up to the end of the file
            break
        at += size
    return (
        "was cut off before its index was written (its last part, 'moov', is missing): "
        "copy it again, or stop the recording properly"
    )
