"""Numbers as a device keeps them, worked out by hand; and a network that is what it was after."""

import copy
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from fingerpost.distill.fake_quant import (
    fake_quantised,
    input_ranges,
    kinds_of,
    layers_of,
    round_input,
    round_weight,
)
from fingerpost.distill.scheme import Scheme
from fingerpost.trainer.models.pocket_graphs import Graph


class Toy(nn.Module):
    """A convolution, a linear layer, and one that never runs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv1d(2, 4, 3, padding=1, groups=2)
        self.linear = nn.Linear(4, 3)
        self.idle = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.conv(x).transpose(1, 2))


def graph_of(module: nn.Module, *example: Tensor) -> Graph:
    return Graph(module.eval(), example, ("x",), ("y",))


def toy() -> tuple[Toy, dict[str, Graph], Tensor]:
    torch.manual_seed(1)
    module, x = Toy(), torch.randn(2, 2, 5)
    return module, {"toy": graph_of(module, x)}, x


def linear(*weight: list[float]) -> nn.Linear:
    layer = nn.Linear(len(weight[0]), len(weight), bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight))
    return layer


@torch.no_grad()
def run(module: nn.Module, x: Tensor) -> Tensor:
    return module(x)


def test_a_weight_in_8_bits_has_a_scale_for_each_row() -> None:
    weight = torch.tensor([[1.27, -0.504, 0.004], [0.0127, 0.0, -0.00504], [0.0, 0.0, 0.0]])
    wanted = [[1.27, -0.50, 0.0], [0.0127, 0.0, -0.005], [0.0, 0.0, 0.0]]
    got = round_weight(weight, "int8")
    assert got.tolist() == [pytest.approx(row, abs=1e-7) for row in wanted]
    by_channel = weight.reshape(3, 1, 3)  # as a convolution has it
    assert torch.equal(round_weight(by_channel, "int8-static"), got.reshape(3, 1, 3))


def test_a_weight_in_4_bits_has_a_scale_for_each_32_of_a_row() -> None:
    """Scales are 1 and 0.5: by 7, the greatest, and by 8, the least."""
    row = torch.zeros(64)
    row[:3] = torch.tensor([7.0, -2.4, 2.6])
    row[32:36] = torch.tensor([-4.0, 3.3, 0.3, 0.2])
    got = round_weight(row[None], "int4")[0]
    assert got[:3].tolist() == [7, -2, 3]
    assert got[32:36].tolist() == [-4, 3.5, 0.5, 0]
    assert not got[3:32].any() and not got[36:].any()


def test_a_weight_in_16_bits() -> None:
    weight = torch.tensor([[1.0 + 2**-12, 1.0 + 2**-10, 7e4]])  # 10 bits behind the point
    assert round_weight(weight, "fp16").tolist() == [[1.0, 1.0 + 2**-10, float("inf")]]


def test_an_input_has_a_range_for_each_row_or_the_one_that_was_seen() -> None:
    x = torch.tensor([[0.0, 2.55, 1.234], [-25.5, 0.0, -12.34]])
    by_row = [[0.0, 2.55, 1.23], [-25.5, 0.0, -12.3]]
    assert round_input(x, None, True).tolist() == [pytest.approx(row) for row in by_row]
    # From -25.5 to 2.55 in steps of 0.11: 0 stays 0, and so does what is next to it.
    whole = round_input(x, None, False)
    assert whole[0].tolist() == pytest.approx([0.0, 2.53, 1.21])
    assert torch.equal(whole, round_input(x, (-25.5, 2.55), False))
    assert round_input(x, (0.0, 2.55), False)[1].tolist() == [0, 0, 0]  # cut off
    assert round_input(x[:0], None, True).shape == (0, 3)


def test_gradients_pass_as_if_nothing_were_rounded() -> None:
    for kind in ("fp16", "int8", "int4"):
        weight = torch.randn(2, 64, requires_grad=True)
        (round_weight(weight, kind) * 3).sum().backward()
        assert weight.grad is not None and weight.grad.unique().tolist() == [3]
    x = torch.randn(2, 5, requires_grad=True)
    round_input(x, None, True).sum().backward()
    assert x.grad is not None and x.grad.unique().tolist() == [1]


def test_a_linear_layer_rounds_both_sides() -> None:
    layer = linear([1.27, 0.004, -0.504])
    x = torch.tensor([[2.55, 1.0, 0.004]])
    graphs = {"g": graph_of(layer, x)}
    with fake_quantised(graphs, Scheme("int8")):
        assert run(layer, x).item() == pytest.approx(2.55 * 1.27)
    with fake_quantised(graphs, Scheme("int8-static"), {"g": (0.0, 1.275)}):
        assert run(layer, x).item() == pytest.approx(1.275 * 1.27 - 0.005 * 0.5)
    with fake_quantised(graphs, Scheme("fp16")):
        assert torch.equal(run(layer, x), x @ layer.weight.half().float().T)


def test_a_convolution_rounds_its_input_where_the_range_is_known_beforehand() -> None:
    module, graphs, x = toy()
    rounded = round_weight(module.conv.weight.detach(), "int8")
    linear_stays = frozenset({"toy.linear"})
    seen = input_ranges(graphs, {"toy": [(x,)]})
    for kind, given in (("int8", x), ("int8-static", round_input(x, seen["toy.conv"], False))):
        with fake_quantised(graphs, Scheme(kind, linear_stays), seen), torch.no_grad():
            got = module.conv(x)
        wanted = torch.conv1d(given, rounded, module.conv.bias, padding=1, groups=2)
        assert torch.equal(got, wanted)


def test_an_embedding_gives_rounded_rows() -> None:
    torch.manual_seed(0)
    embedding, tokens = nn.Embedding(5, 8), torch.tensor([[4, 0, 4]])
    wanted = round_weight(embedding.weight.detach(), "int8")[tokens]
    with fake_quantised({"read": graph_of(embedding, tokens)}, Scheme("int4")):
        assert torch.equal(run(embedding, tokens), wanted)


def test_afterwards_it_is_what_it_was_even_after_an_error() -> None:
    module, graphs, x = toy()
    before, state = run(module, x), copy.deepcopy(module.state_dict())
    classes = [type(part) for part in module.modules()]
    with pytest.raises(KeyError), fake_quantised(graphs, Scheme("int8")):
        assert not torch.equal(run(module, x), before)
        assert module.state_dict().keys() == state.keys()
        raise KeyError
    assert torch.equal(run(module, x), before)
    assert [type(part) for part in module.modules()] == classes
    assert all("fake" not in vars(part) for part in module.modules())
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


def test_a_copy_made_inside_rounds_its_own_weights() -> None:
    """As the running mean of a training's weights is."""
    module, graphs, x = toy()
    with fake_quantised(graphs, Scheme("int8")):
        twin = copy.deepcopy(module)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    assert run(twin, x).abs().sum() > 0 and "fake" in vars(twin.linear)


def names(graphs: Mapping[str, Graph]) -> list[str]:
    return list(layers_of(graphs))


def test_layers_are_named_by_graph_and_module_if_they_run() -> None:
    module, graphs, _ = toy()
    assert names(graphs) == ["toy.conv", "toy.linear"]
    alone = {"ctc": graph_of(module.idle, torch.zeros(1, 4))}
    assert names({**graphs, **alone}) == ["toy.conv", "toy.linear", "ctc"]


def test_a_layer_of_two_graphs_has_two_names_and_is_one_layer() -> None:
    module, graphs, x = toy()
    graphs["head"] = graph_of(module.linear, torch.zeros(1, 4))
    assert names(graphs) == ["toy.conv", "toy.linear", "head"]
    kept = Scheme("int8", frozenset({"head"}))
    kinds = {"toy.conv": "int8", "toy.linear": "none", "head": "none"}
    assert kinds_of(layers_of(graphs), kept) == kinds
    before, row = run(module, x), torch.ones(1, 4)
    with fake_quantised(graphs, Scheme("int8", frozenset({"toy.conv"}))):
        assert not torch.equal(run(module, x), before)
    assert torch.equal(run(module, x), before)
    with fake_quantised(graphs, kept):
        assert torch.equal(run(module.linear, row), run(graphs["head"].module, row))


def test_a_kept_layer_gives_what_it_gave() -> None:
    module, graphs, x = toy()
    kept = Scheme("int8", frozenset({"toy.conv", "toy.linear"}))
    with fake_quantised(graphs, kept):
        inside = run(module, x)
    assert torch.equal(inside, run(module, x))
    with pytest.raises(ValueError, match="no layer 'toy.linaer' to keep; there are toy.conv, toy."):
        with fake_quantised(graphs, Scheme("int8", frozenset({"toy.linaer"}))):
            pass


def test_4_bits_are_for_the_language_models_linear_layers_that_groups_divide() -> None:
    wide, narrow = nn.Linear(64, 2), nn.Linear(48, 2)
    graphs = {
        "encode": graph_of(nn.Sequential(nn.Linear(64, 64)), torch.zeros(1, 64)),
        "read": graph_of(nn.Sequential(wide), torch.zeros(1, 64)),
        "decode_step": graph_of(nn.Sequential(narrow), torch.zeros(1, 48)),
    }
    assert kinds_of(layers_of(graphs), Scheme("int4")) == {
        **{"encode.0": "int8", "read.0": "int4", "decode_step.0": "int8"},
    }


def test_ranges_of_all_that_came_in() -> None:
    module, graphs, x = toy()
    found = input_ranges(graphs, {"toy": [(x,), (x * 2,)]})
    assert found["toy.conv"] == (2 * x.min().item(), 2 * x.max().item())
    low, high = found["toy.linear"]
    inner = run(module.conv, x * 2)
    assert low <= inner.min().item() < 0 < inner.max().item() <= high
    above = input_ranges(graphs, {"toy": [(x.abs() + 1,)]})
    assert above["toy.conv"][0] == 0.0  # which has to be kept exactly
    with pytest.raises(ValueError, match="no calibration inputs for the graph 'toy'"):
        input_ranges(graphs, {"toy": []})
