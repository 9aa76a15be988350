"""Quantised numbers simulated in PyTorch: what a scheme costs, before any format is built.

    with fake_quantised(graphs, Scheme("int8")):
        loss = ...  # of the graphs, or of the model that they share their layers with

Weights are rounded to what a device would keep, and come back as floats. In int8 and int4 the
inputs of linear layers are rounded too, each row by its own range, as the devices' dynamic kernels
do; in int8-static those of linear layers and convolutions, by ranges that ``input_ranges`` saw.
What lies between two layers (sums, norms, softmax) stays float, which a static graph on a device
does not grant.

Gradients pass as if nothing were rounded (the straight-through estimator of "Estimating or
Propagating Gradients Through Stochastic Neurons", Bengio et al., 2013), so a training can learn to
live with it.
"""

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fingerpost.distill.scheme import Calibration, Scheme
from fingerpost.trainer.models.fast_linear import FastLinear, linear
from fingerpost.trainer.models.pocket_graphs import Graph

GROUP = 32  # weights of a row that share a scale, in int4
LANGUAGE_GRAPHS = ("read", "decode_step")  # whose linear layers are int4 where the scheme is
LIMITS = {"int8": (-127, 127), "int8-static": (-127, 127), "int4": (-8, 7)}  # of weights
INPUT_LIMITS = (-128, 127)
BITS = {"none": 32, "fp16": 16, "int8": 8, "int8-static": 8, "int4": 4}  # of a weight
SMALLEST = 1e-12  # scale, of a row of zeros
Ranges = Mapping[str, tuple[float, float]]
"""Of each layer, the least and the greatest number that comes in."""


def layers_of(graphs: Mapping[str, Graph]) -> dict[str, nn.Module]:
    """The layers that can be quantised, by the names of ``Scheme.keep``, in the order they run.

    Those that a run of the graphs comes through: a module may hold others, such as the table that
    T5's biases were made of. A layer of two graphs has a name in each. The name of a graph that is
    itself a layer is the graph's.
    """
    found: dict[str, nn.Module] = {}
    for graph_name, graph in graphs.items():
        hooks = []
        for name, layer in graph.module.named_modules():
            assert not isinstance(layer, _FAKES), f"{graph_name}.{name} is quantised already"
            if type(layer) in _FAKE_OF:
                full = f"{graph_name}.{name}".rstrip(".")
                note = functools.partial(_note, found, full)
                hooks.append(layer.register_forward_hook(note))
        try:
            _run(graph, graph.example)
        finally:
            for hook in hooks:
                hook.remove()
    return found


def kinds_of(layers: Mapping[str, nn.Module], scheme: Scheme) -> dict[str, str]:
    """The kind that each layer's numbers are kept in: "none" for those that the scheme keeps.

    layers : of ``layers_of``

    A layer of two graphs is kept under both names where one is to be. ValueError where the scheme
    keeps a layer that there is not.
    """
    unknown = sorted(scheme.keep - layers.keys())
    if unknown:
        raise ValueError(f"no layer {unknown[0]!r} to keep; there are {_few(list(layers))}")
    kept = {layers[name] for name in scheme.keep}
    kinds: dict[nn.Module, str] = {}
    for name, layer in layers.items():
        kinds.setdefault(layer, "none" if layer in kept else _kind_of(name, layer, scheme.kind))
    return {name: kinds[layer] for name, layer in layers.items()}


def bytes_of(layers: Mapping[str, nn.Module], scheme: Scheme) -> float:
    """About how many bytes the weights of the layers take, scales and biases left out."""
    weights = {id(layer): (layer, name) for name, layer in layers.items()}  # of two names, once
    kinds = kinds_of(layers, scheme)
    total = 0.0
    for layer, name in weights.values():
        assert isinstance(layer.weight, Tensor)
        total += layer.weight.numel() * BITS[kinds[name]] / 8
    return total


@contextmanager
def fake_quantised(
    graphs: Mapping[str, Graph], scheme: Scheme, ranges: Ranges | None = None
) -> Iterator[None]:
    """Inside, the layers of the graphs give what they would by the scheme; after, what they gave.

    ranges : for int8-static, of ``input_ranges``; without them each batch has its own

    A copy of the model made inside stays as it is inside.
    """
    changed = quantise(layers_of(graphs), scheme, ranges)
    try:
        yield
    finally:
        for layer, before in changed:
            layer.__class__ = before
            del layer.fake


def quantise(
    layers: Mapping[str, nn.Module], scheme: Scheme, ranges: Ranges | None = None
) -> list[tuple[Any, type[nn.Module]]]:
    """Makes the layers give what they would by the scheme; parameters and their names stay.

    Returns those that were changed, with the class that each one had.
    """
    changed: list[tuple[Any, type[nn.Module]]] = []
    for name, kind in kinds_of(layers, scheme).items():
        layer: Any = layers[name]
        if kind == "none" or isinstance(layer, _FAKES):  # by the name that it has in another graph
            continue
        changed.append((layer, type(layer)))
        layer.__class__ = _FAKE_OF[type(layer)]
        layer.fake = _Fake(kind, (ranges or {}).get(name))
    return changed


def input_ranges(
    graphs: Mapping[str, Graph], calibration: Calibration
) -> dict[str, tuple[float, float]]:
    """What comes into each linear layer and convolution when the graphs run on real inputs.

    ValueError where a graph has no inputs to run on.
    """
    layers = layers_of(graphs)
    ranges: dict[str, tuple[float, float]] = {}

    def watch(name: str, inputs: tuple[Tensor, ...]) -> None:
        low, high = ranges.get(name, (0.0, 0.0))  # 0 must be kept exactly: it is what is not there
        ranges[name] = (min(low, inputs[0].min().item()), max(high, inputs[0].max().item()))

    hooks = [
        layer.register_forward_pre_hook(lambda _, given, name=name: watch(name, given))
        for name, layer in layers.items()
        if not isinstance(layer, nn.Embedding)
    ]
    try:
        for name, graph in graphs.items():
            if not calibration.get(name):
                raise ValueError(f"no calibration inputs for the graph {name!r}: give real clips")
            for inputs in calibration[name]:
                _run(graph, inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return ranges


def round_weight(weight: Tensor, kind: str) -> Tensor:
    """(D, ...) as a device keeps it: a scale for each of D rows, or in int4 for each ``GROUP``."""
    if kind == "fp16":
        return weight.half().to(weight.dtype)
    rows = weight.reshape(-1, GROUP) if kind == "int4" else weight.flatten(1)
    return _round_rows(rows, *LIMITS[kind], symmetric=True).view_as(weight)


def round_input(x: Tensor, seen: tuple[float, float] | None, by_row: bool) -> Tensor:
    """x : (..., C), rounded to 8 bits, 0 to itself.

    seen : the range that all of it shares; None = its own, for each of its rows where ``by_row``
    """
    if x.numel() == 0:
        return x
    if seen is not None:
        low, high = seen
        return _round_to_range(x, low, high)
    rows = x.reshape(-1, x.shape[-1]) if by_row else x.reshape(1, -1)
    return _round_rows(rows, *INPUT_LIMITS, symmetric=False).view_as(x)


def _round_rows(rows: Tensor, lowest: int, highest: int, symmetric: bool) -> Tensor:
    """(N, C), each row by its own range, so that nothing is cut off.

    torchao's ``choose_qparams_affine`` finds the same scales, but loads for seconds.
    """
    found = rows.detach()
    low, high = found.amin(dim=1).clamp(max=0), found.amax(dim=1).clamp(min=0)
    if symmetric:
        scales = torch.maximum(low / lowest, high / highest).clamp(min=SMALLEST)
        zeros = torch.zeros_like(scales)
    else:
        scales = ((high - low) / (highest - lowest)).clamp(min=SMALLEST)
        zeros = (lowest - torch.round(low / scales)).clamp(lowest, highest)
    return torch.fake_quantize_per_channel_affine(
        rows, scales, zeros.to(torch.int32), 0, lowest, highest
    )


def _round_to_range(x: Tensor, low: float, high: float) -> Tensor:
    lowest, highest = INPUT_LIMITS
    scale = max((high - low) / (highest - lowest), SMALLEST)
    zero = lowest - round(low / scale)
    return torch.fake_quantize_per_tensor_affine(x, scale, zero, lowest, highest)


@dataclass(frozen=True)
class _Fake:
    """kind : of ``KINDS``; seen : range of the inputs, for int8-static"""

    kind: str
    seen: tuple[float, float] | None

    def weight(self, weight: Tensor) -> Tensor:
        return round_weight(weight, self.kind)

    def input(self, x: Tensor, by_row: bool) -> Tensor:
        """by_row : as a linear layer has it; a convolution's input is rounded in int8-static"""
        if self.kind == "int8-static":
            return round_input(x, self.seen, by_row=False)
        return round_input(x, None, by_row) if by_row and self.kind != "fp16" else x


class _FakeLinear(nn.Linear):
    fake: _Fake

    def forward(self, input: Tensor) -> Tensor:  # the parent's name for it
        return linear(self.fake.input(input, by_row=True), self.fake.weight(self.weight), self.bias)


class _FakeConv1d(nn.Conv1d):
    fake: _Fake

    def forward(self, input: Tensor) -> Tensor:
        x = self.fake.input(input, by_row=False)
        return self._conv_forward(x, self.fake.weight(self.weight), self.bias)


class _FakeEmbedding(nn.Embedding):
    fake: _Fake

    def forward(self, input: Tensor) -> Tensor:
        rows = super().forward(input)  # each has a scale of its own: no need to round all of them
        return self.fake.weight(rows.flatten(0, -2)).view_as(rows)


# By class, not by isinstance: a subclass that computes something of its own is left alone.
_FAKE_OF: dict[type[nn.Module], type[nn.Module]] = {
    nn.Linear: _FakeLinear,
    FastLinear: _FakeLinear,
    nn.Conv1d: _FakeConv1d,
    nn.Embedding: _FakeEmbedding,
}
_FAKES = (_FakeLinear, _FakeConv1d, _FakeEmbedding)


def _note(found: dict[str, nn.Module], name: str, layer: nn.Module, *_: Any) -> None:
    found.setdefault(name, layer)


def _kind_of(name: str, layer: nn.Module, kind: str) -> str:
    if kind != "int4":
        return kind
    of_language = name.partition(".")[0] in LANGUAGE_GRAPHS
    fits = isinstance(layer, nn.Linear) and layer.in_features % GROUP == 0
    return "int4" if of_language and fits else "int8"


@torch.no_grad()
def _run(graph: Graph, inputs: tuple[Tensor, ...]) -> None:
    graph.module.eval()(*inputs)


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
