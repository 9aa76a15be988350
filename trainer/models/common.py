"""The pose encoder of Uni-Sign, Sigma and SIGNET: four groups of keypoints, each by its own graphs.

Sec. 3.2 and Table 11 of the paper that ``uni_sign`` is after; what only the authors' code says is
listed there. Its widths are a setting, so that the papers can be compared on a small machine too.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fingerpost.edge_runtime.keypoints import GROUPS, HAND_POINTS, SIGN69
from fingerpost.trainer.models.graph import GraphBlock, distance_partition, pointwise
from fingerpost.trainer.models.uni_sign_rgb import WIDTH as HAND_WIDTH
from fingerpost.trainer.models.uni_sign_rgb import HandFusion, HandPictures

N_INPUT = 3  # x, y, confidence
POSE_WIDTHS = (64, 64, 128, 256)  # Table 11: of the linear layer, of three graph convolutions
N_TEMPORAL = 3  # convolutions over time too, of the last width
TEMPORAL_KERNEL = 5  # frames

PART_OF = {"body": "body", "left_hand": "hand", "right_hand": "hand", "face": "face"}
PLACE_OF = {  # the keypoint of the body that says where a group is
    "left_hand": SIGN69.index("left_wrist"),
    "right_hand": SIGN69.index("right_wrist"),
    "face": SIGN69.index("nose"),
}


class PoseEncoder(nn.Module):
    """Keypoints (B, T, 69, 3) to features of the language model's width (B, T, D).

    widths : four, as ``POSE_WIDTHS``
    placed : whether hands and face are told where on the body they are; SIGNET's are not
    """

    def __init__(
        self,
        width: int,
        rgb: bool = False,
        widths: Sequence[int] = POSE_WIDTHS,
        placed: bool = True,
    ) -> None:
        super().__init__()
        self.placed = placed
        check_pose_widths(widths, rgb)
        self.parts = nn.ModuleDict(
            {
                "body": PartEncoder(_size("body"), _body_edges(), widths),
                "hand": PartEncoder(_size("left_hand"), _hand_edges(), widths),
                "face": PartEncoder(_size("face"), _face_edges(), widths),
            }
        )
        n_features = len(GROUPS) * widths[-1]  # 1024
        self.part_vector = nn.Parameter(torch.zeros(n_features))
        self.projection = nn.Linear(n_features, width)
        nn.init.trunc_normal_(self.projection.weight, std=0.02)
        nn.init.zeros_(self.projection.bias)
        self.fusion = HandFusion() if rgb else None

    def forward(self, keypoints: Tensor, hands: HandPictures | None = None) -> Tensor:
        return self.joined(self.regions(keypoints, hands))

    def joined(self, regions: Tensor) -> Tensor:
        """Features of the four groups (B, T, 4 C), to the language model's width (B, T, D)."""
        return self.projection(regions + self.part_vector)

    def regions(self, keypoints: Tensor, hands: HandPictures | None = None) -> Tensor:
        """(B, T, 69, 3) to (B, T, 4 C): the C features of each of ``GROUPS``, in that order."""
        if keypoints.dim() != 4 or keypoints.shape[2:] != (len(SIGN69), N_INPUT):
            raise ValueError(
                f"expected keypoints (B, T, {len(SIGN69)}, {N_INPUT}) of preprocess_uni_sign, "
                f"got {tuple(keypoints.shape)}"
            )
        if hands is not None and self.fusion is None:
            raise ValueError("a pose-only Uni-Sign has no use for hands; make one by with_rgb")
        keypoints = keypoints.permute(2, 0, 1, 3).contiguous()  # (K, B, T, C) from here on
        features = []
        for group in GROUPS:
            part: Any = self.parts[PART_OF[group]]
            shape = part.spatial(part.embed(keypoints[SIGN69.groups[group]]))
            if group == "body":
                body = shape
            else:
                if hands is not None and self.fusion is not None and group in hands._fields:
                    shape = self.fusion(shape, getattr(hands, group))
                if self.placed:
                    shape = shape + body[PLACE_OF[group]].detach()
            moved = part.temporal(shape)
            # Not mean(), whose derivative would be written out for every keypoint.
            features.append(moved.sum(dim=0) / len(moved))  # (B, T, C)
        return torch.cat(features, dim=-1)


class PartEncoder(nn.Module):
    """One group of keypoints: a linear layer, three graph convolutions, three over time too."""

    def __init__(
        self, n_points: int, edges: list[tuple[int, int]], widths: Sequence[int] = POSE_WIDTHS
    ) -> None:
        super().__init__()
        adjacency = distance_partition(n_points, edges)
        self.embedding = nn.Linear(N_INPUT, widths[0])
        nn.init.trunc_normal_(self.embedding.weight, std=0.02)
        nn.init.zeros_(self.embedding.bias)
        self.spatial = _blocks(adjacency, widths, kernel=1)
        self.temporal = _blocks(adjacency, (widths[-1],) * (N_TEMPORAL + 1), kernel=TEMPORAL_KERNEL)

    def embed(self, keypoints: Tensor) -> Tensor:
        return pointwise(keypoints, self.embedding.weight, self.embedding.bias)


def check_pose_widths(widths: Sequence[int], rgb: bool = False) -> None:
    """ValueError where they are not four whole numbers, or not what pictures of hands need."""
    if len(widths) != len(POSE_WIDTHS) or any(w != int(w) or w < 1 for w in widths):
        raise ValueError(
            f"pose_widths: expected four whole numbers such as {list(POSE_WIDTHS)}, got "
            f"{list(widths)}"
        )
    if rgb and widths[-1] != HAND_WIDTH:
        raise ValueError(
            f"pose_widths: the RGB branch reads features of {HAND_WIDTH} numbers, so the last "
            f"width has to be {HAND_WIDTH}, not {widths[-1]}"
        )


def _blocks(adjacency: Tensor, widths: Sequence[int], kernel: int) -> nn.Sequential:
    pairs = zip(widths[:-1], widths[1:], strict=True)
    return nn.Sequential(*(GraphBlock(adjacency, n_in, n_out, kernel) for n_in, n_out in pairs))


def _body_edges() -> list[tuple[int, int]]:
    sides = ("left", "right")
    names = [("nose", f"{side}_{point}") for point in ("ear", "shoulder") for side in sides]
    names += [(f"{side}_shoulder", f"{side}_elbow") for side in sides]
    names += [(f"{side}_elbow", f"{side}_wrist") for side in sides]
    return [(SIGN69.index(a), SIGN69.index(b)) for a, b in names]


def _hand_edges() -> list[tuple[int, int]]:
    """Five fingers, each a chain that starts at the wrist."""
    starts = range(1, len(HAND_POINTS), 4)
    return [(0 if j == start else j - 1, j) for start in starts for j in range(start, start + 4)]


def _face_edges() -> list[tuple[int, int]]:
    """Jaw: a chain of 9. Inner lips: a ring of 8. The tip of the nose, last, is next to all."""
    n_jaw, n_lips = 9, 8
    nose = n_jaw + n_lips
    chain = [(i, i + 1) for i in range(n_jaw - 1)]
    ring = [(n_jaw + i, n_jaw + (i + 1) % n_lips) for i in range(n_lips)]
    return chain + ring + [(nose, i) for i in range(nose)]


def _size(group: str) -> int:
    points = SIGN69.groups[group]
    return points.stop - points.start
