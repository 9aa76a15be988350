"""The same network in the operators that XNNPACK has.

XNNPACK takes no layer norm, no mean or sum but that of pictures, no integers and no truth values;
ExecuTorch would run each of those by its own slow code, and cut the graph in pieces around it. So
each is said in other words, with the same result but for rounding: a mean is a product with a row
of 1 / D, "is it above 0" is ceil(clamp(x, 0, 1)), and "is it this position" is 1 minus the
distance, not below 0. What depends on weights alone is computed here, once.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx

_aten = torch.ops.aten
_CONSTANT = "constant_{}"  # names of tensors that this adds to the graph


class GraphEditor:
    """Puts operators before one node of a graph, and tensors beside its weights."""

    def __init__(self, module: fx.GraphModule) -> None:
        self.module, self.graph = module, module.graph
        self._constants: dict[tuple[Any, ...], str] = {}
        self.before: fx.Node | None = None

    def call(self, target: Callable[..., Any], *arguments: Any) -> fx.Node:
        """A new operator before ``before``."""
        assert self.before is not None
        with self.graph.inserting_before(self.before):
            return self.graph.call_function(target, arguments)

    def constant(self, value: Tensor) -> fx.Node:
        """A tensor that is part of the program; the same one again is there once."""
        value = value.detach().contiguous()
        key = (value.dtype, tuple(value.shape), value.numpy().tobytes())
        if key not in self._constants:
            taken = {name for name, _ in self.module.named_buffers()}
            number = next(n for n in range(len(taken) + 1) if _CONSTANT.format(n) not in taken)
            self._constants[key] = _CONSTANT.format(number)
            self.module.register_buffer(self._constants[key], value)
        assert self.before is not None
        with self.graph.inserting_before(self.before):
            return self.graph.get_attr(self._constants[key])

    def value(self, node: Any) -> Tensor | None:
        """Of a weight or constant; None for what is computed."""
        if not isinstance(node, fx.Node) or node.op != "get_attr":
            return None
        found = operator.attrgetter(str(node.target))(self.module)
        return found if isinstance(found, Tensor) else None

    def replace(self, old: fx.Node, new: fx.Node) -> None:
        """New in the place of old, with what is known of the old one."""
        if new.op == "call_function" and "val" not in new.meta:
            new.meta = dict(old.meta)
        elif "val" not in new.meta:
            new.meta["val"] = old.meta.get("val")
        old.replace_all_uses_with(new)
        self.graph.erase_node(old)


def rewrite_for_xnnpack(module: fx.GraphModule) -> None:
    """Changes an exported graph in place; layers keep their nodes, so they can be quantised.

    module : of ``torch.export.export(...).module()``, in eval mode
    """
    editor = GraphEditor(module)
    for node in list(module.graph.nodes):
        if node.op != "call_function":
            continue
        editor.before = node
        if node.target is _aten._assert_tensor_metadata.default:
            module.graph.erase_node(node)
            continue
        new = _folded(editor, node)
        if new is None and node.target in _REWRITES:
            new = _REWRITES[node.target](editor, node)
        if new is not None:
            editor.replace(node, new)
    module.graph.eliminate_dead_code()
    module.recompile()


def shape_of(node: fx.Node) -> tuple[int, ...]:
    """Of the tensor that a node gives."""
    return tuple(int(size) for size in node.meta["val"].shape)


def _arguments(node: fx.Node, *defaults: Any) -> Any:
    """Of an operator: those that it was called with, and then its defaults."""
    return (*node.args, *defaults[len(node.args) :])


def _folded(editor: GraphEditor, node: fx.Node) -> fx.Node | None:
    """What depends on constants alone, as a constant."""
    if not isinstance(node.target, torch._ops.OpOverload) or node.target.namespace != "aten":
        return None
    inputs = node.all_input_nodes
    if not inputs or any(editor.value(each) is None for each in inputs):
        return None
    arguments: Any = fx.map_arg((node.args, node.kwargs), editor.value)
    with torch.no_grad():
        result: Any = node.target(*arguments[0], **arguments[1])
    return editor.constant(result) if isinstance(result, Tensor) else None


def _layer_norm(editor: GraphEditor, node: fx.Node) -> fx.Node | None:
    x, shape, weight, bias, epsilon = _arguments(node, None, None, None, None, 1e-5)[:5]
    if len(shape) != 1:
        return None
    row = editor.constant(torch.full((1, shape[0]), 1 / shape[0]))
    centred = editor.call(_aten.sub.Tensor, x, editor.call(_aten.linear.default, x, row))
    square = editor.call(_aten.mul.Tensor, centred, centred)
    variance = editor.call(_aten.linear.default, square, row)
    inverse = editor.call(_aten.rsqrt.default, editor.call(_aten.add.Tensor, variance, epsilon))
    y = editor.call(_aten.mul.Tensor, centred, inverse)
    if weight is not None:
        y = editor.call(_aten.mul.Tensor, y, weight)
    return y if bias is None else editor.call(_aten.add.Tensor, y, bias)


def _reduce(editor: GraphEditor, node: fx.Node) -> fx.Node | None:
    """A sum or mean over one axis: that axis last, times a row of 1 or 1 / D."""
    x, axes = _arguments(node)[:2]
    if len(axes) != 1 or node.kwargs:
        return None
    shape = shape_of(x)
    axis = axes[0] % len(shape)
    size = shape[axis]
    share = 1.0 if node.target is _aten.sum.dim_IntList else 1 / size
    if axis != len(shape) - 1:
        order = [i for i in range(len(shape)) if i != axis] + [axis]
        x = editor.call(_aten.permute.default, x, order)
    row = editor.constant(torch.full((1, size), share))
    y = editor.call(_aten.linear.default, x, row)
    if shape_of(node) == (*shape[:axis], *shape[axis + 1 :], 1):
        return y
    return editor.call(_aten.reshape.default, y, list(shape_of(node)))


def _matmul(editor: GraphEditor, node: fx.Node) -> fx.Node | None:
    """Of two stacks of matrices, without the ``expand`` that exporting would put in."""
    a, b = _arguments(node)
    first, second = shape_of(a), shape_of(b)
    if len(first) < 3 or first[:-2] != second[:-2]:
        return None
    flat = (
        editor.call(_aten.reshape.default, each, [-1, *shape[-2:]])
        for each, shape in ((a, first), (b, second))
    )
    y = editor.call(_aten.bmm.default, *flat)
    return editor.call(_aten.reshape.default, y, list(shape_of(node)))


def _select(editor: GraphEditor, node: fx.Node) -> fx.Node:
    x, axis, index = _arguments(node)
    index = index % shape_of(x)[axis]
    part = editor.call(_aten.slice.Tensor, x, axis, index, index + 1)
    return editor.call(_aten.reshape.default, part, list(shape_of(node)))


def _slice(editor: GraphEditor, node: fx.Node) -> fx.Node | None:
    """Every nth row: row by row."""
    x, axis, start, _, step = _arguments(node, None, 0, None, None, 1)
    if step == 1:
        return None
    size, n = shape_of(x)[axis], shape_of(node)[axis]
    first = max(0, (start or 0) + (size if (start or 0) < 0 else 0))
    rows = [
        editor.call(_aten.slice.Tensor, x, axis, at, at + 1)
        for at in range(first, first + n * step, step)
    ]
    return editor.call(_aten.cat.default, rows, axis)


def _split(editor: GraphEditor, node: fx.Node) -> None:
    """Parts, one after the other: a slice for each of them."""
    axis = _arguments(node, None, None, 0)[2]
    start = 0
    for i, part in enumerate(node.meta["val"]):
        size = int(part.shape[axis])
        for user in [u for u in node.users if u.args[1] == i]:
            editor.before = user
            sliced = editor.call(_aten.slice.Tensor, node.args[0], axis, start, start + size)
            editor.replace(user, sliced)
        start += size


def _stack(editor: GraphEditor, node: fx.Node) -> fx.Node:
    tensors, axis = _arguments(node, None, 0)
    shape = list(shape_of(node))
    axis = axis % len(shape)
    shape[axis] = 1
    rows = [editor.call(_aten.reshape.default, each, shape) for each in tensors]
    return editor.call(_aten.cat.default, rows, axis) if len(rows) > 1 else rows[0]


def _reshape(editor: GraphEditor, node: fx.Node) -> fx.Node:
    return editor.call(_aten.reshape.default, node.args[0], list(shape_of(node)))


def _power(editor: GraphEditor, node: fx.Node) -> fx.Node | None:
    x, exponent = _arguments(node, None, 2)
    if exponent not in (2, 3):
        return None
    y = editor.call(_aten.mul.Tensor, x, x)
    return y if exponent == 2 else editor.call(_aten.mul.Tensor, y, x)


def _minus_from(editor: GraphEditor, node: fx.Node) -> fx.Node | None:
    """A number minus x: the 1 of ``1 - mask`` is whole, and ExecuTorch would make it a float."""
    x, number = _arguments(node)[:2]
    if len(node.args) > 2 or node.kwargs:  # a factor of x
        return None
    return editor.call(_aten.sub.Tensor, editor.constant(torch.tensor([float(number)])), x)


def _expand(editor: GraphEditor, node: fx.Node) -> fx.Node | None:
    x = _arguments(node)[0]
    return x if shape_of(x) == shape_of(node) else None


def _dropout(editor: GraphEditor, node: fx.Node) -> fx.Node:
    assert not node.args[2], "a graph is exported in eval mode"
    return _same(editor, node)


def _same(editor: GraphEditor, node: fx.Node) -> fx.Node:
    return _arguments(node)[0]


def _to(editor: GraphEditor, node: fx.Node) -> fx.Node | None:
    """A truth value as 0 or 1; what is of the type already as it is."""
    x, dtype = _arguments(node)[:2]
    if not dtype.is_floating_point:
        return None
    if x.target is _aten.gt.Scalar and x.args[1] == 0:
        clamped = editor.call(_aten.clamp.default, x.args[0], 0.0, 1.0)
        return editor.call(_aten.ceil.default, clamped)
    if x.target is _aten.eq.Tensor:
        return _is_here(editor, x.args, dtype)
    return x if x.meta["val"].dtype == dtype else None


def _is_here(editor: GraphEditor, pair: Sequence[fx.Node], dtype: torch.dtype) -> fx.Node | None:
    """Of whole numbers: 1 where two are the same, else 0."""
    constants = [each for each in pair if editor.value(each) is not None]
    if len(constants) != 1:
        return None
    table = editor.value(constants[0])
    (given,) = (each for each in pair if each is not constants[0])
    assert table is not None
    if table.is_floating_point() or given.meta["val"].is_floating_point():
        return None
    places = editor.constant(table.to(dtype))
    apart = editor.call(_aten.sub.Tensor, places, editor.call(_aten.to.dtype, given, dtype))
    one = editor.constant(torch.ones(1, dtype=dtype))
    near = editor.call(_aten.sub.Tensor, one, editor.call(_aten.abs.default, apart))
    return editor.call(_aten.clamp.default, near, 0.0, 1.0)


_REWRITES: dict[Any, Callable[[GraphEditor, fx.Node], fx.Node | None]] = {
    _aten.layer_norm.default: _layer_norm,
    _aten.mean.dim: _reduce,
    _aten.sum.dim_IntList: _reduce,
    _aten.matmul.default: _matmul,
    _aten.select.int: _select,
    _aten.slice.Tensor: _slice,
    _aten.chunk.default: _split,
    _aten.split.Tensor: _split,
    _aten.stack.default: _stack,
    _aten.unsqueeze.default: _reshape,
    _aten.squeeze.dim: _reshape,
    _aten.flatten.using_ints: _reshape,
    _aten.view.default: _reshape,
    _aten.pow.Tensor_Scalar: _power,
    _aten.square.default: _power,
    _aten.rsub.Scalar: _minus_from,
    _aten.expand.default: _expand,
    _aten.dropout.default: _dropout,
    _aten.contiguous.default: _same,
    _aten.clone.default: _same,
    _aten.to.dtype: _to,
}
