"""Too few sights a second: who is told what, and that a camera's backlog is one picture."""

import os
import subprocess
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from fingerpost.app import session as sessions
from fingerpost.app.frame_rate import N_SIGHTS, FrameRate
from fingerpost.app.observer import KeypointObserver
from fingerpost.app.session import Channel, VideoObserver
from fingerpost.edge_runtime import landmarker_bundle, landmarks
from fingerpost.edge_runtime.keypoints import MEDIAPIPE_HOLISTIC, KeypointFrame, PoseSequence

N = len(MEDIAPIPE_HOLISTIC)


def lines(steps_ms, dropped=0, live=True):
    """What is said at each sight. steps_ms : between them; dropped : pictures at each step"""
    rate, now, said = FrameRate("camera 0", live), 0, []
    for k, step_ms in enumerate(steps_ms):
        said.append(rate.push(now, dropped * k))
        now += step_ms
    return said


def test_eight_a_second_are_enough_and_fewer_are_not():
    assert set(lines([125] * 60)) == {""}
    said = lines([126] * 60)
    assert said[: N_SIGHTS - 1] == [""] * (N_SIGHTS - 1) and all(said[N_SIGHTS - 1 :])
    assert set(lines([])) == set()


def test_the_line_says_whose_fault_it_is():
    assert "camera 0 gives 5.0 pictures a second" in lines([200] * 30)[-1]
    assert "more light" in lines([200] * 30)[-1]
    assert "this machine looks at 5.0 pictures" in lines([200] * 30, dropped=2)[-1]
    assert "light" not in lines([200] * 30, live=False)[-1]
    assert "\n" not in lines([200] * 30)[-1]


def test_a_camera_that_hangs_now_and_then_is_not_slow():
    steps = [33] * 100
    steps[10::20] = [1500] * 5
    assert set(lines(steps)) == {""}


def test_the_line_goes_when_it_is_better_but_does_not_flicker():
    said = lines([140] * 40 + [115] * 40 + [100] * 40)
    assert said[39] and said[79] and not said[-1]
    around = [bool(line) for line in lines([124, 127, 127] * 40)]
    assert sum(a != b for a, b in zip(around, around[1:], strict=False)) <= 1


# ---- the session -----------------------------------------------------------------------------


def looked_at(camera_ms, landmarks_ms, seconds=10):
    """A camera and a landmarker by a clock of their own: (time, began) of each picture."""
    channel = Channel(sessions.PICTURES_WAITING_LIVE, drop_oldest=True)
    now, next_ms, looked, most = 0.0, 0.0, [], 0
    while now < seconds * 1000:
        while next_ms <= now:
            channel.put(next_ms)
            next_ms += camera_ms
        most = max(most, len(channel._items))
        if (picture := channel.poll()) is None:
            now = next_ms
        else:
            looked.append((picture, now))
            now += landmarks_ms
    return looked, most


@pytest.mark.parametrize("landmarks_ms", [10, 33, 50, 80, 200])
def test_a_slow_landmarker_drops_pictures_evenly_and_is_never_more_than_one_behind(landmarks_ms):
    looked, most = looked_at(33, landmarks_ms)
    steps = np.diff([picture for picture, _ in looked])
    assert steps.max() - steps.min() <= 33
    assert max(began - picture for picture, began in looked) < 33
    assert most <= 1
    assert len(looked) == pytest.approx(10_000 / max(33, landmarks_ms), rel=0.15)


class SlowLandmarker:
    """The first picture takes until the camera has given all of its pictures."""

    schema, extractor = MEDIAPIPE_HOLISTIC, "fake 1"
    camera_ended = threading.Event()

    def __init__(self, width, height, bundle=None, mirrored=False):
        self.aspect = width / height

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def detect(self, rgb, time_ms):
        self.camera_ended.wait()
        return KeypointFrame(time_ms, np.zeros((N, 3), np.float32), np.ones(N, np.float32))


class FakeVideo:
    def __init__(self, steps_ms, begun=None):
        self.info = SimpleNamespace(width=64, height=48, fps=25.0, frames=len(steps_ms))
        self.problem, self.times, self.begun = "", np.cumsum(steps_ms).tolist(), begun

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def __iter__(self):
        for k, time_ms in enumerate(self.times):
            yield time_ms, np.zeros((48, 64, 3), np.uint8)
            if k == 0 and self.begun:
                self.begun()
        SlowLandmarker.camera_ended.set()


@pytest.fixture
def slow_landmarker(monkeypatch):
    SlowLandmarker.camera_ended.clear()
    monkeypatch.setattr(landmarks, "Landmarker", SlowLandmarker)
    monkeypatch.setattr(landmarker_bundle, "landmarker_bundle", lambda tell=None: None)


def test_a_camera_shows_the_newest_picture_to_a_landmarker_that_was_busy(slow_landmarker):
    observer = VideoObserver("camera 0", lambda: video, live=True)
    pictures = observer._pictures

    def wait_until_taken():
        while pictures._items:
            threading.Event().wait(0.001)

    video = FakeVideo([40] * 10, wait_until_taken)
    with observer:
        assert [sight.time_ms for sight in observer] == [40, 400]
    assert pictures.n_dropped == 8


def test_a_file_waits_for_a_slow_landmarker(slow_landmarker):
    SlowLandmarker.camera_ended.set()
    with VideoObserver("clip", lambda: FakeVideo([40] * 30)) as observer:
        assert [sight.time_ms for sight in observer] == [40 * k for k in range(1, 31)]


@pytest.mark.parametrize(("step_ms", "is_slow"), [(200, True), (40, False)])
def test_sights_say_that_the_source_is_slow(slow_landmarker, step_ms, is_slow):
    SlowLandmarker.camera_ended.set()
    with VideoObserver("clip", lambda: FakeVideo([step_ms] * 40)) as observer:
        slow = [sight.slow for sight in observer]
    assert not slow[0] and bool(slow[-1]) is is_slow
    confidence = np.ones((40, N), np.float32)
    keypoints = PoseSequence(np.zeros((40, N, 3)), confidence, 1000 / step_ms, MEDIAPIPE_HOLISTIC)
    with KeypointObserver("a.npz", keypoints) as watched:
        assert [bool(sight.slow) for sight in watched] == [bool(line) for line in slow]


def test_the_user_is_told_once(slow_landmarker, monkeypatch, tmp_path):
    import fingerpost.app.commands_caption as commands
    from fingerpost.edge_runtime.captions import Line, LineCompleted

    class Silent:
        def push(self, frame):
            return []

        def flush(self):
            return [LineCompleted(0, Line("HELLO", ("hello",), ((),), 0, 0, 1.0, ((0, 0),)))]

    SlowLandmarker.camera_ended.set()
    observer = VideoObserver("clip.mp4", lambda: FakeVideo([200] * 60))
    about = {"notice": "", "languages": ("ase",), "name": "p", "version": "1"}
    manifest = SimpleNamespace(translation=None, **about)
    told = []
    monkeypatch.setattr(commands, "load_pack", lambda name: SimpleNamespace(manifest=manifest))
    monkeypatch.setattr(commands, "make_captioner", lambda *given: Silent())
    monkeypatch.setattr(commands, "observe", lambda *given: observer)
    monkeypatch.setattr(commands.CaptionPrinter, "tell", lambda self, line: told.append(line))
    assert commands.run_caption("clip.mp4", commands.CaptionOutputs()) == 0
    assert [line for line in told if "pictures a second" in line] == [
        "clip.mp4 gives 5.0 pictures a second, and below 8 quick signs are missed"
    ]


WINDOW = """
import sys
from pathlib import Path
import numpy as np
from fingerpost.app.screen import settle_kivy
settle_kivy(Path(sys.argv[1]) / "kivy")
from fingerpost.app import window
from fingerpost.app.observer import KeypointObserver
from fingerpost.app.session import Session
from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence

class Silent:
    def push(self, frame):
        return []
    def flush(self):
        return []

class Screen(window.CaptionScreen):
    def show_warning(self, line):
        super().show_warning(line)
        shown.append((line, self.warning.text, self.warning.height > 0))

shown, window.CaptionScreen, window.SHOWN_AFTER_END_S = [], Screen, 0.1
sequence = PoseSequence(np.zeros((30, 69, 3)), np.ones((30, 69)), 5.0, SIGN69)
observer = KeypointObserver("slow.npz", sequence)
observer.live = True  # so that nobody waits six seconds
window.run_window(Session(observer, Silent()), "Slow")
print(sorted(set(shown)))
"""


def test_the_window_shows_the_line_above_the_captions(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", WINDOW, str(tmp_path), "--size=1x1"],
        env={**os.environ, "SDL_VIDEODRIVER": "offscreen"},
        capture_output=True,
        text=True,
        check=True,
    )
    line = "slow.npz gives 5.0 pictures a second, and below 8 quick signs are missed"
    assert done.stdout.strip().splitlines()[-1] == str([("", "", False), (line, line, True)])
