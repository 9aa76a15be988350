"""Core ML graphs, run by macOS through coremltools. On other systems they can only be looked at."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fingerpost.edge_runtime.backends import runs_here
from fingerpost.edge_runtime.backends.coreml_package import check_package, unzip_package
from fingerpost.edge_runtime.backends.named_tensors import (
    NEXT,
    check_inputs,
    inputs_of,
    one_line,
    only_spec,
)
from fingerpost.edge_runtime.manifest import GraphSpec


def load(
    model: bytes, specs: Mapping[str, GraphSpec], num_threads: int = 1
) -> dict[str, "CoremlBackend"]:
    """The graph of a zipped .mlpackage, ready to run. ValueError on any system but macOS.

    model : bytes of the zip; specs : what it must look like, by the graph's name
    num_threads : Core ML chooses for itself
    """
    spec = only_spec(specs, "Core ML")
    return {name: CoremlBackend(model, spec) for name in specs}


class CoremlBackend:
    """One graph of named, fixed-shape tensors. A state goes in and comes out by one name.

    Where states live inside the program, one that comes back as it was given out stays there, and
    any other is written into the program first.

    mlmodel : what runs the package; by default Core ML, given to put another in its place
    """

    def __init__(self, model: bytes, spec: GraphSpec, mlmodel: Any = None) -> None:
        self._file, self._spec = spec.file, spec
        self._specs = inputs_of(spec)
        self._folder = tempfile.TemporaryDirectory(prefix="fingerpost-coreml-")
        try:
            package = unzip_package(model, spec.file, Path(self._folder.name))
            if mlmodel is None:
                _check_system(spec.file)
            inner = check_package(model, spec).states
            self._mlmodel = mlmodel or _open(package, spec.file)
        except ValueError:
            self._folder.cleanup()
            raise
        self._inner = inner
        self._memory: Any = self._mlmodel.make_state() if inner else None
        self._given_out: dict[str, np.ndarray] = {}  # states, as the last run gave them out

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One pass through the graph; the outputs are copies."""
        assert self._mlmodel is not None, "run() after close()"
        check_inputs(self._file, self._specs, inputs)
        for name in self._inner:
            if inputs[name] is not self._given_out.get(name):
                self._memory.write_state(name, inputs[name].astype(np.float16))
        outside = {n: value for n, value in inputs.items() if n not in self._inner}
        try:
            if self._inner:
                results = self._mlmodel.predict(outside, state=self._memory)
            else:
                results = self._mlmodel.predict(outside)
        except RuntimeError as error:
            raise ValueError(f"{self._file} cannot be run: {one_line(error)}") from error
        self._given_out = {
            name: np.array(self._memory.read_state(name), np.float32) for name in self._inner
        }
        return {
            **{t.name: _array(results[t.name], t.shape, t.dtype) for t in self._spec.outputs},
            **{
                t.name: _array(results[t.name + NEXT], t.shape, t.dtype)
                for t in self._spec.state
                if t.name not in self._inner
            },
            **self._given_out,
        }

    def close(self) -> None:
        """Frees the graph's memory, and the disk's."""
        self._mlmodel = self._memory = None
        self._folder.cleanup()


def _check_system(file: str) -> None:
    if not runs_here("coreml"):
        raise ValueError(f"{file} is for Core ML, which only macOS and iOS have; open it on a Mac")
    try:
        import coremltools  # noqa: F401
    except ImportError as error:
        raise ValueError(
            'Core ML packs need coremltools: pip install "coremltools==9.0"'
        ) from error


def _open(package: Path, file: str) -> Any:
    import coremltools

    mlmodel = coremltools.models.MLModel(str(package))
    # Where macOS refuses a package, coremltools warns and has a model that cannot be run.
    if mlmodel.__proxy__ is None:
        why = getattr(mlmodel, "_framework_error", None) or "this macOS is too old for it"
        raise ValueError(f"{file} is not a working Core ML graph: {one_line(why)}")
    return mlmodel


def _array(value: Any, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return np.array(value, dtype).reshape(shape)
