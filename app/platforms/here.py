"""Which system this is, and what stands in for Python wheels where there are none: on phones."""

import importlib
import os
from contextlib import suppress
from typing import Any

from fingerpost.edge_runtime import backends

PLATFORMS = "fingerpost.app.platforms"
LANDMARKERS = {  # of phones: the module with a ``Landmarker``
    "android": f"{PLATFORMS}.android",
    "ios": f"{PLATFORMS}.ios",
}
CAMERAS = {  # of phones: the module with a ``Camera``
    "android": f"{PLATFORMS}.android_camera",
    "ios": f"{PLATFORMS}.ios_camera",
}
BACKENDS = {  # of phones: what a pack's manifest says, and the module that runs it there
    "android": {
        "tflite": f"{PLATFORMS}.android_litert",
        "executorch": f"{PLATFORMS}.android_executorch",
    },
    "ios": {"coreml": f"{PLATFORMS}.ios_coreml"},
}


def phone() -> str:
    """ "android", "ios", or "" on anything else; by what Kivy goes by (kivy.utils.platform)."""
    build = os.environ.get("KIVY_BUILD", "")
    if build in LANDMARKERS:
        return build
    return "android" if {"P4A_BOOTSTRAP", "ANDROID_ARGUMENT"} & os.environ.keys() else ""


def landmarker_class() -> Any:
    """What finds keypoints in pictures here: MediaPipe, by Python, Java or Objective-C."""
    module = LANDMARKERS.get(phone(), "fingerpost.edge_runtime.landmarks")
    return importlib.import_module(module).Landmarker


def open_phone_camera(number: int) -> Any:
    """A camera of this phone, to be entered. ValueError on anything else."""
    if not phone():
        raise ValueError("this is no phone: its cameras open by edge_runtime.video.open_camera")
    return importlib.import_module(CAMERAS[phone()]).Camera(number)


def load_java_classes() -> None:
    """On Android: has Java find all classes that are called, now, from Python's first thread.

    From other threads of Python it finds none of an app's own (python-for-android's issue 2242);
    pyjnius remembers what was found once.
    """
    if phone() != "android":
        return
    import jnius

    for module in {LANDMARKERS["android"], CAMERAS["android"], *BACKENDS["android"].values()}:
        for name in importlib.import_module(module).JAVA_CLASSES:
            # Without a library that was left out of the app, what needs it says so later.
            with suppress(jnius.JavaException):
                jnius.autoclass(name)


def use_phone_backends() -> None:
    """Has packs run by the phone's own libraries; nothing on other systems."""
    of_phone = BACKENDS.get(phone(), {})
    backends.BACKENDS.update(of_phone)
    for name in of_phone:
        backends.ONLY_ON.pop(name, None)
