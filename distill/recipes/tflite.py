"""PyTorch to TFLite (LiteRT): all graphs of a model in one file, each a signature of it.

Every signature has named tensors, batch 1 and fixed shapes (LiteRT's conversion fails on a dynamic
number of frames). What goes in and comes out is float32, or int32 where the network takes integers,
whatever the scheme: most of LiteRT's delegates have no 64-bit integers. Weights that layers or
graphs share are in the file once. The same model gives the same bytes.

What the kinds mean here; XNNPACK, the delegate for CPUs, runs all of these layers:

none         float32
fp16         weights in float16, made float32 again when the file is loaded
int8         linear layers: weights per channel, activations quantised as they come, row by row.
             Embeddings: a scale a row. Convolutions: weights per channel, made float32 again when
             the file is loaded, for no kernel quantises a depthwise one's activations as they come
int8-static  linear layers and convolutions: weights per channel, what comes in and goes out by the
             ranges of the calibration. Embeddings as in int8. Between the layers all is float: sums
             of scores and a mask of -10,000 would leave 8 bits nothing to tell the scores apart
int4         linear layers of the language model: weights in groups, -7 to 7 times a group's scale;
             activations quantised as they come. All else as in int8
"""

import dataclasses
import hashlib
import importlib.metadata
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from fingerpost.distill.fake_quant import kinds_of, layers_of
from fingerpost.distill.recipes.quiet import quiet
from fingerpost.distill.recipes.tensor_specs import spec_of
from fingerpost.distill.recipes.tflite_file import Operator, name_layers, read, write
from fingerpost.distill.recipes.tflite_quantise import Inputs, quantise
from fingerpost.distill.scheme import Built, Calibration, Scheme
from fingerpost.edge_runtime.backends.tflite_delegate import delegated_shares
from fingerpost.edge_runtime.manifest import GraphSpec
from fingerpost.trainer.models.pocket_graphs import Graph

BACKEND = "tflite"
SCHEMES = ("none", "fp16", "int8", "int8-static", "int4")
SHARES_WEIGHTS = True  # those of several graphs are in the file once
_INTEGERS = "int32"
# By the first graph's module: the fingerprint of the graphs, and their file in float32.
_converted: WeakKeyDictionary[nn.Module, tuple[str, bytes]] = WeakKeyDictionary()


def build(
    graphs: Mapping[str, Graph], scheme: Scheme, calibration: Calibration, name: str
) -> Built:
    """The graphs as ``name.tflite``; delegated are the operators that XNNPACK runs here.

    calibration : inputs of every graph, for int8-static; of no use to other kinds

    ValueError for no graphs, a layer to keep that there is not, and missing calibration.
    """
    if not graphs:
        raise ValueError("there are no graphs to build")
    layers = layers_of(graphs)
    kinds = kinds_of(layers, scheme)
    inputs = _inputs(graphs, calibration) if scheme.kind == "int8-static" else {}
    with quiet():
        model = read(_float_file(graphs))
        operators = name_layers(model, graphs, layers)
        _check_found(operators, scheme.keep)
        content = quantise(write(model), _by_kind(operators, kinds, scheme.kind), inputs)
        content = write(read(content))
        shares = delegated_shares(content)
    file = f"{name}.tflite"
    return Built({file: content}, {n: _spec(g, n, file) for n, g in graphs.items()}, shares)


def _float_file(graphs: Mapping[str, Graph]) -> bytes:
    """``convert``, once for the same graphs: an export builds one scheme after another of them."""
    first = next(iter(graphs.values())).module
    fingerprint = _fingerprint(graphs)
    if first not in _converted or _converted[first][0] != fingerprint:
        _converted[first] = fingerprint, convert(graphs)
    return _converted[first][1]


def _fingerprint(graphs: Mapping[str, Graph]) -> str:
    """Of all that a file is made of."""
    found = hashlib.sha256()
    for name, graph in graphs.items():
        shapes = [tuple(tensor.shape) for tensor in graph.example]
        found.update(repr((name, shapes, graph.inputs, graph.outputs, graph.module)).encode())
        for tensor in (*graph.module.parameters(), *graph.module.buffers()):
            found.update(tensor.detach().contiguous().numpy().tobytes())
    return found.hexdigest()


def convert(graphs: Mapping[str, Graph]) -> bytes:
    """The float32 .tflite file of graphs, a signature for each."""
    with quiet(), tempfile.TemporaryDirectory() as folder:
        import litert_torch

        converter: Any = litert_torch
        for name, graph in graphs.items():
            # Positional arguments would be called args_0, args_1 in the signature.
            example = dict(zip(graph.inputs, graph.example, strict=True))
            converter = converter.signature(name, _Named(graph).eval(), sample_kwargs=example)
        file = Path(folder) / "model.tflite"
        converter.convert().export(str(file))
        return file.read_bytes()


class _Named(nn.Module):
    """A graph whose forward takes its inputs, and gives its outputs, by name."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.module, self.inputs, self.outputs = graph.module, graph.inputs, graph.outputs

    def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
        result = self.module(*(inputs[name] for name in self.inputs))
        tensors = (result,) if isinstance(result, Tensor) else tuple(result)
        return dict(zip(self.outputs, tensors, strict=True))


def _check_found(operators: Sequence[Operator], keep: frozenset[str]) -> None:
    """A layer whose weights the converter has changed would be quantised without a word."""
    lost = sorted(keep - {operator.layer for operator in operators})
    if lost:
        raise ValueError(f"{lost[0]} is not in the .tflite file as it is: it cannot be kept")


def _by_kind(
    operators: Sequence[Operator], kinds: Mapping[str, str], kind: str
) -> dict[tuple[str, str], list[str]]:
    """kind : of what is no layer; groups of 4 bits are for the layers that are known to fit"""
    other = "int8" if kind == "int4" else kind
    found: dict[tuple[str, str], list[str]] = {}
    for operator in operators:
        key = (operator.sort, kinds.get(operator.layer, other))
        found.setdefault(key, []).append(operator.tensor)
    return found


def _inputs(graphs: Mapping[str, Graph], calibration: Calibration) -> Inputs:
    """ValueError where a graph has none, or they are not as it takes them."""
    missing = [name for name in graphs if not calibration.get(name)]
    if missing:
        raise ValueError(f"int8-static needs inputs of real clips for {', '.join(missing)}")
    for name, graph in graphs.items():
        shapes = [tuple(tensor.shape) for tensor in graph.example]
        for given in calibration[name]:
            found = [tuple(tensor.shape) for tensor in given]
            if found != shapes:
                raise ValueError(f"{name} takes inputs of shapes {shapes}, calibration has {found}")
    return {
        name: [dict(zip(graph.inputs, map(_array, row), strict=True)) for row in calibration[name]]
        for name, graph in graphs.items()
    }


def _array(tensor: Tensor) -> Any:
    return (tensor if tensor.is_floating_point() else tensor.to(torch.int32)).numpy()


def _spec(graph: Graph, name: str, file: str) -> GraphSpec:
    version = "ai-edge-litert " + importlib.metadata.version("ai-edge-litert")
    return dataclasses.replace(spec_of(graph, file, BACKEND, version, _INTEGERS), signature=name)
