"""A reply on a kiosk: letters to touch for who hears, and large words for who is replied to.

Kivy's own VKeyboard is not taken: it hides in a window of its own, with pictures in place of the
theme's colours, keys smaller than a finger, and a way to Kivy's settings. Nothing that is typed is
suggested, learned or kept.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from kivy.core.window import Window
from kivy.metrics import dp
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from fingerpost.app.translations import _
from fingerpost.app.ui.fonts import font_for
from fingerpost.app.ui.layouts import Column, Flow, Panel
from fingerpost.app.ui.look import Look
from fingerpost.app.ui.theme import XS, L, M, S, rgba
from fingerpost.app.ui.widgets import Press, Words, small

MOST_LETTERS = 120  # of a reply: four rows on a small screen
KEY = 56  # a key's least height, in density-independent pixels
KEY_SHARE = 0.075  # and its height as a share of the screen's shorter side
DIGITS = "1234567890"
# At most ten keys in a row: narrower ones are missed by fingers on a screen on its edge. Chinese
# has Latin letters, for names and numbers: an input method for its signs is not here.
QWERTY = ("qwertyuiop", "asdfghjkl'", "zxcvbnm,.?")
ROWS = {
    "en": QWERTY,
    "de": ("qwertzuiop", "asdfghjklß", "yxcvbnm,.?", "äöü-!"),
    "es": ("qwertyuiop", "asdfghjklñ", "zxcvbnm,.?", "áéíóúü¿¡-!"),
    "zh": QWERTY,
}
CAPITALS = "Aa"
SENTENCE_ENDS = (".", "?", "!")


class ReplyPad(BoxLayout):
    """Letters to touch, and phrases that go out at once.

    language : whose letters; done : called with a text; cancel : without one
    touched : called at each letter
    """

    def __init__(
        self,
        look: Look,
        language: str,
        done: Callable[[str], object],
        cancel: Callable[[], object],
        touched: Callable[[], object],
    ) -> None:
        super().__init__(
            orientation="vertical", size_hint_y=None, spacing=dp(S), padding=(dp(S), dp(S))
        )
        self.bind(minimum_height=self.setter("height"))
        self._look, self._done, self._cancel, self._touched = look, done, cancel, touched
        self._text, self._shift = "", True
        self._shown = Words(look, "")
        self._phrases = self._new_phrases()
        self.add_widget(self._phrases)
        self.add_widget(Panel(look, self._shown, padding=(dp(M), dp(S))))
        self._letters: list[tuple[str, Press]] = []
        self.add_widget(self._keys(ROWS[language]))
        self.add_widget(self._last_row())
        self._show()

    @property
    def text(self) -> str:
        return self._text

    def key(self, name: str) -> bool:
        """A key that was pressed, here or on a keyboard; whether it meant something."""
        known: dict[str, Callable[[], object]] = {
            "backspace": self._erase,
            "enter": self._send,
            "numpadenter": self._send,
            "escape": self._cancel,
            "spacebar": partial(self._type, " "),
        }
        if name in known:
            known[name]()
        elif len(name) == 1 and name.isprintable():
            self._type(name.upper() if self._shift else name)
        else:
            return False
        return True

    def fit(self, room: float) -> None:
        """Without its phrases where it would be higher than this."""
        phrases = self._phrases
        if phrases.parent is not None and self.height > room:
            self.remove_widget(phrases)
        elif phrases.parent is None and self.height + phrases.height + dp(S) <= room:
            self.add_widget(phrases, len(self.children))

    def _new_phrases(self) -> Flow:
        """What is said at every counter; one touch is enough."""
        phrases = (
            _("Yes"),
            _("No"),
            _("One moment, please."),
            _("Please sign it again."),
            _("Please write it down."),
            _("Thank you."),
        )
        presses = (Press(self._look, words, partial(self._done, words)) for words in phrases)
        return Flow(*presses, spacing=dp(XS))

    def _keys(self, rows: tuple[str, ...]) -> Column:
        column = Column(spacing=dp(XS))
        for letters in (DIGITS, *rows):
            row = self._row()
            for letter in letters:
                press = self._wide(letter, partial(self.key, letter))
                self._letters.append((letter, press))
                row.add_widget(press)
            column.add_widget(row)
        return column

    def _last_row(self) -> BoxLayout:
        row = self._row()
        beside: dict[str, Any] = {"size_hint": (None, 1), "inset": M}
        for press in (
            Press(self._look, CAPITALS, self._turn_shift, **beside),
            self._wide(_("Space"), partial(self._type, " ")),
            Press(self._look, _("Erase"), self._erase, **beside),
            Press(self._look, _("Cancel"), self._cancel, **beside),
            Press(self._look, _("Show"), self._send, "accent", **beside),
        ):
            row.add_widget(press)
        return row

    def _row(self) -> BoxLayout:
        height = max(dp(KEY), KEY_SHARE * min(Window.size))
        return BoxLayout(size_hint_y=None, height=height, spacing=dp(XS))

    def _wide(self, words: str, action: Callable[[], object]) -> Press:
        return Press(self._look, words, action, size_hint=(1, 1), inset=0)

    def _type(self, letter: str) -> None:
        self._text = (self._text + letter).lstrip()[:MOST_LETTERS]
        self._shift = self._begins_a_sentence()
        self._show()

    def _erase(self) -> None:
        self._text = self._text[:-1]
        self._shift = self._begins_a_sentence()
        self._show()

    def _turn_shift(self) -> None:
        self._shift = not self._shift
        self._show()

    def _begins_a_sentence(self) -> bool:
        text = self._text
        return not text or (text.endswith(" ") and text.rstrip().endswith(SENTENCE_ENDS))

    def _send(self) -> None:
        if self._text.strip():
            self._done(self._text)
        else:
            self._cancel()

    def _show(self) -> None:
        self._touched()
        theme = self._look.theme
        self._shown.text = f"{self._text}|" if self._text else _("Type a reply")
        self._shown.color = rgba(theme.text if self._text else theme.dim)
        for letter, press in self._letters:
            # German has a capital ß since 2017, but no word begins with one.
            capital = self._shift and letter != "ß"
            press.text = letter.upper() if capital else letter


class ShownReply(Panel):
    """What was typed, for who signs: as large as captions."""

    def __init__(self, look: Look, text: str, close: Callable[[], object]) -> None:
        words = Words(look, text, px=look.text_px, bold=True, font_name=font_for(text))
        head = BoxLayout(size_hint_y=None, spacing=dp(M))
        label: Widget = small(look, _("Typed"))
        label.pos_hint = {"center_y": 0.5}
        press = Press(look, _("Close"), close)
        press.bind(height=lambda _self, height: setattr(head, "height", height))
        head.height = press.height
        head.add_widget(label)
        head.add_widget(press)
        super().__init__(look, head, words, padding=(dp(L), dp(S)), spacing=dp(XS))
