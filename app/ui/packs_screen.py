"""Packs: what is on this device, what it says of itself, how fast it is here; add, remove."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from kivy.metrics import dp
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from fingerpost.app import pack_store
from fingerpost.app.commands_benchmark import BenchmarkOptions, in_a_process
from fingerpost.app.commands_packs import signs
from fingerpost.app.pack_facts import facts, speed_words
from fingerpost.app.session_worker import Errand
from fingerpost.app.told import in_words
from fingerpost.app.translations import _
from fingerpost.app.ui.dialogs import question
from fingerpost.app.ui.fonts import font_for
from fingerpost.app.ui.layouts import Column, Flow, Page, Panel, Stacking
from fingerpost.app.ui.look import Look
from fingerpost.app.ui.theme import XS, S
from fingerpost.app.ui.widgets import Field, Press, Words, small, title
from fingerpost.edge_runtime.benchmark import Measured
from fingerpost.edge_runtime.pack import InstalledPack, Pack, PackStore, open_pack

if TYPE_CHECKING:
    from fingerpost.app.ui.shell import Shell

QUICK = BenchmarkOptions(calls=20, rounds=1, threads=1)


class PacksScreen(BoxLayout):
    """A card for each pack. What takes long runs beside, and can be cancelled."""

    def __init__(self, shell: "Shell") -> None:
        super().__init__()
        self.shell, self.look, self.store = shell, shell.look, PackStore()
        self._drawn_with: Errand[str] | None = None
        self._shows_signs: set[str] = set()  # of these packs
        self.draw()

    def tick(self) -> None:
        """How far the errand is; what came of it is drawn."""
        self.shell.take_news()
        errand = self.shell.errand
        if errand is not self._drawn_with:
            self.draw()
        elif errand is not None:
            share = errand.progress
            self._progress.text = f"{self.shell.doing} {share:.0%}" if share else self.shell.doing

    def draw(self) -> None:
        look = self.look
        self._drawn_with = self.shell.errand
        self.clear_widgets()
        page = Page(look, title(look, _("Packs")), self._adding())
        for installed in self.store.captioning():
            page.column.add_widget(self._card(installed))
        self.add_widget(page)

    # ---- parts -----------------------------------------------------------------------------

    def _adding(self) -> Widget:
        look = self.look
        self._field = Field(look, _("A file, a folder, or an address https://…"), entered=self._add)
        add = Press(look, _("Add"), lambda: self._add(self._field.text), "accent")
        add.disabled = self.shell.errand is not None
        row = Stacking(self._field, add)
        self._progress = small(look, self.shell.doing if self.shell.errand else "")
        panel = Panel(look, Words(look, _("Add a pack")), row, self._progress)
        if self.shell.errand is not None:
            panel.add_widget(Flow(Press(look, _("Cancel"), self.shell.errand.cancel)))
        return panel

    def _card(self, installed: InstalledPack) -> Widget:
        look = self.look
        try:
            pack = open_pack(installed.path)
        except (ValueError, OSError) as error:
            remove = Press(
                look, _("Remove"), partial(self._ask_to_remove, installed.name), "danger"
            )
            words = small(look, in_words(str(error)))
            return Panel(look, Words(look, installed.name, bold=True), words, Flow(remove))
        manifest = pack.manifest
        used = installed.name == self.shell.state.pack
        head = f"{manifest.name} {manifest.version}" + (" · " + _("in use") if used else "")
        presses = [Press(look, _("Measure here"), partial(self._measure, installed.name, pack))]
        presses[0].disabled = self.shell.errand is not None
        if not used:
            presses.insert(0, Press(look, _("Use"), partial(self._use, installed.name), "accent"))
        if pack_store.can_roll_back(installed.name, self.store):
            back = partial(self._roll_back, installed.name)
            presses.append(Press(look, _("Back to the version before"), back))
        all_signs = partial(self._show_signs, installed.name)
        presses.append(Press(look, _("All signs"), all_signs))
        if not installed.bundled:
            remove_it = partial(self._ask_to_remove, installed.name)
            presses.append(Press(look, _("Remove"), remove_it, "danger"))
        rows = facts(pack)
        if installed.name in self.shell.speeds:
            rows.append((_("Speed here"), self.shell.speeds[installed.name]))
        parts: list[Widget] = [
            Words(look, head, 1.25, bold=True),
            table(look, rows),
            small(look, manifest.notice),
            Flow(*presses),
        ]
        if installed.name in self._shows_signs:
            names = ", ".join(signs(pack))
            parts.append(Words(look, names, font_name=font_for(names)))
        return Panel(look, *parts, spacing=dp(S))

    # ---- what is pressed -------------------------------------------------------------------

    def _add(self, source: str) -> None:
        source = source.strip()
        if not source:
            return

        def work(tell: Callable[[float], None]) -> str:
            pack = pack_store.add_pack(source, self.store, tell)
            return f"{pack.manifest.name} {pack.manifest.version}"

        self.shell.begin(_("Fetching and trying the pack …"), work)

    def _measure(self, name: str, pack: Pack) -> None:
        def work(tell: Callable[[float], None]) -> str:
            measured = in_a_process(pack, QUICK, with_shares=True)
            tell(1.0)  # cancelled meanwhile: then it is not shown
            if not isinstance(measured, Measured):
                raise ValueError(measured)
            self.shell.speeds[name] = speed_words(pack, measured)
            return ""  # the card shows it

        self.shell.begin(_("Measuring …"), work)

    def _show_signs(self, name: str) -> None:
        """All that a pack knows, or no more of it."""
        self._shows_signs ^= {name}
        self.draw()

    def _use(self, name: str) -> None:
        self.shell.state.change(pack=name)
        self.draw()

    def _roll_back(self, name: str) -> None:
        try:
            pack = pack_store.roll_back(name, self.store)
        except (ValueError, OSError) as error:
            self.shell.tell(" ".join(str(error).split()))
            return
        self.draw()
        self.shell.tell(f"{pack.manifest.name} {pack.manifest.version}")

    def _ask_to_remove(self, name: str) -> None:
        def remove() -> None:
            self.shell.close_dialog()
            pack_store.remove(name, self.store)
            if self.shell.state.pack == name:
                self.shell.state.change(pack="demo")
            self.draw()

        look = self.look
        cancel = Press(look, _("Cancel"), self.shell.close_dialog)
        go = Press(look, _("Remove"), remove, "danger")
        words = _("The pack {name} will be gone from this device.").format(name=name)
        self.shell.show_dialog(question(look, _("Remove?"), words, cancel, go))


def table(look: Look, rows: list[tuple[str, str]]) -> Widget:
    """Two columns: what, and its value; below it in a narrow window."""
    column = Column(spacing=dp(XS))
    for what, value in rows:
        name = Words(look, what, colour=look.theme.dim, pos_hint={"top": 1})
        words = Words(look, value, font_name=font_for(value), pos_hint={"top": 1})
        column.add_widget(Stacking(name, words, first_share=0.32))
    return column
