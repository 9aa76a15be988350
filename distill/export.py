"""A checkpoint becomes a pack for a device, verified before it is written.

    pack = export_pack(Path("runs/pocket"), Path("pocket.fpk"), format="tflite", clips=held_back)

Whatever the network and the format: the files are run by edge_runtime's own backend and compared
with the network in PyTorch, and what they say of clips that were held back may be worse by no more
than the budget allows, or there is no pack. With ``quantization="auto"`` the cheapest scheme is
looked for that keeps the budget, layer by layer where it has to be. A few golden inputs of the
rendered signer, or of ``samples``, go into the pack: give only samples that may be passed on.
"""

import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from fingerpost.distill.budget import Budget, Chosen, choose
from fingerpost.distill.export_recogniser import EATS, RecogniserSource, recogniser_graphs
from fingerpost.distill.export_translator import TranslatorSource, translator_graphs
from fingerpost.distill.fake_quant import Ranges, bytes_of, fake_quantised, input_ranges, layers_of
from fingerpost.distill.samples import Samples
from fingerpost.distill.scheme import Built, Calibration, Scheme, format_recipe
from fingerpost.distill.sensitivity import Sensitivity, sensitivity
from fingerpost.edge_runtime.backends import load_backends, runs_here
from fingerpost.edge_runtime.manifest import CAUTION, Licences, Manifest, Parent
from fingerpost.edge_runtime.pack import SUFFIX, Pack, verify_pack, write_pack
from fingerpost.edge_runtime.pack_check import GOLDEN, CheckRow, Golden, golden_bytes
from fingerpost.edge_runtime.preprocess import PREPROCESS_VERSION
from fingerpost.trainer.checkpoint import WEIGHTS, load_checkpoint, resolve_checkpoint
from fingerpost.trainer.evaluate import load_for_answers
from fingerpost.trainer.models.pocket_graphs import Graph
from fingerpost.trainer.shards import Clip

AUTO = "auto"
CHEAPEST_FIRST = ("int4", "int8-static", "int8", "fp16", "none")
MIN_DELEGATED = {"executorch": 0.95}  # of the operators of each graph, by format
MIN_SAME = 98.0  # percent of answers that float32 files must give as the network does
N_TIMED_RUNS = 40
OWN_DATA = ("rendered signer", "fingerpost signer")  # data that leaves the weights free
RESEARCH_NOTICE = "For research, not for commercial use. "
TRANSLATORS = ("pocket_translator",)


class Source(Protocol):
    """A checkpoint that can be exported: its graphs, and what is known of how right they are.

    files : that a pack holds beside its graphs
    reference : figures of the network in PyTorch on the clips that were held back, in percent
    n_samples : clips, or windows, behind these figures
    has_clips : whether any were held back; else the figures are of windows
    """

    graphs: dict[str, Graph]
    reference: dict[str, float]
    n_samples: int
    has_clips: bool

    @property
    def files(self) -> dict[str, bytes]: ...
    def describe(self) -> dict[str, Any]: ...
    def calibration(self) -> Calibration: ...
    def judge(self, pack: Pack) -> dict[str, float]: ...
    def judge_eager(self) -> dict[str, float]: ...
    def loss(self) -> float: ...
    def golden(self, pack: Pack | None) -> Golden: ...


@dataclass(frozen=True)
class About:
    """What a manifest says that no file shows.

    settings : of the segmenter and decoder, where they are not to be the code's defaults
    data : what the weights were trained on, with its licence
    measured : figures from elsewhere, such as those of the network's own validation
    """

    name: str
    version: str
    parent: str
    data: tuple[str, ...]
    settings: Mapping[str, float] = field(default_factory=dict)
    measured: Mapping[str, float] = field(default_factory=dict)


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
        return TranslatorSource(checkpoint, clips)
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
        return lambda network: translator_graphs(network, settings)
    return lambda network: recogniser_graphs(network, info)


def _check_exportable(checkpoint: Path, info: Mapping[str, Any]) -> None:
    if info["model"] not in (*EATS, *TRANSLATORS):
        raise ValueError(
            f"{checkpoint} is of the model {info['model']!r}, which cannot become a pack; those "
            f"that can: {', '.join((*EATS, *TRANSLATORS))}"
        )


class Workbench:
    """One export: everything that is made of a source in one format."""

    def __init__(self, source: Source, format: str, about: About, options: dict[str, Any]) -> None:
        self.source, self.about = source, about
        self.sensitivity: Sensitivity | None = None
        self._format, self._recipe = format, format_recipe(format)
        self._options = options
        self._calibration: Calibration | None = None
        self._layers = layers_of(source.graphs)

    def kinds(self, quantization: str) -> list[str]:
        """The schemes that may be tried, the cheapest first; ValueError for an unknown one."""
        known = [kind for kind in CHEAPEST_FIRST if kind in self._recipe.SCHEMES]
        if quantization == AUTO:
            return known
        if quantization not in known:
            raise ValueError(
                f"{self._format} has no quantization {quantization!r}; it has: "
                f"{', '.join((AUTO, *known))}"
            )
        return [quantization]

    @property
    def runs_here(self) -> bool:
        """Can this machine run what it builds?"""
        return runs_here(self._format)

    def build(self, scheme: Scheme) -> Built:
        calibration = self._calibrated() if scheme.kind == "int8-static" else {}
        return self._recipe.build(
            self.source.graphs, scheme, calibration, self.about.name, **self._options
        )

    def check_float(self) -> None:
        """ValueError where the files in float32 do not say what the network says."""
        if "none" not in self._recipe.SCHEMES or not self.runs_here:
            return
        scheme = Scheme("none")
        chosen = Chosen(scheme, self.build(scheme), {}, ())
        self.verified(chosen, self.golden(chosen), {})
        same = self._judge(chosen.built, scheme)["same answers"]
        if not same >= MIN_SAME:
            raise ValueError(
                f"no pack written: in float32, {same:.1f} % of {self.source.n_samples} answers are "
                f"the network's own, {MIN_SAME:g} % are asked for"
            )

    def choose(self, kinds: Sequence[str], budget: Budget) -> Chosen:
        """The cheapest scheme within the budget; of one kind alone, that kind with layers kept."""
        built_of: dict[int, Scheme] = {}

        def build(scheme: Scheme) -> Built:
            built = self.build(scheme)
            built_of[id(built)] = scheme
            return built

        return choose(
            build,
            lambda built: self._judge(built, built_of[id(built)]),
            self.source.reference,
            kinds,
            self._ranked,
            budget,
            simulate=self._simulate if self.runs_here else None,
            weigh=lambda scheme: bytes_of(self._layers, scheme),
        )

    def take(self, scheme: Scheme) -> Chosen:
        """A scheme as it is, whatever it costs."""
        built = self.build(scheme)
        return Chosen(scheme, built, self._judge(built, scheme), ())

    def golden(self, chosen: Chosen) -> Golden:
        """The golden inputs, with the network's answers and those of what was built."""
        if not self.runs_here:
            return self.source.golden(None)
        with tempfile.TemporaryDirectory() as folder:
            return self.source.golden(self._packed(chosen.built, chosen.scheme, Path(folder)))

    def measured(self, chosen: Chosen, with_latency: bool) -> dict[str, float]:
        """Figures for the manifest: of the network, of the pack, and the pack's size."""
        figures = dict(self.about.measured)
        figures |= {f"float network: {k}": round(v, 4) for k, v in self.source.reference.items()}
        how = "exported" if self.runs_here else "simulated"
        figures |= {f"{how}: {k}": round(v, 4) for k, v in chosen.figures.items()}
        figures["parity: n"] = self.source.n_samples
        figures["size_bytes"] = sum(map(len, chosen.built.files.values()))
        if with_latency and self.runs_here:
            with tempfile.TemporaryDirectory() as folder:
                pack = self._packed(chosen.built, chosen.scheme, Path(folder))
                figures["latency_ms"] = round(_median_ms(pack, next(iter(chosen.built.specs))), 3)
        return figures

    def verified(
        self, chosen: Chosen, golden: Golden, measured: Mapping[str, float]
    ) -> list[CheckRow]:
        """Writes the pack where it does no harm, and verifies it; ValueError where it differs."""
        if not self.runs_here:
            return []
        manifest = self.manifest(chosen.scheme, chosen.built, measured)
        with tempfile.TemporaryDirectory() as folder:
            files = self.files(chosen.built, golden)
            rows = verify_pack(write_pack(Path(folder) / f"pack{SUFFIX}", manifest, files))
        failed = [
            f"{r.graph} {r.output} {r.measure} {r.value:.4g} (limit {r.limit:g})"
            for r in rows
            if not r.passed
        ]
        if failed:
            raise ValueError(f"no pack written, the exported graph differs: {'; '.join(failed)}")
        return rows

    def files(self, built: Built, golden: Golden) -> dict[str, bytes]:
        """All files of the pack."""
        return {**built.files, **self.source.files, GOLDEN: golden_bytes(golden)}

    def manifest(self, scheme: Scheme, built: Built, measured: Mapping[str, float]) -> Manifest:
        free = _is_free(self.about.data)
        return Manifest(
            name=self.about.name,
            version=self.about.version,
            preprocess_version=PREPROCESS_VERSION,
            graphs=built.specs,
            quantization=scheme.kind,
            parent=Parent(self.about.parent),
            licences=_licences(self.about.data),
            measured=dict(measured),
            settings=dict(self.about.settings),
            notice=("" if free else RESEARCH_NOTICE) + CAUTION,
            kept=tuple(sorted(scheme.keep)),
            delegated={name: round(share, 4) for name, share in built.delegated.items()},
            parity="run" if self.runs_here else "not yet run",
            **self.source.describe(),
        )

    def _packed(self, built: Built, scheme: Scheme, folder: Path) -> Pack:
        """A pack without golden inputs, to run what was built."""
        manifest = self.manifest(scheme, built, {})
        return write_pack(folder / "pack", manifest, {**built.files, **self.source.files})

    def _judge(self, built: Built, scheme: Scheme) -> dict[str, float]:
        """How right what was built is; simulated in PyTorch where it cannot be run."""
        if not self.runs_here:
            return self._simulate(scheme)
        with tempfile.TemporaryDirectory() as folder:
            return self.source.judge(self._packed(built, scheme, Path(folder)))

    def _simulate(self, scheme: Scheme) -> dict[str, float]:
        """How right the network is with its numbers rounded so."""
        with fake_quantised(self.source.graphs, scheme, self._ranges(scheme.kind)):
            return self.source.judge_eager()

    def _ranked(self, kind: str) -> list[str]:
        """Layers, the one first that loses most when it alone is quantised."""
        self.sensitivity = sensitivity(
            self.source.graphs, kind, self.source.loss, self._ranges(kind)
        )
        return self.sensitivity.ranked

    def _ranges(self, kind: str) -> Ranges | None:
        if kind != "int8-static":
            return None
        return input_ranges(self.source.graphs, self._calibrated())

    def _calibrated(self) -> Calibration:
        if self._calibration is None:
            self._calibration = self.source.calibration()
        return self._calibration


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


def _median_ms(pack: Pack, graph: str) -> float:
    """Of one run of a graph."""
    backend = load_backends(pack, [graph])[graph]
    spec = pack.manifest.graphs[graph]
    inputs = {t.name: np.zeros(t.shape, t.dtype) for t in (*spec.inputs, *spec.state)}
    times = []
    for _ in range(N_TIMED_RUNS):
        start = time.perf_counter()
        backend.run(inputs)
        times.append((time.perf_counter() - start) * 1000)
    backend.close()
    return statistics.median(times)


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


def _is_free(data: Sequence[str]) -> bool:
    return bool(data) and all(source.startswith(OWN_DATA) for source in data)


def _licences(data: Sequence[str]) -> Licences:
    """Weights are free only if all that they were trained on is known to be."""
    free = _is_free(data)
    return Licences(
        code="Apache-2.0",
        weights="Apache-2.0" if free else "research and non-commercial use only",
        data="; ".join(data) or "unknown",
    )
