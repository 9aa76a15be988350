"""The lip backbone: a frozen lip reader looks at grey crops, and a Conformer at what it says.

"Lost in Translation, Found in Embeddings: Sign Language Translation and Alignment", Sec. 3.1 (lip
backbone), 4.2, 4.4. The lip reader is that of "Auto-AVSR" (Ma et al., 2023): a 3-D convolution over
5 frames, a ResNet-18 over each frame, a linear layer to 768 numbers. Its weights are loaded from a
file and never learn. Crops are cut in memory (``lip_crops``); what is kept of a clip, if anything,
are these 768 numbers a frame, from which no face can be drawn.

What differs: the paper's 768 numbers come out of Auto-AVSR's own Conformer encoder, ours out of the
layer before it, for that encoder is another 12 blocks; our Conformer stands in its place. The names
of the parameters are Auto-AVSR's (``frontend.frontend3D.0.weight``), so that its file fits.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fingerpost.trainer.models.found_conformer import Conformer
from fingerpost.trainer.models.found_poses import PoseBackboneConfig
from fingerpost.trainer.plain_tensors import read_plain_tensors

N_FEATURES = 768  # of a frame's lips
SIDE = 88  # pixels of a crop's middle that the lip reader looks at
STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))  # channels and stride of ResNet-18's four stages
MEAN, STD = 0.421, 0.165  # of grey from 0 to 1, Auto-AVSR's
LATE_FUSION = 0.7  # of the pose's logits; the lips' get the rest (Table A.5)


class LipBackbone(nn.Module):
    """(B, T, n_in) features of lips to (B, ceil(T / step), D), or to (B, D) of a whole clip."""

    def __init__(self, n_in: int, config: PoseBackboneConfig) -> None:
        super().__init__()
        self.config = config
        self.conformer = Conformer(n_in, config.conformer)

    def forward(self, lips: Tensor, frame_mask: Tensor) -> Tensor:
        config = self.config
        lips, frame_mask = lips[:, :: config.every], frame_mask[:, :: config.every]
        return self.conformer.pool_windows(lips, frame_mask, config.window, config.stride)

    def pool(self, lips: Tensor, frame_mask: Tensor) -> Tensor:
        """Of clips of one sign, (B, D)."""
        return self.conformer.pool(lips, frame_mask)


def fused(poses: Tensor, lips: Tensor, share: float = LATE_FUSION) -> Tensor:
    """Logits (B, L) of both backbones as one: 0.7 to 0.3. ValueError for a share beyond 0 to 1."""
    if not 0 <= share <= 1:
        raise ValueError(f"the pose's share of a late fusion is from 0 to 1, got {share:g}")
    return share * poses + (1 - share) * lips


class LipReader(nn.Module):
    """Grey crops (B, T, 96, 96), uint8, to (B, T, 768). It never learns."""

    def __init__(self) -> None:
        super().__init__()
        self.frontend = _FrontEnd()
        self.proj_encoder = nn.Linear(STAGES[-1][0], N_FEATURES)
        self.requires_grad_(False)
        self.eval()

    @classmethod
    def load(cls, path: Path) -> "LipReader":
        """With the weights of a file, of Auto-AVSR or of another of that layout.

        ValueError, in one line, where they are not of this layout. What else the file holds, such
        as the rest of Auto-AVSR, is left aside.
        """
        reader = cls()
        wanted = reader.state_dict()
        found = {_own_name(name): value for name, value in read_plain_tensors(path).items()}
        wrong = [n for n, w in wanted.items() if n not in found or found[n].shape != w.shape]
        wrong = [name for name in wrong if not name.endswith("num_batches_tracked")]
        if wrong:
            raise ValueError(
                f"{path} has no {wrong[0]} of the shape of a lip reader with a ResNet-18; give the "
                "visual model of Auto-AVSR"
            )
        reader.load_state_dict({name: found.get(name, value) for name, value in wanted.items()})
        return reader

    def train(self, mode: bool = True) -> "LipReader":
        """Stays as it is: its running averages must not move either."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, crops: Tensor) -> Tensor:
        if crops.dim() != 4 or min(crops.shape[2:]) < SIDE:
            raise ValueError(
                f"expected grey crops (B, T, 96, 96), at least {SIDE} wide and high, got "
                f"{tuple(crops.shape)}"
            )
        top, left = ((size - SIDE) // 2 for size in crops.shape[2:])
        middle = crops[:, :, top : top + SIDE, left : left + SIDE].float() / 255
        return self.proj_encoder(self.frontend((middle - MEAN) / STD))


class _FrontEnd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.frontend3D = nn.Sequential(
            nn.Conv3d(1, 64, (5, 7, 7), (1, 2, 2), (2, 3, 3), bias=False),
            nn.BatchNorm3d(64),
            nn.SiLU(),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
        )
        self.trunk = _ResNet18()

    def forward(self, crops: Tensor) -> Tensor:
        """(B, T, 88, 88) to (B, T, 512)."""
        b, t = crops.shape[:2]
        x = self.frontend3D(crops[:, None])  # (B, 64, T, 22, 22)
        return self.trunk(x.transpose(1, 2).flatten(0, 1)).view(b, t, -1)


class _ResNet18(nn.Module):
    """The four stages of a ResNet-18 and the mean over the picture: (N, 64, 22, 22) to (N, 512)."""

    def __init__(self) -> None:
        super().__init__()
        n_in = STAGES[0][0]
        for i, (n_out, stride) in enumerate(STAGES, start=1):
            blocks = nn.Sequential(_Residual(n_in, n_out, stride), _Residual(n_out, n_out, 1))
            setattr(self, f"layer{i}", blocks)
            n_in = n_out

    def forward(self, x: Tensor) -> Tensor:
        for i in range(1, len(STAGES) + 1):
            layer: Any = getattr(self, f"layer{i}")
            x = layer(x)
        return x.mean(dim=(2, 3))


class _Residual(nn.Module):
    """ResNet's basic block with Swish, as Auto-AVSR has it."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.relu = nn.SiLU()
        self.downsample: nn.Module | None = None
        if stride != 1 or n_in != n_out:
            self.downsample = nn.Sequential(
                nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


def _own_name(name: str) -> str:
    """Auto-AVSR's checkpoints name the same parameters within one or two outer modules."""
    for outer in ("model.", "encoder."):
        name = name.removeprefix(outer)
    return name
