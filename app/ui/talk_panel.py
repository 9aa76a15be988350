"""The conversation beside the picture: what was said, to scroll back in, and the reply."""

import time
from collections.abc import Callable, Sequence

from kivy.clock import Clock
from kivy.metrics import dp
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from fingerpost.app.conversation import SIGNED, SPOKEN, TYPED, Entry
from fingerpost.app.translations import _
from fingerpost.app.ui.fonts import font_for
from fingerpost.app.ui.layouts import Column, Panel, Scroller
from fingerpost.app.ui.look import Look
from fingerpost.app.ui.theme import L, M, S
from fingerpost.app.ui.widgets import Field, Press, Words, small

MOST_SHOWN = 60  # entries that can be scrolled back to; History has the rest
TEXT_SCALE = 1.15  # of the words of an entry


class ConversationPanel(BoxLayout):
    """read_again : called with the entry whose other readings are wanted; reply : with a text
    listen : called where a reply is to be spoken; None where that cannot be done
    missing : one line on why not, where somebody has set it up
    """

    def __init__(
        self,
        look: Look,
        read_again: Callable[[Entry], object],
        reply: Callable[[str], object],
        listen: Callable[[], object] | None = None,
        missing: str = "",
    ) -> None:
        super().__init__(orientation="vertical", spacing=dp(S), padding=(dp(M), dp(M)))
        self.look = look
        self._read_again, self._reply = read_again, reply
        self._shown: list[tuple[Entry, Widget]] = []
        self._list = Column(spacing=dp(S))
        self._scroll = Scroller(look)
        self._scroll.add_widget(self._list)
        self._empty = small(look, _("What is said appears here."))
        self._list.add_widget(self._empty)
        self.field = Field(look, _("Type a reply"), entered=self._send)
        send = Press(look, _("Show"), lambda: self._send(self.field.text), "accent")
        row = BoxLayout(size_hint_y=None, spacing=dp(S))
        row.height = max(self.field.height, send.height)
        send.bind(height=lambda _, height: setattr(row, "height", max(self.field.height, height)))
        row.add_widget(self.field)
        self._speaks = listen is not None
        if listen is not None:
            row.add_widget(Press(look, _("Voice"), listen))
        row.add_widget(send)
        self._warning = Words(look, "", colour=look.theme.warn)
        self.add_widget(self._warning)
        self.add_widget(self._scroll)
        self.add_widget(row)
        if missing:
            self.add_widget(small(look, missing))

    @property
    def best_width(self) -> float:
        """Beside a picture: wider for larger text, and for one thing more to press."""
        larger = (self.look.ui_px - dp(17)) * (16 if self._speaks else 12)
        return dp(380 if self._speaks else 320) + larger + dp(L)

    def warn(self, words: str) -> None:
        """A line above the conversation; "" takes it away."""
        if self._warning.text != words:
            self._warning.text = words

    def show(self, entries: Sequence[Entry]) -> None:
        """Draws what is new, and leaves alone what is not."""
        wanted = list(entries)[-MOST_SHOWN:]
        if wanted == [entry for entry, _ in self._shown]:
            return
        same = 0
        while same < min(len(wanted), len(self._shown)) and wanted[same] == self._shown[same][0]:
            same += 1
        for _entry, widget in self._shown[same:]:
            self._list.remove_widget(widget)
        self._list.remove_widget(self._empty)
        self._shown = self._shown[:same]
        for entry in wanted[same:]:
            widget = self._entry(entry)
            self._shown.append((entry, widget))
            self._list.add_widget(widget)
        if not wanted:
            self._list.add_widget(self._empty)
        Clock.schedule_once(self._to_the_end, 0.05)  # when the new entry knows its height

    def _to_the_end(self, _dt: float) -> None:
        self._scroll.scroll_y = 0

    def _entry(self, entry: Entry) -> Widget:
        look = self.look
        who = said_how(entry.how)
        clock = time.strftime("%H:%M", time.localtime(entry.said_ms / 1000))
        panel = Panel(
            look,
            small(look, f"{who} · {clock}"),
            Words(look, entry.text, TEXT_SCALE, font_name=font_for(entry.text)),
            spacing=dp(4),
            padding=(dp(M), dp(S)),
        )
        if entry.how != SIGNED:  # the hearing side stands further right
            panel.size_hint_x = 0.88
            panel.pos_hint = {"right": 1}
        if entry.unsure:
            words = _("unsure: other readings") if entry.readings else _("unsure: sign again?")
            panel.add_widget(Press(look, words, lambda: self._read_again(entry), "plain"))
        elif entry.chosen:
            panel.add_widget(small(look, _("chosen by a reader")))
        return panel

    def _send(self, text: str) -> None:
        if text.strip():
            self._reply(text)
            self.field.text = ""


def said_how(how: str) -> str:
    """Signed, typed, spoken: in the user's language."""
    return {SIGNED: _("Signed"), TYPED: _("Typed"), SPOKEN: _("Spoken")}.get(how, how)
