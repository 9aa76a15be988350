"""Is there a screen, and how Kivy is told to mind its own business. Imports no Kivy itself."""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

NO_WINDOW = "no window can be opened on this screen; see `fingerpost doctor`"


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

    Left to itself it parses the command line, logs to stderr and a file, and writes ~/.kivy. Where
    ``home`` cannot be written to (a kiosk's read-only disk), a folder of this process does.
    """
    if "KIVY_HOME" not in os.environ:
        os.environ["KIVY_HOME"] = str(home if _can_write(home) else _passing_folder())
    os.environ["KIVY_NO_ARGS"] = "1"
    os.environ["KIVY_NO_FILELOG"] = "1"
    if not os.environ.get("FINGERPOST_DEBUG"):
        os.environ["KIVY_NO_CONSOLELOG"] = "1"


def _can_write(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _passing_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="fingerpost-kivy-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
