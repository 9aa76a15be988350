"""Who is joined to whom among the keypoints of each articulator, and the graph layers over them.

"Lost in Translation, Found in Embeddings: Sign Language Translation and Alignment", Sec. 3.1 (pose
backbone) and Table A.1: a linear layer, a 4-layer adaptive graph convolutional network (AGCN, Shi
et al., 2019; Li et al., 2018) with temporal kernel 7, Squeeze-and-Excitation (Hu et al., 2018).

What the paper does not say, and is ours:
- the edges: the contours of MediaPipe's face mesh, the bones of its body and hands;
- of Shi et al.'s three adjacencies, the fixed one and the learned one are one matrix here, which
  starts as the fixed one (``graph.GraphConvolution``); the third, which each clip makes of its own
  keypoints, comes in through a learned gate that starts at 0, as in the later AAGCN;
- Squeeze-and-Excitation stands after the temporal convolution, before the residual, and squeezes
  keypoints and frames;
- frames that only fill up a batch are kept at zero: they change nothing of what is true.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fingerpost.edge_runtime.keypoints import HAND_EDGES, HANDS, KeypointSchema
from fingerpost.trainer.models.batch_norm import normalised
from fingerpost.trainer.models.graph import (
    N_SUBSETS,
    GraphBlock,
    GraphConvolution,
    distance_partition,
    graph_convolution,
)

TEMPORAL_KERNEL = 7  # frames, Sec. 4.2
SQUEEZE = 4  # channels for one of the bottleneck

# fmt: off
FACE_RINGS = (  # of MediaPipe's mesh: oval, outer lips, inner lips, left eye, right eye
    (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152,
     148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
    (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185),
    (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
)
FACE_CHAINS = (  # brows, lower and upper edge
    (276, 283, 282, 295, 285), (300, 293, 334, 296, 336),
    (46, 53, 52, 65, 55), (70, 63, 105, 66, 107),
)
# fmt: on


def edges_of(view: KeypointSchema, group: str) -> list[tuple[int, int]]:
    """Pairs of keypoints of one group, numbered within it, that are next to each other.

    A view that leaves out points of a contour joins those before and after.
    """
    if group in HANDS:
        return list(HAND_EDGES)
    here = view.points[view.groups[group]]
    number = {point: i for i, point in enumerate(here)}
    edges: set[tuple[int, int]] = set()
    for names, closed in _face_paths() if group == "face" else _body_paths():
        path = [number[name] for name in names if name in number]
        if closed and len(path) > 2:
            path.append(path[0])
        edges |= {(min(a, b), max(a, b)) for a, b in zip(path[:-1], path[1:], strict=True)}
    return sorted(edges)


def _face_paths() -> list[tuple[tuple[str, ...], bool]]:
    """Names along each contour, and whether its end meets its beginning."""
    contours = [(ring, True) for ring in FACE_RINGS] + [(chain, False) for chain in FACE_CHAINS]
    return [(tuple(f"mesh_{i}" for i in points), closed) for points, closed in contours]


def _body_paths() -> list[tuple[tuple[str, ...], bool]]:
    paths: list[tuple[str, ...]] = [
        ("mouth_left", "nose", "mouth_right"),
        ("left_shoulder", "nose", "right_shoulder"),
        ("left_shoulder", "right_shoulder"),
        ("left_hip", "right_hip"),
    ]
    for side in ("left", "right"):
        eye = tuple(f"{side}_eye_{part}" for part in ("inner", "middle", "outer"))
        paths.append(("nose", *eye, f"{side}_ear"))
        paths.append(tuple(f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist")))
        paths += [(f"{side}_wrist", f"{side}_{tip}") for tip in ("pinky", "index", "thumb")]
        leg = ("shoulder", "hip", "knee", "ankle", "heel", "foot_index")
        paths.append(tuple(f"{side}_{joint}" for joint in leg))
    return [(path, False) for path in paths]


class AdaptiveGraph(GraphConvolution):
    """``GraphConvolution`` that also hears by an adjacency which each clip makes of itself.

    Shi et al. (2019), Sec. 4.1: C_s[k, l] = softmax over k of theta_s(x_k) . phi_s(x_l), with theta
    and phi linear, summed over all frames of the clip.
    """

    def __init__(self, adjacency: Tensor, n_in: int, n_out: int) -> None:
        super().__init__(adjacency, n_in, n_out)
        self.width = max(1, n_out // 4)
        self.theta = nn.Linear(n_in, N_SUBSETS * self.width)
        self.phi = nn.Linear(n_in, N_SUBSETS * self.width)
        self.gate = nn.Parameter(torch.zeros(N_SUBSETS))

    def mix(self, x: Tensor, frame_mask: Tensor) -> Tensor:
        """What C adds before the normalisation: (K, B, T, C) to (K, B, T, D).

        x : zero where frame_mask, (B, T), is
        """
        shape = (*x.shape[:3], N_SUBSETS, self.width)
        true = frame_mask[None, :, :, None]
        theta = (self.theta(x) * true).view(shape)
        phi = (self.phi(x) * true).view(shape)
        n_frames = frame_mask.sum(dim=1).clamp(min=1)[:, None, None, None]  # (B, 1, 1, 1)
        scores = torch.einsum("kbtse,lbtse->bskl", theta, phi) / (n_frames * self.width)
        heard = scores.softmax(dim=2) * self.gate[:, None, None]
        mixed = torch.einsum("bskl,kbtc->slbtc", heard, x)
        y = sum(F.linear(mixed[s], self.weight[s]) for s in range(N_SUBSETS))
        return y + self.gate @ self.bias


class ExcitedBlock(GraphBlock):
    """One AGCN layer: graph, temporal convolution, Squeeze-and-Excitation, residual, ReLU."""

    graph: AdaptiveGraph
    temporal: nn.Conv2d

    def __init__(self, adjacency: Tensor, n_in: int, n_out: int) -> None:
        super().__init__(adjacency, n_in, n_out, TEMPORAL_KERNEL)
        self.graph = AdaptiveGraph(adjacency, n_in, n_out)
        hidden = max(1, n_out // SQUEEZE)
        self.excite = nn.Sequential(
            nn.Linear(n_out, hidden), nn.ReLU(), nn.Linear(hidden, n_out), nn.Sigmoid()
        )

    def forward(self, x: Tensor, frame_mask: Tensor | None = None) -> Tensor:
        """(K, B, T, C), zero in filled frames, to (K, B, T, D), zero there too.

        frame_mask : (B, T), 1 for a frame of the clip; None = all are
        """
        if frame_mask is None:
            frame_mask = x.new_ones(x.shape[1:3])
        mask = frame_mask.to(x.dtype)
        true = mask[None, :, :, None]
        y = graph_sum(self.graph, x) + self.graph.mix(x, mask)
        y = normalised(self.graph.norm, y, then_relu=True) * true
        k, b, t, d = y.shape
        picture = y.reshape(k * b, 1, t, d).permute(0, 3, 1, 2)
        y = self.temporal(picture).permute(0, 2, 3, 1).reshape(k, b, t, d)
        y = normalised(self.temporal_norm, y)
        n_seen = mask.sum(dim=1).clamp(min=1) * k
        squeezed = (y * true).sum(dim=(0, 2)) / n_seen[:, None]  # (B, D)
        y = y * self.excite(squeezed)[None, :, None]
        if self.residual is not None:
            x = normalised(self.residual_norm, self.residual(x))
        return (y + x).relu() * true


def graph_sum(graph: GraphConvolution, x: Tensor) -> Tensor:
    """The plain part of a graph convolution, before its normalisation."""
    return graph_convolution(x.contiguous(), graph.adjacency, graph.weight, graph.bias)


class ArticulatorEncoder(nn.Module):
    """Table A.1: (B, T, K, 4) keypoints of one articulator to (B, T, D).

    joint_aggregation : reshape = all K C numbers of a frame through one linear layer (fc2);
        mean = their mean over K first, the ablation of Table 2
    """

    def __init__(
        self,
        n_points: int,
        edges: Sequence[tuple[int, int]],
        channels: Sequence[int],
        width: int,
        joint_aggregation: str,
    ) -> None:
        super().__init__()
        adjacency = distance_partition(n_points, edges)
        self.reshape = joint_aggregation == "reshape"
        self.fc1 = nn.Linear(4, channels[0])
        pairs = zip(channels[:-1], channels[1:], strict=True)
        self.layers = nn.ModuleList(ExcitedBlock(adjacency, n_in, n_out) for n_in, n_out in pairs)
        self.fc2 = nn.Linear(channels[-1] * (n_points if self.reshape else 1), width)

    def forward(self, keypoints: Tensor, frame_mask: Tensor) -> Tensor:
        true = frame_mask.to(keypoints.dtype)
        x = self.fc1(keypoints.permute(2, 0, 1, 3)) * true[None, :, :, None]  # (K, B, T, C)
        for layer in self.layers:
            x = layer(x, true)
        x = x.permute(1, 2, 0, 3)  # (B, T, K, C)
        x = x.flatten(2) if self.reshape else x.mean(dim=2)
        return self.fc2(x) * true[..., None]
