"""Sigma's alignment: Algorithm 1 against its own loop, Eq. 3 by hand, and words of tokens."""

import math

import pytest
import torch
from torch import Tensor

from fingerpost.trainer.models.sigma_alignment import (
    ROWS,
    SCORINGS,
    contrastive_loss,
    hard_negatives,
    local_similarity,
)
from fingerpost.trainer.models.sigma_clusters import NO_WORD, pool_words, words_of_tokens
from fingerpost.trainer.text_tokenizer import train_tokenizer

pytestmark = pytest.mark.usefixtures("one_thread")


def ragged(n: int, longest: int, seed: int) -> tuple[Tensor, Tensor]:
    """n rows of up to ``longest`` vectors of length 1, and which of them there are."""
    drawn = torch.Generator().manual_seed(seed)
    parts = torch.randn(n, longest, 5, generator=drawn)
    lengths = torch.randint(1, longest + 1, (n,), generator=drawn)
    lengths[0] = longest
    mask = torch.arange(longest) < lengths[:, None]
    return torch.nn.functional.normalize(parts, dim=-1), mask


def plain_row(row: Tensor, how: str) -> Tensor:
    """Table 16, of the cosines (K,) of one frame with the words of one text."""
    if how == "max":
        return row.max()
    if how == "average":
        return row.mean()
    if how == "top_k":
        return row.sort(descending=True).values[: max(1, math.floor(len(row) / 3))].mean()
    return (row.softmax(dim=0) * row).sum()


def plain_score(rows: Tensor, how: str) -> Tensor:
    """Tables 17 and 18, of R (N,)."""
    return {
        "sum": rows.sum(),
        "average": rows.mean(),
        "log_sum_exp": rows.exp().sum().log(),
        "softmax": (rows.softmax(dim=0) * rows).sum(),
        "variance_reduced_sum": (rows - rows.mean()).sum(),
    }[how]


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("row", ROWS)
def test_one_product_is_algorithm_1(row: str, scoring: str) -> None:
    """For each pair of the batch, as the paper's loop has it, without what fills up."""
    frames, frame_mask = ragged(4, 9, seed=0)
    words, word_mask = ragged(3, 7, seed=1)
    found = local_similarity(frames, frame_mask, words, word_mask, row, scoring)
    assert found.shape == (4, 3)
    for b in range(4):
        for c in range(3):
            cosines = frames[b][frame_mask[b]] @ words[c][word_mask[c]].T  # (N, K)
            rows = torch.stack([plain_row(one, row) for one in cosines])
            torch.testing.assert_close(
                found[b, c], plain_score(rows, scoring), atol=1e-6, rtol=1e-5
            )


def test_row_maximum_and_softmax_by_hand() -> None:
    frames = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    words = torch.tensor([[[0.6, 0.8], [1.0, 0.0], [0.0, -1.0]]])
    every = torch.ones(1, 2).bool(), torch.ones(1, 3).bool()
    found = local_similarity(frames, every[0], words, every[1], "max", "softmax")
    e = math.exp  # row maxima: 1.0 and 0.8
    assert found.item() == pytest.approx((e(1) * 1 + e(0.8) * 0.8) / (e(1) + e(0.8)))
    back = local_similarity(words, every[1], frames, every[0], "max", "sum")
    assert back.item() == pytest.approx(0.8 + 1.0 + 0.0)


def test_the_variance_reduced_sum_as_printed_teaches_nothing() -> None:
    frames, frame_mask = ragged(3, 6, seed=2)
    frames.requires_grad_()
    words, word_mask = ragged(3, 4, seed=3)
    scores = local_similarity(frames, frame_mask, words, word_mask, "max", "variance_reduced_sum")
    loss = contrastive_loss(scores, scores.T, torch.eye(3).bool())
    loss.backward()
    assert loss.item() == pytest.approx(math.log(3), abs=1e-6)
    assert frames.grad is not None and frames.grad.abs().max() < 1e-6


def test_equation_3_by_hand() -> None:
    to_text = torch.tensor([[2.0, 0.0], [1.0, 3.0]])
    to_sign = torch.tensor([[2.0, 1.0], [0.5, 3.0]])
    loss = contrastive_loss(to_text, to_sign, torch.eye(2).bool())
    ln, e = math.log, math.exp
    of_sign = (ln(1 + e(-2)) + ln(1 + e(-2))) / 2
    of_text = (ln(1 + e(-1)) + ln(1 + e(-2.5))) / 2
    assert loss.item() == pytest.approx((of_sign + of_text) / 2)


def test_the_same_text_is_no_negative() -> None:
    scores = torch.tensor([[1.0, 9.0, 0.0], [9.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    same = torch.eye(3).bool()
    same[0, 1] = same[1, 0] = True
    loss = contrastive_loss(scores, scores, same)
    ln, e = math.log, math.exp
    rows = [ln(1 + e(-1)), ln(1 + e(-1)), ln(1 + 2 * e(-1))]
    assert loss.item() == pytest.approx(sum(rows) / 3)
    assert hard_negatives(scores, same, draw=False).tolist() == [2, 2, 0]
    assert hard_negatives(scores, torch.ones(3, 3).bool(), draw=True).tolist() == [-1, -1, -1]


def test_a_negative_is_drawn_the_likelier_the_more_alike_it_is() -> None:
    torch.manual_seed(0)
    scores = torch.tensor([0.0, math.log(3), 0.0]).expand(3000, 3)
    same = torch.zeros(3000, 3).bool()
    same[:, 2] = True
    drawn = hard_negatives(scores, same, draw=True)
    assert set(drawn.tolist()) == {0, 1}
    assert (drawn == 1).float().mean().item() == pytest.approx(0.75, abs=0.03)


class Pieces:
    """A tokenizer, as far as words need one: pieces and where they stand in the text."""

    def __init__(self, pieces: list[tuple[str, int]]) -> None:
        self.pieces = pieces

    def __call__(self, text: str, max_length: int, **how: bool) -> dict[str, list]:
        kept = [*self.pieces[: max_length - 1], ("</s>", 0)]
        return {
            "input_ids": list(range(len(kept))),
            "offset_mapping": [(start, start + 1) for _, start in kept],
            "special_tokens_mask": [int(piece == "</s>") for piece, _ in kept],
        }

    def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
        return [*(self.pieces[i][0] for i in ids[:-1]), "</s>"]


def test_pieces_of_a_word_are_one_cluster() -> None:
    """The paper's own "curiosity" of two pieces (Sec. 3.2.2); a mark goes with its word."""
    pieces = Pieces([("▁", 0), ("curios", 0), ("ity", 6), ("▁kill", 10), ("s", 14), (".", 15)])
    assert words_of_tokens(pieces, "curiosity kills.", "en", 9) == [0, 0, 0, 1, 1, 1, NO_WORD]
    assert words_of_tokens(pieces, "curiosity kills.", "en", 4) == [0, 0, 0, NO_WORD]


def test_chinese_is_cut_by_jieba() -> None:
    """The paper's own 背包 of two pieces; what has no blanks and no cutter stays as it is."""
    text = "我的背包丢了"
    pieces = Pieces([("▁", 0), *((character, i) for i, character in enumerate(text))])
    words = words_of_tokens(pieces, text, "zh-CN", 20)
    assert words == [0, 0, 1, 2, 2, 3, 4, NO_WORD]  # ▁我 的 背包 丢 了
    assert words_of_tokens(pieces, text, "ja", 20) == [0, 0, 1, 2, 3, 4, 5, NO_WORD]


def test_words_of_a_learned_tokenizer() -> None:
    tokenizer = train_tokenizer(["the tower is tall", "a flower"], 24)
    text = "the flower is tall"
    words = words_of_tokens(tokenizer, text, "en", 60)
    pieces = tokenizer.tokenize(text)
    assert len(words) == len(pieces) + 1 and words[-1] == NO_WORD
    begins = [piece.startswith("▁") for piece in pieces]
    assert words[:-1] == [sum(begins[: i + 1]) - 1 for i in range(len(pieces))]
    with pytest.raises(ValueError, match="has no word; give each clip a text"):
        words_of_tokens(tokenizer, "", "en", 60)


def test_words_are_the_mean_of_their_pieces() -> None:
    states = torch.arange(16.0).view(2, 4, 2)
    words = torch.tensor([[0, 0, 1, NO_WORD], [0, NO_WORD, NO_WORD, NO_WORD]])
    pooled, there = pool_words(states, words)
    assert there.tolist() == [[True, True], [True, False]]
    assert pooled.tolist() == [[[1, 2], [4, 5]], [[8, 9], [0, 0]]]
