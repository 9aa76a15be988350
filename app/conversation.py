"""The running conversation: what scroll-back shows, and what is kept of it.

Pure: events and times go in. A ``Keeper`` writes each line down as soon as it is complete; without
one (a private session) nothing leaves this object.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from fingerpost.app.caption_board import ShownLine
from fingerpost.edge_runtime.captions import CaptionEvent, Line, LineCompleted

SIGNED, TYPED, SPOKEN = "signed", "typed", "spoken"  # how an entry was said
MOST_ENTRIES = 300  # of scroll-back; a kiosk runs for months
MOST_READINGS = 3
MOST_IN_BAND = 3  # finished lines that the caption band may show


@dataclass(frozen=True)
class Entry:
    """One line of the conversation.

    key : counts up; how : SIGNED, TYPED or SPOKEN; said_ms : time of day, since 1970
    start_ms, end_ms : of signing, in the time of its source; 0 of a reply
    readings : other texts that it may have been, best first
    chosen : a reader took one of the readings
    """

    key: int
    how: str
    text: str
    said_ms: int
    start_ms: int = 0
    end_ms: int = 0
    score: float = 1.0
    unsure: bool = False
    readings: tuple[str, ...] = ()
    chosen: bool = False


class Keeper(Protocol):
    """Where a conversation is written down; ``app.history`` is one."""

    def begin(self, now_ms: int) -> int: ...
    def write(self, conversation: int, entry: Entry) -> None: ...
    def erase(self, conversation: int, key: int) -> None: ...


class Conversation:
    """Lines as they are said. keeper : None keeps nothing

    pause_ms : what is said after a longer pause begins a new conversation; 0 never does
    """

    def __init__(self, keeper: Keeper | None = None, pause_ms: int = 0) -> None:
        self.keeper = keeper
        self.pause_ms = pause_ms
        self.open_line: Line | None = None  # what is being signed
        self._entries: list[Entry] = []
        self._taken_back: list[Entry] = []
        self._number: int | None = None  # the keeper's, once something was said
        self._next_key = 0
        self._last_ms = 0

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What was said, the oldest first."""
        return tuple(self._entries)

    @property
    def last_signed(self) -> Entry | None:
        return next((entry for entry in reversed(self._entries) if entry.how == SIGNED), None)

    @property
    def can_put_back(self) -> bool:
        return bool(self._taken_back)

    def push(self, events: Iterable[CaptionEvent], now_ms: int) -> None:
        """Takes in what a captioner says. now_ms : time of day"""
        for event in events:
            if not isinstance(event, LineCompleted):
                self.open_line = event.line
                continue
            self.open_line = None
            if event.line.text.strip():
                self._add(_entry_of(event.line, self._next_key, now_ms), now_ms)

    def reply(self, text: str, now_ms: int, how: str = TYPED) -> Entry:
        """What the hearing side typed or spoke; ValueError where it is empty."""
        text = " ".join(text.split())
        if not text:
            raise ValueError("type something first")
        entry = Entry(self._next_key, how, text, now_ms)
        return self._add(entry, now_ms)

    def choose(self, key: int, reading: str) -> None:
        """A reader says which of the readings was meant."""
        for i, entry in enumerate(self._entries):
            if entry.key == key:
                chosen = replace(entry, text=reading, unsure=False, chosen=True)
                self._entries[i] = chosen
                self._write(chosen)
                return
        raise ValueError(f"there is no line {key} any more")

    def take_back(self) -> Entry | None:
        """Takes the last line out; None where there is none."""
        if not self._entries:
            return None
        entry = self._entries.pop()
        self._taken_back.append(entry)
        if self.keeper is not None and self._number is not None:
            self.keeper.erase(self._number, entry.key)
        return entry

    def put_back(self) -> Entry | None:
        """Undoes the last ``take_back``."""
        if not self._taken_back:
            return None
        entry = self._taken_back.pop()
        self._entries.append(entry)
        self._entries.sort(key=lambda one: one.key)
        self._write(entry)
        return entry

    def begin_anew(self) -> None:
        """What is said from here on belongs to another conversation."""
        self._entries.clear()
        self._taken_back.clear()
        self._number = None
        self.open_line = None

    def tick(self, now_ms: int) -> bool:
        """Begins anew where the pause was long enough; whether it did. For kiosks: who comes next
        does not read what was said before."""
        if self.open_line is not None or not self._paused(now_ms):
            return False
        self.begin_anew()
        return True

    def shown(self) -> tuple[ShownLine, ...]:
        """What a caption band shows, the oldest first: the last signed lines and the open one."""
        signed = [entry for entry in self._entries if entry.how == SIGNED][-MOST_IN_BAND:]
        lines = [ShownLine(entry.text, partial=False, unsure=entry.unsure) for entry in signed]
        if self.open_line is not None and self.open_line.text.strip():
            lines.append(ShownLine(self.open_line.text, partial=True, unsure=False))
        return tuple(lines)

    def _paused(self, now_ms: int) -> bool:
        return bool(self.pause_ms and self._entries) and now_ms - self._last_ms > self.pause_ms

    def _add(self, entry: Entry, now_ms: int) -> Entry:
        if self._paused(now_ms):
            self.begin_anew()
        self._next_key += 1
        self._last_ms = now_ms
        self._taken_back.clear()
        self._entries.append(entry)
        del self._entries[:-MOST_ENTRIES]
        self._write(entry)
        return entry

    def _write(self, entry: Entry) -> None:
        if self.keeper is None:
            return
        if self._number is None:
            self._number = self.keeper.begin(entry.said_ms)
        self.keeper.write(self._number, entry)


def _entry_of(line: Line, key: int, now_ms: int) -> Entry:
    return Entry(
        key,
        SIGNED,
        line.text,
        now_ms,
        line.start_ms,
        line.end_ms,
        line.score,
        line.unsure,
        readings_of(line),
    )


def readings_of(line: Line) -> tuple[str, ...]:
    """Up to three other texts of a line, the likeliest first: the captioner's own, or, of a row of
    glosses, each with one gloss put in the place of the one shown.
    """
    if line.others:
        return tuple(text for text, _ in line.others if text != line.text)[:MOST_READINGS]
    shown = [_shown(gloss) for gloss in line.glosses]
    if line.text != " ".join(shown):
        return ()
    others = []
    for i, candidates in enumerate(line.alternatives):
        for gloss, probability in candidates:
            text = " ".join([*shown[:i], _shown(gloss), *shown[i + 1 :]])
            if text != line.text:
                others.append((probability, text))
    best = sorted(others, key=lambda other: -other[0])
    return tuple(dict.fromkeys(text for _, text in best))[:MOST_READINGS]


def _shown(gloss: str) -> str:
    return gloss.upper().replace(" ", "-")
