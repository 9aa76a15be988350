"""Subtitle files with other times, and all else as it was: .vtt and .srt.

Only the digits of times are replaced. Names and numbers of cues, settings, text and its markup,
notes, styles, byte order mark and line ends stay to the byte. Own code: libraries that read and
write both formats (pysubs2, webvtt-py) write a file anew, and lose part of that.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fingerpost.edge_runtime.timed_text import Cue
from fingerpost.trainer.corpora.cues import TIME, CueBlock, read_blocks

KINDS = (".vtt", ".srt")
BYTE_ORDER_MARK = "\ufeff"
_CLOCK = re.compile(TIME)
_SAID_AT = re.compile(rf"(?<=<){TIME}(?=>)")  # in a .vtt, words may have times of their own


@dataclass(frozen=True)
class SubtitleFile:
    """A subtitle file as it was read.

    kind : .vtt or .srt; start : its byte order mark, or nothing
    lines : with what is left of their ends (a carriage return); blocks : its cues, in its order
    """

    kind: str
    start: str
    lines: tuple[str, ...]
    blocks: tuple[CueBlock, ...]

    @property
    def cues(self) -> list[Cue]:
        return [block.cue for block in self.blocks]

    def retimed(self, times: Sequence[tuple[int, int] | None]) -> str:
        """The file's text with a start and end, ms, for each cue in its order.

        A cue with None is left out; in a .vtt a note says so, with its text. Times of words within
        a cue move along with it.
        """
        if len(times) != len(self.blocks):
            raise ValueError(f"expected times of {len(self.blocks)} cues, got {len(times)}")
        lines = list(self.lines)
        # From the last to the first, so that numbers of lines stay true
        for block, time in zip(reversed(self.blocks), reversed(times), strict=True):
            own = lines[block.first : block.end]
            if time is not None:
                lines[block.first : block.end] = _moved(own, block, time)
            elif self.kind == ".vtt":
                lines[block.first : block.end] = _noted(own, block)
            else:
                lines[block.first : block.end + 1] = []  # the empty line after it, too
        return self.start + "\n".join(lines)


def read_subtitles(path: Path) -> SubtitleFile:
    """A .vtt or .srt file. ValueError or OSError, in one line, where it is none or has no cue."""
    check_subtitles(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; give subtitles: {', '.join(KINDS)}")
    blocks = read_blocks(path)
    if not blocks:
        raise ValueError(f"{path} holds no subtitles; give a file with some")
    content = path.read_bytes().decode()
    start = BYTE_ORDER_MARK if content.startswith(BYTE_ORDER_MARK) else ""
    lines = content.removeprefix(start).split("\n")
    return SubtitleFile(path.suffix.lower(), start, tuple(lines), tuple(blocks))


def check_subtitles(path: Path) -> None:
    """ValueError where the name's ending is of no kind of subtitles."""
    if path.suffix.lower() not in KINDS:
        raise ValueError(f"{path} is no subtitle file; its name must end in {' or '.join(KINDS)}")


def _moved(lines: list[str], block: CueBlock, time: tuple[int, int]) -> list[str]:
    """A cue's lines with other times."""
    at = block.timing - block.first
    new = iter(time)
    was = block.cue
    stretch = (time[1] - time[0]) / max(was.end_ms - was.start_ms, 1)

    def within(found: re.Match[str]) -> str:
        offset = (_ms(found) - was.start_ms) * stretch
        return _written(found, round(min(max(time[0] + offset, time[0]), time[1])))

    timing = _CLOCK.sub(lambda found: _written(found, next(new)), lines[at], count=2)
    return [*lines[:at], timing, *(_SAID_AT.sub(within, line) for line in lines[at + 1 :])]


def _noted(lines: list[str], block: CueBlock) -> list[str]:
    """A note of a .vtt that holds a cue's lines."""
    ending = "\r" if lines[0].endswith("\r") else ""
    # "-->" may not be in a note
    kept = [line.replace("-->", "to") for line in lines]
    return [f"NOTE not placed by fingerpost align:{ending}", *kept]


def _ms(found: re.Match[str]) -> int:
    hours, minutes, seconds, ms = (int(part or 0) for part in found.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms


def _written(found: re.Match[str], time_ms: int) -> str:
    """A time as the one that it replaces is written: with hours or without, a point or a comma."""
    if time_ms < 0:
        raise ValueError(f"a subtitle cannot be shown at {time_ms} ms")
    seconds, ms = divmod(time_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    had = found[1]
    start = f"{hours:0{len(had)}}:" if had else f"{hours:02}:" if hours else ""
    return f"{start}{minutes:02}:{seconds:02}{found[0][-4]}{ms:03}"
