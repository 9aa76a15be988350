"""A checkpoint becomes a pack for a device, verified before it is written.

    pack = export_pack(Path("runs/pocket"), Path("pocket.fpk"), format="tflite", clips=held_back)

Whatever the network and the format: the files are run by edge_runtime's own backend and compared
with the network in PyTorch, and what they say of clips that were held back may be worse by no more
than the budget allows, or there is no pack. With ``quantization="auto"`` the cheapest scheme is
looked for that keeps the budget, layer by layer where it has to be. A few golden inputs of the
rendered signer, or of ``samples``, go into the pack: give only samples that may be passed on.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fingerpost.distill.budget import Budget, Chosen
from fingerpost.distill.export_experts import ExpertsSource, experts_graphs
from fingerpost.distill.export_recogniser import EATS, RecogniserSource, recogniser_graphs
from fingerpost.distill.export_translator import TranslatorSource, translator_graphs
from fingerpost.distill.samples import Samples
from fingerpost.distill.scheme import Built, Scheme
from fingerpost.distill.sensitivity import Sensitivity
from fingerpost.distill.workbench import AUTO, About, Source, Workbench
from fingerpost.edge_runtime.pack import Pack, write_pack
from fingerpost.edge_runtime.pack_check import CheckRow
from fingerpost.trainer.checkpoint import WEIGHTS, load_checkpoint, resolve_checkpoint
from fingerpost.trainer.evaluate import load_for_answers
from fingerpost.trainer.models.pocket_graphs import Graph
from fingerpost.trainer.shards import Clip

MIN_DELEGATED = {"executorch": 0.95}  # of the operators of each graph, by format
TRANSLATORS = ("pocket_translator", "signet")


@dataclass(frozen=True)
class Exported:
    """A pack, and how it came about.

    sensitivity : None where no layer had to be kept
    beside : files for a developer, that were written beside the pack
    """

    pack: Pack
    chosen: Chosen
    reference: Mapping[str, float]
    sensitivity: Sensitivity | None
    beside: tuple[Path, ...]


def export_pack(checkpoint: Path, out: Path, **options: Any) -> Pack:
    """``export``, for whoever wants the pack alone."""
    return export(checkpoint, out, **options).pack


def export(
    checkpoint: Path,
    out: Path,
    format: str = "tflite",
    quantization: str = "int8",
    samples: Samples | None = None,
    clips: Sequence[Clip] = (),
    name: str = "demo",
    version: str = "1",
    settings: Mapping[str, float] | None = None,
    with_latency: bool = False,
    data: Sequence[str] = (),
    budget: Budget | None = None,
    measured: Mapping[str, float] | None = None,
    force: bool = False,
    options: Mapping[str, Any] | None = None,
    source: Source | None = None,
) -> Exported:
    """Checkpoint to pack; ValueError, and nothing written, where the pack does not verify.

    checkpoint : its folder, or that of a training
    quantization : one of the schemes, or ``AUTO``. One that is named is taken as it is where no
        clips were held back; else layers are kept until it is within the budget.
    samples : of a recogniser, what parity is measured on; by default of the rendered signer
    clips : held back, for figures; a translator needs them
    with_latency : measured anew each time; without it, two exports are the same bytes
    data : what the weights were trained on, with its licence, where the checkpoint does not say
    budget : what quantisation may cost
    force : a pack with too few delegated operators is written all the same
    options : of the format, such as its delegate
    source : the checkpoint, opened before, for several formats
    """
    checkpoint = resolve_checkpoint(checkpoint)
    source = source or open_source(checkpoint, samples, clips)
    _, info, metrics = load_checkpoint(checkpoint)
    about = About(
        name,
        version,
        hashlib.sha256((checkpoint / WEIGHTS).read_bytes()).hexdigest(),
        tuple(data) or _data_of(info),
        dict(settings or {}),
        _flat_metrics(metrics) | dict(measured or {}),
    )
    bench = Workbench(source, format, about, dict(options or {}))
    kinds = bench.kinds(quantization)
    bench.check_float()
    if quantization == AUTO or source.has_clips:
        chosen = bench.choose(kinds, budget or Budget())
    else:
        chosen = bench.take(Scheme(quantization))
    if not force:
        _refuse_little_delegated(chosen.built, MIN_DELEGATED.get(format, 0.0))
    golden, figures = bench.golden(chosen), bench.measured(chosen, with_latency)
    rows = bench.verified(chosen, golden, figures)
    manifest = bench.manifest(chosen.scheme, chosen.built, figures | _parity(rows))
    manifest = bench.calibrated(chosen, manifest)
    pack = write_pack(out, manifest, bench.files(chosen.built, golden))
    return Exported(
        pack,
        chosen,
        source.reference,
        bench.sensitivity,
        _write_beside(chosen.built, out),
    )


def open_source(
    checkpoint: Path, samples: Samples | None = None, clips: Sequence[Clip] = ()
) -> Source:
    """ValueError for a checkpoint of a network that cannot become a pack."""
    checkpoint = resolve_checkpoint(checkpoint)
    _, info, _ = load_checkpoint(checkpoint)
    _check_exportable(checkpoint, info)
    if info["model"] in TRANSLATORS:
        if not clips:
            raise ValueError(
                f"{checkpoint} translates: give --corpus, clips that were held back, to measure on"
            )
        source = ExpertsSource if info["model"] == "signet" else TranslatorSource
        return source(checkpoint, clips)
    return RecogniserSource(checkpoint, samples, clips)


def graphs_of_kind(checkpoint: Path) -> Callable[[Any], Mapping[str, Graph]]:
    """What makes the graphs of a network like that of a checkpoint; ValueError as ``open_source``.

    The network may be another one, such as one that is still learning.
    """
    checkpoint = resolve_checkpoint(checkpoint)
    _, info, _ = load_checkpoint(checkpoint)
    _check_exportable(checkpoint, info)
    if info["model"] in TRANSLATORS:
        _, task = load_for_answers(checkpoint, {})
        settings = task.settings  # type: ignore[attr-defined]
        graphs_of = experts_graphs if info["model"] == "signet" else translator_graphs
        return lambda network: graphs_of(network, settings)
    return lambda network: recogniser_graphs(network, info)


def _check_exportable(checkpoint: Path, info: Mapping[str, Any]) -> None:
    if info["model"] not in (*EATS, *TRANSLATORS):
        raise ValueError(
            f"{checkpoint} is of the model {info['model']!r}, which cannot become a pack; those "
            f"that can: {', '.join((*EATS, *TRANSLATORS))}"
        )


def _refuse_little_delegated(built: Built, least: float) -> None:
    little = [f"{graph} {share:.1%}" for graph, share in built.delegated.items() if share < least]
    if little:
        raise ValueError(
            f"no pack written: the delegate runs too few operators of {', '.join(little)}; "
            f"{least:.0%} are asked for, --force writes it all the same"
        )


def _write_beside(built: Built, out: Path) -> tuple[Path, ...]:
    written = []
    for name, content in built.beside.items():
        path = out.parent / f"{out.stem}.{name}"
        partial = path.with_name(path.name + ".partial")
        partial.write_bytes(content)
        written.append(partial.replace(path))
    return tuple(written)


def _parity(rows: Sequence[CheckRow]) -> dict[str, float]:
    """The worst of each measure against the network in PyTorch."""
    worst: dict[str, float] = {}
    for row in rows:
        if row.against == "reference":
            of: Callable[[float, float], float] = max if row.measure == "max error" else min
            key = f"parity: {row.measure}"
            worst[key] = of(worst.get(key, row.value), round(row.value, 6))
    return worst


def _flat_metrics(metrics: Mapping[str, Any], prefix: str = "float network") -> dict[str, float]:
    """What the trainer measured: {"set": {"top1": 0.7}} to {"float network: set: top1": 0.7}."""
    flat: dict[str, float] = {}
    for key, value in metrics.items():
        name = f"{prefix}: {key}"
        if isinstance(value, Mapping):
            flat |= _flat_metrics(value, name)
        elif isinstance(value, int | float) and np.isfinite(value):
            flat[name] = round(value, 4)
    return flat


def _data_of(info: Mapping[str, Any]) -> tuple[str, ...]:
    """What a checkpoint says that it was trained on: of a recipe, the names of its shards."""
    return tuple(info.get("data", ()))
