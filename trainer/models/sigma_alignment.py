"""Sigma's hierarchical alignment learning (HAL): how alike signing and texts are, and the loss.

"Sigma: Semantically Informative Pre-training for Skeleton-based Sign Language Understanding",
Sec. 3.2.2 (Eq. 2 to 4, Algorithm 1) and Appendix I.1 (Tables 16 and 17). Algorithm 1 loops over the
batch; here one product compares every frame of every clip with every word of every text.

What the paper leaves open, or where we differ:
- frames and words that fill up a batch are left out of every maximum, softmax and mean;
- two clips of the same text are no negatives of each other. Eq. 3 would push them apart, and for
  single signs a batch holds the same gloss more than once;
- the variance-reduced sum is printed as the sum of R - mean(R). That is 0 whatever R is: it is
  here as printed, and teaches nothing (the local loss is then log B, without a gradient).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

TOP_SHARE = 3  # Appendix I.1.1: the third of the words that is most alike

Reduce = Callable[[Tensor, Tensor], Tensor]  # (..., M) and where it counts, to (...)


def _max(values: Tensor, counts: Tensor) -> Tensor:
    return values.masked_fill(~counts, -torch.inf).amax(dim=-1)


def _average(values: Tensor, counts: Tensor) -> Tensor:
    return _sum(values, counts) / counts.sum(dim=-1)


def _top_k(values: Tensor, counts: Tensor) -> Tensor:
    """The mean of the k highest, k = max(1, floor(M / 3)) of the M that count."""
    k = (counts.sum(dim=-1, keepdim=True) // TOP_SHARE).clamp(min=1)
    ranked = values.masked_fill(~counts, -torch.inf).sort(dim=-1, descending=True).values
    among = torch.arange(values.shape[-1], device=values.device) < k
    return torch.where(among, ranked, 0.0).sum(dim=-1) / k[..., 0]


def _softmax(values: Tensor, counts: Tensor) -> Tensor:
    weights = values.masked_fill(~counts, -torch.inf).softmax(dim=-1)
    return (weights * values).sum(dim=-1)


def _sum(values: Tensor, counts: Tensor) -> Tensor:
    return torch.where(counts, values, 0.0).sum(dim=-1)


def _log_sum_exp(values: Tensor, counts: Tensor) -> Tensor:
    return values.masked_fill(~counts, -torch.inf).logsumexp(dim=-1)


def _variance_reduced_sum(values: Tensor, counts: Tensor) -> Tensor:
    """Table 17, as printed: always 0 (see above)."""
    return _sum(values - _average(values, counts)[..., None], counts)


ROWS: dict[str, Reduce] = {  # Table 16
    "max": _max,
    "average": _average,
    "top_k": _top_k,
    "softmax": _softmax,
}
SCORINGS: dict[str, Reduce] = {  # Tables 17 and 18
    "sum": _sum,
    "average": _average,
    "log_sum_exp": _log_sum_exp,
    "softmax": _softmax,
    "variance_reduced_sum": _variance_reduced_sum,
}


def local_similarity(
    from_: Tensor, from_mask: Tensor, to: Tensor, to_mask: Tensor, row: str, scoring: str
) -> Tensor:
    """Algorithm 1 for all pairs: how well the parts of each one find their like in the others.

    from_ : shape (B, N, E), of length 1, such as the frames of B clips; from_mask : (B, N), bool
    to : shape (C, K, E), of length 1, such as the words of C texts; to_mask : (C, K), bool
    row : of ``ROWS``, what N x K cosines make of each of the N parts
    scoring : of ``SCORINGS``, what these make of the pair

    Returns shape (B, C). Sign to text is clips to texts, text to sign is texts to clips.
    """
    with torch.autocast(from_.device.type, enabled=False):  # half precision makes neighbours alike
        cosines = torch.einsum("bne,cke->bcnk", _precise(from_), _precise(to))
        of_parts = ROWS[row](cosines, to_mask[None, :, None].expand(*cosines.shape))  # (B, C, N)
        return SCORINGS[scoring](of_parts, from_mask[:, None].expand(*of_parts.shape))


def whole_similarity(from_: Tensor, to: Tensor) -> Tensor:
    """Eq. 2.1 for all pairs: (B, E) and (C, E), of length 1, to (B, C)."""
    with torch.autocast(from_.device.type, enabled=False):
        return _precise(from_) @ _precise(to).T


def _precise(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def contrastive_loss(sign_to_text: Tensor, text_to_sign: Tensor, same: Tensor) -> Tensor:
    """Eq. 3, of similarities that are divided by the temperature already where there is one.

    sign_to_text : shape (B, B), [clip, text]; text_to_sign : shape (B, B), [text, clip]
    same : shape (B, B), bool, pairs of the same text; the diagonal at least
    """
    own = torch.eye(len(same), dtype=torch.bool, device=same.device)
    labels = torch.arange(len(same), device=same.device)
    losses = [
        F.cross_entropy(scores.masked_fill(same & ~own, -torch.inf), labels)
        for scores in (sign_to_text, text_to_sign)
    ]
    return (losses[0] + losses[1]) / 2


def hard_negatives(similarity: Tensor, same: Tensor, draw: bool) -> Tensor:
    """For each row the column of another text: drawn, the more alike the likelier; or the likest.

    similarity, same : shape (B, B), as in ``contrastive_loss``

    Returns shape (B,); -1 where all texts of the batch are the same.
    """
    scores = similarity.detach().float().masked_fill(same, -torch.inf)
    exists = ~same.all(dim=1)
    likest = scores.argmax(dim=1)
    if draw and exists.any():
        drawn = torch.multinomial(scores[exists].softmax(dim=1), 1)[:, 0]
        likest = likest.masked_scatter(exists, drawn)
    return torch.where(exists, likest, -1)
