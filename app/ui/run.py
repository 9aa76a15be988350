"""Runs the app in its window: Kivy's clock, the keys, what goes wrong."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kivy.app import App
from kivy.base import ExceptionHandler, ExceptionManager
from kivy.clock import Clock
from kivy.core.window import Keyboard, Window

from fingerpost.app.ui.app_state import AppState
from fingerpost.app.ui.shapes import draw_flat_colours_cheaply
from fingerpost.app.ui.shell import Shell
from fingerpost.app.ui.widgets import Focusable


class FingerpostApp(App):
    """Opens the shell and keeps its clock. started : called once the window is drawn, for tests"""

    def __init__(self, state: AppState, started: Callable[[Shell], None] | None = None) -> None:
        super().__init__()
        self.title = "Fingerpost"
        self.state = state
        self._started = started

    def build(self) -> Shell:
        self.shell = Shell(self.state)
        Window.bind(on_key_down=self._key)
        Clock.schedule_interval(self.shell.tick, 0)
        if self._started is not None:
            Clock.schedule_once(lambda _dt: self._started(self.shell), 0)
        return self.shell

    def on_start(self) -> None:
        ExceptionManager.add_handler(Told(self.shell))

    def on_stop(self) -> None:
        self.state.close()

    def _key(
        self, window: Any, key: int, scancode: int, text: str | None, modifiers: list[str]
    ) -> bool:
        name = Keyboard.keycode_to_string(Keyboard(), key)
        typing = any(isinstance(w, Focusable) and w.focus for w in self.shell.walk())
        if typing and name == "tab":
            return False  # the focused widget hands the keyboard on
        return self.shell.key(name, modifiers)


class Told(ExceptionHandler):
    """What a user got wrong, or a disk would not do, is told in the window, as on the command line;
    anything else is our own mistake, and ends the program."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def handle_exception(self, error: Exception) -> int:
        if not isinstance(error, (ValueError, OSError)) or os.environ.get("FINGERPOST_DEBUG"):
            return int(ExceptionManager.RAISE)
        self._shell.tell(" ".join(str(error).split()))
        return int(ExceptionManager.PASS)


def run_app(state: AppState, started: Callable[[Shell], None] | None = None) -> None:
    """Runs until the window is closed."""
    draw_flat_colours_cheaply()
    FingerpostApp(state, started).run()


def save_window(path: Path) -> None:
    """A picture of the window as it is now (.png)."""
    written = Window.screenshot(name=str(path))
    Path(written).replace(path)
