"""T5's activation as one operator: the same numbers, the same derivative, the same export."""

import torch
from torch import nn
from transformers.activations import NewGELUActivation

from fingerpost.trainer.models.fast_gelu import FastGelu, fast_gelus
from fingerpost.trainer.models.uni_sign import UniSign, UniSignConfig

TINY = {
    "model_type": "mt5",
    **{"d_model": 16, "d_kv": 8, "d_ff": 16, "num_heads": 2, "vocab_size": 20},
    **{"num_layers": 1, "num_decoder_layers": 1, "pad_token_id": 0, "eos_token_id": 1},
}


def test_values_and_derivatives_are_those_of_transformers() -> None:
    x = torch.linspace(-12, 12, 2001, dtype=torch.float64).requires_grad_()
    ours, theirs = FastGelu()(x), NewGELUActivation()(x)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    weights = torch.randn(2001, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    (mine,) = torch.autograd.grad((ours * weights).sum(), x)
    (other,) = torch.autograd.grad((theirs * weights).sum(), x)
    torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-12)
    assert FastGelu()(torch.tensor([0.0, 1.0])).tolist() == [0.0, 0.8411920070648193]


def test_an_exported_graph_has_the_operators_that_all_backends_know() -> None:
    graph = torch.export.export(FastGelu(), (torch.randn(3, 4),)).graph
    targets = {str(node.target) for node in graph.nodes}
    assert "aten.gelu.default" not in targets and "aten.tanh.default" in targets


def test_a_uni_sign_has_no_slow_one_and_all_else_is_left_alone() -> None:
    torch.manual_seed(0)
    model = UniSign(UniSignConfig(TINY, pose_widths=(4, 4, 8, 8)))
    kinds = [type(layer) for layer in model.modules()]
    assert kinds.count(FastGelu) == 2 and NewGELUActivation not in kinds
    plain = nn.Sequential(nn.GELU(), NewGELUActivation(), nn.ReLU())
    fast_gelus(plain)
    assert [type(layer) for layer in plain] == [nn.GELU, FastGelu, nn.ReLU]
