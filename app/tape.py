"""What is kept of a take while it is recorded: keypoints, and pictures where they are wanted.

All of it is in memory. A picture is on the tape as a JPEG: a minute of them as they come would be
more than a gigabyte, and a file that a crash leaves behind would have a face in it.
"""

from dataclasses import replace

import numpy as np

from fingerpost.app.observer import Sight

MOST_ON_TAPE = 1800  # sights: a minute at 30 a second; a recording that nobody ends is no leak
LONGEST_SIDE = 960  # pixels of a picture; the landmarker itself looks at 640
JPEG_QUALITY = 92  # of 100
NO_PICTURES = "this source gives no pictures; record keypoints alone"


class Tape:
    """with_pictures : a picture is kept with each sight that has one"""

    def __init__(self, with_pictures: bool = False) -> None:
        self.with_pictures = with_pictures
        # A pair at once: the worker may still add one while a window looks.
        self._kept: list[tuple[Sight, bytes | None]] = []

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def sights(self) -> tuple[Sight, ...]:
        """In order of time, without their pictures."""
        return tuple(sight for sight, _ in self._kept)

    @property
    def has_pictures(self) -> bool:
        """Whether there is anything, and every sight has its picture."""
        return bool(self._kept) and all(picture is not None for _, picture in self._kept)

    def push(self, sight: Sight) -> None:
        """Keeps a sight, where there is still room."""
        if len(self) < MOST_ON_TAPE:
            rgb = sight.rgb if self.with_pictures else None
            picture = None if rgb is None else _packed(rgb)
            self._kept.append((replace(sight, rgb=None), picture))

    def picture(self, number: int) -> np.ndarray:
        """The picture of a sight, (H, W, 3) uint8. ValueError where it has none."""
        packed_picture = self._kept[number][1]
        if packed_picture is None:
            raise ValueError(NO_PICTURES)
        from fingerpost.edge_runtime.video import import_cv2

        cv2 = import_cv2()
        packed = np.frombuffer(packed_picture, np.uint8)
        return np.asarray(cv2.cvtColor(cv2.imdecode(packed, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))


def _packed(rgb: np.ndarray) -> bytes:
    """A picture, (H, W, 3) uint8, as a JPEG no larger than ``LONGEST_SIDE``."""
    from fingerpost.edge_runtime.video import import_cv2

    cv2 = import_cv2()
    scale = LONGEST_SIDE / max(rgb.shape[:2])
    if scale < 1:
        size = round(rgb.shape[1] * scale), round(rgb.shape[0] * scale)
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    done, packed = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise ValueError(f"a picture of {rgb.shape[1]}x{rgb.shape[0]} pixels could not be kept")
    return bytes(packed)
