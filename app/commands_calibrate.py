"""``fingerpost calibrate``: a table of how true a pack's scores are."""

import math
from collections.abc import Mapping
from typing import Any

from fingerpost.app.terminal import print_columns, print_json

ROWS = {  # of the figures of distill/reliability.py
    "n": ("lines", "d"),
    "right": ("right to the letter", ".1%"),
    "mean_score": ("mean score", ".1%"),
    "calibration_error": ("expected calibration error", ".1%"),
    "auc": ("right above wrong (AUC)", ".3f"),
    "unsure": ("unsure", ".1%"),
    "right_unsure": ("right, of the unsure", ".1%"),
    "right_sure": ("right, of the others", ".1%"),
}


def show_calibrated(record: Mapping[str, Any], as_json: bool) -> None:
    """record : pack, temperature, split, check, unsure_below, and figures by set of lines"""
    figures: dict[str, dict[str, float]] = record["figures"]
    if as_json:
        plain = {name: {k: _or_none(v) for k, v in one.items()} for name, one in figures.items()}
        print_json({**record, "figures": plain})
        return
    heading = f"{record['pack']}, temperature {record['temperature']:g}"
    rows = [(heading, *figures)]
    for key, (name, form) in ROWS.items():
        rows.append((name, *(_cell(one[key], form) for one in figures.values())))
    print_columns(rows)


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _cell(value: float, form: str) -> str:
    return "none" if math.isnan(value) else format(value, form)
