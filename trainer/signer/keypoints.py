"""From movement to the keypoints of view sign69, without a picture: thousands of frames a second.

The joints are put where MediaPipe puts them: z is in x's scale and smaller when nearer; a hand's is
relative to its wrist, a face's to its middle, the body's to the hips. MediaPipe halves the depth of
hands and stretches that of arms (fit.py measured both). A hand outside the picture is not seen; a
joint outside it has little confidence.
"""

import numpy as np

from fingerpost.edge_runtime.keypoints import HANDS, SIGN69, PoseSequence
from fingerpost.trainer.signer.body import CHIN, HEAD_POINTS, LOWER_LIP, SHOULDER_POINT
from fingerpost.trainer.signer.detector import observe
from fingerpost.trainer.signer.motion import Motion, Skeleton
from fingerpost.trainer.signer.variation import Camera

EXTRACTOR = "fingerpost signer 1"
OUTSIDE = 0.3  # confidence of a joint that is outside the picture
HAND_DEPTH = 0.5  # MediaPipe's z of a hand, times the true one
BODY_DEPTH = {  # z of the body, in shoulder widths: (slope, constant) on the true one
    "nose": (1.2, -2.04), "ear": (1.1, -1.05), "shoulder": (1.0, -0.58), "elbow": (1.8, -0.80),
    "wrist": (2.7, -1.20),
}  # fmt: skip


def project_keypoints(
    motion: Motion, fps: float, camera: Camera, noise: np.random.Generator | None = None
) -> PoseSequence:
    """The keypoints that a landmarker would give of the motion, (T, 69), T = duration * fps."""
    frames = max(int(motion.duration_ms * fps / 1000), 1)
    skeleton = motion.skeleton(np.arange(frames) * 1000 / fps)
    points = world_points(skeleton, motion.signer.body.head)  # (T, 69, 3)
    xyz = camera.project(points)
    xyz[..., 2] = _relative_depth(xyz[..., 2], camera, 2 * motion.signer.body.shoulder)
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
        inwards = np.array(SHOULDER_POINT) * ([-1, 1, 1] if name == "left" else [1, 1, 1])
        points[:, SIGN69.index(f"{name}_shoulder")] = skeleton.shoulders[:, side] + inwards
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


def _relative_depth(depth: np.ndarray, camera: Camera, shoulders: float) -> np.ndarray:
    """Depth from the camera (T, 69), metres, to MediaPipe's z. shoulders : their width, metres."""
    width = camera.view * camera.aspect  # of the picture at the signer, metres
    z = np.empty_like(depth)
    for name in HANDS:
        hand = SIGN69.groups[name]
        wrist = depth[:, hand.start : hand.start + 1]
        z[:, hand] = HAND_DEPTH * (depth[:, hand] - wrist) / width * (camera.distance / wrist)
    face = SIGN69.groups["face"]
    z[:, face] = (depth[:, face] - depth[:, face].mean(axis=1, keepdims=True)) / width
    for k, point in enumerate(SIGN69.points[SIGN69.groups["body"]]):
        slope, constant = BODY_DEPTH[point.split("_")[-1]]
        z[:, k] = (slope * (depth[:, k] - camera.distance) + constant * shoulders) / width
    return z


def _visibility(xyz: np.ndarray) -> np.ndarray:
    """Confidence (T, 69) of true joints: 1; little outside the picture; 0 for a hand outside."""
    margin = 0.02
    inside = np.all((xyz[..., :2] > -margin) & (xyz[..., :2] < 1 + margin), axis=-1)
    confidence = np.where(inside, 1.0, OUTSIDE)
    for name in ("left_hand", "right_hand", "face"):
        group = SIGN69.groups[name]
        seen = inside[:, group].mean(axis=1, keepdims=True) > 0.6
        confidence[:, group] = np.where(seen, 1.0, 0.0)
    return confidence
