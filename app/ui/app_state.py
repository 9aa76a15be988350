"""What the app knows, whichever screen is shown: settings, conversation, camera. No Kivy."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from fingerpost.app.conversation import Conversation
from fingerpost.app.platforms.sources import live_session
from fingerpost.app.session import Session
from fingerpost.app.session_worker import SessionWorker
from fingerpost.app.settings import Settings, SettingsFile

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
        self.private = private
        self.problem = self.file.problem  # what to tell the user, in one line
        self.conversation = Conversation(pause_ms=self.settings.pause_minutes * 60_000)
        self.worker: SessionWorker | None = None
        self._landmarker = landmarker
        self._given = {
            name: value for name, value in (("source", source), ("pack", pack)) if value is not None
        }
        self._open_session = open_session

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
        if self.worker is not None and set(changes) & {"source", "pack", "mirrored"}:
            self.start_camera()

    def start_camera(self) -> None:
        """Opens source and pack, in the worker; what goes wrong comes out of ``worker.take``."""
        self.stop_camera()
        opening = self._open_session or partial(
            live_session, self.source, self.pack, self.settings.mirrored, self._landmarker
        )
        self.worker = SessionWorker(opening)
        self.worker.start()

    def stop_camera(self) -> None:
        if self.worker is not None:
            self.worker.stop()
            self.worker = None

    def close(self) -> None:
        self.stop_camera()


def now_ms() -> int:
    """The time of day, since 1970."""
    return time.time_ns() // 1_000_000
