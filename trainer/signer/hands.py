"""The hand: handshapes as joint angles, and the 21 joints that follow from them.

Hand frame of a right hand, metres: origin the wrist, +x to the thumb, +y along the fingers, +z out
of the palm. A left hand is its mirror image in x. A handshape is a vector of N_SHAPE = 25 numbers
that may be mixed linearly: for index, middle, ring, pinky the flexion of MCP, PIP and DIP joint and
the spread towards the thumb (degrees), then three directions of the thumb's segments.
"""

import numpy as np

N_SHAPE = 25  # 4 fingers * (mcp, pip, dip, spread) + 3 thumb segments * (x, y, z)

# Bone lengths of a middle-sized adult hand, metres; wrist to middle knuckle is 93 mm.
KNUCKLES = np.array(
    [[0.0270, 0.0900, 0.000], [0.0045, 0.0930, 0.003], [-0.0170, 0.0870, 0.002],
     [-0.0355, 0.0770, -0.002]]
)  # fmt: skip  # (4 fingers, 3)
FINGER_BONES = np.array(
    [[0.0430, 0.0255, 0.0215], [0.0475, 0.0295, 0.0225], [0.0440, 0.0280, 0.0225],
     [0.0340, 0.0205, 0.0200]]
)  # fmt: skip  # (4 fingers, 3 bones)
THUMB_BASE = np.array([0.0240, 0.0220, 0.0080])
THUMB_BONES = np.array([0.0450, 0.0340, 0.0270])

_STRAIGHT = (0, 3, 3, 0)
_CURLED = (82, 100, 62, 0)
_THUMBS = {  # directions of the three bones, hand frame (need not be of unit length)
    "side": ((0.62, 0.76, 0.22), (0.28, 0.95, 0.12), (0.12, 0.99, 0.05)),
    "up": ((0.88, 0.42, 0.22), (0.97, 0.24, 0.05), (0.99, 0.15, 0)),
    "out": ((0.80, 0.55, 0.22), (0.80, 0.60, 0.05), (0.82, 0.57, 0)),
    "palm": ((0.42, 0.74, 0.52), (-0.38, 0.84, 0.38), (-0.80, 0.58, 0.12)),
    "fist": ((0.50, 0.70, 0.52), (-0.22, 0.72, 0.66), (-0.93, 0.30, 0.20)),
    "over": ((0.45, 0.72, 0.55), (-0.45, 0.66, 0.60), (-0.93, 0.22, 0.28)),
    "pinky": ((0.40, 0.70, 0.60), (-0.55, 0.66, 0.50), (-0.90, 0.42, 0.05)),
    "c": ((0.62, 0.40, 0.68), (0.30, 0.60, 0.74), (0.0, 0.80, 0.60)),
    "o": ((0.50, 0.48, 0.72), (0.16, 0.72, 0.68), (-0.10, 0.90, 0.42)),
    "f": ((0.52, 0.55, 0.65), (0.32, 0.80, 0.50), (0.15, 0.93, 0.33)),
    "eight": ((0.48, 0.52, 0.70), (-0.10, 0.80, 0.60), (-0.28, 0.92, 0.28)),
    "beak": ((0.45, 0.42, 0.79), (0.10, 0.62, 0.78), (-0.08, 0.70, 0.71)),
    "between": ((0.55, 0.70, 0.45), (0.20, 0.93, 0.30), (-0.15, 0.92, 0.35)),
}
_SHAPES: dict[str, tuple] = {  # index, middle, ring, pinky (mcp, pip, dip, spread), thumb
    "flat": ((0, 2, 2, -1), (0, 2, 2, 0), (0, 2, 2, 1), (0, 3, 3, 3), "side"),
    "B": ((0, 2, 2, -1), (0, 2, 2, 0), (0, 2, 2, 1), (0, 3, 3, 3), "palm"),
    "open_b": ((0, 2, 2, -1), (0, 2, 2, 0), (0, 2, 2, 1), (0, 3, 3, 3), "out"),
    "bent": ((72, 6, 5, -1), (74, 6, 5, 0), (74, 6, 5, 1), (72, 8, 5, 3), "side"),
    "5": ((2, 4, 3, 14), (0, 4, 3, 3), (2, 4, 3, -8), (4, 5, 4, -20), "out"),
    "4": ((2, 4, 3, 10), (0, 4, 3, 2), (2, 4, 3, -7), (4, 5, 4, -17), "palm"),
    "claw": ((22, 52, 34, 12), (22, 54, 34, 3), (24, 54, 34, -7), (26, 50, 32, -17), "c"),
    "relaxed": ((14, 18, 10, 2), (18, 22, 12, 0), (22, 24, 14, 0), (24, 24, 14, -2), "side"),
    "S": (_CURLED, _CURLED, _CURLED, _CURLED, "fist"),
    "A": (_CURLED, _CURLED, _CURLED, _CURLED, "side"),
    "thumb_up": (_CURLED, _CURLED, _CURLED, _CURLED, "up"),
    "T": ((62, 92, 50, 0), _CURLED, _CURLED, _CURLED, "between"),
    "E": ((62, 98, 58, 0), (62, 98, 58, 0), (62, 98, 58, 0), (62, 98, 58, 2), "palm"),
    "1": (_STRAIGHT, _CURLED, _CURLED, _CURLED, "over"),
    "X": ((20, 85, 45, 0), _CURLED, _CURLED, _CURLED, "fist"),
    "L": ((0, 3, 3, 2), _CURLED, _CURLED, _CURLED, "out"),
    "bent_L": ((30, 62, 34, 2), _CURLED, _CURLED, _CURLED, "out"),
    "G": ((4, 4, 4, 0), _CURLED, _CURLED, _CURLED, "f"),
    "pinch": ((50, 58, 34, 2), _CURLED, _CURLED, _CURLED, "f"),
    "U": ((0, 3, 3, -2), (0, 3, 3, 2), _CURLED, _CURLED, "over"),
    "V": ((0, 3, 3, 11), (0, 3, 3, -7), _CURLED, _CURLED, "over"),
    "bent_V": ((18, 78, 40, 10), (18, 78, 40, -6), _CURLED, _CURLED, "over"),
    "R": ((4, 3, 3, -7), (0, 6, 6, 7), _CURLED, _CURLED, "over"),
    "K": ((0, 3, 3, 6), (48, 6, 4, -3), _CURLED, _CURLED, "between"),
    "3": ((0, 3, 3, 10), (0, 3, 3, -6), _CURLED, _CURLED, "out"),
    "snap": ((66, 12, 6, 2), (68, 12, 6, 0), _CURLED, _CURLED, "beak"),
    "W": ((0, 3, 3, 12), (0, 3, 3, 1), (0, 3, 3, -10), (75, 85, 50, 3), "pinky"),
    "Y": (_CURLED, _CURLED, _CURLED, (2, 4, 4, -18), "out"),
    "I": (_CURLED, _CURLED, _CURLED, (2, 4, 4, -5), "over"),
    "ILY": ((0, 3, 3, 6), _CURLED, _CURLED, (2, 4, 4, -12), "out"),
    "C": ((38, 48, 28, 2), (38, 48, 28, 0), (38, 48, 28, -1), (38, 48, 28, -3), "c"),
    "O": ((52, 58, 36, 0), (54, 58, 36, 0), (54, 58, 38, 2), (52, 58, 38, 4), "o"),
    "flat_O": ((68, 14, 8, 0), (70, 14, 8, 0), (70, 14, 8, 2), (72, 12, 8, 5), "beak"),
    "F": ((50, 58, 34, 2), (4, 4, 3, 3), (0, 4, 3, -8), (0, 4, 4, -18), "f"),
    "8": ((6, 6, 4, 8), (55, 52, 30, 0), (4, 5, 4, -7), (2, 4, 4, -18), "eight"),
    "open_8": ((4, 6, 4, 12), (58, 14, 8, 0), (4, 5, 4, -7), (4, 5, 4, -19), "out"),
}
HANDSHAPES = tuple(_SHAPES)

# Where a hand touches: joints whose mean it is, and how far along the palm's normal (metres).
CONTACTS: dict[str, tuple[tuple[int, ...], float]] = {
    "wrist": ((0,), 0.0),
    "palm": ((0, 5, 9, 17), 0.018),
    "back": ((0, 5, 9, 17), -0.018),
    "heel": ((0, 0, 17), 0.012),
    "knuckles": ((5, 9, 13, 17), -0.010),
    "thumb": ((4,), 0.0),
    "index": ((8,), 0.0),
    "middle": ((12,), 0.0),
    "pinky": ((20,), 0.0),
    "two": ((8, 12), 0.0),
    "tips": ((8, 12, 16), 0.0),
    "pinch": ((4, 8), 0.0),
    "fingers": ((7, 11, 15, 19), 0.008),
    "thumb_edge": ((2, 5), 0.0),
    "pinky_edge": ((0, 17, 18), 0.0),
    "index_side": ((6, 7), 0.0),
    "middle_bone": ((10, 6), 0.0),
}


def handshape(name: str) -> np.ndarray:
    """A handshape by name, shape (N_SHAPE,); ValueError lists the known ones."""
    if name not in _SHAPES:
        raise ValueError(f"unknown handshape {name!r}; known: {', '.join(_SHAPES)}")
    *fingers, thumb = _SHAPES[name]
    return np.concatenate([np.ravel(fingers), _unit(np.array(_THUMBS[thumb])).ravel()])


def hand_joints(shape: np.ndarray) -> np.ndarray:
    """The joints of right hands in the hand frame: (..., N_SHAPE) to (..., 21, 3), metres."""
    joints = np.zeros((*shape.shape[:-1], 21, 3))
    thumb = _unit(shape[..., 16:].reshape(*shape.shape[:-1], 3, 3))
    joints[..., 1, :] = THUMB_BASE
    joints[..., 2:5, :] = THUMB_BASE + np.cumsum(thumb * THUMB_BONES[:, None], axis=-2)
    directions, _ = finger_directions(shape)  # (..., 4, 3, 3)
    bones = np.cumsum(directions * FINGER_BONES[..., None], axis=-2)
    fingers = np.concatenate(
        [np.broadcast_to(KNUCKLES[:, None], (*bones.shape[:-2], 1, 3)), KNUCKLES[:, None] + bones],
        axis=-2,
    )
    joints[..., 5:, :] = fingers.reshape(*shape.shape[:-1], 16, 3)
    return joints


def finger_directions(shape: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each finger bone where it points and where its back faces, both (..., 4, 3 bones, 3).

    A bone is R_z(-spread) R_x(flexion so far) applied to +y, its back the same applied to -z.
    """
    angles = np.radians(shape[..., :16].reshape(*shape.shape[:-1], 4, 4))
    flexion = np.cumsum(angles[..., :3], axis=-1)
    spread = angles[..., 3:]
    cos, sin = np.cos(flexion), np.sin(flexion)
    along = np.stack([np.sin(spread) * cos, np.cos(spread) * cos, sin], axis=-1)
    back = np.stack([np.sin(spread) * sin, np.cos(spread) * sin, -cos], axis=-1)
    return along, back


def contact_point(name: str, joints: np.ndarray) -> np.ndarray:
    """Where a hand touches, in the hand frame: joints (..., 21, 3) to (..., 3)."""
    if name not in CONTACTS:
        raise ValueError(f"unknown contact {name!r}; known: {', '.join(CONTACTS)}")
    members, height = CONTACTS[name]
    return joints[..., list(members), :].mean(axis=-2) + np.array([0, 0, height])


def _unit(v: np.ndarray) -> np.ndarray:
    return v / (np.linalg.norm(v, axis=-1, keepdims=True) + 1e-12)
