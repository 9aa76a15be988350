"""``fingerpost distill``: what came out of it."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from fingerpost.app.terminal import print_json, stdout_console, tell

MAX_NAMED = 5  # clips of a remark
TRIMMED = {  # figures of before and after, and what they are called
    "pieces": "pieces",
    "parameters": "parameters",
    "weights_bytes": "weights, bytes",
    "tokenizer_bytes": "tokenizer, bytes",
}


def show_trimmed(report: Mapping[str, Any], where: str, as_json: bool) -> None:
    """report : the figures of ``fingerpost.distill.trim.TrimReport``"""
    if as_json:
        print_json({"checkpoint": where, **report})
    else:
        table = Table("", "before", "after", "saved", box=None, pad_edge=False)
        for column in table.columns[1:]:
            column.justify = "right"
        for key, name in TRIMMED.items():
            old, new = report[f"old_{key}"], report[f"new_{key}"]
            table.add_row(name, f"{old:,}", f"{new:,}", f"{1 - new / old:.1%}")
        stdout_console().print(table)
    tell(f"{where}: cut to {report['n_texts']:,} texts")
    if report["n_checked"]:
        tell(f"{report['n_same']} of {report['n_checked']} answers are as they were")
    if named := report["differing"][:MAX_NAMED]:
        more = len(report["differing"]) - len(named)
        tell(
            f"Otherwise now: {', '.join(named)}{f' and {more} more' if more else ''}. Give what "
            "it should be able to write with --keep"
        )


def show_cache(summary: Mapping[str, Any], as_json: bool) -> None:
    """summary : of ``fingerpost.distill.teacher_cache.TeacherCache``"""
    if as_json:
        print_json(summary)
        return
    size, n_clips = summary["bytes"], summary["clips"]
    tell(
        f"{summary['cache']}: {n_clips:,} clips, {summary['questions']:,} questions, "
        f"{size / 1e6:.1f} MB, {size / n_clips / 1e3:.1f} kB a clip"
    )
