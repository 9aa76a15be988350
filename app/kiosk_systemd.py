"""A kiosk as a service of systemd: its unit file, and the sign of life for systemd's watchdog."""

import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

BEAT_MS = 1_000  # between two signs of life
UNIT = Path(__file__).with_name("kiosk.service")


class Beat:
    """Tells systemd, over the socket that it names, that the window still draws (sd_notify).

    Does nothing where no systemd waits for it.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._next_ms = 0
        self._is_ready = False

    def __call__(self, now_ms: int) -> None:
        if not self._address or now_ms < self._next_ms:
            return
        self._next_ms = now_ms + BEAT_MS
        self._send("WATCHDOG=1" if self._is_ready else "READY=1\nWATCHDOG=1")
        self._is_ready = True

    def _send(self, words: str) -> None:
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        # systemd restarts whom it does not hear: nothing else is to be done about an error.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as telling:
            telling.sendto(words.encode(), address)


def unit(arguments: str = "") -> str:
    """The unit file for this installation. arguments : behind ``fingerpost kiosk``"""
    if any(ord(letter) < 32 for letter in arguments):
        raise ValueError("the arguments of a unit are one line")
    python = sys.executable.replace("\\", "\\\\").replace('"', '\\"')
    command = f'"{python}" -m fingerpost.app kiosk {arguments}'.rstrip()
    command = command.replace("%", "%%").replace("$", "$$")  # else systemd fills them in
    return UNIT.read_text(encoding="utf-8").replace("{command}", command)
