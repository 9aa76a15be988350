"""The cameras of phones, by CameraX and by Kivy's AVFoundation; both are stood in for.

What is tested is what we call, with what, and what becomes of the pictures; no phone has run it.
"""

import importlib
import sys
import threading
import time
import types
from pathlib import Path

import numpy as np
import pytest

from fingerpost.app.platforms import here, phone_camera, sources
from fingerpost.app.platforms.ios_camera import as_rgb
from fingerpost.app.platforms.phone_camera import PhoneCamera

STAND_INS = Path(__file__).parent / "stand_ins"
OURS = ("jnius", "android", "android.permissions", "android.runnable", "pyobjus")
OURS += ("pyobjus.dylib_manager",)
RNG = np.random.default_rng(7)
PICTURE = RNG.integers(0, 256, (6, 8, 4), np.uint8)


@pytest.fixture
def stand_ins(monkeypatch):
    """Fresh ones, found before anything that is installed."""
    monkeypatch.syspath_prepend(str(STAND_INS))
    for name in OURS:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield
    for name in OURS:
        sys.modules.pop(name, None)


@pytest.fixture
def android(stand_ins, monkeypatch):
    """pyjnius's stand-in, with the permission, and one picture."""
    monkeypatch.setenv("KIVY_BUILD", "android")
    jnius = importlib.import_module("jnius")
    permissions = importlib.import_module("android.permissions")
    permissions.ALLOWED.add(permissions.Permission.CAMERA)
    jnius.PICTURES.append(PICTURE)
    return jnius


class Phone(PhoneCamera):
    """A camera whose phone is this test."""

    began = ended = 0

    def begin(self):
        self.began += 1

    def end(self):
        self.ended += 1


def coloured(number, size=(4, 6)):
    return np.full((*size, 3), number, np.uint8)


def opened(*pictures, camera=None):
    camera = camera or Phone(0)
    for picture in pictures:
        camera.take(picture)
    return camera


def test_the_newest_picture_is_kept_and_its_time_rises():
    with opened(coloured(1), coloured(2)) as camera:
        assert (camera.info.width, camera.info.height, camera.info.frames) == (6, 4, 0)
        pictures = iter(camera)
        first_ms, first = next(pictures)
        camera.take(coloured(3))
        second_ms, second = next(pictures)
        camera.take(coloured(4))
        camera.take(coloured(5))
        third_ms, third = next(pictures)
    assert (first[0, 0, 0], second[0, 0, 0], third[0, 0, 0]) == (2, 3, 5)
    assert 0 <= first_ms < second_ms < third_ms
    assert camera.ended == 1 and next(pictures, None) is None
    camera.take(coloured(6))  # the phone's thread comes late
    assert camera.problem == ""


def test_a_phone_that_is_turned_ends_it_with_a_word():
    with opened(coloured(1)) as camera:
        pictures = iter(camera)
        next(pictures)
        camera.take(coloured(2, (6, 4)))
        assert next(pictures, None) is None
    assert "turned" in camera.problem and "start the camera again" in camera.problem


def test_what_goes_wrong_in_the_phones_thread_is_raised_where_pictures_go():
    with opened(coloured(1)) as camera:
        pictures = iter(camera)
        next(pictures)
        threading.Thread(target=camera.fail, args=(ValueError("no memory"),)).start()
        with pytest.raises(ValueError, match="no memory"):
            next(pictures)


def test_a_camera_without_a_picture_is_told_and_let_go(monkeypatch):
    monkeypatch.setattr(phone_camera, "FIRST_S", 0.05)
    camera = Phone(1)
    with pytest.raises(ValueError, match="camera 1 gives no picture"), camera:
        pass
    assert (camera.began, camera.ended) == (1, 1)
    with pytest.raises(ValueError, match="0 at its back and 1 at its front, no 2"):
        Phone(2)


# ---- Android ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "which"), [(0, "back"), (1, "front")])
def test_camerax_gives_upright_pictures_and_lets_go_at_the_end(android, number, which):
    with here.open_phone_camera(number) as camera:
        ((_time_ms, rgb),) = [next(iter(camera))]
        assert ("camera", which) in android.CALLS and len(android.OPEN) == 1
    np.testing.assert_array_equal(rgb, PICTURE[..., :3])
    assert rgb.flags.c_contiguous and rgb.dtype == np.uint8
    assert android.OPEN == [] and ("shut down",) in android.CALLS
    assert ("image closed",) in android.CALLS  # else CameraX gives no other


def test_a_phone_with_one_camera_says_which_to_take(android):
    android.HAS.discard("front")
    with pytest.raises(ValueError, match="no camera 1; take the other one"):
        here.open_phone_camera(1).__enter__()
    assert android.OPEN == []


def test_java_that_fails_is_one_line(android, monkeypatch):
    def fails(*_arguments):
        raise android.JavaException("CameraUnavailable\nin use")

    monkeypatch.setattr(android.ProcessCameraProvider, "bindToLifecycle", fails)
    with pytest.raises(ValueError, match="camera 0 does not open: CameraUnavailable in use"):
        here.open_phone_camera(0).__enter__()
    monkeypatch.undo()


def test_a_picture_that_java_cannot_give_ends_it(android, monkeypatch):
    def fails(_self):
        raise android.JavaException("OutOfMemory\nError")

    monkeypatch.setattr(android.ImageProxy, "toBitmap", fails)
    with pytest.raises(ValueError, match="camera 0: OutOfMemory Error"):
        here.open_phone_camera(0).__enter__()
    assert ("image closed",) in android.CALLS and android.OPEN == []


@pytest.mark.parametrize("answer", [[False], []])
def test_who_does_not_want_the_camera_is_told_where_to_allow_it(android, answer):
    permissions = importlib.import_module("android.permissions")
    permissions.ALLOWED.clear()
    permissions.ANSWERS.append(answer)
    with pytest.raises(ValueError, match="allow it in the phone's settings"):
        here.open_phone_camera(0).__enter__()
    assert ("camera", "back") not in android.CALLS
    permissions.ANSWERS.append([True])
    with here.open_phone_camera(0):
        assert ("camera", "back") in android.CALLS


def test_java_finds_its_classes_before_any_other_thread_runs(android):
    android.MISSING |= {"org.pytorch.executorch.Module", "org.pytorch.executorch.Tensor"}
    here.load_java_classes()  # an app without ExecuTorch's library
    loaded = set(android.FOUND)
    android.FOUND.clear()
    with here.open_phone_camera(0) as camera:
        next(iter(camera))
    of_app = {name for name in android.FOUND if not name.startswith(("java.", "android."))}
    assert of_app and of_app <= loaded


def test_elsewhere_there_is_nothing_to_load(stand_ins, monkeypatch):
    monkeypatch.delenv("KIVY_BUILD", raising=False)
    here.load_java_classes()
    assert "jnius" not in sys.modules
    with pytest.raises(ValueError, match="this is no phone"):
        here.open_phone_camera(0)


# ---- iOS ----------------------------------------------------------------------------------------


class AVFoundation:
    """Kivy's camera: gives what it has, from the window's clock, as Kivy's own does."""

    padding = 0

    def __init__(self, index, resolution, stopped):
        assert not stopped
        self.index, self._resolution = index, (8, 6)
        bgra = np.pad(PICTURE[..., [2, 1, 0, 3]].reshape(6, 32), ((0, 0), (0, self.padding)))
        self._buffer = bgra.tobytes()
        self._copy_to_gpu()

    def _copy_to_gpu(self):
        raise AssertionError("a picture for the screen")

    def stop(self):
        self.stopped = True


@pytest.fixture
def ios(stand_ins, monkeypatch):
    monkeypatch.setenv("KIVY_BUILD", "ios")
    module = importlib.import_module("fingerpost.app.platforms.ios_camera")
    kivys = types.ModuleType("kivy.core.camera.camera_avfoundation")
    kivys.CameraAVFoundation = AVFoundation
    for name in ("kivy", "kivy.core", "kivy.core.camera"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, kivys.__name__, kivys)
    clock = types.ModuleType("kivy.clock")
    clock.Clock = types.SimpleNamespace(
        schedule_once=lambda work, _s: threading.Thread(target=work, args=(0.0,)).start()
    )
    monkeypatch.setitem(sys.modules, "kivy.clock", clock)
    return module


@pytest.mark.parametrize("padding", [0, 32])
def test_kivys_camera_gives_its_pictures_and_is_stopped(ios, monkeypatch, padding):
    monkeypatch.setattr(AVFoundation, "padding", padding)
    with here.open_phone_camera(1) as camera:
        ((_time_ms, rgb),) = [next(iter(camera))]
        session = camera._session
        assert session.index == 1
    np.testing.assert_array_equal(rgb, PICTURE[..., :3])
    assert session.stopped


@pytest.mark.parametrize("status", [1, 2])
def test_a_camera_that_ios_keeps_is_told_where_to_allow(ios, status):
    importlib.import_module("pyobjus").AVCaptureDevice.STATUS = status
    with pytest.raises(ValueError, match="allow it in Settings, Privacy & Security, Camera"):
        here.open_phone_camera(0).__enter__()


def test_bytes_that_are_no_picture():
    with pytest.raises(ValueError, match="10 bytes for 8x6 pixels"):
        as_rgb(b"0123456789", 8, 6)
    with pytest.raises(ValueError, match="0 bytes for 0x0"):
        as_rgb(b"", 0, 0)


# ---- as a source ---------------------------------------------------------------------------------


def test_on_a_phone_a_number_is_its_own_camera(android, monkeypatch):
    assert sources.known_sources() == ["0", "1"]
    observer = sources.watch("1")
    assert observer.live and observer.name == "camera 1"
    assert observer._open_source().number == 1
    monkeypatch.delenv("KIVY_BUILD")
    assert sources.known_sources()[-1] == sources.DEMO


def test_an_observer_takes_a_phones_camera_as_any_other(android, monkeypatch, tmp_path):
    """Through the threads of a session, with a landmarker that sees nobody."""
    seen = []

    class Landmarker:
        extractor = "none"

        def __init__(self, width, height, bundle, mirrored):
            seen.append((width, height))

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def detect(self, rgb, time_ms):
            from fingerpost.edge_runtime.keypoints import KeypointFrame

            return KeypointFrame(time_ms, np.zeros((543, 3)), np.zeros(543))

    monkeypatch.setattr(here, "landmarker_class", lambda: Landmarker)
    with sources.watch("0", landmarker=tmp_path / "any.task") as observer:
        until_s = time.monotonic() + 20
        while (sight := observer.poll()) is None and time.monotonic() < until_s:
            time.sleep(0.005)
    assert seen == [(8, 6)] and observer.size == (8, 6)
    np.testing.assert_array_equal(sight.rgb, PICTURE[..., :3])
