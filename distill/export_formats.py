"""One checkpoint to packs of several formats, measured on the same clips."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fingerpost.distill.budget import Budget, budget_of
from fingerpost.distill.export import Exported, export, open_source
from fingerpost.distill.half_precision import half_precision_warning
from fingerpost.distill.samples import read_samples
from fingerpost.distill.workbench import Source
from fingerpost.edge_runtime.backends import runs_here
from fingerpost.edge_runtime.pack import SUFFIX
from fingerpost.trainer.checkpoint import load_checkpoint, resolve_checkpoint
from fingerpost.trainer.evaluate import answers_to, load_for_answers, main_figures
from fingerpost.trainer.feed import Clips
from fingerpost.trainer.shards import Clip

PICTURE = ".sensitivity.png"
Record = dict[str, Any]  # of one pack, as --json prints it


@dataclass(frozen=True)
class ExportOptions:
    """As the command has them.

    budget : None = that of the recipe that made the checkpoint, or the defaults
    of_format : by format, what it alone understands
    """

    quantization: str
    corpus: tuple[str, ...]
    split: str
    n_clips: int
    budget: Budget | None
    teacher: Path | None
    sample: Path | None
    name: str
    version: str
    data: tuple[str, ...]
    settings: Mapping[str, float]
    force: bool
    of_format: Mapping[str, dict[str, Any]]


def export_formats(
    checkpoint: Path,
    output: Path,
    formats: Sequence[str],
    options: ExportOptions,
    tell: Callable[[str], None],
) -> list[Record]:
    """One pack for each format, and what is to be said of each.

    A format that gives no pack does not keep the others from theirs: ``tell`` hears why, and there
    is no record of it.
    """
    if output.suffix == SUFFIX and len(formats) > 1:
        raise ValueError(
            f"{output} is one file, {len(formats)} formats are asked for: give a folder"
        )
    checkpoint = resolve_checkpoint(checkpoint)
    clips = held_back(checkpoint, options)
    samples = read_samples(options.sample) if options.sample else None
    source = open_source(checkpoint, samples, clips)
    measured = figures_of_teacher(options.teacher, clips)
    records: list[Record] = []
    for format in formats:
        out = output
        if output.suffix != SUFFIX:
            out = output / f"{options.name}-{format}{SUFFIX}"
        try:
            made = export_one(checkpoint, out, format, options, source, measured)
        except ValueError as error:
            if len(formats) == 1:
                raise
            tell(f"{format}: {error}")
            continue
        warning = half_precision_warning(
            format, made.chosen.scheme.kind, source.graphs, source.calibration
        )
        records.append(record_of(made, format, warning))
    return records


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
        budget=options.budget or _own_budget(checkpoint),
        measured=measured,
        force=options.force,
        options=options.of_format.get(format, {}),
        source=source,
    )
    if made.sensitivity is not None:
        made.sensitivity.draw(out.with_suffix(PICTURE))
    return made


def held_back(checkpoint: Path, options: ExportOptions) -> list[Clip]:
    """The clips to measure on: of the corpus that is named, else of the checkpoint's own recipe."""
    folders = options.corpus or _own_corpus(checkpoint)
    if not folders:
        return []
    clips = Clips(folders, options.split)
    n = min(options.n_clips, len(clips))
    return [clips[i * len(clips) // n] for i in range(n)]


def figures_of_teacher(teacher: Path | None, clips: Sequence[Clip]) -> dict[str, float]:
    """What the teacher reaches on the same clips, in percent: "teacher: text.bleu4"."""
    if teacher is None:
        return {}
    if not clips:
        raise ValueError("--teacher is measured on the same clips: give --corpus too")
    network, task = load_for_answers(teacher, {})
    language = next((clip.text_language for clip in clips if clip.text_language), "")
    figures = main_figures(answers_to(network, task, clips), language)
    return {f"teacher: {name}": round(value, 4) for name, value in figures.items()}


def record_of(made: Exported, format: str, warning: str = "") -> Record:
    """What ``--json`` says of a pack. warning : one line, the first of its remarks"""
    manifest = made.pack.manifest
    remarks = [warning] if warning else []
    if manifest.kept:
        remarks.append(f"{len(manifest.kept)} layers in float32: {', '.join(manifest.kept)}")
    if not runs_here(format):
        remarks.append(
            f"parity: not yet run, for {format} does not run on this machine; run `fingerpost "
            "packs verify` on one where it does"
        )
    if made.sensitivity is not None:
        remarks.append(f"loss of each layer: {made.pack.path.with_suffix(PICTURE)}")
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


def _own_budget(checkpoint: Path) -> Budget:
    _, info, _ = load_checkpoint(checkpoint)
    return budget_of(info.get("recipe", {}), str(checkpoint))


def _own_corpus(checkpoint: Path) -> tuple[str, ...]:
    """The shards of the training that the checkpoint is of, those that are still there."""
    _, info, _ = load_checkpoint(checkpoint)
    data = info.get("recipe", {}).get("data", {})
    folders = data.get("val") or data.get("train") or ()
    return tuple(folder for folder in folders if Path(folder).is_dir())
