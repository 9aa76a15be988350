"""What the app knows, whichever screen is shown: settings, conversation, camera. No Kivy."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from fingerpost.app.caption_language import write_in
from fingerpost.app.conversation import Conversation
from fingerpost.app.history import History
from fingerpost.app.platforms.sources import live_session
from fingerpost.app.session import Session, VideoObserver
from fingerpost.app.session_worker import SessionWorker
from fingerpost.app.settings import Settings, SettingsFile
from fingerpost.edge_runtime.captions import CaptionEvent
from fingerpost.edge_runtime.pack import Pack

DAY_MS = 24 * 60 * 60 * 1000
RETRY_MS = 10_000  # between two tries of a camera that is gone
FORGET_EVERY_MS = 60 * 60 * 1000
NEED_A_NEW_SESSION = {"source", "pack", "mirrored", "dominant_hand"}
OpenSession = Callable[[], AbstractContextManager[Session]]


class AppState:
    """folder : where settings and history are; open_session : None opens what the settings name

    source, pack : in the place of what the settings name, for this run
    """

    def __init__(
        self,
        folder: Path,
        source: str | None = None,
        pack: str | None = None,
        landmarker: Path | None = None,
        open_session: OpenSession | None = None,
        private: bool = False,
    ) -> None:
        self.folder = folder
        self.file = SettingsFile(folder / "settings.json")
        self._given = {
            name: value for name, value in (("source", source), ("pack", pack)) if value is not None
        }
        self._opened_pack: Pack | None = None
        self.problem = ""  # why there is no camera, in one line
        self.to_tell = [self.file.problem] if self.file.problem else []  # once there is a window
        self.history = self._open_history()
        self.conversation = Conversation(pause_ms=self.settings.pause_minutes * 60_000)
        self.keep_private(private)
        self.worker: SessionWorker | None = None
        self._leaving: SessionWorker | None = None  # told to end, and perhaps not yet at its end
        self._landmarker = landmarker
        self._open_session = open_session
        self._retry_ms: int | None = None  # when to try the camera again
        self._forget_ms = 0  # when to look for what is to be forgotten

    @property
    def settings(self) -> Settings:
        return self.file.settings

    @property
    def source(self) -> str:
        return self._given.get("source", self.settings.source)

    @property
    def pack(self) -> str:
        return self._given.get("pack", self.settings.pack)

    def change(self, **changes: object) -> None:
        """Sets, keeps, and has it take effect. A source or pack given for this run is over."""
        self.file.change(**changes)
        for name in changes:
            self._given.pop(name, None)
        self.conversation.pause_ms = self.settings.pause_minutes * 60_000
        if self.history is not None:
            self.history.pack = self.pack
            self.forget_old()
        if self.worker is not None and set(changes) & NEED_A_NEW_SESSION:
            self.start_camera()
        elif self.worker is not None:
            if isinstance(self.worker.observer, VideoObserver):
                self.worker.observer.most_fps = self.settings.most_fps
            if "language" in changes:
                self.worker.ask(partial(_write, self.settings.language))

    def start_camera(self) -> None:
        """Opens source and pack, in the worker; what goes wrong comes out of ``worker.take``."""
        self.stop_camera()
        self.problem, self._retry_ms = "", None
        opening = self._open_session or partial(
            live_session,
            self.source,
            self.pack,
            self.settings.mirrored,
            self._landmarker,
            self.settings.dominant_hand,
        )
        paced = partial(_as_set, opening, self.settings)
        self.worker = SessionWorker(paced, after=self._leaving)
        self.worker.start()

    def fail(self, why: str, again: bool) -> None:
        """There is no camera any more. again : try by itself, for nobody stands by a kiosk"""
        self.stop_camera()
        self.problem = why
        self._retry_ms = now_ms() + RETRY_MS if again else None

    def tick(self, time_ms: int) -> None:
        """What is due at a time of day: a new conversation, another try, forgetting."""
        self.conversation.tick(time_ms)
        if self._retry_ms is not None and time_ms >= self._retry_ms:
            self.start_camera()
        if time_ms >= self._forget_ms:
            self._forget_ms = time_ms + FORGET_EVERY_MS
            self.forget_old()

    def stop_camera(self) -> None:
        """The window does not wait for it: a landmarker takes a while to end."""
        if self.worker is not None:
            self.worker.abandon()
            self.worker, self._leaving = None, self.worker

    def open_pack(self) -> Pack:
        """The pack that captions now; ValueError or OSError where it is none."""
        from fingerpost.app.commands_caption import load_pack

        if self._opened_pack is None or self._opened_pack.manifest.name != self.pack:
            self._opened_pack = load_pack(self.pack)
        return self._opened_pack

    def forget_line(self) -> None:
        """What is being signed at this moment is not meant for the conversation."""
        self.conversation.open_line = None
        if self.worker is not None:
            self.worker.ask(_forget_line)

    def keep_private(self, private: bool) -> None:
        """Begins a conversation that is kept, or one that is not."""
        self.private = private
        self.conversation.begin_anew()
        self.conversation.keeper = None if private else self.history

    def keep_nothing(self, why: str) -> None:
        """The history cannot be written to any more: the conversation goes on without it."""
        self.conversation.keeper = None
        self.to_tell.append(why)

    def forget_old(self) -> None:
        """Deletes what is older than the settings have it."""
        days = self.settings.keep_days
        if self.history is not None and days:
            self.history.forget_before(now_ms() - days * DAY_MS)

    def close(self) -> None:
        self.stop_camera()
        if self._leaving is not None:
            self._leaving.stop()
        if self.history is not None:
            self.history.close()

    def _open_history(self) -> History | None:
        try:
            return History(self.folder / "history.db", self.pack)
        except (ValueError, OSError) as error:
            self.to_tell.append(str(error))
            return None


@contextmanager
def _as_set(opening: OpenSession, settings: Settings) -> Iterator[Session]:
    """In the worker: a session as fast as it is set, that writes the interface's language."""
    with opening() as session:
        if isinstance(session.observer, VideoObserver):
            session.observer.most_fps = settings.most_fps
        write_in(session, settings.language)
        yield session


def _write(language: str, session: Session) -> list[CaptionEvent]:
    """In the worker: captions are in this language from now on."""
    write_in(session, language)
    return []


def _forget_line(session: Session) -> list[CaptionEvent]:
    """In the worker: the line ends here, and nobody is told."""
    session.captioner.flush()
    return []


def now_ms() -> int:
    """The time of day, since 1970."""
    return time.time_ns() // 1_000_000
