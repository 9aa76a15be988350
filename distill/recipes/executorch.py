"""PyTorch to ExecuTorch: all graphs of a model in one .pte file, each a method of it.

XNNPACK, on every CPU, runs what it can of a graph. With ``delegate="coreml"`` or ``"vulkan"``
Apple's or the GPU's delegate has the first choice, and XNNPACK takes what these leave; such a file
can be built anywhere, and run on its device only. Batch 1, fixed shapes; inputs and outputs are
float32, or int64 where the network takes integers. A weight that several methods have is in the
file once, unless its delegates pack it in different ways. The same model gives the same bytes.
"""

import importlib.metadata
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx

from fingerpost.distill.fake_quant import kinds_of, layers_of
from fingerpost.distill.recipes.executorch_quantise import (
    SCHEMES,
    Kinds,
    quantise,
    with_int4_weights,
)
from fingerpost.distill.recipes.executorch_rewrite import rewrite_for_xnnpack
from fingerpost.distill.recipes.quiet import quiet
from fingerpost.distill.recipes.tensor_specs import spec_of
from fingerpost.distill.scheme import Built, Calibration, Scheme
from fingerpost.trainer.models.pocket_graphs import Graph

__all__ = ["BACKEND", "DELEGATES", "SCHEMES", "SHARES_WEIGHTS", "build"]
BACKEND = "executorch"
SHARES_WEIGHTS = False  # those of several graphs are in the file once
DELEGATES = {  # by name, the kinds that can be built for it
    "xnnpack": SCHEMES,
    "coreml": ("none", "fp16", "int8"),
    "vulkan": ("none", "fp16"),
}
MAX_CALIBRATION = 200  # inputs of a graph: ranges are wide enough long before
_NO_OPERATORS = ("getitem", "alloc", "quantize_", "choose_qparams")  # in the names of those


def build(
    graphs: Mapping[str, Graph],
    scheme: Scheme,
    calibration: Calibration,
    name: str,
    delegate: str = "xnnpack",
    etrecord: bool = True,
) -> Built:
    """The file ``name.pte``, with its specs, the delegated share of each graph, and an ETRecord.

    calibration : needed for int8-static, of every graph
    delegate : one of ``DELEGATES``
    etrecord : also give ``name.etrecord``, for ExecuTorch's profiling; it holds the float weights,
        and is not the same bytes every time

    ``delegated`` is of the operators that compute, as the file has them: the part that is inside
    the delegates. Taking one of several results is no operator. Nor is turning numbers to integers
    and back inside a delegate, where it is part of the layer; outside, it is one.

    ValueError where the scheme or the delegate cannot be, a layer to keep is unknown, or
    calibration is missing.
    """
    if delegate not in DELEGATES:
        raise ValueError(f"unknown delegate {delegate!r}; known: {', '.join(DELEGATES)}")
    if scheme.kind not in DELEGATES[delegate]:
        raise ValueError(
            f"executorch with {delegate} cannot do {scheme.kind!r}; "
            f"it can: {', '.join(DELEGATES[delegate])}"
        )
    # Core ML and Vulkan have their own ways, and their own operators.
    by_xnnpack = delegate == "xnnpack"
    kinds = _kinds_by_graph(graphs, scheme)
    if not by_xnnpack and scheme.keep:
        raise ValueError(f"executorch with {delegate} keeps no layers apart: they are all alike")
    for graph in graphs if scheme.kind == "int8-static" else ():
        _check_calibration(graph, graphs[graph], calibration.get(graph, ()))
    with quiet():
        programs = {
            graph: _exported(
                graphs[graph], kinds[graph] if by_xnnpack else None, calibration.get(graph, ())
            )
            for graph in graphs
        }
        edge = _lowered(programs, delegate, scheme.kind, etrecord)
        shares = {
            graph: delegated_share(edge.exported_program(graph).graph_module) for graph in graphs
        }
        program = edge.to_executorch()  # which changes ``edge``
        beside = {f"{name}.etrecord": _etrecord_bytes(program)} if etrecord else {}
    file = f"{name}.pte"
    version = "executorch " + importlib.metadata.version("executorch")
    specs = {
        graph: replace(spec_of(graphs[graph], file, BACKEND, version), signature=graph)
        for graph in graphs
    }
    return Built({file: bytes(program.buffer)}, specs, shares, beside)


def delegated_share(module: fx.GraphModule) -> float:
    """Of a lowered graph, from 0 to 1, as ``build`` says. A graph that computes nothing has 1."""
    from executorch.exir.lowered_backend_module import get_lowered_submodules

    inside = sum(
        _n_operators(lowered.original_module.graph.nodes)
        for _, lowered, _ in get_lowered_submodules(module)
    )
    outside = sum(
        node.op == "call_function"
        and "getitem" not in str(node.target)
        and "call_delegate" not in str(node.target)
        for node in module.graph.nodes
    )
    return inside / (inside + outside) if inside + outside else 1.0


def _n_operators(nodes: Sequence[fx.Node]) -> int:
    return sum(
        node.op == "call_function" and not any(part in str(node.target) for part in _NO_OPERATORS)
        for node in nodes
    )


def _kinds_by_graph(graphs: Mapping[str, Graph], scheme: Scheme) -> dict[str, Kinds]:
    """By graph, and a layer's name in it, how the layer is kept; one of several graphs alike."""
    layers = layers_of(graphs)
    kinds = kinds_of(layers, scheme)
    of_module = {layer: kinds[name] for name, layer in layers.items()}
    return {
        graph_name: {
            name: of_module[module]
            for name, module in graph.module.named_modules(remove_duplicate=False)
            if module in of_module
        }
        for graph_name, graph in graphs.items()
    }


def _check_calibration(name: str, graph: Graph, inputs: Sequence[tuple[Tensor, ...]]) -> None:
    if not inputs:
        raise ValueError(f"no calibration inputs for the graph {name!r}: give real clips")
    shapes = [tuple(tensor.shape) for tensor in graph.example]
    for given in inputs:
        if [tuple(tensor.shape) for tensor in given] != shapes:
            raise ValueError(
                f"calibration of the graph {name!r}: expected {shapes}, "
                f"got {[tuple(tensor.shape) for tensor in given]}"
            )


def _exported(graph: Graph, kinds: Kinds | None, inputs: Sequence[tuple[Tensor, ...]]) -> Any:
    """An ``ExportedProgram``, quantised, in operators that XNNPACK has.

    kinds : None for a graph as it is
    """
    states = [name for name in graph.inputs if name in graph.outputs]
    # The runtime knows places, no names: those of the manifest, where states are last.
    assert list(graph.inputs[len(graph.inputs) - len(states) :]) == states
    assert list(graph.outputs[len(graph.outputs) - len(states) :]) == states
    example, every = graph.example, -(-len(inputs) // MAX_CALIBRATION) or 1
    module = with_int4_weights(graph.module, kinds or {})
    exported = torch.export.export(module, example, strict=False)
    if kinds is None:
        return exported
    rewritten = exported.module()
    rewrite_for_xnnpack(rewritten)
    quantised = quantise(rewritten, kinds, example, inputs[::every])
    return torch.export.export(quantised, example, strict=False)


def _lowered(programs: Mapping[str, Any], delegate: str, kind: str, etrecord: bool) -> Any:
    """An ``EdgeProgramManager`` whose graphs are with their delegates."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    first = _FIRST_CHOICE[delegate](kind) if delegate in _FIRST_CHOICE else []
    return to_edge_transform_and_lower(
        dict(programs),
        partitioner={name: [*first, XnnpackPartitioner()] for name in programs},
        generate_etrecord=etrecord,
    )


def _coreml(kind: str) -> list[Any]:
    """Weights in int8 are Core ML's own, by row, with float arithmetic."""
    import coremltools
    from executorch.backends.apple.coreml.compiler import CoreMLBackend
    from executorch.backends.apple.coreml.partition import CoreMLPartitioner

    precision = coremltools.precision.FLOAT32 if kind == "none" else coremltools.precision.FLOAT16
    int8 = {"mode": "linear_symmetric", "dtype": "int8", "granularity": "per_channel"}
    specs = CoreMLBackend.generate_compile_specs(
        minimum_deployment_target=coremltools.target.iOS17,
        compute_precision=precision,
        op_linear_quantizer_config=int8 if kind == "int8" else None,
    )
    return [CoreMLPartitioner(compile_specs=specs)]


def _vulkan(kind: str) -> list[Any]:
    from executorch.backends.vulkan.partitioner.vulkan_partitioner import VulkanPartitioner

    return [VulkanPartitioner({"force_fp16": kind == "fp16"})]


_FIRST_CHOICE: dict[str, Callable[[str], list[Any]]] = {"coreml": _coreml, "vulkan": _vulkan}


def _etrecord_bytes(program: Any) -> bytes:
    record = io.BytesIO()
    program.get_etrecord().save(record)
    return record.getvalue()
