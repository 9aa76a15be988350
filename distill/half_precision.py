"""Whether arithmetic in 16 bits can hold what goes through a network's norms.

A norm takes the mean of squares. float16 ends at 65504, so of a number above 255.9 the square is
infinite, and what comes out is 0 or not a number. A pack that is run here is compared with the
network in any case (``verify``); this finds it also for a format that no machine here runs.
"""

import functools
import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from fingerpost.distill.scheme import Calibration
from fingerpost.trainer.models.pocket_graphs import Graph

LARGEST = math.sqrt(torch.finfo(torch.float16).max)  # 255.94: what can still be squared
HALF = {  # format: the kinds whose arithmetic is in 16 bits, not the weights alone
    "coreml": ("fp16", "int8", "int4"),
    "executorch": ("fp16",),
}


def half_precision_warning(
    format: str, kind: str, graphs: Mapping[str, Graph], calibration: Callable[[], Calibration]
) -> str:
    """One line where a norm is given what 16 bits cannot square; "" where all fits, or arithmetic
    is not in 16 bits.

    calibration : gives inputs of each graph, as real clips make them; asked only where need be
    """
    if kind not in HALF.get(format, ()):
        return ""
    found = largest_squared(graphs, calibration())
    over = {name: value for name, value in found.items() if not value <= LARGEST}
    if not over:
        return ""
    worst = max(over, key=lambda name: math.inf if math.isnan(over[name]) else over[name])
    return (
        f"{len(over)} of {len(found)} norms square numbers up to {over[worst]:.0f} ({worst}), "
        f"float16 can square {LARGEST:.0f} at the most: check on a device, or keep to float32"
    )


def largest_squared(graphs: Mapping[str, Graph], calibration: Calibration) -> dict[str, float]:
    """The largest number that each norm squares, by graph and module: "encode.blocks.0.norm"."""
    largest: dict[str, float] = {}  # NaN where it is none

    def watch(name: str, layer: nn.Module, given: tuple[Tensor, ...]) -> None:
        x = given[0].detach()
        if isinstance(layer, nn.LayerNorm):  # its mean is gone by then
            x = x - x.mean(-1, keepdim=True)
        if x.numel():
            now, before = x.abs().max().item(), largest.get(name, 0.0)
            largest[name] = before if before >= now or math.isnan(before) else now

    hooks = [
        layer.register_forward_pre_hook(
            functools.partial(watch, f"{graph_name}.{name}".rstrip("."))
        )
        for graph_name, graph in graphs.items()
        for name, layer in graph.module.named_modules()
        if _is_norm(layer)
    ]
    try:
        with torch.no_grad():
            for name, graph in graphs.items():
                for inputs in calibration.get(name, ()):
                    graph.module.eval()(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return largest


def _is_norm(layer: nn.Module) -> bool:
    """Also T5's, which transformers has a class of its own for. A batch norm squares nothing once
    it has learned."""
    return isinstance(layer, nn.LayerNorm | nn.GroupNorm | nn.RMSNorm) or type(
        layer
    ).__name__.endswith(("LayerNorm", "RMSNorm"))
