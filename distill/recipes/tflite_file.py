"""What is inside a .tflite file: which of its operators is which layer of the network.

The converter names tensors after Python classes, at such length that a small network's names weigh
as much as its weights. Here every tensor gets a short name, and what comes out of a layer is called
by the layer, as ``Scheme.keep`` has it: ``decode_step.head``, ``encode.poses.layers.0.mlp.0``. The
quantiser knows operators by these names, and so does a developer who opens the file.

A layer is known by its weights, which the converter copies bit by bit, or multiplies by the scale
of a normalisation before it. The converter's own names would not do: those of layers that share
weights, or are run twice, are gone.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from torch import nn

from fingerpost.trainer.models.pocket_graphs import Graph

FULLY_CONNECTED, EMBEDDING_LOOKUP = "FULLY_CONNECTED", "EMBEDDING_LOOKUP"
CONV_2D, DEPTHWISE_CONV_2D = "CONV_2D", "DEPTHWISE_CONV_2D"
WITH_WEIGHTS = (FULLY_CONNECTED, EMBEDDING_LOOKUP, CONV_2D, DEPTHWISE_CONV_2D)
_WEIGHTS = 1  # which of their inputs these are


class Constants(NamedTuple):
    """An operator of a graph, and those of its inputs that are in the file, as float32.

    sort : as the schema calls it, such as "FULLY_CONNECTED" or "MUL"
    """

    sort: str
    values: tuple[np.ndarray, ...]


class Operator(NamedTuple):
    """An operator of a file that holds weights.

    sort : one of ``WITH_WEIGHTS``
    tensor : the name of its output, by which the quantiser knows it
    layer : of the network, such as "decode_step.head"; "" where none has these weights
    """

    sort: str
    tensor: str
    layer: str


def read(file: bytes) -> Any:
    """The schema's ``ModelT`` of a .tflite file."""
    from ai_edge_litert.tools import flatbuffer_utils

    return flatbuffer_utils.read_model_from_bytearray(file)


def write(model: Any) -> bytes:
    """The .tflite file of a ``ModelT``, with its weights inside the flatbuffer.

    The quantiser puts them behind it, where tflite-runtime does not look.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def name_layers(
    model: Any, graphs: Mapping[str, Graph], layers: Mapping[str, nn.Module]
) -> list[Operator]:
    """Renames every tensor of a float32 file, in place.

    layers : of the graphs, by name

    Returns the operators with weights, as they run.
    """
    operators = []
    uses: Counter[str] = Counter()
    for graph, subgraph in _subgraphs(model):
        for i, tensor in enumerate(subgraph.tensors):
            tensor.name = f"{graph}/{i}".encode()
        inside = set(graphs[graph].module.modules())
        by_name = {name: layer for name, layer in layers.items() if layer in inside}
        by_weights = _by_weights(by_name)
        for sort, weights, output in _with_weights(model, subgraph):
            found = by_weights.get((_is_table(sort), weights))
            names = found or [_scaled(weights, by_name) if sort == FULLY_CONNECTED else ""]
            # Of layers with equal weights one after the other; a layer that runs twice, twice.
            name = names.pop(0) if len(names) > 1 else names[0]
            if name:
                again = f"#{uses[name]}" if uses[name] else ""
                uses[name] += 1
                output.name = f"{name}{again}".encode()
            operators.append(Operator(sort, output.name.decode(), name))
    return operators


def constants_of(model: Any, graph: str) -> list[Constants]:
    """The operators of a graph, as they run, with the numbers that each holds.

    Of 8 and 16 bits these are made float, whether the operator does so itself or another before it.
    ValueError where the file has no such graph.
    """
    from ai_edge_litert import schema_py_generated as schema

    subgraph = dict(_subgraphs(model)).get(graph)
    if subgraph is None:
        raise ValueError(f"the file has no graph {graph!r}")
    names = {code: name for name, code in vars(schema.BuiltinOperator).items()}
    held: dict[int, np.ndarray] = {}
    for i, tensor in enumerate(subgraph.tensors):
        value = _value(model, tensor)
        if value is not None:
            held[i] = value
    found = []
    for operator in subgraph.operators:
        sort = names[model.operatorCodes[operator.opcodeIndex].builtinCode]
        if sort == "DEQUANTIZE" and operator.inputs[0] in held:
            held[operator.outputs[0]] = held[operator.inputs[0]]
        else:
            values = tuple(held[i] for i in operator.inputs if i in held)
            found.append(Constants(sort, values))
    return found


def _value(model: Any, tensor: Any) -> np.ndarray | None:
    """A tensor's numbers as float32; None where the file holds none, or indices."""
    from ai_edge_litert import schema_py_generated as schema

    kinds = {
        schema.TensorType.FLOAT32: np.float32,
        schema.TensorType.FLOAT16: np.float16,
        schema.TensorType.INT8: np.int8,
    }
    data = model.buffers[tensor.buffer].data
    if data is None or not len(data) or tensor.type not in kinds:
        return None
    values = np.frombuffer(bytes(data), kinds[tensor.type]).reshape(tensor.shape)
    values = values.astype(np.float32)
    if tensor.type != schema.TensorType.INT8:
        return values
    shape = np.ones(values.ndim, int)
    scale = np.asarray(tensor.quantization.scale, np.float32)
    shape[tensor.quantization.quantizedDimension] = len(scale) if len(scale) > 1 else 1
    return values * scale.reshape(shape)


def _by_weights(layers: Mapping[str, nn.Module]) -> dict[tuple[bool, bytes], list[str]]:
    """Names by whether it is a table, and by weights in each order that a file may hold these in.

    A table and a product may share their weights, and are two layers still.
    """
    found: dict[tuple[bool, bytes], list[str]] = {}
    for name, layer in layers.items():
        weight = layer.get_parameter("weight").detach().numpy()
        # A convolution's are (out, in, time) here, (out, time, in) or (in, time, out) there.
        orders = {np.moveaxis(weight, 1, -1).tobytes(), np.moveaxis(weight, 0, -1).tobytes()}
        for content in orders if weight.ndim > 2 else {weight.tobytes()}:
            found.setdefault((isinstance(layer, nn.Embedding), content), []).append(name)
    return found


def _scaled(weights: bytes, layers: Mapping[str, nn.Module]) -> str:
    """The linear layer that has these weights but for a factor for each input; "" where none has.

    After a normalisation, the converter multiplies the weights by its scale.
    """
    values = np.frombuffer(weights, np.float32)
    for name, layer in layers.items():
        if not isinstance(layer, nn.Linear) or layer.weight.numel() != values.size:
            continue
        own = layer.weight.detach().numpy()
        held = values.reshape(own.shape)
        factors = (held * own).sum(axis=0) / np.maximum(np.square(own).sum(axis=0), 1e-30)
        if np.allclose(held, own * factors, rtol=1e-3, atol=1e-6):
            return name
    return ""


def _is_table(sort: str) -> bool:
    return sort == EMBEDDING_LOOKUP


def _subgraphs(model: Any) -> Iterator[tuple[str, Any]]:
    for signature in model.signatureDefs:
        yield signature.signatureKey.decode(), model.subgraphs[signature.subgraphIndex]


def _with_weights(model: Any, subgraph: Any) -> Iterator[tuple[str, bytes, Any]]:
    """Sort, weights and output tensor of each operator that has weights."""
    from ai_edge_litert import schema_py_generated as schema

    sorts = {getattr(schema.BuiltinOperator, sort): sort for sort in WITH_WEIGHTS}
    for operator in subgraph.operators:
        sort = sorts.get(model.operatorCodes[operator.opcodeIndex].builtinCode)
        if sort is None:
            continue
        weights = model.buffers[subgraph.tensors[operator.inputs[_WEIGHTS]].buffer].data
        if weights is not None:  # else a product of two inputs
            yield sort, bytes(weights), subgraph.tensors[operator.outputs[0]]
