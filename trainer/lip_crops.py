"""Grey crops of a signer's lips, and what a frozen lip reader makes of them.

"Lost in Translation, Found in Embeddings: Sign Language Translation and Alignment", Sec. 3.1 (lip
backbone), with the crops of "Auto-AVSR" (Ma et al., 2023): 96 x 96 pixels, the face turned and
scaled so that eyes and mouth are where they are on a mean face, landmarks averaged over 12 frames.

For the signer's privacy no crop is ever written: they are made picture by picture, and what is
kept are 768 numbers a frame, from which no face can be drawn.

What differs: three places are aligned, both eyes and the mouth, for the keypoints hold no tip of
the nose; and the mean face is two numbers, ours: the eyes are 80 pixels apart, the mouth 80 below.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.trainer.models.found_lips import LipReader

SIDE = 96  # pixels of a crop
SMOOTHED = 12  # frames that landmarks are averaged over
CHUNK = 100  # frames that the lip reader looks at together
REACH = 2  # frames that its 3-D convolution looks back, and ahead
GREY = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green and blue
_EYES_APART, _MOUTH_BELOW = 80, 80  # pixels of a crop
_PLACES = (  # of the face mesh, and where in a crop their middle shall be: x + i y
    (("mesh_33", "mesh_133"), SIDE / 2 - _EYES_APART / 2 + 1j * (SIDE / 2 - _MOUTH_BELOW)),
    (("mesh_362", "mesh_263"), SIDE / 2 + _EYES_APART / 2 + 1j * (SIDE / 2 - _MOUTH_BELOW)),
    (("mesh_61", "mesh_291"), SIDE / 2 + 1j * SIDE / 2),
)


def lip_crops(pictures: Iterable[np.ndarray], sequence: PoseSequence) -> Iterator[np.ndarray]:
    """A crop (96, 96), uint8, of each picture; black where no face is seen.

    pictures : (H, W, 3) uint8, RGB, one for each frame of the sequence
    sequence : with the contours of the face: mediapipe_holistic or found203

    ValueError where there are fewer or more pictures than frames.
    """
    places = _smoothed(_face_places(sequence))  # (T, 3), fractions of the picture
    number = -1
    for number, picture in enumerate(pictures):
        if number >= len(places):
            raise ValueError(f"there are more pictures than the {len(places)} frames of keypoints")
        here = places[number]
        if np.isnan(here).any():
            yield np.zeros((SIDE, SIDE), np.uint8)
            continue
        height, width = picture.shape[:2]
        yield _cut(picture @ GREY, here.real * width + 1j * here.imag * height)
    if number + 1 < len(places):
        raise ValueError(
            f"there are {number + 1} pictures for {len(places)} frames of keypoints; extract the "
            "keypoints of this very video"
        )


def lip_features(
    pictures: Iterable[np.ndarray], sequence: PoseSequence, reader: LipReader
) -> np.ndarray:
    """What the lip reader makes of each picture, (T, 768) float16. As for ``lip_crops``.

    Read ``CHUNK`` frames at a time, with those that the convolution needs around them: the numbers
    are those of the whole clip at once.
    """
    rows: list[np.ndarray] = []
    kept = np.zeros((0, SIDE, SIDE), np.uint8)  # crops whose features are still to come, and before
    first = 0  # of kept, how many are only looked back at
    for crop in chain(lip_crops(pictures, sequence), [None]):
        if crop is not None:
            kept = np.concatenate([kept, crop[None]])
        end = len(kept) - (REACH if crop is not None else 0)
        if end - first >= CHUNK or (crop is None and end > first):
            rows.append(_read(kept, reader)[first:end])
            drop = max(0, end - REACH)
            kept, first = kept[drop:], end - drop
    if not rows:
        raise ValueError("a clip without pictures has no lips; leave it out")
    return np.concatenate(rows)


def write_lip_features(folder: Path, clip_id: str, features: np.ndarray) -> Path:
    """<clip id>.npy, whole or not at all: what ``settings.lips`` of the tasks found reads."""
    if Path(clip_id).name != clip_id or clip_id in ("", ".", ".."):
        raise ValueError(f"a clip of id {clip_id!r} cannot be a file's name; rename it")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{clip_id}.npy"
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as file:
        np.save(file, features.astype(np.float16), allow_pickle=False)
    return partial.replace(path)


def _read(crops: np.ndarray, reader: LipReader) -> np.ndarray:
    features: Tensor = reader(torch.from_numpy(crops)[None])[0]
    return features.numpy().astype(np.float16)


def _face_places(sequence: PoseSequence) -> np.ndarray:
    """Right eye, left eye and mouth of each frame as x + i y, (T, 3); NaN where not seen."""
    places = np.full((len(sequence), len(_PLACES)), np.nan, complex)
    for column, (points, _) in enumerate(_PLACES):
        numbers = [sequence.schema.index(point) for point in points]
        seen = (sequence.confidence[:, numbers] > 0).all(axis=1)
        middle = sequence.xyz[:, numbers].mean(axis=1)
        places[seen, column] = middle[seen, 0] + 1j * middle[seen, 1]
    return places


def _smoothed(places: np.ndarray) -> np.ndarray:
    """The mean over ``SMOOTHED`` frames around each, of those in which the whole face is seen."""
    smoothed = np.full_like(places, np.nan)
    there = ~np.isnan(places).any(axis=1)
    for t in np.flatnonzero(there):
        around = slice(max(0, t - SMOOTHED // 2), t + SMOOTHED // 2)
        smoothed[t] = places[around][there[around]].mean(axis=0)
    return smoothed


def _cut(grey: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The crop in which places (3,), pixels, are where a mean face has them, as well as can be.

    With a turn and scale a and a shift b, sum |a p + b - q|^2 is least for the a below; a pixel of
    the crop is then looked up in the picture, between its four pixels.
    """
    wanted = np.array([place for _, place in _PLACES])
    from_middle = places - places.mean()
    size = (np.abs(from_middle) ** 2).sum()
    if size < 1:  # pixels: no face
        return np.zeros((SIDE, SIDE), np.uint8)
    turn = (from_middle.conj() * (wanted - wanted.mean())).sum() / size
    y, x = np.mgrid[:SIDE, :SIDE]
    at = (x + 1j * y - wanted.mean()) / turn + places.mean()
    left, top = np.floor(at.real).astype(int), np.floor(at.imag).astype(int)
    across, down = at.real - left, at.imag - top
    height, width = grey.shape
    value = np.zeros((SIDE, SIDE))
    for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
        row, column = top + dy, left + dx
        inside = (0 <= row) & (row < height) & (0 <= column) & (column < width)
        weight = np.abs(1 - dy - down) * np.abs(1 - dx - across)
        pixel = grey[row.clip(0, height - 1), column.clip(0, width - 1)]
        value += weight * np.where(inside, pixel, 0)
    return value.round().clip(0, 255).astype(np.uint8)
