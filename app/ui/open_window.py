"""Opens the app's window. To be imported after ``settle_kivy``, and before any other part of ui.

Kivy opens its window as soon as a text field is imported, with the settings of that moment.
"""

from kivy.config import Config

from fingerpost.app.screen import NO_WINDOW, NoWindow

WIDTH, HEIGHT = 1120, 760  # in density-independent pixels


def open_window() -> None:
    """Raises NoWindow where none can be opened."""
    Config.set("graphics", "width", WIDTH)
    Config.set("graphics", "height", HEIGHT)
    Config.set("graphics", "multisamples", 0)
    Config.set("graphics", "maxfps", 60)
    Config.set("graphics", "minimum_width", 360)
    Config.set("graphics", "minimum_height", 480)
    Config.set("kivy", "exit_on_escape", 0)
    Config.set("input", "mouse", "mouse,disable_multitouch")
    from kivy.core.window import Window

    if Window is None:
        raise NoWindow(NO_WINDOW)
