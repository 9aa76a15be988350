"""What curation keeps on disk beside the clips: a record of each video, and the corpus's table.

The table is made from the records, so that one folder can take many videos, one after the other or
at the same time.
"""

import csv
import io
import json
import os
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from fingerpost.trainer.corpora.tables import Row, read_json, read_lines
from fingerpost.trainer.curation.crop import Box
from fingerpost.trainer.curation.words import Dropped

CLIPS, RECORDS, LABELS = "clips", "curated", "labels.csv"
COLUMNS = ("file", "gloss", "text", "signer", "split", "language", "text_language")
STATISTICS = "statistics"  # statistics.json is no record


class Clip(NamedTuple):
    """One sentence. file : its name in clips/; start_ms, end_ms : in the video; cut : why it ends
    where it does (``words.Sentence``)."""

    file: str
    start_ms: int
    end_ms: int
    n_frames: int
    text: str
    cut: str


@dataclass(frozen=True)
class Record:
    """What became of one video.

    video : its file's name
    source : a hash of the video and its captions, to tell it from another of that name
    settings : the fields of ``curate.Settings``
    fps : of the clips
    clips : those that are, or will be, in clips/
    dropped : captions and sentences without a clip
    box : where the signer is; None as long as nobody has looked
    finished : whether all clips are there
    """

    video: str
    source: str
    settings: dict[str, Any]
    fps: float
    clips: tuple[Clip, ...]
    dropped: tuple[Dropped, ...]
    box: Box | None = None
    finished: bool = False

    @property
    def duration_ms(self) -> float:
        """Of all its clips together."""
        return sum(clip.n_frames for clip in self.clips) * 1000 / self.fps

    def counts(self) -> dict[str, int]:
        """How many captions and sentences were dropped, by reason; the most frequent first."""
        reasons = sorted(dropped.reason for dropped in self.dropped)
        return dict(Counter(reasons).most_common())


def finish(record: Record, clips: list[Clip], dropped: list[Dropped]) -> Record:
    """The record of a video whose clips are there. dropped : in addition, for want of pictures"""
    return replace(
        record,
        clips=tuple(clips),
        dropped=tuple(sorted([*record.dropped, *dropped])),
        finished=True,
    )


def read_begun(folder: Path, record: Record) -> Record | None:
    """The record of the same video in a folder, finished or not; None where there is none yet.

    ValueError where the one that is there is of another video, or was made with other settings.
    """
    path = _path(folder, record.video)
    if not path.exists():
        return None
    found = read_record(path)
    for what, ours, theirs in (
        ("another video or other captions", record.source, found.source),
        ("other settings", record.settings, found.settings),
    ):
        if ours != theirs:
            raise ValueError(
                f"{folder} has clips of a {record.video} already, of {what}: give another folder, "
                f"or delete {path} and the clips that it names"
            )
    return found


def read_record(path: Path) -> Record:
    """ValueError where it is not a record."""
    row = Row(str(path), read_json(path))
    try:
        fields = dict(row.fields)
        fields["clips"] = tuple(Clip(**clip) for clip in fields["clips"])
        fields["dropped"] = tuple(Dropped(**dropped) for dropped in fields["dropped"])
        fields["box"] = Box(**fields["box"]) if fields["box"] else None
        return Record(**fields)
    except (KeyError, TypeError) as error:
        raise row.error(f"not a record of this version: {error}; delete it, and cut anew") from None


def as_plain(record: Record) -> dict[str, Any]:
    """A record as JSON has it."""
    fields = asdict(record)
    for name in ("clips", "dropped"):
        fields[name] = [row._asdict() for row in getattr(record, name)]
    return fields


def write_record(folder: Path, record: Record) -> None:
    path = _path(folder, record.video)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(as_plain(record), ensure_ascii=False, indent=1) + "\n")


def finished_records(folder: Path) -> list[Record]:
    """Of all videos of a folder, in the order of their names."""
    paths = sorted(p for p in (folder / RECORDS).glob("*.json") if p.stem != STATISTICS)
    return [record for path in paths if (record := read_record(path)).finished]


def check_labels(folder: Path) -> None:
    """ValueError where the table has rows that ``write_labels`` would not write again."""
    path = folder / LABELS
    if path.exists():
        ours = set(_labels(folder).splitlines())
        for number, line in enumerate(read_lines(path), start=1):
            if line not in ours:
                raise ValueError(
                    f"{path}, line {number}: not written by `fingerpost curate`, or changed since; "
                    "give another folder, for the table is written anew after each video"
                )


def write_labels(folder: Path) -> None:
    """The table of all finished videos."""
    check_labels(folder)
    write_whole(folder / LABELS, _labels(folder))


def write_whole(path: Path, text: str) -> None:
    """A reader finds the old file, or all of the new one."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def _labels(folder: Path) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for record in finished_records(folder):
        same = [record.settings[name] for name in COLUMNS[3:]]
        writer.writerows([clip.file, "", clip.text, *same] for clip in record.clips)
    return text.getvalue()


def _path(folder: Path, video: str) -> Path:
    stem = Path(video).stem
    if stem == STATISTICS:
        raise ValueError(f"a video cannot be called {video} here: rename it")
    return folder / RECORDS / f"{stem}.json"
