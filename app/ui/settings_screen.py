"""Settings: each takes effect at once, and is kept."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kivy.clock import Clock
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from fingerpost.app.platforms.here import phone
from fingerpost.app.platforms.sources import CSI, DEMO, known_sources
from fingerpost.app.settings import MOST_LINES
from fingerpost.app.speech_to_text import NOT_INSTALLED, why_not
from fingerpost.app.told import in_words
from fingerpost.app.translations import _
from fingerpost.app.ui.fonts import cjk_font, font_for, language_names
from fingerpost.app.ui.layouts import Flow, Page, Panel
from fingerpost.app.ui.widgets import Field, Press, Words, choices, small, title
from fingerpost.edge_runtime.pack import PackStore

if TYPE_CHECKING:
    from fingerpost.app.ui.shell import Shell

TEXT_SIZES = (18, 22, 28, 36, 48, 60, 72)  # points
KEEP_DAYS = (0, 1, 7, 30, 365)
PAUSES = (0, 2, 10, 30)  # minutes
SETTLED_S = 0.1  # after what a new screen knows its sizes


class SettingsScreen(BoxLayout):
    """Panels of choices, the ones that are asked for most at the top."""

    def __init__(self, shell: "Shell") -> None:
        super().__init__()
        self.shell, self.look = shell, shell.look
        look = shell.look
        self._rows: dict[str, Flow] = {}  # by setting
        self.page = Page(
            look,
            title(look, _("Settings")),
            self._reading(),
            self._camera(),
            self._keeping(),
            *(() if phone() else (self._voice(),)),  # a phone's keyboard has a microphone
            self._interface(),
            self._about(),
        )
        self.add_widget(self.page)

    def _reading(self) -> Widget:
        now = self.shell.state.settings
        themes = [("black", _("White on black")), ("yellow", _("Yellow on black"))]
        return Panel(
            self.look,
            title(self.look, _("Captions")),
            *self._one_of(
                _("Text size"), "text_pt", now.text_pt, [(pt, str(pt)) for pt in TEXT_SIZES]
            ),
            *self._one_of(
                _("Colours"), "theme", now.theme, [*themes, ("light", _("Black on white"))]
            ),
            *self._one_of(
                _("Lines under the picture"),
                "caption_lines",
                now.caption_lines,
                [(n, str(n)) for n in range(1, MOST_LINES + 1)],
            ),
        )

    def _camera(self) -> Widget:
        state, now = self.shell.state, self.shell.state.settings
        names = [(source, source_name(source)) for source in known_sources()]
        if state.source not in dict(names):
            names.append((state.source, source_name(state.source)))
        packs = [(pack.name, pack.name) for pack in PackStore().captioning()]
        if state.pack not in dict(packs):
            packs.append((state.pack, state.pack))
        field = Field(self.look, _("or the path of a video"), "", partial(self._set, "source"))
        return Panel(
            self.look,
            title(self.look, _("Camera")),
            *self._one_of(_("Camera"), "source", state.source, names),
            field,
            *self._one_of(
                _("Speed"),
                "most_fps",
                now.most_fps,
                [
                    (0, _("every picture")),
                    *((n, _("{n} pictures a second").format(n=n)) for n in (15, 12)),
                ],
            ),
            small(
                self.look,
                _(
                    "Fewer pictures need less power and warm the device less, but more quick "
                    "signs are missed."
                ),
            ),
            *self._switch(_("The camera shows a mirror image"), "mirrored", now.mirrored),
            *self._switch(_("Draw the skeleton over the picture"), "skeleton", now.skeleton),
            *self._one_of(_("Pack"), "pack", state.pack, packs),
            *self._one_of(
                _("The signer's dominant hand (packs that write sentences)"),
                "dominant_hand",
                now.dominant_hand,
                [("auto", _("found out")), ("left", _("left")), ("right", _("right"))],
            ),
        )

    def _keeping(self) -> Widget:
        now = self.shell.state.settings
        days = [(0, _("until I delete them"))]
        days += [(n, _("{n} days").format(n=n)) for n in KEEP_DAYS[1:]]
        pauses = [(0, _("never"))] + [(n, _("{n} minutes").format(n=n)) for n in PAUSES[1:]]
        return Panel(
            self.look,
            title(self.look, _("What is kept")),
            *self._one_of(_("Conversations are kept"), "keep_days", now.keep_days, days),
            *self._one_of(
                _("A new conversation begins after a pause of"),
                "pause_minutes",
                now.pause_minutes,
                pauses,
            ),
            small(
                self.look,
                _(
                    "Pictures and keypoints are never kept, but those that somebody records on "
                    "purpose."
                ),
            ),
        )

    def _voice(self) -> Widget:
        """Where the model is, and one line on what is missing."""
        look, folder = self.look, self.shell.state.settings.voice_model
        panel = Panel(look, title(look, _("Replies by voice")))
        missing = why_not(folder)
        if missing != NOT_INSTALLED:
            hint = _("The folder of a voice model (vosk)")
            panel.add_widget(Field(look, hint, folder, self._set_voice_model))
            says = _("What is said is understood on this device, and not recorded.")
            panel.add_widget(small(look, says))
        if folder and not missing:
            panel.add_widget(small(look, _("In use: {folder}").format(folder=folder)))
        elif folder or missing == NOT_INSTALLED:
            panel.add_widget(Words(look, in_words(missing), colour=look.theme.warn))
        if folder:
            off = partial(self._set, "voice_model", "")
            panel.add_widget(Flow(Press(look, _("Without replies by voice"), off)))
        return panel

    def _set_voice_model(self, folder: str) -> None:
        """ValueError, and nothing changed, where it holds no model."""
        folder = str(Path(folder.strip()).expanduser()) if folder.strip() else ""
        if folder and (problem := why_not(folder)):
            raise ValueError(problem)
        self._set("voice_model", folder)

    def _interface(self) -> Widget:
        now = self.shell.state.settings
        languages = [("", _("As the system")), *language_names()]
        parts: list[Widget] = [
            title(self.look, _("Interface")),
            *self._one_of(_("Language"), "language", now.language, languages),
        ]
        if not cjk_font():
            parts.append(small(self.look, _("For Chinese, a typeface is missing here; see docs.")))
        parts += self._switch(_("Less motion"), "reduced_motion", now.reduced_motion)
        return Panel(self.look, *parts)

    def _about(self) -> Widget:
        again = Press(self.look, _("What Fingerpost can and cannot do"), self.shell.welcome)
        return Panel(self.look, title(self.look, _("About")), Flow(again))

    # ---- parts -----------------------------------------------------------------------------

    def _one_of(
        self, words: str, name: str, now: Any, options: Sequence[tuple[Any, str]]
    ) -> tuple[Widget, Widget]:
        row = choices(self.look, options, now, partial(self._set, name), font_for)
        self._rows[name] = row
        return Words(self.look, words), row

    def _switch(self, words: str, name: str, now: bool) -> tuple[Widget, Widget]:
        return self._one_of(words, name, now, [(True, _("On")), (False, _("Off"))])

    def _set(self, name: str, value: Any) -> None:
        if isinstance(value, str) and not value and name == "source":
            return
        scrolled, by_key = self.page.scroll_y, any(press.focus for press in self._presses(name))
        self.shell.set(**{name: value})
        anew = self.shell.screen
        if isinstance(anew, SettingsScreen):  # all was drawn anew: to where the user was
            Clock.schedule_once(lambda _: anew.come_back(name, scrolled, by_key), SETTLED_S)

    def come_back(self, name: str, scrolled: float, by_key: bool) -> None:
        """Scrolls to where the screen was, and gives a setting the keyboard if it had it."""
        self.page.scroll_y = scrolled
        for press in self._presses(name):
            press.focus = by_key and press.on

    def _presses(self, name: str) -> list[Press]:
        row = self._rows.get(name)
        return [child for child in row.children if isinstance(child, Press)] if row else []


def source_name(source: str) -> str:
    """A source as people call it."""
    if source.isdecimal():
        return _("Camera {number}").format(number=int(source) + 1)
    if CSI.fullmatch(source):
        return _("Ribbon camera")
    return _("Demo clip") if source == DEMO else source
