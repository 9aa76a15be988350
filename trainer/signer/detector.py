"""What a landmarker makes of true joints: noise and drop-outs, fitted to MediaPipe by fit.py.

A hand's error is the sum of an offset of the whole hand, an error of each joint that stays for a
while, and white jitter; all in palm lengths (wrist to middle knuckle as the picture shows it at
its widest), and all larger the more the palm is seen from its edge and the faster the hand moves.
Most frames are better than that and a few much worse: a slow lognormal factor makes bad moments.
Body and face have the same in shoulder widths. A hand is lost with a probability that is logistic
in what makes hands hard to see; losses come in runs (a latent AR(1) process against a threshold).
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter
from scipy.special import expit, ndtr

from fingerpost.edge_runtime.keypoints import SIGN69
from fingerpost.trainer.signer.motion import Skeleton
from fingerpost.trainer.signer.variation import Camera


@dataclass(frozen=True)
class Noise:
    """Of one group, in its unit: standard deviations of x and y (z: `depth` times as much).

    offset : of the group as a whole; joint : of each joint; both stay for about memory_ms
    jitter : of each joint and frame
    """

    offset: float
    joint: float
    jitter: float
    depth: float
    memory_ms: float


@dataclass(frozen=True)
class DetectorModel:
    """All that fit.py measures; the defaults are its result (docs/signer.md shows the fit).

    edge, speed : a hand's noise is multiplied by 1 + edge * (1 - |palm normal to the camera|)
        + speed * speed of the wrist in palm lengths a second (20 at most)
    spread, spread_ms : of the logarithm of the factor, and how long a bad moment lasts
    trust : a hand's confidence is trust[0] - trust[1] * log(error) + trust[2] * noise, as that
        of edge_runtime/hand_confidence.py, which knows the error only by its jitter
    drop : logistic weights of a lost hand: constant, speed, edge, fingers to the camera, overlap
        of the hands, nearness to the picture's border
    drop_memory_ms : how long a loss lasts
    """

    hand: Noise = Noise(0.0509, 0.0426, 0.0184, 1.65, 120)
    body: Noise = Noise(0.0145, 0.0333, 0.0, 15.9, 389)
    face: Noise = Noise(0.00437, 0.00634, 0.00228, 2.65, 664)
    edge: float = 1.11
    speed: float = 0.0571
    spread: float = 0.55
    spread_ms: float = 80
    trust: tuple[float, float, float] = (0.583, 0.117, 0.17)
    drop: tuple[float, ...] = (-3.81, -0.0489, 0.661, 1.2, 1.04, 3.79)
    drop_memory_ms: float = 106


FITTED = DetectorModel()


def observe(
    xyz: np.ndarray,
    confidence: np.ndarray,
    skeleton: Skeleton,
    camera: Camera,
    fps: float,
    rng: np.random.Generator,
    model: DetectorModel = FITTED,
) -> tuple[np.ndarray, np.ndarray]:
    """xyz (T, 69, 3) and confidence (T, 69) with a landmarker's errors; the same shapes."""
    xyz, confidence = xyz.copy(), confidence.copy()
    palm = palm_width(skeleton, camera)  # (T, 2) in fractions of the picture's width
    features = hand_features(xyz, skeleton, camera, fps)  # (T, 2, 6)
    for side, name in enumerate(("right_hand", "left_hand")):
        hand = SIGN69.groups[name]
        _, speed, edge = features[:, side, :3].T
        worse = (1 + model.edge * edge + model.speed * np.minimum(speed, 20)) * _moments(
            len(xyz), model, fps, rng
        )
        scale = palm[:, side] * worse
        xyz[:, hand] += _error(model.hand, scale, 21, camera, fps, rng)
        lost = _lost(features[:, side], model, fps, rng)
        confidence[:, hand] *= np.where(lost, 0, 1)[:, None]
        confidence[:, hand] *= _hand_confidence(worse, model, fps, rng)[:, None]
    shoulders = np.linalg.norm(skeleton.shoulders[:, 0] - skeleton.shoulders[:, 1], axis=-1)
    width = shoulders / (camera.view * camera.aspect)
    for name, noise in (("body", model.body), ("face", model.face)):
        group = SIGN69.groups[name]
        xyz[:, group] += _error(noise, width, group.stop - group.start, camera, fps, rng)
    xyz[:, SIGN69.groups["left_hand"].start, 2] = 0  # a hand's z is relative to its wrist
    xyz[:, SIGN69.groups["right_hand"].start, 2] = 0
    body = SIGN69.groups["body"]
    doubt = np.abs(rng.standard_normal((len(xyz), 1))) * [0, 0, 0, 0.01, 0.01, 0.04, 0.04, 0.1, 0.1]
    confidence[:, body] *= np.clip(1 - doubt, 0.3, 1)
    return xyz, confidence


def palm_width(skeleton: Skeleton, camera: Camera) -> np.ndarray:
    """Wrist to middle knuckle if seen broadside, (T, 2), in fractions of the picture's width."""
    length = np.linalg.norm(skeleton.hands[:, :, 9] - skeleton.hands[:, :, 0], axis=-1)
    depth = camera.project(skeleton.hands[:, :, 0])[..., 2]
    return length / (camera.view * camera.aspect) * camera.distance / depth


def hand_features(xyz: np.ndarray, skeleton: Skeleton, camera: Camera, fps: float) -> np.ndarray:
    """What makes a hand hard to see, (T, 2, 6): 1, speed of the wrist (palm lengths a second),
    palm seen from its edge (0 to 1), fingers along the line of sight (0 to 1), overlap with the
    other hand (0 to 1), nearness to the border (0 to 1)."""
    wrists = np.stack([xyz[:, SIGN69.groups[f"{s}_hand"].start] for s in ("right", "left")], 1)
    wrists = wrists[..., :2] / [1, camera.aspect]  # (T, 2, 2), both in picture widths
    palm = palm_width(skeleton, camera)
    step = np.gradient(wrists, axis=0) if len(wrists) > 1 else np.zeros_like(wrists)
    speed = np.linalg.norm(step, axis=-1) * fps / palm
    sight = skeleton.hands.mean(axis=2) - np.array([camera.x, camera.y, 0])
    sight = np.array([0, 0, camera.distance]) @ camera.rotation() - sight
    sight = sight / np.linalg.norm(sight, axis=-1, keepdims=True)  # hand to camera
    normal = np.abs(np.sum(skeleton.hand_rotations[..., 2] * sight, axis=-1))
    along = np.clip(np.sum(skeleton.hand_rotations[..., 1] * sight, axis=-1), 0, 1)
    centre = np.stack(
        [xyz[:, SIGN69.groups[f"{s}_hand"], :2].mean(axis=1) for s in ("right", "left")], 1
    )
    apart = np.linalg.norm((centre[:, 0] - centre[:, 1]) / [1, camera.aspect], axis=-1)
    overlap = np.clip(1.5 - apart[:, None] / palm, 0, 1)
    border = 1 - np.clip(np.minimum(centre, 1 - centre).min(axis=-1) / 0.12, 0, 1)
    return np.stack([np.ones_like(speed), speed, 1 - normal, along**2, overlap, border], axis=-1)


def _error(
    noise: Noise,
    scale: np.ndarray,
    points: int,
    camera: Camera,
    fps: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """(T, points, 3) in fractions of the picture; scale (T,) is the unit in picture widths."""
    t = len(scale)
    keep = np.exp(-1000 / fps / noise.memory_ms)
    error = noise.offset * autoregressive(rng.standard_normal((t, 1, 3)), keep)
    error = error + noise.joint * autoregressive(rng.standard_normal((t, points, 3)), keep)
    error = error + noise.jitter * rng.standard_normal((t, points, 3))
    return error * scale[:, None, None] * [1, camera.aspect, noise.depth]


def autoregressive(white: np.ndarray, keep: float) -> np.ndarray:
    """White noise (T, ...) of unit variance to an AR(1) process of unit variance."""
    first = white[:1]
    rest = np.sqrt(1 - keep**2) * white[1:]
    return lfilter([1.0], [1.0, -keep], np.concatenate([first, rest]), axis=0)


def _lost(
    features: np.ndarray, model: DetectorModel, fps: float, rng: np.random.Generator
) -> np.ndarray:
    """Whether the hand is not found, (T,) bool."""
    keep = np.exp(-1000 / fps / model.drop_memory_ms)
    latent = autoregressive(rng.standard_normal(len(features)), keep)
    return ndtr(latent) < expit(features @ np.array(model.drop))


def _moments(frames: int, model: DetectorModel, fps: float, rng: np.random.Generator) -> np.ndarray:
    """The factor of good and bad moments, (T,), of unit mean square."""
    keep = np.exp(-1000 / fps / model.spread_ms)
    latent = autoregressive(rng.standard_normal(frames), keep)
    return np.exp(model.spread * latent - model.spread**2)


def _hand_confidence(
    worse: np.ndarray, model: DetectorModel, fps: float, rng: np.random.Generator
) -> np.ndarray:
    """(T,), 0.05 to 1."""
    hand, (level, slope, noise) = model.hand, model.trust
    error = worse * np.sqrt(2 * (hand.offset**2 + hand.joint**2 + hand.jitter**2))
    keep = np.exp(-1000 / fps / model.spread_ms)
    latent = autoregressive(rng.standard_normal(len(worse)), keep)
    return np.clip(level - slope * np.log(error) + noise * latent, 0.05, 1)
