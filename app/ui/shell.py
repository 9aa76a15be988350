"""The window around the screens: navigation, the notice of the camera, dialogs, keys."""

from collections.abc import Callable
from functools import partial

from kivy.animation import Animation
from kivy.core.window import Window
from kivy.metrics import dp
from kivy.uix.anchorlayout import AnchorLayout
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.floatlayout import FloatLayout
from kivy.uix.widget import Widget

from fingerpost.app.session_worker import Cancelled, Errand, News
from fingerpost.app.told import in_words
from fingerpost.app.translations import _, use_language
from fingerpost.app.ui.app_state import AppState, now_ms
from fingerpost.app.ui.camera_notice import CameraNotice
from fingerpost.app.ui.fonts import font_for
from fingerpost.app.ui.history_screen import HistoryScreen
from fingerpost.app.ui.layouts import Column, Flow, Panel
from fingerpost.app.ui.look import Look
from fingerpost.app.ui.packs_screen import PacksScreen
from fingerpost.app.ui.profile import ProfileOverlay
from fingerpost.app.ui.record_screen import RecordScreen
from fingerpost.app.ui.settings_screen import SettingsScreen
from fingerpost.app.ui.talk_screen import TalkScreen
from fingerpost.app.ui.teach_screen import TeachScreen
from fingerpost.app.ui.theme import NARROW, XS, L, M, S, rgba, theme
from fingerpost.app.ui.welcome_screen import WelcomeScreen
from fingerpost.app.ui.widgets import Press, focus_first, small

TOLD_S = 3.0  # how long a short notice stays; a longer one so much for each letter
READ_S = 0.06
SLOWEST_S = 0.1  # of a picture of the window: while it hangs, a notice is not read
CHINESE = "zh"
WELCOME = "welcome"
FOR_RECORDING = (TeachScreen, RecordScreen)  # what is signed there is not said to anybody
FADE_S = 0.12


def screens() -> dict[str, tuple[str, Callable[["Shell"], Widget]]]:
    """By name: its words in the navigation, and what builds it."""
    return {
        "talk": (_("Talk"), TalkScreen),
        "history": (_("History"), HistoryScreen),
        "packs": (_("Packs"), PacksScreen),
        "teach": (_("Teach"), TeachScreen),
        "record": (_("Record"), RecordScreen),
        "settings": (_("Settings"), SettingsScreen),
    }


class Shell(FloatLayout):
    """The whole window. Screens ask it for a dialog, a notice, another screen."""

    def __init__(self, state: AppState) -> None:
        super().__init__()
        self.state = state
        self.name = "talk" if state.settings.welcomed else WELCOME
        self.screen = Widget()
        self.dialog: Widget | None = None
        self.errand: Errand[str] | None = None  # of the screen Packs; goes on behind another one
        self.doing = ""  # what it does, in words
        self.speeds: dict[str, str] = {}  # by pack, as it was measured here
        self._speech: Errand[str] | None = None
        self._told_until = 0.0
        self.rebuild()
        self.bind(width=self._arrange_top)

    def rebuild(self) -> None:
        """Draws everything anew, for another language, theme or text size."""
        settings = self.state.settings
        self.language = use_language(settings.language)
        font = font_for("中") if self.language == CHINESE else font_for("")
        self.look = Look(theme(settings.theme), settings.text_pt, font)
        self.clear_widgets()
        # What the window is cleared with, in the place of a ground that would be drawn over it.
        Window.clearcolor = rgba(self.look.theme.ground)
        self.dialog = None
        self._column = BoxLayout(orientation="vertical")
        self._place = BoxLayout()
        self._notices = AnchorLayout(anchor_y="bottom", padding=dp(L))
        self._navigation = Flow(padding=(dp(L), dp(S)), spacing=dp(XS))
        self._notice = CameraNotice(self.look)
        self._top = Column(spacing=0)
        self._column.add_widget(self._top)
        self._column.add_widget(self._place)
        self.add_widget(self._column)
        self.add_widget(self._notices)
        self.profile = ProfileOverlay(self.look)
        self.add_widget(self.profile)
        self.go(self.name)

    def go(self, name: str) -> None:
        """Shows a screen."""
        known = screens()
        if name == WELCOME:
            self._show(name, WelcomeScreen(self))
            return
        if name not in known:
            raise ValueError(f"there is no screen {name!r}; known: {', '.join(known)}")
        self._show(name, known[name][1](self))

    @property
    def _tab_inset(self) -> float:
        return M if self.width >= dp(NARROW) else S

    def _arrange_top(self, *_args: object) -> None:
        """The notice stands at the right end of the navigation, or below it in a narrow window."""
        wide = self.width >= dp(NARROW)
        for part in (self._navigation, self._notice):
            if part.parent is not None:
                part.parent.remove_widget(part)
        self._top.clear_widgets()
        self._navigation.padding = (dp(L), dp(S)) if wide else (dp(S), dp(XS))
        self._navigation.spacing = dp(XS) if wide else 0
        self._notice.fit(self.width * (0.6 if wide else 1))
        row = BoxLayout(size_hint_y=None) if wide else Column(spacing=0)
        row.bind(minimum_height=row.setter("height"))
        if self._navigation.children:
            row.add_widget(self._navigation)
        row.add_widget(self._notice)
        self._top.add_widget(row)

    def welcome(self) -> None:
        """The first-run page again."""
        self.go(WELCOME)

    def _show(self, name: str, screen: Widget) -> None:
        self.close_dialog()
        before, self.name, self.screen = self.screen, name, screen
        if isinstance(before, FOR_RECORDING):
            before.take.leave()
        if isinstance(before, FOR_RECORDING) or isinstance(screen, FOR_RECORDING):
            self.state.forget_line()
        self._navigation.clear_widgets()
        for each, (words, _build) in screens().items() if name != WELCOME else ():
            go = partial(self.go, each)
            press = Press(self.look, words, go, "tab", each == name, inset=self._tab_inset)
            self._navigation.add_widget(press)
        self._arrange_top()
        self._place.clear_widgets()
        self._place.add_widget(screen)
        if not self.state.settings.reduced_motion:
            screen.opacity = 0
            Animation(opacity=1, duration=FADE_S).start(screen)

    def tick(self, dt: float) -> None:
        """Once for every picture of the window."""
        self._notice.show(self.state.worker is not None, self.state.private)
        if hasattr(self.screen, "tick"):
            self.screen.tick()
        else:
            self.take_news()
        self.state.tick(now_ms())
        self._end_errands()
        self.profile.tick(self.state, dt)
        if self.state.to_tell and self._told_until <= 0:
            self.tell(self.state.to_tell.pop(0))
        self._told_until -= min(dt, SLOWEST_S)
        if self._told_until <= 0 and self._notices.children:
            self._notices.clear_widgets()

    def take_news(self, is_said: bool = True) -> News:
        """What the worker has seen; its events are in the conversation already.

        is_said : False where somebody signs to be recorded: that is no part of a conversation
        """
        if self.state.worker is None:
            return News()
        try:
            news = self.state.worker.take()
        except (ValueError, OSError) as error:
            self.state.fail(" ".join(str(error).split()), again=True)
            return News()
        try:
            self.state.conversation.push(news.events if is_said else (), now_ms())
        except OSError as error:  # the disk: what is said must go on
            self.state.keep_nothing(str(error))
        observer = self.state.worker.observer
        if news.ended and observer is not None:
            self.state.fail(observer.problem or _("The video has ended."), again=observer.live)
        return news

    def set(self, **changes: object) -> None:
        """Changes settings, and draws everything by them."""
        self.state.change(**changes)
        self.rebuild()

    def set_language(self, language: str) -> None:
        self.set(language=language)

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
        """A short notice, or what went wrong, that goes by itself."""
        self._notices.clear_widgets()
        said = small(self.look, in_words(words))
        panel = Panel(self.look, said, ground=self.look.theme.pressed)
        panel.size_hint_x, panel.width = None, min(dp(460), self.width - 2 * dp(L))
        self._notices.add_widget(panel)
        self._told_until = max(TOLD_S, len(words) * READ_S)

    def begin(self, doing: str, work: Callable[[Callable[[float], None]], str]) -> None:
        """Has something done that takes long; what it returns is told. One at a time.

        doing : words for it
        """
        self.require_idle()
        self.doing, self.errand = doing, Errand(work)

    def require_idle(self) -> None:
        """ValueError while an errand is being done."""
        if self.errand is not None:
            raise ValueError(_("Something else is being done; wait for it, or cancel it."))

    def speak(self, words: str) -> None:
        """Says a text aloud, by what this system speaks with."""
        from fingerpost.app.speech import say

        def work(_tell: Callable[[float], None]) -> str:
            say(words)
            return ""

        self._speech = Errand(work)

    def _end_errands(self) -> None:
        ended = [one for one in (self.errand, self._speech) if one is not None and one.ended]
        for errand in ended:
            if errand is self.errand:
                self.errand = None
            else:
                self._speech = None
            try:
                told = errand.result()
            except Cancelled:
                told = _("Cancelled.")
            except (ValueError, OSError) as error:
                told = " ".join(str(error).split())
            if told:
                self.tell(told)

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
        keys: dict[str, Callable[[], object]] = {"f1": self.profile.turn}
        for number, name in enumerate(screens(), start=1):
            keys[f"alt+{number}"] = partial(self.go, name)
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
