"""What a stranger's camera does to a sign, done to training data.

All functions take and give batches of preprocessed keypoints, (B, T, K, 4) as ``preprocess`` makes
them (x, y, z in shoulder widths, confidence). They draw from one generator for the batch, or with
a seed for each clip: then what becomes of a clip does not depend on the others in its batch.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fingerpost.edge_runtime.keypoints import HANDS, SIGN69, KeypointSchema


@dataclass(frozen=True)
class AugmentSettings:
    """Half-widths of uniform draws, unless said otherwise; angles in radians."""

    cut: float = 0.15  # share of the clip that may go at each end (half of it may be added back)
    warp: float = 0.3  # how far the clip's middle moves in time
    mirror: float = 0.15  # probability
    turn: float = 0.26  # of the picture
    stretch: float = 0.2  # of the whole, and of x against y (aspect ratio)
    shear: float = 0.15
    shift: float = 0.15  # shoulder widths; y shifts a third more
    hand_turn: float = 0.35  # of a hand out of the picture's plane
    hand_size: float = 0.13
    noise: float = 0.008  # standard deviation, shoulder widths
    drop_frames: float = 0.03  # probability that a hand is lost, each frame
    drop_run: float = 0.5  # probability that a hand is lost for up to DROP_RUN frames
    drop_body: float = 0.5  # probability that body and face are not seen
    doubt: float = 0.5  # probability that a hand is found, but with less confidence


DROP_RUN = 10  # frames


def augment(
    clips: Tensor,
    window: int,
    generator: torch.Generator | Sequence[int],
    settings: AugmentSettings,
    view: KeypointSchema = SIGN69,
) -> Tensor:
    """(B, S, K, 4) clips at a higher rate to (B, window, K, 4), each changed in its own way.

    generator : for the batch, or a seed for each clip
    view : that the K keypoints are of
    """
    draw = _Draw(len(clips), generator)
    keypoints = sample_times(clips, _warped_times(clips.shape[1], window, draw, settings))
    return _changed(keypoints, draw, settings, view)


def augment_frames(
    clips: Tensor,
    generator: torch.Generator | Sequence[int],
    settings: AugmentSettings,
    view: KeypointSchema = SIGN69,
) -> Tensor:
    """``augment`` for clips whose frames are chosen already: (B, T, K, 4) to the same shape.

    view : that the K keypoints are of
    """
    return _changed(clips, _Draw(len(clips), generator), settings, view)


def _changed(
    keypoints: Tensor, draw: "_Draw", settings: AugmentSettings, view: KeypointSchema
) -> Tensor:
    keypoints = _mirror_some(keypoints, draw, settings.mirror, view)
    xyz, confidence = keypoints[..., :3], keypoints[..., 3:]
    xyz = _move_camera(xyz, draw, settings)
    xyz = _turn_hands(xyz, draw, settings, view)
    confidence = _lose_points(confidence, draw, settings, view)
    return torch.cat([xyz * (confidence > 0), confidence], dim=-1)


def evenly(clips: Tensor, window: int) -> Tensor:
    """(B, S, K, 4) to (B, window, K, 4): the same, unaugmented."""
    at = torch.linspace(0, clips.shape[1] - 1, window)
    return sample_times(clips, at.expand(len(clips), -1))


def sample_times(clips: Tensor, at: Tensor) -> Tensor:
    """Linear interpolation at frame positions ``at`` (B, T); lost points are never averaged in."""
    before = at.floor().long()
    after = (before + 1).clamp(max=clips.shape[1] - 1)
    share = (at - before)[..., None, None]
    row = torch.arange(len(clips))[:, None]
    first, second = clips[row, before].float(), clips[row, after].float()
    weight_first = (1 - share) * (first[..., 3:] > 0)
    weight_second = share * (second[..., 3:] > 0)
    total = weight_first + weight_second
    mixed = (weight_first * first + weight_second * second) / total.clamp(min=1e-6)
    return torch.where(total > 0, mixed, torch.zeros(()))


class _Draw:
    """Uniform and yes/no draws, one for each clip of a batch."""

    def __init__(self, batch: int, generator: torch.Generator | Sequence[int]) -> None:
        self.batch, self.generator = batch, generator
        if not isinstance(generator, torch.Generator):
            self.of_clip = [torch.Generator().manual_seed(seed) for seed in generator]

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return self._draw(torch.rand, shape) * (high - low) + low

    def around(self, half_width: float, *shape: int) -> Tensor:
        return self.uniform(-half_width, half_width, *shape)

    def chance(self, probability: float, *shape: int) -> Tensor:
        return self._draw(torch.rand, shape) < probability

    def normal(self, *shape: int) -> Tensor:
        return self._draw(torch.randn, shape)

    def _draw(self, kind: Callable[..., Tensor], shape: tuple[int, ...]) -> Tensor:
        if isinstance(self.generator, torch.Generator):
            return kind(self.batch, *shape, generator=self.generator)
        return torch.stack([kind(shape, generator=generator) for generator in self.of_clip])


def _warped_times(length: int, window: int, draw: _Draw, settings: AugmentSettings) -> Tensor:
    """(B, window) frame positions: cut at both ends, the middle moved, a little uneven."""
    start = draw.uniform(-settings.cut / 3, settings.cut, 1)
    end = 1 - draw.uniform(-settings.cut / 3, settings.cut, 1)
    share = torch.linspace(0, 1, window)[None]
    bend = torch.sin(math.pi * share) * (1 - share)
    share = share + draw.around(settings.warp, 1) * bend + draw.normal(window) * 0.004
    return ((start + (end - start) * share) * (length - 1)).clamp(0, length - 1)


def _mirror_some(
    keypoints: Tensor, draw: _Draw, probability: float, view: KeypointSchema
) -> Tensor:
    flipped = keypoints[:, :, torch.from_numpy(view.mirror)] * torch.tensor([-1.0, 1, 1, 1])
    return torch.where(draw.chance(probability, 1, 1, 1), flipped, keypoints)


def _move_camera(xyz: Tensor, draw: _Draw, settings: AugmentSettings) -> Tensor:
    """Turns, stretches, shears and shifts the picture."""
    turn, shear = draw.around(settings.turn), draw.around(settings.shear)
    size = draw.uniform(1 - settings.stretch, 1 + settings.stretch)
    wide = size * draw.uniform(1 - settings.stretch, 1 + settings.stretch)
    zero = torch.zeros_like(turn)
    rows = [
        torch.stack([wide * turn.cos(), shear - size * turn.sin(), zero], dim=-1),
        torch.stack([wide * turn.sin(), size * turn.cos(), zero], dim=-1),
        torch.stack([zero, zero, size], dim=-1),
    ]
    moved = torch.einsum("bij,btkj->btki", torch.stack(rows, dim=1), xyz)
    shift = torch.stack(
        [draw.around(settings.shift), draw.around(settings.shift * 4 / 3), zero], dim=-1
    )
    return moved + shift[:, None, None]


def _turn_hands(
    xyz: Tensor, draw: _Draw, settings: AugmentSettings, view: KeypointSchema
) -> Tensor:
    """Turns each hand about its wrist, as if seen from the side or above; size and noise too."""
    yaw, pitch = draw.around(settings.hand_turn, 1, 1), draw.around(settings.hand_turn * 0.7, 1, 1)
    xyz = xyz.clone()
    for hand in HANDS:
        points = view.groups[hand]
        wrist = xyz[:, :, points][:, :, :1]
        x, y, z = (xyz[:, :, points] - wrist).unbind(-1)
        x, z = x * yaw.cos() + z * yaw.sin(), z * yaw.cos() - x * yaw.sin()
        y, z = y * pitch.cos() - z * pitch.sin(), z * pitch.cos() + y * pitch.sin()
        shape = torch.stack([x, y, z], dim=-1)
        size = draw.uniform(1 - settings.hand_size, 1 + settings.hand_size, 1, 1, 1)
        noise = draw.normal(*shape.shape[1:]) * draw.uniform(0, settings.noise, 1, 1, 1)
        jitter = draw.normal(*wrist.shape[1:]) * settings.noise * 0.75
        xyz[:, :, points] = wrist + jitter + shape * size + noise
    return xyz


def _lose_points(
    confidence: Tensor, draw: _Draw, settings: AugmentSettings, view: KeypointSchema
) -> Tensor:
    """Hands go missing for a frame or for a run of frames; body and face for the whole clip."""
    confidence = confidence.clone()
    frames = torch.arange(confidence.shape[1])[None]
    for hand in HANDS:
        start = draw.uniform(0, confidence.shape[1], 1)
        length = draw.uniform(0, DROP_RUN, 1) * draw.chance(settings.drop_run, 1)
        lost = (frames >= start) & (frames < start + length)
        lost |= draw.chance(settings.drop_frames, confidence.shape[1])
        doubt = draw.chance(settings.doubt, 1, 1, 1) * draw.uniform(0, 0.95, 1, 1, 1)
        confidence[:, :, view.groups[hand]] *= ~lost[:, :, None, None] * (1 - doubt)
    no_body = draw.chance(settings.drop_body, 1, 1, 1)
    for group in ("body", "face"):
        confidence[:, :, view.groups[group]] *= ~no_body
    return confidence
