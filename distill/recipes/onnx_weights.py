"""The weights of an ONNX graph in 16, 8 or 4 bits, layer by layer, by onnxruntime's own tools."""

import ast
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fingerpost.distill.fake_quant import GROUP

Nodes = Mapping[str, Sequence[Any]]
"""Of each layer, by its name in ``Scheme.keep``, the ``NodeProto`` that it became."""

_SCOPES = "pkg.torch.onnx.name_scopes"  # of a node, the modules around it, outermost first
_WITH_WEIGHTS = ("MatMul", "Gather", "Conv")  # linear layers, embeddings, convolutions


def nodes_of(model: Any, graph: str, layers: Sequence[str]) -> Nodes:
    """The products, look-ups and convolutions that layers became; one may be used twice.

    model : an ``onnx.ModelProto`` as PyTorch exports it
    """
    nodes: dict[str, list[Any]] = {layer: [] for layer in layers}
    weights = {tensor.name for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in _WITH_WEIGHTS and any(name in weights for name in node.input[:2]):
            layer = f"{graph}.{_module_of(node)}".rstrip(".")
            if layer in nodes:
                nodes[layer].append(node)
    lost = [layer for layer, of_layer in nodes.items() if not of_layer]
    assert not lost, f"the exporter left nothing of {lost[0]}"
    return nodes


def _module_of(node: Any) -> str:
    for entry in node.metadata_props:
        if entry.key == _SCOPES:
            return ast.literal_eval(entry.value)[-2]  # the last is the call itself
    return ""


def quantize(
    model: Any,
    nodes: Nodes,
    kinds: Mapping[str, str],
    kind: str,
    inputs: Sequence[Mapping[str, np.ndarray]],
) -> Any:
    """The model with each layer's weights as ``kinds`` says; it may be changed in place.

    kinds : of each layer of ``nodes``, "none" for one that stays float32
    kind : of the scheme
    inputs : of the model, to find the ranges of activations by, for int8-static
    """

    def names(operator: str, *of: str) -> list[str]:
        return [
            node.name
            for layer, of_layer in nodes.items()
            for node in of_layer
            if node.op_type == operator and kinds[layer] in of
        ]

    if kind == "fp16":
        kept = [name for operator in _WITH_WEIGHTS for name in names(operator, "none")]
        return _to_float16(model, kept)
    tables = names("Gather", "int8", "int8-static")
    by_four, by_eight = names("MatMul", "int4"), names("MatMul", "int8")
    static = [*names("MatMul", "int8-static"), *names("Conv", "int8-static")]
    for table in tables:
        _to_int8_rows(model, table)
    if by_four:
        model = _to_int4(model, by_four)
    if by_eight:
        model = _to_dynamic_int8(model, by_eight)
    if static:
        model = _to_static_int8(model, static, inputs)
    return model


def _to_float16(model: Any, kept: Sequence[str]) -> Any:
    from onnxruntime.transformers.float16 import convert_float_to_float16

    return convert_float_to_float16(model, keep_io_types=True, node_block_list=list(kept))


def _to_dynamic_int8(model: Any, nodes: Sequence[str]) -> Any:
    """Unsigned: on x86 without VNNI, products of signed weights overflow 16 bits and saturate."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        quantize_dynamic(
            model,
            file,
            op_types_to_quantize=["MatMul"],
            nodes_to_quantize=list(nodes),
            per_channel=True,
            weight_type=QuantType.QUInt8,
        )
        return _read(file)


def _to_static_int8(
    model: Any, nodes: Sequence[str], inputs: Sequence[Mapping[str, np.ndarray]]
) -> Any:
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Inputs(CalibrationDataReader):
        def __init__(self) -> None:
            self._left: Iterator[Mapping[str, np.ndarray]] = iter(inputs)

        def get_next(self) -> dict[str, np.ndarray] | None:
            given = next(self._left, None)
            return None if given is None else dict(given)

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        quantize_static(
            model,
            file,
            Inputs(),
            op_types_to_quantize=["MatMul", "Conv"],
            nodes_to_quantize=list(nodes),
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            extra_options={
                "ActivationSymmetric": True,
                "WeightSymmetric": True,
                # What comes out of a layer stays float: scores are not cut off at 8 bits.
                "OpTypesToExcludeOutputQuantization": ["MatMul", "Conv"],
            },
        )
        return _read(file)


def _to_int4(model: Any, nodes: Sequence[str]) -> Any:
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    quantizer = MatMulNBitsQuantizer(
        model,
        bits=4,
        block_size=GROUP,
        is_symmetric=True,
        nodes_to_include=list(nodes),
        op_types_to_quantize=("MatMul",),
    )
    quantizer.process()
    return quantizer.model.model


def _to_int8_rows(model: Any, name: str) -> None:
    """A look-up in a table of float32 as one of int8, times the row's scale.

    onnxruntime's quantiser has one scale for a whole table, and an embedding's rows differ much.
    """
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    at, node = next((i, n) for i, n in enumerate(graph.node) if n.name == name)
    table, rows = node.input
    (found,) = (tensor for tensor in graph.initializer if tensor.name == table)
    values = numpy_helper.to_array(found)  # (V, D)
    scales = np.maximum(np.abs(values).max(axis=1, keepdims=True), 1e-12) / np.float32(127)
    rounded = np.round(values / scales).astype(np.int8)
    result = node.output[0]
    graph.node.remove(node)
    for i, new in enumerate(
        (
            helper.make_node("Gather", [f"{table}_int8", rows], [f"{name}_int8"], f"{name}_row"),
            helper.make_node("Gather", [f"{table}_scales", rows], [f"{name}_s"], f"{name}_scale"),
            helper.make_node(
                "Cast", [f"{name}_int8"], [f"{name}_f"], f"{name}_cast", to=TensorProto.FLOAT
            ),
            helper.make_node("Mul", [f"{name}_f", f"{name}_s"], [result], name),
        )
    ):
        graph.node.insert(at + i, new)
    known = {tensor.name for tensor in graph.initializer}
    if f"{table}_int8" not in known:  # two look-ups may share a table
        graph.initializer.append(numpy_helper.from_array(rounded, f"{table}_int8"))
        graph.initializer.append(numpy_helper.from_array(scales, f"{table}_scales"))
    if not any(table in other.input for other in graph.node):
        graph.initializer.remove(found)


def _read(file: Path) -> Any:
    import onnx

    return onnx.load(str(file))
