"""What a session watches: sights in order of time, from pictures or from a keypoint file."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fingerpost.app.frame_rate import FrameRate
from fingerpost.edge_runtime.keypoints import KeypointFrame, KeypointSchema, PoseSequence


@dataclass(frozen=True)
class Sight:
    """What was seen at one moment.

    rgb : (H, W, 3) uint8, or None where nobody asked for it
    slow : one line for the user while there are too few sights a second, else ""
    found_ms : of wall time that it took to find the keypoints; 0 where they were given
    """

    time_ms: int
    rgb: np.ndarray | None
    keypoints: KeypointFrame
    slow: str = ""
    found_ms: float = 0.0


class Observer(Protocol):
    """A source being watched: sights in order of time, and what they are fractions of."""

    name: str
    live: bool  # a camera
    fps: float
    n_frames: int | None  # None: nobody knows (a camera)
    size: tuple[int, int]  # width, height in pixels; of keypoint files, what to draw them on
    aspect: float  # width over height
    schema: KeypointSchema

    @property
    def extractor(self) -> str: ...
    @property
    def problem(self) -> str: ...
    def poll(self) -> Sight | None: ...
    def ended(self) -> bool: ...
    def __iter__(self) -> Iterator[Sight]: ...
    def __enter__(self) -> "Observer": ...
    def __exit__(self, *error: object) -> None: ...


class KeypointObserver:
    """Watches a keypoint file, in the caller's thread: there is nothing to overlap."""

    DRAWN_HEIGHT = 480  # pixels of the empty picture that an overlay draws the keypoints on

    def __init__(self, name: str, sequence: "PoseSequence") -> None:
        self.name = name
        self.live = False
        self.fps = sequence.fps
        self.n_frames: int | None = len(sequence)
        self.size = (round(sequence.aspect * self.DRAWN_HEIGHT / 2) * 2, self.DRAWN_HEIGHT)
        self.schema = sequence.schema
        self.aspect = sequence.aspect
        self.extractor = sequence.extractor
        self.problem = ""
        self._waiting = deque(sequence.frames())
        self._people = PeopleSeen(name)
        self._rate = FrameRate(name, self.live)

    def __enter__(self) -> "KeypointObserver":
        return self

    def __exit__(self, *error: object) -> None:
        self._waiting.clear()

    def poll(self) -> Sight | None:
        if not self._waiting:
            return None
        keypoints = self._waiting.popleft()
        self._people.look(keypoints, self.schema)
        slow = self._rate.push(keypoints.time_ms)
        return Sight(keypoints.time_ms, None, keypoints, slow)

    def ended(self) -> bool:
        if not self._waiting:
            self._people.require()
        return not self._waiting

    def __iter__(self) -> Iterator[Sight]:
        while (sight := self.poll()) is not None:
            yield sight
        self.ended()


class PeopleSeen:
    """Whether a source has shown anybody so far: a body, or a hand."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.frames = 0
        self.frames_with_somebody = 0

    def look(self, keypoints: KeypointFrame, schema: KeypointSchema) -> None:
        groups = (schema.groups[group] for group in ("body", "left_hand", "right_hand"))
        self.frames += 1
        self.frames_with_somebody += any(keypoints.confidence[group].any() for group in groups)

    def require(self) -> None:
        """Raises ValueError where nobody was seen."""
        if not self.frames:
            raise ValueError(f"{self.name} has no pictures in it")
        if not self.frames_with_somebody:
            raise ValueError(
                f"nobody was seen in {self.name}; the signer's face, arms and hands must be in view"
            )
