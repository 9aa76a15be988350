"""What the pocket models are built of: hands as numbers, convolution and attention over time."""

from typing import Protocol

import torch
from torch import Tensor, nn

from fingerpost.edge_runtime.keypoints import N_HAND, SIGN69

HAND_ZOOM = 4.0  # hand shapes are small in shoulder widths: bring them to about 1


class BlockSizes(Protocol):
    """Of a model's config, what its blocks need."""

    @property
    def width(self) -> int: ...
    @property
    def kernel(self) -> int: ...
    @property
    def n_heads(self) -> int: ...
    @property
    def expansion(self) -> int: ...
    @property
    def dropout(self) -> float: ...


class HandShape:
    """What one frame says of a hand, (B, T, 21, 4) to (B, T, 67); no frame knows of another.

    Fingers relative to the wrist, the wrist's place, confidence, and how near the fingertips are
    to the thumb's.
    """

    size = 3 * (N_HAND - 1) + 2 + 1 + 4

    @staticmethod
    def of(hand: Tensor) -> Tensor:
        return torch.cat(HandShape.parts(hand), dim=-1)

    @staticmethod
    def parts(hand: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Fingers (B, T, 60), place (B, T, 2), confidence (B, T, 1), touch (B, T, 4)."""
        confidence = hand[:, :, :1, 3]  # (B, T, 1)
        there = (confidence > 0).to(hand.dtype)
        xyz = hand[..., :3]
        wrist = xyz[:, :, :1]  # (B, T, 1, 3)
        fingers = (xyz[:, :, 1:] - wrist) * HAND_ZOOM * there[..., None]
        place = wrist[:, :, 0, :2] * there
        # fingertips to the thumb's tip: what touches what, however the hand is turned
        touch = (xyz[:, :, 8::4] - xyz[:, :, 4:5]).square().sum(-1).add(1e-6).sqrt()
        return fingers.flatten(2), place, confidence, touch * HAND_ZOOM * there


class HandFeatures:
    """What is known of one hand in each frame of a whole sign, (B, T, 21, 4) to (B, T, 71)."""

    size = HandShape.size + 2 + 2

    @staticmethod
    def of(hand: Tensor) -> Tensor:
        fingers, place, confidence, touch = HandShape.parts(hand)
        there = (confidence > 0).to(hand.dtype)
        mean = place.sum(dim=1, keepdim=True) / there.sum(dim=1, keepdim=True).clamp(min=1.0)
        path = (place - mean) * there
        step = torch.cat([path[:, :1] * 0, path[:, 1:] - path[:, :-1]], dim=1) * 5
        return torch.cat([fingers, place, path, step, confidence, touch], dim=-1)


class KeypointEmbedding(nn.Module):
    """Each group of keypoints on its own: both hands by the same weights, the left one mirrored.

    hands : ``HandShape`` or ``HandFeatures``
    """

    mirror: Tensor

    def __init__(self, width: int, hands: type[HandShape] | type[HandFeatures]) -> None:
        super().__init__()
        self._hands = hands
        self.register_buffer("mirror", torch.tensor([-1.0, 1.0, 1.0, 1.0]), persistent=False)
        self.hand = nn.Sequential(nn.Linear(hands.size, width), nn.GELU())
        self.body = nn.Linear(3 * _size("body"), width // 2)
        self.face = nn.Linear(3 * _size("face"), width // 4)
        self.join = nn.Linear(2 * width + width // 2 + width // 4, width)

    def embed(self, keypoints: Tensor) -> Tensor:
        """(B, T, 69, 4) to (B, T, 2.75 D): hands, body and face side by side."""
        groups = {name: keypoints[:, :, points] for name, points in SIGN69.groups.items()}
        right = self.hand(self._hands.of(groups["right_hand"]))
        left = self.hand(self._hands.of(groups["left_hand"] * self.mirror))
        rest = [
            layer(_flat_and_seen(groups[name]))
            for name, layer in (("body", self.body), ("face", self.face))
        ]
        return torch.cat([right, left, *rest], dim=-1)


class ConvBlock(nn.Module):
    """Depthwise convolution over time, then a two-layer perceptron: each added to its input.

    padded : False where whoever calls it gives the frames around
    """

    def __init__(self, config: BlockSizes, padded: bool = True) -> None:
        super().__init__()
        width, hidden = config.width, config.width * config.expansion
        padding = config.kernel // 2 if padded else 0
        self.depthwise = nn.Conv1d(width, width, config.kernel, padding=padding, groups=width)
        self.norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, around: Tensor | None = None) -> Tensor:
        """x : (B, T, D); around : (B, T + kernel - 1, D), x with the frames before or after it"""
        context = x if around is None else around
        y = self.depthwise(context.transpose(1, 2)).transpose(1, 2)  # (B, T, D)
        return x + self.dropout(self.mlp(self.norm(y)))


class AttentionBlock(nn.Module):
    """Self-attention over the window, added to its input."""

    def __init__(self, config: BlockSizes) -> None:
        super().__init__()
        self.n_heads = config.n_heads
        self.norm = nn.LayerNorm(config.width)
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm(x)).chunk(3, dim=-1)
        return x + self.attend(q, k, v)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
        """q : (B, Q, D); k, v : (B, K, D); bias : of the scores, fits (B, H, Q, K)"""
        b, n, d = q.shape
        q, k, v = (
            y.view(b, y.shape[1], self.n_heads, d // self.n_heads).transpose(1, 2)
            for y in (q, k, v)
        )  # (B, H, ., D / H)
        scores = q @ k.transpose(-1, -2) * (d // self.n_heads) ** -0.5
        if bias is not None:
            scores = scores + bias
        mixed = (scores.softmax(dim=-1) @ v).transpose(1, 2).reshape(b, n, d)
        return self.dropout(self.out(mixed))


def _flat_and_seen(points: Tensor) -> Tensor:
    """(B, T, K, 4) to (B, T, 3 K): x, y and whether it was seen; z of body and face is a guess."""
    there = (points[..., 3:] > 0).to(points.dtype)
    return torch.cat([points[..., :2] * there, there], dim=-1).flatten(2)


def _size(group: str) -> int:
    points = SIGN69.groups[group]
    return points.stop - points.start
