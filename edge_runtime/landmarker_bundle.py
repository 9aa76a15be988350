"""The model file that MediaPipe's holistic landmarker runs on, built once and kept per user.

MediaPipe 1.2.2 comes without models, and its official bundle is a download from a server that a
kiosk may not reach. The wheel of MediaPipe 0.10.21 (Apache-2.0) holds the same networks as TFLite
files, and is to be had wherever pip works: ``landmarker_bundle`` fetches it, checks each file's
sha256, and writes them into one ``.task`` file, changed where the new graph wants it
(``landmarker_models``).
"""

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from fingerpost.edge_runtime.landmarker_models import build_bundle
from fingerpost.edge_runtime.mediapipe_alone import NOWHERE_PROXY

MEDIAPIPE_WITH_MODELS = "0.10.21"
BUNDLE_VERSION = 1  # part of the file's name: a change of what is built makes everyone rebuild

# Part of the bundle: (its file in the wheel, sha256)
_PARTS = {
    "pose_detector": (
        "pose_detection/pose_detection.tflite",
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    ),
    "pose_landmarks_detector": (
        "pose_landmark/pose_landmark_full.tflite",
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    ),
    "face_detector": (
        "face_detection/face_detection_short_range.tflite",
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
    ),
    "face_landmarks_detector": (
        "face_landmark/face_landmark_with_attention.tflite",
        "e06a804e0144f9929eda782122916b35d60c697c3c9344013ca2bbe76a6ce2b4",
    ),
    "hand_landmarks_detector": (
        "hand_landmark/hand_landmark_full.tflite",
        "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
    ),
    "hand_roi_refinement": (
        "holistic_landmark/hand_recrop.tflite",
        "67d996ce96f9d36fe17d2693022c6da93168026ab2f028f9e2365398d8ac7d5d",
    ),
}


def landmarker_bundle(progress: Callable[[str], None] | None = None) -> Path:
    """The bundle's file; the first call on a machine builds it (a 35 MB download).

    progress : called with a line of text before each of the slow steps
    FINGERPOST_CACHE is where it is kept, instead of the user's cache folder;
    FINGERPOST_MEDIAPIPE_WHEEL is the mediapipe 0.10.21 wheel, where there is no network.
    """
    bundle = bundle_path()
    if _is_whole(bundle):
        return bundle
    tell = progress or (lambda line: None)
    given = os.environ.get("FINGERPOST_MEDIAPIPE_WHEEL")
    with _folder_beside(bundle) as folder:
        if given:
            wheel = Path(given)
        else:
            tell(f"Downloading MediaPipe's models (mediapipe {MEDIAPIPE_WITH_MODELS}, 35 MB, once)")
            wheel = _download_wheel(Path(folder))
        tell("Building the landmarker bundle")
        built = Path(folder) / bundle.name
        built.write_bytes(build_bundle(read_models(wheel)))
        os.replace(built, bundle)  # two processes at once: both build, one wins, both files equal
    return bundle


def bundle_path() -> Path:
    """Where the bundle is, or will be."""
    return cache_folder() / f"holistic_landmarker_v{BUNDLE_VERSION}.task"


def cache_folder() -> Path:
    """Where Fingerpost keeps what it built: $FINGERPOST_CACHE, or the user's cache folder."""
    given = os.environ.get("FINGERPOST_CACHE")
    if given:
        return Path(given)
    try:
        import platformdirs
    except ModuleNotFoundError as error:
        raise ValueError('platformdirs is not installed: pip install "fingerpost[app]"') from error
    return Path(platformdirs.user_cache_dir("fingerpost"))


def read_models(wheel: Path) -> dict[str, bytes]:
    """The TFLite files of the mediapipe wheel by their name in the bundle, each one's hash checked.

    ValueError (FileNotFoundError) where the wheel is not that of mediapipe 0.10.21.
    """
    if not wheel.is_file():
        raise FileNotFoundError(
            f"there is no file {wheel}; FINGERPOST_MEDIAPIPE_WHEEL names the wheel of "
            f"mediapipe {MEDIAPIPE_WITH_MODELS}"
        )
    wrong = f"{wheel} is not the wheel of mediapipe {MEDIAPIPE_WITH_MODELS}"
    try:
        with zipfile.ZipFile(wheel) as archive:
            models = {
                part: archive.read(f"mediapipe/modules/{name}")
                for part, (name, _) in _PARTS.items()
            }
    except KeyError as error:
        raise ValueError(f"{wrong}: {error.args[0]}") from error
    except zipfile.BadZipFile as error:
        raise ValueError(f"{wrong}: {error}; fetch it again") from error
    for part, (name, sha256) in _PARTS.items():
        if hashlib.sha256(models[part]).hexdigest() != sha256:
            raise ValueError(f"{wrong}: the checksum of {name} differs; fetch it again")
    return models


def _is_whole(bundle: Path) -> bool:
    """Is the cached file there, and does every part of it still have the checksum it had?"""
    if not bundle.is_file():
        return False
    try:
        with zipfile.ZipFile(bundle) as archive:
            return archive.testzip() is None
    except zipfile.BadZipFile:
        return False


def _folder_beside(bundle: Path) -> "tempfile.TemporaryDirectory[str]":
    """A folder for what is half done, on the disk that the bundle will be on."""
    try:
        bundle.parent.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=bundle.parent, prefix="building-")
    except OSError as error:
        raise ValueError(
            f"the landmarker's models cannot be kept in {bundle.parent} ({error.strerror}); set "
            "FINGERPOST_CACHE to a folder that can be written to"
        ) from error


def _download_wheel(folder: Path) -> Path:
    """Fetches the wheel with pip. One platform's will do everywhere: the models are the same."""
    offline = (
        "or download that wheel elsewhere (manylinux x86_64, Python 3.11, whatever this machine "
        "is) and set FINGERPOST_MEDIAPIPE_WHEEL to its path"
    )
    if importlib.util.find_spec("pip") is None:
        raise ValueError(
            f"the hand and pose models come in the wheel of mediapipe {MEDIAPIPE_WITH_MODELS}, and "
            f"this Python has no pip to fetch it: run `{sys.executable} -m ensurepip`, {offline}"
        )
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--python-version", "3.11", "--platform", "manylinux_2_28_x86_64"]
    command += ["--disable-pip-version-check", "--quiet", "--dest", str(folder)]
    command += [f"mediapipe=={MEDIAPIPE_WITH_MODELS}"]
    environment = {name: v for name, v in os.environ.items() if v != NOWHERE_PROXY}
    pip = subprocess.run(command, capture_output=True, text=True, env=environment)
    wheels = list(folder.glob("mediapipe-*.whl"))
    if pip.returncode or not wheels:
        said = [line for line in pip.stderr.splitlines() if "ERROR" in line] or ["pip failed"]
        raise ValueError(
            f"could not fetch mediapipe {MEDIAPIPE_WITH_MODELS} with its models ({said[-1]}); "
            f"check the network and try again, {offline}"
        )
    return wheels[0]
