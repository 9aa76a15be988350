"""Figures of a long measurement, kept row by row, so that it can be stopped and go on."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Figures = dict[str, float]


class KeptFigures:
    """Rows by name in a JSON file, beside what they were measured with.

    how : all that the figures depend on, as plain values. ValueError where the file's rows were
        measured otherwise, or it is no such file.
    """

    def __init__(self, path: Path, how: Mapping[str, Any]) -> None:
        self.path, self.how = path, json.loads(json.dumps(how))
        self.rows: dict[str, Figures] = {}
        if not path.is_file():
            return
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            how_before, rows = content["how"], dict(content["rows"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged; delete it, and it is measured again") from error
        if how_before != self.how:
            raise ValueError(f"{path} was measured with another recipe or options; give another -o")
        self.rows = rows

    def add(self, name: str, figures: Mapping[str, float]) -> None:
        """Keeps a row; the file has it whole or not at all."""
        self.rows[name] = dict(figures)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(self.path.name + ".partial")
        content = {"how": self.how, "rows": self.rows}
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        partial.replace(self.path)


def tell(name: str, figures: Mapping[str, float]) -> None:
    """Prints a row as soon as it is measured."""
    print(name, {key: round(value, 1) for key, value in figures.items()}, flush=True)


def markdown(heading: list[str], rows: list[list[str]]) -> str:
    """A table as docs/results.md has them: the first column to the left, figures to the right."""
    lines = [heading, ["---", *["---:"] * (len(heading) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
