"""The likeliest few of a vocabulary, with what all others have together, at any kept temperature.

    few = top_k(logits, 32, temperatures=(1.0, 2.0))
    log_few, log_rest = at_temperature(few, 2.0, temperatures=(1.0, 2.0))

Logits of 250,000 pieces for each token of a corpus do not fit on a disk; 32 of them do. With the
mass of the rest in one number a distribution stays one: it sums to 1, over one outcome "another".
How much the rest has depends on the temperature, and cannot be worked out from the few; so it is
kept for the temperatures that will be asked for.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

NOTHING = -1e4  # the logarithm of a share of nothing; e to it is 0, and 0 times it too


class TopK(NamedTuple):
    """The leading dimensions (...) are the same in all three.

    ids : shape (..., k), int64, the likeliest first
    log_probs : shape (..., k), float32, at temperature 1
    rests : shape (..., temperatures), float32: for each temperature t the logarithm of the sum,
        over all others, of exp(their log_prob / t); ``NOTHING`` where there are no others
    """

    ids: Tensor
    log_probs: Tensor
    rests: Tensor


def top_k(logits: Tensor, k: int, temperatures: Sequence[float]) -> TopK:
    """logits : shape (..., V); where V is less than k, k is V"""
    log_probs = logits.float().log_softmax(dim=-1)
    best = log_probs.topk(min(k, log_probs.shape[-1]), dim=-1)
    others = log_probs.scatter(-1, best.indices, -torch.inf)
    rests = [(others / t).logsumexp(dim=-1) for t in temperatures]
    return TopK(best.indices, best.values, torch.stack(rests, dim=-1).clamp(min=NOTHING))


def at_temperature(
    few: TopK, temperature: float, temperatures: Sequence[float]
) -> tuple[Tensor, Tensor]:
    """Logarithms of the probabilities of the few, (..., k), and of all others together, (...).

    temperatures : those that ``few`` was made for. ValueError where the wanted one is not among
        them.
    """
    if temperature not in temperatures:
        known = ", ".join(f"{t:g}" for t in temperatures)
        raise ValueError(f"no temperature {temperature:g} was kept; there are {known}")
    rest = few.rests[..., list(temperatures).index(temperature)]
    scaled = few.log_probs / temperature
    whole = torch.logaddexp(scaled.logsumexp(dim=-1), rest)
    return scaled - whole[..., None], rest - whole
