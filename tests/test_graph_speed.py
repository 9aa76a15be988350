"""What makes Uni-Sign's step fast leaves its numbers alone: linear layers, lookups, portions."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fingerpost.trainer.models import graph
from fingerpost.trainer.models.fast_embedding import read_tokens
from fingerpost.trainer.models.fast_linear import MIN_ROWS, FastLinear, fast_linears
from fingerpost.trainer.models.graph import graph_convolution
from fingerpost.trainer.models.uni_sign import UniSign, UniSignConfig

TINY_T5 = {
    **{"model_type": "mt5", "vocab_size": 300, "d_model": 32, "d_kv": 8, "d_ff": 64},
    **{"num_layers": 2, "num_decoder_layers": 2, "num_heads": 4, "dropout_rate": 0.0},
}


@pytest.mark.parametrize("n_rows", [1, MIN_ROWS, 3 * MIN_ROWS])
@pytest.mark.parametrize("bias", [False, True])
def test_a_fast_linear_layer_equals_a_linear_layer(n_rows, bias):
    torch.manual_seed(0)
    plain = nn.Linear(24, 40, bias=bias)
    fast = copy.deepcopy(plain)
    fast_linears(fast)
    assert type(fast) is FastLinear and fast.state_dict().keys() == plain.state_dict().keys()
    x = torch.randn(2, n_rows, 24)
    of_x = []
    for layer in (plain, fast):
        given = x.clone().requires_grad_()
        y = layer(given)
        (y * torch.arange(40)).sum(dim=-1).sum().backward()
        of_x.append((y, given.grad, *(p.grad for p in layer.parameters())))
    for expected, found in zip(*of_x, strict=True):
        assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_a_fast_linear_layer_takes_half_precision_other_types_and_frozen_weights():
    layer = FastLinear(24, 40)
    x = torch.randn(MIN_ROWS, 24)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16
    assert layer.double()(x.double()).dtype == torch.float64
    layer.float().requires_grad_(False)
    x.requires_grad_()
    layer(x).sum().backward()  # a gradient without memory of its own: one number, seen many times
    assert torch.allclose(x.grad, layer.weight.sum(dim=0).expand_as(x), atol=1e-5)
    assert layer.weight.grad is None


def test_adapters_see_fast_linear_layers_as_linear_ones():
    peft = pytest.importorskip("peft")
    model = UniSign(UniSignConfig(TINY_T5)).language_model
    adapted = peft.get_peft_model(model, peft.LoraConfig(target_modules=["q", "v"], r=2))
    ids = torch.randint(3, 300, (4, 40))
    adapted(input_ids=ids, labels=ids).loss.backward()
    grads = [p.grad for name, p in adapted.named_parameters() if "lora_B" in name]
    assert len(grads) == 12 and all(grad.abs().sum() > 0 for grad in grads)


@pytest.mark.parametrize("tied", [True, False])
def test_lookups_that_share_the_output_matrix_give_one_full_gradient(tied):
    torch.manual_seed(0)
    model = UniSign(UniSignConfig(TINY_T5, tied=tied)).language_model
    ids, labels = torch.tensor([[3, 4, 3, 1]]), torch.tensor([[5, 3, 1]])
    answers = model.prepare_decoder_input_ids_from_labels(labels)
    read = {
        "fast": lambda ids: read_tokens(model, ids),
        "plain": model.get_input_embeddings(),
    }
    grads = {}
    for how, words in read.items():
        model.zero_grad()
        logits = model(inputs_embeds=words(ids), decoder_inputs_embeds=words(answers)).logits
        F.cross_entropy(logits[0], labels[0]).backward()
        grads[how] = model.shared.weight.grad
    assert grads["fast"].layout == torch.strided
    assert torch.allclose(grads["fast"], grads["plain"], rtol=1e-5, atol=1e-6)
    assert (model.lm_head.weight is model.shared.weight) == tied


def test_frames_in_portions_equal_frames_at_once(monkeypatch):
    torch.manual_seed(0)
    shapes = ((3, 5, 4, 6), (2, 3, 3), (2, 7, 6), (2, 7))
    inputs = [torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    found = []
    for rows in (1, 3 * 7, 1000):  # one frame, seven (the last portion is smaller), all 20
        monkeypatch.setattr(graph, "ROWS_AT_ONCE", rows)
        y = graph_convolution(*inputs)
        found.append([y, *torch.autograd.grad((y**2).sum(), inputs)])
    for portions in found[:2]:
        for part, whole in zip(portions, found[2], strict=True):
            assert torch.allclose(part, whole)
    monkeypatch.setattr(graph, "ROWS_AT_ONCE", 24)
    assert torch.autograd.gradcheck(graph_convolution, inputs)


@pytest.mark.parametrize("by_products", [False, True])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_every_way_to_the_products_gives_the_same(by_products, n_threads, monkeypatch):
    """As convolutions and, as on a GPU, as matrix products; with threads and without."""
    torch.manual_seed(0)
    shapes = ((3, 5, 4, 6), (2, 3, 3), (2, 7, 6), (2, 7))
    inputs = [torch.randn(*shape, requires_grad=True) for shape in shapes]
    y = graph._mix_and_weigh(*inputs)
    expected = [y, *torch.autograd.grad((y**2).sum(), inputs)]
    monkeypatch.setattr(torch, "get_num_threads", lambda: n_threads)
    if by_products:
        monkeypatch.setattr(graph, "_as_convolutions", lambda x: False)
    y = graph_convolution(*inputs)
    for a, b in zip([y, *torch.autograd.grad((y**2).sum(), inputs)], expected, strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-4)
