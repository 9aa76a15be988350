"""Draws the skeleton into a picture, and captions on a band under it.

The band is below the picture, so a caption never covers a hand or the face. OpenCV 5 brings its
own typeface (Rubik, with accents, Cyrillic and more), so no font file is needed.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from fingerpost.app.caption_board import N_LINES, ShownLine
from fingerpost.edge_runtime.keypoints import FOUND203, HANDS, KeypointFrame, KeypointSchema
from fingerpost.edge_runtime.video import import_cv2

# RGB
BAND = (18, 20, 24)
FINAL_TEXT = (245, 245, 245)
PARTIAL_TEXT = (150, 155, 165)
NOTE_TEXT = (110, 115, 125)
GROUP_COLOURS = {
    "body": (225, 228, 235),
    "left_hand": (255, 178, 62),  # amber: the signer's left
    "right_hand": (70, 200, 255),  # blue: the signer's right
    "face": (190, 195, 205),
}
NOTE = "Captions can be wrong"
SEEN_FROM = 0.3  # confidence below which a keypoint is not drawn
TEXT_WEIGHT = 500  # of the variable typeface; 400 is regular, 700 bold


class Overlay:
    """Draws frames of one size: ``draw`` returns the picture with the band under it.

    width, height : of the pictures, in pixels
    size : width and height of what ``draw`` returns; both even, as video encoders want it
    """

    def __init__(self, width: int, height: int, schema: KeypointSchema) -> None:
        self.schema = schema
        self.picture_size = (width, height)
        self.text_px = max(12, min(round(width / 22), round(height / 12)))
        self.line_px = round(self.text_px * 1.45)
        self.note_px = max(9, round(self.text_px * 0.5))
        band_px = N_LINES * self.line_px + 2 * self.note_px + self.line_px // 2
        self.size = (width + width % 2, height + band_px + (height + band_px) % 2)

    def draw(
        self, rgb: np.ndarray | None, keypoints: KeypointFrame, lines: Sequence[ShownLine]
    ) -> np.ndarray:
        """A new picture, shape (size[1], size[0], 3) uint8.

        rgb : (H, W, 3) uint8; None draws on an empty picture, for keypoint files
        """
        width, height = self.picture_size
        canvas = np.full((self.size[1], self.size[0], 3), BAND, np.uint8)
        if rgb is not None:
            canvas[:height, :width] = rgb
        draw_skeleton(canvas[:height, :width], keypoints, self.schema)
        canvas[height] = PARTIAL_TEXT  # a hair line between picture and band
        self._draw_captions(canvas, lines)
        return canvas

    def _draw_captions(self, canvas: np.ndarray, lines: Sequence[ShownLine]) -> None:
        left = self.text_px // 2
        width = canvas.shape[1] - 2 * left
        rows = []
        for line in lines:
            text = f"{line.text} – unsure" if line.unsure and not line.partial else line.text
            colour = PARTIAL_TEXT if line.partial else FINAL_TEXT
            rows += [(row, colour) for row in wrap(text, width, self._text_width)]
        baseline = self.picture_size[1] + self.line_px
        for row, colour in rows[-N_LINES:]:
            _put_text(canvas, row, (left, baseline), self.text_px, colour)
            baseline += self.line_px
        _put_text(canvas, NOTE, (left, canvas.shape[0] - self.note_px), self.note_px, NOTE_TEXT)

    def _text_width(self, text: str) -> int:
        cv2 = import_cv2()
        box = cv2.getTextSize((0, 0), text, (0, 0), _font(), self.text_px, TEXT_WEIGHT)
        return box[0] + box[2]


def draw_skeleton(rgb: np.ndarray, keypoints: KeypointFrame, schema: KeypointSchema) -> None:
    """Draws body and hands as sticks and the face's contours as dots, into the picture itself.

    rgb : shape (H, W, 3) uint8, changed in place
    """
    cv2 = import_cv2()
    height, width = rgb.shape[:2]
    thickness = max(1, round(min(height, width) / 240))
    seen = keypoints.confidence >= SEEN_FROM
    # Fixed point with 4 fractional bits; far outside the picture OpenCV's integers would wrap.
    xy = np.clip(keypoints.xyz[:, :2], -2, 3) * (width, height)
    points = np.round(xy * 16).astype(np.int32)
    canvas = np.ascontiguousarray(rgb)
    colours = _colours(schema.name, schema)
    for a, b in schema.edges:
        if seen[a] and seen[b]:
            stroke = thickness + (colours[b] == GROUP_COLOURS["body"])
            cv2.line(canvas, points[a], points[b], colours[b], stroke, cv2.LINE_AA, 4)
    dots = [k for k in _face_dots(schema.name, schema) if seen[k]]
    if dots:  # a small face gets small dots: its mouth and eyes must still be seen
        face_width = int(np.ptp(points[dots, 0]))
        radius = min(max(face_width // 140, 5), 14 * thickness)
        for k in dots:
            cv2.circle(canvas, points[k], radius, GROUP_COLOURS["face"], -1, cv2.LINE_AA, 4)
    for hand in HANDS:
        for k in range(*schema.groups[hand].indices(len(schema))):
            if seen[k]:
                cv2.circle(canvas, points[k], 20 * thickness, colours[k], -1, cv2.LINE_AA, 4)
    if canvas is not rgb:
        rgb[:] = canvas


def wrap(text: str, width: int, measure: Callable[[str], int]) -> list[str]:
    """Breaks a text into rows no wider than ``width``, between words where that is possible.

    measure : how wide a text is, in the unit of ``width``
    """
    rows = [""]
    for word in text.split():
        joined = f"{rows[-1]} {word}".strip()
        if measure(joined) <= width:
            rows[-1] = joined
            continue
        if rows[-1]:
            rows.append("")
        for character in word:  # one by one, for the word that is wider than a whole row
            if rows[-1] and measure(rows[-1] + character) > width:
                rows.append("")
            rows[-1] += character
    return [row for row in rows if row]


@cache
def _font() -> Any:
    return import_cv2().FontFace("sans")


def _put_text(
    canvas: np.ndarray, text: str, origin: tuple[int, int], size_px: int, colour: tuple
) -> None:
    cv2 = import_cv2()
    cv2.putText(canvas, text, origin, colour, _font(), size_px, TEXT_WEIGHT)


def _colours(name: str, schema: KeypointSchema) -> list[tuple[int, int, int]]:
    if name not in _COLOURS:
        of_point = [GROUP_COLOURS["body"]] * len(schema)
        for group, span in schema.groups.items():
            of_point[span] = [GROUP_COLOURS[group]] * len(of_point[span])
        _COLOURS[name] = of_point
    return _COLOURS[name]


def _face_dots(name: str, schema: KeypointSchema) -> list[int]:
    """The face's points that are drawn: contours of the mesh, or all points of a small face."""
    if name not in _FACE_DOTS:
        face = range(*schema.groups["face"].indices(len(schema)))
        contours = set(FOUND203.points)
        few = len(face) < 150
        _FACE_DOTS[name] = [k for k in face if few or schema.points[k] in contours]
    return _FACE_DOTS[name]


_COLOURS: dict[str, list[tuple[int, int, int]]] = {}
_FACE_DOTS: dict[str, list[int]] = {}
