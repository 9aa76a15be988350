"""Uni-Sign's RGB branch: pictures of the hands correct what their keypoints got wrong.

"Uni-Sign: Toward Unified Sign Language Understanding at Scale" (ICLR 2025), Sec. 3.3, prior-guided
fusion. A frame that has a picture of a hand has that hand's 21 features asked twice: of the whole
picture (multi-head attention), then of the places around each keypoint (deformable attention,
"Vision Transformer with Deformable Attention", CVPR 2022). A gate, Eq. 3 and 4, mixes the answer
in. Frames without a picture stay as they are.

What the authors' code does, and the paper does not say:
- both hands share all weights;
- the eight heads of the deformable attention are its eight offset groups: each sees 32 channels
  and moves its own places, by at most a third of the picture;
- places out of the picture read as 0;
- attention gets a bias for how far a place is from a keypoint (Swin V2's continuous one);
- keypoints are told to the first attention by random frequencies, which are part of the weights.

What differs: the authors set both layers of the gate to 0, and then end in a ReLU. PyTorch's ReLU
has derivative 0 at 0, so a gate that starts so never opens. Here the last layer alone starts at 0,
and the ReLU passes its derivative at 0. Outputs are the same: those of Stage 1.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fingerpost.edge_runtime.keypoints import N_HAND
from fingerpost.trainer.models.efficientnet import N_FEATURES, STRIDE, EfficientNetB0

PICTURE = 112  # pixels, height and width of a hand's picture
N_PLACES = math.ceil(PICTURE / STRIDE)  # 4 by 4 places in what EfficientNet makes of it
WIDTH = 256  # of the pose encoder's spatial features
N_HEADS = 8
HEAD_WIDTH = WIDTH // N_HEADS  # 32
FARTHEST = 4 / 6  # how far a place may move from its keypoint; the picture is from -1 to 1


class HandCrops(NamedTuple):
    """Pictures of one hand, N in all, from any frames of the clips of a batch.

    pictures : shape (N, 3, 112, 112), normalised as ImageNet's
    points : shape (N, 21, 2), the hand's keypoints in the picture: x and y from 0 to 1
    clip, frame : shape (N,), which clip of the batch, and which of its T frames
    """

    pictures: Tensor
    points: Tensor
    clip: Tensor
    frame: Tensor


class HandPictures(NamedTuple):
    """What the RGB branch sees of a batch."""

    left_hand: HandCrops
    right_hand: HandCrops


class HandFusion(nn.Module):
    """Features of a hand's keypoints, and its pictures, to features of the same shape."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = EfficientNetB0()
        self.project = nn.Conv2d(N_FEATURES, WIDTH, 1)
        self.attention = PriorGuidedAttention()
        self.gate = Gate()

    def forward(self, features: Tensor, crops: HandCrops) -> Tensor:
        """features : shape (21, B, T, 256); a copy comes back, changed in the frames of crops."""
        _check(crops)
        if len(crops.pictures) == 0:
            if not self.training:
                return features
            # Other processes may have pictures, and then wait for this one's gradients too.
            return features + 0 * sum(parameter.sum() for parameter in self.parameters())
        picture = self.project(self.backbone(crops.pictures))  # (N, C, 4, 4)
        pose = features[:, crops.clip, crops.frame].permute(1, 2, 0)  # (N, C, K)
        with torch.autocast(pose.device.type, enabled=False):  # places need more than 8 bits
            fused = self.attention(pose.float(), picture.float(), crops.points.float())
        fused = fused.to(pose.dtype)
        gate = self.gate(torch.cat([fused, pose], dim=1)).to(pose.dtype)  # (N, 1, K)
        mixed = gate * fused + (1 - gate) * pose  # Eq. 4
        features = features.clone()
        features[:, crops.clip, crops.frame] = mixed.permute(2, 0, 1)
        return features


class PriorGuidedAttention(nn.Module):
    """Keypoints look at the picture of their hand: at all of it, then each at where it is."""

    frequencies: Tensor
    places: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.randn(2, WIDTH // 2))
        self.register_buffer("places", _sinusoids(N_PLACES**2, WIDTH), persistent=False)
        self.whole = nn.MultiheadAttention(WIDTH, N_HEADS, batch_first=True)
        self.query, self.key, self.value = (
            nn.Conv1d(WIDTH, WIDTH, 1, groups=N_HEADS, bias=False) for _ in range(3)
        )
        self.offset = nn.Sequential(  # the same for all heads
            nn.Conv1d(HEAD_WIDTH, HEAD_WIDTH, 1, groups=HEAD_WIDTH),
            nn.GELU(),
            nn.Conv1d(HEAD_WIDTH, 2, 1, bias=False),
            nn.Tanh(),
        )
        self.distance = nn.Sequential(
            nn.Linear(2, WIDTH // 4),
            nn.ReLU(),
            nn.Linear(WIDTH // 4, WIDTH // 4),
            nn.ReLU(),
            nn.Linear(WIDTH // 4, 1),
        )
        self.out = nn.Conv1d(WIDTH, WIDTH, 1)

    def forward(self, pose: Tensor, picture: Tensor, points: Tensor) -> Tensor:
        """pose (N, C, K), picture (N, C, 4, 4), points (N, K, 2) from 0 to 1; gives (N, C, K)."""
        reference = 2 * points - 1  # (N, K, 2), as grid_sample counts
        query = self.query(pose + self._look_at_all(pose, picture, reference))
        query = query.unflatten(1, (N_HEADS, HEAD_WIDTH))  # (N, H, C / H, K)
        offset = self.offset(query.flatten(0, 1)).unflatten(0, (-1, N_HEADS))  # (N, H, 2, K)
        near = reference[:, None] + FARTHEST * offset.transpose(2, 3)  # (N, H, K, 2)

        sampled = F.grid_sample(
            picture.reshape(-1, HEAD_WIDTH, *picture.shape[2:]),
            near.flatten(0, 1)[:, None],
            mode="bilinear",
            padding_mode="zeros",
            align_corners=False,
        )  # (N H, C / H, 1, K)
        sampled = sampled.reshape(len(pose), WIDTH, -1)
        key, value = (
            layer(sampled).unflatten(1, (N_HEADS, HEAD_WIDTH)) for layer in (self.key, self.value)
        )
        scores = HEAD_WIDTH**-0.5 * query.transpose(2, 3) @ key  # (N, H, K, K)
        scores = scores + self._bias(reference[:, None], near)
        seen = scores.softmax(dim=-1) @ value.transpose(2, 3)  # (N, H, K, C / H)
        return self.out(seen.transpose(2, 3).flatten(1, 2))

    def _look_at_all(self, pose: Tensor, picture: Tensor, reference: Tensor) -> Tensor:
        angles = 2 * math.pi * (reference @ self.frequencies)
        point = torch.cat([angles.sin(), angles.cos()], dim=-1)  # (N, K, C)
        places = picture.flatten(2).transpose(1, 2) + self.places  # (N, 16, C)
        # Weights nobody needs, but by the way that makes them it rounds as the authors' code does:
        # published weights then give the same numbers to the last bit.
        seen, _ = self.whole(pose.transpose(1, 2) + point, places, places, need_weights=True)
        return seen.transpose(1, 2)

    def _bias(self, reference: Tensor, near: Tensor) -> Tensor:
        """(N, 1, K, 2) and (N, H, K, 2) to (N, H, K, K): by how far place j is from keypoint i."""
        apart = reference[:, :, :, None] - near[:, :, None]
        return self.distance(apart.sign() * (apart.abs() + 1).log()).squeeze(-1)


class Gate(nn.Module):
    """Eq. 3: from 0 to 1 how much of the picture's answer to take; 0 before it has learnt."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(2 * WIDTH, WIDTH, 1), nn.GELU(), nn.Conv1d(WIDTH, 1, 1), nn.Tanh()
        )
        for parameter in self.layers[2].parameters():
            nn.init.zeros_(parameter)

    def forward(self, both: Tensor) -> Tensor:
        """(N, 2 C, K) to (N, 1, K)."""
        return self.layers(both).clamp(min=0)  # as a ReLU, but with derivative 1 at 0


def _check(crops: HandCrops) -> None:
    n = len(crops.pictures)
    expected = ((n, 3, PICTURE, PICTURE), (n, N_HAND, 2), (n,), (n,))
    found = tuple(tuple(tensor.shape) for tensor in crops)
    if found != expected:
        raise ValueError(
            f"expected pictures, points, clip and frame of shapes {expected}, got {found}; "
            "make them with hand_crops"
        )


def _sinusoids(n: int, width: int) -> Tensor:
    """Shape (n, width): sine and cosine in turn, of ever slower waves ("Attention is all ...")."""
    pair = torch.arange(width, dtype=torch.float64) // 2
    angles = torch.arange(n, dtype=torch.float64)[:, None] / 10000 ** (2 * pair / width)
    angles[:, 0::2] = angles[:, 0::2].sin()
    angles[:, 1::2] = angles[:, 1::2].cos()
    return angles.float()
