"""ExecuTorch graphs (.pte) on Android: its Java library (AAR), called through pyjnius.

Not yet run on a phone. Methods are those of org.pytorch.executorch.Module, Tensor and EValue
(extension/android in ExecuTorch's own sources).
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fingerpost.edge_runtime.backends.named_tensors import check_inputs, inputs_of, one_line
from fingerpost.edge_runtime.manifest import GraphSpec

DATA_OF = {  # how a tensor gives its numbers
    "float32": "getDataAsFloatArray",
    "int32": "getDataAsIntArray",
    "int64": "getDataAsLongArray",
}

JAVA_CLASSES = tuple(  # see ``here.load_java_classes``
    f"org.pytorch.executorch.{name}" for name in ("Module", "Tensor", "EValue")
)


def load(
    model: bytes, specs: Mapping[str, GraphSpec], num_threads: int = 1
) -> "dict[str, ExecutorchGraph]":
    """The graphs of a .pte file; ValueError where it cannot be loaded."""
    if num_threads < 1:
        raise ValueError(f"expected at least 1 thread, got {num_threads}")
    import jnius

    java = jnius.autoclass("org.pytorch.executorch.Module")
    file = next(iter(specs.values())).file
    with tempfile.TemporaryDirectory(prefix="fingerpost-pte-") as folder:
        path = Path(folder) / "model.pte"
        path.write_bytes(model)
        try:  # it takes a path alone; read whole, so the file may go
            module = java.load(str(path), java.LOAD_MODE_FILE, num_threads)
            methods = list(module.getMethods())
        except jnius.JavaException as error:
            message = f"{file} is not a working ExecuTorch file: {one_line(error)}"
            raise ValueError(message) from error
    return {graph: ExecutorchGraph(jnius, module, spec, methods) for graph, spec in specs.items()}


class ExecutorchGraph:
    """One method: tensors by place, first what only goes in or comes out, then the states."""

    def __init__(self, jnius: Any, module: Any, spec: GraphSpec, methods: list[str]) -> None:
        self._file, self._specs = spec.file, inputs_of(spec)
        self._results = (*spec.outputs, *spec.state)
        self._method = spec.signature or (methods[0] if len(methods) == 1 else "")
        if self._method not in methods:
            raise ValueError(f"{spec.file} has no graph {spec.signature!r}; it has: {methods}")
        self._java_error = jnius.JavaException
        self._tensors = jnius.autoclass("org.pytorch.executorch.Tensor")
        self._values = jnius.autoclass("org.pytorch.executorch.EValue")
        self._module: Any = module

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One pass through the graph; the outputs are copies."""
        assert self._module is not None, "run() after close()"
        check_inputs(self._file, self._specs, inputs)
        to_value = getattr(self._values, "from")  # a word of Python's own
        given = [to_value(self._tensor(inputs[name])) for name in self._specs]
        try:
            values = self._module.execute(self._method, *given)
            return {
                t.name: np.array(getattr(value.toTensor(), DATA_OF[t.dtype])(), t.dtype).reshape(
                    t.shape
                )
                for t, value in zip(self._results, values, strict=True)
            }
        except self._java_error as error:
            raise ValueError(f"{self._file} cannot be run: {one_line(error)}") from error

    def close(self) -> None:
        """Lets go of the module; Java frees it once no graph of its file holds it."""
        self._module = None

    def _tensor(self, array: np.ndarray) -> Any:
        """By buffers of their own kind: a list alone does not tell pyjnius float from double."""
        kind = {"float32": "Float", "int32": "Int", "int64": "Long"}[array.dtype.name]
        buffer = getattr(self._tensors, f"allocate{kind}Buffer")(array.size)
        buffer.put(array.ravel().tolist())
        return self._tensors.fromBlob(buffer, list(array.shape))
