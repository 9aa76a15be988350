"""``fingerpost export``: a table of what each pack is."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from fingerpost.app.terminal import print_json, stdout_console, tell

HEADINGS = {  # of the figures
    "text.bleu4": "BLEU-4",
    "glosses.wer": "gloss WER",
    "live_glosses.wer": "live WER",
    "isolated.top1": "top-1",
    "isolated.top5": "top-5",
    "samples.top1": "top-1",
    "samples.top5": "top-5",
}


def show_exported(records: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """records : of ``fingerpost.distill.export_formats``"""
    if as_json:
        print_json(records)
    elif records:
        stdout_console().print(table_of(records))
    for record in records:
        tell(f"{record['pack']}: {', '.join(record['remarks']) or 'verified'}")


def show_adapter(
    path: str, question: str, experts: Sequence[str], n_bytes: int, as_json: bool
) -> None:
    """experts : names of those that the adapter is for"""
    if as_json:
        print_json({"path": path, "writes": question, "experts": experts, "bytes": n_bytes})
    else:
        tell(f"{path}: {question}, for packs of {', '.join(experts)}; {n_bytes / 1e6:.2f} MB")


def table_of(records: Sequence[Mapping[str, Any]]) -> Table:
    """A row for the network, and one for each pack."""
    names = list(records[0]["network"])
    called = [HEADINGS.get(name, name) for name in names]
    table = Table(
        "", "scheme", "kept", "MB", "delegated", *called, "same", box=None, pad_edge=False
    )
    for column in table.columns[2:]:
        column.justify = "right"
    figures = [f"{records[0]['network'][name]:.1f}" for name in names]
    table.add_row("PyTorch", "float32", "", "", "", *figures, "")
    for record in records:
        least = min(record["delegated"].values(), default=None)
        found = record["figures"]
        table.add_row(
            record["format"] + (" (simulated)" if record["simulated"] else ""),
            record["quantization"],
            str(len(record["kept"]) or ""),
            f"{record['megabytes']:.2f}",
            "" if least is None else f"{least:.0%}",
            *(f"{found[name]:.1f}" if name in found else "" for name in names),
            f"{found['same answers']:.1f} %",
        )
    return table
