"""The window: the picture with its skeleton, and under it what is being signed.

Everything in here runs in the main thread, which is Kivy's; the session's own threads do the
reading and the landmarks. Importing this module opens Kivy's window: call ``settle_kivy`` first.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from kivy.app import App
from kivy.clock import Clock
from kivy.config import Config
from kivy.graphics import Color, Rectangle
from kivy.graphics.texture import Texture
from kivy.metrics import dp
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.image import Image
from kivy.uix.label import Label
from kivy.utils import escape_markup

from fingerpost.app.caption_board import CaptionBoard, ShownLine
from fingerpost.app.overlay import BAND, FINAL_TEXT, NOTE, NOTE_TEXT, PARTIAL_TEXT, draw_skeleton
from fingerpost.app.screen import NO_WINDOW, NoWindow
from fingerpost.app.session import Session, Step
from fingerpost.edge_runtime.captions import LineCompleted

WIDTH, HEIGHT = 800, 780  # of the window, in density-independent pixels
SHOWN_AFTER_END_S = 2.0  # the last caption stays for so long before the window closes


class CaptionScreen(BoxLayout):
    """Picture, captions, a line of small print."""

    def __init__(self, title: str, **options: Any) -> None:
        super().__init__(orientation="vertical", padding=dp(16), spacing=dp(10), **options)
        with self.canvas.before:
            Color(*_rgba(BAND))
            self._background = Rectangle(pos=self.pos, size=self.size)
        self.bind(pos=self._fill, size=self._fill)
        self.picture = Image(fit_mode="contain")
        self.caption = _left_label(font_size="30sp", markup=True, valign="middle", max_lines=3)
        self.caption.size_hint_y, self.caption.height = None, dp(112)
        self.note = _left_label(text=NOTE, font_size="14sp", color=_rgba(NOTE_TEXT))
        self.title = _left_label(text=title, font_size="14sp", color=_rgba(NOTE_TEXT))
        self.title.halign = "right"
        small_print = BoxLayout(size_hint_y=None, height=dp(20))
        for widget in (self.note, self.title):
            small_print.add_widget(widget)
        self.warning = _left_label(font_size="14sp", color=_rgba(PARTIAL_TEXT))
        self.warning.size_hint_y = None
        self.show_warning("")
        for widget in (self.picture, self.warning, self.caption, small_print):
            self.add_widget(widget)

    def show_warning(self, line: str) -> None:
        """One line above the captions; "" takes no room."""
        self.warning.text, self.warning.height = line, dp(20 if line else 0)

    def show_picture(self, rgb: np.ndarray) -> None:
        """rgb : shape (H, W, 3), uint8"""
        height, width = rgb.shape[:2]
        texture = self.picture.texture
        if texture is None or texture.size != (width, height):
            texture = Texture.create(size=(width, height), colorfmt="rgb")
            texture.flip_vertical()
        texture.blit_buffer(np.ascontiguousarray(rgb).tobytes(), colorfmt="rgb")
        self.picture.texture = texture
        self.picture.canvas.ask_update()

    def show_lines(self, lines: Sequence[ShownLine]) -> None:
        """Partial lines dimmer than final ones."""
        self.caption.text = "\n".join(_markup(line) for line in lines)

    def _fill(self, *_: object) -> None:
        self._background.pos, self._background.size = self.pos, self.size


class CaptionApp(App):
    """Plays a session: a file at its own pace, a camera as it comes. Ends when the session does.

    screenshot : where to save a picture of the window, at the first completed line
    """

    def __init__(self, session: Session, title: str, screenshot: Path | None = None) -> None:
        super().__init__()
        self.title = "Fingerpost"
        self.session = session
        self.completed: list[str] = []
        self._subtitle = title
        self._board = CaptionBoard()
        self._screenshot = screenshot
        self._waiting: Step | None = None  # the next step, whose time has not come
        self._time_ms = 0.0  # where in the source we are
        self._shown_ms = 0  # time of the last sight that was shown
        self._idle_s = 0.0

    def build(self) -> CaptionScreen:
        self.screen = CaptionScreen(self._subtitle)
        self.screen.caption.text = f"[color={_hex(PARTIAL_TEXT)}]Starting …[/color]"
        Clock.schedule_interval(self.tick, 0)
        return self.screen

    def tick(self, dt: float) -> None:
        """Once for every picture that the screen shows. dt : seconds since the last time."""
        self._time_ms += dt * 1000
        latest: Step | None = None
        while (step := self._due()) is not None:
            latest = step if step.sight else latest
            if step.sight:
                self._shown_ms = step.sight.time_ms
            self._board.push(step.events, self._shown_ms)
            texts = [e.line.text for e in step.events if isinstance(e, LineCompleted)]
            self.completed += texts
            if texts and self._screenshot:
                Clock.schedule_once(self._save_screenshot, 0.1)
            if self.session.observer.live:
                self._time_ms = self._shown_ms
        if latest is not None and latest.sight is not None:
            self._show(latest)
        elif self.session.ended:
            self._finish(dt)

    def _due(self) -> Step | None:
        """The next step, if its time has come."""
        if self._waiting is None:
            self._waiting = self.session.poll()
        step = self._waiting
        if step is None:  # nothing is ready: the source's clock stands still meanwhile
            self._time_ms = min(self._time_ms, self._shown_ms + 1000 / self.session.observer.fps)
            return None
        live = self.session.observer.live
        if step.sight is not None and step.sight.time_ms > self._time_ms and not live:
            return None
        self._waiting = None
        return step

    def _show(self, step: Step) -> None:
        assert step.sight is not None
        observer = self.session.observer
        rgb = step.sight.rgb
        if rgb is None:
            rgb = np.full((observer.size[1], observer.size[0], 3), BAND, np.uint8)
        drawn = np.array(rgb)
        draw_skeleton(drawn, step.sight.keypoints, observer.schema)
        self.screen.show_picture(drawn)
        self.screen.show_lines(self._board.shown(self._shown_ms))
        self.screen.show_warning(step.sight.slow)

    def _finish(self, dt: float) -> None:
        self.screen.show_lines(self._board.shown(self._shown_ms))
        self._idle_s += dt
        if self._idle_s >= SHOWN_AFTER_END_S:
            self._save_screenshot(0)
            self.stop()

    def _save_screenshot(self, _: float) -> None:
        if self._screenshot is not None:
            self.screen.export_to_png(str(self._screenshot))
            self._screenshot = None


def run_window(session: Session, title: str, screenshot: Path | None = None) -> list[str]:
    """Opens the window and returns, when it has closed, the lines that were completed.

    Raises NoWindow where no window can be opened.
    """
    Config.set("graphics", "width", WIDTH)
    Config.set("graphics", "height", HEIGHT)
    Config.set("graphics", "multisamples", 0)  # text and pictures have no edges to smooth
    Config.set("graphics", "maxfps", 60)
    Config.set("input", "mouse", "mouse,disable_multitouch")
    from kivy.core.window import Window

    if Window is None:
        raise NoWindow(NO_WINDOW)
    app = CaptionApp(session, title, screenshot)
    app.run()
    return app.completed


def _left_label(**options: Any) -> Label:
    label = Label(halign="left", **options)
    label.bind(size=lambda widget, size: setattr(widget, "text_size", size))
    return label


def _markup(line: ShownLine) -> str:
    colour = PARTIAL_TEXT if line.partial else FINAL_TEXT
    unsure = f"  [size=18sp][color={_hex(NOTE_TEXT)}]unsure[/color][/size]"
    text = f"[color={_hex(colour)}]{escape_markup(line.text)}[/color]"
    return text + (unsure if line.unsure and not line.partial else "")


def _rgba(rgb: tuple[int, int, int]) -> tuple[float, float, float, float]:
    return rgb[0] / 255, rgb[1] / 255, rgb[2] / 255, 1.0


def _hex(rgb: tuple[int, int, int]) -> str:
    return "{:02x}{:02x}{:02x}".format(*rgb)
