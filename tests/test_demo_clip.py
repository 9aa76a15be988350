"""The golden clip, from pixels to captions: what `make demo` shows is what was signed."""

import json
import subprocess
import sys
from functools import cache
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from fingerpost.edge_runtime.captioner import Captioner
from fingerpost.edge_runtime.captions import LineCompleted
from fingerpost.edge_runtime.keypoints import MEDIAPIPE_HOLISTIC, KeypointFrame
from fingerpost.edge_runtime.landmarks import Landmarker
from fingerpost.edge_runtime.pack import bundled_pack, open_pack
from fingerpost.edge_runtime.video import open_video

DEMO = Path(__file__).parents[1] / "assets" / "demo"
TRUTH = json.loads((DEMO / "demo.json").read_text(encoding="utf-8"))
SIGNS = [tuple(sign) for sentence in TRUTH["sentences"] for sign in sentence["glosses"]]
LEFT, RIGHT = MEDIAPIPE_HOLISTIC.groups["left_hand"], MEDIAPIPE_HOLISTIC.groups["right_hand"]


@cache
def landmarks() -> tuple[tuple[KeypointFrame, ...], float]:
    """Every frame of the clip, and the picture's aspect."""
    with open_video(DEMO / "demo.mp4") as video:
        with Landmarker(video.info.width, video.info.height) as landmarker:
            return tuple(landmarker.detect(rgb, t) for t, rgb in video), landmarker.aspect


@cache
def lines() -> tuple:
    frames, aspect = landmarks()
    captioner = Captioner(open_pack(bundled_pack()), MEDIAPIPE_HOLISTIC, aspect)
    events = list(chain.from_iterable(captioner.push(f) for f in frames)) + captioner.flush()
    return tuple(e.line for e in events if isinstance(e, LineCompleted))


def test_the_signs_of_the_four_sentences_come_out_in_order():
    assert len(TRUTH["sentences"]) == 4
    got = [line.glosses for line in lines()]
    assert got == [tuple(g for g, _, _ in s["glosses"]) for s in TRUTH["sentences"]]


def test_each_sign_comes_out_when_it_was_signed():
    spans = [span for line in lines() for span in line.spans]
    for (start, end), (gloss, true_start, true_end) in zip(spans, SIGNS, strict=True):
        shared = min(end, true_end) - max(start, true_start)
        assert shared >= 0.5 * (true_end - true_start), gloss


def test_idle_hands_give_no_caption():
    start, end = TRUTH["idle_ms"]
    assert end - start >= 9_500
    assert [line for line in lines() if line.end_ms > start] == []


def test_hands_are_found_and_never_change_sides():
    frames, _ = landmarks()
    found, swapped = [], 0
    for frame in frames:
        if any(a <= frame.time_ms <= b for _, a, b in SIGNS):
            found.append(frame.confidence[[LEFT.start, RIGHT.start]].any())
            if frame.confidence[[LEFT.start, RIGHT.start]].all():
                elbows = [MEDIAPIPE_HOLISTIC.index(f"{s}_elbow") for s in ("left", "right")]
                left, right = frame.xyz[LEFT.start, 0], frame.xyz[RIGHT.start, 0]
                swapped += left < right - 0.15 and frame.xyz[elbows[0], 0] > frame.xyz[elbows[1], 0]
    assert np.mean(found) >= 0.95
    assert swapped == 0


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_raised_right_hand_is_the_right_hand(mirrored):
    """HELLO, signed with the right hand alone: seen by a camera, and by a selfie camera."""
    gloss, start, end = SIGNS[0]
    assert gloss == "hello"
    sides = []
    with open_video(DEMO / "demo.mp4") as video:
        with Landmarker(video.info.width, video.info.height, mirrored=mirrored) as landmarker:
            for time_ms, rgb in video:
                if time_ms > end:
                    break
                picture = np.ascontiguousarray(rgb[:, ::-1]) if mirrored else rgb
                frame = landmarker.detect(picture, time_ms)
                if time_ms >= (start + end) / 2:
                    nose = frame.xyz[MEDIAPIPE_HOLISTIC.index("nose"), 0]
                    raised = frame.confidence[RIGHT.start] > 0
                    sides.append(raised and frame.xyz[RIGHT.start, 0] < nose)
    assert len(sides) >= 4 and np.mean(sides) >= 0.9


def test_captioning_a_video_never_imports_torch():
    code = (
        "import sys\n"
        "from fingerpost.app.cli import main\n"
        f"sys.argv = ['fingerpost', 'caption', {str(DEMO / 'demo.mp4')!r}, '--seconds', '1.5']\n"
        "try:\n    main()\n"
        "finally:\n    print('LOADED', *{m.split('.')[0] for m in sys.modules})\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    loaded = set(run.stdout.split("LOADED", 1)[1].split())
    assert {"mediapipe", "cv2"} <= loaded, run.stderr
    assert not {"torch", "transformers", "kivy", "matplotlib", "scipy"} & loaded
