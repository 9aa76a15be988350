"""One person in the picture is followed; whoever else a landmarker finds is nobody.

A landmarker that gives one person gives now this one and now that one where two are in the picture.
People do not jump: where the shoulders are suddenly elsewhere, or of another size, it is somebody
else. Who is followed stays; a larger and more central person takes over soon, any other one only
when who was followed has been away for long.
"""

from dataclasses import dataclass

import numpy as np

from fingerpost.edge_runtime.keypoints import SIGN69, KeypointFrame, KeypointSchema

JUMP = 0.75  # shoulder widths that a landmarker's error moves somebody from frame to frame, at most
WALK = 3.0  # shoulder widths a second: who walks fast
RESIZED = 1.6  # times as wide or as narrow from frame to frame: a turn of the body is slower
RESIZED_LATER = 1.0  # and so much more for each second without a frame
NARROWEST = 0.02  # picture heights; shoulders seen from the side
FORGET_S = 1.5  # what can happen in that time is known no better later


@dataclass(frozen=True)
class PersonSettings:
    """larger_person : who is so many times as large or as central takes over, after
        larger_person_ms
    other_person_ms : and who is not, after that
    away_ms : who was not seen for so long is somebody else on coming back; 0 = never, and nobody
        is told apart from anybody
    """

    larger_person: float = 1.2
    larger_person_ms: int = 200
    other_person_ms: int = 3000
    away_ms: int = 1500


@dataclass(frozen=True)
class _Body:
    """middle : of the shoulders, (2,); width : of them; both in picture heights; x : 0 to 1"""

    time_ms: int
    middle: np.ndarray
    width: float
    x: float

    @property
    def presence(self) -> float:
        """Its size; at the edge of the picture, half of it."""
        return self.width * (1 - abs(self.x - 0.5))


class OnePerson:
    """Push frames; out come those of who is followed.

    aspect : width over height of the picture
    schema : of the frames
    somebody_else : with the last frame, another person is followed than before
    """

    def __init__(
        self,
        aspect: float,
        settings: PersonSettings | None = None,
        schema: KeypointSchema = SIGN69,
    ) -> None:
        self._settings = settings or PersonSettings()
        self._shoulders = [schema.index(f"{side}_shoulder") for side in ("left", "right")]
        self._to_square = np.array([aspect, 1.0])
        self.reset()

    def reset(self) -> None:
        """The next person is followed."""
        self._followed: _Body | None = None
        self._rival: _Body | None = None
        self._rival_since = 0
        self.somebody_else = False

    def push(self, frame: KeypointFrame) -> KeypointFrame:
        """The frame, or one in which nobody is seen. A body without shoulders is who it was."""
        self.somebody_else = False
        if not self._settings.away_ms or not (frame.confidence[self._shoulders] > 0).all():
            return frame
        body, followed = self._body(frame), self._followed
        if followed is None:
            self._follow(body)
        elif self._nobody_since(body.time_ms) or self._takes_over(followed, body):
            self._follow(body)
            self.somebody_else = True
        elif self._rival is None:
            self._follow(body)
        else:
            return KeypointFrame(frame.time_ms, 0 * frame.xyz, 0 * frame.confidence)
        return frame

    def _follow(self, body: _Body) -> None:
        self._followed, self._rival = body, None

    def _nobody_since(self, now_ms: int) -> bool:
        """Whether the picture was empty for so long that anybody may have come."""
        seen_ms = [body.time_ms for body in (self._followed, self._rival) if body]
        return now_ms - max(seen_ms) > self._settings.away_ms

    def _takes_over(self, followed: _Body, body: _Body) -> bool:
        """Whether this is a rival who has been there for long enough. Notes who is one."""
        if _is_same(followed, body) and not (
            self._rival and _is_nearer(self._rival, followed, body)
        ):
            self._rival = None
            return False
        if self._rival is None or not _is_same(self._rival, body):
            self._rival_since = body.time_ms
        self._rival, settings = body, self._settings
        is_larger = body.presence > settings.larger_person * followed.presence
        enough_ms = settings.larger_person_ms if is_larger else settings.other_person_ms
        return body.time_ms - self._rival_since >= enough_ms

    def _body(self, frame: KeypointFrame) -> _Body:
        left, right = frame.xyz[self._shoulders, :2] * self._to_square
        middle = (left + right) / 2
        width = max(float(np.hypot(*(left - right))), NARROWEST)
        return _Body(frame.time_ms, middle, width, float(middle[0] / self._to_square[0]))


def _is_same(before: _Body, now: _Body) -> bool:
    """Whether somebody can have got from there to here."""
    seconds = min((now.time_ms - before.time_ms) / 1000, FORGET_S)
    moved, resized = _change(before, now)
    return moved <= JUMP + WALK * seconds and resized <= RESIZED + RESIZED_LATER * seconds


def _is_nearer(one: _Body, other: _Body, now: _Body) -> bool:
    """Whether this is more like one person than like the other, place and size together."""
    moved, resized = _change(one, now)
    moved_other, resized_other = _change(other, now)
    return moved + resized < moved_other + resized_other


def _change(before: _Body, now: _Body) -> tuple[float, float]:
    """The way in shoulder widths of the larger, and how many times as large or as small."""
    moved = float(np.hypot(*(now.middle - before.middle))) / max(before.width, now.width)
    return moved, max(now.width / before.width, before.width / now.width)
