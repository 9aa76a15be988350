"""Captions as subtitles: each stays long enough to be read (``edge_runtime.timed_text``)."""

from collections.abc import Iterable

from fingerpost.edge_runtime.captions import Line
from fingerpost.edge_runtime.timed_text import Cue, one_block

MIN_SHOWN_MS = 1200  # a shorter caption cannot be read
MS_A_CHARACTER = 60  # about 17 characters a second, the usual reading speed of subtitles


def cues(lines: Iterable[Line]) -> list[Cue]:
    """Cues in order of time: each stays long enough to be read, but never into the next one."""
    ordered = sorted((line for line in lines if line.text.strip()), key=lambda line: line.start_ms)
    made = []
    for i, line in enumerate(ordered):
        wanted_ms = max(MIN_SHOWN_MS, MS_A_CHARACTER * len(line.text))
        end_ms = max(line.end_ms, line.start_ms + wanted_ms)
        if i + 1 < len(ordered):
            end_ms = min(end_ms, ordered[i + 1].start_ms)
        made.append(Cue(line.start_ms, max(end_ms, line.start_ms + 1), one_block(line.text)))
    return made
