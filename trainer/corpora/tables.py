"""Annotation files, row by row; whatever is wrong with one is a line that names file and place."""

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any

from fingerpost.trainer.corpora.sample import SPLITS

MAX_MESSAGE = 500  # characters


class Row:
    """One row of a table, or record of a JSON file. where : what an error message starts with."""

    def __init__(self, where: str, fields: object) -> None:
        self.where = where
        if not isinstance(fields, Mapping):
            raise self.error(f"expected named fields, got {type(fields).__name__}")
        self.fields: Mapping[str, Any] = fields

    def error(self, message: str) -> ValueError:
        """Its message is one line, whatever the file holds."""
        return ValueError(shorten(f"{self.where}: {message}", MAX_MESSAGE, placeholder=" ..."))

    def _get(self, name: str) -> Any:
        if name not in self.fields:
            raise self.error(f"no field {name!r}; there are {', '.join(map(str, self.fields))}")
        return self.fields[name]

    def text(self, name: str) -> str:
        """May be empty."""
        value = self._get(name)
        if not isinstance(value, str):
            raise self.error(f"{name} is {value!r}, not a text")
        return value.strip()

    def name(self, name: str) -> str:
        """A text or whole number that may not be empty, as a text."""
        value = self._get(name)
        if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
            raise self.error(f"{name} is {value!r}, not a name")
        return str(value).strip()

    def words(self, name: str) -> tuple[str, ...]:
        """A text, cut at spaces, or a list of texts."""
        value = self._get(name)
        if isinstance(value, list) and all(isinstance(word, str) for word in value):
            return tuple(value)
        return tuple(self.text(name).split())

    def number(self, name: str) -> float:
        value = self._get(name)
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise self.error(f"{name} is {value!r}, not a number")
        return number

    def span_ms(self, start: str, end: str) -> tuple[int, int]:
        """Two fields in seconds, as milliseconds."""
        span = round(self.number(start) * 1000), round(self.number(end) * 1000)
        if not 0 <= span[0] < span[1]:
            raise self.error(f"from {self._get(start)} s to {self._get(end)} s is no time span")
        return span

    def split(self, name: str) -> str:
        """train, val, test or "", whatever the corpus calls it."""
        value = self.text(name).lower()
        if value not in SPLITS:
            raise self.error(f"split {value!r} is none of train, val, test")
        return SPLITS[value]


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file, without their ends."""
    if not path.is_file():
        raise FileNotFoundError(f"no annotations at {path}")
    lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    decoded = []
    for number, line in enumerate(lines, start=1):
        try:
            decoded.append(line.decode("utf-8").removesuffix("\r"))
        except UnicodeDecodeError:
            raise ValueError(f"{path}, line {number}: not UTF-8 text") from None
    return decoded


def read_table(
    path: Path,
    needs: Sequence[str],
    delimiter: str = ",",
    header: bool = True,
    quotes: bool = True,
) -> Iterator[Row]:
    """Rows of a .csv or .tsv.

    needs : the columns that must be there; without a header, the names of all columns in order
    quotes : False where a quotation mark is an ordinary character
    """
    lines = read_lines(path)
    text = (line + "\n" for line in lines)
    if quotes:
        reader = csv.reader(text, delimiter=delimiter)
    else:
        reader = csv.reader(text, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    columns = [] if header else list(needs)
    while True:
        line = reader.line_num + 1
        try:
            values = next(reader, None)
        except csv.Error as error:
            raise ValueError(f"{path}, line {line}: {error}") from None
        if values is None:
            break
        if not columns:
            columns = [value.strip() for value in values]
            missing = [name for name in needs if name not in columns]
            if missing:
                raise ValueError(f"{path}, line 1: no column {', '.join(missing)}; {columns}")
        elif any("\n" in value for value in values):
            raise ValueError(f"{path}, line {line}: a quotation mark is opened and not closed")
        elif len(values) == len(columns):
            yield Row(f"{path}, line {line}", dict(zip(columns, values, strict=True)))
        elif values:  # an empty line is no row
            raise ValueError(
                f"{path}, line {line}: {len(values)} columns, expected {len(columns)} "
                f"({', '.join(columns)})"
            )
    if not columns:
        raise ValueError(f"{path}, line 1: the file is empty")


def read_json(path: Path) -> Any:
    text = "\n".join(read_lines(path))
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}, line {error.lineno}: not JSON: {error.msg}") from None


def read_json_records(path: Path) -> Iterator[Row]:
    """The records of a JSON file that is one list; counted from 1, for it is often one line."""
    records = read_json(path)
    if not isinstance(records, list):
        raise ValueError(f"{path}, line 1: expected a list, got {type(records).__name__}")
    for number, record in enumerate(records, start=1):
        yield Row(f"{path}, record {number}", record)


def find_splits(folder: Path, *patterns: str) -> dict[str, Path]:
    """Files of a corpus by split, in the order train, val, test; those that are not there are not.

    patterns : file names with {split}, which stands for the corpora's words for it; may have *
    """
    found: dict[str, Path] = {}
    for word, split in SPLITS.items():
        for pattern in patterns if word else ():
            paths = sorted(folder.glob(pattern.format(split=word)))
            if len(paths) > 1 or (paths and found.get(split, paths[0]) != paths[0]):
                names = {str(p.name) for p in [*paths, found.get(split, paths[0])]}
                raise ValueError(f"{folder}: {' and '.join(sorted(names))}: leave one for {split}")
            if paths:
                found[split] = paths[0]
    return found


def no_annotations(folder: Path, *expected: str) -> FileNotFoundError:
    return FileNotFoundError(f"no annotations in {folder}: expected {' or '.join(expected)}")
