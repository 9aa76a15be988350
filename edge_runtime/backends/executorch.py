"""ExecuTorch graphs (.pte): the runtime of the Python wheel, for desktops, servers and Jetson.

Phones run the same file with ExecuTorch's own libraries for Kotlin and Swift. The wheel runs what
is delegated to XNNPACK; a file for Core ML or Vulkan needs a phone.

The runtime trusts a file: its readers follow offsets without asking whether they lead anywhere.
So what a file says of its size is checked here before any of it is run. A byte changed within the
weights shows in no size: that is what the sha256 in a pack's manifest is for.
"""

from collections.abc import Collection, Mapping, Sequence
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

# A .pte file: a flatbuffer, with a header in it that says where the weights are. Little endian.
_FLATBUFFER_MAGIC = slice(4, 8), b"ET12"
_HEADER_MAGIC = slice(8, 12), b"eh00"
_HEADER_LENGTH, _PROGRAM_SIZE = slice(12, 16), slice(16, 24)
_SEGMENTS_START, _SEGMENTS_SIZE = slice(24, 32), slice(32, 40)
_LONG_HEADER = 32  # bytes; a shorter one does not say how large the weights are

_DTYPES = {  # ExecuTorch's numbers of them: executorch/runtime/core/portable_type/scalar_type.h
    **{0: "uint8", 1: "int8", 3: "int32", 4: "int64"},
    **{5: "float16", 6: "float32", 11: "bool"},
}


def load(
    model: bytes, specs: Mapping[str, GraphSpec], num_threads: int = 1
) -> dict[str, "ExecutorchBackend"]:
    """The graphs of a .pte file, ready to run; the file is loaded once.

    model : bytes of the file
    specs : what it must look like, by graph; ``signature`` is the name of the graph's method
    num_threads : of all ExecuTorch graphs of this process; the last one who says counts

    ValueError for a file that is damaged, cut short, too long, or not what the specs say.
    """
    if num_threads < 1:
        raise ValueError(f"expected at least 1 thread, got {num_threads}")
    file = next(iter(specs.values())).file
    _check_sizes(file, model)
    runtime = _library()
    with quiet_stderr():  # it says how many
        _set_threads(num_threads)
    return {name: ExecutorchBackend(runtime, model, spec) for name, spec in specs.items()}


class ExecutorchBackend:
    """One method: tensors of fixed shapes, by place. A state goes in and comes out by one name.

    The places are the manifest's: what only goes in, or only comes out, and then the states.
    """

    def __init__(self, runtime: Any, model: bytes, spec: GraphSpec) -> None:
        self._file, self._specs = spec.file, inputs_of(spec)
        results = (*spec.outputs, *spec.state)
        self._outputs = [tensor.name for tensor in results]
        try:
            with quiet_stderr():  # it says there what it then raises
                # Of each graph its own, so that a graph can be freed alone. It reads from the
                # bytes that it is given, and copies none of them.
                self._program = runtime.load_program(model)
                name = _method_name(spec, self._program.method_names)
                about = self._program.metadata(name)
                takes = [about.input_tensor_meta(i) for i in range(about.num_inputs())]
                gives = [about.output_tensor_meta(i) for i in range(about.num_outputs())]
                found = _named(list(self._specs), takes)
                check_found(spec.file, "input", found, self._specs.values())
                check_found(spec.file, "output", _named(self._outputs, gives), results)
                self._method = self._program.load_method(name)
        except RuntimeError as error:
            raise ValueError(
                f"{spec.file} is not a working ExecuTorch file: {one_line(error)}"
            ) from error

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One pass through the graph; the outputs are copies."""
        import torch

        assert self._method is not None, "run() after close()"
        check_inputs(self._file, self._specs, inputs)
        given = [
            torch.from_numpy(np.require(inputs[n], requirements=["C", "W"])) for n in self._specs
        ]
        try:
            outputs = self._method.execute(given)
        except RuntimeError as error:  # a token beyond the table, for one
            raise ValueError(f"{self._file} cannot be run: {one_line(error)}") from error
        return {name: t.numpy() for name, t in zip(self._outputs, outputs, strict=True)}

    def close(self) -> None:
        """Frees the graph's memory."""
        self._method = self._program = None


def _check_sizes(file: str, model: bytes) -> None:
    """ValueError unless a file is as long as its header says."""
    for where, magic in (_FLATBUFFER_MAGIC, _HEADER_MAGIC):
        if model[where] != magic:
            raise ValueError(f"{file} is no ExecuTorch file (.pte) that this runtime reads")
    length = _number(model, _HEADER_LENGTH)
    program, start = _number(model, _PROGRAM_SIZE), _number(model, _SEGMENTS_START)
    segments = _number(model, _SEGMENTS_SIZE) if length >= _LONG_HEADER else 0
    expected = start + segments if start else program
    if program > expected or len(model) != expected:
        raise ValueError(
            f"{file} is damaged: {len(model)} bytes, its header says {expected}; get it again"
        )


def _number(model: bytes, where: slice) -> int:
    return int.from_bytes(model[where], "little")


def _method_name(spec: GraphSpec, names: Collection[str]) -> str:
    """Of a graph; ValueError where the file does not have it."""
    if not spec.signature and len(names) == 1:
        return next(iter(names))
    if spec.signature not in names:
        raise ValueError(
            f"{spec.file} has the methods {sorted(names)}, its manifest says {spec.signature!r}"
        )
    return spec.signature


def _named(names: Sequence[str], tensors: Sequence[Any]) -> Found:
    """By name what a method says of its tensors; one too many, or too few, by its place."""
    found: dict[str, tuple[tuple[int, ...], str]] = {}
    for i, tensor in enumerate(tensors):
        dtype = _DTYPES.get(tensor.dtype(), f"number {tensor.dtype()}")
        found[names[i] if i < len(names) else f"number {i}"] = tuple(tensor.sizes()), dtype
    return found


def _set_threads(num_threads: int) -> None:
    """Of XNNPACK, which has one set of threads for the whole process."""
    from executorch.extension.pybindings import portable_lib

    if portable_lib._threadpool_get_thread_count() != num_threads:
        portable_lib._unsafe_reset_threadpool(num_threads)  # unsafe while a graph runs


def _library() -> Any:
    try:
        with quiet_stderr():  # its own warnings, of what it does not find
            from executorch.runtime import Runtime
    except ImportError as error:
        raise ValueError(
            'ExecuTorch packs need executorch: pip install "fingerpost[export]"'
        ) from error
    return Runtime.get()
