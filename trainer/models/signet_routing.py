"""SIGNET's trainable part: adapters on frozen experts, and who is listened to.

"SIGNET: Motion-Level Knowledge Transfer for Cross-Language Sign Language Translation" (Asasi,
Mercanoglu Sincan, Bowden), Sec. 3.4 to 3.6, Algorithm 1, Eq. 4 to 9 and 12 to 14. Letters beside
the usual: N experts, E the width of their frames and of the language model, R the rank of an
adapter, P the width of a prior.

Where the paper is silent, or says two things:
- A ~ N(0, 1e-4) is read as a variance: a standard deviation of 0.01, which for R = 16 keeps A's
  output about as long as LoRA's own start does; B = 0 decides the start either way;
- Eq. 14 has no biases, so the query's two layers have none; the router's two layers have them, with
  a ReLU between and as many hidden numbers as the prior has (the width is not given);
- concatenation (Table 10) is a linear layer from N E to E that starts as the average;
- a prior is [right hand; left hand] as in Eq. 4; body, then face, come after it.
With widths as in the paper and N = 3 all this has 0.87 million parameters, where the paper counts
1.5 million: a router of 1,744 hidden numbers would make up for it.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FUSIONS = ("gated", "average", "concat")  # Table 10, and "no gating" of Table 8
PRIORS = {  # Table 7: which regions say who is to be listened to
    "hands": ("right_hand", "left_hand"),
    "hands_body": ("right_hand", "left_hand", "body"),
    "hands_body_face": ("right_hand", "left_hand", "body", "face"),
}
ADAPTER_DEVIATION = 0.01  # of A: the root of a variance of 1e-4


class Adapter(nn.Module):
    """Eq. 12: Z + Dropout((LN(Z) A) B), at the start Z itself."""

    def __init__(self, width: int, rank: int = 16, dropout: float = 0.1) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.down = nn.Parameter(torch.empty(width, rank))  # A
        self.up = nn.Parameter(torch.zeros(rank, width))  # B
        nn.init.normal_(self.down, std=ADAPTER_DEVIATION)
        self.dropout = nn.Dropout(dropout)

    def forward(self, frames: Tensor) -> Tensor:
        """(..., E) to (..., E)."""
        return frames + self.dropout((self.norm(frames) @ self.down) @ self.up)


class Aggregation(nn.Module):
    """Algorithm 1: the priors of all experts to one that tells which of them fit."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Sequential(  # Eq. 14
            nn.Linear(width, width, bias=False), nn.ReLU(), nn.Linear(width, width, bias=False)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, priors: Tensor) -> Tensor:
        """(B, N, P) to (B, P)."""
        query = self.query(priors.mean(dim=1))  # (B, P); lines 2 and 3
        logits = torch.einsum("bp,bnp->bn", query, priors) / math.sqrt(priors.shape[-1])
        shares = logits.softmax(dim=-1)  # (B, N); line 5
        return self.norm(torch.einsum("bn,bnp->bp", shares, priors))


class Routing(nn.Module):
    """Eq. 5: priors to a logit for each expert, by Algorithm 1 and a router."""

    def __init__(self, n_experts: int, width: int) -> None:
        super().__init__()
        self.aggregate = Aggregation(width)
        self.router = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, n_experts))

    def forward(self, priors: Tensor) -> Tensor:
        """(B, N, P) to (B, N)."""
        return self.router(self.aggregate(priors))


class Fusion(nn.Module):
    """What N experts see of B clips, as one row of frames each, and each expert's share in it.

    k : experts that are listened to outside of training (Eq. 8)
    how : of ``FUSIONS``. average and concat listen to all, and always alike
    rank : of the adapters; 0 = none
    temperature : of Eq. 6
    """

    def __init__(
        self,
        n_experts: int,
        width: int,
        prior_width: int,
        k: int,
        how: str = "gated",
        rank: int = 16,
        dropout: float = 0.1,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.n_experts, self.k, self.temperature = n_experts, k, temperature
        self.adapters = nn.ModuleList(
            [Adapter(width, rank, dropout) for _ in range(n_experts)] if rank else []
        )
        self.routing = Routing(n_experts, prior_width) if how == "gated" else None
        self.concat: nn.Linear | None = None
        if how == "concat":
            self.concat = nn.Linear(n_experts * width, width)
            with torch.no_grad():
                average = torch.eye(width).repeat(1, n_experts) / n_experts
                self.concat.weight.copy_(average)
                self.concat.bias.zero_()

    def forward(self, frames: Tensor, priors: Tensor) -> tuple[Tensor, Tensor]:
        """Eq. 7 in training, else Eq. 8.

        frames : shape (B, N, T, E), of the frozen experts
        priors : shape (B, N, P)

        Returns shape (B, T, E) and the experts' shares (B, N), which add up to 1.
        """
        if self.adapters:
            adapted = [adapter(frames[:, i]) for i, adapter in enumerate(self.adapters)]
            frames = torch.stack(adapted, dim=1)
        shares = self.shares(priors)
        if self.concat is not None:
            return self.concat(frames.transpose(1, 2).flatten(2)), shares
        return torch.einsum("bn,bnte->bte", shares, frames), shares

    def shares(self, priors: Tensor) -> Tensor:
        """(B, N, P) to (B, N): drawn anew in training, else those of the best k."""
        if self.routing is None:
            return priors.new_full(priors.shape[:2], 1 / self.n_experts)
        logits = self.routing(priors)
        if self.training:
            return F.gumbel_softmax(logits, tau=self.temperature)  # Eq. 6
        return top_k_shares(logits, self.k)


def top_k_shares(logits: Tensor, k: int) -> Tensor:
    """Eq. 8: the soft-max over the k greatest of (B, N), and 0 for all others."""
    best = logits.topk(k, dim=-1)
    return torch.zeros_like(logits).scatter(-1, best.indices, best.values.softmax(dim=-1))


def priors_of(regions: Tensor, names: Sequence[str], groups: Sequence[str]) -> Tensor:
    """Eq. 4: means of regions (B, N, G, C) to priors (B, N, P), in the order of ``names``.

    groups : the names of the G regions
    """
    return torch.cat([regions[:, :, groups.index(name)] for name in names], dim=-1)


def figures_of(shares: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
    """What a log should say of shares (B, N): each expert's mean, and the mean entropy, nats.

    An entropy of 0 is a choice of one expert; log(N), of none.
    """
    entropy = -(shares * shares.clamp(min=1e-12).log()).sum(dim=-1).mean()
    used = {f"experts.{name}": share for name, share in zip(names, shares.mean(dim=0), strict=True)}
    return {**used, "experts.entropy": entropy}


def info_nce(one: Tensor, other: Tensor, temperature: Tensor) -> Tensor:
    """Eq. 9 for each of B pairs: (B, H), (B, H) to (B,); the loss is its mean.

    Both are brought to length 1 first: the paper does not say so, but starts its temperature at
    the 0.07 of CLIP, which does.
    """
    logits = F.normalize(one, dim=-1) @ F.normalize(other, dim=-1).T / temperature  # (B, B)
    pairs = torch.arange(len(logits), device=logits.device)
    there = F.cross_entropy(logits, pairs, reduction="none")
    back = F.cross_entropy(logits.T, pairs, reduction="none")
    return (there + back) / 2
