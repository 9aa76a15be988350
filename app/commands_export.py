"""``fingerpost export``: packs of several formats, and a table of what each of them is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from fingerpost.app.terminal import print_json, stdout_console, tell
from fingerpost.distill.budget import Budget
from fingerpost.distill.export import Exported, Source, export, open_source
from fingerpost.distill.samples import read_samples
from fingerpost.edge_runtime.backends import runs_here
from fingerpost.edge_runtime.pack import SUFFIX
from fingerpost.trainer.checkpoint import load_checkpoint, resolve_checkpoint
from fingerpost.trainer.evaluate import evaluate_checkpoint
from fingerpost.trainer.evaluation import MAIN_FIGURE
from fingerpost.trainer.feed import Clips
from fingerpost.trainer.shards import Clip

HEADINGS = {  # of the figures
    "text.bleu4": "BLEU-4",
    "glosses.wer": "gloss WER",
    "live_glosses.wer": "live WER",
    "isolated.top1": "top-1",
    "isolated.top5": "top-5",
    "samples.top1": "top-1",
    "samples.top5": "top-5",
}
MISSED = 1  # exit code where a format gave no pack


@dataclass(frozen=True)
class ExportOptions:
    """As the command has them. of_format : by format, what it alone understands"""

    quantization: str
    corpus: tuple[str, ...]
    split: str
    n_clips: int
    budget: Budget
    teacher: Path | None
    sample: Path | None
    name: str
    version: str
    data: tuple[str, ...]
    settings: Mapping[str, float]
    force: bool
    of_format: Mapping[str, dict[str, Any]]


def run_export(
    checkpoint: Path, output: Path, formats: Sequence[str], options: ExportOptions, as_json: bool
) -> int:
    """One pack for each format; returns the exit code.

    A format that gives no pack does not keep the others from theirs: it is said, and the exit code
    is ``MISSED``.
    """
    if output.suffix == SUFFIX and len(formats) > 1:
        raise ValueError(
            f"{output} is one file, {len(formats)} formats are asked for: give a folder"
        )
    checkpoint = resolve_checkpoint(checkpoint)
    clips = held_back(checkpoint, options)
    samples = read_samples(options.sample) if options.sample else None
    source = open_source(checkpoint, samples, clips)
    measured = figures_of_teacher(options)
    records, missed = [], []
    for format in formats:
        out = output
        if output.suffix != SUFFIX:
            out = output / f"{options.name}-{format}{SUFFIX}"
        try:
            made = export_one(checkpoint, out, format, options, source, measured)
        except ValueError as error:
            if len(formats) == 1:
                raise
            missed.append(format)
            tell(f"{format}: {error}")
            continue
        records.append(record_of(made, format))
    if as_json:
        print_json(records)
    elif records:
        stdout_console().print(table_of(records))
    for record in records:
        tell(f"{record['pack']}: {', '.join(record['remarks']) or 'verified'}")
    return MISSED if missed else 0


def export_one(
    checkpoint: Path,
    out: Path,
    format: str,
    options: ExportOptions,
    source: Source,
    measured: Mapping[str, float],
) -> Exported:
    """A pack of one format, with the picture of its layers where some had to be looked at."""
    made = export(
        checkpoint,
        out,
        format=format,
        quantization=options.quantization,
        name=options.name,
        version=options.version,
        data=options.data,
        settings=options.settings,
        budget=options.budget,
        measured=measured,
        force=options.force,
        options=options.of_format.get(format, {}),
        source=source,
    )
    if made.sensitivity is not None:
        made.sensitivity.draw(out.with_suffix(".sensitivity.png"))
    return made


def held_back(checkpoint: Path, options: ExportOptions) -> list[Clip]:
    """The clips to measure on: of the corpus that is named, else of the checkpoint's own recipe."""
    folders = options.corpus or _own_corpus(checkpoint)
    if not folders:
        return []
    clips = Clips(folders, options.split)
    if not len(clips):
        raise ValueError(f"{', '.join(folders)}: no clip in the split {options.split!r}")
    n = min(options.n_clips, len(clips))
    return [clips[i * len(clips) // n] for i in range(n)]


def figures_of_teacher(options: ExportOptions) -> dict[str, float]:
    """What the teacher reaches on the same corpus, in percent: "teacher: text.bleu4"."""
    if options.teacher is None:
        return {}
    if not options.corpus:
        raise ValueError("--teacher is measured on the corpus: give --corpus too")
    found = evaluate_checkpoint(options.teacher, options.corpus, options.split, n_resamples=0)
    figures = {}
    for kind, (evaluation, _) in found.items():
        name = MAIN_FIGURE[kind]
        figures[f"teacher: {kind}.{name}"] = round(evaluation.figures[name].value, 4)
    return figures


def record_of(made: Exported, format: str) -> dict[str, Any]:
    """What ``--json`` says of a pack."""
    manifest = made.pack.manifest
    remarks = []
    if manifest.kept:
        remarks.append(f"{len(manifest.kept)} layers in float32: {', '.join(manifest.kept)}")
    if not runs_here(format):
        remarks.append(
            f"parity: not yet run, for {format} does not run on this machine; run `fingerpost "
            "packs verify` on one where it does"
        )
    if made.sensitivity is not None:
        remarks.append(f"loss of each layer: {made.pack.path.with_suffix('.sensitivity.png')}")
    remarks += [f"beside it {path.name}" for path in made.beside]
    return {
        "pack": str(made.pack.path),
        "format": format,
        "quantization": manifest.quantization,
        "kept": list(manifest.kept),
        "megabytes": made.pack.size_bytes / 1e6,
        "delegated": dict(manifest.delegated),
        "figures": dict(made.chosen.figures),
        "network": dict(made.reference),
        "simulated": not runs_here(format),
        "tried": [{"scheme": t.scheme.kind, "kept": len(t.scheme.keep)} for t in made.chosen.tried],
        "remarks": remarks,
    }


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


def _own_corpus(checkpoint: Path) -> tuple[str, ...]:
    """The shards of the training that the checkpoint is of, those that are still there."""
    _, info, _ = load_checkpoint(checkpoint)
    data = info.get("recipe", {}).get("data", {})
    folders = data.get("val") or data.get("train") or ()
    return tuple(folder for folder in folders if Path(folder).is_dir())
