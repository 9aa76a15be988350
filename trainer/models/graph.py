"""Graph convolutions over keypoints, for the pose encoders of Uni-Sign and those who share it.

After ST-GCN (Yan et al., 2018) with the distance partition and an adaptive adjacency: a keypoint
hears itself by one weight matrix and its neighbours by another. The numbers are those of the usual
formulation (1x1 ``Conv2d`` over (B, C, T, K), then an einsum); what differs is how they are made.
Activations are kept as (K, B, T, C), keypoints first and channels last:

- the keypoints are mixed by one matrix product over all frames at once, with nothing transposed;
- C stays innermost, so every 1x1 and temporal convolution is a dense kernel, with time as the
  picture's width (oneDNN reaches twice the speed of a kernel that is 5 high and 1 wide);
- keypoints are mixed before the channels are (fewer channels), and mixed again in the backward
  pass instead of being kept, so memory holds one tensor per graph convolution, not four.
"""

import math
from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv2d_weight

from fingerpost.trainer.models.batch_norm import normalised
from fingerpost.trainer.models.fast_convolution import along_time
from fingerpost.trainer.models.fast_linear import product

N_SUBSETS = 2  # of the distance partition: the keypoint itself, and its neighbours
ROWS_AT_ONCE = 8192  # of C numbers: 8 MB at the greatest width


def distance_partition(n_points: int, edges: Iterable[tuple[int, int]]) -> Tensor:
    """Shape (2, K, K): who is heard by whom; ``[s, k, l]`` is the share of k in what l hears.

    Each keypoint hears the mean of itself and its neighbours (ST-GCN, Sec. 3.3, distance
    partition, one hop); subset 0 is its own share, subset 1 that of the neighbours.
    """
    heard = torch.eye(n_points)
    for a, b in edges:
        heard[a, b] = heard[b, a] = 1
    heard = heard / heard.sum(dim=0)
    own = torch.diag(heard.diagonal())
    return torch.stack([own, heard - own])


def pointwise(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """(K, B, T, C), weight (D, C) and bias (D,) to (K, B, T, D).

    A matrix product. On the CPU it is asked for as a 1x1 convolution: that goes to oneDNN, which
    made 220 GFLOP/s on one core of an AMD EPYC where ``F.linear`` made 70.
    """
    if x.device.type != "cpu":
        return F.linear(x, weight, bias)
    return _as_frames(F.conv2d(_as_picture(x), weight[:, :, None, None], bias), x)


def graph_convolution(x: Tensor, adjacency: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """y_l = sum over s, k of A[s, k, l] (W_s x_k + b_s).

    x : shape (K, B, T, C), contiguous
    adjacency : shape (2, K, K)
    weight, bias : shape (2, D, C) and (2, D)

    Returns shape (K, B, T, D).
    """
    if torch.compiler.is_compiling():
        return _mix_and_weigh(x, adjacency, weight, bias)  # derivatives by autograd
    device = x.device.type
    given: list[Tensor] = [x, adjacency, weight, bias]
    if torch.is_autocast_enabled(device):
        # Each is rounded once; asked for one product at a time, autocast would round x for each.
        given = [tensor.to(torch.get_autocast_dtype(device)) for tensor in given]
    with torch.autocast(device, enabled=False):
        return _GraphConvolution.apply(*given)


class GraphConvolution(nn.Module):
    """A graph convolution with an adjacency that learns, batch normalisation and ReLU."""

    def __init__(self, adjacency: Tensor, n_in: int, n_out: int) -> None:
        super().__init__()
        self.adjacency = nn.Parameter(adjacency.clone())
        self.weight = nn.Parameter(torch.empty(N_SUBSETS, n_out, n_in))
        self.bias = nn.Parameter(torch.empty(N_SUBSETS, n_out))
        self.norm = nn.BatchNorm1d(n_out)
        bound = 1 / math.sqrt(n_in)  # what Conv2d starts with
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        y = graph_convolution(x, self.adjacency, self.weight, self.bias)
        return normalised(self.norm, y, then_relu=True)


class GraphBlock(nn.Module):
    """A graph convolution, a temporal convolution where kernel > 1, and a residual; then ReLU."""

    def __init__(self, adjacency: Tensor, n_in: int, n_out: int, kernel: int = 1) -> None:
        super().__init__()
        self.graph = GraphConvolution(adjacency, n_in, n_out)
        self.temporal: nn.Conv2d | None = None
        self.residual: nn.Linear | None = None
        if kernel > 1:
            self.temporal = nn.Conv2d(n_out, n_out, (1, kernel), padding=(0, kernel // 2))
            self.temporal_norm = nn.BatchNorm1d(n_out)
        if n_in != n_out:
            self.residual = nn.Linear(n_in, n_out)
            nn.init.kaiming_uniform_(self.residual.weight, a=math.sqrt(5))
            self.residual_norm = nn.BatchNorm1d(n_out)

    def forward(self, x: Tensor) -> Tensor:
        """(K, B, T, C) to (K, B, T, D)."""
        y = self.graph(x)
        if self.residual is not None:
            x = pointwise(x, self.residual.weight, self.residual.bias)
            if self.temporal is None:
                return normalised(self.residual_norm, x, plus=y, then_relu=True)
            x = normalised(self.residual_norm, x)
        if self.temporal is None:
            return (y + x).relu_()
        y = along_time(self.temporal, y.flatten(0, 1)).unflatten(0, y.shape[:2])
        return normalised(self.temporal_norm, y, plus=x, then_relu=True)


class _GraphConvolution(torch.autograd.Function):
    """``_mix_and_weigh`` some frames at a time; it keeps x alone, and mixes again backwards."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, adjacency: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, adjacency, weight, bias)
        y = x.new_empty(*x.shape[:3], weight.shape[1])
        heard = (adjacency.sum(dim=1).T @ bias)[:, None]  # (K, 1, D)
        mixing = _mixing(adjacency)
        for frames in _portions(x):
            part = x.flatten(1, 2)[:, frames].contiguous()  # (K, n, C)
            mixed = product(mixing, part.flatten(1).T).view(N_SUBSETS, -1, x.shape[-1])
            weighed = _weighed(mixed, weight).view(*part.shape[:2], -1)
            torch.add(weighed, heard, out=y.flatten(1, 2)[:, frames])
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
        x, adjacency, weight, bias = ctx.saved_tensors
        grad_x = torch.empty_like(x)
        # Sums over clips: of float32, also where the rest has half the precision.
        kind = torch.promote_types(x.dtype, torch.float32)
        grad_mixing = torch.zeros(N_SUBSETS * len(x), len(x), dtype=kind, device=x.device)
        grad_weight = torch.zeros_like(weight, dtype=kind)
        of_keypoints = torch.zeros(len(x), weight.shape[1], dtype=kind, device=x.device)
        mixing = _mixing(adjacency)
        for frames in _portions(x):
            part, grad_y = (z.flatten(1, 2)[:, frames].contiguous() for z in (x, grads[0]))
            of_keypoints += grad_y.sum(dim=1)
            flat = part.flatten(1)  # (K, n C)
            mixed = product(mixing, flat.T).view(N_SUBSETS, -1, x.shape[-1])
            grad_weighed = grad_y.flatten(0, 1)  # (K n, D)
            for s in range(N_SUBSETS):
                grad_weight[s] += _weight_gradient(grad_weighed, mixed[s], weight[s])
            grad_mixed = _mixed_gradient(grad_weighed, weight).view(len(mixing), -1)
            grad_mixing += product(grad_mixed, flat)
            grad_x.flatten(1, 2)[:, frames] = product(mixing.T, grad_mixed.T).view_as(part)
        # (2 K, K): s, l, k
        grad_adjacency = grad_mixing.view_as(adjacency).transpose(1, 2).contiguous()
        heard = adjacency.sum(dim=1).to(kind)  # (2, K)
        grad_adjacency += (bias.to(kind) @ of_keypoints.T)[:, None]  # all k alike: through heard
        grad_bias = heard @ of_keypoints
        return (
            grad_x,
            grad_adjacency.to(adjacency.dtype),
            grad_weight.to(weight.dtype),
            grad_bias.to(bias.dtype),
        )


def _portions(x: Tensor) -> list[slice]:
    """Frames of (K, B, T, C), of all clips in a row, that are worked on at once.

    On the CPU few enough for the cache, whose memory is then used again; fresh memory for all
    frames at once costs as much time as half of the arithmetic. A GPU takes all.
    """
    k, n = len(x), x.shape[1] * x.shape[2]
    n_portions = max(1, math.ceil(k * n / ROWS_AT_ONCE)) if x.device.type == "cpu" else 1
    step = max(1, math.ceil(n / n_portions))
    return [slice(begin, begin + step) for begin in range(0, n, step)]


def _mixing(adjacency: Tensor) -> Tensor:
    """(2, K, K) to (2 K, K), which mixes the keypoints for both subsets in one product."""
    return adjacency.transpose(1, 2).flatten(0, 1)


def _as_convolutions(x: Tensor) -> bool:
    """Whether products are asked for as convolutions: oneDNN's, on the CPU, are the faster ones."""
    return x.device.type == "cpu"


def _weighed(mixed: Tensor, weight: Tensor) -> Tensor:
    """sum over s of mixed_s W_s^T: (2, N, C) and (2, D, C) to (N, D).

    On the CPU as a convolution of a picture of two lines, which is one sum and no tensor between.
    """
    if not _as_convolutions(mixed):
        own, neighbours = (product(mixed[s], weight[s]) for s in range(N_SUBSETS))
        return own + neighbours
    return F.conv2d(_as_lines(mixed), _two_lines_high(weight))[0, :, 0].T


def _mixed_gradient(grad_y: Tensor, weight: Tensor) -> Tensor:
    """Of ``_weighed``: (N, D) and weight (2, D, C) to (2, N, C)."""
    if not _as_convolutions(grad_y):
        return torch.stack([product(grad_y, weight[s].T) for s in range(N_SUBSETS)])
    gradient = F.conv_transpose2d(_as_lines(grad_y[None]), _two_lines_high(weight))
    return gradient[0].permute(1, 2, 0).contiguous()


def _weight_gradient(grad_y: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """Of y = x W^T: (N, D) and (N, C), contiguous, and (D, C), to (D, C).

    With threads on the CPU it is asked for as a convolution's: a matrix product would first turn
    grad_y around, which PyTorch does with one thread.
    """
    if not _as_convolutions(x) or x.dtype != torch.float32 or torch.get_num_threads() == 1:
        return product(grad_y.T, x.T)
    shape = (*weight.shape, 1, 1)
    return conv2d_weight(_as_lines(x[None]), shape, _as_lines(grad_y[None])).view_as(weight)


def _mix_and_weigh(x: Tensor, adjacency: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """sum over s of W_s (A_s^T x) + heard_s b_s: (K, B, T, C) to (K, B, T, D)."""
    flat = x.reshape(len(x), -1)  # (K, B T C)
    own, neighbours = (
        F.linear((adjacency[s].T @ flat).view(x.shape), weight[s]) for s in range(N_SUBSETS)
    )
    heard = adjacency.sum(dim=1)  # (2, K): how much of b_s each keypoint hears
    return own + neighbours + (heard.T @ bias)[:, None, None]


def _as_lines(x: Tensor) -> Tensor:
    """(H, N, C), contiguous, as a picture (1, C, H, N) in channels-last order."""
    return x[None].permute(0, 3, 1, 2)


def _two_lines_high(weight: Tensor) -> Tensor:
    """(2, D, C) as the weights (D, C, 2, 1) of a convolution."""
    return weight.permute(1, 2, 0)[..., None]


def _as_picture(x: Tensor) -> Tensor:
    """(K, B, T, C) as (K B, C, 1, T) in channels-last order, without copying."""
    k, b, t, c = x.shape
    return x.reshape(k * b, 1, t, c).permute(0, 3, 1, 2)


def _as_frames(picture: Tensor, like: Tensor) -> Tensor:
    """(K B, C, 1, T) back to (K, B, T, C), contiguous; K, B and T are those of ``like``."""
    return picture.permute(0, 2, 3, 1).reshape(*like.shape[:3], picture.shape[1])
