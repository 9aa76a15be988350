"""What runs the graphs of a pack: one backend, one file, imported when a pack asks for it."""

import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from fingerpost.edge_runtime.manifest import GraphSpec

if TYPE_CHECKING:
    from fingerpost.edge_runtime.pack import Pack

BACKENDS = {  # name to module
    "tflite": "fingerpost.edge_runtime.backends.tflite",
    "executorch": "fingerpost.edge_runtime.backends.executorch",
    "coreml": "fingerpost.edge_runtime.backends.coreml",
    "onnx": "fingerpost.edge_runtime.backends.onnx",
}
ONLY_ON = {"coreml": "darwin"}  # backends that run on one system alone, as sys.platform calls it


class Backend(Protocol):
    """A graph that is ready to run."""

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The graph's outputs (and new states) by name, as copies; the inputs must fit exactly."""
        ...

    def close(self) -> None:
        """Frees the graph's memory; no run after it."""
        ...


def load_backends(
    pack: "Pack", graphs: Sequence[str] | None = None, num_threads: int = 1
) -> dict[str, Backend]:
    """Graphs of a pack, by default all, on the backends that its manifest names.

    A file with several graphs is loaded once.

    num_threads : one is best for small networks; two win nothing where MediaPipe wants the rest
    """
    specs = pack.manifest.graphs
    for graph in graphs or ():
        if graph not in specs:
            raise ValueError(
                f"pack {pack.manifest.name} has no graph {graph!r}; it has: {_list(specs)}"
            )
    by_file: dict[str, dict[str, GraphSpec]] = {}
    for graph in graphs or specs:
        by_file.setdefault(specs[graph].file, {})[graph] = specs[graph]
    loaded: dict[str, Backend] = {}
    for file, of_file in by_file.items():
        loaded |= load_file(pack, file, of_file, num_threads)
    return loaded


def load_file(
    pack: "Pack", file: str, specs: Mapping[str, GraphSpec], num_threads: int
) -> dict[str, Backend]:
    """The graphs of one file of a pack."""
    (backend,) = {spec.backend for spec in specs.values()}
    if backend not in BACKENDS:
        raise ValueError(
            f"pack {pack.manifest.name} needs the backend {backend!r}, which this version of "
            f"Fingerpost does not have; it has: {_list(BACKENDS)}"
        )
    return importlib.import_module(BACKENDS[backend]).load(pack.read(file), specs, num_threads)


def load_backend(pack: "Pack", graph: str, num_threads: int = 1) -> Backend:
    """One graph of a pack."""
    return load_backends(pack, [graph], num_threads)[graph]


def runs_here(backend: str) -> bool:
    """Can this machine's system run it at all?"""
    return ONLY_ON.get(backend, sys.platform) == sys.platform


def _list(names: Mapping[str, object]) -> str:
    return ", ".join(sorted(names))
