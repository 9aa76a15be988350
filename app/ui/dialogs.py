"""What lies over a screen until it is answered: a large reply, a preview, other readings."""

from collections.abc import Callable, Sequence
from functools import partial

from kivy.graphics import PopMatrix, PushMatrix, Rotate
from kivy.metrics import dp, pt
from kivy.uix.anchorlayout import AnchorLayout
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.label import Label
from kivy.uix.widget import Widget

from fingerpost.app.overlay import wrap
from fingerpost.app.translations import _
from fingerpost.app.ui.fonts import font_for
from fingerpost.app.ui.layouts import Flow, Panel
from fingerpost.app.ui.live_picture import text_width
from fingerpost.app.ui.look import Look
from fingerpost.app.ui.shapes import fill
from fingerpost.app.ui.theme import ROW_HEIGHT, L, S, rgba
from fingerpost.app.ui.widgets import Press, Words, small, title

REPLY_PT = (96, 84, 72, 60, 48, 40, 32, 24)  # the largest that fits is taken
WIDEST = 560
SHADE = 0.82  # how much of the screen below a dialog is hidden


class Dialog(AnchorLayout):
    """A panel in the middle of a dimmed screen."""

    def __init__(self, look: Look, *children: Widget) -> None:
        super().__init__(padding=dp(L))
        fill(self, look.theme.ground, alpha=SHADE)
        self.panel = Panel(look, *children, size_hint_x=None, padding=dp(L * 1.5))
        self.add_widget(self.panel)
        self.bind(size=self._fit)

    def _fit(self, *_: object) -> None:
        self.panel.width = min(dp(WIDEST), self.width - 2 * dp(L))


def question(look: Look, head: str, words: str, *presses: Press) -> Dialog:
    """Something to decide."""
    return Dialog(look, title(look, head), Words(look, words), Flow(*presses))


def other_readings(
    look: Look, text: str, readings: Sequence[str], choose: Callable[[str], object], *presses: Press
) -> Dialog:
    """The readings of an unsure line: one is taken, or the signer is asked again."""
    rows: list[Widget] = [title(look, _("Which was it?")), small(look, _("Captions can be wrong."))]
    for reading in [text, *readings]:
        font = font_for(reading)
        rows.append(
            Press(
                look,
                reading,
                partial(choose, reading),
                font_name=font,
                size_hint=(1, None),
                shorten=True,
            )
        )
    return Dialog(look, *rows, Flow(*presses))


class ReplyCard(BoxLayout):
    """A reply as large as fits, to be held out; turned round for who sits opposite."""

    def __init__(self, look: Look, text: str, close: Callable[[], object], turned: bool = False):
        super().__init__(orientation="vertical", padding=dp(L), spacing=dp(S))
        self.look, self._words = look, text
        fill(self, look.theme.band)
        self._label = Label(
            text=text,
            font_name=font_for(text),
            color=rgba(look.theme.final),
            disabled_color=rgba(look.theme.final),
            halign="left",
            valign="middle",
            bold=True,
        )
        with self._label.canvas.before:
            PushMatrix()
            self._turn = Rotate(angle=180 if turned else 0, origin=(0, 0))
        with self._label.canvas.after:
            PopMatrix()
        self._label.bind(size=self._fit, pos=self._fit)
        self.add_widget(self._label)
        self.add_widget(
            Flow(
                Press(look, _("Turn round"), self.turn_round, "accent"),
                Press(look, _("Close"), close),
            )
        )

    @property
    def turned(self) -> bool:
        return bool(self._turn.angle)

    def turn_round(self) -> None:
        """By 180 degrees, for a reader on the other side of the counter."""
        self._turn.angle = 0 if self._turn.angle else 180

    def _fit(self, *_: object) -> None:
        label = self._label
        self._turn.origin = (label.x + label.width / 2, label.y + label.height / 2)
        font = label.font_name
        for points in REPLY_PT:
            px = pt(points)
            rows = wrap(self._words, int(label.width), partial(_bold_width, font=font, px=px))
            if len(rows) * px * ROW_HEIGHT <= label.height:
                break
        label.font_size = px
        label.text_size = label.size


def _bold_width(text: str, font: str, px: float) -> int:
    """In pixels: bold letters are some hundredths wider."""
    return int(text_width(text, font, px * 1.08))
