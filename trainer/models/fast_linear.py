"""Matrix products by the fastest library there is on a CPU.

PyTorch gives float32 products on the CPU to MKL, which on AMD's processors makes about 80 GFLOP/s
on a core where oneDNN makes 200. PyTorch brings oneDNN's product along, as an operator that its own
compiler uses; what it lacks is a derivative, and that is here. All else (GPUs, other types, few
rows, a graph that is being compiled or exported) stays ``F.linear``.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MIN_ROWS = 64  # below this, as when a text is generated, the set-up costs more than it saves
HAS_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def product(x: Tensor, weight: Tensor) -> Tensor:
    """x W^T without a derivative: (N, C) and (D, C) to (N, D). Either may be a transposed view."""
    if HAS_ONEDNN and x.device.type == "cpu" and x.dtype == weight.dtype == torch.float32:
        return torch.ops.mkldnn._linear_pointwise(x, weight, None, "none", [], "")
    return F.linear(x, weight)


class FastLinear(nn.Linear):
    """``nn.Linear`` with the same parameters, names and results."""

    def forward(self, input: Tensor) -> Tensor:  # the parent's name for it
        return linear(input, self.weight, self.bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x W^T + b with derivatives: (..., C), (D, C) and (D,) to (..., D)."""
    if not _is_worth_it(x, weight):
        return F.linear(x, weight, bias)
    y = _Linear.apply(x.reshape(-1, x.shape[-1]), weight)
    if bias is not None:
        y = y + bias
    return y.view(*x.shape[:-1], weight.shape[0])


def fast_linears(module: nn.Module) -> None:
    """Make every linear layer of a module, or of its children, a ``FastLinear``, in place.

    Parameters, their names and hooks stay. Subclasses of ``nn.Linear`` are left alone: they have
    a way of their own.
    """
    for layer in module.modules():
        if type(layer) is nn.Linear:
            layer.__class__ = FastLinear


def _is_worth_it(x: Tensor, weight: Tensor) -> bool:
    return (
        HAS_ONEDNN
        and x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and x.numel() >= MIN_ROWS * x.shape[-1]
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


class _Linear(torch.autograd.Function):
    """``product`` with its derivatives."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return product(x, weight)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        grad_y = grads[0].contiguous()
        grad_x = product(grad_y, weight.T) if ctx.needs_input_grad[0] else None
        grad_weight = product(grad_y.T, x.T) if ctx.needs_input_grad[1] else None
        return grad_x, grad_weight
