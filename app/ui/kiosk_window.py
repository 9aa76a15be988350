"""A kiosk's window: full screen, drawn by the machine's view, with no way out but the PIN."""

from collections.abc import Callable
from typing import Any

from kivy.app import App
from kivy.base import ExceptionHandler, ExceptionManager
from kivy.clock import Clock, ClockEvent
from kivy.core.window import Keyboard, Window
from kivy.input import MotionEvent
from kivy.metrics import dp, pt
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.floatlayout import FloatLayout
from kivy.uix.widget import Widget

from fingerpost.app.kiosk import (
    ATTRACT,
    CHOOSE_PIN,
    TALK,
    AskedToLeave,
    LanguageChosen,
    PinPutAway,
    Touched,
)
from fingerpost.app.kiosk_runner import GAVE_UP, KioskRunner
from fingerpost.app.settings import Settings
from fingerpost.app.translations import _, use_language
from fingerpost.app.ui.camera_notice import CameraNotice
from fingerpost.app.ui.fonts import font_for
from fingerpost.app.ui.kiosk_languages import LanguageBar
from fingerpost.app.ui.kiosk_screens import (
    AttractScreen,
    ChoosePin,
    KioskTalk,
    PinPad,
    trouble_words,
)
from fingerpost.app.ui.layouts import Column, Panel
from fingerpost.app.ui.look import Look
from fingerpost.app.ui.shapes import draw_flat_colours_cheaply
from fingerpost.app.ui.theme import rgba, theme
from fingerpost.app.ui.widgets import Words

CORNER = 96  # density-independent pixels: the upper right one, held for HOLD_S, asks for the PIN
HOLD_S = 3.0
CAPTION = 0.05  # the text size of captions, at least, as a share of the screen's shorter side
LEAVE_KEYS = ("ctrl", "alt", "q")  # so do these
HELD = "fingerpost: corner"  # what a touch carries the gesture by


class KioskShell(FloatLayout):
    """Everything in the window. now_ms : the clock, which a test may run fast"""

    def __init__(self, runner: KioskRunner, settings: Settings, now_ms: Callable[[], int]) -> None:
        super().__init__()
        self.runner, self._settings, self._now_ms = runner, settings, now_ms
        self.screen: Any = None
        self.pad: PinPad | None = None
        self._shown: tuple[str, int] | None = None
        self._top, self._place = Column(), BoxLayout()
        # Of no height until something is in them: a column takes its own with the first child.
        self._languages, self._trouble = Column(height=0), Column(height=0)
        column = BoxLayout(orientation="vertical")
        for part in (self._top, self._place, self._languages, self._trouble):
            column.add_widget(part)
        self.add_widget(column)
        self._speak("")
        self._show()

    def tick(self, _dt: float = 0.0) -> None:
        """Once for every picture of the window."""
        now_ms = self._now_ms()
        self.runner.tick(now_ms)
        if self.runner.machine.language != self._chosen:
            self._speak(self.runner.machine.language)
        self._show()
        self._show_pad()
        self.screen.tick(now_ms)
        self._notice.show(self.runner.observer is not None, private=True)
        self._notice.fit(self.width)
        self._offer_languages()
        self._tell_trouble()

    def close(self) -> None:
        """Ends the pipeline and forgets."""
        self.screen.close()
        self.runner.close()

    # ---- what is seen ----------------------------------------------------------------------

    def _speak(self, chosen: str) -> None:
        """All words anew, in the language that a visitor chose; "" for the one that is set."""
        self._chosen = chosen
        self._language = use_language(chosen or self._settings.language)
        font = font_for("中") if self._language == "zh" else font_for("")
        # A large screen is read from further away.
        text_pt = max(self._settings.text_pt, round(CAPTION * min(Window.size) / pt(1)))
        self.look = Look(theme(self._settings.theme), text_pt, font)
        self._notice = CameraNotice(self.look)
        self._top.clear_widgets()
        self._top.add_widget(self._notice)
        self._languages.clear_widgets()
        self._told: str | None = None
        self._shown = None

    def _offer_languages(self) -> None:
        """Below what is seen, but not before there is a PIN, nor below the letters of a reply,
        which take the room."""
        offered = self.runner.machine.view != CHOOSE_PIN and self.screen_pad() is None
        if offered and not self._languages.children:
            self._languages.add_widget(LanguageBar(self.look, self._language, self._choose))
        elif not offered and self._languages.children:
            self._languages.clear_widgets()

    def _choose(self, language: str) -> None:
        self.runner.push(LanguageChosen(language), self._now_ms())

    def screen_pad(self) -> Any:
        """What takes keys in the screen that is shown; None where nothing does."""
        return getattr(self.screen, "pad", None)

    def _show(self) -> None:
        """Builds the view anew for each visitor."""
        machine = self.runner.machine
        wanted = machine.view, machine.n_visitors
        if wanted == self._shown:
            return
        self._shown = wanted
        if self.screen is not None:
            self.screen.close()
        self._place.clear_widgets()
        self.screen = self._built(machine.view)
        self._place.add_widget(self.screen)

    def _built(self, view: str) -> Widget:
        known = {CHOOSE_PIN: ChoosePin, ATTRACT: AttractScreen, TALK: KioskTalk}
        return known[view](self.look, self.runner, self._settings, self._now_ms)

    def _tell_trouble(self) -> None:
        """Below the clip; Talk tells it in the place of the picture."""
        machine = self.runner.machine
        trouble = machine.trouble if machine.view != TALK else ""
        if trouble == self._told:
            return
        self._told = trouble
        self._trouble.clear_widgets()
        if trouble:
            words = Words(self.look, trouble_words(trouble), colour=self.look.theme.warn)
            self._trouble.add_widget(Panel(self.look, words, ground=self.look.theme.pressed))

    # ---- the way out -----------------------------------------------------------------------

    def _show_pad(self) -> None:
        asking = self.runner.machine.asking
        if asking and self.pad is None:
            self.pad = PinPad(self.look, _("The PIN, to end the kiosk"), self._try, self._put_away)
            self._place.disabled = self._languages.disabled = True
            self.add_widget(self.pad)
        elif not asking and self.pad is not None:
            self.remove_widget(self.pad)
            self.pad, self._place.disabled = None, False
            self._languages.disabled = False
        if self.pad is not None and self.runner.machine.locked_ms(self._now_ms()):
            self.pad.say(_("Too many wrong PINs. Wait a minute."))

    def _try(self, pin: str) -> str:
        return "" if self.runner.try_pin(pin, self._now_ms()) else _("That is not the PIN.")

    def _put_away(self) -> None:
        self.runner.push(PinPutAway(), self._now_ms())

    def ask_to_leave(self) -> None:
        """Shows the pad."""
        self.runner.push(AskedToLeave(), self._now_ms())

    # ---- fingers and keys ------------------------------------------------------------------

    def on_touch_down(self, touch: MotionEvent) -> bool:
        self.runner.push(Touched(), self._now_ms())
        if touch.x >= self.right - dp(CORNER) and touch.y >= self.top - dp(CORNER):
            touch.ud[HELD] = Clock.schedule_once(lambda _dt: self.ask_to_leave(), HOLD_S)
        return bool(super().on_touch_down(touch))

    def on_touch_up(self, touch: MotionEvent) -> bool:
        held: ClockEvent | None = touch.ud.pop(HELD, None)
        if held is not None:
            held.cancel()
        return bool(super().on_touch_up(touch))

    def key(self, name: str, modifiers: list[str]) -> bool:
        """A key; True keeps it from everybody else."""
        self.runner.push(Touched(), self._now_ms())
        *with_these, letter = LEAVE_KEYS
        if name == letter and set(with_these) <= set(modifiers):
            self.ask_to_leave()
            return True
        pad = self.pad or self.screen_pad()
        if pad is not None:
            return bool(pad.key(name)) or name != "tab"
        return name not in ("tab", "enter", "numpadenter", "spacebar")


class KioskApp(App):
    """Keeps the clock of a shell. started : called once the window is drawn, for tests"""

    def __init__(
        self,
        runner: KioskRunner,
        settings: Settings,
        now_ms: Callable[[], int],
        started: Callable[[KioskShell], None] | None = None,
    ) -> None:
        super().__init__()
        self.title = "Fingerpost"
        self._given = runner, settings, now_ms
        self._started = started

    def build(self) -> KioskShell:
        self.shell = KioskShell(*self._given)
        Window.bind(on_key_down=self._key, on_request_close=self._refuse)
        Clock.schedule_interval(self._tick, 0)
        if self._started is not None:
            Clock.schedule_once(lambda _dt: self._started(self.shell), 0)
        return self.shell

    def on_start(self) -> None:
        ExceptionManager.add_handler(Logged(self.shell.runner))

    def on_stop(self) -> None:
        self.shell.close()

    def open_settings(self, *_args: object) -> bool:
        """Kivy's own settings, which F1 opens, are no business of the public."""
        return False

    def _tick(self, dt: float) -> None:
        self.shell.tick(dt)
        if self.shell.runner.exit_code is not None:
            self.stop()

    def _refuse(self, *_args: object, **_named: object) -> bool:
        """Who closes the window is asked for the PIN."""
        self.shell.ask_to_leave()
        return True

    def _key(
        self, window: Any, key: int, scancode: int, text: str | None, modifiers: list[str]
    ) -> bool:
        return self.shell.key(Keyboard.keycode_to_string(Keyboard(), key), modifiers)


class Logged(ExceptionHandler):
    """What a disk or a camera would not do while the window draws is logged, and it goes on. Our
    own mistakes end the program, which systemd starts anew."""

    def __init__(self, runner: KioskRunner) -> None:
        self._runner = runner

    def handle_exception(self, error: Exception) -> int:
        if not isinstance(error, (ValueError, OSError)):
            return int(ExceptionManager.RAISE)
        self._runner.log.tell(f"in the window: {error}", warn=True)
        return int(ExceptionManager.PASS)


def run_kiosk(
    runner: KioskRunner,
    settings: Settings,
    now_ms: Callable[[], int],
    started: Callable[[KioskShell], None] | None = None,
) -> int:
    """Runs until the PIN ends it; returns the exit code."""
    draw_flat_colours_cheaply()
    # In the place of a ground, which would be drawn over it in every picture.
    Window.clearcolor = rgba(theme(settings.theme).ground)
    KioskApp(runner, settings, now_ms, started).run()
    return GAVE_UP if runner.exit_code is None else runner.exit_code
