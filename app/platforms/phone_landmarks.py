"""What the landmarkers of phones share: pictures in, lists of points out, into one array."""

from abc import ABC, abstractmethod
from types import TracebackType

import numpy as np

from fingerpost.edge_runtime.hand_confidence import HandsConfidence
from fingerpost.edge_runtime.keypoints import MEDIAPIPE_HOLISTIC, KeypointFrame
from fingerpost.edge_runtime.landmarks import N_FACE

Points = list[tuple[float, float, float, float]]  # x, y, z and how sure, of each point

OPAQUE = 255
LISTS = {  # of MediaPipe's result, by these names in Java and in Objective-C
    "body": "poseLandmarks",
    "left_hand": "leftHandLandmarks",
    "right_hand": "rightHandLandmarks",
    "face": "faceLandmarks",
}


class PhoneLandmarker(ABC):
    """Finds keypoints as ``edge_runtime.landmarks.Landmarker`` does, by the phone's own MediaPipe.

    ``find`` is what a phone fills in. Pictures have the size that was announced: a phone's camera
    gives no others.
    """

    schema = MEDIAPIPE_HOLISTIC
    extractor = "mediapipe tasks holistic"

    def __init__(self, width: int, height: int, mirrored: bool = False) -> None:
        if min(width, height) < 1:
            raise ValueError(f"a picture of {width}x{height} pixels has nothing to look at")
        self.aspect = width / height
        self.mirrored = mirrored
        self._size = width, height
        self._hands = HandsConfidence(self.aspect)
        self._last_ms = -1

    @abstractmethod
    def find(self, rgba: np.ndarray, time_ms: int) -> dict[str, Points]:
        """Points by group (body, left_hand, right_hand, face), none where it is not seen.

        rgba : (H, W, 4) uint8, opaque and contiguous
        """

    def detect(self, rgb: np.ndarray, time_ms: int) -> KeypointFrame:
        """The keypoints of one picture; all zeros where nobody is seen.

        rgb : (H, W, 3) uint8; a time that does not rise is moved to 1 ms after the last one
        """
        width, height = self._size
        if rgb.shape != (height, width, 3) or rgb.dtype != np.uint8:
            raise ValueError(
                f"expected a ({height}, {width}, 3) uint8 picture, got {rgb.shape} {rgb.dtype}"
            )
        time_ms = self._last_ms = max(time_ms, self._last_ms + 1)
        rgba = np.full((height, width, 4), OPAQUE, np.uint8)
        rgba[..., :3] = rgb[:, ::-1] if self.mirrored else rgb
        found = self.find(rgba, time_ms)
        xyz = np.zeros((len(self.schema), 3), np.float32)
        confidence = np.zeros(len(self.schema), np.float32)
        for group, points in found.items():
            if points:
                rows = np.array(points[:N_FACE] if group == "face" else points, np.float32)
                xyz[self.schema.groups[group]] = rows[:, :3]
                confidence[self.schema.groups[group]] = rows[:, 3]
        confidence = np.clip(confidence, 0, 1)
        self._hands.push(KeypointFrame(time_ms, xyz, confidence))
        xyz[confidence == 0] = 0
        return KeypointFrame(time_ms, xyz, confidence)

    @abstractmethod
    def close(self) -> None:
        """Frees the graph."""

    def __enter__(self) -> "PhoneLandmarker":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
