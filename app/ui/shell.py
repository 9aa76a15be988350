"""The window around the screens: navigation, the notice of the camera, dialogs, keys."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from kivy.app import App
from kivy.clock import Clock
from kivy.core.window import Keyboard, Window
from kivy.graphics import Color, Ellipse
from kivy.metrics import dp
from kivy.uix.anchorlayout import AnchorLayout
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.floatlayout import FloatLayout
from kivy.uix.widget import Widget

from fingerpost.app.session_worker import Errand, News
from fingerpost.app.translations import _, use_language
from fingerpost.app.ui.app_state import AppState, now_ms
from fingerpost.app.ui.fonts import font_for
from fingerpost.app.ui.talk_screen import TalkScreen
from fingerpost.app.ui.theme import L, M, S, rgba, theme
from fingerpost.app.ui.widgets import Flow, Focusable, Look, Panel, Press, fill, focus_first, small

TOLD_S = 3.0  # how long a short notice stays
CHINESE = "zh"


def screens() -> dict[str, tuple[str, Callable[["Shell"], Widget]]]:
    """By name: its words in the navigation, and what builds it."""
    return {"talk": (_("Talk"), TalkScreen)}


class Shell(FloatLayout):
    """The whole window. Screens ask it for a dialog, a notice, another screen."""

    def __init__(self, state: AppState) -> None:
        super().__init__()
        self.state = state
        self.name = "talk"
        self.dialog: Widget | None = None
        self._errand: Errand[None] | None = None
        self._told_until = 0.0
        self.rebuild()

    def rebuild(self) -> None:
        """Draws everything anew, for another language, theme or text size."""
        settings = self.state.settings
        language = use_language(settings.language)
        font = font_for("中") if language == CHINESE else font_for("")
        self.look = Look(theme(settings.theme), settings.text_pt, font)
        self.clear_widgets()
        self.canvas.before.clear()
        fill(self, self.look.theme.ground)
        self.dialog = None
        self._column = BoxLayout(orientation="vertical")
        self._place = BoxLayout()
        self._notices = AnchorLayout(anchor_y="bottom", padding=dp(L))
        self._navigation = Flow(padding=(dp(L), dp(S)), spacing=dp(S))
        self._column.add_widget(self._navigation)
        self._column.add_widget(self._place)
        self.add_widget(self._column)
        self.add_widget(self._notices)
        self.go(self.name)

    def go(self, name: str) -> None:
        """Shows a screen."""
        known = screens()
        if name not in known:
            raise ValueError(f"there is no screen {name!r}; known: {', '.join(known)}")
        self.close_dialog()
        self.name = name
        self._navigation.clear_widgets()
        for each, (words, _build) in known.items():
            press = Press(self.look, words, partial(self.go, each), "tab", each == name)
            self._navigation.add_widget(press)
        self._notice = CameraNotice(self.look)
        self._navigation.add_widget(self._notice)
        self._place.clear_widgets()
        self.screen = known[name][1](self)
        self._place.add_widget(self.screen)

    def tick(self, dt: float) -> None:
        """Once for every picture of the window."""
        self._notice.show(self.state.worker is not None, self.state.private)
        if hasattr(self.screen, "tick"):
            self.screen.tick()
        else:
            self.take_news()
        self.state.conversation.tick(now_ms())
        self._end_errand()
        self._told_until -= dt
        if self._told_until <= 0 and self._notices.children:
            self._notices.clear_widgets()

    def take_news(self) -> News:
        """What the worker has seen; its events are in the conversation already."""
        if self.state.worker is None:
            return News()
        try:
            news = self.state.worker.take()
        except (ValueError, OSError) as error:
            self.state.stop_camera()
            self.state.problem = " ".join(str(error).split())
            return News()
        self.state.conversation.push(news.events, now_ms())
        return news

    # ---- what screens ask for --------------------------------------------------------------

    def show_dialog(self, dialog: Widget) -> None:
        """Lays something over the screen, which waits for it."""
        self.close_dialog()
        self.dialog = dialog
        self._column.disabled = True
        self.add_widget(dialog)
        focus_first(dialog)

    def close_dialog(self) -> None:
        if self.dialog is not None:
            self.remove_widget(self.dialog)
            self.dialog = None
            self._column.disabled = False

    def tell(self, words: str) -> None:
        """A short notice, that goes by itself."""
        self._notices.clear_widgets()
        panel = Panel(self.look, small(self.look, words), ground=self.look.theme.pressed)
        panel.size_hint_x, panel.width = None, min(dp(460), self.width - 2 * dp(L))
        self._notices.add_widget(panel)
        self._told_until = TOLD_S

    def speak(self, words: str) -> None:
        """Says a text aloud, by what this system speaks with."""
        from fingerpost.app.speech import say

        self._errand = Errand(lambda _tell: say(words))

    def _end_errand(self) -> None:
        if self._errand is None or not self._errand.ended:
            return
        errand, self._errand = self._errand, None
        try:
            errand.result()
        except (ValueError, OSError) as error:
            self.tell(str(error))

    # ---- keys ------------------------------------------------------------------------------

    def key(self, key: str, modifiers: list[str]) -> bool:
        """A key that no widget has taken; whether it meant something."""
        pressed = "+".join([*sorted(set(modifiers) & {"ctrl", "alt", "shift"}), key])
        if pressed == "escape":
            return self._escape()
        if pressed in ("tab", "shift+tab"):
            focus_first(self.dialog or self._column)
            return True
        actions = self._keys()
        if pressed in actions and self.dialog is None:
            actions[pressed]()
            return True
        return False

    def _escape(self) -> bool:
        if self.dialog is not None:
            self.close_dialog()
        elif self.name != "talk":
            self.go("talk")
        return True

    def _keys(self) -> dict[str, Callable[[], object]]:
        """Short cuts: Alt and a number for the screens, Ctrl and a letter for what Talk does."""
        keys: dict[str, Callable[[], object]] = {
            f"alt+{number}": partial(self.go, name)
            for number, name in enumerate(screens(), start=1)
        }
        if isinstance(self.screen, TalkScreen):
            talk = self.screen
            keys |= {
                "ctrl+z": talk.undo,
                "ctrl+shift+z": talk.put_back,
                "ctrl+g": talk.sign_again,
                "ctrl+c": talk.copy,
                "ctrl+s": talk.preview_speech,
                "ctrl+l": talk.clear,
                "ctrl+r": lambda: setattr(talk.panel.field, "focus", True),
            }
        return keys


class CameraNotice(BoxLayout):
    """A dot and words: is the camera on, and where do its pictures go?"""

    def __init__(self, look: Look) -> None:
        super().__init__(size_hint=(None, None), height=dp(48), spacing=dp(S), padding=(dp(M), 0))
        self.look = look
        self._shown: tuple[bool, bool] | None = None
        self._dot_place = Widget(size_hint_x=None, width=dp(12))
        with self._dot_place.canvas:
            self._colour = Color(*rgba(look.theme.dim))
            self._dot = Ellipse(size=(dp(12), dp(12)))
        self._dot_place.bind(pos=self._place, size=self._place)
        self._words = small(look, "")
        self._words.size_hint_x, self._words.pos_hint = None, {"center_y": 0.5}
        self.add_widget(self._dot_place)
        self.add_widget(self._words)
        self.show(False, False)

    def show(self, camera_on: bool, private: bool) -> None:
        if self._shown == (camera_on, private):
            return
        self._shown = (camera_on, private)
        theme = self.look.theme
        self._colour.rgba = rgba(theme.live if camera_on else theme.dim)
        words = _("Camera on, on this device only") if camera_on else _("Camera off")
        if private:
            words += " · " + _("private: nothing is kept")
        self._words.text = words
        self._words.text_size = (None, None)
        self._words.texture_update()
        self._words.width = self._words.texture_size[0]
        self.width = self._words.width + dp(12) + dp(S) + 2 * dp(M)

    def _place(self, *_: object) -> None:
        self._dot.pos = (self._dot_place.x, self._dot_place.center_y - dp(6))


class FingerpostApp(App):
    """Opens the shell and keeps its clock. started : called once the window is drawn, for tests"""

    def __init__(self, state: AppState, started: Callable[[Shell], None] | None = None) -> None:
        super().__init__()
        self.title = "Fingerpost"
        self.state = state
        self._started = started

    def build(self) -> Shell:
        self.shell = Shell(self.state)
        Window.bind(on_key_down=self._key)
        Clock.schedule_interval(self.shell.tick, 0)
        if self._started is not None:
            Clock.schedule_once(lambda _dt: self._started(self.shell), 0)
        return self.shell

    def on_stop(self) -> None:
        self.state.close()

    def _key(
        self, window: Any, key: int, scancode: int, text: str | None, modifiers: list[str]
    ) -> bool:
        name = Keyboard.keycode_to_string(Keyboard(), key)
        typing = any(isinstance(w, Focusable) and w.focus for w in self.shell.walk())
        if typing and name == "tab":
            return False  # the focused widget hands the keyboard on
        return self.shell.key(name, modifiers)


def run_app(state: AppState, started: Callable[[Shell], None] | None = None) -> None:
    """Runs until the window is closed."""
    Window.clearcolor = rgba(theme(state.settings.theme).ground)
    FingerpostApp(state, started).run()


def save_window(path: Path) -> None:
    """A picture of the window as it is now (.png)."""
    written = Window.screenshot(name=str(path))
    Path(written).replace(path)
