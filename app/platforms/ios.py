"""MediaPipe's holistic landmarker on iOS: its Objective-C library, called through pyobjus.

Not yet run on a phone. Classes and methods are those of MediaPipe's own headers
(mediapipe/tasks/ios/vision/holistic_landmarker/sources, the pod MediaPipeTasksVision).
"""

import struct
from pathlib import Path
from typing import Any

import numpy as np

from fingerpost.app.platforms.phone_landmarks import LISTS, PhoneLandmarker, Points
from fingerpost.edge_runtime.landmarker_bundle import landmarker_bundle

VIDEO = 1  # MPPRunningModeVideo
BMP_HEADERS = 54  # bytes: the file's and the picture's


class Landmarker(PhoneLandmarker):
    """bundle : the ``.task`` file; None for the one that came with the app"""

    def __init__(
        self, width: int, height: int, bundle: Path | None = None, mirrored: bool = False
    ) -> None:
        super().__init__(width, height, mirrored)
        autoclass = _autoclass()
        self._data = autoclass("NSData")
        self._pictures = autoclass("UIImage")
        self._images = autoclass("MPPImage")
        self._graph = _open_graph(autoclass, bundle or landmarker_bundle())

    def find(self, rgba: np.ndarray, time_ms: int) -> dict[str, Points]:
        file = as_bmp(rgba)
        picture = self._pictures.imageWithData_(self._data.dataWithBytes_length_(file, len(file)))
        image = self._images.alloc().initWithUIImage_error_(picture, None)
        result = self._graph.detectVideoFrame_timestampInMilliseconds_error_(image, time_ms, None)
        if result is None:
            raise ValueError("MediaPipe could not look at a picture; close the app and start again")
        return {group: _points(getattr(result, name)) for group, name in LISTS.items()}

    def close(self) -> None:
        self._graph = None


def as_bmp(rgba: np.ndarray) -> bytes:
    """A picture as a file of 32 bits a pixel, the simplest that UIImage reads.

    rgba : (H, W, 4) uint8. Rows of a BMP are blue, green, red, alpha; a height below 0 puts the
    top row first.
    """
    height, width = rgba.shape[:2]
    pixels = rgba[:, :, [2, 1, 0, 3]].tobytes()
    size = BMP_HEADERS + len(pixels)
    file = struct.pack("<2sIHHI", b"BM", size, 0, 0, BMP_HEADERS)
    picture = struct.pack("<IiiHHIIiiII", 40, width, -height, 1, 32, 0, len(pixels), 0, 0, 0, 0)
    return file + picture + pixels


def _points(landmarks: Any) -> Points:
    """Of an NSArray of MPPNormalizedLandmark. What has no visibility was found, or is absent."""
    found = []
    for i in range(landmarks.count()):
        point = landmarks.objectAtIndex_(i)
        sure = 1.0
        for part in (point.visibility, point.presence):  # NSNumber, or nil
            sure *= 1.0 if part is None else part.floatValue()
        found.append((point.x, point.y, point.z, sure))
    return found


def _open_graph(autoclass: Any, bundle: Path) -> Any:
    """In VIDEO mode: pictures in order of time, and an answer for each. ValueError where the
    bundle does not open."""
    if not bundle.is_file():
        raise FileNotFoundError(f"there is no landmarker bundle {bundle}")
    options = autoclass("MPPHolisticLandmarkerOptions").alloc().init()
    path = autoclass("NSString").stringWithUTF8String_(str(bundle))
    options.baseOptions.modelAssetPath = path
    options.runningMode = VIDEO
    graph = autoclass("MPPHolisticLandmarker").alloc().initWithOptions_error_(options, None)
    if graph is None:
        raise ValueError(f"{bundle} does not open as a holistic landmarker")
    return graph


def _autoclass() -> Any:
    try:
        from pyobjus import autoclass
    except ImportError as error:
        raise ValueError("this landmarker needs pyobjus, on iOS") from error
    return autoclass
