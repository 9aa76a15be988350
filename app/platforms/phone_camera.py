"""What the cameras of phones share: pictures from a thread of the phone, the newest is kept."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np

from fingerpost.app.session import Channel
from fingerpost.edge_runtime.video import ASSUMED_FPS, VideoInfo

BACK, FRONT = 0, 1  # the numbers of a phone's cameras, on both systems
FIRST_S = 60.0  # until the first picture: whoever holds the phone may be asked first
LOOK_S = 0.02  # between two looks whether it came


class PhoneCamera(ABC):
    """Used as ``open_video`` is: pictures with their times, until it is closed.

    ``begin`` and ``end`` are what a phone fills in. ``take`` is given the pictures, from whatever
    thread the phone has for them; one that nobody took is replaced by the next.

    number : BACK or FRONT; problem : one line on why no more pictures come
    """

    def __init__(self, number: int) -> None:
        if number not in (BACK, FRONT):
            raise ValueError(f"a phone has camera 0 at its back and 1 at its front, no {number}")
        self.number, self.name = number, f"camera {number}"
        self.problem = ""
        self._pictures: Channel[tuple[int, np.ndarray]] = Channel(1, drop_oldest=True)
        self._began_s = time.monotonic()
        self._shape: tuple[int, ...] | None = None  # of the first picture, and so of all

    @abstractmethod
    def begin(self) -> None:
        """Has pictures come. ValueError, in one line, where the phone gives none."""

    @abstractmethod
    def end(self) -> None:
        """No picture comes any more. Also after a ``begin`` that failed."""

    def take(self, rgb: np.ndarray) -> None:
        """A picture came. rgb : (H, W, 3) uint8, upright"""
        if self._shape is None:
            self._shape = rgb.shape
        elif rgb.shape != self._shape:
            self.problem = "the phone was turned; start the camera again"
            self._pictures.finish()
            return
        self._pictures.put((round((time.monotonic() - self._began_s) * 1000), rgb))

    def fail(self, error: Exception) -> None:
        """From the phone's thread, where nobody would see it: it is raised where pictures go."""
        self._pictures.finish(error)

    def __enter__(self) -> "PhoneCamera":
        try:
            self.begin()
            height, width = self._first_shape()
        except (ValueError, OSError):
            self.end()
            raise
        self.info = VideoInfo(width, height, ASSUMED_FPS, 0, 0)
        return self

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yields (time_ms, rgb): times rise strictly."""
        last_ms = -1
        for time_ms, rgb in self._pictures:
            last_ms = max(time_ms, last_ms + 1)
            yield last_ms, rgb

    def __exit__(self, *error: object) -> None:
        self._pictures.cancel()
        self.end()

    def _first_shape(self) -> tuple[int, int]:
        """Height and width of the first picture, which is not taken yet."""
        until_s = time.monotonic() + FIRST_S
        while self._shape is None:
            if self._pictures.ended or time.monotonic() > until_s:
                raise ValueError(f"{self.name} gives no picture; does another app use it?")
            time.sleep(LOOK_S)
        return self._shape[0], self._shape[1]
