"""The body: proportions, places on it, arms by two-bone inverse kinematics, and the head.

World, metres: x to the picture's right, y up, z to the camera; the shoulders' line is at y = 0.
A hand is computed in its *own-side* axes (in, up, fwd), which are the world's for a right hand
(it is at the picture's left) and the world's mirrored in x for a left hand.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Body:
    """Proportions, metres. The defaults are a middle-sized adult's."""

    shoulder: float = 0.178  # the spine to a shoulder joint
    upper_arm: float = 0.285
    forearm: float = 0.255
    hand: float = 1.0  # times the hand of hands.py
    head: float = 1.0  # times the head of HEAD_POINTS
    neck: float = 0.238  # the shoulders' line to the head's centre, which is between the eyes
    girth: float = 1.0  # times the chest's depth and width


_HEAD_ANCHORS = {  # (in, up, fwd) from the head's centre, metres, on the surface
    "crown": (-0.01, 0.125, 0.00),
    "forehead": (0.0, 0.062, 0.085),
    "brow": (-0.045, 0.045, 0.075),
    "temple": (-0.078, 0.040, 0.035),
    "eye": (-0.032, 0.0, 0.085),
    "nose": (0.0, -0.028, 0.105),
    "cheek": (-0.052, -0.040, 0.065),
    "jaw": (-0.060, -0.075, 0.040),
    "ear": (-0.088, -0.010, 0.000),
    "mouth": (0.0, -0.070, 0.088),
    "chin": (0.0, -0.110, 0.078),
    "underchin": (0.0, -0.125, 0.060),
}
_TRUNK_ANCHORS = {  # (in, up, fwd) from the middle of the shoulders' line; girth scales in and fwd
    "neck": (0.0, 0.055, 0.055),
    "shoulder": (-0.135, 0.010, 0.070),
    "far_shoulder": (0.135, 0.010, 0.070),
    "chest": (0.0, -0.120, 0.115),
    "breast": (-0.085, -0.100, 0.105),
    "far_breast": (0.085, -0.100, 0.105),
    "belly": (0.0, -0.290, 0.125),
    "waist": (-0.110, -0.360, 0.110),
}
SPACE_ANCHORS = {  # (in, up, fwd) in arm lengths from the own shoulder / the middle: free space
    "center": (0.0, -0.28, 0.52),
    "neutral": (-0.20, -0.30, 0.50),
    "low": (-0.15, -0.52, 0.42),
    "high": (-0.34, 0.22, 0.42),
    "side": (-0.52, -0.12, 0.38),
    "front": (-0.16, 0.02, 0.66),
    "hip": (-0.40, -0.92, 0.06),
    "hang": (-0.41, -1.0, 0.05),
    "lap": (-0.12, -0.78, 0.38),
}
ANCHORS = (*_HEAD_ANCHORS, *_TRUNK_ANCHORS, *SPACE_ANCHORS)

# sign69's face and the body's head points, from the head's centre: x to the picture's right, as
# MediaPipe places them on the rendered head (fit.py measures them).
_JAW = {  # signer's right half; the left half is its mirror image
    "mesh_127": (-0.0700, 0.0055, 0.0000), "mesh_93": (-0.0690, -0.0270, 0.0000),
    "mesh_172": (-0.0560, -0.0770, 0.0120), "mesh_149": (-0.0315, -0.1045, 0.0470),
}  # fmt: skip
_JAW_MIRROR = {"mesh_127": "mesh_356", "mesh_93": "mesh_323", "mesh_172": "mesh_397",
               "mesh_149": "mesh_378"}  # fmt: skip
HEAD_POINTS: dict[str, tuple[float, float, float]] = {
    **_JAW,
    **{_JAW_MIRROR[name]: (-x, y, z) for name, (x, y, z) in _JAW.items()},
    "mesh_152": (0.0, -0.1160, 0.0600),
    "mesh_78": (-0.0245, -0.0670, 0.0720), "mesh_308": (0.0245, -0.0670, 0.0720),
    "mesh_82": (-0.0060, -0.0688, 0.0820), "mesh_312": (0.0060, -0.0688, 0.0820),
    "mesh_13": (0.0, -0.0690, 0.0830), "mesh_14": (0.0, -0.0686, 0.0820),
    "mesh_87": (-0.0060, -0.0682, 0.0810), "mesh_317": (0.0060, -0.0682, 0.0810),
    "mesh_4": (0.0, -0.0312, 0.0970),
    "nose": (0.0, -0.0310, 0.0970),
    "right_ear": (-0.0665, -0.0025, -0.0140), "left_ear": (0.0665, -0.0025, -0.0140),
}  # fmt: skip
SHOULDER_POINT = (0.007, 0.018, 0.0)  # where it puts a shoulder, from the joint, (in, up, fwd)
LOWER_LIP = ("mesh_14", "mesh_87", "mesh_317")
CHIN = ("mesh_152", "mesh_149", "mesh_378")


def anchor(name: str, body: Body) -> np.ndarray:
    """A named place on or around the body in own-side axes (in, up, fwd), shape (3,), metres."""
    if name in _HEAD_ANCHORS:
        return np.array([0, body.neck, 0.03]) + body.head * np.array(_HEAD_ANCHORS[name])
    if name in _TRUNK_ANCHORS:
        return np.array(_TRUNK_ANCHORS[name]) * [body.girth, 1, body.girth]
    if name in SPACE_ANCHORS:
        return np.array(SPACE_ANCHORS[name]) * (body.upper_arm + body.forearm)
    raise ValueError(f"unknown place {name!r}; known: {', '.join(ANCHORS)}, other:<contact>")


def bend_arm(
    wrist: np.ndarray, body: Body, raised: np.ndarray | float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two-bone inverse kinematics in own-side axes: shoulder, elbow, wrist, each (..., 3).

    wrist : (..., 3), where it should be; out of reach, it is pulled to the arm's length
    raised : how far the elbow is lifted to the side, 0 (hangs) to 1
    """
    shoulder = np.array([-body.shoulder, -0.015, -0.01])
    shoulder = shoulder + 0.10 * np.clip(wrist[..., 1:2] + 0.05, 0, 0.4) * np.array([0.1, 1, 0])
    reach = wrist - shoulder
    distance = np.linalg.norm(reach, axis=-1, keepdims=True)
    length = np.clip(distance, 0.12, 0.995 * (body.upper_arm + body.forearm))
    along = reach / (distance + 1e-9)
    # Law of cosines: the elbow is `foot` along the line, `height` off it, towards the pole.
    foot = (body.upper_arm**2 - body.forearm**2 + length**2) / (2 * length)
    height = np.sqrt(np.maximum(body.upper_arm**2 - foot**2, 0))
    lift = np.asarray(raised)[..., None]
    hangs = np.clip((-wrist[..., 1:2] - 0.33) / 0.15, 0, 1)
    pole = (1 - lift) * np.array([-0.50, -1.0, -0.35]) + lift * np.array([-1.0, -0.25, -0.2])
    pole = (1 - hangs) * pole + hangs * np.array([-0.35, -0.3, -1.0])
    pole = pole - along * np.sum(pole * along, axis=-1, keepdims=True)
    pole = pole / (np.linalg.norm(pole, axis=-1, keepdims=True) + 1e-9)
    return shoulder, shoulder + along * foot + pole * height, shoulder + along * length


def head_rotation(angles: np.ndarray) -> np.ndarray:
    """Yaw (to the picture's right), pitch (down), roll (to the picture's left), degrees (..., 3),
    to matrices (..., 3, 3)."""
    yaw, pitch, roll = np.moveaxis(np.radians(angles), -1, 0)
    zero, one = np.zeros_like(yaw), np.ones_like(yaw)

    def matrix(*rows: tuple[np.ndarray, ...]) -> np.ndarray:
        return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)

    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (np.cos, np.sin))
    about_y = matrix((cy, zero, sy), (zero, one, zero), (-sy, zero, cy))
    about_x = matrix((one, zero, zero), (zero, cp, sp), (zero, -sp, cp))
    about_z = matrix((cr, -sr, zero), (sr, cr, zero), (zero, zero, one))
    return about_y @ about_x @ about_z
