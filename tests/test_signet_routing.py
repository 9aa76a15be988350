"""SIGNET's adapters, aggregation and router against the paper's equations, written out plainly."""

import math

import pytest
import torch
from torch import nn

from fingerpost.trainer.models.signet_routing import (
    Adapter,
    Aggregation,
    Fusion,
    figures_of,
    info_nce,
    priors_of,
    top_k_shares,
)

pytestmark = pytest.mark.usefixtures("one_thread")
B, N, T, E, P = 3, 3, 4, 8, 6


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def test_an_adapter_starts_as_the_identity_and_its_a_has_the_papers_deviation() -> None:
    adapter = Adapter(768).train()
    frames = torch.randn(2, 5, 768)
    assert torch.equal(adapter(frames), frames)
    assert tuple(adapter.down.shape) == (768, 16) and tuple(adapter.up.shape) == (16, 768)
    assert not adapter.up.any()
    assert adapter.down.var().item() == pytest.approx(1e-4, rel=0.05)
    assert adapter.down.mean().item() == pytest.approx(0, abs=3e-4)


def test_an_adapter_is_equation_12() -> None:
    adapter = Adapter(E, rank=2, dropout=0.5).eval()
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter.copy_(torch.randn_like(parameter))
    frame = torch.randn(E)
    spread = ((frame - frame.mean()).square().mean() + 1e-5).sqrt()
    normal = (frame - frame.mean()) / spread * adapter.norm.weight + adapter.norm.bias
    low = [sum(normal[e] * adapter.down[e, r] for e in range(E)) for r in range(2)]
    expected = [frame[e] + sum(low[r] * adapter.up[r, e] for r in range(2)) for e in range(E)]
    assert torch.allclose(adapter(frame), torch.stack(expected), atol=1e-6)


def test_aggregation_is_algorithm_1() -> None:
    aggregation = Aggregation(P)
    priors = torch.randn(B, N, P)
    first, second = (aggregation.query[i].weight for i in (0, 2))
    for b in range(B):
        rows = [priors[b, n] for n in range(N)]  # H
        mean = sum(rows) / N  # line 2
        query = second @ torch.relu(first @ mean)  # line 3
        logits = [float(query @ row) / math.sqrt(P) for row in rows]  # line 4
        total = sum(math.exp(logit) for logit in logits)
        mixed = sum(math.exp(lg) / total * row for lg, row in zip(logits, rows, strict=True))
        expected = nn.functional.layer_norm(mixed, (P,))  # line 7
        assert torch.allclose(aggregation(priors)[b], expected, atol=1e-5)


def test_priors_are_right_hand_then_left_of_each_expert() -> None:
    groups = ("body", "left_hand", "right_hand", "face")
    regions = torch.arange(4.0).view(1, 1, 4, 1).expand(2, N, 4, 2)
    hands = priors_of(regions, ("right_hand", "left_hand"), groups)
    assert hands.shape == (2, N, 4) and hands[0, 0].tolist() == [2, 2, 1, 1]
    assert priors_of(regions, ("right_hand", "left_hand", "body", "face"), groups)[
        1, 2
    ].tolist() == [2, 2, 1, 1, 0, 0, 3, 3]


def test_the_best_k_share_what_equation_8_says() -> None:
    logits = torch.tensor([[1.0, 3.0, 2.0], [0.0, -1.0, 5.0]])
    shares = top_k_shares(logits, 2)
    high = math.exp(3) / (math.exp(3) + math.exp(2))
    assert torch.allclose(shares[0], torch.tensor([0.0, high, 1 - high]))
    assert shares[1, 1] == 0 and shares[1].sum() == pytest.approx(1)
    assert top_k_shares(logits, 1).tolist() == [[0, 1, 0], [0, 0, 1]]
    assert torch.allclose(top_k_shares(logits, 3), logits.softmax(dim=-1))


def test_gumbel_shares_are_equation_6_and_differ_each_time() -> None:
    fusion = Fusion(N, E, P, k=2, temperature=0.7).train()
    priors = torch.randn(1, N, P)
    logits = fusion.routing(priors)[0]
    torch.manual_seed(5)
    shares = fusion.shares(priors)[0]
    torch.manual_seed(5)  # torch draws -log u of Eq. 6 as one number, from Exp(1)
    noise = -torch.empty(1, N).exponential_().log()[0]
    powers = [math.exp((logits[i] + noise[i]) / 0.7) for i in range(N)]
    assert shares.tolist() == pytest.approx([power / sum(powers) for power in powers], rel=1e-5)
    assert not torch.equal(shares, fusion.shares(priors)[0])


def test_which_expert_gumbel_prefers_is_the_soft_max_of_its_logits() -> None:
    fusion = Fusion(N, E, P, k=1).train()
    priors = torch.randn(1, N, P)
    drawn = fusion.shares(priors.expand(4000, -1, -1)).argmax(dim=-1)
    often = torch.bincount(drawn, minlength=N) / 4000
    assert torch.allclose(often, fusion.routing(priors)[0].softmax(dim=-1), atol=0.03)


def test_a_low_temperature_is_a_choice_and_a_high_one_is_none() -> None:
    priors = torch.randn(50, N, P)
    low, high = (Fusion(N, E, P, k=2, temperature=t).train().shares(priors) for t in (0.01, 100.0))
    assert low.max(dim=-1).values.mean() > 0.97
    assert high.max(dim=-1).values.mean() < 0.4


@pytest.mark.parametrize("training", [True, False])
def test_what_is_fused_is_the_sum_of_shares(training: bool) -> None:
    """Eq. 7 and 8, with adapters that do something."""
    fusion = Fusion(N, E, P, k=2, dropout=0.0).train(training)
    with torch.no_grad():
        for adapter in fusion.adapters:
            adapter.up.normal_()
    frames, priors = torch.randn(B, N, T, E), torch.randn(B, N, P)
    torch.manual_seed(1)
    fused, shares = fusion(frames, priors)
    assert torch.allclose(shares.sum(dim=-1), torch.ones(B))
    assert ((shares > 0).sum(dim=-1) == (N if training else 2)).all()
    for b in range(B):
        expected = sum(shares[b, n] * fusion.adapters[n](frames[b, n]) for n in range(N))
        assert torch.allclose(fused[b], expected, atol=1e-5)


def test_inference_is_deterministic_and_every_part_gets_a_gradient_in_training() -> None:
    fusion = Fusion(N, E, P, k=2)
    frames, priors = torch.randn(B, N, T, E), torch.randn(B, N, P)
    fusion.eval()
    assert torch.equal(fusion(frames, priors)[0], fusion(frames, priors)[0])
    fusion.train()(frames, priors)[0].square().sum().backward()
    without = [n for n, p in fusion.named_parameters() if p.grad is None]
    assert not without
    assert fusion.routing.router[2].weight.grad.abs().sum() > 0


@pytest.mark.parametrize("how", ["average", "concat"])
def test_plain_fusions_start_as_the_average_and_have_no_router(how: str) -> None:
    fusion = Fusion(N, E, P, k=2, how=how, rank=0).train()
    frames = torch.randn(B, N, T, E)
    fused, shares = fusion(frames, torch.randn(B, N, P))
    assert torch.allclose(fused, frames.mean(dim=1), atol=1e-6)
    assert torch.allclose(shares, torch.full((B, N), 1 / 3))
    learns = [name for name, _ in fusion.named_parameters()]
    assert learns == ([] if how == "average" else ["concat.weight", "concat.bias"])


def test_concatenation_keeps_each_expert_apart() -> None:
    """The first expert's weights see the first expert's frames."""
    fusion = Fusion(2, E, P, k=1, how="concat", rank=0)
    with torch.no_grad():
        fusion.concat.weight.zero_()
        fusion.concat.weight[:, :E] = torch.eye(E)
    frames = torch.randn(B, 2, T, E)
    assert torch.allclose(fusion(frames, torch.zeros(B, 2, P))[0], frames[:, 0])


def test_figures_of_shares() -> None:
    figures = figures_of(torch.tensor([[1.0, 0.0], [0.5, 0.5]]), ("ase", "bfi"))
    assert figures["experts.ase"] == pytest.approx(0.75)
    assert figures["experts.bfi"] == pytest.approx(0.25)
    assert figures["experts.entropy"] == pytest.approx(math.log(2) / 2, abs=1e-6)


def test_info_nce_is_equation_9() -> None:
    one, other = torch.randn(B, E), torch.randn(B, E)
    temperature = 0.07
    cos = torch.zeros(B, B)
    for i in range(B):
        for j in range(B):
            cos[i, j] = one[i] @ other[j] / (one[i].norm() * other[j].norm()) / temperature
    total = 0.0
    for i in range(B):
        there = math.exp(cos[i, i]) / sum(math.exp(cos[i, j]) for j in range(B))
        back = math.exp(cos[i, i]) / sum(math.exp(cos[j, i]) for j in range(B))
        total -= (math.log(there) + math.log(back)) / (2 * B)
    found = info_nce(one, other, torch.tensor(temperature))
    assert found.shape == (B,) and found.mean().item() == pytest.approx(total, rel=1e-4)


def test_the_trainable_part_is_small_at_the_papers_size() -> None:
    fusion = Fusion(3, 768, 512, k=2)
    counts = {
        "adapters": 3 * (2 * 768 * 16 + 2 * 768),
        "query": 2 * 512 * 512,
        "norm": 2 * 512,
        "router": 512 * 512 + 512 + 512 * 3 + 3,
    }
    found = sum(p.numel() for p in fusion.parameters())
    assert found == sum(counts.values()) == 867_843 < 1.5e6
