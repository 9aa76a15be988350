"""One export: everything that is made of a checkpoint in one format, and how it is judged."""

import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from fingerpost.distill.budget import Budget, Chosen, choose
from fingerpost.distill.fake_quant import (
    Ranges,
    bytes_of,
    fake_quantised,
    input_ranges,
    layers_of,
)
from fingerpost.distill.scheme import Built, Calibration, Scheme, format_recipe
from fingerpost.distill.sensitivity import Sensitivity, sensitivity
from fingerpost.edge_runtime.backends import load_backends, runs_here
from fingerpost.edge_runtime.manifest import CAUTION, Licences, Manifest, Parent
from fingerpost.edge_runtime.pack import SUFFIX, Pack, verify_pack, write_pack
from fingerpost.edge_runtime.pack_check import GOLDEN, CheckRow, Golden, golden_bytes
from fingerpost.edge_runtime.preprocess import PREPROCESS_VERSION
from fingerpost.trainer.models.pocket_graphs import Graph

AUTO = "auto"
CHEAPEST_FIRST = ("int4", "int8-static", "int8", "fp16", "none")
MIN_SAME = 98.0  # percent of answers that float32 files must give as the network does
N_TIMED_RUNS = 40
OWN_DATA = ("rendered signer", "fingerpost signer")  # data that leaves the weights free
RESEARCH_NOTICE = "For research, not for commercial use. "


class Source(Protocol):
    """A checkpoint that can be exported: its graphs, and what is known of how right they are.

    files : that a pack holds beside its graphs
    reference : figures of the network in PyTorch on the clips that were held back, in percent
    n_samples : clips, or windows, behind these figures
    has_clips : whether any were held back; else the figures are of windows
    shared_graphs : that have no weights of their own, for files in which graphs share theirs
    """

    graphs: dict[str, Graph]
    shared_graphs: dict[str, Graph]
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
    def temperature(self, pack: Pack | None) -> float | None: ...


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
        static = scheme.kind == "int8-static"
        calibration = self._calibrated() if static else {}
        graphs = dict(self.source.graphs)
        if self._recipe.SHARES_WEIGHTS and not static:  # there are no inputs to calibrate them
            graphs |= self.source.shared_graphs
        return self._recipe.build(graphs, scheme, calibration, self.about.name, **self._options)

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
            n_clips=self.source.n_samples if self.source.has_clips else 0,
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

    def calibrated(self, chosen: Chosen, manifest: Manifest) -> Manifest:
        """Of a translator: with the temperature that makes its scores true, if clips tell it."""
        if manifest.translation is None:
            return manifest
        if self.runs_here:
            with tempfile.TemporaryDirectory() as folder:
                pack = self._packed(chosen.built, chosen.scheme, Path(folder))
                temperature = self.source.temperature(pack)
        else:
            temperature = self.source.temperature(None)
        if temperature is None:
            return manifest
        return replace(manifest, translation=replace(manifest.translation, temperature=temperature))

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
