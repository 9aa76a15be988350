"""Batch normalisation of (K, B, T, C), whose statistics are those of the batch of all processes.

PyTorch's ``SyncBatchNorm`` works on GPUs alone. Here two processes with half a batch each, on
whatever device, compute what one process with all of it computes: outputs, gradients and running
averages. As with ``SyncBatchNorm``, the gradients of weight and bias are each process's own share:
``DistributedDataParallel`` brings them together.
"""

from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn


def normalised(
    norm: nn.BatchNorm1d, x: Tensor, plus: Tensor | None = None, then_relu: bool = False
) -> Tensor:
    """Batch normalisation of (K, B, T, C) over all but the channels, and over all processes.

    plus : of x's shape, what is added then, before the ReLU.

    In training every process has to come here equally often; batches may differ in size.
    """
    flat = x.reshape(-1, x.shape[-1])
    if norm.training and _n_processes() > 1:
        flat = _normalised_together(norm, flat)
    else:
        flat = norm(flat)
    # Both before the view: of a change in place of a view, autograd makes two more copies.
    if plus is not None:
        flat += plus.reshape(flat.shape)
    return (flat.relu_() if then_relu else flat).view(x.shape)


def _n_processes() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def _normalised_together(norm: nn.BatchNorm1d, x: Tensor) -> Tensor:
    """(N, C), N differing between processes, to (N, C); moves the running averages."""
    mean, variance, n = _statistics_of_all(x)
    if norm.running_mean is not None and norm.running_var is not None:
        assert norm.num_batches_tracked is not None
        norm.num_batches_tracked.add_(1)
        momentum = norm.momentum  # None asks for the plain mean over all batches so far
        share = 1 / int(norm.num_batches_tracked) if momentum is None else momentum
        norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), share)
        unbiased = variance * n / (n - 1)  # as BatchNorm keeps it
        norm.running_var.lerp_(unbiased.to(norm.running_var.dtype), share)
    return _Normalise.apply(x, norm.weight, norm.bias, mean, variance, n, norm.eps)


@torch.no_grad()
def _statistics_of_all(x: Tensor) -> tuple[Tensor, Tensor, int]:
    """Mean (C,), variance (C,) and number of the rows of all processes, from this one's (N, C)."""
    kind = torch.promote_types(x.dtype, torch.float32)
    mean, variance = (torch.zeros(x.shape[1], dtype=kind, device=x.device) for _ in range(2))
    mean, variance = torch.batch_norm_update_stats(x, mean, variance, 1.0)
    mine = torch.cat([mean, variance, mean.new_tensor([len(x)])])
    all_of_them = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
    dist.all_gather(all_of_them, mine)
    table = torch.stack(all_of_them)
    means, variances = table[:, : len(mean)], table[:, len(mean) : -1]
    n = int(table[:, -1].double().sum())
    shares = table[:, -1:] / n
    mean = (shares * means).sum(dim=0)
    # Around the mean of all: sums of squares around 0 would lose digits where the mean is large.
    variance = (shares * (variances + (means - mean).square())).sum(dim=0)
    return mean, variance, n


class _Normalise(torch.autograd.Function):
    """(x - mean) / deviation * weight + bias, where mean and deviation are functions of every x."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        mean: Tensor,
        variance: Tensor,
        n: int,
        eps: float,
    ) -> Tensor:
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.n, ctx.eps = n, eps
        return F.batch_norm(x, mean, variance, weight, bias, training=False, eps=eps)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, variance = ctx.saved_tensors
        # With mean and variance held fixed; what they add is sums over the rows of all processes.
        grad_x, grad_weight, grad_bias = torch.ops.aten.native_batch_norm_backward(
            grads[0].contiguous(),
            x,
            weight,
            mean,
            variance,
            None,
            None,
            False,
            ctx.eps,
            [True, True, True],
        )
        sums = torch.stack([grad_weight, grad_bias]).to(mean.dtype)
        dist.all_reduce(sums)
        over_deviation = (variance + ctx.eps).rsqrt()
        # dx -= w / deviation * (sum(dy) + z sum(dy z)) / n, with z = (x - mean) / deviation
        outer = -weight * over_deviation / ctx.n
        slope = outer * over_deviation * sums[0]
        offset = outer * sums[1] - slope * mean
        grad_x.add_(offset.to(x.dtype)).addcmul_(x, slope.to(x.dtype))
        return grad_x, grad_weight, grad_bias, None, None, None, None
