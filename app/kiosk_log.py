"""A kiosk's log: what happened and when, in files that take turns. Never what anybody signed."""

import logging
import sys
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

FILE_BYTES, N_FILES = 1_000_000, 5  # together 6 MB at the most
FORMAT = "%(asctime)s %(levelname)s %(message)s"


class KioskLog:
    """Lines on stderr, where systemd's journal takes them, and in ``path``.

    n_lost : lines that a file did not take, because the disk is full or read-only; nothing else
        ever comes of that
    """

    def __init__(self, path: Path, max_bytes: int = FILE_BYTES) -> None:
        self.n_lost = 0
        self._path, self._max_bytes = path, max_bytes
        self._log = logging.Logger("fingerpost.kiosk")  # of its own: Kivy takes over the root's
        self._on_stderr = logging.StreamHandler(sys.stderr)
        self._on_stderr.setFormatter(logging.Formatter(FORMAT))
        self._log.addHandler(self._on_stderr)
        self._file = self._opened()

    def tell(self, words: str, warn: bool = False) -> None:
        """Writes one line."""
        if self._file is None:
            self._file = self._opened()
        if self._file is None:
            self.n_lost += 1
        self._log.log(logging.WARNING if warn else logging.INFO, "%s", " ".join(words.split()))

    def close(self) -> None:
        for handler in list(self._log.handlers):
            self._log.removeHandler(handler)
            with suppress(OSError):  # closing writes what a full disk did not take
                handler.close()

    def _opened(self) -> "_CountingFile | None":
        """The file, or None where it cannot be opened now; it is tried again for the next line."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = _CountingFile(self, self._path, self._max_bytes)
        except OSError:
            return None
        file.setFormatter(logging.Formatter(FORMAT))
        self._log.addHandler(file)
        return file


class _CountingFile(RotatingFileHandler):
    def __init__(self, owner: KioskLog, path: Path, max_bytes: int) -> None:
        super().__init__(path, maxBytes=max_bytes, backupCount=N_FILES, encoding="utf-8")
        self._owner = owner

    def handleError(self, record: logging.LogRecord) -> None:
        """Logging's own way is to print a traceback for every line."""
        self._owner.n_lost += 1
