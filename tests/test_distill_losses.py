"""Losses of distillation against cases worked out by hand."""

import math

import pytest
import torch
from torch import nn

from fingerpost.distill.losses import best_path, hidden_loss, relation_loss, token_loss
from fingerpost.distill.top_k import NOTHING, TopK, at_temperature, top_k

# Of four pieces; e to these are 1/2, 1/4, 1/8, 1/8.
TEACHER = torch.tensor([-1.0, -2.0, -3.0, -3.0]) * math.log(2)
UNIFORM = torch.zeros(4)


def one_token(few: TopK) -> TopK:
    return TopK(*(part[None, None] for part in few))


def divergence(p: list[float], q: list[float]) -> float:
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def loss(
    student: torch.Tensor, few: TopK, temperature: float = 1.0, kept: tuple[float, ...] = (1.0,)
) -> float:
    one = student[None, None]
    return token_loss(one, one_token(few), torch.ones(1, 1), temperature, kept).item()


def test_the_likeliest_few_and_what_is_left() -> None:
    few = top_k(TEACHER + 7, 2, (1.0, 2.0))  # logits are what they are but for a constant
    assert few.ids.tolist() == [0, 1]
    assert few.log_probs.exp().tolist() == pytest.approx([1 / 2, 1 / 4])
    # At 2 each is e to half of its logarithm: the two others are 1 / sqrt 8 each.
    assert few.rests.exp().tolist() == pytest.approx([1 / 4, 2 / math.sqrt(8)])
    likely, rest = at_temperature(few, 2.0, (1.0, 2.0))
    expected = (TEACHER / 2).softmax(dim=-1).tolist()
    assert likely.exp().tolist() == pytest.approx(expected[:2])
    assert rest.exp().item() == pytest.approx(sum(expected[2:]))


def test_where_the_few_are_all_nothing_is_left() -> None:
    few = top_k(TEACHER, 9, (1.0,))
    assert few.ids.shape == (4,) and few.rests.item() == NOTHING
    likely, rest = at_temperature(few, 1.0, (1.0,))
    assert likely.exp().sum().item() == pytest.approx(1) and rest.exp() == 0


def test_a_token() -> None:
    student = [1 / 4, 1 / 4, 3 / 8, 1 / 8]
    full = divergence([1 / 2, 1 / 4, 1 / 8, 1 / 8], student)
    coarse = divergence([1 / 2, 1 / 4, 1 / 4], [1 / 4, 1 / 4, 1 / 2])
    logits = torch.tensor(student).log()
    assert loss(logits, top_k(TEACHER, 4, (1.0,))) == pytest.approx(full)
    assert loss(logits, top_k(TEACHER, 2, (1.0,))) == pytest.approx(coarse)
    assert 0.9 * full > coarse  # what is inside the rest is not seen
    assert loss(UNIFORM, top_k(TEACHER, 2, (1.0,))) == pytest.approx(math.log(2) / 4)
    assert loss(TEACHER - 3, top_k(TEACHER, 2, (1.0,))) == pytest.approx(0, abs=1e-6)


def test_a_token_at_a_temperature() -> None:
    soft = (TEACHER / 2).softmax(dim=-1).tolist()
    both = (1.0, 2.0)
    full = 4 * divergence(soft, [1 / 4] * 4)  # times the temperature's square
    assert loss(UNIFORM, top_k(TEACHER, 4, both), 2.0, kept=both) == pytest.approx(full, rel=1e-5)
    coarse = 4 * divergence([*soft[:2], sum(soft[2:])], [1 / 4, 1 / 4, 1 / 2])
    assert loss(UNIFORM, top_k(TEACHER, 2, both), 2.0, kept=both) == pytest.approx(coarse, rel=1e-5)
    assert loss(TEACHER, top_k(TEACHER, 2, both), 2.0, kept=both) == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="no temperature 3 was kept; there are 1, 2"):
        loss(UNIFORM, top_k(TEACHER, 2, both), 3.0, kept=both)


@pytest.mark.parametrize("k", [2, 4])
def test_its_gradient_is_the_difference_of_the_probabilities(k: int) -> None:
    student = torch.zeros(1, 1, 4, requires_grad=True)
    token_loss(student, one_token(top_k(TEACHER, k, (1.0,))), torch.ones(1, 1)).backward()
    wanted = [1 / 4 - 1 / 2, 0, 1 / 8, 1 / 8]  # with k = 2 the others have 1/4 together: the same
    assert student.grad is not None and student.grad.flatten().tolist() == pytest.approx(wanted)


def test_tokens_that_fill_up_do_not_count() -> None:
    few = one_token(top_k(TEACHER, 2, (1.0,)))
    two = TopK(*(torch.cat([part, torch.full_like(part, 0)], dim=1) for part in few))
    logits = torch.stack([UNIFORM, torch.tensor([9.0, 0, 0, -torch.inf])])[None].requires_grad_()
    got = token_loss(logits, two, torch.tensor([[1, 0]]))
    assert got.item() == pytest.approx(loss(UNIFORM, top_k(TEACHER, 2, (1.0,))))
    got.backward()
    assert logits.grad is not None and not logits.grad[0, 1].any()
    assert token_loss(logits, two, torch.zeros(1, 2)).item() == 0


def test_a_student_of_another_vocabulary_is_refused() -> None:
    few = one_token(TopK(torch.tensor([5]), torch.tensor([-0.1]), torch.tensor([-2.4])))
    with pytest.raises(ValueError, match="writes piece 5, the student has 4: give it the teacher"):
        token_loss(UNIFORM[None, None], few, torch.ones(1, 1))
    with pytest.raises(ValueError, match=r"the student has \(1, 2\) rows and tokens, the teacher"):
        token_loss(torch.zeros(1, 2, 4), few, torch.ones(1, 2))


def test_states_through_a_projection() -> None:
    projection = nn.Linear(1, 2, bias=False)
    with torch.no_grad():
        projection.weight.copy_(torch.tensor([[1.0], [2.0]]))
    student, teacher = torch.tensor([[[1.0], [3.0]]]), torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])
    # (1, 2) for (1, 0): 4 / 2; (3, 6) for (0, 0): 45 / 2.
    assert hidden_loss(student, teacher, torch.tensor([[1, 0]]), projection).item() == 2
    got = hidden_loss(student, teacher, torch.ones(1, 2), projection)
    assert got.item() == pytest.approx((2 + 22.5) / 2)
    got.backward()
    assert projection.weight.grad is not None and projection.weight.grad.any()


def test_relations_of_states() -> None:
    """Of width 1 in one head, the scores are products: the teacher's 1 0 / 0 0, the student's 0."""
    teacher, student = torch.tensor([[[1.0], [0.0]]]), torch.zeros(1, 2, 1, requires_grad=True)
    e = math.e
    row = divergence([e / (1 + e), 1 / (1 + e)], [1 / 2, 1 / 2])
    assert relation_loss(student, teacher, torch.ones(1, 2), 1).item() == pytest.approx(row / 2)
    assert relation_loss(student, teacher, torch.tensor([[1, 0]]), 1).item() == pytest.approx(0)
    assert relation_loss(teacher, teacher, torch.ones(1, 2), 1).item() == 0


def test_relations_do_not_ask_for_one_width_nor_for_one_direction() -> None:
    torch.manual_seed(0)
    teacher = torch.randn(2, 5, 4)
    turned = torch.linalg.qr(torch.randn(4, 4))[0]
    # Wider by zeros: two heads of 2 become two of 3, and products count by the root of the width.
    wider = torch.cat([teacher.unflatten(-1, (2, 2)), torch.zeros(2, 5, 2, 1)], dim=-1).flatten(2)
    wider = wider * (3 / 2) ** 0.25
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    assert relation_loss(teacher @ turned, teacher, mask, 1).item() == pytest.approx(0, abs=1e-6)
    assert relation_loss(wider, teacher, mask, 2).item() == pytest.approx(0, abs=1e-6)
    changed = teacher.clone()
    changed[1, 3:] = 50.0  # does not count
    assert relation_loss(changed, teacher, mask, 2).item() == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="width 4 cannot be cut into 3 relation heads"):
        relation_loss(teacher, teacher, mask, 3)


def test_the_row_of_glosses_that_frames_show() -> None:
    best = torch.tensor([[0, 5, 5, 0, 5, 7, 7, 0], [0, 0, 3, 3, 9, 9, 9, 9]])
    frames = TopK(best[..., None], torch.zeros(2, 8, 1), torch.zeros(2, 8, 1))
    mask = torch.arange(8) < torch.tensor([[8], [4]])
    assert [row.tolist() for row in best_path(frames, mask, none=0)] == [[5, 5, 7], [3]]
