"""Two views of a clip that are to have the same answer: R-Drop (Liang et al. 2021, Sec. 2.1).

Each clip comes twice in a batch, augmented and dropped from in its own way. It is worth most where
there are few clips of each sign, which a network learns by heart.
"""

from torch import Tensor


def disagreement(logits: Tensor) -> Tensor:
    """Of two views of B clips, (2 B, ..., V), the second after the first: (B, ...), in nats.

    Half of the Kullback-Leibler divergences in both directions.
    """
    one, other = logits.float().log_softmax(dim=-1).chunk(2)
    return ((one.exp() - other.exp()) * (one - other)).sum(dim=-1) / 2
