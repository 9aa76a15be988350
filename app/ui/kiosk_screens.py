"""What a kiosk shows: the clip that invites, the captions, the pad for the PIN.

Each is built anew for each visitor and thrown away behind them, so nothing of one is left for the
next. Sizes follow the screen: it is read from three metres away.
"""

from collections.abc import Callable, Iterator

import numpy as np
from kivy.metrics import dp
from kivy.uix.anchorlayout import AnchorLayout
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.gridlayout import GridLayout
from kivy.uix.widget import Widget

from fingerpost.app.conversation import Entry
from fingerpost.app.demo import demo_clip
from fingerpost.app.kiosk import Finished, Replying
from fingerpost.app.kiosk_pin import MOST, check_pin
from fingerpost.app.kiosk_runner import KioskRunner
from fingerpost.app.observer import Sight
from fingerpost.app.platforms.sources import LoopedVideo
from fingerpost.app.settings import Settings
from fingerpost.app.translations import _, current_language
from fingerpost.app.ui.dialogs import Dialog
from fingerpost.app.ui.kiosk_reply import ReplyPad, ShownReply
from fingerpost.app.ui.layouts import Column, Flow
from fingerpost.app.ui.live_picture import CaptionBand, LivePicture
from fingerpost.app.ui.look import Look
from fingerpost.app.ui.theme import XL, L, M, S
from fingerpost.app.ui.widgets import Press, Words, title
from fingerpost.edge_runtime.keypoints import MEDIAPIPE_HOLISTIC, KeypointFrame

TITLE, POINT, PRINT = 0.058, 0.036, 0.026  # text sizes, as shares of the screen's shorter side
CLIP_ASPECT = 4 / 3  # of the demo clip
DIGITS = "123456789"
KEY = 72  # of the PIN pad, in density-independent pixels


class AttractScreen(BoxLayout):
    """The rendered signer, over and over, and how to stand. Nobody is here."""

    def __init__(
        self, look: Look, _runner: KioskRunner, _settings: Settings, _now_ms: Callable[[], int]
    ) -> None:
        super().__init__(spacing=dp(XL), padding=dp(XL))
        self.look = look
        self.picture = LivePicture(look)
        self.picture.pos_hint = {"center_y": 0.5}
        self._clip: LoopedVideo | None = None
        self._pictures: Iterator[tuple[int, np.ndarray]] = iter(())
        self._began_ms: int | None = None
        self._ahead: tuple[int, np.ndarray] | None = None
        self._open()
        self._words = [(title(look, _("Sign here. Your words appear in writing.")), TITLE)]
        for point in (
            _("1. Stand two steps away, and look at the screen."),
            _("2. Head, shoulders and both hands are in the picture."),
            _("3. Light comes from the front, and nobody stands behind you."),
            _("4. Sign. Lower your hands when a sentence is over."),
        ):
            self._words.append((Words(look, point), POINT))
        for line in (
            _("Captions can be wrong. Not for medical, legal or emergency use."),
            _("The camera looks whether somebody is here. Nothing is kept, nothing is sent."),
        ):
            self._words.append((Words(look, line, colour=look.theme.dim), PRINT))
        self._column = Column(*(words for words, _share in self._words), spacing=dp(L))
        self._side = AnchorLayout()
        self._side.add_widget(self._column)
        self.add_widget(self.picture)
        self.add_widget(self._side)
        self.bind(size=self._fit)
        self._column.bind(height=self._fit)

    def tick(self, now_ms: int) -> None:
        """Shows the picture of the clip that is due; one that is late is left out."""
        if self._began_ms is None:
            self._began_ms = now_ms
        due_ms, shown = now_ms - self._began_ms, None
        while self._ahead is not None and self._ahead[0] <= due_ms:
            shown, self._ahead = self._ahead, next(self._pictures, None)
            if self._ahead is not None and due_ms - self._ahead[0] > 1000:  # the clock was set on
                self._began_ms, due_ms = now_ms - self._ahead[0], self._ahead[0]
        if shown is not None:
            n_points = len(MEDIAPIPE_HOLISTIC)
            nobody = KeypointFrame(shown[0], np.zeros((n_points, 3)), np.zeros(n_points))
            size = shown[1].shape[1], shown[1].shape[0]
            self.picture.show(Sight(*shown, nobody), MEDIAPIPE_HOLISTIC, size, bones=False)

    def close(self) -> None:
        self._ahead, self._pictures = None, iter(())
        if self._clip is not None:
            self._clip.__exit__()

    def _open(self) -> None:
        try:
            self._clip = LoopedVideo(demo_clip())
        except (ValueError, OSError):  # a copy without its clip: the words invite alone
            return
        self._pictures = iter(self._clip)
        self._ahead = next(self._pictures, None)

    def _fit(self, *_args: object) -> None:
        """Beside each other on a wide screen, below each other on a high one."""
        wide = self.width >= self.height
        self.orientation = "horizontal" if wide else "vertical"
        self.picture.size_hint = (1, None) if wide else (1, 1)
        self._side.size_hint_y, self._side.height = (1 if wide else None), self._column.height
        self.picture.height = (self.width - 3 * dp(XL)) / 2 / CLIP_ASPECT
        for words, share in self._words:
            words.font_size = min(self.width, self.height) * share


class KioskTalk(BoxLayout):
    """The picture and the captions of who is here, and what is typed for them.

    pad : the letters, while somebody types; None while nobody does
    """

    def __init__(
        self, look: Look, runner: KioskRunner, settings: Settings, now_ms: Callable[[], int]
    ) -> None:
        super().__init__(orientation="vertical")
        self.runner, self._settings, self._now_ms = runner, settings, now_ms
        self._look = look
        self.pad: ReplyPad | None = None
        self._reply: Entry | None = None  # the one that is shown, or was, until it was closed
        self.picture = LivePicture(look)
        self.band = CaptionBand(look, settings.caption_lines)
        self._said, self._shown_ms = "", -1
        self.actions = Flow(
            Press(look, _("Sign again"), runner.sign_again),
            Press(look, _("Type a reply"), self.begin_reply),
            Press(look, _("Finished: forget everything"), self._finish, "accent"),
            padding=(dp(L), dp(S)),
        )
        self.replies = Column(height=0)
        for part in (self.picture, self.replies, self.band, self.actions):
            self.add_widget(part)
        self.bind(height=lambda _self, height: self.band.fit(height))
        self._say(_("Starting the camera …"))

    def tick(self, _now_ms: int) -> None:
        """Draws what there is now."""
        runner, machine = self.runner, self.runner.machine
        sight, observer = runner.sight, runner.observer
        if machine.trouble:
            self._say(trouble_words(machine.trouble))
        elif sight is not None and observer is not None:
            if sight.time_ms != self._shown_ms or self._said:
                self.picture.show(sight, observer.schema, observer.size, self._settings.skeleton)
            self._shown_ms, self._said = sight.time_ms, ""
        else:
            self._say(_("Starting the camera …"))
        lines = runner.conversation.shown()
        self.band.show(lines, "" if lines else _("Captions appear here."))
        if self.pad is not None:
            self.pad.fit(self.height - self.band.height)
        elif runner.last_reply is not self._reply:
            self._show_reply(runner.last_reply)

    def close(self) -> None:
        """Nothing to close."""

    def begin_reply(self) -> None:
        """The letters take the place of what can be pressed."""
        language = current_language()
        self.pad = ReplyPad(self._look, language, self._send, self.end_reply, self._typing)
        self.remove_widget(self.actions)
        self.replies.clear_widgets()  # what was said before has been read; the room is needed
        self.add_widget(self.pad)

    def end_reply(self) -> None:
        """Without sending what was typed."""
        if self.pad is not None:
            self.remove_widget(self.pad)
            self.add_widget(self.actions)
            self.pad = None

    def _send(self, text: str) -> None:
        self.runner.reply(text, self._now_ms())
        self.end_reply()

    def _typing(self) -> None:
        self.runner.push(Replying(), self._now_ms())

    def _show_reply(self, reply: Entry | None) -> None:
        """Until it is closed, there is another one, or all is forgotten."""
        self._reply = reply
        self.replies.clear_widgets()
        if reply is not None:
            shown = ShownReply(self._look, reply.text, self.replies.clear_widgets)
            self.replies.add_widget(shown)

    def _say(self, words: str) -> None:
        if self._said != words:
            self._said = words
            self.picture.say(words)

    def _finish(self) -> None:
        self.runner.push(Finished(), self._now_ms())


class PinPad(Dialog):
    """Takes digits from fingers and from a keyboard.

    done : called with a PIN; returns what to say about it, "" where it was taken
    cancel : None where there is no way back, as at the first start
    """

    def __init__(
        self,
        look: Look,
        head: str,
        done: Callable[[str], str],
        cancel: Callable[[], object] | None,
    ) -> None:
        self._done, self._cancel = done, cancel
        self._digits = ""
        self._dots = Words(look, " ", 1.6, halign="center")
        self._said = Words(look, " ", halign="center", colour=look.theme.warn)
        self._head = title(look, head)
        keys = GridLayout(cols=3, spacing=dp(S), size_hint_y=None, height=4 * dp(KEY) + 3 * dp(S))
        for digit in DIGITS:
            keys.add_widget(self._key(look, digit, digit))
        keys.add_widget(self._key(look, _("Erase"), "backspace"))
        keys.add_widget(self._key(look, "0", "0"))
        keys.add_widget(self._key(look, _("OK"), "enter", "accent"))
        back = [Press(look, _("Cancel"), cancel)] if cancel is not None else []
        super().__init__(look, self._head, self._dots, self._said, keys, *back)
        self.panel.spacing = dp(M)

    def key(self, name: str) -> bool:
        """A key that was pressed; whether it meant something."""
        name = name.removeprefix("numpad")
        if len(name) == 1 and name in "0123456789":
            self._digits = (self._digits + name)[:MOST]
        elif name == "backspace":
            self._digits = self._digits[:-1]
        elif name == "enter":
            digits, self._digits = self._digits, ""
            self.say(self._done(digits))
        elif name == "escape" and self._cancel is not None:
            self._cancel()
        else:
            return False
        self._dots.text = "●" * len(self._digits) or " "
        return True

    def ask(self, head: str) -> None:
        """Says above the pad what it is for."""
        self._head.text = head

    def say(self, words: str) -> None:
        self._said.text = words or " "

    def _key(self, look: Look, words: str, name: str, kind: str = "plain") -> Widget:
        return Press(look, words, lambda: self.key(name), kind, size_hint=(1, 1))


class ChoosePin(BoxLayout):
    """The first start: a PIN, twice."""

    def __init__(
        self, look: Look, runner: KioskRunner, _settings: Settings, now_ms: Callable[[], int]
    ) -> None:
        super().__init__()
        self._runner, self._now_ms = runner, now_ms
        self._first = ""
        self.pad = PinPad(look, _("Choose a PIN that ends the kiosk"), self._take, None)
        self.add_widget(self.pad)

    def tick(self, _now_ms: int) -> None:
        """Nothing moves."""

    def close(self) -> None:
        """Nothing to close."""

    def _take(self, pin: str) -> str:
        if self._first and pin != self._first:
            self._first = ""
            self.pad.ask(_("Choose a PIN that ends the kiosk"))
            return _("These were two different PINs.")
        try:
            check_pin(pin)
            if not self._first:
                self._first = pin
                self.pad.ask(_("The same PIN once more"))
                return ""
            self._runner.choose_pin(pin, self._now_ms())
        except (ValueError, OSError) as error:
            self._first = ""
            return str(error)
        return ""


def trouble_words(why: str) -> str:
    """For the public, and below it for who looks after the kiosk."""
    words = _("There is no picture from the camera. It is being started again.")
    return f"{words}\n\n{why}"
