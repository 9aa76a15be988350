"""A kiosk at work, without its window: does what the machine says, and keeps nothing of anybody.

Called from one thread, with the time; the pipeline runs in a ``SessionWorker``. Whatever goes wrong
in there becomes a ``Lost``, is shown, and the pipeline is started anew. No history is opened, so
neither a locked database nor a full disk is any matter; of the log see ``kiosk_log``.
"""

import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from fingerpost.app.caption_language import write_in
from fingerpost.app.conversation import SIGNED, TYPED, Conversation, Entry
from fingerpost.app.kiosk import (
    DOWN,
    TALK,
    Action,
    Event,
    Kiosk,
    Lost,
    PackReplaced,
    PinChosen,
    PinGiven,
    Replying,
    Seen,
    stands_here,
)
from fingerpost.app.kiosk_board import BoardWatch
from fingerpost.app.kiosk_health import Health, Snapshot
from fingerpost.app.kiosk_log import KioskLog
from fingerpost.app.kiosk_pack import PackWatch
from fingerpost.app.kiosk_pin import PinFile
from fingerpost.app.observer import Observer, Sight
from fingerpost.app.session import Session
from fingerpost.app.session_worker import News, SessionWorker
from fingerpost.edge_runtime.captions import CaptionEvent, Line, LineCompleted
from fingerpost.edge_runtime.one_person import OnePerson, PersonSettings

GAVE_UP = 1  # exit code
# What the worker says once it has forgotten: in the row of its events, so that all before this one
# are known to be of who was here before.
WIPED = LineCompleted(-1, Line("", (), (), 0, 0, 0.0))
DROPPED = LineCompleted(-2, Line("", (), (), 0, 0, 0.0))  # the open line is not meant any more
OpenSession = Callable[[], AbstractContextManager[Session]]


class KioskRunner:
    """``tick`` it from a clock, ``push`` what people do, draw the machine's view.

    open_session : opens source and pack, in the worker
    beat : called with the time at every tick; for a watchdog outside
    board : asks a Jetson how it is; None on anything else
    language : that is set; captions are in it, or in the visitor's own, where the pack writes them
    sight, observer : what the camera saw last; None while nobody may see it
    exit_code : None until it is time to end
    """

    def __init__(
        self,
        machine: Kiosk,
        open_session: OpenSession,
        pin: PinFile,
        log: KioskLog,
        health: Health,
        pack: PackWatch | None = None,
        pack_name: str = "",
        beat: Callable[[int], None] = lambda now_ms: None,
        board: BoardWatch | None = None,
        language: str = "",
    ) -> None:
        self.machine, self.pin, self.log = machine, pin, log
        self.conversation = Conversation()
        self.sight: Sight | None = None
        self.exit_code: int | None = None
        self.n_lines = 0
        self._open_session, self._health, self._beat = open_session, health, beat
        self._pack, self._pack_name, self._told_pack = pack, pack_name, ""
        self._board, self._told_board = board, ""
        self._language = language
        self._written: str | None = None  # the language that the worker was told last
        self._worker: SessionWorker | None = None
        self._person: OnePerson | None = None
        self._n_wiping = 0  # so often the worker was asked to forget, and has not said that it did

    @property
    def observer(self) -> Observer | None:
        return self._worker.observer if self._worker is not None else None

    def tick(self, now_ms: int) -> None:
        """Takes what is new from the pipeline, does what is due, tells how it is."""
        self._take(now_ms)
        self._do(self.machine.tick(now_ms), now_ms)
        self._write_for_the_visitor()
        if self._pack is not None:
            self._watch_pack(self._pack, now_ms)
        if self._board is not None:
            self._watch_board(self._board, now_ms)
        self._publish(now_ms)
        self._beat(now_ms)

    def push(self, event: Event, now_ms: int) -> None:
        """Something that a person does."""
        self._do(self.machine.push(event, now_ms), now_ms)

    def try_pin(self, pin: str, now_ms: int) -> bool:
        """Leaves with the right PIN; whether it was."""
        if not self.machine.asking or self.machine.locked_ms(now_ms):
            return False
        right = self.pin.is_right(pin)
        self.log.tell(f"a PIN was given: {'right' if right else 'wrong'}", warn=not right)
        self.push(PinGiven(right), now_ms)
        return right

    def sign_again(self) -> None:
        """The last line was not understood: it goes, and so does what is being signed. One that
        was replied to was understood, and stays."""
        if any(entry.how == SIGNED for entry in self.conversation.entries[-1:]):
            self.conversation.take_back()
        self.conversation.open_line = None
        if self._worker is not None:
            self._worker.ask(_drop_line)

    @property
    def last_reply(self) -> Entry | None:
        """What was typed last; None where nothing was."""
        replies = (e for e in reversed(self.conversation.entries) if e.how == TYPED)
        return next(replies, None)

    def reply(self, text: str, now_ms: int) -> None:
        """What the hearing side has typed; nothing where that is empty. Never logged."""
        self.push(Replying(), now_ms)
        if text.strip() and self.machine.view == TALK:
            self.conversation.reply(text, now_ms)

    def choose_pin(self, pin: str, now_ms: int) -> None:
        """ValueError where this is none, OSError where it cannot be kept."""
        self.pin.set(pin)
        self.log.tell("a PIN was set")
        self.push(PinChosen(), now_ms)

    def close(self) -> None:
        """Ends the pipeline, and forgets."""
        self._wipe()
        if self._worker is not None:
            self._worker.stop()
            self._worker = None
        self.log.close()

    # ---- the pipeline ----------------------------------------------------------------------

    def _take(self, now_ms: int) -> None:
        if self._worker is None:
            return
        news, error = self._worker.look()
        self._take_sight(news, now_ms)
        self._take_events(news.events, now_ms)
        if error is not None:
            self._lose(what_happened(error), now_ms)
        elif news.ended:
            observer = self.observer
            self._lose((observer.problem if observer else "") or "the video has ended", now_ms)

    def _take_sight(self, news: News, now_ms: int) -> None:
        observer = self.observer
        if news.sight is None or observer is None:
            return
        if self._person is None:
            settings = PersonSettings(away_ms=self.machine.times.absent_ms)
            self._person = OnePerson(observer.aspect, settings, observer.schema)
        followed = self._person.push(news.sight.keypoints)
        here = stands_here(followed, observer.schema, observer.aspect)
        self.sight = news.sight
        self.push(Seen(here, self._person.somebody_else), now_ms)

    def _take_events(self, events: tuple[CaptionEvent, ...], now_ms: int) -> None:
        """Only of who is here now."""
        while self._n_wiping:
            if WIPED not in events:
                return
            events = events[events.index(WIPED) + 1 :]
            self._n_wiping -= 1
        if self.machine.view != TALK:
            return
        self.n_lines += sum(isinstance(e, LineCompleted) and bool(e.line.text) for e in events)
        self.conversation.push(events, now_ms)

    def _lose(self, why: str, now_ms: int) -> None:
        self.push(Lost(why), now_ms)

    # ---- actions ---------------------------------------------------------------------------

    def _do(self, actions: tuple[Action, ...], now_ms: int) -> None:
        for action in actions:
            if action == Action.START:
                self._start()
            elif action == Action.STOP:
                self._stop()
            elif action == Action.WIPE:
                nobody = self.machine.view != TALK
                self.log.tell("nobody is here: forgotten" if nobody else "somebody is here")
                self._wipe()
            elif action == Action.LEAVE:
                self.log.tell("ended with the PIN")
                self.exit_code = 0
            else:
                self.log.tell("the camera hangs again and again: ending", warn=True)
                self.exit_code = GAVE_UP

    def _start(self) -> None:
        self.log.tell(f"starting camera and captions, pack {self._pack_name or '?'}")
        if self._pack is not None:
            self._pack.begun()
        self._worker = SessionWorker(self._open_session)
        self._worker.start()
        self._written = None

    def _write_for_the_visitor(self) -> None:
        """In the language that they chose; the next one finds that which is set."""
        wanted = self.machine.language or self._language
        if self._worker is not None and wanted != self._written:
            self._written = wanted
            self._worker.ask(partial(_write, wanted))

    def _stop(self) -> None:
        """Does not wait: the window must go on. What a hanging camera holds, the machine counts."""
        if self.machine.pipeline == DOWN and self.machine.trouble:
            self.log.tell(f"camera and captions ended: {self.machine.trouble}", warn=True)
        if self._worker is not None:
            self._worker.abandon()
        self._worker, self._person, self.sight = None, None, None
        self._n_wiping = 0  # what it still says, nobody hears
        self.conversation.open_line = None

    def _wipe(self) -> None:
        """Everything of the person who was here: lines, picture, what the captioner remembers."""
        self.conversation.begin_anew()
        self.sight = None
        if self._worker is not None:
            self._n_wiping += 1
            self._worker.ask(_forget)

    def _watch_pack(self, pack: PackWatch, now_ms: int) -> None:
        if pack.tick(now_ms):
            self.log.tell("the pack was replaced; it is used when nobody is here")
            self.push(PackReplaced(), now_ms)
        if pack.problem != self._told_pack:
            self._told_pack = pack.problem
            if pack.problem:
                self.log.tell(f"the new pack is not used: {pack.problem}", warn=True)

    def _watch_board(self, board: BoardWatch, now_ms: int) -> None:
        board.tick(now_ms)
        if board.problem != self._told_board:
            self._told_board = board.problem
            if board.problem:
                self.log.tell(f"how warm the board is, nobody knows: {board.problem}", warn=True)

    def _publish(self, now_ms: int) -> None:
        machine = self.machine
        pace = self._worker.pace() if self._worker is not None else None
        self._health.publish(
            Snapshot(
                now_ms,
                machine.view,
                machine.pipeline,
                machine.trouble,
                self._pack_name,
                self._told_pack,
                pace.sights_per_s if pace is not None else 0.0,
                pace.model_ms if pace is not None else 0.0,
                machine.n_visitors,
                machine.n_wipes,
                self.n_lines,
                machine.n_starts,
                machine.n_losses,
                machine.n_hangs,
                self.log.n_lost,
                self._board.health(now_ms) if self._board is not None else None,
            )
        )


def what_happened(error: BaseException) -> str:
    """One line for screen and log. Of our own bugs the place alone: words might quote captions."""
    if isinstance(error, (ValueError, OSError)):
        return " ".join(str(error).split()) or type(error).__name__
    places = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(places[-1].filename).name}, line {places[-1].lineno}" if places else ""
    return f"the captions crashed: {type(error).__name__}{place}"


def _forget(session: Session) -> list[CaptionEvent]:
    """In the worker: the captioner begins with somebody of whom it knows nothing."""
    session.captioner.flush()
    captioner = getattr(session.captioner, "captioner", session.captioner)  # below its stopwatch
    if hasattr(captioner, "reset"):
        captioner.reset()
    return [WIPED]


def _drop_line(session: Session) -> list[CaptionEvent]:
    """In the worker: the line that is being signed is signed again."""
    session.captioner.flush()
    return [DROPPED]


def _write(language: str, session: Session) -> list[CaptionEvent]:
    """In the worker: captions are in this language."""
    write_in(session, language)
    return []
