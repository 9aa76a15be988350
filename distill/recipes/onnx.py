"""PyTorch to ONNX, for onnxruntime, and for TensorRT on a Jetson: a file for each graph.

The exporter is PyTorch's own, on ``torch.export``; weights are quantised by onnxruntime's tools.
What the kinds mean here:

none         float32
fp16         weights and arithmetic in float16
int8         linear layers: weights per channel, activations quantised as they come, per tensor.
             Embeddings: a scale a row. Convolutions stay float: they are depthwise, and small
int8-static  linear layers and convolutions: weights per channel, activations by ranges that
             calibration found, both symmetric, written as pairs of QuantizeLinear and
             DequantizeLinear: what TensorRT reads. Embeddings as in int8
int4         linear layers of the language model: weights in groups, activations float. All else as
             in int8

Every file has its graph's example shapes, and float32 and integers outside. The same graphs give
the same bytes.
"""

import importlib.metadata
from collections.abc import Mapping
from typing import Any

import torch

from fingerpost.distill.fake_quant import kinds_of, layers_of
from fingerpost.distill.recipes.onnx_weights import nodes_of, quantize
from fingerpost.distill.recipes.quiet import quiet
from fingerpost.distill.recipes.tensor_specs import spec_of
from fingerpost.distill.scheme import Built, Calibration, Scheme
from fingerpost.edge_runtime.backends.named_tensors import NEXT
from fingerpost.trainer.models.pocket_graphs import Graph

BACKEND = "onnx"
SCHEMES = ("none", "fp16", "int8", "int8-static", "int4")
SHARES_WEIGHTS = False  # those of several graphs are in the file once
OPSET = 20  # the first with Gelu as one operator
LARGEST = 2**31  # numbers in a layer's weights, for the exporter to have them ready


def build(
    graphs: Mapping[str, Graph], scheme: Scheme, calibration: Calibration, name: str
) -> Built:
    """The graphs as .onnx files, ``encode.onnx`` and so on.

    calibration : inputs of every graph, for int8-static; of no use to other kinds
    name : of the model, for whoever opens a file

    ValueError for a layer to keep that there is not, and where calibration is missing.
    """
    if scheme.kind == "int8-static":
        missing = [graph for graph in graphs if not calibration.get(graph)]
        if missing:
            raise ValueError(f"int8-static needs inputs of real clips for {', '.join(missing)}")
    kinds = kinds_of(layers_of(graphs), scheme)
    version = "onnxruntime " + importlib.metadata.version("onnxruntime")
    files, specs = {}, {}
    for graph_name, graph in graphs.items():
        model = convert(graph)
        of_graph = {k: kind for k, kind in kinds.items() if k.partition(".")[0] == graph_name}
        nodes = nodes_of(model, graph_name, list(of_graph))
        inputs = [
            {n: x.numpy() for n, x in zip(graph.inputs, tensors, strict=True)}
            for tensors in calibration.get(graph_name, ())
        ]
        with quiet():
            model = quantize(model, nodes, of_graph, scheme.kind, inputs)
        file = f"{graph_name}.onnx"
        files[file] = _to_bytes(model, f"{name}.{graph_name}")
        specs[graph_name] = spec_of(graph, file, BACKEND, version)
    return Built(files, specs)


def convert(graph: Graph) -> Any:
    """A graph as an ``onnx.ModelProto`` in float32; each node says in its metadata what made it."""
    with quiet():
        import onnx_ir.passes.common as passes
        from onnxscript import optimizer

        program = torch.onnx.export(
            graph.module.eval(),
            graph.example,
            input_names=list(graph.inputs),
            output_names=[n + NEXT if n in graph.inputs else n for n in graph.outputs],
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        assert program is not None  # it is None where the old exporter writes a file
        # The weights of a large layer that is used twice are left to be turned at each use; of a
        # small one, there are two copies.
        optimizer.fold_constants(
            program.model,
            output_size_limit=LARGEST,
            should_fold=lambda node: True if node.op_type == "Transpose" else None,
        )
        optimizer.remove_unused_nodes(program.model)
        passes.DeduplicateInitializersPass()(program.model)
        return _with_products(program.model_proto)


def _with_products(model: Any) -> Any:
    """Linear layers of a vector become Gemm, those of rows MatMul; here all are MatMul, as int4 is.

    onnxruntime's own rewriting turns weights in place, and spoils those that an embedding shares.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    for node in [n for n in graph.node if n.op_type == "Gemm" and n.input[1] in weights]:
        settings = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        assert settings.get("transB") == 1 and settings.get("alpha", 1) == 1, "not of a layer"
        tied, result = node.input[1], node.output[0]
        turned = numpy_helper.to_array(weights[tied]).T.copy()
        del node.attribute[:]
        node.op_type, node.input[1] = "MatMul", f"{node.name}_weight"
        graph.initializer.append(numpy_helper.from_array(turned, f"{node.name}_weight"))
        if len(node.input) > 2:
            node.output[0] = f"{result}_product"
            bias = node.input.pop()
            add = helper.make_node("Add", [node.output[0], bias], [result], f"{node.name}_bias")
            graph.node.insert(list(graph.node).index(node) + 1, add)
        if not any(tied in other.input for other in graph.node):
            graph.initializer.remove(weights.pop(tied))
    return model


def _to_bytes(model: Any, name: str) -> bytes:
    """Without what the exporter and the quantiser noted, such as the paths of source files."""
    graph = model.graph
    graph.name = name
    graph.ClearField("value_info")  # shapes between nodes: onnxruntime works them out
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    return model.SerializeToString(deterministic=True)
