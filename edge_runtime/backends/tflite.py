"""TFLite graphs: LiteRT's interpreter, or tflite-runtime on devices too old for it."""

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from fingerpost.edge_runtime.backends.named_tensors import (
    Found,
    check_found,
    check_inputs,
    inputs_of,
    one_line,
)
from fingerpost.edge_runtime.manifest import GraphSpec
from fingerpost.edge_runtime.quiet import quiet_stderr

# LiteRT is the successor of tflite-runtime, whose last version runs with numpy 1 only.
_INTERPRETERS = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")


def load(
    model: bytes, specs: Mapping[str, GraphSpec], num_threads: int = 1
) -> "dict[str, TfliteBackend]":
    """Graphs of a .tflite file, ready to run, by one interpreter: one thread at a time.

    model : bytes of the file; specs : by graph, what it must look like

    ValueError for bytes that LiteRT cannot load, or that are not what the specs say.
    """
    if num_threads < 1:
        raise ValueError(f"expected at least 1 thread, got {num_threads}")
    if not specs:
        return {}
    file = next(iter(specs.values())).file
    interpreter_class = find_interpreter()
    try:
        with quiet_stderr():  # it greets
            interpreter = interpreter_class(model_content=model, num_threads=num_threads)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{file} is not a working TFLite graph: {one_line(error)}") from error
    return {graph: TfliteBackend(interpreter, spec) for graph, spec in specs.items()}


class TfliteBackend:
    """One signature of named, fixed-shape tensors. A state goes in and comes out by one name."""

    def __init__(self, interpreter: Any, spec: GraphSpec) -> None:
        """interpreter : of LiteRT or tflite-runtime, with its tensors allocated"""
        self._file = spec.file
        self._specs = inputs_of(spec)
        self._runner = interpreter.get_signature_runner(_signature(interpreter, spec))
        inputs, outputs = self._runner.get_input_details(), self._runner.get_output_details()
        check_found(spec.file, "input", _found(inputs), self._specs.values())
        check_found(spec.file, "output", _found(outputs), (*spec.outputs, *spec.state))

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One pass through the graph; the outputs are copies."""
        assert self._runner is not None, "run() after close()"
        check_inputs(self._file, self._specs, inputs)
        try:
            return self._runner(**inputs)
        except RuntimeError as error:  # an operation that does not work as the file has it
            raise ValueError(f"{self._file} cannot be run: {one_line(error)}") from error

    def close(self) -> None:
        """Frees the graph's memory, once all graphs of its file are closed."""
        self._runner = None


def _signature(interpreter: Any, spec: GraphSpec) -> str:
    """What the file calls the graph."""
    names = list(interpreter.get_signature_list())
    if spec.signature:
        if spec.signature in names:
            return spec.signature
        raise ValueError(f"{spec.file} has no graph {spec.signature!r}; it has: {sorted(names)}")
    if len(names) != 1:
        raise ValueError(
            f"{spec.file} has {len(names)} signatures, expected 1 that names its tensors; "
            "export it again"
        )
    return names[0]


def _found(details: Mapping[str, Any]) -> Found:
    return {
        name: (tuple(int(n) for n in tensor["shape"]), np.dtype(tensor["dtype"]).name)
        for name, tensor in details.items()
    }


def find_interpreter() -> Any:
    """The class of LiteRT, or of tflite-runtime; ValueError where neither is installed."""
    for module in _INTERPRETERS:
        try:
            return importlib.import_module(module).Interpreter
        except ImportError:
            continue
    raise ValueError('TFLite packs need LiteRT: pip install "fingerpost[app]"')
