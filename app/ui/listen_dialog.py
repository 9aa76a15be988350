"""A reply by voice: what is understood appears while somebody speaks; nothing is shown to the
other side before a press."""

from collections.abc import Callable
from typing import Any

from kivy.clock import Clock

from fingerpost.app.session_worker import Cancelled, Errand
from fingerpost.app.speech_to_text import Hearing
from fingerpost.app.translations import _
from fingerpost.app.ui.dialogs import Dialog
from fingerpost.app.ui.fonts import font_for
from fingerpost.app.ui.layouts import Flow
from fingerpost.app.ui.look import Look
from fingerpost.app.ui.widgets import Press, Words, small, title

EVERY_S = 0.1  # the words are looked at
MOST_SHOWN = 200  # characters, the last ones; all of them are in the reply


class ListenDialog(Dialog):
    """show, correct : called with the words, once; fail : with one line on what went wrong

    It listens as long as it is in the window: whatever takes it away turns the microphone off.
    """

    def __init__(
        self,
        look: Look,
        hearing: Hearing,
        show: Callable[[str], object],
        correct: Callable[[str], object],
        fail: Callable[[str], object],
        close: Callable[[], object],
    ) -> None:
        self._hearing, self._fail = hearing, fail
        self._wanted: Callable[[str], object] | None = None  # what to do with the words
        self._head = title(look, _("Starting the microphone …"))
        self._words = Words(look, "", 1.4)
        self._presses = (
            Press(look, _("Show"), lambda: self._finish(show), "accent"),
            Press(look, _("Correct"), lambda: self._finish(correct)),
        )
        where = _("The microphone is on, on this device only. Nothing is recorded.")
        cancel = Press(look, _("Cancel"), close)
        rows = self._words, small(look, where), Flow(*self._presses, cancel)
        super().__init__(look, self._head, *rows)
        self._listening: Errand[str] = Errand(hearing.listen)
        self._clock = Clock.schedule_interval(self.tick, EVERY_S)
        self.bind(parent=self._left)
        self._show()

    @property
    def awaited(self) -> bool:
        """Whether words are still to come: the first ones, or the last after a press."""
        return self._wanted is not None or not self._words.text

    def tick(self, _dt: float) -> None:
        """What is understood so far; at the end, what is wanted with it."""
        self._show()
        if self._listening.ended:
            self._take()

    def _show(self) -> None:
        words = self._hearing.words
        shown = words if len(words) <= MOST_SHOWN else f"… {words[-MOST_SHOWN:]}"
        if self._words.text != shown:
            self._words.font_name, self._words.text = font_for(shown), shown
        for press in self._presses:
            press.disabled = not words
        if self._hearing.is_on:
            self._head.text = _("Speak now.")

    def _finish(self, then: Callable[[str], object]) -> None:
        self._wanted = then
        self._hearing.end()

    def _take(self) -> None:
        try:
            words = self._listening.result()
        except Cancelled:
            return
        except (ValueError, OSError) as error:
            self._clock.cancel()
            self._fail(" ".join(str(error).split()))
            return
        self._head.text = _("That was the longest reply.") if self._wanted is None else ""
        if self._wanted is not None:
            self._clock.cancel()
            self._wanted(words)

    def _left(self, _dialog: Any, parent: object) -> None:
        if parent is None:
            self._clock.cancel()
            self._listening.cancel()
