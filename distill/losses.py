"""What a student is asked to have in common with its teacher; each loss is a mean.

A mask says what counts: 0 and 1, or weights, for a mean in which some count for more.

- ``token_loss``: the next token's probabilities. "Distilling the Knowledge in a Neural Network"
  (Hinton et al., 2015), Sec. 2: both are softened by a temperature, and the loss is times its
  square, so that its gradients do not fade. For each token of a sentence it is the word-level
  distillation of "Sequence-Level Knowledge Distillation" (Kim and Rush, 2016), Sec. 3.1; what the
  teacher says instead of the truth (Sec. 3.2) is in the cache. The same loss asks each frame for
  its gloss.
- ``hidden_loss``: the states of a layer, through a learned matrix. "TinyBERT" (Jiao et al., 2020),
  Sec. 3.1, hidden-states-based distillation.
- ``relation_loss``: how much each state has to do with each other one. "MiniLMv2" (Wang et al.,
  2021), Sec. 3.1. Widths may differ, for only products of states are compared.
- ``best_path``: the row of glosses that the teacher's frames show, as an answer for connectionist
  temporal classification (Graves et al., 2006), Sec. 3.2: best path decoding.

What differs: the teacher's probabilities are the likeliest few and the sum of the others
(``top_k``), so the divergence is that between these outcomes: no more than the full one, by the log
sum inequality, and the same where the few are all. MiniLMv2 compares queries, keys and values of a
layer; here these are all its states, for a cache of what is inside layers would tie student and
teacher to one architecture.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fingerpost.distill.top_k import NOTHING, TopK, at_temperature

TINY = 1e-8  # instead of a sum of weights that is 0


def token_loss(
    logits: Tensor,
    teacher: TopK,
    mask: Tensor,
    temperature: float = 1.0,
    temperatures: Sequence[float] = (1.0,),
) -> Tensor:
    """The Kullback-Leibler divergence from teacher to student, times the temperature's square.

    logits : shape (R, L, V), the student's, of the teacher's vocabulary; L tokens, or frames
    teacher : shapes (R, L, k), (R, L, k) and (R, L, temperatures)
    mask : shape (R, L), what counts; 0 where nothing does
    temperatures : those that the cache was made for
    """
    if teacher.ids.shape[:2] != logits.shape[:2]:
        raise ValueError(
            f"the student has {tuple(logits.shape[:2])} rows and tokens, the teacher "
            f"{tuple(teacher.ids.shape[:2])}; give both the same targets"
        )
    n_pieces = logits.shape[-1]
    if teacher.ids.numel() and int(teacher.ids.max()) >= n_pieces:
        raise ValueError(
            f"the teacher writes piece {int(teacher.ids.max())}, the student has {n_pieces}: give "
            "it the teacher's tokenizer"
        )
    log_few, log_rest = at_temperature(teacher, temperature, temperatures)
    student = (logits.float() / temperature).log_softmax(dim=-1)
    theirs = student.gather(-1, teacher.ids)  # (R, L, k)
    divergence = (log_few.exp() * (log_few - theirs)).sum(dim=-1)
    # Not minus infinity: where there are no others, their gradient would not be a number.
    others = student.scatter(-1, teacher.ids, NOTHING).logsumexp(dim=-1)
    divergence = divergence + log_rest.exp() * (log_rest - others)
    return temperature**2 * _mean(divergence, mask)


def hidden_loss(student: Tensor, teacher: Tensor, mask: Tensor, projection: nn.Module) -> Tensor:
    """The mean squared difference of the states, over what counts and the teacher's width.

    student : shape (R, N, Ds); teacher : (R, N, Dt); mask : (R, N)
    projection : learned, from Ds to Dt
    """
    difference = projection(student) - teacher.to(student.dtype)
    return _mean(difference.square().mean(dim=-1), mask)


def relation_loss(student: Tensor, teacher: Tensor, mask: Tensor, n_heads: int = 8) -> Tensor:
    """The Kullback-Leibler divergence of each state's relations, the mean over states and heads.

    student : shape (R, N, Ds); teacher : (R, N, Dt); mask : (R, N)
    n_heads : relation heads: the widths are cut into so many, whatever the layers' own heads are.
        ValueError where a width cannot be.
    """
    theirs, ours = (_relations(states, mask, n_heads) for states in (teacher, student))
    divergence = (theirs.exp() * (theirs - ours)).sum(dim=-1)  # (R, n_heads, N)
    return _mean(divergence.mean(dim=1), mask)


def best_path(frames: TopK, frame_mask: Tensor, none: int) -> list[Tensor]:
    """Of each clip the tokens that its frames show: the likeliest, each run once, without ``none``.

    frames : of shape (B, T, k); frame_mask : (B, T); none : the token of no sign
    """
    rows = []
    for best, there in zip(frames.ids[..., 0], frame_mask.bool(), strict=True):
        runs = torch.unique_consecutive(best[there])
        rows.append(runs[runs != none])
    return rows


def _relations(states: Tensor, mask: Tensor, n_heads: int) -> Tensor:
    """(R, N, D) to (R, n_heads, N, N), the logarithms of each row's shares.

    A state that does not count has ``NOTHING`` to do with any.
    """
    width = states.shape[-1]
    if width % n_heads:
        raise ValueError(f"states of width {width} cannot be cut into {n_heads} relation heads")
    heads = states.float().unflatten(-1, (n_heads, -1)).transpose(1, 2)  # (R, heads, N, D / heads)
    scores = heads @ heads.transpose(-1, -2) / (width / n_heads) ** 0.5
    scores = scores.masked_fill(~mask.bool()[:, None, None, :], NOTHING)
    return F.log_softmax(scores, dim=-1)


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    """Over what counts, 0 where nothing does. values, mask : of one shape"""
    weights = mask.to(values.dtype)
    # Where nothing counts the values may be anything, and 0 times that is not always 0.
    total = (values.masked_fill(weights == 0, 0.0) * weights).sum()
    return total / weights.sum().clamp(min=TINY)
