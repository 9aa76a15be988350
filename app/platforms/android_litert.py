"""TFLite graphs on Android: LiteRT's Java interpreter, called through pyjnius.

Not yet run on a phone. Methods are those of org.tensorflow.lite.Interpreter, which LiteRT's AAR
(com.google.ai.edge.litert:litert) still brings under this name.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fingerpost.edge_runtime.backends.named_tensors import check_inputs, inputs_of, one_line
from fingerpost.edge_runtime.manifest import GraphSpec

JAVA_CLASSES = (  # see ``here.load_java_classes``
    "org.tensorflow.lite.Interpreter",
    "org.tensorflow.lite.Interpreter$Options",
)


def load(
    model: bytes, specs: Mapping[str, GraphSpec], num_threads: int = 1
) -> "dict[str, LitertGraph]":
    """Graphs of a .tflite file, by one interpreter; ValueError where it cannot be loaded."""
    if num_threads < 1:
        raise ValueError(f"expected at least 1 thread, got {num_threads}")
    import jnius

    buffers = jnius.autoclass("java.nio.ByteBuffer")
    content = buffers.allocateDirect(len(model))  # LiteRT reads from it as long as it lives
    content.order(jnius.autoclass("java.nio.ByteOrder").nativeOrder())
    content.put(model)
    content.rewind()
    options = jnius.autoclass("org.tensorflow.lite.Interpreter$Options")()
    options.setNumThreads(num_threads)
    file = next(iter(specs.values())).file
    try:
        interpreter = jnius.autoclass("org.tensorflow.lite.Interpreter")(content, options)
        keys = list(interpreter.getSignatureKeys())
    except jnius.JavaException as error:
        raise ValueError(f"{file} is not a working TFLite graph: {one_line(error)}") from error
    return {graph: LitertGraph(jnius, interpreter, spec, keys) for graph, spec in specs.items()}


class LitertGraph:
    """One signature of named, fixed-shape tensors. A state goes in and comes out by one name."""

    def __init__(self, jnius: Any, interpreter: Any, spec: GraphSpec, keys: list[str]) -> None:
        self._file, self._specs = spec.file, inputs_of(spec)
        self._results = (*spec.outputs, *spec.state)
        self._key = spec.signature or (keys[0] if len(keys) == 1 else "")
        if self._key not in keys:
            raise ValueError(f"{spec.file} has no graph {spec.signature!r}; it has: {sorted(keys)}")
        self._java_error = jnius.JavaException
        self._buffers = jnius.autoclass("java.nio.ByteBuffer")
        self._new_map = jnius.autoclass("java.util.HashMap")
        self._interpreter: Any = interpreter

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One pass through the graph; the outputs are copies."""
        assert self._interpreter is not None, "run() after close()"
        check_inputs(self._file, self._specs, inputs)
        given, taken = self._new_map(), self._new_map()
        for name, value in inputs.items():
            given.put(name, self._buffers.wrap(value.tobytes()))
        buffers = {
            t.name: self._buffers.allocate(int(np.prod(t.shape)) * np.dtype(t.dtype).itemsize)
            for t in self._results
        }
        for name, buffer in buffers.items():
            taken.put(name, buffer)
        try:
            self._interpreter.runSignature(given, taken, self._key)
        except self._java_error as error:
            raise ValueError(f"{self._file} cannot be run: {one_line(error)}") from error
        return {
            t.name: np.frombuffer(buffers[t.name].array().tostring(), t.dtype)
            .reshape(t.shape)
            .copy()
            for t in self._results
        }

    def close(self) -> None:
        """Lets go of the interpreter; Java frees it once no graph of its file holds it."""
        self._interpreter = None
