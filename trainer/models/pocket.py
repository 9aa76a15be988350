"""The pocket recogniser: one sign in, a distribution over glosses out, small enough for any phone.

Ours, after no paper: each group of keypoints is embedded on its own (both hands by the same
weights, the left one mirrored), so a group that was not seen is simply a zero; then depthwise
temporal convolutions and a little attention.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fingerpost.edge_runtime.keypoints import N_HAND, SIGN69

HAND_ZOOM = 4.0  # hand shapes are small in shoulder widths: bring them to about 1


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


class Pocket(nn.Module):
    """(B, T, 69, 4) keypoints of ``preprocess`` to (B, V) logits."""

    def __init__(self, config: PocketConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.hand = nn.Sequential(nn.Linear(HandFeatures.size, width), nn.GELU())
        self.body = nn.Linear(3 * _size("body"), width // 2)
        self.face = nn.Linear(3 * _size("face"), width // 4)
        self.join = nn.Linear(2 * width + width // 2 + width // 4, width)
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

    def embed(self, keypoints: Tensor) -> Tensor:
        """(B, T, 69, 4) to (B, T, 2.75 D): hands, body and face side by side."""
        groups = {name: keypoints[:, :, points] for name, points in SIGN69.groups.items()}
        mirror = keypoints.new_tensor([-1.0, 1.0, 1.0, 1.0])
        right = self.hand(HandFeatures.of(groups["right_hand"]))
        left = self.hand(HandFeatures.of(groups["left_hand"] * mirror))
        rest = [
            layer(_flat_and_seen(groups[name]))
            for name, layer in (("body", self.body), ("face", self.face))
        ]
        return torch.cat([right, left, *rest], dim=-1)


class HandFeatures:
    """What is known of one hand in each frame, (B, T, 21, 4) to (B, T, 71)."""

    size = 3 * (N_HAND - 1) + 2 + 2 + 2 + 1 + 4

    @staticmethod
    def of(hand: Tensor) -> Tensor:
        confidence = hand[:, :, :1, 3]  # (B, T, 1)
        there = (confidence > 0).to(hand.dtype)
        xyz = hand[..., :3]
        wrist = xyz[:, :, :1]  # (B, T, 1, 3)
        shape = (xyz[:, :, 1:] - wrist) * HAND_ZOOM * there[..., None]
        place = wrist[:, :, 0, :2] * there
        mean = place.sum(dim=1, keepdim=True) / there.sum(dim=1, keepdim=True).clamp(min=1.0)
        path = (place - mean) * there
        step = torch.cat([path[:, :1] * 0, path[:, 1:] - path[:, :-1]], dim=1) * 5
        # fingertips to the thumb's tip: what touches what, however the hand is turned
        touch = (xyz[:, :, 8::4] - xyz[:, :, 4:5]).square().sum(-1).add(1e-6).sqrt()
        touch = touch * HAND_ZOOM * there
        return torch.cat([shape.flatten(2), place, path, step, confidence, touch], dim=-1)


class ConvBlock(nn.Module):
    """Depthwise convolution over time, then a two-layer perceptron: each added to its input."""

    def __init__(self, config: PocketConfig) -> None:
        super().__init__()
        width, hidden = config.width, config.width * config.expansion
        self.depthwise = nn.Conv1d(
            width, width, config.kernel, padding=config.kernel // 2, groups=width
        )
        self.norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(x.transpose(1, 2)).transpose(1, 2)  # (B, T, D)
        return x + self.dropout(self.mlp(self.norm(y)))


class AttentionBlock(nn.Module):
    """Self-attention over the window, added to its input."""

    def __init__(self, config: PocketConfig) -> None:
        super().__init__()
        self.n_heads = config.n_heads
        self.norm = nn.LayerNorm(config.width)
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        b, t, d = x.shape
        q, k, v = (
            y.view(b, t, self.n_heads, d // self.n_heads).transpose(1, 2)  # (B, H, T, D / H)
            for y in self.qkv(self.norm(x)).chunk(3, dim=-1)
        )
        weights = (q @ k.transpose(-1, -2) * (d // self.n_heads) ** -0.5).softmax(dim=-1)
        mixed = (weights @ v).transpose(1, 2).reshape(b, t, d)
        return x + self.dropout(self.out(mixed))


def _flat_and_seen(points: Tensor) -> Tensor:
    """(B, T, K, 4) to (B, T, 3 K): x, y and whether it was seen; z of body and face is a guess."""
    there = (points[..., 3:] > 0).to(points.dtype)
    return torch.cat([points[..., :2] * there, there], dim=-1).flatten(2)


def _size(group: str) -> int:
    points = SIGN69.groups[group]
    return points.stop - points.start
