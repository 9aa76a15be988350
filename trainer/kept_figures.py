"""Figures of a long measurement, kept row by row, so that it can be stopped and go on."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

SEED = ", seed "  # in the name of a row: "MLP, seed 1"
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


def table_of_seeds(
    rows: Mapping[str, Figures], columns: list[str] | None = None, decimals: int = 1
) -> str:
    """As Markdown: a line for each way, the mean over its seeds and each seed's figure.

    rows : by way and seed, "MLP, seed 1"
    columns : the figures to show; None = all; decimals : of each seed's
    """
    columns = columns or list(dict.fromkeys(name for row in rows.values() for name in row))
    ways = dict.fromkeys(name.rpartition(SEED)[0] for name in rows)
    lines = []
    for way in ways:
        of_way = [row for name, row in rows.items() if name.rpartition(SEED)[0] == way]
        cells = []
        for column in columns:
            each = [row[column] for row in of_way if column in row]
            shown = ", ".join(f"{value:.{decimals}f}" for value in each)
            cells.append(f"{np.mean(each):.1f} ({shown})" if each else "")
        lines.append([way, *cells])
    return markdown(["", *columns], lines)
