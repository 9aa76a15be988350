"""What commands say: results on stdout, everything else on stderr, live where that is a terminal.

The landmarker silences the process's stderr for moments (MediaPipe writes there, and cannot be
told not to), so messages go to a copy of it that is made between them.
"""

import json
import os
import sys
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from fingerpost.app.session import Step
from fingerpost.edge_runtime.captions import CaptionEvent, Line, LineCompleted, LineStarted
from fingerpost.edge_runtime.quiet import copy_of_stderr

if TYPE_CHECKING:
    from typing_extensions import Self

PIPE_WIDTH = 200  # characters; rich would cut a table in a pipe to 80


def stderr_console() -> Console:
    """A console on the process's stderr that stays audible while stderr is silenced."""
    return Console(file=_lasting_stderr(), highlight=False, soft_wrap=True)


def stdout_console() -> Console:
    """A console on stdout; a pipe or a file gets lines as long as they are."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    return Console(file=sys.stdout, highlight=False, width=width)


def tell(message: str) -> None:
    """One message to the user, on stderr."""
    stderr_console().print(Text(message))


def print_columns(lines: Sequence[Sequence[str]]) -> None:
    """A table on stdout, its headings first; all columns but the first stand to the right."""
    heading, *rows = lines
    table = Table(box=None, pad_edge=False)
    table.add_column(heading[0])
    for name in heading[1:]:
        table.add_column(Text(name), justify="right")
    for row in rows:
        table.add_row(*map(Text, row))  # rich would read [brackets] as markup
    stdout_console().print(table)


def print_json(data: Any) -> None:
    """One line of JSON on stdout, at once: whoever reads along need not wait for the end."""
    sys.stdout.write(json.dumps(data, ensure_ascii=False) + "\n")
    sys.stdout.flush()


class CaptionPrinter:
    """Prints captions as they come. Use it in a ``with``.

    On a terminal the line in the making and a progress bar move at the bottom; a file or a pipe
    gets completed lines only, or with ``as_json`` every event.

    n_frames : how many there will be, None where nobody knows
    """

    def __init__(self, n_frames: int | None, as_json: bool = False, what: str = "captions") -> None:
        self._as_json = as_json
        on_stdout = sys.stdout.isatty()
        self._console = stdout_console() if on_stdout else stderr_console()
        self._live_on_stdout = on_stdout
        self._partial = Text()
        self._progress = _progress_bar(self._console)
        self._task = self._progress.add_task(what, total=n_frames)
        self._live: Live | None = None
        if self._console.is_terminal:
            self._live = Live(
                get_renderable=lambda: Group(self._partial, self._progress),
                console=self._console,
                refresh_per_second=8,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )

    def __enter__(self) -> "CaptionPrinter":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, step: Step) -> None:
        """Prints what a step of the session has brought."""
        for event in step.events:
            if self._as_json:
                self.result(json.dumps(event_record(event), ensure_ascii=False))
            elif isinstance(event, LineCompleted):
                self._partial = Text()
                if event.line.text:
                    self.result(line_text(event.line))
            else:
                self._partial = Text(line_text(event.line), style="dim")
        if step.sight is not None:
            self._progress.advance(self._task)

    def tell(self, message: str) -> None:
        """A message among the captions, without breaking the live display."""
        (self._console if self._live is not None else stderr_console()).print(Text(message))

    def result(self, line: str) -> None:
        """A line on stdout."""
        if self._live is not None and self._live_on_stdout:
            self._console.print(Text(line), soft_wrap=True)
        else:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


def line_text(line: Line) -> str:
    """``00:01.2  HOW YOU``: when it began, what it says, and whether it is little but a guess.

    Of a guess, the next best one too.
    """
    other = f", or: {line.others[0][0]}" if line.others else ""
    unsure = f"  (unsure{other})" if line.unsure else ""
    return f"{clock(line.start_ms)}  {line.text}{unsure}"


def clock(time_ms: int) -> str:
    """``01:02.3`` for 62,300 ms."""
    minutes, ms = divmod(max(time_ms, 0), 60_000)
    return f"{minutes:02}:{ms // 1000:02}.{ms % 1000 // 100}"


def event_record(event: CaptionEvent) -> dict[str, Any]:
    """An event as plain data for JSON: event, line_id, stable, then the fields of its line."""
    line = event.line
    kind = {LineStarted: "started", LineCompleted: "completed"}.get(type(event), "changed")
    settled = len(line.glosses) if isinstance(event, LineCompleted) else event.stable
    return {
        "event": kind,
        "line_id": event.line_id,
        "text": line.text,
        "start_ms": line.start_ms,
        "end_ms": line.end_ms,
        "score": round(float(line.score), 4),
        "unsure": line.unsure,
        "others": [[text, round(float(score), 4)] for text, score in line.others],
        "stable": settled,
        "glosses": list(line.glosses),
        "spans": [list(span) for span in line.spans],
        "alternatives": [
            [[gloss, round(float(p), 4)] for gloss, p in candidates]
            for candidates in line.alternatives
        ],
    }


class CountedBar:
    """So many of so many, on stderr, where that is a terminal. Use it in a ``with``.

    what : is being done
    speed_s : the time left is worked out from the speed of so many last seconds
    """

    def __init__(self, what: str, speed_s: float = 30.0) -> None:
        self._console = stderr_console()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left:"),
            TimeRemainingColumn(),
            console=self._console,
            speed_estimate_period=speed_s,
            transient=True,
        )
        self._task = self._bar.add_task(what, total=None)

    def __enter__(self) -> "Self":
        if self.is_seen:
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.is_seen:  # else stop() prints an empty line
            self._bar.stop()

    @property
    def is_seen(self) -> bool:
        return self._console.is_terminal

    def show(self, what: str, done: int, total: int) -> None:
        """So many of so many are done."""
        self._bar.update(self._task, description=what, completed=done, total=total)

    def begin(self, what: str, done: int, total: int) -> None:
        """Something else from here on: the time starts anew."""
        self._bar.reset(self._task, description=what, completed=done, total=total)


def _progress_bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(show_speed=True),
        TimeRemainingColumn(),
        console=console,
        auto_refresh=False,
    )


def _lasting_stderr() -> TextIO:
    """A copy of stderr if it is the process's own, else (in tests) what stands in for it."""
    if sys.__stderr__ is sys.stderr and sys.__stderr__.fileno() == 2:
        return _copy_of_stderr()
    return sys.stderr


@cache
def _copy_of_stderr() -> TextIO:
    return os.fdopen(copy_of_stderr(), "w", buffering=1, encoding="utf-8", errors="replace")
