"""A phone's camera on iOS: AVFoundation, through Kivy's own camera. Not yet run on a phone.

Kivy has an AVCaptureSession in Objective-C (kivy/core/camera/camera_avfoundation). Through pyobjus
alone there is none: its pictures come as C structures on a dispatch queue. Kivy's pictures go to
the screen; here they are taken on the way. iOS asks for the permission by itself when the session
begins, with the words of NSCameraUsageDescription.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from fingerpost.app.platforms.phone_camera import PhoneCamera
from fingerpost.app.session import Channel, Filling

AV_FOUNDATION = "/System/Library/Frameworks/AVFoundation.framework"
VIDEO = "vide"  # AVMediaTypeVideo
REFUSED = (1, 2)  # AVAuthorizationStatus: restricted, denied
SIZE = 640, 480  # that is asked for

T = TypeVar("T")


class Camera(PhoneCamera):
    """Pictures upright as the phone is held when it begins."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self._session: Any = None

    def begin(self) -> None:
        allow_camera()
        self._session = on_kivys_thread(lambda: _new_session(self.number, self.take))

    def end(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            on_kivys_thread(session.stop)


def allow_camera() -> None:
    """ValueError where the camera was refused before: iOS does not ask twice."""
    try:
        from pyobjus import autoclass
        from pyobjus.dylib_manager import load_framework
    except ImportError as error:
        raise ValueError("this camera needs pyobjus, on iOS") from error
    load_framework(AV_FOUNDATION)
    video = autoclass("NSString").stringWithUTF8String_(VIDEO)
    if autoclass("AVCaptureDevice").authorizationStatusForMediaType_(video) in REFUSED:
        raise ValueError(
            "Fingerpost may not use the camera: allow it in Settings, Privacy & Security, Camera"
        )


def on_kivys_thread(work: Callable[[], T]) -> T:
    """Has the window's thread do something, and waits for it; raises what it raised."""
    from kivy.clock import Clock

    done: Channel[tuple[T]] = Channel(1)

    def run(_dt: float) -> None:
        with Filling(done):
            done.put((work(),))

    Clock.schedule_once(run, 0)
    answer = done.get()
    assert answer is not None, "a channel that ended without a word"
    return answer[0]


def _new_session(number: int, take: Callable[[np.ndarray], None]) -> Any:
    """Kivy's camera, begun, whose pictures go to ``take`` in place of the screen."""
    from kivy.core.camera.camera_avfoundation import CameraAVFoundation

    class Taken(CameraAVFoundation):
        _buffer: bytes | None

        def _copy_to_gpu(self) -> None:
            content, self._buffer = self._buffer, None
            if content is not None:
                take(as_rgb(content, *self._resolution))

    return Taken(index=number, resolution=SIZE, stopped=False)


def as_rgb(bgra: bytes, width: int, height: int) -> np.ndarray:
    """(H, W, 3) uint8 of rows of blue, green, red, alpha, which may have something behind them.

    ValueError where there are too few bytes.
    """
    row = len(bgra) // height if height else 0
    if row < 4 * width or not width:
        raise ValueError(f"the camera gave {len(bgra)} bytes for {width}x{height} pixels")
    rows = np.frombuffer(bgra, np.uint8, row * height).reshape(height, row)
    pixels = rows[:, : 4 * width].reshape(height, width, 4)
    return np.ascontiguousarray(pixels[..., 2::-1])
