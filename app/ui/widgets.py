"""The parts that every screen is made of: words, things to press, fields, panels.

All of them take a ``Look`` and are drawn from the tokens of ``theme.py``. All that can be pressed
can be reached with Tab and pressed with Enter or Space, and shows a ring when it has the keyboard.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from kivy.clock import Clock
from kivy.effects.scroll import ScrollEffect
from kivy.graphics import Color, Line, RoundedRectangle
from kivy.metrics import dp, pt
from kivy.uix.behaviors import ButtonBehavior, FocusBehavior
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.label import Label
from kivy.uix.scrollview import ScrollView
from kivy.uix.stacklayout import StackLayout
from kivy.uix.textinput import TextInput
from kivy.uix.widget import Widget
from kivy.utils import platform

from fingerpost.app.ui.shapes import Ring, fill, round_corners
from fingerpost.app.ui.theme import (
    COLUMN,
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
    ui_pt,
)

HAS_KEYS = platform not in ("android", "ios")  # there, what is focused brings up a keyboard
BARE = ("tab", "quiet")  # kinds of things to press that have no edge
PRESS_KEYS = ("enter", "numpadenter", "spacebar")


@dataclass(frozen=True)
class Look:
    """What a screen is drawn with. text_pt : of captions; font : Kivy's ``font_name``"""

    theme: Theme
    text_pt: int
    font: str

    @property
    def ui_px(self) -> float:
        """The text size of buttons."""
        return pt(ui_pt(self.text_pt))

    @property
    def text_px(self) -> float:
        """The text size of captions."""
        return pt(self.text_pt)


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
        self.bind(line_height=self._centre)
        self._centre()
        with self.canvas.after:
            Color(*rgba(theme.line))
            self._edge = Line(width=1)
        self.bind(pos=self._draw_edge, size=self._draw_edge)
        if entered is not None:
            self.bind(on_text_validate=lambda _: entered(self.text))

    def _centre(self, *_: object) -> None:
        """Kivy knows how high a row is only once it is drawn."""
        self.height = max(dp(TOUCH), self.line_height + 2 * dp(S))
        edge = (self.height - self.line_height) / 2
        # A row that fits to the pixel is left out, so the bottom has some room to spare.
        self.padding = (dp(M), edge, dp(M), max(0.0, edge - dp(XS)))

    def _draw_edge(self, *_: object) -> None:
        self._edge.rounded_rectangle = round_corners(self)


class Panel(BoxLayout):
    """A column on a ground of its own, as high as what is in it."""

    def __init__(self, look: Look, *children: Widget, ground: RGB | None = None, **options: Any):
        options = {"orientation": "vertical", "padding": dp(L), "spacing": dp(M)} | options
        super().__init__(size_hint_y=None, **options)
        self.bind(minimum_height=self.setter("height"))
        fill(self, ground or look.theme.raised, RADIUS)
        for child in children:
            self.add_widget(child)


class Column(BoxLayout):
    """Things below each other, as high as they are together."""

    def __init__(self, *children: Widget, **options: Any) -> None:
        super().__init__(orientation="vertical", size_hint_y=None, **{"spacing": dp(M)} | options)
        self.bind(minimum_height=self.setter("height"))
        for child in children:
            self.add_widget(child)


class Flow(StackLayout):
    """Things beside each other, in as many rows as they need; as high as those are."""

    def __init__(self, *children: Widget, **options: Any) -> None:
        super().__init__(size_hint_y=None, **{"spacing": dp(S)} | options)
        self.bind(minimum_height=self.setter("height"))
        for child in children:
            self.add_widget(child)


class Scroller(ScrollView):
    """Scrolls up and down, and stops at the ends.

    Kivy's own way is a spring at the ends. Where a window draws less than two pictures a second its
    steps overshoot, each more than the last, and what is in it is never seen again.
    """

    def __init__(self, look: Look) -> None:
        super().__init__(
            do_scroll_x=False,
            effect_cls=ScrollEffect,
            always_overscroll=False,
            bar_width=dp(S),
            bar_color=rgba(look.theme.line),
            bar_inactive_color=rgba(look.theme.line, 0.6),
            scroll_type=["bars", "content"],
        )


class Page(Scroller):
    """A screen that scrolls: one column, no wider than is pleasant to read."""

    def __init__(self, look: Look, *children: Widget, widest: float = COLUMN) -> None:
        super().__init__(look)
        self._widest = widest
        self.column = Column(*children, padding=(dp(L), dp(L)), spacing=dp(L))
        self.add_widget(self.column)
        self.bind(width=self._narrow)

    def _narrow(self, *_: object) -> None:
        side = max(dp(L), (self.width - dp(self._widest)) / 2)
        self.column.padding = (side, dp(L), side, dp(L))


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
