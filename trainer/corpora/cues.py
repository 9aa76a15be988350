"""Timed text: .vtt and .srt files, read strictly.

Own code, for the libraries (webvtt-py, srt, pysubs2) skip what they do not understand or do not
say in which line it is; a caption lost in silence is a wrong label.
"""

import html
import re
from pathlib import Path
from typing import NamedTuple

from fingerpost.edge_runtime.timed_text import Cue
from fingerpost.trainer.corpora.tables import read_lines

TIME = r"(?:(\d{1,3}):)?([0-5]\d):([0-5]\d)[.,](\d{3})"
TIMING = re.compile(rf"{TIME}\s+-->\s+{TIME}(?:\s.*)?")
TAG = re.compile(r"</?(?:[a-zA-Z][^>]*|\d[\d:.]*)>")  # <i>, <c.colour>, <00:01.000>
NO_CUE = re.compile(r"(?:NOTE|STYLE|REGION)(?:\s|$)")


class CueBlock(NamedTuple):
    """A cue, and its lines in the file, from 0: the first, that of the times, the one after all."""

    first: int
    timing: int
    end: int
    cue: Cue


def read_cues(path: Path) -> list[Cue]:
    """The captions of a .vtt or .srt file, in its order; cues without text are kept.

    A cue's text is on one line, without markup.
    """
    return [block.cue for block in read_blocks(path)]


def read_blocks(path: Path) -> list[CueBlock]:
    """``read_cues``, with where in the file each is."""
    lines = read_lines(path)
    number = 0
    if path.suffix.lower() == ".vtt":
        if not lines or not re.match(r"WEBVTT(?:\s|$)", lines[0]):
            raise ValueError(f"{path}, line 1: a .vtt file starts with WEBVTT")
        number = _end_of_block(lines, 0)  # its head may go on: Kind: captions, Language: en
    blocks = []
    while number < len(lines):
        end = _end_of_block(lines, number)
        if lines[number].strip() and not NO_CUE.match(lines[number]):
            blocks.append(_block(path, lines, number, end))
        number = max(end, number + 1)
    return blocks


def _end_of_block(lines: list[str], start: int) -> int:
    return next((n for n in range(start, len(lines)) if not lines[n].strip()), len(lines))


def _block(path: Path, lines: list[str], start: int, end: int) -> CueBlock:
    """The cue in lines start to end: maybe a number or name, the times, the text."""
    timing = start if "-->" in lines[start] or start + 1 == end else start + 1
    match = TIMING.fullmatch(lines[timing].strip())
    if not match:
        raise ValueError(
            f"{path}, line {timing + 1}: expected times as 00:01.000 --> 00:02.500, "
            f"got {lines[timing].strip()[:60]!r}"
        )
    start_ms, end_ms = _ms(*match.groups()[:4]), _ms(*match.groups()[4:])
    if end_ms < start_ms:
        raise ValueError(f"{path}, line {timing + 1}: the caption ends before it starts")
    text = " ".join(html.unescape(TAG.sub("", line)) for line in lines[timing + 1 : end])
    return CueBlock(start, timing, end, Cue(start_ms, end_ms, " ".join(text.split())))


def _ms(hours: str | None, minutes: str, seconds: str, ms: str) -> int:
    return ((int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(ms)
