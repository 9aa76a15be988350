"""ONNX graphs, run by onnxruntime on the CPU.

For Jetsons and servers. Where TensorRT is wanted, its own tools build an engine of the same file.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fingerpost.edge_runtime.backends.named_tensors import (
    NEXT,
    check_found,
    check_inputs,
    inputs_of,
    one_line,
    only_spec,
)
from fingerpost.edge_runtime.manifest import GraphSpec

_QUIET = 4  # onnxruntime's log level for what ends a program; errors come as exceptions anyway
_DTYPES = {  # as onnxruntime calls them
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
}


def load(
    model: bytes, specs: Mapping[str, GraphSpec], num_threads: int = 1
) -> dict[str, "OnnxBackend"]:
    """The graph of an .onnx file, ready to run.

    model : bytes of the file; specs : what it must look like, by the graph's name
    """
    spec = only_spec(specs, "ONNX")
    return {name: OnnxBackend(model, spec, num_threads) for name in specs}


class OnnxBackend:
    """One graph of named, fixed-shape tensors. A state goes in and comes out by one name."""

    def __init__(self, model: bytes, spec: GraphSpec, num_threads: int = 1) -> None:
        if num_threads < 1:
            raise ValueError(f"expected at least 1 thread, got {num_threads}")
        self._file = spec.file
        self._specs = inputs_of(spec)
        onnxruntime = _library()
        self._failures = _failures(onnxruntime)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = num_threads, 1
        options.log_severity_level = _QUIET
        # A thread that waits by spinning takes a core from MediaPipe.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except self._failures as error:
            raise ValueError(
                f"{spec.file} is not a working ONNX graph: {one_line(error)}"
            ) from error
        states = {tensor.name + NEXT: tensor.name for tensor in spec.state}
        self._outputs = [states.get(t.name, t.name) for t in self._session.get_outputs()]
        check_found(spec.file, "input", _found(self._session.get_inputs()), self._specs.values())
        check_found(
            spec.file,
            "output",
            {states.get(n, n): found for n, found in _found(self._session.get_outputs()).items()},
            (*spec.outputs, *spec.state),
        )

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One pass through the graph; the outputs are copies."""
        assert self._session is not None, "run() after close()"
        check_inputs(self._file, self._specs, inputs)
        try:
            outputs = self._session.run(None, dict(inputs))
        except self._failures as error:  # an index beyond its table, for one
            raise ValueError(f"{self._file} cannot be run: {one_line(error)}") from error
        return dict(zip(self._outputs, outputs, strict=True))

    def close(self) -> None:
        """Frees the graph's memory."""
        self._session = None


def _library() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ValueError('ONNX packs need onnxruntime: pip install "fingerpost[onnx]"') from error
    return onnxruntime


def _failures(onnxruntime: Any) -> tuple[type[Exception], ...]:
    """All that onnxruntime raises; its exceptions have no class in common but Exception."""
    state = onnxruntime.capi.onnxruntime_pybind11_state
    names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoModel", "NotFound")
    return tuple(getattr(state, name) for name in (*names, "NotImplemented", "RuntimeException"))


def _found(tensors: Any) -> dict[str, tuple[tuple[int, ...], str]]:
    """A shape that is not fixed has names, or None, in the place of sizes: it fits no manifest."""
    return {t.name: (tuple(t.shape), _DTYPES.get(t.type, t.type)) for t in tensors}
