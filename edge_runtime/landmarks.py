"""MediaPipe Holistic: a picture in, the 543 keypoints of one person out.

``Landmarker`` is the only place that runs MediaPipe. Three things about MediaPipe 1.2.2 shape it:

- A change of picture size kills its graph: every picture is brought to one working size.
- Its hands come without any confidence: ``hand_confidence`` works one out from how they move.
- It logs to stderr and reports usage to its maker, and no setting stops either: ``mediapipe_alone``
  does.
"""

from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

import numpy as np

from fingerpost.edge_runtime.hand_confidence import HandsConfidence
from fingerpost.edge_runtime.keypoints import MEDIAPIPE_HOLISTIC, KeypointFrame
from fingerpost.edge_runtime.landmarker_bundle import landmarker_bundle
from fingerpost.edge_runtime.mediapipe_alone import (
    import_mediapipe,
    keep_offline,
    leave_quietly,
    offline_options,
)
from fingerpost.edge_runtime.quiet import quiet_stderr
from fingerpost.edge_runtime.video import import_cv2

LONG_SIDE = 640  # pixels of the working size; the pose model itself sees 256 x 256
GREY = 128  # what letterbox bars are filled with
N_FACE = 468  # MediaPipe gives 478: the last ten are the irises


class Landmarker:
    """Finds the keypoints of the one person in a stream of pictures. Use it in a ``with``.

    width, height : size of the pictures to come, in pixels. A picture of another size is
        letterboxed into this one, and its keypoints are given as fractions of that picture.
    bundle : a holistic ``.task`` file; None for the one that ``landmarker_bundle`` builds
    mirrored : the pictures are those of a selfie mirror (what a preview shows: the signer's right
        hand is at the right edge). They are flipped back before detection, so that a raised right
        hand comes out as ``right_hand`` and all x belong to the picture as others see the signer.
    """

    schema = MEDIAPIPE_HOLISTIC

    def __init__(
        self, width: int, height: int, bundle: Path | None = None, mirrored: bool = False
    ) -> None:
        if min(width, height) < 1:
            raise ValueError(f"a picture of {width}x{height} pixels has nothing to look at")
        self.aspect = width / height
        self.mirrored = mirrored
        scale = min(1.0, LONG_SIDE / max(width, height))
        self._size = (max(1, round(width * scale)), max(1, round(height * scale)))
        mediapipe = import_mediapipe()
        self.extractor = f"mediapipe {mediapipe.__version__} holistic"
        self._image_type = mediapipe.Image
        self._rgb = mediapipe.ImageFormat.SRGB
        self._hands = HandsConfidence(self.aspect)
        self._last_ms = -1
        self._chatty = True
        keep_offline()
        self._graph = _open_graph(mediapipe, bundle if bundle else landmarker_bundle())
        leave_quietly(self._graph)

    def detect(self, rgb: np.ndarray, time_ms: int) -> KeypointFrame:
        """The keypoints of one picture; all zeros where nobody is seen.

        rgb : shape (H, W, 3), uint8
        time_ms : since the start; a time that does not rise is moved to 1 ms after the last one,
            and the frame that is returned carries the time used
        """
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
            raise ValueError(f"expected a (H, W, 3) uint8 picture, got {rgb.shape} {rgb.dtype}")
        time_ms = self._last_ms = max(time_ms, self._last_ms + 1)
        picture, corner, content = letterbox(rgb[:, ::-1] if self.mirrored else rgb, self._size)
        image = self._image_type(image_format=self._rgb, data=picture)
        if self._chatty:  # the last of its log lines come when it first sees a person
            with quiet_stderr():
                result = self._graph.detect_for_video(image, time_ms)
            self._chatty = not result.pose_landmarks
        else:
            result = self._graph.detect_for_video(image, time_ms)
        return self._frame(result, time_ms, corner, content)

    def close(self) -> None:
        """Stops MediaPipe's threads. Harmless when closed already."""
        self._graph.close()

    def __enter__(self) -> "Landmarker":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _frame(
        self, result: Any, time_ms: int, corner: np.ndarray, content: np.ndarray
    ) -> KeypointFrame:
        """MediaPipe's lists of points as one array, in fractions of the picture that came in."""
        groups = self.schema.groups
        xyz = np.zeros((len(self.schema), 3), np.float32)
        confidence = np.zeros(len(self.schema), np.float32)
        found = {
            "body": result.pose_landmarks,
            "left_hand": result.left_hand_landmarks,
            "right_hand": result.right_hand_landmarks,
            "face": result.face_landmarks[:N_FACE],
        }
        for group, points in found.items():
            if points:
                working = np.array([(p.x, p.y, p.z) for p in points], np.float32)
                working[:, :2] -= corner
                working[:, :2] /= content
                working[:, 2] /= content[0]
                xyz[groups[group]] = working
                confidence[groups[group]] = 1
        if found["body"]:
            confidence[groups["body"]] = [p.visibility * p.presence for p in found["body"]]
        confidence = np.clip(confidence, 0, 1)
        self._hands.push(KeypointFrame(time_ms, xyz, confidence))
        xyz[confidence == 0] = 0
        return KeypointFrame(time_ms, xyz, confidence)


def letterbox(rgb: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fits a (H, W, 3) picture into (width, height), with grey bars where the aspects differ.

    Returns the fitted picture, and the corner and the size of what was a picture in it, both
    shape (2,) as fractions of the fitted picture.
    """
    cv2 = import_cv2()
    height, width = rgb.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    # A working size was rounded to whole pixels: half a pixel of difference is not worth a bar.
    inner = [round(width * scale), round(height * scale)]
    inner = [s if abs(s - i) <= 1 else max(1, i) for i, s in zip(inner, size, strict=True)]
    if (width, height) == tuple(inner):
        fitted = np.ascontiguousarray(rgb)
    else:
        shrinks = inner[0] < width
        fitted = cv2.resize(
            rgb, inner, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        )
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    if inner != list(size):
        bars = (top, size[1] - inner[1] - top, left, size[0] - inner[0] - left)
        fitted = cv2.copyMakeBorder(fitted, *bars, cv2.BORDER_CONSTANT, value=(GREY,) * 3)
    whole = np.array(size, np.float32)
    return fitted, np.array([left, top]) / whole, np.array(inner) / whole


def _open_graph(mediapipe: ModuleType, bundle: Path) -> Any:
    """The HolisticLandmarker in VIDEO mode; ValueError where the bundle is not a fitting one."""
    if not bundle.is_file():
        raise FileNotFoundError(f"there is no landmarker bundle {bundle}")
    tasks = mediapipe.tasks

    options = tasks.vision.HolisticLandmarkerOptions(
        base_options=offline_options(mediapipe, bundle),
        running_mode=tasks.vision.RunningMode.VIDEO,
    )
    try:
        with quiet_stderr():
            return tasks.vision.HolisticLandmarker.create_from_options(options)
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"{bundle} is not a bundle for MediaPipe's holistic landmarker; leave it out to use "
            "the one that Fingerpost builds"
        ) from error
