"""What another signer, hand and camera do to a clip, done to a training clip of Uni-Sign.

A clip is what ``preprocess_uni_sign`` gives: the body in a square from -1 to 1, hands and face
relative to a root of their own. So a turned camera turns every group about its own origin, and
moves the body alone.

The last two of ``ClipAugment`` are those of "SIGNET: Motion-Level Knowledge Transfer for
Cross-Language Sign Language Translation", Appendix B: 0.01 and 0.15 there, and all others 0. The
paper does not say in which units the noise is: here in those of ``preprocess_uni_sign``.
"""

from dataclasses import dataclass

import numpy as np

from fingerpost.edge_runtime.keypoints import HANDS, SIGN69

_MIRRORED_X = np.array([-1, 1], np.float32)


@dataclass(frozen=True)
class ClipAugment:
    """Half-widths of uniform draws, unless said otherwise; angles in radians.

    stride : of the frames given, one in so many is kept on average
    """

    stride: int = 1
    tempo: float = 0.22  # natural logarithm: a clip gets up to 25 % faster or slower
    uneven: float = 0.08  # standard deviation of a frame's place in time, strides
    mirror: float = 0.1  # probability
    turn: float = 0.12
    size: float = 0.12  # share of the whole
    stretch: float = 0.07  # share of x against y
    shift: float = 0.08  # of the body, half-sides of the square
    hand_turn: float = 0.17
    hand_size: float = 0.12
    drop_frames: float = 0.03  # probability that a hand is lost, each frame
    drop_run: float = 0.2  # probability that a hand is lost for up to DROP_RUN frames
    jitter: float = 0.0  # standard deviation of each coordinate, half-sides of the square
    left_out: float = 0.0  # share of the kept frames that are taken out again

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise ValueError(f"stride is at least 1 frame, got {self.stride}")
        for name, value in vars(self).items():
            most = 1 if name in SHARES else 10
            if name != "stride" and not 0 <= value <= most:
                raise ValueError(f"augmentation {name} is from 0 to {most}, got {value}")


DROP_RUN = 3  # frames that are kept
SHARES = ("mirror", "drop_frames", "drop_run", "size", "stretch", "left_out")  # up to 1


def augment_clip(
    keypoints: np.ndarray, rng: np.random.Generator, settings: ClipAugment
) -> tuple[np.ndarray, np.ndarray]:
    """A clip changed at random, float32, and which of its frames are left, about T / stride.

    keypoints : shape (T, 69, 3), of ``preprocess_uni_sign``. What was not seen stays all zeros.
    """
    times = times_of(len(keypoints), rng, settings)
    kept = keypoints[times].astype(np.float32)
    xy, confidence = kept[..., :2], kept[..., 2:]
    if rng.random() < settings.mirror:
        order = SIGN69.mirror
        xy, confidence = xy[:, order] * _MIRRORED_X, confidence[:, order]
    xy = _move_camera(xy, rng, settings)
    for hand in HANDS:
        points = SIGN69.groups[hand]
        size = 1 + rng.uniform(-1, 1) * settings.hand_size
        turned = xy[:, points] @ _turn(rng.uniform(-1, 1) * settings.hand_turn, size, size)
        xy[:, points] = turned
        confidence[_lost(len(kept), rng, settings), points] = 0
    if settings.jitter:
        xy = xy + rng.normal(0, settings.jitter, xy.shape).astype(np.float32)
    changed = np.concatenate([np.clip(xy, -1, 1), confidence], axis=-1)
    return np.where(confidence > 0, changed, np.float32(0)), times


def strided(keypoints: np.ndarray, stride: int) -> np.ndarray:
    """Every stride-th frame, from the middle of the first stride; at least one."""
    if stride < 1:
        raise ValueError(f"a stride is at least 1 frame, got {stride}")
    return keypoints[min(stride // 2, len(keypoints) - 1) :: stride]


def times_of(n_frames: int, rng: np.random.Generator, settings: ClipAugment) -> np.ndarray:
    """Which frames are kept, ascending: a tempo of its own, a random start, a little uneven."""
    step = settings.stride * np.exp(rng.uniform(-1, 1) * settings.tempo)
    at = np.arange(rng.uniform(0, step), n_frames, step)
    if len(at) == 0:
        return np.array([n_frames // 2])
    at = np.sort(at + rng.normal(0, 1, len(at)) * settings.uneven * step)
    times = np.clip(at.astype(int), 0, n_frames - 1)
    return times[still_there(len(times), rng, settings.left_out)] if settings.left_out else times


def still_there(n_frames: int, rng: np.random.Generator, left_out: float) -> np.ndarray:
    """Which frames are left, ascending, after a share of them was taken out; never none.

    left_out : 0 to 1; round(left_out * n_frames) frames are gone
    """
    n_gone = min(round(left_out * n_frames), n_frames - 1)
    return np.sort(rng.permutation(n_frames)[n_gone:])


def _move_camera(xy: np.ndarray, rng: np.random.Generator, settings: ClipAugment) -> np.ndarray:
    size = 1 + rng.uniform(-1, 1) * settings.size
    wide = size * (1 + rng.uniform(-1, 1) * settings.stretch)
    moved = xy @ _turn(rng.uniform(-1, 1) * settings.turn, wide, size)
    shift = rng.uniform(-1, 1, 2).astype(np.float32) * np.float32(settings.shift)
    moved[:, SIGN69.groups["body"]] += shift
    return moved


def _turn(angle: float, wide: float, high: float) -> np.ndarray:
    """The matrix (2, 2) that rows of x, y are multiplied by: stretched, then turned."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[wide * cos, wide * sin], [-high * sin, high * cos]], np.float32)


def _lost(n_frames: int, rng: np.random.Generator, settings: ClipAugment) -> np.ndarray:
    """In which frames a hand is not seen, (T,) bool."""
    lost = rng.random(n_frames) < settings.drop_frames
    if rng.random() < settings.drop_run:
        start = rng.integers(n_frames)
        lost[start : start + rng.integers(1, DROP_RUN + 1)] = True
    return lost
