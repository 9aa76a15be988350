"""MS-MAE's streams: a clip's keypoints as body, left hand, right hand and face, and as tokens.

Left half of Fig. 1 and Eq. 1 to 3 of the paper that ``ms_mae`` is after. What differs:

- a hand is given as the place of its wrist, and its other points relative to it, ``ZOOM`` times as
  large; the face likewise, with its nose for the wrist. The paper flattens the points as they are;
  the two say the same, but a hand moves ten times as far as a finger, and the squared error of raw
  points would hardly see the fingers. The loss is of these numbers too;
- the left hand is mirrored, for both hands have the same weights;
- a point's confidence is given beside it: a zero alone could be a place;
- a learned vector says which stream a token is of. Without it (Eq. 3 has none) the masked left and
  right hand of the same moment would be one and the same to the decoder.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fingerpost.edge_runtime.keypoints import MSMAE

ZOOM = 4.0  # hand shapes and mouths are small in shoulder widths: bring them to about 1
STREAMS = ("body", "left_hand", "right_hand", "face")
WEIGHTS = {"body": "body", "left_hand": "hand", "right_hand": "hand", "face": "face"}  # whose
ROOTS = {
    "left_hand": 0,
    "right_hand": 0,
    "face": MSMAE.index("mesh_4") - MSMAE.groups["face"].start,
}
N_POINTS = {name: MSMAE.groups[name].stop - MSMAE.groups[name].start for name in STREAMS}


def split_streams(keypoints: Tensor, names: tuple[str, ...], coordinates: int) -> dict[str, Tensor]:
    """Shape (B, T, K, 4) of ``preprocess_ms_mae`` to (B, T, K of stream, coordinates + 1) each.

    The last number of a point is its confidence; what was not seen stays all zeros. ValueError
    where the keypoints are others.
    """
    n_points = sum(N_POINTS[name] for name in names)
    if keypoints.dim() != 4 or keypoints.shape[2] < n_points or keypoints.shape[3] != 4:
        raise ValueError(
            f"expected keypoints (B, T, {n_points}, 4) of preprocess_ms_mae for the streams "
            f"{', '.join(names)}, got {tuple(keypoints.shape)}"
        )
    streams = {}
    for name in names:
        points = keypoints[:, :, MSMAE.groups[name]]
        place, confidence = points[..., :coordinates], points[..., 3:]
        if name == "left_hand":
            place = place * place.new_tensor([-1.0, 1.0, 1.0][:coordinates])
        if name in ROOTS:
            place = _about_root(place, ROOTS[name])
        streams[name] = torch.cat([place * (confidence > 0), confidence], dim=-1)
    return streams


def _about_root(points: Tensor, root: int) -> Tensor:
    """(B, T, K, C): all points but the root relative to it, and larger."""
    about = (points - points[:, :, root, None]) * ZOOM
    about[:, :, root] = points[:, :, root]
    return about


def cubelets(frames: Tensor, size: int) -> Tensor:
    """Shape (B, T, ...) to (B, N, size, ...); the last one is filled up with unseen frames."""
    missing = -frames.shape[1] % size
    if missing:
        frames = torch.cat([frames, frames.new_zeros(len(frames), missing, *frames.shape[2:])], 1)
    return frames.unflatten(1, (-1, size))


def tokens_with(points: Tensor, names: tuple[str, ...], size: int) -> Tensor:
    """Which tokens have any of the points (B, T, K) bool, (B, S, N) bool."""
    of_streams = [cubelets(points[:, :, MSMAE.groups[name]], size) for name in names]
    return torch.stack([cubes.flatten(2).any(-1) for cubes in of_streams], dim=1)


def positions(n_tokens: int, width: int, like: Tensor) -> Tensor:
    """The positional encoding of the Transformer's paper: sines and cosines, (N, D)."""
    at = torch.arange(n_tokens, device=like.device, dtype=torch.float32)[:, None]
    step = torch.arange(0, width, 2, device=like.device, dtype=torch.float32)
    angle = at * torch.exp(step * (-torch.log(torch.tensor(10_000.0)) / width))
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1).to(like.dtype)


class CubeletEmbedding(nn.Module):
    """One kind of stream, cut into cubelets, as tokens: Eq. 1 and 2.

    A linear layer for each frame, then a convolution whose kernel and stride are a cubelet.
    """

    def __init__(self, n_points: int, coordinates: int, cubelet: int, width: int) -> None:
        super().__init__()
        n_inputs = n_points * (coordinates + 1)
        self.linear = nn.Linear(n_inputs, width)
        self.conv = nn.Conv1d(width, width, cubelet, stride=cubelet)
        nn.init.normal_(self.linear.weight, std=n_inputs**-0.5)
        nn.init.normal_(self.conv.weight, std=(width * cubelet) ** -0.5)
        for layer in (self.linear, self.conv):
            nn.init.zeros_(_bias_of(layer))

    def forward(self, cubes: Tensor) -> Tensor:
        """Shape (..., cubelet, K, C) to (..., D)."""
        # Both are linear, and a cubelet meets no other: multiplied with each other first, they are
        # one product of a sixth of the work.
        weight = torch.einsum("dcs,ck->dsk", self.conv.weight, self.linear.weight)
        bias = _bias_of(self.conv) + self.conv.weight.sum(-1) @ _bias_of(self.linear)
        return F.linear(cubes.flatten(-3), weight.flatten(1), bias)


def _bias_of(layer: nn.Linear | nn.Conv1d) -> Tensor:
    assert layer.bias is not None
    return layer.bias
