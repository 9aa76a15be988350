"""What the kinds of ``Scheme`` mean to ExecuTorch's XNNPACK.

none         float32
fp16         weights and arithmetic in 16 bits; inputs and outputs are turned at the border, so a
             graph of a layer or two stays float32
int8         linear layers: weights by row, inputs by their own range as they come
int8-static  linear layers and convolutions: weights by row, inputs and outputs by ranges that
             calibration found
int4         linear layers of the language model (``fake_quant.kinds_of``): weights in groups of 32,
             inputs as in int8; other linear layers int8

In the three integer kinds, the rows of an embedding are int8 too. What XNNPACK cannot do: integer
weights in a depthwise convolution without calibration, so they stay float32 in int8 and int4.
"""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from fingerpost.distill.fake_quant import GROUP
from fingerpost.distill.recipes.executorch_rewrite import GraphEditor

SCHEMES = ("none", "fp16", "int8", "int8-static", "int4")
_aten = torch.ops.aten
_ARITHMETIC = (_aten.add.Tensor, _aten.sub.Tensor, _aten.mul.Tensor, _aten.div.Tensor)
_LARGEST = 127  # of an int8 weight; -128 is not used, so that 0 is in the middle
_WORTH_HALVING = 10  # operators; in a smaller graph, turning inputs and outputs is the most work
_INTEGERS = ("int8", "int8-static", "int4")
_LAYERS = (_aten.linear.default, _aten.conv1d.default, _aten.embedding.default)
Kinds = Mapping[str, str]
"""By a layer's name within its graph: one of ``SCHEMES``."""


def with_int4_weights(module: nn.Module, kinds: Kinds) -> nn.Module:
    """A copy whose layers of the kind int4 are so; the module itself where there are none."""
    names = {name for name, kind in kinds.items() if kind == "int4"}
    if not names:
        return module
    from torchao.quantization import Int8DynamicActivationIntxWeightConfig, quantize_
    from torchao.quantization.granularity import PerGroup

    copied = copy.deepcopy(module)
    config = Int8DynamicActivationIntxWeightConfig(
        weight_dtype=torch.int4,  # type: ignore[attr-defined]  # of which the stubs know nothing
        weight_granularity=PerGroup(GROUP),
    )
    quantize_(copied, config, filter_fn=lambda _, name: name in names)
    return copied


def quantise(
    module: fx.GraphModule,
    kinds: Kinds,
    example: tuple[Tensor, ...],
    calibration: Sequence[tuple[Tensor, ...]],
) -> fx.GraphModule:
    """An exported graph with its layers in their kinds; it may be changed in place.

    calibration : inputs of the graph, for layers of the kind int8-static; else one is enough
    """
    of_layers = {
        node: kinds[layer_of(node)]
        for node in module.graph.nodes
        if node.target in _LAYERS and layer_of(node) in kinds
    }
    _quantise_embeddings(module, of_layers)
    module = _quantise_layers(module, of_layers, calibration or [example])
    n_operators = sum(node.op == "call_function" for node in module.graph.nodes)
    if "fp16" in kinds.values() and n_operators >= _WORTH_HALVING:
        _halve(module, of_layers)
    return module


def layer_of(node: fx.Node) -> str:
    """The name of the module that an operator is part of; "" where that is the whole graph."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    # a module that is called twice has "@1" after its name the second time
    return str(stack[-1][0]).partition("@")[0] if stack else ""


def _quantise_embeddings(module: fx.GraphModule, of_layers: Mapping[fx.Node, str]) -> None:
    """Rows in int8, each with a scale; the row that a token asks for is made float again."""
    editor = GraphEditor(module)
    for node, kind in of_layers.items():
        if node.target is not _aten.embedding.default or kind not in _INTEGERS:
            continue
        editor.before = node
        table = editor.value(node.args[0])
        assert table is not None, "an embedding's table is a weight"
        scales = table.detach().abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / _LARGEST
        rows = editor.constant((table.detach() / scales).round().to(torch.int8))
        row = editor.call(_aten.embedding.default, rows, node.args[1])
        scale = editor.call(_aten.embedding.default, editor.constant(scales), node.args[1])
        row = editor.call(_aten.to.dtype, row, torch.float32)
        editor.replace(node, editor.call(_aten.mul.Tensor, row, scale))
    module.graph.eliminate_dead_code()
    module.recompile()


def _quantise_layers(
    module: fx.GraphModule,
    of_layers: Mapping[fx.Node, str],
    inputs: Sequence[tuple[Tensor, ...]],
) -> fx.GraphModule:
    """Linear layers and convolutions, by PyTorch 2's quantisation of exported graphs (pt2e)."""
    from executorch.backends.xnnpack.quantizer import xnnpack_quantizer
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    class LayersAlone(xnnpack_quantizer.XNNPACKQuantizer):
        """Of layers; so the numbers that sums and products have can stay as they are."""

        def transform_for_annotation(self, model: fx.GraphModule) -> fx.GraphModule:
            return model

    for kind, targets in (
        ("int8", (_aten.linear.default,)),
        ("int8-static", (_aten.linear.default, _aten.conv1d.default)),
    ):
        chosen = {
            node.name for node, of in of_layers.items() if of == kind and node.target in targets
        }
        if not chosen:
            continue
        dynamic = kind == "int8"
        config = xnnpack_quantizer.get_symmetric_quantization_config(
            is_per_channel=True, is_dynamic=dynamic
        )
        # By these operators alone: whole numbers that go into others would be made floats.
        quantizer = LayersAlone().set_filter_function(lambda node, of=chosen: node.name in of)
        for target in targets:
            quantizer.set_operator_type(target, config)
        prepared = prepare_pt2e(module, quantizer)
        for given in inputs[:1] if dynamic else inputs:
            prepared(*given)
        module = convert_pt2e(prepared)
    return module


def _halve(module: fx.GraphModule, of_layers: Mapping[fx.Node, str]) -> None:
    """Arithmetic in float16, but for what comes in, what goes out, and layers that stay float32."""
    editor = GraphEditor(module)
    for node in list(module.graph.nodes):
        editor.before = node
        if node.op == "output":
            _change(node, lambda made: _cast(editor, made, torch.float32))
        elif node.op == "placeholder":
            _halve_result(editor, node)
        elif of_layers.get(node) == "none":  # a layer that the scheme keeps, with its weights
            _change(
                node,
                lambda given: (
                    given if given.op == "get_attr" else _cast(editor, given, torch.float32)
                ),
            )
            _halve_result(editor, node)
        elif node.op == "call_function":
            _change(node, lambda given: _half_constant(editor, given))
            if node.target in _ARITHMETIC and isinstance(node.args[1], int | float):
                node.args = (node.args[0], _half_number(editor, node.args[1]), *node.args[2:])
            if node.target is _aten.to.dtype and node.args[1] == torch.float32:
                node.args = (node.args[0], torch.float16)
            elif node.target is _aten.gelu.default:
                editor.replace(node, _gelu(editor, node.args[0]))
    module.graph.eliminate_dead_code()
    module.recompile()


def _change(node: fx.Node, change: Callable[[fx.Node], fx.Node]) -> None:
    """Each of the nodes that an operator is given."""
    arguments: Any = fx.map_arg(node.args, change)
    node.args = arguments


def _halve_result(editor: GraphEditor, node: fx.Node) -> None:
    """What comes of a node is float16 for all who use it; whole numbers stay as they are."""
    editor.before = node.next
    half = _cast(editor, node, torch.float16)
    if half is not node:
        node.replace_all_uses_with(half, lambda user: user is not half)


def _half_constant(editor: GraphEditor, node: fx.Node) -> fx.Node:
    value = editor.value(node)
    if value is None or value.dtype != torch.float32:
        return node
    return editor.constant(value.to(torch.float16))


def _half_number(editor: GraphEditor, number: float) -> fx.Node:
    """As a tensor; ExecuTorch would make a float32 of it, and turn that anew in every run."""
    return editor.constant(torch.tensor([number], dtype=torch.float16))


def _cast(editor: GraphEditor, node: fx.Node, dtype: torch.dtype) -> fx.Node:
    return editor.call(_aten.to.dtype, node, dtype) if _is_float(node) else node


def _is_float(node: fx.Node) -> bool:
    value = node.meta.get("val")
    return value is None or value.is_floating_point()


def _gelu(editor: GraphEditor, x: Any) -> fx.Node:
    """By tanh, which XNNPACK has in float16; the difference is below float16's own rounding.

    "Gaussian Error Linear Units", Hendrycks and Gimpel, 2016, Sec. 2.
    """
    cubic, inside, one, half = (
        _half_number(editor, number) for number in (0.044715, math.sqrt(2 / math.pi), 1.0, 0.5)
    )
    cube = editor.call(_aten.mul.Tensor, editor.call(_aten.mul.Tensor, x, x), x)
    inner = editor.call(_aten.add.Tensor, x, editor.call(_aten.mul.Tensor, cube, cubic))
    inner = editor.call(_aten.mul.Tensor, inner, inside)
    gate = editor.call(_aten.add.Tensor, editor.call(_aten.tanh.default, inner), one)
    return editor.call(_aten.mul.Tensor, editor.call(_aten.mul.Tensor, x, half), gate)
