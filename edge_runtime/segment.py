"""Is somebody signing, where may a sign begin or end, where does a sentence end?

Rules on the hands alone, cheap enough for every frame: a hand is *up* when it is seen above the
rest line and not at rest; signs touch where the hands are slowest. Whether a stretch between two
such points is a sign, and which, the recogniser says (decode.py).

No decision waits for more than ``LOOK_AHEAD_MS`` of later frames.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from fingerpost.edge_runtime.keypoints import HANDS, KeypointFrame, KeypointSchema
from fingerpost.edge_runtime.preprocess import NOMINAL_SHOULDERS, SHOULDERS_PER_PALM

LOOK_AHEAD_MS = 160
NARROWEST = 0.02  # shoulder width in picture heights: a signer who stands sideways has some too


@dataclass(frozen=True)
class SegmentSettings:
    """Lengths are in shoulder widths, speeds in shoulder widths a second."""

    rest_line: float = 1.15  # a wrist lower than this under the shoulders is at rest
    min_up_ms: int = 120  # hands that are up and move for less are no signing
    min_rest_ms: int = 480  # hands down for this long end the sentence
    still_speed: float = 0.25  # slower than this is still
    max_still_ms: int = 1400  # hands up but still for this long end the sentence
    min_sign_ms: int = 200  # signs' boundaries are at least this far apart
    slow: float = 0.85  # a slowest point counts if the hands are faster around it by this factor


@dataclass(frozen=True)
class SigningStarted:
    """Hands went up at ``time_ms``: the first boundary of a sentence."""

    time_ms: int


@dataclass(frozen=True)
class Boundary:
    """A sign may end, and another begin, at ``time_ms``."""

    time_ms: int


@dataclass(frozen=True)
class SigningEnded:
    """The hands came to rest at ``time_ms``: the last boundary of a sentence."""

    time_ms: int


SegmentEvent = SigningStarted | Boundary | SigningEnded


class Segmenter:
    """Push frames of an even rate; out come the events of above, in order of time."""

    def __init__(
        self,
        schema: KeypointSchema,
        fps: float,
        aspect: float,
        settings: SegmentSettings | None = None,
    ) -> None:
        self.settings = settings or SegmentSettings()
        self._hands = [schema.groups[hand] for hand in HANDS]
        self._shoulders = [schema.index(f"{side}_shoulder") for side in ("left", "right")]
        self._to_square = np.array([aspect, 1.0])
        self._fps = fps
        look_ahead = max(1, round(LOOK_AHEAD_MS * fps / 1000))  # frames
        self._around = 2 * look_ahead + 1  # frames that decide whether the middle one is slowest
        self.reset()

    def reset(self) -> None:
        """Forgets everything, the signer's proportions too."""
        self._body: tuple[np.ndarray, float] | None = None  # shoulders' middle (2,), width
        self._tips: list[np.ndarray | None] = [None, None]
        self._speeds: deque[tuple[int, float]] = deque(maxlen=self._around)
        self._signing = False
        self._down_since: int | None = None
        self._still_since: int | None = None
        self._moving_since: int | None = None
        self._last_boundary = 0

    def push(self, frame: KeypointFrame) -> list[SegmentEvent]:
        """The events that this frame decides."""
        self._measure_body(frame)
        up, speed = self._hands_up(frame)
        self._speeds.append((frame.time_ms, speed if up else 0.0))
        self._note_rest(frame.time_ms, up, speed)
        if not self._signing:
            return self._maybe_start(frame.time_ms)
        if (ended := self._rest_began()) is not None and self._rested_long_enough(frame.time_ms):
            return [self._end(max(ended, self._last_boundary))]
        return self._maybe_boundary()

    def flush(self) -> list[SegmentEvent]:
        """The end of the stream ends the sentence that is open."""
        if not self._signing:
            return []
        last = self._speeds[-1][0]
        rest = self._down_since if self._down_since is not None else last
        return [self._end(max(rest, self._last_boundary))]

    def _maybe_start(self, now: int) -> list[SegmentEvent]:
        """Hands that are up and have begun to move; folded hands that lie in view are at rest."""
        began = self._moving_since
        if began is None or now - began < self.settings.min_up_ms:
            return []
        self._signing = True
        self._last_boundary = began
        return [SigningStarted(began)]

    def _maybe_boundary(self) -> list[SegmentEvent]:
        """A boundary in the middle of the look-ahead, if the hands were slowest there."""
        if len(self._speeds) < self._around:
            return []
        middle = len(self._speeds) // 2
        time_ms, speed = self._speeds[middle]
        before = [s for _, s in list(self._speeds)[:middle]]
        after = [s for _, s in list(self._speeds)[middle + 1 :]]
        slowest = speed < min(before, default=speed) and speed <= min(after)
        faster_around = speed < self.settings.slow * min(max(before), max(after))
        far_enough = time_ms - self._last_boundary >= self.settings.min_sign_ms
        if not (slowest and faster_around and far_enough):
            return []
        self._last_boundary = time_ms
        return [Boundary(time_ms)]

    def _end(self, time_ms: int) -> SigningEnded:
        self._signing = False
        self._down_since = self._still_since = self._moving_since = None
        return SigningEnded(time_ms)

    def _note_rest(self, now: int, up: bool, speed: float) -> None:
        """Since when the hands are down; or up and still; or up and moving."""
        still = speed < self.settings.still_speed
        self._down_since = None if up else _first(self._down_since, now)
        if up:
            self._still_since = _first(self._still_since, now) if still else None
        self._moving_since = _first(self._moving_since, now) if up and not still else None

    def _rest_began(self) -> int | None:
        return self._down_since if self._down_since is not None else self._still_since

    def _rested_long_enough(self, now: int) -> bool:
        down, still = self._down_since, self._still_since
        return (down is not None and now - down >= self.settings.min_rest_ms) or (
            still is not None and now - still >= self.settings.max_still_ms
        )

    def _measure_body(self, frame: KeypointFrame) -> None:
        """Follows the shoulders slowly: they give the unit of length and the rest line."""
        left, right = (frame.xyz[k, :2] * self._to_square for k in self._shoulders)
        if frame.confidence[self._shoulders].all():
            middle = (left + right) / 2
            width = max(float(np.linalg.norm(left - right)), NARROWEST)
            if self._body is None:
                self._body = middle, width
            else:
                keep = 0.95
                self._body = (
                    keep * self._body[0] + (1 - keep) * middle,
                    keep * self._body[1] + (1 - keep) * width,
                )

    def _hands_up(self, frame: KeypointFrame) -> tuple[bool, float]:
        """Is a hand above the rest line, and how fast is the fastest one that is?"""
        up, fastest = False, 0.0
        for i, points in enumerate(self._hands):
            if not frame.confidence[points].any():
                self._tips[i] = None
                continue
            hand = frame.xyz[points, :2] * self._to_square
            middle, width = self._body or self._guess_body(hand)
            now = hand[[0, 4, 8, 12, 20]]  # wrist and fingertips
            before, self._tips[i] = self._tips[i], now
            if (hand[0, 1] - middle[1]) / width < self.settings.rest_line:
                up = True
                if before is not None:
                    step = np.linalg.norm(now - before, axis=-1).mean() / width
                    fastest = max(fastest, float(step) * self._fps)
        return up, fastest

    def _guess_body(self, hand: np.ndarray) -> tuple[np.ndarray, float]:
        """Where no shoulders are seen: their usual place, a width guessed from the palm."""
        width = max(float(np.linalg.norm(hand[9] - hand[0])) * SHOULDERS_PER_PALM, 0.2)
        return np.array(NOMINAL_SHOULDERS) * self._to_square, width


def _first(since: int | None, now: int) -> int:
    """When something began that goes on now."""
    return now if since is None else since
