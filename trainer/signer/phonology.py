"""How a sign is written down: postures of the hands, the path through them, and a movement on top.

All directions and places are those of the signer's *own side*: ``in`` is towards the other side of
the body, ``out`` away from it, ``fwd`` away from the signer. So one description serves either hand.

- A direction is a weighted sum, ``"up"``, ``"up+in"``, ``"2fwd+up"``.
- A place is an anchor of the body and an offset in centimetres (in, up, fwd): ``"chin 0 -2 3"``,
  or a contact of the other hand: ``"other:palm 0 2 0"``. The anchors are in ``body.ANCHORS``.
"""

import re
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

_AXES = {
    "in": (1, 0, 0), "out": (-1, 0, 0), "up": (0, 1, 0), "down": (0, -1, 0), "fwd": (0, 0, 1),
    "back": (0, 0, -1),
}  # fmt: skip
Face = Literal["", "ask", "wh", "nod", "shake", "smile", "down"]


@dataclass(frozen=True)
class Posture:
    """One hand at one moment.

    shape : a handshape of hands.HANDSHAPES
    at : the place where `contact` is
    fingers, palm : directions of the hand's long axis and of the palm's normal
    contact : the part of the hand that is at the place, of hands.CONTACTS
    """

    shape: str
    at: str
    fingers: str
    palm: str
    contact: str = "palm"


@dataclass(frozen=True)
class Movement:
    """A repeated movement on top of the path.

    kind : shake (along `axis`, `amount` cm), circle (about `axis`, radius `amount` cm), twist
        (about the fingers' axis), nod (bends the wrist), wag (sideways at the wrist) or flutter
        (fingers), `amount` degrees
    cycles : how many times, over the sign
    axis : a direction; for shake and circle only
    """

    kind: Literal["shake", "circle", "twist", "nod", "wag", "flutter"]
    amount: float
    cycles: float = 2.0
    axis: str = "in"


Other = Literal["mirror", "alternate"] | tuple[Posture, ...] | None


@dataclass(frozen=True)
class Sign:
    """A sign by its phonology.

    path : the strong hand's postures, one after the other
    other : the other hand: None, "mirror" (does the same), "alternate" (the same, half a cycle
        later), or its own postures: one that it keeps, or as many as in path
    repeat : how often the path is gone through
    movement : what is added to the strong hand, and to the other where it mirrors or alternates
    face : what head and brows do
    """

    path: tuple[Posture, ...]
    other: Other = None
    repeat: int = 1
    movement: Movement | None = None
    face: Face = ""


def tap(posture: Posture, away: str) -> tuple[Posture, Posture]:
    """From `away` ("in up fwd" centimetres) to the posture: with repeat=2, a double tap."""
    anchor, offset = parse_place(posture.at)
    start = 100 * offset + [float(x) for x in away.split()]
    at = " ".join([anchor, *(f"{x:g}" for x in start)])
    return replace(posture, at=at), posture


def parse_place(text: str) -> tuple[str, np.ndarray]:
    """``"chin 0 -2 3"`` to the anchor and its offset (in, up, fwd) in metres."""
    anchor, *offset = text.split()
    if len(offset) not in (0, 3):
        raise ValueError(f"place {text!r}: give an anchor and none or three centimetres")
    return anchor, np.array([float(x) / 100 for x in offset] or [0.0, 0.0, 0.0])


def parse_direction(text: str) -> np.ndarray:
    """``"2fwd+up"`` to a unit vector in own-side axes (in, up, fwd)."""
    total = np.zeros(3)
    for part in text.split("+"):
        found = re.fullmatch(r"([\d.]*)([a-z]+)", part)
        if not found or found[2] not in _AXES:
            raise ValueError(f"direction {text!r}: {part!r} is none of {', '.join(_AXES)}")
        total += float(found[1] or 1) * np.array(_AXES[found[2]])
    return total / np.linalg.norm(total)


def hand_rotation(fingers: np.ndarray, palm: np.ndarray) -> np.ndarray:
    """The matrix (3, 3) from the hand frame to own-side axes; the palm as near as may be.

    Own-side axes (in, up, fwd) are a right hand's world axes, so x = y cross z in both.
    """
    y = fingers
    z = palm - y * np.dot(y, palm)
    if np.linalg.norm(z) < 0.2:
        raise ValueError(f"palm {palm} is along the fingers {fingers}: choose another")
    z /= np.linalg.norm(z)
    return np.stack([np.cross(y, z), y, z], axis=1)
