"""Shards: a corpus as a folder of Arrow files, memory-mapped, for training.

    write_shards(folder, clips, ShardsAbout(corpus="wlasl", schema="sign69"))
    shards = open_shards(folder)
    shards.in_split("train")[7]  # a Clip

    shards.json            what is in here; it makes the folder valid, so it is written last
    part-00000.arrow       Arrow streams, as Hugging Face ``datasets`` writes and maps them
    part-00001.arrow

A part appears whole or not at all. A writer that was killed goes on after its last whole part.
"""

import json
import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa

from fingerpost.edge_runtime.keypoints import schema, to_view
from fingerpost.trainer.clip_tables import KEYPOINTS, ROW, Clip, ClipTable, Row, row_of, table_of

FORMAT_VERSION = 1
ABOUT = "shards.json"
PARTS = "part-*.arrow"
METADATA = b"fingerpost"  # of a part's Arrow schema: what shards.json cannot say yet
PART_BYTES = 64 * 2**20  # 64 MiB: what a writer holds in memory, and loses when it is killed
BATCH_ROWS = 256  # clips of a record batch: what a stream reads at once
MADE_BY = "make shards with `fingerpost extract` or `fingerpost shards import`"


@dataclass(frozen=True)
class ShardsAbout:
    """What is in a folder of shards. A writer is given corpus and schema, and finds out the rest.

    corpus : its name
    schema : the source or view that the keypoints are of
    extractor : names and versions of what made them, joined with " + "
    fps : frames a second of all clips; None where they differ
    content_hash : hexadecimal; the same for the same clips, whatever their order and parts
    """

    corpus: str
    schema: str
    extractor: str = ""
    fps: float | None = None
    n_clips: int = 0
    n_frames: int = 0
    content_hash: str = ""
    format_version: int = FORMAT_VERSION


class Shards:
    """The clips of a folder, or some of them; cheap to copy, to fork and to pickle.

    about : of the whole folder, whatever part of it this is
    """

    def __init__(self, folder: Path, about: ShardsAbout, tables: list[ClipTable]) -> None:
        self.folder, self.about = folder, about
        self._tables = tables
        self._starts = list(accumulate(map(len, tables), initial=0))  # each table's first clip
        self._chosen = np.arange(self._starts[-1])

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, i: int) -> Clip:
        number = int(self._chosen[i])
        table = bisect_right(self._starts, number) - 1
        return self._tables[table].clip(number - self._starts[table])

    def __iter__(self) -> Iterator[Clip]:
        return (self[i] for i in range(len(self)))

    def __reduce__(self) -> tuple:
        return _reopen, (self.folder, self._chosen)  # a worker process maps the files itself

    @property
    def n_frames(self) -> np.ndarray:
        """Frames of every clip, shape (clips,), int, without touching the keypoints."""
        return np.concatenate([table.n_frames for table in self._tables])[self._chosen]

    def column(self, name: str) -> list[Any]:
        """One value for every clip, without touching the keypoints; ValueError lists the names."""
        names = [known for known in ROW.names if known not in KEYPOINTS]
        if name not in names:
            raise ValueError(f"shards have no column {name!r}; known are {', '.join(names)}")
        values = [value for table in self._tables for value in table.column(name)]
        return [values[i] for i in self._chosen]

    def only(self, indices: Iterable[int]) -> "Shards":
        """Some of these clips, in the order given."""
        view = Shards(self.folder, self.about, self._tables)
        view._chosen = self._chosen[np.fromiter(indices, np.int64)]
        return view

    def in_split(self, name: str) -> "Shards":
        """The clips of a split; ValueError lists the splits that there are."""
        splits = self.column("split")
        chosen = [i for i, split in enumerate(splits) if split == name]
        if not chosen:
            known = ", ".join(sorted(split or "(none)" for split in set(splits)))
            raise ValueError(f"{self.folder} has no clip in split {name!r}; its splits: {known}")
        return self.only(chosen)

    @property
    def numbers(self) -> np.ndarray:
        """Shape (clips,), int: which clips of the whole folder these are, in its order."""
        return self._chosen.copy()

    @property
    def files(self) -> list[Path]:
        """The parts of the whole folder, in order."""
        return [self.folder / name for name in _read_about(self.folder)[1]]

    def verify(self) -> None:
        """Reads everything; ValueError where the clips are not those that were written."""
        rows = (table.row(i) for table in self._tables for i in range(len(table)))
        if _as_hash(sum(row.digest() for row in rows)) != self.about.content_hash:
            raise ValueError(f"{self.folder} is damaged: its clips are not those that were written")


def open_shards(folder: Path) -> Shards:
    """Maps a folder of shards. ValueError or OSError where it is none, or is damaged."""
    about, parts = _read_about(folder)
    tables: list[ClipTable] = []
    for name, n_clips in parts.items():
        part = _open_part(folder / name, about)[0]
        if sum(map(len, part)) != n_clips:
            raise ValueError(f"{folder / name} should hold {n_clips} clips; copy the shards again")
        tables += part
    return Shards(folder, about, tables)


def write_shards(folder: Path, clips: Iterable[Clip], about: ShardsAbout) -> Shards:
    """Writes all clips into a new folder, and opens it."""
    with ShardWriter(folder, about) as writer:
        for clip in clips:
            writer.add(clip)
    return open_shards(folder)


class ShardWriter:
    """Writes clips into a folder, part by part; leaving the ``with`` block makes it valid.

    Where the block ends in an error, what was added is written too, and is there to go on from.

    about : corpus and schema; clips of another schema are converted, where there is a way
    resume : go on in a folder that was begun; ``ids`` are the clips that it holds
    part_bytes : of keypoints in a part
    """

    def __init__(
        self,
        folder: Path,
        about: ShardsAbout,
        resume: bool = False,
        part_bytes: int = PART_BYTES,
    ) -> None:
        """ValueError where the folder holds other shards, or any and resume is False."""
        self.folder, self.part_bytes = folder, part_bytes
        self.about = ShardsAbout(about.corpus, about.schema)
        self.ids: set[str] = set()
        self._schema = schema(about.schema)
        self._rows: list[Row] = []
        self._bytes = self._digests = self._n_frames = 0
        self._extractors: dict[str, None] = {}  # a set that keeps its order
        self._fps: set[float] = set()
        self._parts: dict[str, int] = {}  # name: clips
        folder.mkdir(parents=True, exist_ok=True)
        begun = sorted(folder.glob(PARTS))
        if (begun or (folder / ABOUT).exists()) and not resume:
            raise ValueError(f"{folder} holds shards already; give a new folder")
        for path in folder.glob("*.partial"):  # of a writer that was killed
            path.unlink()
        for path in begun:
            tables, digests = _open_part(path, self.about)
            self._count(path.name, tables, digests)

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.flush()
        if kind is None:
            self._finish()

    def add(self, clip: Clip) -> None:
        """Takes a clip; ValueError where it cannot be stored, or its id is there already."""
        if clip.id in self.ids:
            raise ValueError(f"two clips have the id {clip.id!r}; every clip needs one of its own")
        if clip.sequence.schema.name != self._schema.name:
            clip = replace(clip, sequence=to_view(clip.sequence, self._schema))
        row = row_of(clip)
        self._rows.append(row)
        self.ids.add(clip.id)
        self._bytes += row.n_bytes
        if self._bytes >= self.part_bytes:
            self.flush()

    def flush(self) -> None:
        """Writes what is in memory as a part of its own."""
        if not self._rows:
            return
        starts = range(0, len(self._rows), BATCH_ROWS)
        batches = [table_of(self._rows[start : start + BATCH_ROWS]) for start in starts]
        digests = sum(row.digest() for row in self._rows)
        made = {"content_hash": _as_hash(digests), "format_version": FORMAT_VERSION}
        made |= {"corpus": self.about.corpus, "schema": self.about.schema}
        arrow_schema = ROW.with_metadata({METADATA: json.dumps(made).encode()})
        number = 1 + max((int(name[5:-6]) for name in self._parts), default=-1)
        path = self.folder / f"part-{number:05d}.arrow"
        partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        try:
            with (
                pa.OSFile(str(partial), "wb") as file,
                pa.ipc.new_stream(file, arrow_schema) as out,
            ):
                for batch in batches:
                    out.write_batch(batch)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        self._count(path.name, [ClipTable(batch) for batch in batches], digests)
        self._rows, self._bytes = [], 0

    def _count(self, name: str, tables: list[ClipTable], digests: int) -> None:
        """Takes note of what a part holds."""
        for table in tables:
            self.ids |= set(table.column("id"))
            self._extractors |= dict.fromkeys(table.column("extractor"))
            self._fps |= set(table.column("fps"))
            self._n_frames += int(table.n_frames.sum())
        self._digests += digests
        self._parts[name] = sum(map(len, tables))

    def _finish(self) -> None:
        if not self._parts:
            raise ValueError(f"there was no clip to write into {self.folder}")
        self.about = replace(
            self.about,
            extractor=" + ".join(sorted(self._extractors)),
            fps=self._fps.copy().pop() if len(self._fps) == 1 else None,
            n_clips=sum(self._parts.values()),
            n_frames=self._n_frames,
            content_hash=_as_hash(self._digests),
        )
        content = asdict(self.about) | {"parts": self._parts}
        partial = self.folder / f"{ABOUT}.{os.getpid()}.partial"
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        partial.write_text(text, encoding="utf-8")
        partial.replace(self.folder / ABOUT)


def _as_hash(digests: int) -> str:
    """The sum of the rows' digests: it does not tell their order, and parts can be added up."""
    return f"{digests % 2**256:064x}"


def _read_about(folder: Path) -> tuple[ShardsAbout, dict[str, int]]:
    """shards.json: what it says of the folder, and its parts with the clips of each."""
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}; {MADE_BY}")
    path = folder / ABOUT
    if not path.is_file():
        if any(folder.glob(PARTS)):
            raise ValueError(f"{folder} is not complete; run the command that makes it again")
        raise ValueError(f"{folder} holds no shards ({ABOUT}); {MADE_BY}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version, parts = content["format_version"], content.pop("parts")
        if version == FORMAT_VERSION:
            about = ShardsAbout(
                **{field.name: content[field.name] for field in fields(ShardsAbout)}
            )
            return about, {str(name): int(n) for name, n in parts.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} is damaged; copy the shards again, or make them again") from error
    raise ValueError(
        f"{folder} has shards of format {version}, this Fingerpost reads {FORMAT_VERSION}; make "
        "them again, or use the Fingerpost that made them"
    )


def _open_part(path: Path, about: ShardsAbout) -> tuple[list[ClipTable], int]:
    """The record batches of a part, mapped, and the sum of the rows' digests as it was written."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; copy the shards again, or make them again")
    try:
        # Buffers keep the map alive; the file itself is closed: thousands of parts may be open.
        with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
            made = json.loads((stream.schema.metadata or {}).get(METADATA, b"{}"))
            tables = [ClipTable(batch) for batch in stream]
        digests = int(made.get("content_hash", "0"), 16)
    except (ValueError, TypeError, AttributeError, OSError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} is damaged, or no part of shards: {reason}") from error
    for name in ("corpus", "schema", "format_version"):
        if made.get(name) != getattr(about, name):
            raise ValueError(
                f"{path} has {name} {made.get(name)!r}, expected {getattr(about, name)!r}; give "
                "another folder"
            )
    return tables, digests


def _reopen(folder: Path, chosen: np.ndarray) -> Shards:
    return open_shards(folder).only(chosen.tolist())
