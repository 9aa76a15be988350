"""Your own clips: a folder with a table (docs/corpora.md).

labels.csv                           file,gloss,text,signer,split,language,text_language,...
clips/hello_01.mp4
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.corpora.tables import Row, read_table

VIDEOS = {".mp4", ".mov", ".webm", ".mkv", ".avi"}


def read_own_folder(folder: Path) -> Iterator[Sample]:
    """A row is a clip, or a part of one; a clip without a row becomes a sample without a label."""
    clips, listed = folder / "clips", set()
    parts: dict[str, int] = {}  # how many rows of a clip there were
    for row in read_table(folder / "labels.csv", ("file",)):
        sample = _sample(row, clips)
        listed.add(sample.media)
        if sample.start_ms is not None:
            parts[sample.id] = parts.get(sample.id, -1) + 1
            sample = replace(sample, id=f"{sample.id}.{parts[sample.id]:04d}")
        yield sample
    for path in sorted(clips.glob("**/*")):
        hidden = path.name.startswith(".")  # macOS's ._hello.mp4, and what is being written
        if path.suffix.lower() in VIDEOS and path not in listed and not hidden:
            yield Sample(str(path.relative_to(clips)), path, "", "", (), "", "")


def _sample(row: Row, clips: Path) -> Sample:
    file = Path(row.name("file"))
    if file.is_absolute() or ".." in file.parts:
        raise row.error(f"file {str(file)!r} is not inside clips/")
    start_ms, end_ms = None, None
    if _optional(row, "start") or _optional(row, "end"):
        start_ms, end_ms = row.span_ms("start", "end")
    gloss = _optional(row, "gloss")
    return Sample(
        id=str(file),
        media=clips / file,
        signer=_optional(row, "signer"),
        split=row.split("split") if "split" in row.fields else "",
        glosses=tuple(gloss.split()),
        text=_optional(row, "text"),
        language=_optional(row, "language"),
        start_ms=start_ms,
        end_ms=end_ms,
        text_language=_optional(row, "text_language"),
    )


def _optional(row: Row, name: str) -> str:
    return row.text(name) if name in row.fields else ""
