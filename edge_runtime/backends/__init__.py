"""What runs the graphs of a pack: one backend, one file, imported when a pack asks for it."""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from fingerpost.edge_runtime.pack import Pack

BACKENDS = {"tflite": "fingerpost.edge_runtime.backends.tflite"}  # name to module


class Backend(Protocol):
    """A graph that is ready to run."""

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The graph's outputs (and new states) by name, as copies; the inputs must fit exactly."""
        ...

    def close(self) -> None:
        """Frees the graph's memory; no run after it."""
        ...


def load_backend(pack: "Pack", graph: str, num_threads: int = 1) -> Backend:
    """The named graph of a pack, on the backend that its manifest names.

    num_threads : one is best for small networks; two win nothing where MediaPipe wants the rest
    """
    graphs = pack.manifest.graphs
    if graph not in graphs:
        raise ValueError(
            f"pack {pack.manifest.name} has no graph {graph!r}; it has: {_list(graphs)}"
        )
    spec = graphs[graph]
    if spec.backend not in BACKENDS:
        raise ValueError(
            f"pack {pack.manifest.name} needs the backend {spec.backend!r}, which this version of "
            f"Fingerpost does not have; it has: {_list(BACKENDS)}"
        )
    module = importlib.import_module(BACKENDS[spec.backend])
    return module.load(pack.read(spec.file), spec, num_threads)


def _list(names: Mapping[str, object]) -> str:
    return ", ".join(sorted(names))
