"""Where the signer is in a long video: one box for all of it.

News shows the interpreter in a corner, beside people who talk and do not sign. A landmarker finds
one person in a picture, so it looks at parts of the picture too, at some moments; the signer is
who moves the hands most, in shoulder widths. "Uni-Sign", Sec. 3.1, crops by coordinates that people
wrote down for each programme; ``parse_box`` takes those.

A box holds the whole signing space: all that was seen of the upper body and the hands, and as much
room as arms need. It stays the same through the video, so that movement stays movement.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fingerpost.edge_runtime.keypoints import MEDIAPIPE_HOLISTIC, KeypointFrame
from fingerpost.edge_runtime.landmarks import Landmarker
from fingerpost.edge_runtime.video import SMALLEST_SIDE, Video, open_video

N_MOMENTS = 16
WINDOWS = (  # parts of the picture to look at: left, top, width, height
    (0.0, 0.0, 1.0, 1.0),
    (0.0, 0.0, 0.5, 1.0),
    (0.5, 0.0, 0.5, 1.0),
    *((x, y, 0.5, 0.5) for y in (0.0, 0.5) for x in (0.0, 0.5)),
)
CLEARLY_MORE = 1.5  # times the movement, for a part to be preferred to the whole picture
LEAST_SEEN = 0.25  # of the moments
LEAST_MOVEMENT = 0.02  # shoulder widths; less than that is the noise of hands that lie still
SEEN = 0.5  # confidence of a keypoint that counts
REACH = 1.3  # shoulder widths from the middle of the shoulders to each side
MARGIN = 0.25  # shoulder widths around all keypoints: sleeves, and what no moment showed
HAIR = 0.35  # of the face's height, above its topmost point

_GROUPS = MEDIAPIPE_HOLISTIC.groups
_SHOULDERS = [MEDIAPIPE_HOLISTIC.index(f"{side}_shoulder") for side in ("left", "right")]
_WRISTS = [MEDIAPIPE_HOLISTIC.index(f"{side}_wrist") for side in ("left", "right")]
_UPPER_BODY = range(MEDIAPIPE_HOLISTIC.index("right_hip") + 1)  # what comes after are legs


@dataclass(frozen=True)
class Box:
    """A part of a picture, in whole pixels; even, because video codecs want it."""

    x: int
    y: int
    width: int
    height: int

    def of(self, rgb: np.ndarray) -> np.ndarray:
        """That part of a (H, W, 3) picture."""
        return rgb[self.y : self.y + self.height, self.x : self.x + self.width]


def parse_box(text: str, width: int, height: int) -> Box:
    """``x,y,w,h`` in pixels, or all four as fractions of the picture where none is above 1."""
    parts = text.split(",")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) != 4 or not np.isfinite(numbers).all():
        raise ValueError(f"crop {text!r} is not x,y,w,h, such as 960,480,320,240 or .75,.6,.25,.4")
    if max(numbers) <= 1:
        numbers = [n * side for n, side in zip(numbers, (width, height) * 2, strict=True)]
    x, y, w, h = numbers
    if min(x, y) < 0 or x + w > width + 0.5 or y + h > height + 0.5:
        raise ValueError(f"crop {text} is not inside the picture of {width}x{height} pixels")
    return _even_box(x, y, x + w, y + h, width, height)


def whole_picture(width: int, height: int) -> Box:
    return _even_box(0, 0, width, height, width, height)


def find_signer(
    video: Path,
    times_ms: Sequence[float],
    make_landmarker: Callable[[int, int], Any] = Landmarker,
) -> Box:
    """The box of whoever signs. ValueError where nobody does.

    times_ms : when to look; captions are signed while they are said, so the middles of captions
    make_landmarker : called with the width and height of the pictures that it will see
    """
    with open_video(video) as opened:
        width, height = opened.info.width, opened.info.height
        pictures = _pictures(opened, times_ms)
    best, most = None, 0.0
    for window in WINDOWS:
        x, y, w, h = (round(n * side) for n, side in zip(window, (width, height) * 2, strict=True))
        with make_landmarker(w, h) as landmarker:
            # A second apart, so that nothing is tracked over the cut between two moments.
            parts = (rgb[y : y + h, x : x + w] for rgb in pictures)
            frames = [landmarker.detect(part, 1000 * i) for i, part in enumerate(parts)]
        points = _Points(frames, np.array([x, y, w, h]))
        if points.movement > most * (CLEARLY_MORE if best else 1.0):
            best, most = points, points.movement
    if best is None or most < LEAST_MOVEMENT:
        raise ValueError(
            f"nobody who signs was found in {len(pictures)} pictures of {video}; "
            "say where the signer is with --crop x,y,w,h, or keep all with --no-crop"
        )
    return _even_box(*best.bounds(), width, height)


class _Points:
    """The keypoints of N moments in pixels of the whole picture; unseen ones are NaN.

    window : left, top, width, height of the part that the frames are of, in pixels
    """

    def __init__(self, frames: Sequence[KeypointFrame], window: np.ndarray) -> None:
        self._xy = np.array([f.xyz[:, :2] for f in frames]) * window[2:] + window[:2]  # (N, K, 2)
        confidence = np.array([f.confidence for f in frames])  # (N, K)
        hands = confidence[:, _GROUPS["left_hand"].start : _GROUPS["right_hand"].stop] > 0
        body = _GROUPS["body"]
        unseen = confidence == 0
        unseen[:, body] = confidence[:, body] < SEEN
        unseen[:, body.start + len(_UPPER_BODY) : body.stop] = True
        inside = (self._xy >= window[:2]) & (self._xy <= window[:2] + window[2:])
        self._xy[unseen | ~inside.all(axis=2)] = np.nan
        shoulders = self._xy[:, _SHOULDERS]  # (N, 2, 2)
        whole = np.isfinite(shoulders).all(axis=(1, 2))
        self.seen = float((whole & hands.any(axis=1)).mean()) if frames else 0.0
        self._xy = self._xy[whole]
        self._middle = shoulders[whole].mean(axis=1)  # (n, 2)
        widths = np.linalg.norm(shoulders[whole, 0] - shoulders[whole, 1], axis=-1)
        self._shoulder_width = float(np.median(widths)) if whole.any() else 0.0

    @property
    def movement(self) -> float:
        """How far the wrists stray from their mean place, in shoulder widths, as often as seen."""
        if self.seen < LEAST_SEEN or self._shoulder_width == 0:
            return 0.0
        wrists = self._xy[:, _WRISTS] - self._middle[:, None]  # (n, 2, 2)
        strays = [np.sqrt(_variance(wrists[:, side]).sum()) for side in (0, 1)]
        return self.seen * float(sum(strays)) / self._shoulder_width

    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the signing space, in pixels."""
        unit = self._shoulder_width
        face = self._xy[:, _GROUPS["face"], 1]
        seen_faces = face[np.isfinite(face).all(axis=1)]
        hair = HAIR * float(np.median(np.ptp(seen_faces, axis=1))) if len(seen_faces) else unit / 2
        left, top = np.nanmin(self._xy, axis=(0, 1)) - MARGIN * unit
        right, bottom = np.nanmax(self._xy, axis=(0, 1)) + MARGIN * unit
        middle = float(np.median(self._middle[:, 0]))
        left, right = min(left, middle - REACH * unit), max(right, middle + REACH * unit)
        return float(left), float(top - hair), float(right), float(bottom)


def _variance(places: np.ndarray) -> np.ndarray:
    """(n, 2) of which some are NaN to (2,); 0 where fewer than two are left."""
    places = places[np.isfinite(places).all(axis=1)]
    return places.var(axis=0) if len(places) > 1 else np.zeros(2)


def _pictures(video: Video, times_ms: Sequence[float]) -> list[np.ndarray]:
    pictures = [rgb for time in times_ms if (rgb := video.at(time)) is not None]
    if not pictures:
        raise ValueError(f"{video.name} has no picture at the times of its captions")
    return pictures


def _even_box(left: float, top: float, right: float, bottom: float, width: int, height: int) -> Box:
    """The smallest even box around these pixels, inside a picture of width x height."""
    left, top, right, bottom = (round(side, 2) for side in (left, top, right, bottom))  # 29.9999
    x, y = (max(0, int(np.floor(side))) // 2 * 2 for side in (left, top))
    w = min(width // 2 * 2 - x, int(np.ceil((right - x) / 2)) * 2)
    h = min(height // 2 * 2 - y, int(np.ceil((bottom - y) / 2)) * 2)
    if min(w, h) < SMALLEST_SIDE:
        raise ValueError(
            f"the signer would be {w}x{h} pixels: no hand can be made out in less than "
            f"{SMALLEST_SIDE}x{SMALLEST_SIDE}; take a larger picture of this video"
        )
    return Box(x, y, w, h)
