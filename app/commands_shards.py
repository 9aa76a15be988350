"""``fingerpost shards``: what is in them, and how far an import or export is."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from fingerpost.app.terminal import print_json, stderr_console, stdout_console, tell

MAX_NAMED = 5  # signers of a remark
Item = TypeVar("Item")


def counted(items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
    """The items, counted on the way where there is a terminal to see it.

    total : None where nobody knows how many there will be
    """
    console = stderr_console()
    if not console.is_terminal:
        yield from items
        return
    columns = SpinnerColumn(), TextColumn(what), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=total)
        for item in items:
            yield item
            progress.advance(task)


def show_summary(summary: Mapping[str, Any], as_json: bool) -> None:
    """summary : the figures of ``fingerpost.trainer.shards_summary.summarise``"""
    if as_json:
        print_json(summary)
        return
    shortest, median, longest = summary["frames_of_a_clip"]
    fps = "mixed" if summary["fps"] is None else f"{summary['fps']:g}"
    facts = Table(show_header=False, box=None, pad_edge=False)
    facts.add_column(style="bold")
    for name, value in {
        "corpus": summary["corpus"],
        "where": summary["folder"],
        "keypoints": f"{summary['schema']}, by {summary['extractor']}",
        "frames a second": fps,
        "clips": f"{summary['clips']:,} of {shortest} to {longest} frames, median {median}",
        "signing": _counts(summary["languages"]),
        "text": _counts(summary["text_languages"]) if summary["sentences"] else "none",
        "without a label": f"{summary['unlabelled']:,}",
        "on disk": f"{summary['bytes'] / 1e6:.1f} MB in {summary['parts']} parts, format "
        f"{summary['format_version']}",
        "hash": summary["content_hash"][:16],
    }.items():
        facts.add_row(name, Text(value))
    columns = "split", "clips", "hours", "signers", "glosses", "sentences"
    splits = Table(*columns, box=None, pad_edge=False)
    for column in splits.columns[1:]:
        column.justify = "right"
    rows = {split or "(none)": figures for split, figures in summary["splits"].items()}
    for split, figures in (rows | ({"all": summary} if len(rows) > 1 else {})).items():
        splits.add_row(Text(split), *(_figure(figures[name]) for name in columns[1:]))
    stdout_console().print(facts, "", splits, sep="\n")
    shared = summary["shared_signers"]
    if shared:
        more = f" and {len(shared) - MAX_NAMED} more" if len(shared) > MAX_NAMED else ""
        tell(f"Signers in more than one split: {', '.join(shared[:MAX_NAMED])}{more}.")


def tell_sheet(path: str, missing: str) -> None:
    """A contact sheet was drawn. missing : the letters that no font of this machine has"""
    tell(f"Drew {path}")
    if missing:
        tell(
            f'No font here has {len(missing)} of the letters ({missing[:20]}), "?" stands for '
            "them; install one that does, such as the Debian package fonts-noto-cjk."
        )


def tell_written(n_made: int, path: str, what: str = "clips") -> None:
    tell(f"{n_made:,} {what}: {path}")


def tell_streams(streams: Sequence[Mapping[str, Any]], folder: str, as_json: bool) -> None:
    """What was made. streams : of each its name, minutes and cues"""
    if as_json:
        print_json(streams)
        return
    for stream in streams:
        tell(f"{stream['name']}: {stream['minutes']:.1f} minutes, {stream['cues']:,} subtitles")
    tell_written(len(streams), folder, "streams")


def _counts(of: Mapping[str, int]) -> str:
    """Codes of languages with their clips; a single one needs no count."""
    named = {code or "not said": n for code, n in of.items()}
    return ", ".join(code if len(named) == 1 else f"{code} {n:,}" for code, n in named.items())


def _figure(value: float) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"
