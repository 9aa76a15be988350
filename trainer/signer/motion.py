"""A person's movement over time, and the joints that follow from it. Knows nothing of pictures.

A Motion is sampled every STEP_MS; ``Motion.skeleton`` gives all joints at any times, computed for
all frames at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from fingerpost.trainer.signer.body import bend_arm, head_rotation
from fingerpost.trainer.signer.hands import hand_joints
from fingerpost.trainer.signer.variation import Signer

STEP_MS = 20
_TRACKS = ("wrists", "rotations", "shapes", "head", "face", "sway")
MIRROR_X = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Skeleton:
    """Joints of T frames in world metres. Axis "2" is the signer's right, then left.

    hands : (T, 2, 21, 3), in MediaPipe's order
    hand_rotations : (T, 2, 3, 3), right hand's frame to world; a left hand's x is mirrored first
    shapes : (T, 2, N_SHAPE)
    shoulders, elbows : (T, 2, 3)
    head : (T, 3), its centre; head_rotations : (T, 3, 3)
    trunk : (T, 3), the middle of the shoulders' line
    face : (T, 3), brows (up, metres), mouth (open, metres), eyes (open, 0 to 1)
    """

    hands: np.ndarray
    hand_rotations: np.ndarray
    shapes: np.ndarray
    shoulders: np.ndarray
    elbows: np.ndarray
    head: np.ndarray
    head_rotations: np.ndarray
    trunk: np.ndarray
    face: np.ndarray

    def __len__(self) -> int:
        return len(self.hands)


@dataclass(frozen=True)
class Motion:
    """T steps of STEP_MS of one signer. Axis "2" is the strong hand, then the other, each in its
    own-side axes (in, up, fwd).

    wrists : (T, 2, 3) metres
    rotations : (T, 2, 4) quaternions x y z w, hand frame to own-side axes
    shapes : (T, 2, N_SHAPE)
    head : (T, 3), yaw to the weak side, pitch down, roll to the strong side, degrees
    face : (T, 3), brows, mouth, eyes as in Skeleton
    sway : (T, 3), of the whole trunk, world metres
    """

    signer: Signer
    wrists: np.ndarray
    rotations: np.ndarray
    shapes: np.ndarray
    head: np.ndarray
    face: np.ndarray
    sway: np.ndarray

    def __len__(self) -> int:
        return len(self.wrists)

    @property
    def duration_ms(self) -> int:
        return len(self) * STEP_MS

    def skeleton(self, times_ms: np.ndarray) -> Skeleton:
        """All joints at the times given, shape (T,)."""
        body = self.signer.body
        wrists, quaternions, shapes, head, face, sway = self._at(np.asarray(times_ms, float))
        shoulders, elbows, wrists = bend_arm(wrists, body, self.signer.style.elbow_lift)
        rotations = _matrices(quaternions)
        joints = np.einsum("tsij,tskj->tski", rotations, hand_joints(shapes)) * body.hand
        joints += wrists[:, :, None]

        # Own-side axes become the world's: the left hand is mirrored; the strong one may be it.
        sides = [1, 0] if self.signer.left_handed else [0, 1]
        mirror = np.stack([np.ones(3), MIRROR_X])  # (2, 3): right, left
        flip = MIRROR_X if self.signer.left_handed else np.ones(3)
        angles = head * ([-1, 1, -1] if self.signer.left_handed else [1, 1, 1])
        sway = sway * flip
        rotations = rotations[:, sides] * (mirror[:, :, None] * mirror[:, None, :])
        return Skeleton(
            hands=joints[:, sides] * mirror[:, None] + sway[:, None, None],
            hand_rotations=rotations,
            shapes=shapes[:, sides],
            shoulders=shoulders[:, sides] * mirror + sway[:, None],
            elbows=elbows[:, sides] * mirror + sway[:, None],
            head=np.array([0, body.neck, 0.03]) + sway * 1.15,
            head_rotations=head_rotation(angles),
            trunk=sway,
            face=face,
        )

    def _at(self, times_ms: np.ndarray) -> tuple[np.ndarray, ...]:
        """The tracks at the times given, linear between steps."""
        place = np.clip(times_ms / STEP_MS, 0, len(self) - 1)
        before = np.minimum(place.astype(int), len(self) - 1)
        after = np.minimum(before + 1, len(self) - 1)
        weight = place - before

        def mix(track: np.ndarray) -> np.ndarray:
            w = weight.reshape(-1, *[1] * (track.ndim - 1))
            return (1 - w) * track[before] + w * track[after]

        tracks = (self.wrists, self.rotations, self.shapes, self.head, self.face, self.sway)
        return tuple(mix(track) for track in tracks)


def join(motions: Sequence[Motion], pauses_ms: int) -> Motion:
    """One motion after the other; in each pause, from the last pose to the first of the next."""
    parts: list[Motion] = [motions[0]]
    for motion in motions[1:]:
        if motion.signer != parts[0].signer:
            raise ValueError("only performances of one and the same signer can be joined")
        steps = max(pauses_ms // STEP_MS, 0)
        last = parts[-1]
        between = {
            name: _between(getattr(last, name)[-1], getattr(motion, name)[0], steps)
            for name in _TRACKS
        }
        # A quaternion and its negative are one rotation, and the mean of the two is none.
        ends = last.rotations[-1], motion.rotations[0]
        between["rotations"] = mix_rotations(*ends, np.tile(_eased(steps)[:, None], 2))
        parts += [Motion(motion.signer, **between), motion]
    tracks = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _TRACKS}
    tracks["rotations"] = same_sign(tracks["rotations"])
    return Motion(parts[0].signer, **tracks)


def ease(u: np.ndarray) -> np.ndarray:
    """The minimum-jerk curve from 0 to 1, as arms move: 10 u^3 - 15 u^4 + 6 u^5."""
    u = np.clip(u, 0, 1)
    return u**3 * (10 - 15 * u + 6 * u**2)


def mix_rotations(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The shorter way between quaternions a and b, (..., 4); weight (...,)."""
    dot = np.sum(a * b, axis=-1, keepdims=True)
    b = np.where(dot < 0, -b, b)
    angle = np.arccos(np.clip(np.abs(dot), 0, 1))
    w = weight[..., None]
    small = angle < 1e-4
    sin = np.where(small, 1, np.sin(angle))
    mixed = np.where(small, 1 - w, np.sin((1 - w) * angle) / sin) * a
    mixed = mixed + np.where(small, w, np.sin(w * angle) / sin) * b
    return mixed / np.linalg.norm(mixed, axis=-1, keepdims=True)


def same_sign(quaternions: np.ndarray) -> np.ndarray:
    """Quaternions over time (T, ..., 4), q or -q such that neighbours can be mixed linearly."""
    dots = np.sum(quaternions[1:] * quaternions[:-1], axis=-1, keepdims=True)
    signs = np.cumprod(np.where(dots < 0, -1.0, 1.0), axis=0)
    return np.concatenate([quaternions[:1], quaternions[1:] * signs])


def _between(a: np.ndarray, b: np.ndarray, steps: int) -> np.ndarray:
    u = _eased(steps).reshape(-1, *[1] * a.ndim)
    return (1 - u) * a + u * b


def _eased(steps: int) -> np.ndarray:
    """Shares of a way, (steps,), its ends left out."""
    return ease((np.arange(steps) + 1) / (steps + 1))


def _matrices(quaternions: np.ndarray) -> np.ndarray:
    flat = Rotation.from_quat(quaternions.reshape(-1, 4)).as_matrix()
    return flat.reshape(*quaternions.shape[:-1], 3, 3)
