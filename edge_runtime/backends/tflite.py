"""TFLite graphs: LiteRT's interpreter, or tflite-runtime on devices too old for it."""

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from fingerpost.edge_runtime.manifest import GraphSpec, TensorSpec
from fingerpost.edge_runtime.quiet import quiet_stderr

# LiteRT is the successor of tflite-runtime, whose last version runs with numpy 1 only.
_INTERPRETERS = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")


def load(
    model: bytes, specs: Mapping[str, GraphSpec], num_threads: int = 1
) -> "dict[str, TfliteBackend]":
    """Graphs of a .tflite file, ready to run. specs : by graph, what it must look like"""
    return {graph: TfliteBackend(model, spec, num_threads) for graph, spec in specs.items()}


class TfliteBackend:
    """One signature of named, fixed-shape tensors. A state goes in and comes out by one name."""

    def __init__(self, model: bytes, spec: GraphSpec, num_threads: int = 1) -> None:
        if num_threads < 1:
            raise ValueError(f"expected at least 1 thread, got {num_threads}")
        self._file = spec.file
        self._specs = {tensor.name: tensor for tensor in (*spec.inputs, *spec.state)}
        interpreter_class = _interpreter_class()
        try:
            with quiet_stderr():  # it greets
                self._interpreter = interpreter_class(model_content=model, num_threads=num_threads)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ValueError(
                f"{spec.file} is not a working TFLite graph: {_one_line(error)}"
            ) from error
        self._inputs, self._outputs = self._tensors_of_signature()
        self._check("input", self._inputs, (*spec.inputs, *spec.state))
        self._check("output", self._outputs, (*spec.outputs, *spec.state))

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One pass through the graph; the outputs are copies."""
        assert self._interpreter is not None, "run() after close()"
        if inputs.keys() != self._specs.keys():
            raise ValueError(f"{self._file} takes {sorted(self._specs)}, got {sorted(inputs)}")
        for name, array in inputs.items():
            spec = self._specs[name]
            if array.shape != spec.shape or array.dtype != np.dtype(spec.dtype):
                raise ValueError(
                    f"{self._file} takes {name} of shape {spec.shape} {spec.dtype}, "
                    f"got {array.shape} {array.dtype}"
                )
            self._interpreter.set_tensor(self._inputs[name]["index"], array)
        try:
            self._interpreter.invoke()
        except RuntimeError as error:  # an operation that does not work as the file has it
            raise ValueError(f"{self._file} cannot be run: {_one_line(error)}") from error
        return {
            name: self._interpreter.get_tensor(details["index"])  # get_tensor copies
            for name, details in self._outputs.items()
        }

    def close(self) -> None:
        """Frees the graph's memory."""
        self._interpreter = None

    def _tensors_of_signature(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Input and output details by name."""
        signatures = list(self._interpreter.get_signature_list())
        if len(signatures) != 1:
            raise ValueError(
                f"{self._file} has {len(signatures)} signatures, expected 1 that names its "
                "tensors; export it again"
            )
        runner = self._interpreter.get_signature_runner(signatures[0])
        return runner.get_input_details(), runner.get_output_details()

    def _check(self, kind: str, found: dict[str, Any], expected: tuple[TensorSpec, ...]) -> None:
        """The graph must be what the manifest says."""
        names = sorted(tensor.name for tensor in expected)
        if sorted(found) != names:
            raise ValueError(
                f"{self._file} has the {kind}s {sorted(found)}, its manifest says {names}"
            )
        for tensor in expected:
            shape = tuple(int(n) for n in found[tensor.name]["shape"])
            dtype = np.dtype(found[tensor.name]["dtype"])
            if shape != tensor.shape or dtype != np.dtype(tensor.dtype):
                raise ValueError(
                    f"{self._file} has {kind} {tensor.name} of shape {shape} {dtype}, "
                    f"its manifest says {tensor.shape} {tensor.dtype}"
                )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]  # LiteRT's words come in several lines


def _interpreter_class() -> Any:
    for module in _INTERPRETERS:
        try:
            return importlib.import_module(module).Interpreter
        except ImportError:
            continue
    raise ValueError('TFLite packs need LiteRT: pip install "fingerpost[app]"')
