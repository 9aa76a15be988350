"""Which lines of caption are on show at a moment: what the window and the overlay draw.

Pure: events and times go in, lines to draw come out. No clock, no drawing.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from fingerpost.edge_runtime.captions import CaptionEvent, Line, LineCompleted

SHOWN_AFTER_MS = 4000  # how long a completed line stays, unless newer lines push it out
N_LINES = 2


@dataclass(frozen=True)
class ShownLine:
    """A line as it is to be drawn. partial : it may still change, so it is drawn dimmer."""

    text: str
    partial: bool
    unsure: bool


class CaptionBoard:
    """Keeps the newest lines: partial ones until they are completed, completed ones for a while."""

    def __init__(self, n_lines: int = N_LINES, shown_after_ms: int = SHOWN_AFTER_MS) -> None:
        self.n_lines = n_lines
        self.shown_after_ms = shown_after_ms
        self._lines: dict[int, tuple[Line, int | None]] = {}  # id: line, when it was completed

    def push(self, events: Iterable[CaptionEvent], time_ms: int) -> None:
        """Takes in the events of a moment. time_ms : that moment, of the source."""
        for event in events:
            completed_ms = time_ms if isinstance(event, LineCompleted) else None
            self._lines[event.line_id] = (event.line, completed_ms)
        for line_id in sorted(self._lines)[: -self.n_lines]:
            del self._lines[line_id]

    def shown(self, time_ms: int) -> tuple[ShownLine, ...]:
        """The lines on show at a moment, the oldest first."""
        return tuple(
            ShownLine(line.text, partial=completed_ms is None, unsure=is_unsure(line))
            for _, (line, completed_ms) in sorted(self._lines.items())
            if completed_ms is None or time_ms - completed_ms <= self.shown_after_ms
        )

    def reset(self) -> None:
        self._lines.clear()


def is_unsure(line: Line) -> bool:
    """Whether a reader should be told that this line is little more than a guess."""
    return line.unsure
