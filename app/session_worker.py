"""A session in a thread of its own: a window takes what is newest, and never waits for it.

::

    thread "worker"      opens the source, runs the captioner -> one slot: the newest sight
    the window's thread  takes that sight, and all events since, from its clock

A sight that nobody took is replaced by the next one; an event is never lost. The other half of
``session.py``: nothing else of the app starts threads, but for the libraries that it calls.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, TypeVar

from fingerpost.app.freed_memory import give_back_freed_memory
from fingerpost.app.observer import Observer, Sight
from fingerpost.app.session import JOIN_S, Session, Step, StreamingCaptioner, VideoObserver
from fingerpost.app.tape import Tape
from fingerpost.edge_runtime.captions import CaptionEvent
from fingerpost.edge_runtime.keypoints import KeypointFrame

LONGEST_PAUSE_S = 1.0  # between two pictures of a video; a gap in its times is not sat through
RECENT = 50  # sights that rates and times are averaged over

T = TypeVar("T")


@dataclass(frozen=True)
class News:
    """What happened since the last look. sight : the newest one, None where there is no newer."""

    sight: Sight | None = None
    events: tuple[CaptionEvent, ...] = ()
    ended: bool = False


@dataclass(frozen=True)
class Pace:
    """How fast the worker is. sights_per_s : keypoints found
    found_ms : finding them in a picture, mean and most; model_ms : of a sight, mean and most
    n_replaced : sights that were not shown, because a newer one came first
    """

    sights_per_s: float
    found_ms: float
    most_found_ms: float
    model_ms: float
    most_model_ms: float
    n_replaced: int


class SessionWorker:
    """Runs a session until it ends or is stopped.

    open_session : opens source and pack; called in the worker, for it may take seconds
    after : the worker before, which was told to end: a camera is opened once it has let go of it
    """

    def __init__(
        self,
        open_session: Callable[[], AbstractContextManager[Session]],
        after: "SessionWorker | None" = None,
    ) -> None:
        self._open_session, self._after = open_session, after
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._sight: Sight | None = None  # the slot
        self._events: list[CaptionEvent] = []
        self._requests: deque[Callable[[Session], list[CaptionEvent]]] = deque()
        self._ended = False
        self._error: BaseException | None = None
        self._times_s: deque[float] = deque(maxlen=RECENT)
        self._found_ms: deque[float] = deque(maxlen=RECENT)
        self._model_ms: deque[float] = deque(maxlen=RECENT)
        self._n_replaced = 0
        self._tape: Tape | None = None  # while something is recorded
        self.observer: Observer | None = None  # once it is open
        self._thread = threading.Thread(target=self._work, name="worker", daemon=True)

    # ---- the window's thread ---------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def take(self) -> News:
        """What is new. Raises, once, what went wrong in the worker."""
        news, error = self.look()
        if error is not None:
            raise error
        return news

    def look(self) -> tuple[News, BaseException | None]:
        """What is new, and, once, what went wrong in the worker: for who goes on without it."""
        with self._lock:
            news = News(self._sight, tuple(self._events), self._ended)
            self._sight, self._events = None, []
            error, self._error = self._error, None
        return news, error

    def ask(self, request: Callable[[Session], list[CaptionEvent]]) -> None:
        """Has the worker do something with its session before the next sight."""
        with self._lock:
            self._requests.append(request)

    def begin_tape(self, pictures: bool = False) -> None:
        """From here on every sight is kept until ``end_tape``: its keypoints, and its picture
        where that is wanted."""
        with self._lock:
            self._tape = Tape(pictures)

    def taped(self) -> int:
        """How many sights are on the tape."""
        with self._lock:
            return 0 if self._tape is None else len(self._tape)

    def end_tape(self) -> Tape:
        """What was seen since ``begin_tape``; an empty tape without it."""
        with self._lock:
            tape, self._tape = self._tape or Tape(), None
        return tape

    def pace(self) -> Pace:
        with self._lock:
            times = list(self._times_s)
            found, models = list(self._found_ms), list(self._model_ms)
            n_replaced = self._n_replaced
        span_s = times[-1] - times[0] if len(times) > 1 else 0.0
        rate = (len(times) - 1) / span_s if span_s > 0 else 0.0
        return Pace(
            *(rate, _mean(found), max(found, default=0.0)),
            *(_mean(models), max(models, default=0.0), n_replaced),
        )

    def stop(self) -> None:
        """Ends the session, and waits for it; not for a camera that hangs in a read."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(JOIN_S)

    def abandon(self) -> None:
        """Ends the session without waiting for it, even where its camera hangs in a read."""
        self._stopping.set()
        if isinstance(self.observer, VideoObserver):
            self.observer.cancel()

    # ---- thread "worker" -------------------------------------------------------------------

    def _work(self) -> None:
        try:
            if self._after is not None:
                self._after.stop()
                self._after = None  # and so on, all the way back
            self._caption()
        finally:  # the session is over, and its thread ends: the next one has another
            give_back_freed_memory()

    def _caption(self) -> None:
        with _HandingOver(self._finish), self._open_session() as session:
            timed = session.captioner = TimedCaptioner(session.captioner)
            self.observer = session.observer
            if self._stopping.is_set():  # it was abandoned while the source opened
                return
            began_s = time.monotonic()
            for step in session:
                if step.sight is not None and not session.observer.live:
                    self._wait_until(began_s + step.sight.time_ms / 1000)
                if self._stopping.is_set():
                    return
                self._tape_it(step.sight)
                self._post(step, timed.last_ms)
                self._answer_requests(session)

    def _wait_until(self, moment_s: float) -> None:
        """A file is played at its own pace."""
        self._stopping.wait(min(max(moment_s - time.monotonic(), 0.0), LONGEST_PAUSE_S))

    def _tape_it(self, sight: Sight | None) -> None:
        """Not under the lock: a picture takes milliseconds to be made small, and a window waits."""
        with self._lock:
            tape = self._tape
        if tape is not None and sight is not None:
            tape.push(sight)

    def _post(self, step: Step, model_ms: float) -> None:
        with self._lock:
            self._events += step.events
            if step.sight is None:
                return
            self._n_replaced += self._sight is not None
            self._sight = step.sight
            self._times_s.append(time.monotonic())
            self._found_ms.append(step.sight.found_ms)
            self._model_ms.append(model_ms)

    def _answer_requests(self, session: Session) -> None:
        while True:
            with self._lock:
                request = self._requests.popleft() if self._requests else None
            if request is None:
                return
            events = request(session)
            with self._lock:
                self._events += events

    def _finish(self, error: BaseException | None) -> None:
        with self._lock:
            self._ended, self._error = True, error


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


class TimedCaptioner:
    """A captioner, and how long its last sight took it. last_ms : of wall time"""

    def __init__(self, captioner: StreamingCaptioner) -> None:
        self.captioner = captioner
        self.last_ms = 0.0

    def push(self, frame: KeypointFrame) -> list[CaptionEvent]:
        began_s = time.perf_counter()
        events = self.captioner.push(frame)
        self.last_ms = (time.perf_counter() - began_s) * 1000
        return events

    def flush(self) -> list[CaptionEvent]:
        return self.captioner.flush()


class Errand(Generic[T]):
    """Work of seconds that a window does not wait for: a download, speech.

    work : is given a function that takes how much is done, 0 to 1, and that raises ``Cancelled``
        once the errand is cancelled

    Poll ``ended`` from the window's clock, then take ``result``.
    """

    def __init__(self, work: Callable[[Callable[[float], None]], T]) -> None:
        self._work = work
        self._cancelled = threading.Event()
        self._done = threading.Event()
        self._results: list[T] = []
        self._error: BaseException | None = None
        self.progress = 0.0
        threading.Thread(target=self._run, name="errand", daemon=True).start()

    @property
    def ended(self) -> bool:
        return self._done.is_set()

    def result(self) -> T:
        """What the work returned; raises what it raised."""
        if not self._done.is_set():
            raise ValueError("this is not done yet; ask again when it has ended")
        if self._error is not None:
            raise self._error
        return self._results[0]

    def cancel(self) -> None:
        self._cancelled.set()

    def _run(self) -> None:
        with _HandingOver(self._finish):
            self._results.append(self._work(self._tell))

    def _tell(self, share: float) -> None:
        if self._cancelled.is_set():
            raise Cancelled
        self.progress = min(max(share, 0.0), 1.0)

    def _finish(self, error: BaseException | None) -> None:
        self._error = error
        self._done.set()


class Cancelled(Exception):
    """The user wants this no more."""


class _HandingOver:
    """What a thread runs in: tells at its end, with the error if one came.

    The error does not go on in the thread, where it would only be printed.
    """

    def __init__(self, finish: Callable[[BaseException | None], None]) -> None:
        self._tell_finished = finish

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self._tell_finished(error)
        return error is not None
