"""Timed text as files: SubRip (.srt) and WebVTT (.vtt).

Written here and not with a library: the two formats are a dozen lines, and the libraries that
write both (pysubs2, webvtt-py) either read ``{...}`` in a caption as styling or leave the escaping
of WebVTT to the caller.
"""

import html
from collections.abc import Sequence
from typing import NamedTuple


class Cue(NamedTuple):
    """One subtitle: text from start_ms until end_ms."""

    start_ms: int
    end_ms: int
    text: str


def srt(cues: Sequence[Cue]) -> str:
    """A SubRip file: numbered blocks, with a comma before the milliseconds."""
    blocks = (
        f"{i}\n{_clock(cue.start_ms, ',')} --> {_clock(cue.end_ms, ',')}\n"
        f"{cue.text.replace('-->', '->')}\n"
        for i, cue in enumerate(cues, start=1)
    )
    return "\n".join(blocks)


def vtt(cues: Sequence[Cue], note: str = "") -> str:
    """A WebVTT file. note : a comment for whoever opens it, shown by no player."""
    blocks = ["WEBVTT\n"]
    if note:
        blocks.append(f"NOTE {one_block(note).replace('-->', '->')}\n")
    blocks += (
        f"{_clock(cue.start_ms, '.')} --> {_clock(cue.end_ms, '.')}\n"
        f"{html.escape(cue.text, quote=False)}\n"  # "-->" becomes "--&gt;", as WebVTT wants
        for cue in cues
    )
    return "\n".join(blocks)


def one_block(text: str) -> str:
    """The text without empty lines, which would end its block."""
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def _clock(time_ms: int, separator: str) -> str:
    """``01:02:03,456`` for 3,723,456 ms."""
    seconds, ms = divmod(max(time_ms, 0), 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{separator}{ms:03}"
