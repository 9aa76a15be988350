"""The window, opened off screen: looked at as pixels, and it ends by itself.

In a process of its own: Kivy opens one window a process, and keeps it.
"""

import os
import subprocess
import sys

import cv2
import numpy as np

PROGRAM = '''
import sys
from pathlib import Path
import numpy as np
from fingerpost.app.screen import settle_kivy
settle_kivy(Path(sys.argv[1]) / "kivy")
from fingerpost.app import window
from fingerpost.app.observer import Sight
from fingerpost.app.session import Session
from fingerpost.edge_runtime.captions import Line, LineChanged, LineCompleted
from fingerpost.edge_runtime.keypoints import SIGN69, KeypointFrame

def line(text):
    return Line(text, (), (), 0, 0, 0.9)

class Observer:
    """Twelve frames of a picture that is red on the left and green on the right."""
    name, fps, live, schema, size, n_frames = "fake", 25.0, False, SIGN69, (320, 240), 12
    def __init__(self):
        self.t = 0
    def poll(self):
        if self.ended():
            return None
        self.t += 1
        rgb = np.zeros((240, 320, 3), np.uint8)
        rgb[:, :160, 0], rgb[:, 160:, 1] = 200, 200
        rgb[:40] = (0, 0, 200)  # the top is blue
        unseen = KeypointFrame(self.t * 40, np.zeros((69, 3), np.float32), np.zeros(69, np.float32))
        return Sight(self.t * 40, rgb, unseen)
    def ended(self):
        return self.t >= 12

class Captioner:
    def __init__(self):
        self.t = 0
    def push(self, frame):
        self.t += 1
        if PARTIAL:
            return [LineChanged(0, line("HOW [YOU]"))] if self.t == 4 else []
        return [LineCompleted(0, line("HOW [YOU]"))] if self.t == 8 else []
    def flush(self):
        return []

PARTIAL = sys.argv[2] == "partial"
shot = Path(sys.argv[1]) / "window.png"
window.SHOWN_AFTER_END_S = 0.5
completed = window.run_window(Session(Observer(), Captioner()), "Demo clip", shot)
print(completed, sys.argv[3])
'''


def open_window(folder, kind):
    """Runs the program; returns its window as (H, W, 3) RGB, and what it printed."""
    environment = {**os.environ, "SDL_VIDEODRIVER": "offscreen"}
    environment.pop("FINGERPOST_DEBUG", None)
    command = [sys.executable, "-c", PROGRAM, str(folder), kind, "--size=1x1"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return cv2.imread(str(folder / "window.png"))[..., ::-1], done.stdout


def near(picture, colour):
    return np.abs(picture.astype(int) - colour).max(axis=-1) < 30


def test_the_window_shows_picture_and_caption_and_ends_by_itself(tmp_path):
    picture, printed = open_window(tmp_path, "final")
    assert printed == "['HOW [YOU]'] --size=1x1\n"  # and argv was left alone
    height, width = picture.shape[:2]
    red, green, blue = (near(picture, c) for c in ((200, 0, 0), (0, 200, 0), (0, 0, 200)))
    columns = np.arange(width)
    assert red.sum() > 0.15 * height * width
    assert columns[red.any(axis=0)].mean() < columns[green.any(axis=0)].mean()
    assert np.argwhere(blue)[:, 0].max() < np.argwhere(red)[:, 0].max()  # upright
    below = picture[np.argwhere(red)[:, 0].max() + 5 :]
    letters = below.min(axis=-1) > 200
    assert letters.sum() > 300
    assert np.argwhere(letters)[:, 1].max() < width / 2  # left-aligned
    assert not letters[:, 0].any() and not letters[-1].any()  # not cut off
    assert (below.max(axis=-1) > 80)[-40:].sum() > 200  # the small print


def test_a_partial_caption_is_dimmer(tmp_path):
    picture, _ = open_window(tmp_path, "partial")
    caption = picture[int(0.78 * picture.shape[0]) : int(0.95 * picture.shape[0])]
    assert 120 < caption[..., 1].max() < 190
