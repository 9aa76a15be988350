"""The first-run page: what this can and cannot do, before it does anything."""

from typing import TYPE_CHECKING

from kivy.metrics import dp
from kivy.uix.anchorlayout import AnchorLayout
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from fingerpost.app.commands_packs import signs
from fingerpost.app.pack_facts import languages_of
from fingerpost.app.told import in_words
from fingerpost.app.translations import _
from fingerpost.app.ui.fonts import font_for, language_names
from fingerpost.app.ui.layouts import Page, Panel
from fingerpost.app.ui.theme import S
from fingerpost.app.ui.widgets import Press, Words, choices, title
from fingerpost.edge_runtime.pack import Pack

if TYPE_CHECKING:
    from fingerpost.app.ui.shell import Shell

N_EXAMPLES = 12  # signs that are named


class WelcomeScreen(BoxLayout):
    """Shown until it is agreed to, and again from the settings."""

    def __init__(self, shell: "Shell") -> None:
        super().__init__(orientation="vertical")
        self.shell, self.look = shell, shell.look
        look = shell.look
        languages = choices(look, language_names(), shell.language, shell.set_language, font_for)
        agree = Press(look, _("I have read this"), self._agree, "accent")
        self.add_widget(
            Page(
                look,
                title(look, _("Fingerpost: signing becomes captions")),
                languages,
                self._panel(_("What it does"), *self._does()),
                self._panel(_("What it must not be used for"), *self._must_not(), warn=True),
                self._panel(_("What happens to your pictures"), *self._privacy()),
            )
        )
        foot = AnchorLayout(size_hint_y=None, height=agree.height + 2 * dp(S))
        foot.add_widget(agree)
        self.add_widget(foot)

    def _does(self) -> list[str]:
        points = [_("It shows in writing what somebody signs in front of the camera.")]
        try:
            points += self._of_pack(self.shell.state.open_pack())
        except (ValueError, OSError) as error:
            points.append(_("No pack can be opened: {why}").format(why=in_words(str(error))))
        points.append(_("You can answer by typing, in large letters that can be turned round."))
        return points

    def _of_pack(self, pack: Pack) -> list[str]:
        known = signs(pack)
        examples = ", ".join(known[:: max(1, len(known) // N_EXAMPLES)][:N_EXAMPLES])
        points = [
            _("It knows {n} signs ({languages}), such as: {examples}.").format(
                n=len(known), languages=", ".join(languages_of(pack)), examples=examples
            )
        ]
        if pack.manifest.translation is None:
            points.append(
                _("It names single signs, in the order they were signed. It writes no sentences.")
            )
        else:
            points.append(_("It writes sentences of these signs, and of no others."))
        return points

    def _must_not(self) -> list[str]:
        return [
            _("Captions can be wrong, and they will be. Ask back."),
            _("Not for medical, legal or emergency use."),
            _("It does not replace an interpreter. Where one is due, ask for one."),
        ]

    def _privacy(self) -> list[str]:
        return [
            _(
                "Pictures are looked at on this device and thrown away at once, but for what "
                "somebody records on purpose. Nothing is sent."
            ),
            _(
                "The words of a conversation are kept on this device until you delete them. "
                "A private session keeps nothing."
            ),
        ]

    def _panel(self, head: str, *points: str, warn: bool = False) -> Widget:
        look = self.look
        colour = look.theme.warn if warn else look.theme.text
        panel = Panel(look, Words(look, head, 1.25, colour, bold=True), spacing=dp(S))
        for point in points:
            panel.add_widget(Words(look, point, font_name=font_for(point)))
        return panel

    def _agree(self) -> None:
        self.shell.state.change(welcomed=True)
        self.shell.go("talk")
