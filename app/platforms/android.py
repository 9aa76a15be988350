"""MediaPipe's holistic landmarker on Android: its Java library (AAR), called through pyjnius.

Not yet run on a phone. Classes and methods are those of MediaPipe's own sources:
mediapipe/tasks/java/com/google/mediapipe/tasks/vision/holisticlandmarker/HolisticLandmarker.java.
"""

from pathlib import Path
from typing import Any

import numpy as np

from fingerpost.app.platforms.phone_landmarks import LISTS, PhoneLandmarker, Points
from fingerpost.edge_runtime.landmarker_bundle import landmarker_bundle

IMAGES = "com.google.mediapipe.framework.image"
TASKS = "com.google.mediapipe.tasks"
HOLISTIC = f"{TASKS}.vision.holisticlandmarker.HolisticLandmarker"


HOLDERS = f"{TASKS}.components.containers"
JAVA_CLASSES = (  # see ``here.load_java_classes``
    "org.kivy.android.PythonActivity",
    f"{IMAGES}.BitmapImageBuilder",
    f"{IMAGES}.MPImage",
    f"{TASKS}.core.BaseOptions",
    f"{TASKS}.core.BaseOptions$Builder",
    f"{TASKS}.vision.core.RunningMode",
    HOLISTIC,
    f"{HOLISTIC}$HolisticLandmarkerOptions",
    f"{HOLISTIC}$HolisticLandmarkerOptions$Builder",
    f"{HOLISTIC}Result",
    f"{HOLDERS}.NormalizedLandmark",
    f"{HOLDERS}.AutoValue_NormalizedLandmark",  # what a list of them really has
)


class Landmarker(PhoneLandmarker):
    """bundle : the ``.task`` file; None for the one that came with the app"""

    def __init__(
        self, width: int, height: int, bundle: Path | None = None, mirrored: bool = False
    ) -> None:
        super().__init__(width, height, mirrored)
        jnius = _jnius()
        self._to_java = jnius.autoclass("java.nio.ByteBuffer").wrap
        self._image_builder = jnius.autoclass(f"{IMAGES}.BitmapImageBuilder")
        bitmaps = jnius.autoclass("android.graphics.Bitmap")
        argb = jnius.autoclass("android.graphics.Bitmap$Config").ARGB_8888
        self._new_bitmap = lambda: bitmaps.createBitmap(width, height, argb)
        self._graph = _open_graph(jnius, bundle or landmarker_bundle())

    def find(self, rgba: np.ndarray, time_ms: int) -> dict[str, Points]:
        bitmap = self._new_bitmap()  # a new one each: MediaPipe may still hold the last
        bitmap.copyPixelsFromBuffer(self._to_java(rgba.tobytes()))
        image = self._image_builder(bitmap).build()
        result = self._graph.detectForVideo(image, time_ms)
        return {group: _points(getattr(result, name)()) for group, name in LISTS.items()}

    def close(self) -> None:
        self._graph.close()


def _points(landmarks: Any) -> Points:
    """Of a java.util.List of NormalizedLandmark. What has no visibility was found, or is absent."""
    found = []
    for i in range(landmarks.size()):
        point = landmarks.get(i)
        sure = 1.0
        for part in (point.visibility(), point.presence()):  # Optional<Float>
            sure *= part.get() if part.isPresent() else 1.0
        found.append((point.x(), point.y(), point.z(), sure))
    return found


def _open_graph(jnius: Any, bundle: Path) -> Any:
    """In VIDEO mode: pictures in order of time, and an answer for each. ValueError where the
    bundle does not open."""
    if not bundle.is_file():
        raise FileNotFoundError(f"there is no landmarker bundle {bundle}")
    files = jnius.autoclass("android.os.ParcelFileDescriptor")
    context = jnius.autoclass("org.kivy.android.PythonActivity").mActivity
    try:
        opened = files.open(jnius.autoclass("java.io.File")(str(bundle)), files.MODE_READ_ONLY)
        try:
            # By its number: a path would be looked for among the assets of the APK.
            base = jnius.autoclass(f"{TASKS}.core.BaseOptions").builder()
            base = base.setModelAssetFileDescriptor(opened.getFd()).build()
            options = jnius.autoclass(f"{HOLISTIC}$HolisticLandmarkerOptions").builder()
            video = jnius.autoclass(f"{TASKS}.vision.core.RunningMode").VIDEO
            options = options.setBaseOptions(base).setRunningMode(video).build()
            return jnius.autoclass(HOLISTIC).createFromOptions(context, options)
        finally:
            opened.close()
    except jnius.JavaException as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{bundle} does not open as a holistic landmarker: {reason}") from error


def _jnius() -> Any:
    try:
        import jnius
    except ImportError as error:
        raise ValueError("this landmarker needs pyjnius, on Android") from error
    return jnius
