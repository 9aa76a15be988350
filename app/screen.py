"""Is there a screen, and how Kivy is told to mind its own business. Imports no Kivy itself."""

import os
import sys
from pathlib import Path


def has_screen() -> bool:
    """Whether a window can be expected to open here: a desktop, or SDL told what to draw on."""
    if sys.platform != "linux":
        return True
    if os.environ.get("SDL_VIDEODRIVER"):  # offscreen for tests, kmsdrm on a kiosk
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


class NoWindow(OSError):
    """The screen would not have our window."""


def settle_kivy(home: Path) -> None:
    """Before Kivy is first imported: it leaves argv alone, is silent, and keeps files in ``home``.

    Left to itself it parses the command line, logs to stderr and a file, and writes ~/.kivy.
    """
    home.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("KIVY_HOME", str(home))
    os.environ["KIVY_NO_ARGS"] = "1"
    os.environ["KIVY_NO_FILELOG"] = "1"
    if not os.environ.get("FINGERPOST_DEBUG"):
        os.environ["KIVY_NO_CONSOLELOG"] = "1"
