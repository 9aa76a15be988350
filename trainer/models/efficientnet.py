"""EfficientNet-B0 without its classifier: pictures in, a grid of features out.

"EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (Tan and Le, ICML 2019),
Table 1. Names, padding and numbers are those of torchvision's ``efficientnet_b0().features``, so
its published ImageNet weights fit, and so do those of models that were built on it:

- convolutions pad both sides alike (TensorFlow's pad one side more where the stride is 2);
- batch normalisation with epsilon 1e-5 and momentum 0.1;
- in training, a block with a residual is left out by chance, the deeper the likelier, up to 0.2.

Written here because torchvision, and timm that needs it, have no wheel beside a CPU torch on PyPI.
"""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fingerpost.trainer.plain_tensors import read_plain_tensors

N_FEATURES = 1280
STRIDE = 32  # pixels of the picture to one place of the grid; 112 pixels make 4 places
HIGHEST_DROP = 0.2  # chance to leave a block out, if there were one after the last


class Stage(NamedTuple):
    """A row of Table 1: ``depth`` blocks, of which the first has the stride."""

    expansion: int
    kernel: int
    stride: int
    n_in: int
    n_out: int
    depth: int


STAGES = (
    Stage(1, 3, 1, 32, 16, 1),
    Stage(6, 3, 2, 16, 24, 2),
    Stage(6, 5, 2, 24, 40, 2),
    Stage(6, 3, 2, 40, 80, 3),
    Stage(6, 5, 1, 80, 112, 3),
    Stage(6, 5, 2, 112, 192, 4),
    Stage(6, 3, 1, 192, 320, 1),
)
N_BLOCKS = sum(stage.depth for stage in STAGES)  # 16


class EfficientNetB0(nn.Sequential):
    """(N, 3, H, W) normalised as ImageNet's to (N, 1280, H / 32, W / 32), rounded up."""

    def __init__(self) -> None:
        layers: list[nn.Module] = [_convolution(3, STAGES[0].n_in, kernel=3, stride=2)]
        drops = iter(HIGHEST_DROP * i / N_BLOCKS for i in range(N_BLOCKS))
        for stage in STAGES:
            inputs = [stage.n_in] + [stage.n_out] * (stage.depth - 1)
            strides = [stage.stride] + [1] * (stage.depth - 1)
            layers.append(
                nn.Sequential(
                    *(
                        Block(stage, n_in, stride, next(drops))
                        for n_in, stride in zip(inputs, strides, strict=True)
                    )
                )
            )
        layers.append(_convolution(STAGES[-1].n_out, N_FEATURES, kernel=1))
        super().__init__(*layers)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)


class Block(nn.Module):
    """MBConv: widen, one filter for each channel, squeeze and excite, narrow; and a residual."""

    def __init__(self, stage: Stage, n_in: int, stride: int, drop: float) -> None:
        super().__init__()
        width = n_in * stage.expansion
        layers: list[nn.Module] = [_convolution(n_in, width, kernel=1)] if width != n_in else []
        layers += [
            _convolution(width, width, stage.kernel, stride, groups=width),
            SqueezeExcite(width, n_in // 4),
            _convolution(width, stage.n_out, kernel=1, activated=False),
        ]
        self.block = nn.Sequential(*layers)
        self.has_residual = stride == 1 and n_in == stage.n_out
        self.drop = drop

    def forward(self, x: Tensor) -> Tensor:
        y = self.block(x)
        if not self.has_residual:
            return y
        if self.training and self.drop > 0:  # stochastic depth: per picture, mean unchanged
            kept = torch.rand(len(y), 1, 1, 1, device=y.device) >= self.drop
            y = y * (kept / (1 - self.drop)).to(y.dtype)
        return y + x


class SqueezeExcite(nn.Module):
    """Each channel times a number from 0 to 1, which depends on the means of all channels."""

    def __init__(self, width: int, squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(width, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        means = x.mean(dim=(2, 3), keepdim=True)
        return x * self.fc2(nn.functional.silu(self.fc1(means))).sigmoid()


def read_image_net_weights(file: Path) -> dict[str, Tensor]:
    """The state of an ``EfficientNetB0`` from torchvision's published ``efficientnet_b0`` file.

    file : .pth, opened as plain tensors so that nothing in it can run, or .safetensors

    The classifier's entries are left out. ValueError where the file holds anything else.
    """
    state = read_plain_tensors(file)
    state = {k.removeprefix("features."): v for k, v in state.items() if "classifier." not in k}
    expected = {name: v.shape for name, v in EfficientNetB0().state_dict().items()}
    found = {name: v.shape for name, v in state.items()}
    if wrong := sorted(n for n in {*expected, *found} if expected.get(n) != found.get(n)):
        raise ValueError(
            f"{file} holds no EfficientNet-B0 of torchvision: {len(wrong)} entries such as "
            f"{wrong[0]} are missing, unknown or of another shape"
        )
    return state


def _convolution(
    n_in: int, n_out: int, kernel: int, stride: int = 1, groups: int = 1, activated: bool = True
) -> nn.Sequential:
    layers = [
        nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(n_out),
    ]
    return nn.Sequential(*layers, *([nn.SiLU(inplace=True)] if activated else []))
