"""A conversation as a file: plain text, subtitles, JSON."""

import json
import re
import time
from collections.abc import Sequence
from pathlib import Path

from fingerpost.app.conversation import SIGNED, SPOKEN, TYPED, Entry
from fingerpost.app.output_files import write_text
from fingerpost.app.subtitles import cues
from fingerpost.edge_runtime.captions import Line
from fingerpost.edge_runtime.manifest import CAUTION
from fingerpost.edge_runtime.timed_text import Cue, srt, vtt

FORMATS = ("txt", "srt", "vtt", "json")
LONGEST_NAME = 60
_WIDEST = max(len(how) for how in (SIGNED, TYPED, SPOKEN))


def export(entries: Sequence[Entry], kind: str) -> str:
    """The text of the file. kind : one of FORMATS"""
    if kind not in FORMATS:
        raise ValueError(f"unknown format {kind!r}; known: {', '.join(FORMATS)}")
    if kind == "json":
        return (
            json.dumps([_record(entry) for entry in entries], ensure_ascii=False, indent=1) + "\n"
        )
    if kind == "txt":
        return "".join(f"{_row(entry)}\n" for entry in [*entries]) + f"\n{CAUTION}\n"
    timed = _cues(entries)
    return srt(timed) if kind == "srt" else vtt(timed, CAUTION)


def save(folder: Path, name: str, entries: Sequence[Entry], kind: str) -> Path:
    """Writes the file into a folder, beside what is there already; returns its path."""
    text = export(entries, kind)
    folder.mkdir(parents=True, exist_ok=True)
    stem = file_stem(name)
    path, number = folder / f"{stem}.{kind}", 2
    while path.exists():
        path, number = folder / f"{stem} ({number}).{kind}", number + 1
    write_text(path, text)
    return path


def file_stem(name: str) -> str:
    """A name as every system lets a file be called."""
    plain = re.sub(r'[\x00-\x1f<>:"/\\|?*]+', "-", name).strip(" .-")
    return plain[:LONGEST_NAME].strip(" .-") or "conversation"


def _cues(entries: Sequence[Entry]) -> list[Cue]:
    """Times count from its beginning: the camera may have been off meanwhile."""
    if not entries:
        return []
    begins = [entry.said_ms - (entry.end_ms - entry.start_ms) for entry in entries]
    zero = min(begins)
    lines = [
        Line(entry.text, (), (), begin - zero, entry.said_ms - zero, entry.score)
        for entry, begin in zip(entries, begins, strict=True)
    ]
    return cues(lines)


def _row(entry: Entry) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(entry.said_ms / 1000))
    unsure = "  (unsure)" if entry.unsure else ""
    return f"{clock}  {entry.how:{_WIDEST}}  {entry.text}{unsure}"


def _record(entry: Entry) -> dict[str, object]:
    return {
        "how": entry.how,
        "text": entry.text,
        "said_ms": entry.said_ms,
        "signed_for_ms": entry.end_ms - entry.start_ms,
        "score": round(entry.score, 4),
        "unsure": entry.unsure,
        "other_readings": list(entry.readings),
        "chosen_by_a_reader": entry.chosen,
    }
