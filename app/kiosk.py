"""What a kiosk does when: a machine of states without window, camera, threads or clock.

Events and times go in, actions come out, and ``view`` says what is to be seen:

==============  ===========================================================
``choose_pin``  nobody has set a PIN yet
``attract``     nobody is here: the clip that shows how to stand
``talk``        somebody is: the picture and the captions
==============  ===========================================================

Over each of them the PIN may be asked for. Beside that runs the pipeline (camera, landmarks,
captions): down, starting, or running. All times are milliseconds of one clock that never goes back.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from fingerpost.edge_runtime.keypoints import KeypointFrame, KeypointSchema

CHOOSE_PIN, ATTRACT, TALK = "choose_pin", "attract", "talk"  # views
DOWN, STARTING, RUNNING = "down", "starting", "running"  # the pipeline
NEAR = 0.12  # picture heights from shoulder to shoulder: about 3 m away; who is smaller walks past
NECK = 1.0  # shoulder widths from nose to shoulders, about; for who stands sideways


class Action(Enum):
    """What is to be done."""

    START = "start the pipeline"
    STOP = "stop the pipeline, without waiting for it"
    WIPE = "forget everything of the person who was here"
    LEAVE = "end: somebody with the PIN wants it"
    GIVE_UP = "end with an error, for the system to start the program anew"


@dataclass(frozen=True)
class Seen:
    """A picture was looked at. somebody : stands near; other : not who was here before"""

    somebody: bool
    other: bool = False


@dataclass(frozen=True)
class Lost:
    """The pipeline has ended. why : one line"""

    why: str


@dataclass(frozen=True)
class Touched:
    """Somebody touches the screen, or presses a key."""


@dataclass(frozen=True)
class Finished:
    """Who is here wants it all forgotten now."""


@dataclass(frozen=True)
class Replying:
    """Somebody who hears types a reply, and may lean into the picture for that."""


@dataclass(frozen=True)
class LanguageChosen:
    """Who is here wants the screen in another language, until they are forgotten."""

    language: str


@dataclass(frozen=True)
class PackReplaced:
    """There is another pack than the one that captions."""


@dataclass(frozen=True)
class AskedToLeave:
    """The gesture or the keys that bring up the PIN."""


@dataclass(frozen=True)
class PinGiven:
    right: bool


@dataclass(frozen=True)
class PinChosen:
    """There is a PIN from now on."""


@dataclass(frozen=True)
class PinPutAway:
    """Who was asked for the PIN does not want to leave after all."""


Event = (
    Seen
    | Lost
    | Touched
    | Finished
    | Replying
    | LanguageChosen
    | PackReplaced
    | AskedToLeave
    | PinGiven
    | PinChosen
    | PinPutAway
)


@dataclass(frozen=True)
class KioskTimes:
    """arrive_ms : somebody stands there for so long: it wakes
    gap_ms : and may be lost by the landmarker for so long meanwhile
    absent_ms : nobody for so long: it forgets, and attracts
    starting_ms : the pipeline may take so long to its first picture
    silent_ms : and so long from one to the next; a camera that hangs says nothing
    retry_ms : from a pipeline's end to the next try
    pin_ms : the PIN is asked for so long, from the last touch
    reply_ms : for so long from the last letter of a reply nobody is somebody else: who types leans
        into the picture, and the signer comes back into it
    """

    arrive_ms: int = 500
    gap_ms: int = 300
    absent_ms: int = 30_000
    starting_ms: int = 30_000
    silent_ms: int = 3_000
    retry_ms: int = 1_000
    pin_ms: int = 20_000
    reply_ms: int = 15_000


MOST_TRIES = 5  # wrong PINs, before nobody is asked for a while
LOCKED_MS = 60_000
MOST_HANGS = 5  # each may leave a thread behind that hangs in a driver
HANG_FORGOTTEN_MS = 10 * 60_000  # a hang so long ago counts no more


class Kiosk:
    """``push`` an event or ``tick``, do what comes out, show ``view``.

    has_pin : False has the PIN chosen first
    asking : the PIN is asked for, over the view
    trouble : why there is no picture, one line; "" while there is one, or it starts the first time
    language : that the visitor chose; "" for the one that is set
    """

    def __init__(self, has_pin: bool, times: KioskTimes | None = None) -> None:
        self.times = times or KioskTimes()
        self.view = ATTRACT if has_pin else CHOOSE_PIN
        self.asking = False
        self.pipeline = DOWN
        self.trouble = self.language = ""
        self.n_visitors = self.n_wipes = self.n_starts = self.n_losses = self.n_hangs = 0
        self.last_sight_ms: int | None = None
        self._changed_ms = 0  # when the pipeline was started, or when to try it again
        self._hangs_ms: list[int] = []
        self._here_since_ms: int | None = None
        self._here_ms = 0  # somebody was here last
        self._touched_ms = 0
        self._replied_ms: int | None = None
        self._tries = 0
        self._locked_until_ms = 0
        self._pack_waits = False

    def locked_ms(self, now_ms: int) -> int:
        """For how long no PIN is taken any more, after too many wrong ones."""
        return max(0, self._locked_until_ms - now_ms)

    def tick(self, now_ms: int) -> tuple[Action, ...]:
        """What is due at a time."""
        return (*self._tick_pipeline(now_ms), *self._tick_view(now_ms))

    def push(self, event: Event, now_ms: int) -> tuple[Action, ...]:
        """What an event brings about."""
        match event:
            case Seen(somebody, other):
                return self._see(somebody, other, now_ms)
            case Lost(why):
                return self._lose(why, now_ms)
            case Touched():
                return self._touch(now_ms)
            case Finished():
                return self._forget() if self.view == TALK else ()
            case Replying():
                if self.view == TALK:
                    self._replied_ms = self._touched_ms = now_ms
            case LanguageChosen(language):
                self.language = language if self.view == TALK else ""
            case PackReplaced():
                self._pack_waits = True
            case AskedToLeave():
                self._ask(now_ms)
            case PinGiven(right):
                return self._take_pin(right, now_ms)
            case PinChosen():
                self.view = ATTRACT if self.view == CHOOSE_PIN else self.view
            case PinPutAway():
                self.asking = False
        return ()

    # ---- the pipeline ----------------------------------------------------------------------

    def _tick_pipeline(self, now_ms: int) -> tuple[Action, ...]:
        times, since_ms = self.times, now_ms - self._changed_ms
        if self.pipeline == DOWN:
            return self._start(now_ms) if since_ms >= 0 else ()
        if self.pipeline == STARTING and since_ms > times.starting_ms:
            return self._hang(f"no picture within {times.starting_ms / 1000:g} s", now_ms)
        silent_ms = now_ms - (self.last_sight_ms or 0)
        if self.pipeline == RUNNING and silent_ms > times.silent_ms:
            return self._hang(f"no picture for {times.silent_ms / 1000:g} s", now_ms)
        if self._pack_waits and self.view != TALK and self._here_since_ms is None:
            self.pipeline, self._changed_ms = DOWN, now_ms
            return (Action.STOP, *self._start(now_ms))
        return ()

    def _start(self, now_ms: int) -> tuple[Action, ...]:
        self.pipeline, self._changed_ms = STARTING, now_ms
        self._pack_waits = False
        self.n_starts += 1
        return (Action.START,)

    def _lose(self, why: str, now_ms: int) -> tuple[Action, ...]:
        if self.pipeline == DOWN:
            return ()
        self.pipeline, self._changed_ms = DOWN, now_ms + self.times.retry_ms
        self.trouble = why
        self.n_losses += 1
        return (Action.STOP,)

    def _hang(self, why: str, now_ms: int) -> tuple[Action, ...]:
        self.n_hangs += 1
        self._hangs_ms = [ms for ms in self._hangs_ms if now_ms - ms < HANG_FORGOTTEN_MS]
        self._hangs_ms.append(now_ms)
        stop = self._lose(why, now_ms)
        return (*stop, Action.GIVE_UP) if len(self._hangs_ms) >= MOST_HANGS else stop

    # ---- who is here -----------------------------------------------------------------------

    def _see(self, somebody: bool, other: bool, now_ms: int) -> tuple[Action, ...]:
        if self.pipeline != DOWN:
            self.pipeline, self.trouble = RUNNING, ""
        self.last_sight_ms = now_ms
        if not somebody:
            if now_ms - self._here_ms > self.times.gap_ms:
                self._here_since_ms = None
            return ()
        if self._here_since_ms is None or now_ms - self._here_ms > self.times.absent_ms:
            self._here_since_ms = now_ms
        self._here_ms = now_ms
        if self.view == TALK and other and not self._replying(now_ms):
            self._forget()
            return self._wake(now_ms)
        arrived = now_ms - self._here_since_ms >= self.times.arrive_ms
        return self._wake(now_ms) if self.view == ATTRACT and arrived else ()

    def _touch(self, now_ms: int) -> tuple[Action, ...]:
        self._touched_ms = now_ms
        return self._wake(now_ms) if self.view == ATTRACT and not self.asking else ()

    def _wake(self, now_ms: int) -> tuple[Action, ...]:
        """The way in wipes too: what passers-by signed from afar is not the visitor's."""
        self.view, self._here_ms, self.language = TALK, now_ms, ""
        self.n_visitors += 1
        return (Action.WIPE,)

    def _forget(self) -> tuple[Action, ...]:
        self.view, self._here_since_ms, self.language = ATTRACT, None, ""
        self._replied_ms = None
        self.n_wipes += 1
        return (Action.WIPE,)

    def _replying(self, now_ms: int) -> bool:
        return self._replied_ms is not None and now_ms - self._replied_ms < self.times.reply_ms

    def _tick_view(self, now_ms: int) -> tuple[Action, ...]:
        if self.asking and now_ms - self._touched_ms > self.times.pin_ms:
            self.asking = False
        last_ms = max(self._here_ms, self._touched_ms)
        away = now_ms - last_ms >= self.times.absent_ms
        return self._forget() if self.view == TALK and away else ()

    # ---- the way out -----------------------------------------------------------------------

    def _ask(self, now_ms: int) -> None:
        if self.view != CHOOSE_PIN:
            self.asking, self._touched_ms = True, now_ms

    def _take_pin(self, right: bool, now_ms: int) -> tuple[Action, ...]:
        if not self.asking or self.locked_ms(now_ms):
            return ()
        self._touched_ms = now_ms
        if right:
            self._tries, self.asking = 0, False
            return (Action.LEAVE,)
        self._tries += 1
        if self._tries >= MOST_TRIES:
            self._tries, self._locked_until_ms, self.asking = 0, now_ms + LOCKED_MS, False
        return ()


def stands_here(frame: KeypointFrame, schema: KeypointSchema, aspect: float) -> bool:
    """Whether somebody stands near enough to be talked with, also sideways.

    aspect : width over height of the picture
    """
    nose, left, right = (schema.index(name) for name in ("nose", "left_shoulder", "right_shoulder"))
    if not (frame.confidence[[left, right]] > 0).all():
        return False
    points = frame.xyz[:, :2] * np.array([aspect, 1.0])  # in picture heights
    size = np.linalg.norm(points[left] - points[right])
    if frame.confidence[nose] > 0:
        neck = points[nose] - (points[left] + points[right]) / 2
        size = max(size, np.linalg.norm(neck) / NECK)
    return bool(size >= NEAR)
