"""Conversations that are kept: one SQLite file on this device, words and times only.

A line is in the file as soon as it is complete (WAL, written through to the disk), so whatever
ends the program loses at most the line that was being signed. What is deleted is overwritten.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fingerpost.app.conversation import Entry

VERSION = 1  # of the tables below
TABLES = """
CREATE TABLE conversations (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL DEFAULT '',
    began_ms INTEGER NOT NULL,
    pack TEXT NOT NULL
);
CREATE TABLE lines (
    conversation INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    key INTEGER NOT NULL,
    how TEXT NOT NULL,
    text TEXT NOT NULL,
    said_ms INTEGER NOT NULL,
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    score REAL NOT NULL,
    unsure INTEGER NOT NULL,
    readings TEXT NOT NULL,
    chosen INTEGER NOT NULL,
    PRIMARY KEY (conversation, key)
) WITHOUT ROWID;
"""
COLUMNS = "key, how, text, said_ms, start_ms, end_ms, score, unsure, readings, chosen"


@dataclass(frozen=True)
class Summary:
    """A conversation in a list. title : "" until somebody gives it one; first : its first words"""

    id: int
    title: str
    began_ms: int
    pack: str
    n_lines: int
    first: str


class History:
    """The file, open. pack : what captions the conversations that begin now

    OSError, in one line, where the disk does not let it be read or written.
    """

    def __init__(self, path: Path, pack: str = "") -> None:
        self.path, self.pack = path, pack
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._asked():
            self._file = sqlite3.connect(path, isolation_level=None)
        try:
            with self._asked():
                self._prepare()
        except (ValueError, OSError):
            self._file.close()
            raise

    def _prepare(self) -> None:
        self._file.create_function("folded", 1, str.casefold, deterministic=True)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=1", "secure_delete=1"):
            self._file.execute(f"PRAGMA {pragma}")
        (version,) = self._file.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise ValueError(f"{self.path} is of a newer Fingerpost; update this one to read it")
        if version == 0:
            self._file.executescript(f"BEGIN; {TABLES} PRAGMA user_version={VERSION}; COMMIT;")
        self._delete("id NOT IN (SELECT conversation FROM lines)")  # all of their lines were undone

    # ---- while a conversation runs ---------------------------------------------------------

    def begin(self, now_ms: int) -> int:
        """A new conversation; returns its number."""
        insert = "INSERT INTO conversations (began_ms, pack) VALUES (?, ?)"
        with self._asked():
            number = self._file.execute(insert, (now_ms, self.pack)).lastrowid
        assert number is not None
        return number

    def write(self, conversation: int, entry: Entry) -> None:
        """Keeps an entry, in the place of one of the same key."""
        values = (
            *(conversation, entry.key, entry.how, entry.text, entry.said_ms, entry.start_ms),
            *(entry.end_ms, float(entry.score), entry.unsure),
            *(json.dumps(entry.readings, ensure_ascii=False), entry.chosen),
        )
        marks = ", ".join("?" * len(values))
        insert = f"INSERT OR REPLACE INTO lines (conversation, {COLUMNS}) VALUES ({marks})"
        with self._asked():
            # Its conversation may have been deleted meanwhile: then there is nothing to keep it in.
            if self._file.execute(
                "SELECT 1 FROM conversations WHERE id = ?", (conversation,)
            ).fetchone():
                self._file.execute(insert, values)

    def erase(self, conversation: int, key: int) -> None:
        with self._asked():
            self._file.execute(
                "DELETE FROM lines WHERE conversation = ? AND key = ?", (conversation, key)
            )

    # ---- afterwards ------------------------------------------------------------------------

    def conversations(self, search: str = "") -> tuple[Summary, ...]:
        """The newest first. search : letters that a title or a line has, in capitals or not"""
        found = search.strip().casefold()
        query = """
            SELECT id, title, began_ms, pack, count(*),
                   (SELECT text FROM lines WHERE conversation = id ORDER BY key LIMIT 1)
            FROM conversations JOIN lines ON conversation = id
            WHERE :found = '' OR instr(folded(title), :found) OR EXISTS (
                SELECT 1 FROM lines WHERE conversation = id AND instr(folded(text), :found))
            GROUP BY id ORDER BY began_ms DESC, id DESC
        """
        with self._asked():
            rows = self._file.execute(query, {"found": found}).fetchall()
        return tuple(Summary(*row) for row in rows)

    def lines(self, conversation: int) -> tuple[Entry, ...]:
        """What was said, the oldest first."""
        query = f"SELECT {COLUMNS} FROM lines WHERE conversation = ? ORDER BY key"
        with self._asked():
            rows = self._file.execute(query, (conversation,)).fetchall()
        return tuple(_entry(row) for row in rows)

    def rename(self, conversation: int, title: str) -> None:
        with self._asked():
            self._file.execute(
                "UPDATE conversations SET title = ? WHERE id = ?",
                (" ".join(title.split()), conversation),
            )

    def delete(self, conversation: int) -> None:
        self._delete("id = ?", (conversation,))

    def delete_all(self) -> None:
        self._delete("1")

    def forget_before(self, time_ms: int) -> int:
        """Deletes what was last spoken in before a time; returns how many conversations."""
        said = "SELECT max(said_ms) FROM lines WHERE conversation = id"
        return self._delete(f"coalesce(({said}), began_ms) < ?", (time_ms,))

    def close(self) -> None:
        self._file.close()

    def _delete(self, which: str, values: Sequence[Any] = ()) -> int:
        with self._asked():
            n_deleted = self._file.execute(f"DELETE FROM conversations WHERE {which}", values)
            if n_deleted.rowcount:  # else the words stay in the write-ahead log for a while
                self._file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return n_deleted.rowcount

    @contextmanager
    def _asked(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise OSError(f"the history {self.path} cannot be used: {error}") from error


def _entry(row: Sequence[Any]) -> Entry:
    key, how, text, said_ms, start_ms, end_ms, score, unsure, readings, chosen = row
    return Entry(
        *(key, how, text, said_ms, start_ms, end_ms, score),
        unsure=bool(unsure),
        readings=tuple(json.loads(readings)),
        chosen=bool(chosen),
    )
