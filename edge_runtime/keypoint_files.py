"""Keypoint sequences in files: Fingerpost's own ``.npz``, and ``.pose`` of the pose-format library.

    sequence = load_keypoints("signing.npz")  # or signing.pose
    save_npz("copy.npz", sequence)

``.npz``, format version 1, is what NumPy's ``savez_compressed`` writes, without pickles: ``xyz``
(T, K, 3) and ``confidence`` (T, K) as float32 (float16 is read too; it would cost a third of a
pixel), and the scalars ``format_version, schema, fps, start_ms, aspect, extractor``. All of a
sequence survives. ``.pose`` has no place for ``start_ms`` and ``extractor``.
"""

import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import numpy as np

from fingerpost.edge_runtime.hand_confidence import HandsConfidence
from fingerpost.edge_runtime.keypoints import (
    HAND_EDGES,
    HANDS,
    MEDIAPIPE_HOLISTIC,
    KeypointFrame,
    PoseSequence,
    schema,
)

NPZ_VERSION = 1
NPZ_FIELDS = (
    *("format_version", "schema", "fps", "start_ms", "aspect", "extractor"),
    *("xyz", "confidence"),
)
POSE_VERSION = 0.2
POSE_HEIGHT = 1000  # pixels: .pose wants a picture size, a sequence knows only its aspect
FARTHEST = 100.0  # picture widths and heights; nobody is so far out of the picture
SHIFTED_Z = 5.0  # picture widths; a deeper mean means that the file's maker moved z with x and y

# What NumPy, zipfile and pose-format raise for a file with some bytes changed. RuntimeError: an
# encrypted or unknown zip; MemoryError, OverflowError: absurd sizes; OSError: places before the
# file's start; TokenError, SyntaxError: a torn header.
_DAMAGED = (
    *(ValueError, TypeError, LookupError, RuntimeError, OverflowError, MemoryError, EOFError),
    *(struct.error, zipfile.BadZipFile, zlib.error, OSError, tokenize.TokenError, SyntaxError),
)
_COMPONENTS = {  # of MediaPipe Holistic as pose-format calls them
    "POSE_LANDMARKS": "body",
    "FACE_LANDMARKS": "face",
    "LEFT_HAND_LANDMARKS": "left_hand",
    "RIGHT_HAND_LANDMARKS": "right_hand",
}


def load_keypoints(path: str | Path) -> PoseSequence:
    """Reads a .npz or .pose file. ValueError (FileNotFoundError) where it is not a good one."""
    path = Path(path)
    readers = {".npz": load_npz, ".pose": load_pose}
    if path.suffix.lower() not in readers:
        raise ValueError(f"{path} is not a keypoint file; known kinds: {', '.join(readers)}")
    return readers[path.suffix.lower()](path)


def save_npz(path: str | Path, sequence: PoseSequence) -> None:
    """Writes all of a sequence, of whatever schema; the file appears whole or not at all."""
    with _atomic(Path(path)) as file:
        np.savez_compressed(
            file,
            format_version=NPZ_VERSION,
            schema=sequence.schema.name,
            fps=sequence.fps,
            start_ms=sequence.start_ms,
            aspect=sequence.aspect,
            extractor=sequence.extractor,
            xyz=sequence.xyz.astype(np.float32),
            confidence=sequence.confidence.astype(np.float32),
        )


def load_npz(path: str | Path) -> PoseSequence:
    """Reads what ``save_npz`` wrote; ValueError where the file is another's, or damaged."""
    path = _existing(path)
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is not an .npz file, or was cut off")
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = sorted(set(NPZ_FIELDS) - set(archive.files))
            if missing:
                raise ValueError(
                    f"it has no {', '.join(missing)}; make it with `fingerpost landmarks`"
                )
            if not np.array_equal(archive["format_version"], NPZ_VERSION):
                raise ValueError(
                    f"it has format version {archive['format_version']}, this Fingerpost reads "
                    f"{NPZ_VERSION}"
                )
            fields = {name: np.asarray(archive[name]) for name in NPZ_FIELDS}
        return _checked_sequence(fields)
    except _DAMAGED as error:
        raise ValueError(f"{path} is not a keypoint file of Fingerpost: {error}") from error


def load_pose(path: str | Path) -> PoseSequence:
    """Reads a .pose file that holds MediaPipe Holistic keypoints, all 543 or some of them.

    Points are found by name: what the file lacks is "not seen". Of several people the one seen
    best is taken. Where the hands' confidences are only 0 and 1, ``HandsConfidence`` grades them.
    """
    path = _existing(path)
    pose_format = _import_pose_format()
    content = path.read_bytes()
    try:
        pose = pose_format.Pose.read(content)
    except _DAMAGED as error:
        raise ValueError(f"{path} is not a .pose file, or was cut off") from error
    width, height = pose.header.dimensions.width, pose.header.dimensions.height
    fps = float(pose.body.fps)
    if min(width, height) < 1 or not (0 < fps < 1000):
        raise ValueError(f"{path} tells no picture size and frame rate ({width}x{height}, {fps})")
    taken, points = _known_points(path, pose.header.components)
    xyz, confidence = _best_person(path, pose.body)  # (T, points of the file, 3), (T, points)
    everything = xyz[confidence > 0]
    xyz = xyz / np.array([width, height, 1], np.float32)  # z is a fraction of the width already
    if len(everything):
        if np.abs(everything[:, :2]).max() < 8:
            raise ValueError(
                f"{path} holds normalised keypoints, not places in a picture; give the file that "
                "they were made from"
            )
        depth = np.median(everything[:, 2])
        xyz[..., 2] -= depth if abs(depth) > SHIFTED_Z else 0
    frames = len(xyz)
    sequence = PoseSequence(
        np.zeros((frames, len(MEDIAPIPE_HOLISTIC), 3), np.float32),
        np.zeros((frames, len(MEDIAPIPE_HOLISTIC)), np.float32),
        fps,
        MEDIAPIPE_HOLISTIC,
        aspect=width / height,
        extractor=f"pose file {pose.header.version:.1f}",
    )
    sequence.confidence[:, points] = np.clip(confidence[:, taken], 0, 1)
    sequence.xyz[:, points] = xyz[:, taken]
    sequence.xyz[sequence.confidence == 0] = 0
    return _graded(sequence)


def save_pose(path: str | Path, sequence: PoseSequence) -> None:
    """Writes a sequence of MediaPipe's keypoints as a .pose file, whole or not at all."""
    if sequence.schema.name != MEDIAPIPE_HOLISTIC.name:
        raise ValueError(
            f"a .pose file is for {MEDIAPIPE_HOLISTIC.name} keypoints, not for "
            f"{sequence.schema.name}; save it as .npz"
        )
    pose_format = _import_pose_format()
    header, numpy_body = pose_format.pose_header, pose_format.numpy.NumPyPoseBody
    components: list[Any] = []
    order: list[int] = []
    for name, group in _COMPONENTS.items():
        span = MEDIAPIPE_HOLISTIC.groups[group]
        names = [_pose_name(group, point) for point in MEDIAPIPE_HOLISTIC.points[span]]
        limbs = list(HAND_EDGES) if "hand" in group else []
        components.append(header.PoseHeaderComponent(name, names, limbs, [(0, 0, 0)], "XYZC"))
        order += range(span.start, span.stop)
    width = round(sequence.aspect * POSE_HEIGHT)
    dimensions = header.PoseHeaderDimensions(width, POSE_HEIGHT)
    data = sequence.xyz[:, None, order] * np.array([width, POSE_HEIGHT, 1], np.float32)
    confidence = sequence.confidence[:, None, order]
    masked = np.ma.masked_array(data, np.broadcast_to(confidence[..., None] == 0, data.shape))
    body = numpy_body(sequence.fps, masked, confidence)
    pose = pose_format.Pose(header.PoseHeader(POSE_VERSION, dimensions, components), body)
    with _atomic(Path(path)) as file:
        pose.write(file)


def _checked_sequence(fields: dict[str, np.ndarray]) -> PoseSequence:
    """A sequence from the arrays of a file; ValueError says what no sequence can be."""
    for name in ("fps", "start_ms", "aspect", "schema", "extractor"):
        if fields[name].ndim:
            raise ValueError(f"{name} is not a single value")
    fps, aspect = float(fields["fps"]), float(fields["aspect"])
    if not (0 < fps < 1000 and 0 < aspect < 100):
        raise ValueError(f"fps {fps} and aspect {aspect} cannot be")
    for name in ("xyz", "confidence"):
        if (
            fields[name].dtype not in (np.float16, np.float32)
            or not np.isfinite(fields[name]).all()
        ):
            raise ValueError(f"{name} must be float32 without NaN or infinity")
    xyz, confidence = (fields[name].astype(np.float32) for name in ("xyz", "confidence"))
    if xyz.ndim != 3 or len(xyz) == 0:
        raise ValueError(f"expected xyz (T, K, 3) with T > 0, got {xyz.shape}")
    if np.abs(xyz).max(initial=0) > FARTHEST:
        raise ValueError("xyz must be fractions of the picture, not pixels")
    if confidence.size and not (0 <= confidence.min() and confidence.max() <= 1):
        raise ValueError("confidence must be between 0 and 1")
    return PoseSequence(
        xyz,
        confidence,
        fps,
        schema(str(fields["schema"])),
        int(fields["start_ms"]),
        aspect,
        str(fields["extractor"]),
    )


def _known_points(path: Path, components: list[Any]) -> tuple[list[int], list[int]]:
    """Which points of the file are which of MediaPipe's 543: their numbers here and there."""
    number = {point: k for k, point in enumerate(MEDIAPIPE_HOLISTIC.points)}
    taken, points, at = [], [], 0
    for component in components:
        group = _COMPONENTS.get(component.name)
        for k, name in enumerate(component.points):
            point = _our_name(group, name) if group else None
            if point in number:
                taken.append(at + k)
                points.append(number[point])
        at += len(component.points)
    shoulders = {number["left_shoulder"], number["right_shoulder"]}
    if not shoulders <= set(points):
        raise ValueError(
            f"{path} has no shoulders in MediaPipe Holistic's layout (it holds "
            f"{', '.join(c.name for c in components)}); extract it again with `fingerpost "
            "landmarks` or `video_to_pose --format mediapipe`"
        )
    return taken, points


def _best_person(path: Path, body: Any) -> tuple[np.ndarray, np.ndarray]:
    """xyz (T, N, 3) and confidence (T, N) of the person with most confidence; unseen is 0."""
    confidence = np.asarray(body.confidence, np.float32)  # (T, P, N)
    if 0 in confidence.shape:
        raise ValueError(f"{path} holds no frame with a person")
    xyz = np.ma.filled(body.data, 0).astype(np.float32)  # (T, P, N, 2 or 3)
    person = int(np.nan_to_num(confidence).sum(axis=(0, 2)).argmax())
    xyz, confidence = xyz[:, person], confidence[:, person]
    if xyz.shape[-1] == 2:
        xyz = np.concatenate([xyz, np.zeros_like(xyz[..., :1])], axis=-1)
    good = np.isfinite(xyz).all(axis=-1) & np.isfinite(confidence) & (confidence > 0)
    return np.where(good[..., None], xyz, 0), np.where(good, confidence, 0)


def _graded(sequence: PoseSequence) -> PoseSequence:
    """With confidences for the hands, where the file only tells seen from not seen."""
    confidence = sequence.confidence.copy()
    groups = sequence.schema.groups
    hands = np.concatenate([confidence[:, groups[h]] for h in HANDS], axis=1)
    if not np.isin(hands, (0, 1)).all():
        return sequence
    grader = HandsConfidence(sequence.aspect)
    for t, frame in enumerate(sequence.frames()):
        grader.push(KeypointFrame(frame.time_ms, frame.xyz, confidence[t]))
    return replace(sequence, confidence=confidence)


def _our_name(group: str, name: str) -> str:
    """pose-format's name of a point of a group as ours: LEFT_EYE is left_eye_middle."""
    if group == "face":
        return f"mesh_{name}"
    word = name.lower()
    if group == "body":
        return f"{word}_middle" if word in ("left_eye", "right_eye") else word
    return f"{group}_{word.replace('_finger_', '_')}"


def _pose_name(group: str, point: str) -> str:
    """The inverse of ``_our_name``."""
    if group == "face":
        return point.removeprefix("mesh_")
    if group == "body":
        return point.removesuffix("_middle").upper()
    finger, _, joint = point.removeprefix(f"{group}_").partition("_")
    has_finger = finger in ("index", "middle", "ring")
    return "_".join([finger, *["finger"] * has_finger, *[joint] * bool(joint)]).upper()


def _import_pose_format() -> ModuleType:
    try:
        import pose_format
        import pose_format.numpy
        import pose_format.pose_header
    except ModuleNotFoundError as error:
        raise ValueError(
            f".pose files need pose-format ({error.name} is not installed): "
            'pip install "fingerpost[app]"'
        ) from error
    return pose_format


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    path.open("rb").close()  # PermissionError: zipfile would take it for a file of another kind
    return path


@contextmanager
def _atomic(path: Path) -> Iterator[BinaryIO]:
    """A file to write into that takes its name only once it is complete."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} into")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file
        os.replace(part, path)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
