"""The pose backbone: keypoints of four articulators to one feature for a clip, or for each stride.

"Lost in Translation, Found in Embeddings: Sign Language Translation and Alignment", Sec. 3.1 (pose
backbone), 4.2, A.1 and B.3. Both hands have one encoder, and the right one is mirrored for it. Of a
long clip the articulators' encoders read all frames at once, and the Conformer reads windows.

The text that we have has lost the numbers of channels and widths (C, D). Chosen by us: channels 32,
then 64, 64, 64 and 128 after the four layers, 256 for each articulator, 512 in the Conformer; a
recipe can name others.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fingerpost.edge_runtime.keypoints import FOUND203, GROUPS, SIGN69
from fingerpost.trainer.models.found_conformer import Conformer, ConformerSizes, sliding_windows
from fingerpost.trainer.models.found_graph import ArticulatorEncoder, edges_of

VIEWS = {view.name: view for view in (FOUND203, SIGN69)}
JOINT_AGGREGATIONS = ("reshape", "mean")
MOST_MASKED = 2  # articulators of a clip, Sec. 4.2: up to 50 %


@dataclass(frozen=True)
class PoseBackboneConfig:
    """view : found203 as the paper has it, or sign69 for keypoints that were kept as that
    channels : before the four graph layers and after each
    articulator_width : of what a frame says of one articulator
    width, n_blocks, n_heads, dropout : of the Conformer
    joint_aggregation : of ``JOINT_AGGREGATIONS``
    every : of a long clip's frames so many are read, from the first on; more than 1 for machines
        that are too small for the paper's 25 a second
    window, stride : frames that are read; the Conformer reads so many of them around every so many
    """

    view: str = "found203"
    channels: tuple[int, ...] = (32, 64, 64, 64, 128)
    articulator_width: int = 256
    width: int = 512
    n_blocks: int = 4
    n_heads: int = 8
    dropout: float = 0.1
    joint_aggregation: str = "reshape"
    every: int = 1
    window: int = 24
    stride: int = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))  # of a TOML or JSON list
        if self.view not in VIEWS:
            raise ValueError(f"[model.poses] view {self.view!r}; known: {', '.join(VIEWS)}")
        if self.joint_aggregation not in JOINT_AGGREGATIONS:
            raise ValueError(
                f"[model.poses] joint_aggregation {self.joint_aggregation!r}; known: "
                f"{', '.join(JOINT_AGGREGATIONS)}"
            )
        if len(self.channels) < 2 or min(self.channels) < 1 or self.articulator_width < 1:
            raise ValueError(
                "[model.poses] channels names at least two widths above 0, and articulator_width "
                f"one; got {self.channels} and {self.articulator_width}"
            )
        if not 1 <= self.stride <= self.window or self.every < 1:
            raise ValueError(
                "[model.poses] stride is from 1 to window, and every at least 1, got "
                f"{self.stride}, {self.window} and {self.every}"
            )

    @property
    def step(self) -> int:
        """Frames of the clip from one feature to the next."""
        return self.every * self.stride

    @property
    def conformer(self) -> ConformerSizes:
        return ConformerSizes(self.width, self.n_blocks, self.n_heads, dropout=self.dropout)


def pose_config(fields: dict[str, Any]) -> PoseBackboneConfig:
    """The table [model.poses] of a recipe; ValueError that lists the keys that there are."""
    known = list(PoseBackboneConfig.__dataclass_fields__)
    unknown = [name for name in fields if name not in known]
    if unknown:
        raise ValueError(f"[model.poses] has no {', '.join(unknown)}; known: {', '.join(known)}")
    return PoseBackboneConfig(**fields)


class PoseBackbone(nn.Module):
    """(B, T, K, 4) keypoints of ``preprocess_found`` to (B, D), or to (B, ceil(T / step), D)."""

    def __init__(self, config: PoseBackboneConfig) -> None:
        super().__init__()
        self.config = config
        self.view = VIEWS[config.view]
        encoders = {}
        for group in ("body", "left_hand", "face"):
            points = self.view.groups[group]
            encoders["hand" if group == "left_hand" else group] = ArticulatorEncoder(
                points.stop - points.start,
                edges_of(self.view, group),
                config.channels,
                config.articulator_width,
                config.joint_aggregation,
            )
        self.encoders = nn.ModuleDict(encoders)
        self.conformer = Conformer(len(GROUPS) * config.articulator_width, config.conformer)

    def articulators(self, keypoints: Tensor, frame_mask: Tensor) -> Tensor:
        """Features (B, T, 4, D) of body, left hand, right hand, face, frame by frame."""
        n_points = len(self.view)
        if keypoints.dim() != 4 or keypoints.shape[2:] != (n_points, 4):
            raise ValueError(
                f"expected keypoints (B, T, {n_points}, 4) of preprocess_found with view "
                f"{self.view.name}, got {tuple(keypoints.shape)}"
            )
        parts = {group: keypoints[:, :, self.view.groups[group]] for group in GROUPS}
        parts["right_hand"] = parts["right_hand"] * keypoints.new_tensor([-1.0, 1.0, 1.0, 1.0])
        hands = torch.cat([parts["left_hand"], parts["right_hand"]])  # (2 B, T, 21, 4)
        left, right = self.encoders["hand"](hands, frame_mask.repeat(2, 1)).chunk(2)
        body = self.encoders["body"](parts["body"], frame_mask)
        face = self.encoders["face"](parts["face"], frame_mask)
        return torch.stack([body, left, right, face], dim=2)

    def pool(self, features: Tensor, frame_mask: Tensor) -> Tensor:
        """Features of ``articulators`` to one of each clip, (B, D)."""
        return self.conformer.pool(features.flatten(2), frame_mask)

    def forward(self, keypoints: Tensor, frame_mask: Tensor) -> Tensor:
        """Long clips to (B, N, D), N = ceil(T / step): one feature for each ``config.step``."""
        config = self.config
        keypoints, frame_mask = keypoints[:, :: config.every], frame_mask[:, :: config.every]
        features = self.articulators(keypoints, frame_mask).flatten(2)
        return self.conformer.pool_windows(features, frame_mask, config.window, config.stride)

    def forward_by_windows(self, keypoints: Tensor, frame_mask: Tensor) -> Tensor:
        """The same shape, by cutting the keypoints into windows first, as pre-training has them.

        What B.3 compares ``forward`` with: every frame is encoded window / stride times. The
        numbers differ, for here the encoders see nothing outside a window.
        """
        b, config = len(frame_mask), self.config
        keypoints, frame_mask = keypoints[:, :: config.every], frame_mask[:, :: config.every]
        before = (config.window - config.stride) // 2
        cut, mask = sliding_windows(
            keypoints.flatten(2), frame_mask, config.window, config.stride, before
        )
        keypoints = cut.reshape(-1, config.window, *keypoints.shape[2:])
        mask = mask.flatten(0, 1)
        return self.pool(self.articulators(keypoints, mask), mask).unflatten(0, (b, -1))


def masked_articulators(features: Tensor) -> Tensor:
    """Features (B, T, 4, D) with none, one or two of each clip's articulators at zero.

    Sec. 4.2: up to half of them are masked; how many, and which, is drawn evenly.
    """
    b, _, n, _ = features.shape
    how_many = torch.randint(MOST_MASKED + 1, (b, 1), device=features.device)
    rank = torch.rand(b, n, device=features.device).argsort(dim=1).argsort(dim=1)
    return features * (rank >= how_many)[:, None, :, None]
