"""Who signs: proportions, handedness, style, looks, and the camera that sees them. All seeded."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from fingerpost.trainer.signer.body import Body

Rest = Literal["hang", "lap", "low"]
_RESTS: tuple[Rest, ...] = ("hang", "lap", "low")
Colour = tuple[float, float, float]  # linear red, green, blue, 0 to 1

_SKINS: tuple[Colour, ...] = (
    (0.72, 0.47, 0.36), (0.66, 0.42, 0.31), (0.58, 0.35, 0.24), (0.46, 0.26, 0.16),
    (0.33, 0.18, 0.11), (0.22, 0.12, 0.075),
)  # fmt: skip
_HAIRS: tuple[Colour, ...] = (
    (0.030, 0.020, 0.015), (0.07, 0.04, 0.022), (0.16, 0.085, 0.04), (0.36, 0.24, 0.11),
    (0.30, 0.29, 0.28), (0.20, 0.055, 0.02),
)  # fmt: skip
_SHIRTS: tuple[Colour, ...] = (
    (0.055, 0.075, 0.12), (0.03, 0.03, 0.035), (0.10, 0.025, 0.03), (0.03, 0.09, 0.06),
    (0.14, 0.14, 0.15), (0.06, 0.05, 0.11), (0.02, 0.10, 0.12),
)  # fmt: skip


@dataclass(frozen=True)
class Camera:
    """A pinhole camera that looks at the signer.

    x, y : where it looks at, metres from the middle of the shoulders' line
    distance : metres
    view : height of the picture at that distance, metres (zoom)
    yaw, pitch, roll : degrees it goes round the signer, looks down, and is tilted
    aspect : width over height
    """

    x: float = 0.0
    y: float = -0.03
    distance: float = 2.0
    view: float = 1.02
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    aspect: float = 4 / 3

    def rotation(self) -> np.ndarray:
        """World to camera axes (x right, y up, z towards the viewer), (3, 3)."""
        yaw, pitch, roll = np.radians([self.yaw, self.pitch, self.roll])
        cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
        about_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
        about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
        cr, sr = np.cos(roll), np.sin(roll)
        return np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]]) @ about_x @ about_y

    def project(self, points: np.ndarray) -> np.ndarray:
        """World metres (..., 3) to fractions of the picture x, y and depth from the camera in
        metres, (..., 3)."""
        seen = (points - [self.x, self.y, 0]) @ self.rotation().T
        depth = self.distance - seen[..., 2]
        scale = self.distance / np.maximum(depth, 0.05) / self.view
        x = 0.5 + seen[..., 0] * scale / self.aspect
        return np.stack([x, 0.5 - seen[..., 1] * scale, depth], axis=-1)


@dataclass(frozen=True)
class Style:
    """How somebody signs. tempo : 1 is unhurried, larger is faster; size : of the movements;
    jitter : how much a sign differs from time to time, 1 is usual; elbow_lift : 0 to 1;
    lean : how far the whole signing space is moved (in, up, fwd), metres; mouthing : 0 to 1;
    rest : where the hands go when nothing is signed."""

    tempo: float = 1.0
    size: float = 1.0
    jitter: float = 1.0
    elbow_lift: float = 0.05
    lean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    mouthing: float = 0.5
    rest: Rest = "hang"


@dataclass(frozen=True)
class Look:
    """What only a renderer needs: colours, how long sleeves and hair are (0 to 1), glasses."""

    skin: Colour = _SKINS[1]
    hair: Colour = _HAIRS[1]
    shirt: Colour = _SHIRTS[0]
    wall: Colour = (0.60, 0.60, 0.58)
    sleeve: float = 0.72
    hair_length: float = 0.3
    glasses: bool = False


@dataclass(frozen=True)
class Signer:
    """One person in front of one camera."""

    body: Body = field(default_factory=Body)
    style: Style = field(default_factory=Style)
    look: Look = field(default_factory=Look)
    camera: Camera = field(default_factory=Camera)
    left_handed: bool = False


def random_signer(rng: np.random.Generator) -> Signer:
    """A person and a camera as one may meet them; about one in ten is left-handed."""
    return Signer(
        body=_random_body(rng),
        style=Style(
            tempo=float(np.clip(rng.lognormal(0.12, 0.22), 0.65, 1.9)),
            size=float(rng.uniform(0.75, 1.2)),
            jitter=float(rng.uniform(0.5, 1.4)),
            elbow_lift=float(rng.uniform(0.0, 0.4)),
            lean=(
                float(rng.normal(0, 0.012)),
                float(rng.normal(-0.01, 0.02)),
                float(rng.normal(0, 0.015)),
            ),
            mouthing=float(rng.uniform(0, 1)),
            rest=_RESTS[rng.choice(len(_RESTS), p=(0.6, 0.2, 0.2))],
        ),
        look=_random_look(rng),
        camera=random_camera(rng),
        left_handed=bool(rng.random() < 0.1),
    )


def random_camera(rng: np.random.Generator, aspect: float = 4 / 3) -> Camera:
    """A webcam, a telephone or a kiosk: nearer or farther, off to a side, tilted."""
    return Camera(
        x=float(rng.normal(0, 0.05)),
        y=float(rng.normal(-0.05, 0.05)),
        distance=float(rng.uniform(0.9, 2.6)),
        view=float(rng.uniform(0.85, 1.45)),
        yaw=float(rng.normal(0, 6)),
        pitch=float(rng.normal(0, 5)),
        roll=float(rng.normal(0, 1.5)),
        aspect=aspect,
    )


def _random_body(rng: np.random.Generator) -> Body:
    stature = rng.normal(1, 0.06)
    own = rng.normal(1, 0.04, 6)
    return Body(
        shoulder=float(0.178 * stature * own[0]),
        upper_arm=float(0.285 * stature * own[1]),
        forearm=float(0.255 * stature * own[2]),
        hand=float(stature * own[3]),
        head=float(np.clip(0.6 + 0.4 * stature, 0.9, 1.1) * (0.5 + 0.5 * own[4])),
        neck=float(0.238 * (0.5 + 0.5 * stature)),
        girth=float(np.clip(own[5] * stature, 0.85, 1.25)),
    )


def _random_look(rng: np.random.Generator) -> Look:
    return Look(
        skin=_SKINS[rng.integers(len(_SKINS))],
        hair=_HAIRS[rng.integers(len(_HAIRS))],
        shirt=_SHIRTS[rng.integers(len(_SHIRTS))],
        wall=_wall(rng),
        sleeve=float(rng.choice([-0.4, 0.72, 0.9])),
        hair_length=float(rng.uniform(0, 1)),
        glasses=bool(rng.random() < 0.25),
    )


def _wall(rng: np.random.Generator) -> Colour:
    red, green, blue = rng.uniform(0.35, 0.75) + rng.normal(0, 0.03, 3)
    return float(red), float(green), float(blue)
