"""A live picture with a button that records: what Record and Teach are made around."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from kivy.clock import Clock
from kivy.metrics import dp
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from fingerpost.app.observer import Observer
from fingerpost.app.tape import Tape
from fingerpost.app.told import in_words
from fingerpost.app.translations import _
from fingerpost.app.ui.layouts import Flow
from fingerpost.app.ui.live_picture import LivePicture
from fingerpost.app.ui.theme import NARROW, S
from fingerpost.app.ui.widgets import Press, Words

if TYPE_CHECKING:
    from fingerpost.app.ui.shell import Shell

COUNTDOWN_S = 3  # from the press to the recording: the hands must come back from the button
PICTURE_HEIGHT = 300


class Beside(BoxLayout):
    """What is filled in, and the take: beside each other in a wide window, else stacked."""

    def __init__(self, left: Widget, right: Widget) -> None:
        super().__init__()
        self.add_widget(left)
        self.add_widget(right)
        self.bind(width=self._turn)

    def _turn(self, *_: object) -> None:
        self.orientation = "horizontal" if self.width >= dp(NARROW) else "vertical"


class Take(BoxLayout):
    """taken : called with the tape of each take, and what saw it
    ready : raises ValueError while no take may be made yet, with what is missing
    pictures : whether the tape is to have pictures; asked when a take begins
    """

    def __init__(
        self,
        shell: "Shell",
        taken: Callable[[Tape, Observer], object],
        ready: Callable[[], None],
        pictures: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(orientation="vertical", size_hint_y=None, spacing=dp(S))
        self.bind(minimum_height=self.setter("height"))
        self.shell, self._taken, self._ready = shell, taken, ready
        self._pictures = pictures
        self._left_s: float | None = None  # of the countdown
        self.recording = False
        self._told_problem = ""
        self._picture = LivePicture(shell.look)
        self._picture.size_hint_y, self._picture.height = None, dp(PICTURE_HEIGHT)
        self._words = Words(shell.look, "", 1.25)
        self._press = Press(shell.look, _("Start recording"), self.turn, "accent")
        self.add_widget(self._picture)
        self.add_widget(self._words)
        self.add_widget(Flow(self._press))
        if shell.state.worker is None:
            shell.state.start_camera()
        self._picture.say(_("Starting the camera …"))

    def tick(self) -> None:
        """Once for every picture of the window."""
        news = self.shell.take_news(is_said=False)
        state = self.shell.state
        observer = state.worker.observer if state.worker is not None else None
        if news.sight is not None and observer is not None:
            self._picture.show(news.sight, observer.schema, observer.size, True)
        if state.problem != self._told_problem:
            self._told_problem = state.problem
            self._picture.say(in_words(state.problem) or _("Starting the camera …"))
        if state.worker is None:
            self.recording, self._left_s = False, None
        if self._left_s is not None:
            self._left_s -= Clock.frametime
            if self._left_s <= 0:
                self._begin()
        self._show()

    def turn(self) -> None:
        """Begins the countdown, or ends the take."""
        if self.recording:
            self._end()
        elif self._left_s is not None:
            self._left_s = None
        elif self.shell.state.worker is None:
            raise ValueError(_("The camera is off."))
        else:
            self._ready()
            self._left_s = float(COUNTDOWN_S)

    def leave(self) -> None:
        """Another screen comes: a take that is not ended is thrown away."""
        self.recording, self._left_s = False, None
        if self.shell.state.worker is not None:
            self.shell.state.worker.end_tape()

    def _begin(self) -> None:
        self._left_s = None
        if self.shell.state.worker is not None:
            self.shell.state.worker.begin_tape(self._pictures())
            self.recording = True

    def _end(self) -> None:
        self.recording = False
        worker = self.shell.state.worker
        if worker is not None and worker.observer is not None:
            self._taken(worker.end_tape(), worker.observer)

    def _show(self) -> None:
        if self.recording:
            words, press = _("Recording: sign now, then press Stop."), _("Stop")
        elif self._left_s is not None:
            words, press = _("Get ready: {n}").format(n=int(self._left_s) + 1), _("Cancel")
        else:
            words, press = "", _("Start recording")
        if self._words.text != words:
            self._words.text = words
        if self._press.text != press:
            self._press.text = press
