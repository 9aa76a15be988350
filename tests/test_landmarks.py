"""MediaPipe through Landmarker: sides, sizes, times, quiet, offline. And where its bundle is from.

The models are fetched once per machine; where they cannot be, what needs them is skipped.
"""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fingerpost.edge_runtime import landmarker_bundle as bundles
from fingerpost.edge_runtime.keypoints import MEDIAPIPE_HOLISTIC
from fingerpost.edge_runtime.landmarks import Landmarker, letterbox
from fingerpost.edge_runtime.mediapipe_alone import NOWHERE_PROXY
from fingerpost.edge_runtime.video import open_video

DATA = Path(os.environ.get("FINGERPOST_DATA") or Path(__file__).parents[2] / "shared" / "data")
RIGHT_HAND_CLIP = DATA / "clips" / "msl150" / "hoy_001.mp4"  # the right hand signs, left hangs
GROUPS = MEDIAPIPE_HOLISTIC.groups
needs_clips = pytest.mark.skipif(
    not RIGHT_HAND_CLIP.is_file(), reason="no sample clips ($FINGERPOST_DATA/clips)"
)


@pytest.fixture(scope="module")
def bundle():
    try:
        return bundles.landmarker_bundle()
    except ValueError as error:
        if "could not fetch" not in str(error) and "no pip" not in str(error):
            raise
        pytest.skip(f"no landmarker bundle: {error}")


@pytest.fixture(scope="module")
def pictures():
    """Eight pictures of somebody whose right hand is up: (8, H, W, 3)."""
    with open_video(RIGHT_HAND_CLIP) as video:
        return np.array([rgb[::2, ::2] for _, rgb in video][24:32])


def detect_all(landmarker, pictures):
    """xyz (T, 543, 3) and confidence (T, 543) of pictures at 30 a second."""
    with landmarker:
        frames = [landmarker.detect(rgb, t * 33) for t, rgb in enumerate(pictures)]
    return np.array([f.xyz for f in frames]), np.array([f.confidence for f in frames])


@needs_clips
def test_a_raised_right_hand_is_right_hand_mirrored_or_not(bundle, pictures):
    height, width = pictures.shape[1:3]
    xyz, confidence = detect_all(Landmarker(width, height, bundle), pictures)
    selfie = pictures[:, :, ::-1]
    from_mirror = detect_all(Landmarker(width, height, bundle, mirrored=True), selfie)
    for points, seen in ((xyz, confidence), from_mirror):
        assert (seen[:, GROUPS["right_hand"]] > 0).all()
        assert not seen[:, GROUPS["left_hand"]].any()
        wrist = points[-1, MEDIAPIPE_HOLISTIC.index("right_wrist")]
        nose = points[-1, MEDIAPIPE_HOLISTIC.index("nose")]
        assert wrist[0] < nose[0]  # others see a signer's right hand at the left
    np.testing.assert_allclose(from_mirror[0][:, :75], xyz[:, :75], atol=0.01)
    _, untold = detect_all(Landmarker(width, height, bundle), selfie)  # the mirror not mentioned
    assert untold[-1, GROUPS["left_hand"]].any()
    assert not untold[-1, GROUPS["right_hand"]].any()


@needs_clips
def test_real_hands_get_confidence_and_frames_are_well_formed(bundle, pictures):
    height, width = pictures.shape[1:3]
    landmarker = Landmarker(width, height, bundle)
    assert landmarker.aspect == width / height
    assert landmarker.extractor.startswith("mediapipe ")
    xyz, confidence = detect_all(landmarker, pictures)
    assert xyz.shape == (8, 543, 3)
    assert xyz.dtype == confidence.dtype == np.float32
    assert np.isfinite(xyz).all()
    assert 0 <= confidence.min() <= confidence.max() <= 1
    assert confidence[3:, GROUPS["right_hand"]].mean() > 0.7
    assert not xyz[confidence == 0].any()
    shoulders = xyz[:, [MEDIAPIPE_HOLISTIC.index(f"{s}_shoulder") for s in ("left", "right")]]
    assert (shoulders[:, 0, 0] > shoulders[:, 1, 0]).all()


@needs_clips
def test_another_size_of_picture_is_mapped_back(bundle, pictures):
    """A taller picture with the same person: its keypoints are fractions of that picture."""
    height, width = pictures.shape[1:3]
    extra = height // 2
    taller = np.pad(pictures, ((0, 0), (extra, 0), (0, 0), (0, 0)), mode="edge")
    xyz, _ = detect_all(Landmarker(width, height, bundle), pictures)
    with Landmarker(width, height, bundle) as landmarker:
        for t in range(4):
            landmarker.detect(pictures[t], t * 33)
        frames = [landmarker.detect(rgb, 132 + t * 33) for t, rgb in enumerate(taller[4:])]
    expected = xyz[7, :33, :2] * [1, height / (height + extra)] + [0, extra / (height + extra)]
    inside = [11, 12, 14, 16]  # shoulders, right elbow, right wrist: the left arm hangs out
    np.testing.assert_allclose(frames[-1].xyz[inside, :2], expected[inside], atol=0.03)


def test_nobody_is_all_zeros_and_times_are_made_to_rise(bundle):
    empty = np.full((120, 160, 3), 90, np.uint8)
    with Landmarker(160, 120, bundle) as landmarker:
        frames = [landmarker.detect(empty, time_ms) for time_ms in (0, 0, 5, 3, 40)]
        with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8"):
            landmarker.detect(empty[..., 0], 50)
    assert [frame.time_ms for frame in frames] == [0, 1, 5, 6, 40]
    assert not any(frame.xyz.any() or frame.confidence.any() for frame in frames)
    landmarker.close()  # twice is harmless


def test_wrong_bundles_are_named(tmp_path):
    (tmp_path / "wrong.task").write_bytes(b"not a bundle")
    with pytest.raises(ValueError, match="wrong.task is not a bundle") as error:
        Landmarker(640, 480, tmp_path / "wrong.task")
    assert "\n" not in str(error.value)
    with pytest.raises(FileNotFoundError, match=r"absent\.task"):
        Landmarker(640, 480, tmp_path / "absent.task")


def test_it_is_quiet_offline_and_light(bundle):
    """In a process of its own: nothing on stderr, no way to the network, no matplotlib."""
    code = (
        "import os, sys, numpy as np\n"
        "from pathlib import Path\n"
        "from fingerpost.edge_runtime.landmarks import Landmarker\n"
        "landmarker = Landmarker(320, 240, Path(sys.argv[1]))\n"
        "landmarker.detect(np.zeros((240, 320, 3), np.uint8), 0)\n"
        "print(os.environ['https_proxy'], os.environ.get('no_proxy'))\n"
        "print(*{'matplotlib', 'sounddevice', 'torch'} & set(sys.modules))\n"
    )  # no close(): leaving without it must be quiet too
    ran = subprocess.run(
        [sys.executable, "-c", code, str(bundle)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"no_proxy": "*"},
    )
    assert ran.stderr == ""
    assert ran.stdout.splitlines() == [f"{NOWHERE_PROXY} None", ""]


@pytest.mark.parametrize(
    ("picture", "size", "corner", "content"),
    [
        ((48, 64), (64, 48), (0, 0), (1, 1)),  # (height, width) into (width, height)
        ((480, 640), (64, 48), (0, 0), (1, 1)),
        ((721, 1281), (640, 360), (0, 0), (1, 1)),  # rounding is no bar
        ((64, 48), (64, 48), (14 / 64, 0), (36 / 64, 1)),
        ((20, 80), (64, 48), (0, 16 / 48), (1, 16 / 48)),
    ],
)
def test_letterbox(picture, size, corner, content):
    fitted, got_corner, got_content = letterbox(np.full((*picture, 3), 200, np.uint8), size)
    assert fitted.shape == (size[1], size[0], 3)
    np.testing.assert_allclose(got_corner, corner, atol=1e-6)
    np.testing.assert_allclose(got_content, content, atol=1e-6)
    inside = fitted == 200
    assert inside.all(axis=2).mean() == pytest.approx(content[0] * content[1], abs=1e-6)


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FINGERPOST_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FINGERPOST_MEDIAPIPE_WHEEL", raising=False)
    return tmp_path / "cache"


def left_in(cache):
    return [path.name for path in cache.rglob("*")] if cache.exists() else []


def test_a_wrong_wheel_is_refused_and_nothing_stays(empty_cache, tmp_path, monkeypatch):
    wheel = tmp_path / "mediapipe.whl"
    monkeypatch.setenv("FINGERPOST_MEDIAPIPE_WHEEL", str(wheel))
    with pytest.raises(FileNotFoundError, match="FINGERPOST_MEDIAPIPE_WHEEL names"):
        bundles.landmarker_bundle()
    wheel.write_bytes(b"half a wheel")
    with pytest.raises(ValueError, match="is not the wheel of mediapipe"):
        bundles.landmarker_bundle()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("mediapipe/__init__.py", "")
    with pytest.raises(ValueError, match="no item named"):
        bundles.landmarker_bundle()
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, _ in bundles._PARTS.values():
            archive.writestr(f"mediapipe/modules/{name}", b"not the model")
    with pytest.raises(ValueError, match="checksum of pose_detection"):
        bundles.landmarker_bundle()
    assert left_in(empty_cache) == []


def test_a_failed_download_says_what_to_do_and_nothing_stays(empty_cache, tmp_path, monkeypatch):
    failing = tmp_path / "python"
    failing.write_text('#!/bin/sh\nfor f; do :; done\necho "ERROR: no route to host" >&2\nexit 1\n')
    failing.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(failing))
    told = []
    with pytest.raises(ValueError, match="no route to host.*check the network") as error:
        bundles.landmarker_bundle(told.append)
    assert "\n" not in str(error.value)
    assert told[0].startswith("Downloading")
    assert left_in(empty_cache) == []


def test_a_cache_that_cannot_be_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("FINGERPOST_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ValueError, match="set FINGERPOST_CACHE to a folder"):
        bundles.landmarker_bundle()


def test_without_pip_it_says_so(empty_cache, monkeypatch):
    monkeypatch.setattr(bundles.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="no pip to fetch it.*FINGERPOST_MEDIAPIPE_WHEEL"):
        bundles.landmarker_bundle()


def test_a_damaged_cached_bundle_is_not_used(bundle, empty_cache, monkeypatch):
    empty_cache.mkdir()
    cached = empty_cache / bundle.name
    whole = bundle.read_bytes()
    cached.write_bytes(whole)
    assert bundles.landmarker_bundle() == cached
    cached.write_bytes(whole[:5_000_000] + b"?" + whole[5_000_001:])
    monkeypatch.setattr(bundles.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="no pip"):  # it would have been built anew
        bundles.landmarker_bundle()


def test_the_bundle_holds_what_the_graph_wants(bundle):
    with zipfile.ZipFile(bundle) as archive:
        entries = archive.infolist()
    assert {entry.filename for entry in entries} == {
        *(f"{part}.tflite" for part in bundles._PARTS),
        "face_blendshapes.tflite",
    }
    assert all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
