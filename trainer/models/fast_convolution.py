"""Convolutions along time with two fifths of the products: Toom and Cook's, known as Winograd's.

Four numbers of a row and what they share with five weights are two polynomials, whose product is
known from its values at eight points. So four outputs take 8 products of channels where the plain
sum takes 20 ("Fast Algorithms for Convolutional Neural Networks", Lavin and Gray 2016, Sec. 4).
Rounding errors are ten times as large, 7e-6 of outputs of length 1, which is of no account where
gradients are noisy, but is where two networks are compared: so it is for training alone. A GPU's
own library does such things by itself; this is for the CPU, and takes three kernels that PyTorch
has. The weights' gradient stays the plain sum: there it gained nothing.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv2d_weight

KERNEL = 5
TILE = 4  # outputs at once
READ = TILE + KERNEL - 1  # inputs that they depend on, which is also the number of points
BEFORE = KERNEL // 2  # of these inputs, how many come before the first output
POINTS = (0, 1, -1, 2, -2, 0.5, -0.5)  # and infinity; of many tried, those with least rounding
ROWS_AT_ONCE = 8192  # so that what is between is still in the cache
MIN_ROWS, MIN_FRAMES, MIN_WIDTH = 4096, 64, 256  # below these it gains nothing


def along_time(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """What a convolution of kernel (1, k) makes of sequences: (N, T, C) to (N, T, D).

    Its stride is 1, and its padding keeps T.
    """
    if not _is_worth_it(conv, x):
        picture = x[:, None].permute(0, 3, 1, 2)  # (N, C, 1, T), channels last, not copied
        return conv(picture).permute(0, 2, 3, 1)[:, 0]
    n_frames = x.shape[1]
    whole_tiles = F.pad(x, (0, 0, 0, -n_frames % TILE)) if n_frames % TILE else x
    y = _AlongTime.apply(whole_tiles.contiguous(), conv.weight[:, :, 0], conv.bias)
    return y[:, :n_frames]


def _is_worth_it(conv: nn.Conv2d, x: Tensor) -> bool:
    return (
        conv.training
        and conv.kernel_size == (1, KERNEL)
        and x.device.type == "cpu"
        and x.dtype == conv.weight.dtype == torch.float32
        and x.shape[0] * x.shape[1] >= MIN_ROWS
        and x.shape[1] >= MIN_FRAMES
        and min(conv.in_channels, conv.out_channels) >= MIN_WIDTH
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


class _AlongTime(torch.autograd.Function):
    """``_convolved`` with its derivatives."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _convolved(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        grad_y = grads[0].contiguous()
        grad_x = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            grad_x = _convolved(grad_y, weight.flip(2).transpose(0, 1), None)
        if ctx.needs_input_grad[1]:
            grad_weight = _weight_gradient(grad_y, x, weight)
        if ctx.needs_input_grad[2]:
            grad_bias = grad_y.sum(dim=(0, 1))
        return grad_x, grad_weight, grad_bias


def _convolved(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """(N, T, C), T in whole tiles, weight (D, C, 5) and bias (D,) to (N, T, D)."""
    n_sequences, n_frames, _ = x.shape
    n_out = len(weight)
    of_tiles, of_weights, to_outputs = _transforms()
    # (8 D, C, 1, 1): of a convolution in 8 groups, a group for each point.
    at_points = torch.einsum("pk,dck->pdc", of_weights, weight).flatten(0, 1)[..., None, None]
    y = x.new_empty(n_sequences, n_frames, n_out)
    for part, part_y in zip(_portions(x), _portions(y), strict=True):
        values = _values_at_points(part, of_tiles)  # (n, 8, C)
        n = len(values)
        # As a picture of one line; with one thread oneDNN is faster with a line for each sequence.
        n_lines = 1 if torch.get_num_threads() > 1 else len(part)
        lines = values.view(n_lines, 1, n // n_lines, -1)
        products = F.conv2d(lines.permute(0, 3, 1, 2), at_points, groups=READ)
        products = products.permute(0, 2, 3, 1).view(n, READ, n_out)
        out = part_y.view(n, TILE, n_out)
        if bias is None:
            torch.bmm(to_outputs.expand(n, -1, -1), products, out=out)
        else:
            torch.baddbmm(bias, to_outputs.expand(n, -1, -1), products, out=out)
    return y


def _values_at_points(x: Tensor, of_tiles: Tensor) -> Tensor:
    """(N, T, C) to (N T / 4, 8, C): of each tile and the frames around it."""
    n_sequences, n_frames, width = x.shape
    n = n_sequences * n_frames // TILE
    values = x.new_empty(n, READ, width)
    # All sequences in a row, as views that overlap: wrong where a sequence begins and ends.
    tiles = x.view(-1, width)[TILE - BEFORE :].unfold(0, READ, TILE).transpose(1, 2)
    torch.bmm(of_tiles.expand(n - 2, -1, -1), tiles, out=values[1:-1])
    by_sequence = values.view(n_sequences, -1, READ, width)
    inside = READ - BEFORE  # frames of a first tile, and of a last one; the others are zeros
    first, last = of_tiles[:, BEFORE:], of_tiles[:, :inside]
    torch.bmm(first.expand(n_sequences, -1, -1), x[:, :inside], out=by_sequence[:, 0])
    torch.bmm(last.expand(n_sequences, -1, -1), x[:, -inside:], out=by_sequence[:, -1])
    return values


def _weight_gradient(grad_y: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """By the plain sum: (N, T, D), (N, T, C) and (D, C, 5) to (D, C, 5)."""
    of_x, of_y = (z[:, None].permute(0, 3, 1, 2) for z in (x, grad_y))
    shape = weight[:, :, None].shape
    return conv2d_weight(of_x, shape, of_y, padding=(0, BEFORE))[:, :, 0]


def _portions(x: Tensor) -> tuple[Tensor, ...]:
    return x.split(max(1, ROWS_AT_ONCE // x.shape[1]))


def _transforms() -> tuple[Tensor, Tensor, Tensor]:
    """(8, 8) for the inputs of a tile, (8, 5) for the weights, (4, 8) back to its outputs.

    With V the powers of the points, V^-T, the first columns of V, and their transpose: Lavin and
    Gray, Eq. 6, for any number of points. The weights' rows are made equally long.
    """
    powers = torch.tensor(POINTS, dtype=torch.float64)[:, None] ** torch.arange(READ)
    infinity = torch.zeros(1, READ, dtype=torch.float64)
    whole, of_outputs, of_weights = (
        torch.cat([powers[:, :n], infinity[:, :n].index_fill(1, torch.tensor(n - 1), 1)])
        for n in (READ, TILE, KERNEL)
    )
    length = of_weights.abs().sum(dim=1, keepdim=True)
    of_tiles = torch.linalg.inv(whole).T * length
    return of_tiles.float(), (of_weights / length).float(), of_outputs.T.float()
