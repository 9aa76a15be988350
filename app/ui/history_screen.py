"""History: conversations of before, to find, read, name, export and delete."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kivy.metrics import dp
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from fingerpost.app.history import History, Summary
from fingerpost.app.history_export import FORMATS, save
from fingerpost.app.translations import _
from fingerpost.app.ui.dialogs import Dialog, question
from fingerpost.app.ui.fonts import font_for
from fingerpost.app.ui.layouts import Column, Flow, Page, Panel
from fingerpost.app.ui.talk_panel import said_how
from fingerpost.app.ui.theme import XS, S
from fingerpost.app.ui.widgets import Field, Press, Words, small, title

if TYPE_CHECKING:
    from fingerpost.app.ui.shell import Shell

MOST_LISTED = 100  # conversations; a search finds the others
MOST_LINES = 300  # of one that are shown; a file has them all


class HistoryScreen(BoxLayout):
    """A list with a search; one conversation when it is pressed."""

    def __init__(self, shell: "Shell") -> None:
        super().__init__()
        self.shell, self.look, self.history = shell, shell.look, shell.state.history
        self.search = ""
        self.open: Summary | None = None
        self.draw()

    def draw(self) -> None:
        """What the file says now."""
        self.clear_widgets()
        if self.history is None:
            words = _("The history cannot be used on this device.")
            self.add_widget(
                Page(self.look, title(self.look, _("History")), small(self.look, words))
            )
        elif self.open is not None:
            self.add_widget(self._conversation(self.history, self.open))
        else:
            self.add_widget(self._list(self.history))

    # ---- the list --------------------------------------------------------------------------

    def _list(self, history: History) -> Widget:
        look = self.look
        found = history.conversations(self.search)
        field = Field(look, _("Search in what was said"), self.search, self._find)
        page = Page(look, title(look, _("History")), field)
        if not found:
            words = _("Nothing was found.") if self.search else _("No conversation is kept yet.")
            page.column.add_widget(Words(look, words))
        for summary in found[:MOST_LISTED]:
            page.column.add_widget(self._row(summary))
        if found and not self.search:
            delete = Press(look, _("Delete all"), self._ask_to_delete_all, "danger")
            page.column.add_widget(Flow(delete))
        where = _("Kept on this device only, as words and times: no picture, no keypoint.")
        page.column.add_widget(small(look, where))
        return page

    def _row(self, summary: Summary) -> Widget:
        look = self.look
        name = summary.title or summary.first
        head = Words(look, name, font_name=font_for(name), shorten=True, max_lines=2)
        about = _("{when} · lines: {n} · pack {pack}").format(
            when=when(summary.began_ms), n=summary.n_lines, pack=summary.pack
        )
        read = Press(look, _("Open"), partial(self._show, summary))
        delete = Press(look, _("Delete"), partial(self._ask_to_delete, summary), "danger")
        return Panel(look, head, small(look, about), Flow(read, delete), spacing=dp(S))

    def _find(self, words: str) -> None:
        self.search = words
        self.draw()

    # ---- one conversation ------------------------------------------------------------------

    def _conversation(self, history: History, summary: Summary) -> Widget:
        look = self.look
        name = summary.title or when(summary.began_ms)
        back = Press(look, _("Back to the list"), self._close)
        exports = [
            Press(look, _("Save as {kind}").format(kind=kind), partial(self._save, summary, kind))
            for kind in FORMATS
        ]
        rename = Press(look, _("Rename"), partial(self._ask_for_name, summary))
        delete = Press(look, _("Delete"), partial(self._ask_to_delete, summary), "danger")
        lines = Column(spacing=dp(S))
        for entry in history.lines(summary.id)[-MOST_LINES:]:
            who = said_how(entry.how)
            clock = time.strftime("%H:%M:%S", time.localtime(entry.said_ms / 1000))
            unsure = " · " + _("unsure") if entry.unsure else ""
            words = Words(look, entry.text, font_name=font_for(entry.text))
            lines.add_widget(Column(small(look, f"{who} · {clock}{unsure}"), words, spacing=dp(XS)))
        head = Words(look, name, 1.6, bold=True, font_name=font_for(name, _("History")))
        return Page(look, Flow(back), head, Panel(look, lines), Flow(rename, *exports, delete))

    def _show(self, summary: Summary) -> None:
        self.open = summary
        self.draw()

    def _close(self) -> None:
        self.open = None
        self.draw()

    def _save(self, summary: Summary, kind: str) -> None:
        assert self.history is not None
        name = summary.title or time.strftime(
            "%Y-%m-%d %H.%M", time.localtime(summary.began_ms / 1000)
        )
        entries = self.history.lines(summary.id)
        path = save(documents(), f"Fingerpost {name}", entries, kind)
        self.shell.tell(_("Saved: {path}").format(path=path))

    def _ask_for_name(self, summary: Summary) -> None:
        def rename(name: str) -> None:
            assert self.history is not None
            self.history.rename(summary.id, name)
            self.shell.close_dialog()
            self.open = next(s for s in self.history.conversations() if s.id == summary.id)
            self.draw()

        look = self.look
        field = Field(look, _("A name for this conversation"), summary.title, rename)
        keep = Press(look, _("Keep"), lambda: rename(field.text), "accent")
        cancel = Press(look, _("Cancel"), self.shell.close_dialog)
        self.shell.show_dialog(Dialog(look, title(look, _("Rename")), field, Flow(keep, cancel)))

    def _ask_to_delete(self, summary: Summary) -> None:
        words = _("“{first}” will be gone, with all that was said (lines: {n}).")
        self._ask(
            words.format(first=summary.title or summary.first, n=summary.n_lines),
            lambda history: history.delete(summary.id),
        )

    def _ask_to_delete_all(self) -> None:
        self._ask(_("All conversations on this device will be gone."), History.delete_all)

    def _ask(self, words: str, delete: Callable[[History], None]) -> None:
        def go() -> None:
            assert self.history is not None
            delete(self.history)
            self.shell.close_dialog()
            self.open = None
            self.draw()

        look = self.look
        self.shell.show_dialog(
            question(
                look,
                _("Delete?"),
                words,
                Press(look, _("Cancel"), self.shell.close_dialog),
                Press(look, _("Delete"), go, "danger"),
            )
        )


def when(time_ms: int) -> str:
    """Day and time, of the clock on the wall."""
    # Year first: it is read the same everywhere. "%x" is American unless the process has a locale.
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(time_ms / 1000))


def documents() -> Path:
    """Where the user looks for documents."""
    import platformdirs

    return Path(platformdirs.user_documents_dir()) / "Fingerpost"
