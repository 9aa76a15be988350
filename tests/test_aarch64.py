"""The runtime on aarch64, as a Jetson has it: `make test-aarch64`, emulated where need be.

The same programs run here and there. What is compared is what a user would notice: floats differ
in their last digits, int8 graphs by which kernels LiteRT chooses for a CPU.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fingerpost.app.demo import demo_clip
from fingerpost.edge_runtime.keypoints import MEDIAPIPE_HOLISTIC
from fingerpost.edge_runtime.landmarker_bundle import landmarker_bundle
from fingerpost.edge_runtime.video import open_video

ROOT = Path(__file__).parent.parent
PYTHON = ROOT / ".aarch64" / "python"
SIGNING_MS = 1000  # a time of the demo clip at which both hands are up
MAX_OFFSET = 0.005  # of a landmark, as a part of the picture; 0.0023 was measured, on a hand
TYPICAL_OFFSET = 0.001

pytestmark = [
    pytest.mark.aarch64,
    pytest.mark.skipif(not PYTHON.is_file(), reason="run `make test-aarch64`"),
]


def run(python: Path | str, folder: Path, program: str, *arguments: str, **environment: str):
    """Runs a program of the tests; what it wrote is in the folder."""
    command = [str(python), str(ROOT / "tests" / program), str(folder), *arguments]
    quiet = {"KIVY_NO_ARGS": "1", "KIVY_NO_FILELOG": "1", "KIVY_NO_CONSOLELOG": "1"}
    done = subprocess.run(
        command, env={**os.environ, **quiet, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def here_and_there(tmp_path: Path, what: str, given: dict[str, Path]):
    """What the smoke test finds on this machine's Python and on aarch64; given : files it reads"""
    found = []
    for name, python in (("here", sys.executable), ("there", PYTHON)):
        folder = tmp_path / name
        folder.mkdir()
        for file, path in given.items():
            shutil.copy(path, folder / file)
        run(python, folder, "aarch64_smoke.py", what)
        found.append(np.load(folder / f"{what}.npz"))
    assert found[1]["machine"] == "aarch64"
    return found


def test_a_window_and_a_sentence_are_read_as_here(tmp_path):
    here, there = here_and_there(tmp_path, "graphs", {})
    for name in ("states", "latents"):
        ours, theirs = here[name].ravel(), there[name].ravel()
        cosine = ours @ theirs / (np.linalg.norm(ours) * np.linalg.norm(theirs))
        print(f"{name}: cosine {cosine:.6f}")
        assert cosine > 0.99
    agree = np.mean(here["glosses"].argmax(axis=1) == there["glosses"].argmax(axis=1))
    worst = np.abs(here["glosses"] - there["glosses"]).max()
    print(f"glosses: {agree:.3f} of the frames agree, max error {worst:.4f}; {there['text']}")
    assert agree >= 0.95
    assert there["tokens"].tolist() == there["right"].tolist()
    assert there["text"] == here["text"]


def test_stored_pictures_have_the_landmarks_that_they_have_here(tmp_path):
    with open_video(demo_clip()) as video:
        video.skip_to(SIGNING_MS)
        pictures = [rgb for time_ms, rgb in video if time_ms >= SIGNING_MS][:3]
    np.save(tmp_path / "pictures.npy", np.stack(pictures))
    given = {"pictures.npy": tmp_path / "pictures.npy", "landmarker.task": landmarker_bundle()}
    here, there = here_and_there(tmp_path, "landmarks", given)
    n_hands = 0
    for group in ("body", "left_hand", "right_hand", "face"):
        points = MEDIAPIPE_HOLISTIC.groups[group]
        seen = here["confidence"][:, points] > 0.5
        assert ((there["confidence"][:, points] > 0.5) == seen).mean() > 0.95
        if seen.any():
            offsets = np.abs(here["xyz"] - there["xyz"])[:, points, :2][seen]
            typical = np.median(offsets)
            print(f"{group}: {seen.sum()} points, {typical:.5f}, {offsets.max():.5f} at the most")
            assert offsets.max() < MAX_OFFSET and typical < TYPICAL_OFFSET
            n_hands += "hand" in group
    assert n_hands  # else nothing of a hand was compared


def test_the_window_is_drawn_off_screen(tmp_path):
    import cv2

    run(PYTHON, tmp_path, "app_tour.py", "talk", SDL_VIDEODRIVER="offscreen")
    picture = cv2.imread(str(tmp_path / "talk.png"))
    assert picture is not None and picture.shape[:2] == (900, 1200)
    print(f"the window has {len(np.unique(picture.reshape(-1, 3), axis=0))} colours")
    assert picture.std() > 10  # not one colour alone
