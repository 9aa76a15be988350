"""Small sets of real signs with body and both hands, stored as (clips, frames, numbers).

Each frame is body points (x, y, z, visibility), then 21 x 3 of the left hand and 21 x 3 of the
right one; zeros = not seen. Used for what hand landmarks alone lack: signs with a body.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fingerpost.edge_runtime.keypoints import (
    BLAZE_BODY_POINTS,
    HANDS,
    N_HAND,
    SIGN69,
    PoseSequence,
)

WLASL50 = "wlasl50_holistic_trainval_f16.npz"
HAND_NUMBERS = N_HAND * 3
NO_SIGN = "none"  # what webcam set a calls clips of idle hands; in WLASL it is the sign NONE


@dataclass(frozen=True)
class HolisticClips:
    """sequences : N, view sign69, face not seen; label : N glosses; split : N, "" where unknown.

    id : N, unique in its file; signer : N, "" where the file is of one person
    """

    sequences: list[PoseSequence]
    label: tuple[str, ...]
    split: tuple[str, ...]
    id: tuple[str, ...]
    signer: tuple[str, ...]


def read_wlasl50(path: Path) -> HolisticClips:
    """377 clips of WLASL, 50 glosses, 11 body points, 30 frames spread over each clip.

    The clips are WLASL's own: their split is that of the hand landmarks. An id is WLASL's number of
    the video and, for some are here twice, the number of the clip among those of its gloss.
    """
    data = _load(path)
    sequences = _sequences(data["X"], data["pose_idx"], fps=15, aspect=4 / 3)
    numbers = zip(data["wlasl_video_id"], data["seq"], strict=True)
    return HolisticClips(
        sequences,
        _strings(data["label"]),
        _strings(data["wlasl_split"]),
        tuple(f"{video}.{number}" for video, number in numbers),
        _strings(data["signer"]),
    )


def read_webcam(path: Path) -> HolisticClips:
    """One person before one webcam: 30 frames a clip, 33 body points."""
    data = _load(path)
    body = np.arange(len(BLAZE_BODY_POINTS))
    sequences = _sequences(data["X"], body, fps=15, aspect=4 / 3)
    ids = tuple(f"{number:04d}" for number in range(len(sequences)))
    nobody = ("",) * len(sequences)
    return HolisticClips(sequences, _strings(data["label"]), nobody, ids, nobody)


def _load(path: Path) -> np.lib.npyio.NpzFile:
    if not path.is_file():
        raise FileNotFoundError(f"no keypoints at {path}: give the set's .npz file")
    return np.load(path)


def _strings(array: np.ndarray) -> tuple[str, ...]:
    return tuple(str(item) for item in array)


def _sequences(
    clips: np.ndarray, body: np.ndarray, fps: float, aspect: float
) -> list[PoseSequence]:
    """clips (N, T, 4 P + 126) whose P body points have MediaPipe's numbers ``body``."""
    n, t, _ = clips.shape
    clips = clips.astype(np.float32)
    split = 4 * len(body)
    pose = clips[..., :split].reshape(n, t, len(body), 4)
    xyz = np.zeros((n, t, len(SIGN69), 3), np.float32)
    confidence = np.zeros((n, t, len(SIGN69)), np.float32)
    for column, number in enumerate(body):
        name = BLAZE_BODY_POINTS[number]
        if name in SIGN69.points:
            point = SIGN69.index(name)
            xyz[:, :, point] = pose[:, :, column, :3]
            seen = np.abs(pose[:, :, column, :3]).sum(axis=-1) > 0
            confidence[:, :, point] = np.where(seen, np.clip(pose[..., column, 3], 0.05, 1), 0)
    for i, hand in enumerate(HANDS):
        numbers = clips[..., split + i * HAND_NUMBERS : split + (i + 1) * HAND_NUMBERS]
        points = numbers.reshape(n, t, N_HAND, 3)
        xyz[:, :, SIGN69.groups[hand]] = points
        seen = np.abs(points).sum(axis=(2, 3)) > 0
        confidence[:, :, SIGN69.groups[hand]] = seen[..., None]
    xyz *= (confidence > 0)[..., None]
    extractor = "mediapipe holistic (legacy)"
    return [
        PoseSequence(xyz[i], confidence[i], fps, SIGN69, aspect=aspect, extractor=extractor)
        for i in range(n)
    ]
