"""``fingerpost corpora`` and ``fingerpost vocabulary``: how they show what the trainer found."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from fingerpost.app.terminal import print_json, stdout_console


def show_corpora(titles: Mapping[str, str], as_json: bool) -> None:
    """titles : of each corpus that can be read, by the name that commands know it by"""
    if as_json:
        print_json([{"name": name, "reads": title} for name, title in titles.items()])
        return
    table = Table("name", "reads", box=None, pad_edge=False)
    for name, title in titles.items():
        table.add_row(Text(name), Text(title))
    stdout_console().print(table)


def show_check(summary: str, findings: Mapping[str, Any], as_json: bool) -> int:
    """Prints what is wrong with a corpus, and returns the exit code: 1 where anything is.

    summary : counts and the first ids of each kind, for people
    findings : the whole lists of ids, with ``ok``, for programs
    """
    if as_json:
        print_json(findings)
    else:
        stdout_console().print(Text(summary), soft_wrap=True)
    return 0 if findings["ok"] else 1


def show_savings(summary: str, savings: Mapping[str, Any], as_json: bool) -> None:
    """What a trimmed vocabulary saved. summary : for people; savings : for programs"""
    if as_json:
        print_json(savings)
    else:
        stdout_console().print(Text(summary), soft_wrap=True)
