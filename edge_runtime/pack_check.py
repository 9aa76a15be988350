"""Does a pack's graph compute here what it computed where it was made?

A pack carries golden inputs with two answers to each: the reference, of the float network before
the export, and the expected, of the exported graph itself on the machine that made it. The first
shows what the export cost, the second whether this machine's backend can be trusted.
"""

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fingerpost.edge_runtime.backends import load_backend
from fingerpost.edge_runtime.manifest import GraphSpec

if TYPE_CHECKING:
    from fingerpost.edge_runtime.pack import Pack

GOLDEN = "golden.npz"  # arrays (N, ...) called <graph>/<inputs|reference|expected>/<tensor>


@dataclass(frozen=True)
class Limits:
    """What two answers may differ by."""

    max_error: float  # largest difference, over the largest magnitude of the answer it should be
    min_cosine: float  # of all answers as one vector
    min_top1: float  # of N answers, the part with the same best class


_FLOAT, _INT8 = Limits(1e-4, 0.99999, 1.0), Limits(0.1, 0.999, 0.9)
# By the manifest's quantization. Two processors round int8 activations differently.
REFERENCE_LIMITS = {
    "none": _FLOAT,
    "fp16": Limits(0.01, 0.9999, 0.99),
    "int8": _INT8,
    "int8-static": _INT8,
    "int4": Limits(0.25, 0.99, 0.85),
}
EXPECTED_LIMITS = {
    "none": _FLOAT,
    "fp16": Limits(0.01, 0.9999, 0.99),
    "int8": _INT8,
    "int8-static": _INT8,
    "int4": _INT8,
}


@dataclass(frozen=True)
class CheckRow:
    """One figure of one output of a graph, beside what it must be."""

    graph: str
    output: str
    against: str  # "reference": the float network; "expected": this graph where it was made
    measure: str  # "max error", "cosine", "top-1 agreement"
    value: float
    limit: float
    passed: bool


Golden = Mapping[str, np.ndarray]


def golden_bytes(golden: Golden) -> bytes:
    """The golden file; the same bytes for the same arrays."""
    packed = io.BytesIO()
    np.savez_compressed(packed, **{name: golden[name] for name in sorted(golden)})  # type: ignore
    return packed.getvalue()


def read_golden(content: bytes) -> Golden:
    """The arrays of a golden file."""
    not_one = f"{GOLDEN} is not an .npz of plain arrays; export the pack again"
    if not content.startswith(b"PK"):  # np.load takes more formats than zip
        raise ValueError(not_one)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return dict(arrays)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(not_one) from error


def check_graph(pack: "Pack", graph: str, golden: Golden) -> list[CheckRow]:
    """Runs a graph on its golden inputs: three figures against each of the two answers."""
    spec = pack.manifest.graphs[graph]
    inputs = {t.name: golden_array(golden, f"{graph}/inputs/{t.name}") for t in spec.inputs}
    backend = load_backend(pack, graph)
    try:
        outputs = run_samples(backend.run, spec, inputs)
    finally:
        backend.close()
    rows = []
    for name, values in outputs.items():
        for against, limits in answers_to_compare(pack).items():
            should_be = golden_array(golden, f"{graph}/{against}/{name}")
            limit = limits[pack.manifest.quantization]
            rows += compare(graph, name, against, values, should_be, limit)
    return rows


def answers_to_compare(pack: "Pack") -> dict[str, dict[str, Limits]]:
    """Limits by quantization, of each of the answers that the golden file has.

    A pack that could not be run where it was made knows the network's answers alone.
    """
    if pack.manifest.parity == "not yet run":
        return {"reference": REFERENCE_LIMITS}
    return {"reference": REFERENCE_LIMITS, "expected": EXPECTED_LIMITS}


Run = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]


def run_samples(
    run: Run, spec: GraphSpec, inputs: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """One run for each of N samples. inputs : (N, *shape without batch), any float type."""
    n = len(next(iter(inputs.values())))
    outputs = [
        run({t.name: inputs[t.name][i : i + 1].astype(t.dtype) for t in spec.inputs})
        for i in range(n)
    ]
    return {t.name: np.concatenate([out[t.name] for out in outputs]) for t in spec.outputs}


def compare(
    graph: str, output: str, against: str, values: np.ndarray, should_be: np.ndarray, limit: Limits
) -> list[CheckRow]:
    """Three figures on N answers. values, should_be : shape (N, V)"""
    if values.shape != should_be.shape:
        raise ValueError(f"{GOLDEN}: {graph}/{against}/{output} is not of shape {values.shape}")
    a, b = values.astype(np.float64), should_be.astype(np.float64)
    error = float(np.abs(a - b).max() / max(float(np.abs(b).max()), 1e-12))
    cosine = float((a * b).sum() / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12))
    top1 = float((a.argmax(axis=-1) == b.argmax(axis=-1)).mean())
    figures = (  # written so that a NaN fails
        ("max error", error, limit.max_error, error <= limit.max_error),
        ("cosine", cosine, limit.min_cosine, cosine >= limit.min_cosine),
        ("top-1 agreement", top1, limit.min_top1, top1 >= limit.min_top1),
    )
    return [CheckRow(graph, output, against, *figure) for figure in figures]


def golden_array(golden: Golden, name: str) -> np.ndarray:
    """ValueError where the file does not have it."""
    if name not in golden:
        raise ValueError(f"{GOLDEN} lacks {name}; export the pack again")
    return golden[name]
