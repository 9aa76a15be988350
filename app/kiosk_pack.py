"""Whether a kiosk's pack was replaced while it runs, and whether the new one is whole."""

import os
from collections.abc import Callable
from pathlib import Path

from fingerpost.edge_runtime.pack import open_pack
from fingerpost.edge_runtime.pack_files import MANIFEST

PACK_EVERY_MS = 2_000  # between two looks at the pack's file


class PackWatch:
    """Whether the pack's file is another one than that which captions.

    find : the path of the pack; it may raise ValueError while there is none
    problem : why the new one is not used, one line; the old one captions on meanwhile
    """

    def __init__(self, find: Callable[[], Path]) -> None:
        self._find = find
        self.problem = ""
        self._in_use = self._last = self._stamp()
        self._judged: object = None  # the stamp of a new one that was told of already
        self._next_ms = 0

    def begun(self) -> None:
        """The pipeline opens the pack as it is now."""
        self._in_use, self.problem = self._stamp(), ""

    def tick(self, now_ms: int) -> bool:
        """Whether there is a new pack, and it is whole. One that still grows is waited for."""
        if now_ms < self._next_ms:
            return False
        self._next_ms = now_ms + PACK_EVERY_MS
        stamp, last = self._stamp(), self._last
        self._last = stamp
        if stamp == self._in_use:
            self.problem, self._judged = "", None
            return False
        if stamp != last or stamp == self._judged:
            return False
        self._judged = stamp
        try:
            open_pack(self._find())
        except (ValueError, OSError) as error:
            self.problem = " ".join(str(error).split())
            return False
        self.problem = ""
        return True

    def _stamp(self) -> tuple[int, ...]:
        """Changes with the file; () while there is none."""
        try:
            path = self._find()
            about = os.stat(path / MANIFEST if path.is_dir() else path)
        except (ValueError, OSError):
            return ()
        return about.st_mtime_ns, about.st_size, about.st_ino
