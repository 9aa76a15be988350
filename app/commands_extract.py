"""``fingerpost extract``: how far it is, and what became of the corpus."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from fingerpost.app.terminal import CountedBar, print_json, stdout_console, tell

SPEED_S = 600.0  # the time left is worked out from the speed of the last ten minutes
MAX_SHOWN = 5  # samples of each reason; the report has them all


class ExtractProgress(CountedBar):
    """A bar on a terminal; a line at each tenth of the way elsewhere. Use it in a ``with``."""

    def __init__(self) -> None:
        super().__init__("", SPEED_S)
        self._what = ""
        self._tenth = 0  # of the way, 0 to 10

    def show(self, what: str, done: int, total: int) -> None:
        """So many of so many are done. The first call may tell what an earlier run has done."""
        tenth = 10 * done // max(total, 1)
        if what != self._what:
            if not self._what and 0 < done < total:
                tell(f"Going on: {done} of {total} samples are done.")
            self._what, self._tenth = what, tenth
            self.begin(what, done, total)
        super().show(what, done, total)
        if not self.is_seen and tenth > self._tenth:
            tell(f"{what}: {done} of {total}")
            self._tenth = tenth


def show_report(report: Mapping[str, Any], folder: str, as_json: bool) -> None:
    """What was made, and what was dropped: the first samples of each reason.

    report : what is in the folder's report.json
    """
    if as_json:
        print_json(report)
        return
    minutes = report["duration_ms"] / 60_000
    tell(
        f"{folder}: {report['clips']} clips of {report['samples']} samples, "
        f"{report['frames']} frames, {minutes:.1f} minutes"
    )
    if not report["dropped"]:
        return
    table = Table("dropped", "samples", "such as", box=None, pad_edge=False)
    for reason, dropped in report["dropped"].items():
        shown = ", ".join(d["id"] for d in dropped[:MAX_SHOWN])
        more = ", ..." if len(dropped) > MAX_SHOWN else ""
        table.add_row(Text(reason), str(len(dropped)), Text(shown + more))
    stdout_console().print(table)
    tell(f"{folder}/report.json lists them all.")
