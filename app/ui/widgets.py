"""The parts that every screen is made of: words, things to press, fields.

All of them take a ``Look`` and are drawn from the tokens of ``theme.py``. All that can be pressed
can be reached with Tab and pressed with Enter or Space, and shows a ring when it has the keyboard.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from kivy.clock import Clock
from kivy.core.text import Label as CoreLabel
from kivy.graphics import Color, Line, RoundedRectangle
from kivy.metrics import dp
from kivy.uix.behaviors import ButtonBehavior, FocusBehavior
from kivy.uix.label import Label
from kivy.uix.scrollview import ScrollView
from kivy.uix.textinput import TextInput
from kivy.uix.widget import Widget
from kivy.utils import platform

from fingerpost.app.ui.layouts import Flow
from fingerpost.app.ui.look import Look
from fingerpost.app.ui.shapes import Ring, round_corners
from fingerpost.app.ui.theme import (
    RADIUS,
    RGB,
    SMALL_SCALE,
    TITLE_SCALE,
    TOUCH,
    XS,
    L,
    M,
    S,
    Theme,
    rgba,
)

HAS_KEYS = platform not in ("android", "ios")  # there, what is focused brings up a keyboard
SMALLEST_HINT = 0.5  # of the size of what is typed
BARE = ("tab", "quiet")  # kinds of things to press that have no edge
PRESS_KEYS = ("enter", "numpadenter", "spacebar")


class Words(Label):
    """Text, left-aligned, in as many rows as it needs; as high as they are."""

    def __init__(
        self,
        look: Look,
        text: str,
        scale: float = 1.0,
        colour: RGB | None = None,
        px: float | None = None,
        **options: Any,
    ) -> None:
        colour_now = rgba(colour or look.theme.text)
        super().__init__(
            text=text,
            font_name=options.pop("font_name", look.font),
            font_size=px or look.ui_px * scale,
            color=colour_now,
            disabled_color=colour_now,
            halign=options.pop("halign", "left"),
            line_height=1.15,
            size_hint_y=None,
            height=0,
            **options,
        )
        self.bind(width=self._wrap, texture_size=self._grow)

    def _wrap(self, *_: object) -> None:
        self.text_size = (self.width, None)

    def _grow(self, *_: object) -> None:
        self.height = self.texture_size[1]


def title(look: Look, text: str) -> Words:
    return Words(look, text, TITLE_SCALE, bold=True)


def small(look: Look, text: str) -> Words:
    return Words(look, text, SMALL_SCALE, look.theme.dim)


class Focusable(FocusBehavior):
    """Shows a ring when it has the keyboard, and scrolls into view."""

    def __init__(self, look: Look, **options: Any) -> None:
        self.look = look
        super().__init__(**options)
        self.ring = Ring(self, look.theme.ring)
        self.bind(focus=self._show_focus)

    def _show_focus(self, _: object, focused: bool) -> None:
        self.ring.show(focused)
        if focused:
            above = self.parent
            while above is not None and above is not above.parent:
                if isinstance(above, ScrollView):
                    above.scroll_to(self, dp(L), animate=False)
                    break
                above = above.parent


class Press(Focusable, ButtonBehavior, Label):
    """Something to press. kind : plain, accent, danger, quiet, or tab (a quiet one that may be on)

    on : is the one of several that is chosen; inset : room at both sides of the words
    """

    def __init__(
        self,
        look: Look,
        text: str,
        action: Callable[[], object],
        kind: str = "plain",
        on: bool = False,
        inset: float = L,
        **options: Any,
    ) -> None:
        self._kind, self._inset, self.on = kind, dp(inset), on
        ground, ink = _colours(look.theme, kind, on)
        self._ground_colours, self._ink = (ground, look.theme.pressed), ink
        self._action = action
        super().__init__(
            look,
            text=text,
            font_name=options.pop("font_name", look.font),
            font_size=look.ui_px,
            bold=on or kind == "accent",
            color=rgba(ink),
            disabled_color=rgba(look.theme.dim),
            size_hint=options.pop("size_hint", (None, None)),
            halign="center",
            is_focusable=HAS_KEYS,
            **options,
        )
        self.bind(texture_size=self._fit)
        with self.canvas.before:
            self._ground_colour = Color(*rgba(ground))
            self._ground = RoundedRectangle(radius=[dp(RADIUS)])
            if kind not in BARE:
                Color(*rgba(look.theme.line))
                self._edge = Line(width=1)
        self.bind(pos=self._draw_ground, size=self._draw_ground, state=self._show_state)
        self.bind(on_release=lambda _: self._action(), disabled=self._show_state)
        self._fit()

    def keyboard_on_key_down(
        self, window: Any, keycode: tuple[int, str], text: str, modifiers: list[str]
    ) -> bool:
        if keycode[1] in PRESS_KEYS and not set(modifiers) - {"numlock", "capslock"}:
            self._action()
            return True
        return bool(super().keyboard_on_key_down(window, keycode, text, modifiers))

    def _fit(self, *_: object) -> None:
        if self.size_hint_x is None:
            self.width = max(dp(TOUCH), self.texture_size[0] + 2 * self._inset)
        if self.size_hint_y is None:
            self.height = max(dp(TOUCH), self.texture_size[1] + 2 * dp(S))

    def limit(self, widest: float) -> None:
        """To so many pixels, where it is as wide as its words: more of them go on below."""
        if self.size_hint_x is not None or widest < dp(TOUCH):
            return
        label = CoreLabel(font_name=self.font_name, font_size=self.font_size, bold=self.bold)
        too_wide = label.get_extents(self.text)[0] + 2 * self._inset > widest
        self.text_size = (widest - 2 * self._inset, None) if too_wide else (None, None)

    def _draw_ground(self, *_: object) -> None:
        self._ground.pos, self._ground.size = self.pos, self.size
        if self._kind not in BARE:
            self._edge.rounded_rectangle = round_corners(self)

    def _show_state(self, *_: object) -> None:
        """Pressed it is darker; what cannot be pressed now has the plain ground."""
        down = self.state == "down"
        ground = self.look.theme.raised if self.disabled else self._ground_colours[down]
        self._ground_colour.rgba = rgba(ground)
        self.color = rgba(self.look.theme.text if down else self._ink)


class Field(Focusable, TextInput):
    """A line of text to type. entered : called with the text on Enter"""

    def __init__(
        self,
        look: Look,
        hint: str = "",
        text: str = "",
        entered: Callable[[str], object] | None = None,
        **options: Any,
    ) -> None:
        theme = look.theme
        super().__init__(
            look,
            text=text,
            hint_text=hint,
            multiline=False,
            write_tab=False,
            font_name=options.pop("font_name", look.font),
            font_size=look.ui_px,
            foreground_color=rgba(theme.text),
            disabled_foreground_color=rgba(theme.text),
            hint_text_color=rgba(theme.dim),
            cursor_color=rgba(theme.text),
            selection_color=rgba(theme.accent, 0.4),
            background_color=rgba(theme.raised),
            background_normal="",
            background_active="",
            background_disabled_normal="",
            size_hint_y=None,
            text_validate_unfocus=False,
            **options,
        )
        self.bind(line_height=self._centre, width=self._fit_hint, text=self._fit_hint)
        self._centre()
        with self.canvas.after:
            Color(*rgba(theme.line))
            self._edge = Line(width=1)
        self.bind(pos=self._draw_edge, size=self._draw_edge)
        if entered is not None:
            self.bind(on_text_validate=lambda _: entered(self.text))

    def _centre(self, *_: object) -> None:
        """Kivy knows how high a row is only once it is drawn."""
        full_height = self.line_height * self.look.ui_px / self.font_size  # also below a small hint
        self.height = max(dp(TOUCH), full_height + 2 * dp(S))
        edge = (self.height - self.line_height) / 2
        # A row that fits to the pixel is left out, so the bottom has some room to spare.
        self.padding = (dp(M), edge, dp(M), max(0.0, edge - dp(XS)))

    def _fit_hint(self, *_: object) -> None:
        """A hint that is longer than the field is made smaller; what is typed scrolls."""
        fits = self.text or not self.hint_text or self.hint_room <= 0
        share = 1.0 if fits else min(1.0, self.hint_room / self._hint_width(self.look.ui_px))
        self.font_size = self.look.ui_px * max(SMALLEST_HINT, share)

    @property
    def hint_room(self) -> float:
        """In pixels, for the hint."""
        return float(self.width - 2 * dp(M))

    @property
    def hint_width(self) -> float:
        """In pixels, of the hint as it is drawn."""
        return self._hint_width(self.font_size)

    def _hint_width(self, px: float) -> float:
        label = CoreLabel(font_name=self.font_name, font_size=px)
        return float(label.get_extents(self.hint_text)[0])

    def _draw_edge(self, *_: object) -> None:
        self._edge.rounded_rectangle = round_corners(self)


def choices(
    look: Look,
    options: Sequence[tuple[Any, str]],
    chosen: Any,
    choose: Callable[[Any], object],
    fonts: Callable[[str], str] | None = None,
) -> Flow:
    """One of several. options : (value, its words)"""
    flow = Flow(spacing=dp(XS))
    for value, words in options:
        font: dict[str, Any] = {"font_name": fonts(words)} if fonts else {}
        press = Press(look, words, partial(choose, value), on=value == chosen, **font)
        flow.add_widget(press)
    return flow


def focus_first(root: Widget) -> None:
    """Gives the keyboard to the first thing below a widget that takes it, once it is drawn."""

    def give(_: float) -> None:
        for widget in root.walk():
            if isinstance(widget, Focusable) and widget.is_focusable and not widget.disabled:
                widget.focus = True
                return

    Clock.schedule_once(give, 0)


def _colours(theme: Theme, kind: str, on: bool) -> tuple[RGB, RGB]:
    """Ground and ink of something to press."""
    if on or kind == "accent":
        return theme.accent, theme.on_accent
    if kind == "danger":
        return theme.raised, theme.danger
    if kind in BARE:
        return theme.ground, theme.text
    return theme.raised, theme.text
