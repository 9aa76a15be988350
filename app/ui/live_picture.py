"""The camera's picture, with the skeleton if it is wanted, and the captions that stand below it."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
from kivy.core.text import Label as CoreLabel
from kivy.graphics import Color, Rectangle
from kivy.graphics.texture import Texture
from kivy.metrics import dp, pt
from kivy.uix.anchorlayout import AnchorLayout
from kivy.uix.floatlayout import FloatLayout
from kivy.uix.label import Label
from kivy.uix.widget import Widget
from kivy.utils import escape_markup

from fingerpost.app.caption_band import SMALLEST, BandText, Row, lay_out
from fingerpost.app.caption_board import ShownLine
from fingerpost.app.observer import Sight
from fingerpost.app.overlay import BAND, draw_skeleton
from fingerpost.app.translations import _
from fingerpost.app.ui.fonts import font_for
from fingerpost.app.ui.layouts import Column
from fingerpost.app.ui.look import Look
from fingerpost.app.ui.shapes import fill
from fingerpost.app.ui.theme import ROW_HEIGHT, UNSURE_SCALE, L, M, markup, rgba
from fingerpost.app.ui.widgets import Press, Words
from fingerpost.edge_runtime.keypoints import KeypointSchema
from fingerpost.edge_runtime.video import import_cv2

LONGEST_SIDE = 960  # pixels; a bigger picture is made smaller before it goes to the screen
HIGHEST_BAND = 0.45  # of the screen, however large the text
SMALLEST_PT = 18  # a line of large text is made so small before a word of it is left out


class LivePicture(FloatLayout):
    """The picture, as large as fits; words in its place while there is none."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look = look
        self.time_ms = -1  # of the sight that is shown
        self._texture: Texture | None = None
        with self.canvas:
            Color(*rgba(look.theme.raised))
            # Beside the picture alone: where the processor draws, what lies under it costs as much.
            self._beside = Rectangle(), Rectangle()
            self._tint = Color(1, 1, 1, 0)
            self.shown = Rectangle()
        self._said = AnchorLayout(padding=dp(L), pos_hint={"x": 0, "y": 0})
        self.add_widget(self._said)
        self.bind(pos=self._place, size=self._place)

    def show(
        self, sight: Sight, schema: KeypointSchema, size: tuple[int, int], bones: bool
    ) -> None:
        """size : width and height of the picture where a sight carries none"""
        rgb = sight.rgb
        if rgb is None:
            rgb = np.full((size[1], size[0], 3), BAND, np.uint8)
        self.time_ms = sight.time_ms
        drawn = _no_larger(rgb)
        if bones or sight.rgb is None:
            draw_skeleton(drawn, sight.keypoints, schema)
        height, width = drawn.shape[:2]
        if self._texture is None or self._texture.size != (width, height):
            self._texture = Texture.create(size=(width, height), colorfmt="rgb")
            self._texture.flip_vertical()
        self._texture.blit_buffer(drawn.ravel(), colorfmt="rgb")
        self.shown.texture = self._texture
        self._tint.a = 1
        self._said.clear_widgets()
        self._place()
        self.canvas.ask_update()

    def say(self, words: str, action: str = "", act: Callable[[], object] | None = None) -> None:
        """Words in the place of the picture, and something to press."""
        self._tint.a = 0
        self._place()
        self._said.clear_widgets()
        column = Column(Words(self.look, words, halign="center"), size_hint_x=0.8)
        if act is not None:
            line = AnchorLayout(size_hint_y=None)
            press = Press(self.look, action, act, "accent")
            line.height = press.height
            line.add_widget(press)
            column.add_widget(line)
        self._said.add_widget(column)

    def _place(self, *_: object) -> None:
        first, second = self._beside
        first.pos, first.size, second.size = self.pos, self.size, (0, 0)
        if self._texture is None:
            return
        width, height = self._texture.size
        scale = min(self.width / width, self.height / height)
        size = width * scale, height * scale
        left, below = (self.width - size[0]) / 2, (self.height - size[1]) / 2
        self.shown.size, self.shown.pos = size, (self.x + left, self.y + below)
        if not self._tint.a:
            return
        # One of the two gaps is 0: the picture is as wide as the place, or as high.
        first.size = second.size = (left, self.height) if left else (self.width, below)
        second.pos = (self.right - left, self.y) if left else (self.x, self.top - below)


class CaptionBand(Widget):
    """The rows of text below the picture. Nothing is ever drawn over hands or face.

    n_rows : as set; where the window is too low for them, fewer
    """

    def __init__(self, look: Look, n_rows: int) -> None:
        super().__init__(size_hint_y=None)
        self.look, self._wanted_rows = look, n_rows
        self._lines: tuple[ShownLine, ...] = ()
        self._said = ""
        fill(self, look.theme.band)
        with self.canvas.before:
            Color(*rgba(look.theme.line))
            self._hair_line = Rectangle()
        self.text = Label(
            markup=True, halign="left", valign="top", size_hint=(None, None), line_height=1.0
        )
        self.add_widget(self.text)
        self.bind(pos=self._lay_out, size=self._lay_out)
        self.fit(1000)

    def fit(self, screen_height: float) -> None:
        """Takes the height that it needs, in a screen of this height."""
        row = self.look.text_px * ROW_HEIGHT
        room = int((screen_height * HIGHEST_BAND - 2 * dp(M)) / row)
        self.n_rows = max(1, min(self._wanted_rows, room))
        self.height = self.n_rows * row + 2 * dp(M)

    def show(self, lines: Sequence[ShownLine], said: str = "") -> None:
        """said : words of the app itself, where no line is shown"""
        if (tuple(lines), said) != (self._lines, self._said):
            self._lines, self._said = tuple(lines), said
            self._lay_out()

    def _lay_out(self, *_: object) -> None:
        top = self.y + self.height  # Kivy's own `top` may still be that of before
        self._hair_line.pos, self._hair_line.size = (self.x, top - 1), (self.width, 1)
        lines = self._lines or (ShownLine(self._said, partial=True, unsure=False),)
        font = font_for(self._unsure_mark(), *(line.text for line in lines))
        width = self.width - 2 * dp(L)
        if width <= 0:
            return
        px = self.look.text_px
        mark = text_width("  " + self._unsure_mark(), font, px * UNSURE_SCALE)
        measure = partial(text_width, font=font, px=px)
        smallest = min(SMALLEST, pt(SMALLEST_PT) / px)
        band = lay_out(lines, width, self.n_rows, measure, mark, smallest)
        self.text.font_name = font
        self.text.font_size = px * band.scale
        self.text.line_height = ROW_HEIGHT / _natural_height(font)
        self.text.text = self._markup(band)
        self.text.texture_update()
        self.text.size = self.text.texture_size
        self.text.pos = (self.x + dp(L), top - dp(M) - self.text.height)

    def _unsure_mark(self) -> str:
        return "? " + _("unsure")

    def _markup(self, band: BandText) -> str:
        px = round(self.look.text_px * band.scale * UNSURE_SCALE)
        return "\n".join(self._row(row, px) for row in band.rows)

    def _row(self, row: Row, unsure_px: int) -> str:
        theme = self.look.theme
        colour = markup(theme.partial if row.partial else theme.final)
        text = f"[color={colour}]{escape_markup(row.text)}[/color]"
        if row.unsure:
            mark = escape_markup(self._unsure_mark())
            text += f"[size={unsure_px}][color={markup(theme.warn)}]  {mark}[/color][/size]"
        return text


@lru_cache(maxsize=4096)
def text_width(text: str, font: str, px: float) -> float:
    """How wide a text is in pixels, on one row."""
    return float(CoreLabel(font_name=font, font_size=px).get_extents(text)[0])


@lru_cache(maxsize=8)
def _natural_height(font: str) -> float:
    """The height of a row in a typeface, as a share of its size."""
    label: Any = CoreLabel(font_name=font, font_size=100)
    return float(label.get_extents("Ág")[1]) / 100


def _no_larger(rgb: np.ndarray) -> np.ndarray:
    """A copy of a picture, (H, W, 3) uint8, no larger than a screen has use for."""
    longest = max(rgb.shape[:2])
    if longest <= LONGEST_SIDE:
        return np.array(rgb)
    cv2 = import_cv2()
    scale = LONGEST_SIDE / longest
    size = round(rgb.shape[1] * scale), round(rgb.shape[0] * scale)
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))
