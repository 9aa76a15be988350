"""One frame of a skeleton as signed-distance primitives: trunk, head, hair, arms, hands.

What matters to a landmarker, in this order: shading, occlusion and shadow; the contrast of hand and
shirt; smooth joints. Nails, creases and skin tone make no difference to it, only to people.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from fingerpost.trainer.signer.hands import KNUCKLES, THUMB_BASE, finger_directions
from fingerpost.trainer.signer.motion import MIRROR_X, Skeleton
from fingerpost.trainer.signer.sdf import FACE, HAIR, N_PRIM, SHIRT, SKIN
from fingerpost.trainer.signer.variation import Signer

# Radii of the finger bones' ends, metres: four joints of index, middle, ring, pinky; the thumb's.
_FINGER_RADII = np.array(
    [[.0108, .0093, .0082, .0070], [.0110, .0096, .0084, .0072], [.0105, .0090, .0079, .0068],
     [.0092, .0078, .0069, .0060]]
)  # fmt: skip
_THUMB_RADII = np.array([0.0150, 0.0122, 0.0108, 0.0085])
_METACARPALS = ((0.013, 0.0118), (0.004, 0.0120), (-0.006, 0.0115), (-0.015, 0.0105))
_ROOT, _REST, _CARVE = 1, 2, 3  # how a primitive joins its group: sdf.py


@dataclass
class Scene:
    """Primitives and groups as sdf.py wants them, while they are being collected."""

    prims: list[np.ndarray] = field(default_factory=list)
    groups: list[list[float]] = field(default_factory=list)
    _first: int = 0

    def capsule(self, a, b, ra: float, rb: float, smooth: float = 0, join: int = 0) -> np.ndarray:
        prim = np.zeros(N_PRIM)
        prim[1:4], prim[4:7], prim[7:11] = a, b, (ra, rb, join, smooth)
        self.prims.append(prim)
        return prim

    def ellipsoid(self, centre, radii, axes: np.ndarray, smooth: float = 0, join: int = 0) -> None:
        prim = np.zeros(N_PRIM)
        prim[0], prim[1:4], prim[4:7], prim[9:11] = 1, centre, radii, (join, smooth)
        prim[11:20] = axes.T.ravel()
        self.prims.append(prim)

    def end_group(self, material: int) -> None:
        """What was added since the last call is one group, of one material."""
        balls = []
        for p in self.prims[self._first :]:
            if p[9] == _CARVE:
                continue
            if p[0] == 0:
                balls += [(p[1:4], p[7]), (p[4:7], p[8])]
            else:
                balls.append((p[1:4], max(p[4:7])))
        low = np.min([c - r for c, r in balls], axis=0)
        high = np.max([c + r for c, r in balls], axis=0)
        centre = (low + high) / 2
        radius = max(np.linalg.norm(c - centre) + r for c, r in balls) + 0.006
        self.groups.append([self._first, len(self.prims), *centre, radius, material])
        self._first = len(self.prims)


def build_scene(
    skeleton: Skeleton, t: int, signer: Signer
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frame t of a skeleton to prims, groups and head (see sdf.py)."""
    scene = Scene()
    _add_trunk(scene, skeleton, t, signer)
    _add_head(scene, skeleton, t, signer)
    for side in (0, 1):
        _add_arm(scene, skeleton, t, side, signer)
        _add_hand(scene, skeleton, t, side, signer)
    head = np.concatenate(
        [
            skeleton.head[t],
            skeleton.head_rotations[t].T.ravel(),
            skeleton.face[t],
            [signer.body.head, float(signer.look.glasses)],
        ]
    )
    return np.array(scene.prims), np.array(scene.groups), head


def _add_trunk(scene: Scene, skeleton: Skeleton, t: int, signer: Signer) -> None:
    body, middle, upright = signer.body, skeleton.trunk[t], np.eye(3)
    wide, deep = body.shoulder / 0.178, body.girth

    def at(x: float, y: float, z: float) -> np.ndarray:
        return middle + [x * wide, y, z]

    left, right = skeleton.shoulders[t, 1], skeleton.shoulders[t, 0]
    inner = 0.76  # the shoulders' bar ends inside the joints
    one, other = (middle + inner * (s - middle) + [0, -0.012, 0] for s in (right, left))
    scene.capsule(one, other, 0.066, 0.066)
    for y, radii in ((-0.16, (0.175, 0.19, 0.105)), (-0.40, (0.150, 0.24, 0.105)),
                     (-0.62, (0.172, 0.16, 0.115))):  # fmt: skip
        scene.ellipsoid(at(0, y, -0.012), np.array(radii) * [wide, 1, deep], upright, 0.06)
    scene.capsule(at(0, 0, -0.02), at(0, 0.030, -0.018), 0.070, 0.060, 0.045)
    for x, s in ((-1, right), (1, left)):
        scene.capsule(at(x * 0.03, 0.035, -0.025), s + [-x * 0.028, 0.010, 0], 0.045, 0.045, 0.03)
    scene.end_group(SHIRT)


def _add_head(scene: Scene, skeleton: Skeleton, t: int, signer: Signer) -> None:
    size, turn, centre = signer.body.head, skeleton.head_rotations[t], skeleton.head[t]

    def at(*point: float) -> np.ndarray:
        return centre + turn @ (size * np.array(point))

    def ball(point, radii, smooth=0.0, join=0):
        scene.ellipsoid(at(*point), size * np.array(radii), turn, size * smooth, join)

    def bar(a, b, ra, rb, smooth=0.0):
        scene.capsule(at(*a), at(*b), size * ra, size * rb, size * smooth)

    opened = skeleton.face[t, 1]
    ball((0, 0.030, -0.022), (0.0745, 0.088, 0.092))
    ball((0, -0.030, 0.008), (0.062, 0.072, 0.066), 0.03)
    for x in (-1, 1):
        bar((x * 0.052, -0.050, -0.004), (x * 0.020, -0.098 - opened, 0.050), 0.016, 0.017, 0.022)
    bar((-0.012, -0.098 - opened, 0.055), (0.012, -0.098 - opened, 0.055), 0.0175, 0.0175, 0.022)
    for x in (-1, 1):
        ball((x * 0.040, -0.022, 0.042), (0.024, 0.024, 0.022), 0.025)  # cheeks
        bar((x * 0.012, 0.022, 0.064), (x * 0.044, 0.021, 0.050), 0.010, 0.008, 0.018)  # brows
    bar((0, 0.010, 0.068), (0, -0.026, 0.088), 0.0065, 0.0105, 0.014)  # nose
    for x in (-1, 1):
        ball((x * 0.0115, -0.031, 0.078), (0.0075, 0.0065, 0.0085), 0.008)
    bar((-0.014, -0.0655, 0.069), (0.014, -0.0655, 0.069), 0.0062, 0.0062, 0.010)  # lips
    low = -0.0735 - opened
    bar((-0.011, low, 0.067), (0.011, low, 0.067), 0.0070, 0.0070, 0.008)
    for x in (-1, 1):
        ball((x * 0.0315, 0.002, 0.078), (0.015, 0.0085, 0.010), 0.012, _CARVE)
    for x in (-1, 1):
        ball((x * 0.0315, 0.002, 0.0580), (0.0135, 0.0125, 0.0125), 0.003)  # eyeballs
        ball((x * 0.0765, -0.008, -0.014), (0.009, 0.030, 0.018), 0.010)  # ears
    scene.end_group(FACE)
    trunk = skeleton.trunk[t]
    scene.capsule(trunk + [0, 0.02, -0.016], at(0, -0.050, -0.022), 0.0535, 0.050 * size)
    scene.end_group(SKIN)
    _add_hair(scene, ball, bar, signer.look.hair_length)


def _add_hair(scene: Scene, ball: Callable, bar: Callable, length: float) -> None:
    """A cap of hair; from 0.5 on it falls beside the face, at 1 to the shoulders."""
    ball((0, 0.048, -0.034), (0.084, 0.088, 0.098))
    ball((0, 0.090, 0.006), (0.070, 0.040, 0.066), 0.02)
    ball((-0.030, 0.094, 0.030), (0.044, 0.026, 0.040), 0.02)  # parted to one side
    for x in (-1, 1):
        ball((x * 0.066, 0.030, -0.016), (0.016, 0.040, 0.040), 0.015)
        if length >= 0.5:
            end = -0.02 - 0.24 * (length - 0.5)
            bar((x * 0.074, 0.040, -0.020), (x * 0.084, end, -0.034), 0.024, 0.030, 0.03)
    if length >= 0.5:
        bar((0, 0.02, -0.075), (0, -0.02 - 0.24 * (length - 0.5), -0.085), 0.07, 0.06, 0.03)
    scene.end_group(HAIR)


def _add_arm(scene: Scene, skeleton: Skeleton, t: int, side: int, signer: Signer) -> None:
    """Sleeve and bare arm. look.sleeve: how much of the forearm is covered; below 0, short."""
    shoulder, elbow = skeleton.shoulders[t, side], skeleton.elbows[t, side]
    wrist, sleeve = skeleton.hands[t, side, 0], signer.look.sleeve
    deep = signer.body.girth
    if sleeve < 0:
        cuff = shoulder + (1 + sleeve) * (elbow - shoulder)
        scene.capsule(shoulder, cuff, 0.060 * deep, 0.054 * deep)
        scene.end_group(SHIRT)
        scene.capsule(shoulder, elbow, 0.046 * deep, 0.038 * deep)
        scene.capsule(elbow, wrist, 0.038 * deep, 0.025, 0.02)
        scene.end_group(SKIN)
        return
    cuff = elbow + sleeve * (wrist - elbow)
    scene.capsule(shoulder, elbow, 0.060 * deep, 0.046 * deep)
    scene.capsule(elbow, cuff, 0.045 * deep, (0.045 - 0.013 * sleeve) * deep, 0.02)
    scene.end_group(SHIRT)


def _add_hand(scene: Scene, skeleton: Skeleton, t: int, side: int, signer: Signer) -> None:
    joints, turn = skeleton.hands[t, side], skeleton.hand_rotations[t, side]
    size, elbow = signer.body.hand, skeleton.elbows[t, side]
    mirror = MIRROR_X if side == 1 else np.ones(3)
    wrist = joints[0]

    def at(*point: float) -> np.ndarray:
        return wrist + turn @ (np.array(point) * mirror * size)

    def bar(a, b, ra, rb, smooth, join=0):
        return scene.capsule(a, b, ra * size, rb * size, smooth * size + 1e-5, join)

    start = elbow + 0.8 * max(signer.look.sleeve, 0.3) * (wrist - elbow)
    bar(start, wrist - 0.03 * (wrist - elbow), 0.033, 0.0245, 0)  # the forearm's bare end
    scene.ellipsoid(at(0, 0.004, -0.001), size * np.array([0.0275, 0.026, 0.0195]), turn, 0.014)
    for knuckle, (x, radius) in zip(KNUCKLES, _METACARPALS, strict=True):
        bar(at(x, 0.012, -0.001), at(*(knuckle - [0, 0.002, 0.001])), 0.0140, radius, 0.014)
    bar(
        at(-0.019, 0.022, 0.006), at(-0.031, 0.062, 0.005), 0.0135, 0.0110, 0.014
    )  # little finger's
    thumb, index = joints[1:5], joints[5]
    bar(at(*(THUMB_BASE * [0.75, 0.8, 1])), thumb[1] - 0.15 * (thumb[1] - thumb[0]),
        0.0165, 0.0125, 0.018)  # fmt: skip  # ball of the thumb
    web = 0.55 * thumb[1] + 0.45 * (wrist + 0.82 * (index - wrist))
    bar(at(0.012, 0.030, 0.006), web, 0.0120, 0.0085, 0.016)
    _, backs = finger_directions(skeleton.shapes[t, side])
    for finger in range(4):
        radii, bones = _FINGER_RADII[finger], joints[5 + 4 * finger : 9 + 4 * finger]
        for i in range(3):
            first = i == 0
            prim = bar(bones[i], bones[i + 1], radii[i], radii[i + 1], 0.009 if first else 0,
                       _ROOT if first else _REST)  # fmt: skip
            prim[20:23], prim[23] = turn @ (backs[finger, i] * mirror), 2 if i == 2 else 1
    back = turn @ (np.array([0.75, 0.0, -0.65]) * mirror)
    for i in (1, 2):
        first = i == 1
        prim = bar(thumb[i], thumb[i + 1], _THUMB_RADII[i], _THUMB_RADII[i + 1],
                   0.009 if first else 0, _ROOT if first else _REST)  # fmt: skip
        prim[20:23], prim[23] = back, 2 if i == 2 else 1
    scene.end_group(SKIN)
