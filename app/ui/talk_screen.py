"""Talk: the picture, the captions under it, the conversation beside it. The main screen."""

from functools import partial
from typing import TYPE_CHECKING

from kivy.clock import Clock
from kivy.core.clipboard import Clipboard
from kivy.input import MotionEvent
from kivy.metrics import dp
from kivy.uix.boxlayout import BoxLayout

from fingerpost.app import speech_to_text
from fingerpost.app.conversation import SIGNED, SPOKEN, TYPED, Entry
from fingerpost.app.told import in_words
from fingerpost.app.translations import _
from fingerpost.app.ui.app_state import now_ms
from fingerpost.app.ui.dialogs import ReplyCard, other_readings, question
from fingerpost.app.ui.layouts import Flow
from fingerpost.app.ui.listen_dialog import ListenDialog
from fingerpost.app.ui.live_picture import CaptionBand, LivePicture
from fingerpost.app.ui.talk_panel import ConversationPanel
from fingerpost.app.ui.theme import NARROW, L, S
from fingerpost.app.ui.widgets import Press

if TYPE_CHECKING:
    from fingerpost.app.ui.shell import Shell

LONG_S = 0.8  # of a long press
PRESSED = "fingerpost: long press"  # what a touch carries it by


class TalkScreen(BoxLayout):
    """Built anew whenever it is shown; what was said is in the state."""

    def __init__(self, shell: "Shell") -> None:
        super().__init__(orientation="vertical")
        self.shell, self.state = shell, shell.state
        look = shell.look
        self._said = ""
        self._told_problem, self._told_slow = "", False
        self.picture = LivePicture(look)
        self.band = CaptionBand(look, self.state.settings.caption_lines)
        model = self.state.settings.voice_model
        missing = speech_to_text.why_not(model) if model else ""
        listen = self.reply_by_voice if model and not missing else None
        self.panel = ConversationPanel(
            *(look, self.read_again, self.reply, listen, in_words(missing))
        )
        self.undo_press = Press(look, _("Undo"), self.undo)
        self.put_back_press = Press(look, _("Put back"), self.put_back)
        self.actions = Flow(
            self.undo_press,
            self.put_back_press,
            Press(look, _("Sign again"), self.sign_again),
            Press(look, _("Copy"), self.copy),
            Press(look, _("Speak"), self.preview_speech),
            Press(look, _("Clear"), self.clear),
            Press(look, _("Private"), self.turn_private, on=self.state.private),
            padding=(dp(L), dp(S)),
        )
        self._upper = BoxLayout()
        self._arranged: bool | None = None
        self.bind(size=self._arrange)
        if self.state.worker is None and not self.state.problem:
            self.state.start_camera()
        self.picture.say(_("Starting the camera …"))
        self._show_words()

    # ---- what the clock and the keys call --------------------------------------------------

    def tick(self) -> None:
        """Once for every picture that the screen shows."""
        news = self.shell.take_news()
        state = self.state
        observer = state.worker.observer if state.worker is not None else None
        if state.problem != self._told_problem:
            self._tell_problem(state.problem)
        if news.sight is not None and observer is not None:
            self.picture.show(news.sight, observer.schema, observer.size, state.settings.skeleton)
            self._tell_slow(news.sight.slow)
        if news.events:
            self._said = ""
        self._show_words()

    def undo(self) -> None:
        """Takes the last line out of the conversation."""
        if self.state.conversation.take_back() is None:
            self.shell.tell(_("There is nothing to undo."))
        self._show_words()

    def put_back(self) -> None:
        self.state.conversation.put_back()
        self._show_words()

    def sign_again(self) -> None:
        """The last line was not understood: it goes, and the signer is told."""
        last = self.state.conversation.entries[-1:]
        if last and last[0].how == SIGNED:
            self.state.conversation.take_back()
        self.state.forget_line()
        self._said = _("Please sign that again.")
        self.shell.close_dialog()
        self._show_words()

    def copy(self) -> None:
        """The last signed line, for another program."""
        entry = self.state.conversation.last_signed
        if entry is None:
            self.shell.tell(_("There is nothing to copy yet."))
            return
        Clipboard.copy(entry.text)
        self.shell.tell(_("Copied."))

    def clear(self) -> None:
        """Begins a new conversation; the old one is in the history, unless this is private."""
        self.state.conversation.begin_anew()
        self._said = ""
        self._show_words()

    def turn_private(self) -> None:
        """From here on nothing of what is said is kept, or again it is; a new conversation."""
        self.state.keep_private(not self.state.private)
        self.shell.go("talk")

    def reply_by_voice(self) -> None:
        """Listens, and shows what it understands; what becomes of that is for a press to say."""
        shell = self.shell
        opening = partial(speech_to_text.open_recogniser, self.state.settings.voice_model)
        hearing = speech_to_text.Hearing(opening, speech_to_text.open_microphone)

        def show(words: str) -> None:
            shell.close_dialog()
            if words:
                self.reply(words, SPOKEN)
            else:
                shell.tell(_("Nothing was understood."))

        def correct(words: str) -> None:
            shell.close_dialog()
            self.panel.field.text, self.panel.field.focus = words, True

        def fail(why: str) -> None:
            shell.close_dialog()
            shell.tell(why)

        shell.show_dialog(
            ListenDialog(shell.look, hearing, show, correct, fail, shell.close_dialog)
        )

    def reply(self, text: str, how: str = TYPED) -> None:
        """What the hearing side typed or spoke, held out large."""
        entry = self.state.conversation.reply(text, now_ms(), how)
        self._show_words()
        self.shell.show_dialog(ReplyCard(self.shell.look, entry.text, self.shell.close_dialog))

    def read_again(self, entry: Entry) -> None:
        """Shows what else an unsure line may have been."""

        def choose(reading: str) -> None:
            self.state.conversation.choose(entry.key, reading)
            self.shell.close_dialog()
            self._show_words()

        look = self.shell.look
        again = Press(look, _("Sign again"), self.sign_again)
        close = Press(look, _("Close"), self.shell.close_dialog)
        self.shell.show_dialog(
            other_readings(look, entry.text, entry.readings, choose, again, close)
        )

    def preview_speech(self) -> None:
        """Nothing is spoken before somebody has read it and pressed."""
        entry = self.state.conversation.last_signed
        if entry is None:
            self.shell.tell(_("There is nothing to speak yet."))
            return
        look = self.shell.look

        def speak() -> None:
            self.shell.close_dialog()
            self.shell.speak(entry.text)

        self.shell.show_dialog(
            question(
                look,
                _("Speak this?"),
                entry.text + (" (" + _("unsure") + ")" if entry.unsure else ""),
                Press(look, _("Speak"), speak, "accent"),
                Press(look, _("Cancel"), self.shell.close_dialog),
            )
        )

    def on_touch_down(self, touch: MotionEvent) -> bool:
        """A long press on the picture shows the profile, as F1 does."""
        if self.picture.collide_point(*touch.pos):
            touch.ud[PRESSED] = Clock.schedule_once(lambda _: self.shell.profile.turn(), LONG_S)
        return bool(super().on_touch_down(touch))

    def on_touch_up(self, touch: MotionEvent) -> bool:
        if PRESSED in touch.ud:
            touch.ud.pop(PRESSED).cancel()
        return bool(super().on_touch_up(touch))

    # ---- drawing ---------------------------------------------------------------------------

    def _show_words(self) -> None:
        conversation = self.state.conversation
        self.panel.show(conversation.entries)
        waiting = _("Captions appear here.") if not conversation.entries else ""
        said = self._said or waiting
        self.band.show(() if self._said else conversation.shown(), said)
        self.put_back_press.disabled = not conversation.can_put_back
        self.undo_press.disabled = not conversation.entries

    def _tell_slow(self, slow: str) -> None:
        """What is too slow, and what helps. Its figure is that of the beginning: one that changed
        with each picture could not be read."""
        if bool(slow) != self._told_slow:
            self._told_slow = bool(slow)
            self.panel.warn(in_words(slow))

    def _tell_problem(self, problem: str) -> None:
        """Why there is no picture; "" where there will be one."""
        self._told_problem = problem
        if problem:
            self.picture.say(in_words(problem), _("Try again"), self.state.start_camera)
        else:
            self.picture.say(_("Starting the camera …"))

    def _arrange(self, *_args: object) -> None:
        """Beside each other in a wide window, below each other in a narrow one."""
        wide = self.width >= dp(NARROW)
        self.band.fit(self.height)
        if wide:
            self.panel.size_hint_x = None
            self.panel.width = min(self.panel.best_width, self.width * 0.42)
        else:
            self.panel.size_hint_x = 1
        if wide == self._arranged:
            return
        self._arranged = wide
        self.clear_widgets()
        self._upper.clear_widgets()
        self._upper.add_widget(self.picture)
        self.add_widget(self._upper)
        self.add_widget(self.band)
        if wide:
            self._upper.add_widget(self.panel)
        else:
            self.add_widget(self.panel)
        self.add_widget(self.actions)
