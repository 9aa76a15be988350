"""Opens a kiosk's window. To be imported after ``settle_kivy``, and before any other part of ui."""

from kivy.config import Config

from fingerpost.app.ui.open_window import open_window


def open_kiosk_window(windowed: bool) -> None:
    """The whole screen, no pointer, never dark. Raises NoWindow where none can be opened.

    windowed : a window like any other, to try a kiosk out
    """
    Config.set("graphics", "fullscreen", "0" if windowed else "auto")
    Config.set("graphics", "show_cursor", int(windowed))
    Config.set("graphics", "allow_screensaver", 0)
    open_window()
