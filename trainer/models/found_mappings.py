"""From features of frames to what a language model reads: the Sliding Perceiver, and its rivals.

"Lost in Translation, Found in Embeddings: Sign Language Translation and Alignment", Sec. 3.1
(Sliding Perceiver), 4.2, 4.3 (mapping network, Table 3) and A.5. A learned latent asks each window
of 8 features, which moves by 2, through layers of cross-attention and feed-forward networks.

What the paper does not say, or our text of it has lost, and is ours: the number of layers (2);
layer normalisations before each part and after the last; positions start as sines; the last windows
may reach beyond the clip, where nothing is heard, so that T features become ceil(T / 2) latents and
no clip is too short; Table 3's convolution has kernel 5, GELU and average pooling by the stride,
its MLP two layers, and Token Shuffle stacks the very windows of the Sliding Perceiver.

``pocket_encoder`` has a Sliding Perceiver too, for a stream without end: it knows no positions of
the whole clip, has fixed shapes for a device and is shown glosses. So the two share the idea alone.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fingerpost.trainer.models.found_conformer import FAR, sliding_windows


@dataclass(frozen=True)
class MappingSizes:
    """window, stride : features; one latent for so many, every so many
    n_layers, n_heads : of the Sliding Perceiver
    n_positions : features of the longest clip that it knows places in
    """

    window: int = 8
    stride: int = 2
    n_layers: int = 2
    n_heads: int = 8
    n_positions: int = 250
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if not 1 <= self.stride <= self.window:
            raise ValueError(
                f"[model] mapping_stride is from 1 to mapping_window, got {self.stride} and "
                f"{self.window}"
            )
        if min(self.n_layers, self.n_heads, self.n_positions) < 1:
            raise ValueError("[model] layers, heads and positions of the mapping are at least 1")


def middles(mapping: Any, n: int) -> Tensor:
    """Which feature each of n latents is about, (n,): the middle of those that it reads."""
    return torch.arange(n) * mapping.step + mapping.reach // 2


def start_as_long_as(mapping: Any, length: float) -> None:
    """Makes what a new mapping gives so many times as long: its last layer's weight and bias."""
    with torch.no_grad():
        mapping.last.weight.mul_(length)
        mapping.last.bias.mul_(length)


class SlidingPerceiver(nn.Module):
    """(B, T, n_in) features to (B, ceil(T / stride), width) latents."""

    def __init__(self, n_in: int, width: int, sizes: MappingSizes) -> None:
        super().__init__()
        if width % sizes.n_heads:
            raise ValueError(f"a width of {width} has no {sizes.n_heads} equal heads")
        self.sizes = sizes
        self.step, self.reach = sizes.stride, sizes.window
        self.projection = nn.Linear(n_in, width)
        self.positions = nn.Parameter(_waves(sizes.n_positions, width))
        self.latent = nn.Parameter(torch.randn(width) * 0.02)
        self.layers = nn.ModuleList(PerceiverLayer(width, sizes) for _ in range(sizes.n_layers))
        self.last = nn.LayerNorm(width)

    def forward(self, x: Tensor, frame_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Latents, and which count, (B, N): those whose first feature is of the clip.

        x : shape (B, T, n_in); frame_mask : (B, T), 1 for a feature of the clip
        """
        rows = self.placed(x, 0)
        return self.read(rows, frame_mask.to(x.dtype)), frame_mask[:, :: self.sizes.stride]

    def placed(self, x: Tensor, first: int) -> Tensor:
        """Features (B, T, n_in) at their places in the clip, from ``first`` on: (B, T, width).

        ValueError beyond the last place that was learned.
        """
        end = first + x.shape[1]
        if end > len(self.positions):
            raise ValueError(
                f"the Sliding Perceiver knows {len(self.positions)} positions, got {end}; cut the "
                "video into shorter windows"
            )
        return self.projection(x) + self.positions[first:end]

    def read(self, rows: Tensor, mask: Tensor) -> Tensor:
        """Rows of ``placed``, (B, F, width), to latents (B, ceil(F / stride), width)."""
        b, n = len(rows), -(-rows.shape[1] // self.sizes.stride)
        latents = self.latent.expand(b, n, -1)
        for layer in self.layers:
            latents = layer(latents, rows, mask)
        return self.last(latents)


def _waves(n: int, width: int) -> Tensor:
    """What positions start as, (n, width): sines and cosines, from short to long ("Attention Is All
    You Need", Sec. 3.5).

    Random ones as small as weights drown in the features, and T5's decoder looks at what was read
    by its content alone: digits could not be told.
    """
    rates = 10_000 ** (-torch.arange(0, width, 2) / width)
    angles = torch.arange(n)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :width]


class PerceiverLayer(nn.Module):
    """Cross-attention of each latent to its window, then a feed-forward network: each added."""

    def __init__(self, width: int, sizes: MappingSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.norm_latent, self.norm_rows = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.kv = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(sizes.dropout)

    def forward(self, latents: Tensor, rows: Tensor, mask: Tensor) -> Tensor:
        """latents : (B, N, D); rows : (B, F, D); mask : (B, F), 1 for a row of the clip"""
        b, n, d = latents.shape
        sizes, heads = self.sizes, self.sizes.n_heads
        kv = self.kv(self.norm_rows(rows))
        cut, there = sliding_windows(kv, mask, sizes.window, sizes.stride, before=0)
        k, v = cut.unflatten(-1, (2, heads, -1)).unbind(dim=3)  # (B, N, window, H, D / H)
        q = self.q(self.norm_latent(latents)).view(b, n, heads, -1)
        scores = torch.einsum("bnhd,bnwhd->bnhw", q, k) * (d // heads) ** -0.5
        weights = (scores + ((1 - there) * FAR)[:, :, None]).softmax(dim=-1)
        heard = torch.einsum("bnhw,bnwhd->bnhd", weights, v).reshape(b, n, d)
        latents = latents + self.dropout(self.out(heard))
        return latents + self.dropout(self.mlp(latents))


class PerceiverStream:
    """A Sliding Perceiver over features that come bit by bit; in eval mode, one clip at a time.

    The latents of all pushes and the flush are those of the whole clip at once. What is kept is the
    last window's rows, and how many came before: the positions end at ``n_positions``.
    """

    def __init__(self, perceiver: SlidingPerceiver) -> None:
        self.perceiver = perceiver
        self.reset()

    def reset(self) -> None:
        """A new clip begins."""
        width = self.perceiver.positions.shape[1]
        self._rows = self.perceiver.positions.new_zeros(1, 0, width)  # of windows not yet read
        self._n_pushed = 0

    @torch.no_grad()
    def push(self, features: Tensor) -> Tensor:
        """(n, n_in) more features, 0 too, to the (m, width) latents whose windows are now whole."""
        rows = self.perceiver.placed(features[None], self._n_pushed)
        self._n_pushed += len(features)
        self._rows = torch.cat([self._rows, rows], dim=1)
        sizes = self.perceiver.sizes
        whole = max(0, (self._rows.shape[1] - sizes.window) // sizes.stride + 1)
        latents = self._read(whole)
        self._rows = self._rows[:, whole * sizes.stride :]
        return latents

    @torch.no_grad()
    def flush(self) -> Tensor:
        """The latents of windows that reach beyond the clip's end. Then a new clip begins."""
        latents = self._read(-(-self._rows.shape[1] // self.perceiver.sizes.stride))
        self.reset()
        return latents

    def _read(self, n: int) -> Tensor:
        """The first n latents of the rows that are kept."""
        if n == 0:
            return self._rows.new_zeros(0, self._rows.shape[2])
        return self.perceiver.read(self._rows, self._rows.new_ones(self._rows.shape[:2]))[0, :n]


class MlpMapping(nn.Module):
    """Table 3, MLP: each feature on its own, none fewer."""

    step = reach = 1

    def __init__(self, n_in: int, width: int, sizes: MappingSizes) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(n_in, width), nn.Linear(width, width)

    def forward(self, x: Tensor, frame_mask: Tensor) -> tuple[Tensor, Tensor]:
        return self.last(F.gelu(self.first(x))), frame_mask


class ConvolutionMapping(nn.Module):
    """Table 3, Conv-based: a convolution over time, pooled by the stride."""

    KERNEL = 5

    def __init__(self, n_in: int, width: int, sizes: MappingSizes) -> None:
        super().__init__()
        self.step = self.reach = sizes.stride
        self.convolution = nn.Conv1d(n_in, width, self.KERNEL, padding=self.KERNEL // 2)
        self.last = nn.Linear(width, width)

    def forward(self, x: Tensor, frame_mask: Tensor) -> tuple[Tensor, Tensor]:
        mask = frame_mask.to(x.dtype)
        y = self.convolution((x * mask[..., None]).transpose(1, 2)).transpose(1, 2)
        cut, there = sliding_windows(y * mask[..., None], mask, self.step, self.step, before=0)
        mean = cut.sum(dim=2) / there.sum(dim=2).clamp(min=1)[..., None]
        return self.last(F.gelu(mean)), frame_mask[:, :: self.step]


class TokenShuffle(nn.Module):
    """Table 3, Token Shuffle: the features of a window side by side, through one linear layer."""

    def __init__(self, n_in: int, width: int, sizes: MappingSizes) -> None:
        super().__init__()
        self.step, self.reach = sizes.stride, sizes.window
        self.last = nn.Linear(n_in * sizes.window, width)

    def forward(self, x: Tensor, frame_mask: Tensor) -> tuple[Tensor, Tensor]:
        mask = frame_mask.to(x.dtype)
        cut, _ = sliding_windows(x * mask[..., None], mask, self.reach, self.step, before=0)
        return self.last(cut.flatten(2)), frame_mask[:, :: self.step]


# Each has beside its parameters: step and reach, the features from one latent to the next and those
# that it reads, and last, its last layer.
MAPPINGS: dict[str, Any] = {
    "sliding_perceiver": SlidingPerceiver,
    "mlp": MlpMapping,
    "convolution": ConvolutionMapping,
    "token_shuffle": TokenShuffle,
}


def find_mapping(name: str) -> Any:
    """One of ``MAPPINGS``; ValueError that lists them."""
    if name not in MAPPINGS:
        raise ValueError(f"[model] mapping {name!r}; known: {', '.join(MAPPINGS)}")
    return MAPPINGS[name]
