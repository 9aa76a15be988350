"""Convolutions along time by fewer products: the same numbers, and in training alone."""

import copy

import pytest
import torch
from torch import nn

from fingerpost.trainer.models import fast_convolution
from fingerpost.trainer.models.fast_convolution import MIN_FRAMES, MIN_ROWS, MIN_WIDTH, along_time

N_SEQUENCES = MIN_ROWS // MIN_FRAMES


def of_width(n_in: int = MIN_WIDTH, n_out: int = MIN_WIDTH, bias: bool = True) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(n_in, n_out, (1, 5), padding=(0, 2), bias=bias)


def plainly(conv: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    return conv(x[:, None].permute(0, 3, 1, 2)).permute(0, 2, 3, 1)[:, 0]


def with_gradients(how, conv: nn.Conv2d, x: torch.Tensor) -> list[torch.Tensor]:
    given = x.clone().requires_grad_()
    y = how(conv, given)
    torch.manual_seed(1)
    y.backward(torch.randn(y.shape).to(y.dtype))
    return [y.detach(), given.grad, *(p.grad for p in conv.parameters())]


@pytest.mark.parametrize("n_frames", [MIN_FRAMES, MIN_FRAMES + 1, MIN_FRAMES + 2, MIN_FRAMES + 3])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_outputs_and_gradients_are_those_of_the_plain_sum(n_frames, n_threads, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: n_threads)
    conv = of_width(n_out=MIN_WIDTH + 16)
    x = torch.randn(N_SEQUENCES, n_frames, MIN_WIDTH)
    exact = with_gradients(plainly, copy.deepcopy(conv).double(), x.double())
    found = with_gradients(along_time, conv, x)
    assert not torch.equal(found[0], plainly(conv, x))  # it did go the other way
    for a, b in zip(found, exact, strict=True):
        assert (a - b).abs().max() < 2e-5 * b.abs().max()


def test_a_weight_of_one_at_each_frame_shifts_the_sequence():
    conv = of_width(bias=False)
    x = torch.randn(N_SEQUENCES, MIN_FRAMES, MIN_WIDTH)
    for k, shift in enumerate((2, 1, 0, -1, -2)):
        with torch.no_grad():
            conv.weight.zero_()[:, :, 0, k] = torch.eye(MIN_WIDTH)
        shifted = x.roll(shift, dims=1)
        shifted[:, : max(0, shift)] = 0
        shifted[:, MIN_FRAMES + min(0, shift) :] = 0
        assert torch.allclose(along_time(conv, x), shifted, atol=2e-5)


def test_portions_equal_all_at_once(monkeypatch):
    conv = of_width()
    x = torch.randn(N_SEQUENCES, MIN_FRAMES, MIN_WIDTH)
    at_once = with_gradients(along_time, copy.deepcopy(conv), x)
    monkeypatch.setattr(fast_convolution, "ROWS_AT_ONCE", 7 * MIN_FRAMES)  # the last one is smaller
    for a, b in zip(with_gradients(along_time, conv, x), at_once, strict=True):
        assert torch.allclose(a, b, atol=1e-5)


def test_it_is_the_plain_sum_where_that_is_as_fast_and_where_networks_are_compared():
    x = torch.randn(N_SEQUENCES, MIN_FRAMES, MIN_WIDTH)
    conv = of_width()
    for given in (x[1:], x[:, 1:]):
        assert torch.equal(along_time(conv, given), plainly(conv, given))
    narrow = of_width(MIN_WIDTH // 2, MIN_WIDTH // 2)
    half = x[..., ::2]
    assert torch.equal(along_time(narrow, half), plainly(narrow, half))
    assert torch.equal(along_time(conv.eval(), x), plainly(conv, x))
    assert along_time(conv.double().train(), x.double()).dtype == torch.float64
    conv.float()
    with torch.autocast("cpu", torch.bfloat16):
        assert along_time(conv, x).dtype == torch.bfloat16


def test_frozen_weights_still_let_gradients_through():
    conv = of_width().requires_grad_(False)
    x = torch.randn(N_SEQUENCES, MIN_FRAMES, MIN_WIDTH, requires_grad=True)
    along_time(conv, x).sum().backward()
    assert conv.weight.grad is None
    y = x.detach().clone().requires_grad_()
    plainly(conv, y).sum().backward()
    assert torch.allclose(x.grad, y.grad, atol=2e-5 * float(y.grad.abs().max()))
