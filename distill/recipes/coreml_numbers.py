"""What a Core ML program computes, on any system: slowly, and by coremltools itself.

coremltools works out constant parts of a program when it converts one, operator by operator, in
numpy. Here all of a finished package is such a part: its inputs are given as constants. So it is
compared with the network that it was made from before any Mac has seen it: were weights put into
the right places, and rounded as they should be? What it does not show is Core ML's own arithmetic.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fingerpost.distill.recipes.quiet import quiet
from fingerpost.edge_runtime.backends.coreml_package import PROGRAM, WEIGHTS, unzip_package
from fingerpost.edge_runtime.backends.named_tensors import NEXT, check_inputs, inputs_of
from fingerpost.edge_runtime.manifest import GraphSpec


def compute(
    package: bytes, spec: GraphSpec, inputs: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Outputs and new states by name, as a backend's ``run`` gives them.

    ValueError for states that live inside the program: there is nowhere for them to live.
    """
    check_inputs(spec.file, inputs_of(spec), inputs)
    with quiet():
        function = _read(package, spec.file)
        for name, variable in function.inputs.items():
            _give(variable, inputs[name])
        for op in function.operations:
            if op.op_type == "const":
                continue
            values = _values_of(op)
            values = values if isinstance(values, tuple | list) else (values,)
            for variable, value in zip(op.outputs, values, strict=True):
                _give(variable, np.asarray(value))
        outputs = {variable.name: np.array(variable.val) for variable in function.outputs}
    names = {tensor.name + NEXT: tensor.name for tensor in spec.state}
    return {names.get(name, name): value for name, value in outputs.items()}


def _read(package: bytes, file: str) -> Any:
    """The one function of a package, as coremltools has programs in memory."""
    from coremltools.converters.mil.frontend.milproto.load import load
    from coremltools.proto import Model_pb2

    with tempfile.TemporaryDirectory() as folder:
        root = unzip_package(package, file, Path(folder))
        model = Model_pb2.Model()
        model.ParseFromString((root / PROGRAM).read_bytes())
        if model.description.state:
            raise ValueError(f"{file} has its states inside: only a Mac can run it")
        weights = str((root / WEIGHTS).parent)
        program = load(model, model.specificationVersion, file_weights_dir=weights)
    (function,) = program.functions.values()
    return function


def _values_of(op: Any) -> Any:
    if op.op_type.startswith("constexpr_"):
        return op.materialized_val_inference()
    # What coremltools cannot work out; and sums, whose flag numpy 2 no longer takes as it gives it.
    if op.op_type == "conv":
        return _convolution(op)
    if op.op_type.startswith("reduce_"):
        axes, keep = tuple(op.axes.val), bool(op.keep_dims.val)
        return op.get_operator()(op.x.val, axis=axes, keepdims=keep)
    return op.value_inference()


def _convolution(op: Any) -> np.ndarray:
    """Over one axis, (1, C, T)."""
    assert op.pad_type.val in ("valid", "custom") and op.x.rank == 3
    around = (0, 0) if op.pad_type.val == "valid" else tuple(op.pad.val)
    bias = None if op.bias is None else torch.from_numpy(np.array(op.bias.val))
    return torch.nn.functional.conv1d(
        torch.from_numpy(np.pad(op.x.val, ((0, 0), (0, 0), around))),
        torch.from_numpy(np.array(op.weight.val)),
        bias,
        stride=tuple(op.strides.val),
        dilation=tuple(op.dilations.val),
        groups=int(op.groups.val),
    ).numpy()


def _give(variable: Any, value: np.ndarray) -> None:
    """Makes a variable a constant, of the type that the program says."""
    from coremltools.converters.mil.mil.types import nptype_from_builtin
    from coremltools.converters.mil.mil.types.type_mapping import numpy_val_to_builtin_val

    dtype = nptype_from_builtin(variable.dtype)
    variable._sym_val, _ = numpy_val_to_builtin_val(value.astype(dtype))
