"""What another signer and camera do to a clip, done to keypoints of ``preprocess_uni_sign``.

Uni-Sign's authors change nothing (Sec. 4.1); with thousands of clips instead of millions, it pays.
"""

from dataclasses import dataclass

import numpy as np

from fingerpost.edge_runtime.keypoints import SIGN69

HANDS = ("left_hand", "right_hand")
_MIRROR = np.array(SIGN69.mirror)


@dataclass(frozen=True)
class ClipAugment:
    """Standard deviations and half-widths; angles in radians, places in half body boxes.

    tempo : half-width of the speed's factor; jitter : deviation of each frame's time, in frames
    stride : of the clip, every so many frames are kept, from a random one on
    mirror, lost_run : probabilities; lost : that a hand is not seen, each frame
    """

    stride: int = 1
    tempo: float = 0.25
    jitter: float = 0.25
    mirror: float = 0.1
    turn: float = 0.07
    size: float = 0.12
    stretch: float = 0.07
    shift: float = 0.05
    hand_turn: float = 0.1
    hand_size: float = 0.12
    lost: float = 0.03
    lost_run: float = 0.2
    longest_run: int = 4  # frames


def augment_clip(clip: np.ndarray, rng: np.random.Generator, settings: ClipAugment) -> np.ndarray:
    """(T, 69, 3) to (T', 69, 3) float32, T' >= 1; a point that is not seen stays all zeros."""
    clip = clip[_moments(len(clip), rng, settings)].astype(np.float32)
    xy, confidence = clip[..., :2], clip[..., 2:]
    if rng.random() < settings.mirror:
        xy, confidence = xy[:, _MIRROR] * np.float32([-1, 1]), confidence[:, _MIRROR]
    size = rng.uniform(1 - settings.size, 1 + settings.size)
    wide = rng.uniform(1 - settings.stretch, 1 + settings.stretch)
    xy = xy @ (_turned(rng.normal(0, settings.turn)) * size * np.float32([wide, 1]))
    xy[:, SIGN69.groups["body"]] += rng.normal(0, settings.shift, 2).astype(np.float32)
    for hand in HANDS:
        points = SIGN69.groups[hand]
        size = rng.uniform(1 - settings.hand_size, 1 + settings.hand_size)
        xy[:, points] = xy[:, points] @ (_turned(rng.normal(0, settings.hand_turn)) * size)
        confidence[_lost(len(clip), rng, settings), points] = 0
    changed = np.concatenate([np.clip(xy, -1, 1), confidence], axis=-1)
    return (changed * (confidence > 0)).astype(np.float32)


def strided(clip: np.ndarray, stride: int) -> np.ndarray:
    """The frames of a clip that are used where nothing is left to chance."""
    return clip[min(stride // 2, len(clip) - 1) :: stride]


def _moments(n_frames: int, rng: np.random.Generator, settings: ClipAugment) -> np.ndarray:
    """Numbers of the frames that are kept: faster or slower, a little uneven."""
    step = settings.stride * rng.uniform(1 - settings.tempo, 1 + settings.tempo)
    at = np.arange(rng.uniform(0, min(step, n_frames)), n_frames, step)
    at = at + rng.normal(0, settings.jitter * settings.stride, len(at))
    return np.clip(at.astype(int), 0, n_frames - 1)


def _turned(angle: float) -> np.ndarray:
    return np.float32([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _lost(n_frames: int, rng: np.random.Generator, settings: ClipAugment) -> np.ndarray:
    """Which frames do not see a hand: single ones, and now and then a run."""
    lost = rng.random(n_frames) < settings.lost
    if rng.random() < settings.lost_run:
        start = rng.integers(n_frames)
        lost[start : start + rng.integers(1, settings.longest_run + 1)] = True
    return lost
