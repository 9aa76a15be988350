"""The pocket recogniser: one sign in, a distribution over glosses out, small enough for any phone.

Ours, after no paper: each group of keypoints is embedded on its own (both hands by the same
weights, the left one mirrored), so a group that was not seen is simply a zero; then depthwise
temporal convolutions and a little attention.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fingerpost.trainer.models.pocket_blocks import (
    AttentionBlock,
    ConvBlock,
    HandFeatures,
    KeypointEmbedding,
)


@dataclass(frozen=True)
class PocketConfig:
    """n_labels : glosses, with the reject class; window : frames; the rest are layer sizes."""

    n_labels: int
    window: int = 48
    width: int = 256
    n_blocks: int = 5
    kernel: int = 9
    n_heads: int = 4
    expansion: int = 2
    dropout: float = 0.15


class Pocket(KeypointEmbedding):
    """(B, T, 69, 4) keypoints of ``preprocess`` to (B, V) logits."""

    def __init__(self, config: PocketConfig) -> None:
        super().__init__(config.width, HandFeatures)
        self.config = config
        width = config.width
        self.position = nn.Parameter(torch.randn(config.window, width) * 0.02)
        self.blocks = nn.ModuleList(ConvBlock(config) for _ in range(config.n_blocks))
        self.attention = AttentionBlock(config)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(2 * width, config.n_labels)

    def forward(self, keypoints: Tensor) -> Tensor:
        x = self.join(self.dropout(self.embed(keypoints))) + self.position  # (B, T, D)
        for i, block in enumerate(self.blocks):
            if i == len(self.blocks) // 2:
                x = self.attention(x)
            x = block(x)
        x = self.norm(x)
        pooled = torch.cat([x.mean(dim=1), x.amax(dim=1)], dim=-1)  # (B, 2 D)
        return self.head(self.dropout(pooled))
