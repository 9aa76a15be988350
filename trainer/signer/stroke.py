"""One sign as a stroke: from phonology to dense tracks of the hands, with a signer's variation."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy.spatial.transform import Rotation

from fingerpost.trainer.signer.body import SPACE_ANCHORS, anchor
from fingerpost.trainer.signer.hands import contact_point, hand_joints, handshape
from fingerpost.trainer.signer.motion import MIRROR_X, STEP_MS, ease, mix_rotations
from fingerpost.trainer.signer.phonology import (
    Movement,
    Posture,
    Sign,
    hand_rotation,
    parse_direction,
    parse_place,
)
from fingerpost.trainer.signer.variation import Signer

_PERIOD_MS = {"shake": 330, "circle": 520, "twist": 320, "nod": 340, "wag": 340, "flutter": 260}


@dataclass(frozen=True)
class Track:
    """One hand over N steps or keys, own-side axes: wrists (N, 3), rotations (N, 4) quaternions,
    shapes (N, N_SHAPE)."""

    wrists: np.ndarray
    rotations: np.ndarray
    shapes: np.ndarray

    def __len__(self) -> int:
        return len(self.wrists)

    def __getitem__(self, which: slice | np.ndarray) -> "Track":
        return Track(self.wrists[which], self.rotations[which], self.shapes[which])


@dataclass(frozen=True)
class Stroke:
    """A sign's movement and hold, without the way to it. other : None where it has no part."""

    strong: Track
    other: Track | None

    def __len__(self) -> int:
        return len(self.strong)


def make_stroke(
    sign: Sign, signer: Signer, rng: np.random.Generator, hold_ms: float | None = None
) -> Stroke:
    """The sign as this signer makes it this time. hold_ms : of its end; None is usual for a sign"""
    other_keys = None
    if isinstance(sign.other, tuple):
        other_keys = _keys(sign.other, signer, rng, base=None)
        other_keys = _spread(other_keys, len(sign.path) * sign.repeat)
    path = sign.path * sign.repeat
    keys = _keys(path, signer, rng, base=other_keys)
    key_steps, total = _timing(keys, other_keys, sign, signer, rng, hold_ms)

    strong = _move(_between_keys(keys, key_steps, total), sign.movement, signer, phase=0.0)
    other = None
    if other_keys is not None:
        other = _between_keys(other_keys, key_steps, total)
    elif sign.other in ("mirror", "alternate"):
        turn = 0.5 if sign.other == "alternate" else 0.0
        half = sign.path[::-1] * sign.repeat if turn and len(sign.path) == 2 else path
        again = _keys(half, signer, rng, base=None, alike=keys if not turn else None)
        other = _move(_between_keys(again, key_steps, total), sign.movement, signer, phase=turn)
    return Stroke(strong, other)


def place_hand(
    posture: Posture, signer: Signer, base: Track | None = None, step: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Wrist (3,), rotation (3, 3) and shape (N_SHAPE,) of a posture, in own-side axes.

    base : the other hand, for a place on it (key number `step`)
    """
    name, offset = parse_place(posture.at)
    size = (signer.body.upper_arm + signer.body.forearm) / 0.54
    if name.startswith("other:"):
        if base is None:
            raise ValueError(f"place {posture.at!r}: the sign's other hand has no posture")
        turn = Rotation.from_quat(base.rotations[step]).as_matrix()
        touched = contact_point(name.removeprefix("other:"), hand_joints(base.shapes[step]))
        place = MIRROR_X * (base.wrists[step] + turn @ touched * signer.body.hand)
    else:
        place = anchor(name, signer.body)
        if name in SPACE_ANCHORS:
            place = place + signer.style.lean
    shape = handshape(posture.shape)
    rotation = hand_rotation(parse_direction(posture.fingers), parse_direction(posture.palm))
    reach = _reach(posture.shape, posture.contact) * signer.body.hand
    return place + offset * size - rotation @ reach, rotation, shape


@cache  # of HANDSHAPES and CONTACTS; without it, half the time of a sentence
def _reach(shape: str, contact: str) -> np.ndarray:
    """Where a handshape's contact is in the hand frame, (3,), metres."""
    reach = contact_point(contact, hand_joints(handshape(shape)))
    reach.setflags(write=False)
    return reach


def _keys(
    path: tuple[Posture, ...],
    signer: Signer,
    rng: np.random.Generator,
    base: Track | None,
    alike: Track | None = None,
) -> Track:
    """The path's postures with this signer's size and this time's jitter. alike : a mirrored hand,
    which differs from it only a little."""
    if alike is not None:
        moved = alike.wrists + rng.normal(0, 0.004 * signer.style.jitter, 3)
        return replace(alike, wrists=moved)
    placed = [place_hand(posture, signer, base, step) for step, posture in enumerate(path)]
    wrists = np.array([wrist for wrist, _, _ in placed])
    anchors = [parse_place(posture.at)[0] for posture in path]
    for k, name in enumerate(anchors):  # a touch stays a touch, a way in free space may grow
        if name in SPACE_ANCHORS or name == anchors[-1]:
            wrists[k] = wrists[-1] + signer.style.size * (wrists[k] - wrists[-1])
    jitter = signer.style.jitter
    touching = any(name not in SPACE_ANCHORS for name in anchors)
    wrists += rng.normal(0, (0.006 if touching else 0.014) * jitter, 3)
    turns = Rotation.from_rotvec(
        rng.normal(0, 0.09 * jitter, 3) + rng.normal(0, 0.03 * jitter, (len(path), 3))
    )
    rotations = (turns * Rotation.from_matrix([r for _, r, _ in placed])).as_quat()
    wobble = np.concatenate([rng.normal(0, 4 * jitter, 16), rng.normal(0, 0.05 * jitter, 9)])
    shapes = np.array([shape for _, _, shape in placed]) + wobble
    return Track(wrists, rotations, shapes)


def _spread(keys: Track, n: int) -> Track:
    """Keys for n moments: one posture is kept, several are gone through again and again."""
    return keys[np.arange(n) % len(keys)]


def _timing(
    keys: Track,
    other: Track | None,
    sign: Sign,
    signer: Signer,
    rng: np.random.Generator,
    hold_ms: float | None,
) -> tuple[np.ndarray, int]:
    """The step of each key, and the number of steps in all."""
    ways = np.linalg.norm(np.diff(keys.wrists, axis=0), axis=1)
    if other is not None:
        ways = np.maximum(ways, np.linalg.norm(np.diff(other.wrists, axis=0), axis=1))
    turns = np.abs(np.sum(keys.rotations[1:] * keys.rotations[:-1], axis=1))
    turns = 2 * np.arccos(np.clip(turns, 0, 1))
    bends = np.abs(np.diff(keys.shapes[:, :16], axis=0)).max(axis=1) if len(keys) > 1 else ways
    moves_ms = 190 + 950 * ways + 70 * turns + 1.2 * bends
    moves_ms *= 0.7 if sign.repeat > 1 else 1.0
    moving_ms = 0.0
    if sign.movement:
        moving_ms = _PERIOD_MS[sign.movement.kind] * sign.movement.cycles
        if len(keys) > 1 and moves_ms.sum() < moving_ms:
            moves_ms = moves_ms * moving_ms / moves_ms.sum()
    if hold_ms is None:
        hold_ms = rng.uniform(90, 200)
    end_ms = hold_ms + (moving_ms if len(keys) == 1 else 0)
    pace = signer.style.tempo * rng.lognormal(0, 0.08 * signer.style.jitter)
    times = np.concatenate([[0.0], np.cumsum(moves_ms)]) / pace
    steps = np.round(times / STEP_MS).astype(int)
    total = int(steps[-1] + max(round(end_ms / pace / STEP_MS), 3))
    return steps, total


def _between_keys(keys: Track, steps: np.ndarray, total: int) -> Track:
    """N = total steps through the keys, each reached with a minimum-jerk movement."""
    t = np.arange(total)
    k = np.clip(np.searchsorted(steps, t, side="right") - 1, 0, len(keys) - 1)
    after = np.minimum(k + 1, len(keys) - 1)
    span = np.maximum(steps[after] - steps[k], 1)
    u = ease((t - steps[k]) / span)
    rotations = mix_rotations(keys.rotations[k], keys.rotations[after], u)
    w = u[:, None]
    return Track(
        (1 - w) * keys.wrists[k] + w * keys.wrists[after],
        rotations,
        (1 - w) * keys.shapes[k] + w * keys.shapes[after],
    )


def _move(track: Track, movement: Movement | None, signer: Signer, phase: float) -> Track:
    """The track with a repeated movement on top; phase in cycles."""
    if movement is None:
        return track
    u = np.arange(len(track)) / max(len(track) - 1, 1)
    u = np.clip(u / 0.9, 0, 1)  # it has ended when the sign ends
    turn = 2 * np.pi * movement.cycles * (u - 0.6 * np.sin(2 * np.pi * u) / (2 * np.pi))
    turn = turn + 2 * np.pi * phase
    size = signer.style.size
    if movement.kind == "shake":
        way = parse_direction(movement.axis) * movement.amount / 100 * size
        return replace(track, wrists=track.wrists + np.sin(turn)[:, None] * way)
    if movement.kind == "circle":
        normal = parse_direction(movement.axis)
        start = np.cross(normal, [0, 0, 1] if abs(normal[2]) < 0.8 else [0, 1, 0])
        side = np.cross(normal, start)
        radius = movement.amount / 100 * size
        way = np.cos(turn)[:, None] * start + np.sin(turn)[:, None] * side
        return replace(track, wrists=track.wrists + radius * way)
    if movement.kind == "flutter":
        lag = np.arange(4) * 0.9
        flexion = movement.amount * np.sin(turn[:, None] - lag)
        shapes = track.shapes.copy()
        shapes[:, 0:16:4] += flexion
        shapes[:, 1:16:4] += 0.5 * flexion
        return replace(track, shapes=shapes)
    axis = {"twist": [0, 1, 0], "nod": [1, 0, 0], "wag": [0, 0, 1]}[movement.kind]
    angle = np.radians(movement.amount * size) * np.sin(turn)
    turned = Rotation.from_quat(track.rotations) * Rotation.from_rotvec(angle[:, None] * axis)
    return replace(track, rotations=turned.as_quat())
