"""From movement to the keypoints of view sign69, without a picture: thousands of frames a second.

The joints are put where MediaPipe puts them: a hand's z is relative to its wrist, the body's z to
the middle of the hips, both in x's scale and smaller when nearer; a hand outside the picture is
not seen; a joint outside it has little confidence.
"""

import numpy as np

from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence
from fingerpost.trainer.signer.body import CHIN, HEAD_POINTS, LOWER_LIP
from fingerpost.trainer.signer.detector import observe
from fingerpost.trainer.signer.motion import Motion, Skeleton
from fingerpost.trainer.signer.variation import Camera

EXTRACTOR = "fingerpost signer 1"
HIP_DEPTH = -0.03  # the hips' middle, metres in front of the shoulders' line


def project_keypoints(
    motion: Motion, fps: float, camera: Camera, noise: np.random.Generator | None = None
) -> PoseSequence:
    """The keypoints that a landmarker would give of the motion, (T, 69), T = duration * fps."""
    frames = max(int(motion.duration_ms * fps / 1000), 1)
    skeleton = motion.skeleton(np.arange(frames) * 1000 / fps)
    points = world_points(skeleton, motion.signer.body.head)  # (T, 69, 3)
    xyz = camera.project(points)
    xyz[..., 2] = _relative_depth(xyz[..., 2], camera)
    confidence = _visibility(xyz)
    if noise is not None:
        xyz, confidence = observe(xyz, confidence, skeleton, camera, fps, noise)
    xyz = np.where(confidence[..., None] > 0, xyz, 0).astype(np.float32)
    return PoseSequence(
        xyz=xyz,
        confidence=confidence.astype(np.float32),
        fps=fps,
        schema=SIGN69,
        aspect=camera.aspect,
        extractor=EXTRACTOR,
    )


def world_points(skeleton: Skeleton, head_size: float = 1.0) -> np.ndarray:
    """The 69 points of the view in world metres, (T, 69, 3)."""
    points = np.zeros((len(skeleton), len(SIGN69), 3))
    for side, name in enumerate(("right", "left")):
        points[:, SIGN69.groups[f"{name}_hand"]] = skeleton.hands[:, side]
        points[:, SIGN69.index(f"{name}_shoulder")] = skeleton.shoulders[:, side]
        points[:, SIGN69.index(f"{name}_elbow")] = skeleton.elbows[:, side]
        points[:, SIGN69.index(f"{name}_wrist")] = skeleton.hands[:, side, 0]
    local = np.tile(np.array(list(HEAD_POINTS.values())), (len(skeleton), 1, 1)) * head_size
    names = list(HEAD_POINTS)
    for moved, share in ((LOWER_LIP, 1.0), (CHIN, 0.7)):
        columns = [names.index(name) for name in moved]
        local[:, columns, 1] -= share * skeleton.face[:, 1:2]
    turned = np.einsum("tij,tkj->tki", skeleton.head_rotations, local) + skeleton.head[:, None]
    points[:, [SIGN69.index(name) for name in names]] = turned
    return points


def _relative_depth(depth: np.ndarray, camera: Camera) -> np.ndarray:
    """Depth from the camera (T, 69), metres, to MediaPipe's z: relative, in x's scale."""
    width = camera.view * camera.aspect  # of the picture at the signer, metres
    z = np.empty_like(depth)
    for name in ("left_hand", "right_hand"):
        hand = SIGN69.groups[name]
        wrist = depth[:, hand.start : hand.start + 1]
        z[:, hand] = (depth[:, hand] - wrist) / width * (camera.distance / wrist)
    for name in ("body", "face"):
        group = SIGN69.groups[name]
        z[:, group] = (depth[:, group] - camera.distance + HIP_DEPTH) / width
    return z


def _visibility(xyz: np.ndarray) -> np.ndarray:
    """Confidence (T, 69) of true joints: 1; little outside the picture; 0 for a hand outside."""
    margin = 0.02
    inside = ((xyz[..., :2] > -margin) & (xyz[..., :2] < 1 + margin)).all(axis=-1)
    confidence = np.where(inside, 1.0, 0.1)
    for name in ("left_hand", "right_hand", "face"):
        group = SIGN69.groups[name]
        seen = inside[:, group].mean(axis=1, keepdims=True) > 0.6
        confidence[:, group] = np.where(seen, 1.0, 0.0)
    return confidence
