"""What backends check alike: arrays that come in, and graphs that a manifest describes."""

from collections.abc import Iterable, Mapping

import numpy as np

from fingerpost.edge_runtime.manifest import GraphSpec, TensorSpec

# Formats that give every tensor of a graph a name of its own cannot call a state the same on both
# sides. In their files it comes out as "memory_next"; whoever runs the graph never sees that.
NEXT = "_next"

Found = Mapping[str, tuple[tuple[int, ...], str]]
"""Of a graph's tensors, by name: shape, and dtype as numpy calls it."""


def only_spec(specs: Mapping[str, GraphSpec], format_name: str) -> GraphSpec:
    """The one spec of a file that can hold one graph; ValueError where the manifest has more."""
    if len(specs) != 1:
        raise ValueError(
            f"a file of {format_name} holds one graph, its manifest says {', '.join(sorted(specs))}"
        )
    return next(iter(specs.values()))


def inputs_of(spec: GraphSpec) -> dict[str, TensorSpec]:
    """What a graph takes, states too, by name."""
    return {tensor.name: tensor for tensor in (*spec.inputs, *spec.state)}


def check_inputs(
    file: str, expected: Mapping[str, TensorSpec], inputs: Mapping[str, np.ndarray]
) -> None:
    """ValueError unless these are all that the graph takes, of its shapes and dtypes."""
    if inputs.keys() != expected.keys():
        raise ValueError(f"{file} takes {sorted(expected)}, got {sorted(inputs)}")
    for name, array in inputs.items():
        spec = expected[name]
        if array.shape != spec.shape or array.dtype != np.dtype(spec.dtype):
            raise ValueError(
                f"{file} takes {name} of shape {spec.shape} {spec.dtype}, "
                f"got {array.shape} {array.dtype}"
            )


def check_found(file: str, kind: str, found: Found, expected: Iterable[TensorSpec]) -> None:
    """ValueError unless a file has the tensors that its manifest says.

    kind : "input" or "output", for the message
    found : by the names that the manifest has, without ``NEXT``
    """
    specs = {tensor.name: tensor for tensor in expected}
    if found.keys() != specs.keys():
        raise ValueError(
            f"{file} has the {kind}s {sorted(found)}, its manifest says {sorted(specs)}"
        )
    for name, (shape, dtype) in found.items():
        spec = specs[name]
        if shape != spec.shape or dtype != spec.dtype:
            raise ValueError(
                f"{file} has {kind} {name} of shape {shape} {dtype}, "
                f"its manifest says {spec.shape} {spec.dtype}"
            )


def one_line(error: object) -> str:
    """What a library says, which may be several lines."""
    return " ".join(str(error).split())[:120]
