"""The Conformer of the pose and lip backbones, with attentive pooling, over windows or whole clips.

"Lost in Translation, Found in Embeddings: Sign Language Translation and Alignment", Sec. 3.1, 4.2
and Table A.2: four blocks after Gulati et al. (2020), 8 heads, feed-forward multiplier 4,
convolution expansion 2, kernel 5. Attentive pooling is the mean attention map of all blocks times
the output of the last one, then the mean over time.

What the paper does not say, and is ours: attention knows distances by a learned bias for each head,
beyond ``FARTHEST`` frames the same; the mean attention map is over heads too; after the depthwise
convolution comes a layer normalisation where Gulati et al. have a batch normalisation, for windows
of one clip overlap and filled frames must not count.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FAR = -1e4  # added to the score of a frame that must not be seen; fits into float16
FARTHEST = 32  # frames that the bias of distances tells apart


@dataclass(frozen=True)
class ConformerSizes:
    """width : D, of all states
    kernel : of the depthwise convolution, frames; odd
    feed_forward, expansion : of D, inside the feed-forward layers and the convolution
    """

    width: int
    n_blocks: int = 4
    n_heads: int = 8
    kernel: int = 5
    feed_forward: int = 4
    expansion: int = 2
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.width < 1 or self.n_heads < 1 or self.width % self.n_heads:
            raise ValueError(f"a Conformer of width {self.width} has no {self.n_heads} equal heads")
        if self.n_blocks < 1 or self.kernel < 1 or self.kernel % 2 == 0:
            raise ValueError(
                f"a Conformer has at least 1 block and an odd kernel, got {self.n_blocks} and "
                f"{self.kernel}"
            )


class Conformer(nn.Module):
    """(B, T, n_in) features to (B, T, D) states, or by attentive pooling to (B, D)."""

    def __init__(self, n_in: int, sizes: ConformerSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.fc1 = nn.Linear(n_in, sizes.width)
        self.blocks = nn.ModuleList(ConformerBlock(sizes) for _ in range(sizes.n_blocks))

    def forward(self, x: Tensor, frame_mask: Tensor) -> tuple[Tensor, Tensor]:
        """States (B, T, D), and the mean attention map (B, T, T): rows ask, columns are asked.

        frame_mask : (B, T), 1 for a frame of the clip
        """
        mask = frame_mask.to(x.dtype)
        x = self.fc1(x) * mask[..., None]
        maps = x.new_zeros(())
        for block in self.blocks:
            x, attention = block(x, mask)
            maps = maps + attention
        return x, maps / len(self.blocks)

    def pool(self, x: Tensor, frame_mask: Tensor) -> Tensor:
        """(B, T, n_in) to (B, D). Zeros where a row of the mask has no frame."""
        states, maps = self(x, frame_mask)
        mask = frame_mask.to(states.dtype)
        share = mask / mask.sum(dim=1, keepdim=True).clamp(min=1)
        # The mean over rows of (map times states) is (mean of the map's rows) times states.
        return torch.einsum("bq,bqk,bkd->bd", share, maps, states)

    def pool_windows(self, x: Tensor, frame_mask: Tensor, window: int, stride: int) -> Tensor:
        """(B, T, n_in) to (B, N, D), N = ceil(T / stride): ``pool`` of a window around each stride.

        What pre-training on short clips knows is used on a long one (Sec. 4.2, B.3).
        """
        b = len(x)
        cut, mask = sliding_windows(x, frame_mask, window, stride, (window - stride) // 2)
        return self.pool(cut.flatten(0, 1), mask.flatten(0, 1)).unflatten(0, (b, -1))


class ConformerBlock(nn.Module):
    """Half a feed-forward layer, attention, convolution, the other half: each added; then norm."""

    def __init__(self, sizes: ConformerSizes) -> None:
        super().__init__()
        d, inner = sizes.width, sizes.width * sizes.expansion
        self.n_heads = sizes.n_heads
        self.first, self.second = _feed_forward(sizes), _feed_forward(sizes)
        self.norm_attention = nn.LayerNorm(d)
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.distance = nn.Parameter(torch.zeros(sizes.n_heads, 2 * FARTHEST + 1))
        self.norm_convolution = nn.LayerNorm(d)
        self.widen = nn.Linear(d, 2 * inner)  # for a gated linear unit
        self.depthwise = nn.Conv1d(
            inner, inner, sizes.kernel, padding=sizes.kernel // 2, groups=inner
        )
        self.norm_depthwise = nn.LayerNorm(inner)
        self.narrow = nn.Linear(inner, d)
        self.norm = nn.LayerNorm(d)
        self.dropout = nn.Dropout(sizes.dropout)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, D) and (B, T) to (B, T, D), zero in filled frames, and attention (B, T, T)."""
        true = mask[..., None]
        x = x + self.first(x) / 2
        heard, attention = self._attend(self.norm_attention(x), mask)
        x = x + self.dropout(heard)
        y = F.glu(self.widen(self.norm_convolution(x)), dim=-1) * true
        y = self.depthwise(y.transpose(1, 2)).transpose(1, 2)
        x = x + self.dropout(self.narrow(F.silu(self.norm_depthwise(y))))
        x = x + self.second(x) / 2
        return self.norm(x) * true, attention

    def _attend(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """What is heard, (B, T, D), and the mean over heads of the attention, (B, T, T)."""
        b, t, d = x.shape
        q, k, v = (
            part.view(b, t, self.n_heads, -1).transpose(1, 2)
            for part in self.qkv(x).chunk(3, dim=-1)
        )  # (B, H, T, D / H)
        place = torch.arange(t, device=x.device)
        steps = (place - place[:, None]).clamp(-FARTHEST, FARTHEST) + FARTHEST
        scores = q @ k.transpose(-1, -2) * (d // self.n_heads) ** -0.5 + self.distance[:, steps]
        scores = scores + ((1 - mask) * FAR)[:, None, None]
        weights = scores.softmax(dim=-1)  # (B, H, T, T)
        heard = (weights @ v).transpose(1, 2).reshape(b, t, d)
        return self.out(heard), weights.mean(dim=1)


def sliding_windows(
    x: Tensor, mask: Tensor, window: int, stride: int, before: int
) -> tuple[Tensor, Tensor]:
    """Windows (B, N, window, C) of (B, T, C), and which of their frames there are, (B, N, window).

    Window i begins ``before`` frames before frame i * stride, N = ceil(T / stride): so every frame
    is in one, and no clip is too short. Frames outside the clip are zeros, with mask 0.
    """
    n_frames = x.shape[1]
    n = -(-n_frames // stride)
    after = max(0, (n - 1) * stride + window - before - n_frames)
    cut = F.pad(x, (0, 0, before, after)).unfold(1, window, stride)[:, :n]  # (B, N, C, window)
    there = F.pad(mask, (before, after)).unfold(1, window, stride)[:, :n]
    return cut.transpose(2, 3), there


def _feed_forward(sizes: ConformerSizes) -> nn.Sequential:
    d = sizes.width
    return nn.Sequential(
        nn.LayerNorm(d),
        nn.Linear(d, sizes.feed_forward * d),
        nn.SiLU(),
        nn.Dropout(sizes.dropout),
        nn.Linear(sizes.feed_forward * d, d),
        nn.Dropout(sizes.dropout),
    )
