"""The signer's pictures: scene, renderer, video, and the demo's truth."""

import json
from pathlib import Path

import numpy as np
import pytest

from fingerpost.edge_runtime.keypoints import SIGN69
from fingerpost.trainer.signer import Signer, sign_sentence
from fingerpost.trainer.signer.demo import IDLE, SENTENCES, demo_performance
from fingerpost.trainer.signer.scene import build_scene
from fingerpost.trainer.signer.sdf import FACE, N_GROUP, N_PRIM
from fingerpost.trainer.signer.video import write_video
from fingerpost.trainer.signer_corpus import split_of

DEMO = Path(__file__).parents[1] / "assets" / "demo"


def test_scene_covers_the_hands_and_has_a_face():
    signer = Signer()
    performance = sign_sentence(["finish"], signer, np.random.default_rng(0))
    skeleton = performance.motion.skeleton(np.array([performance.spans[0][1]]))
    prims, groups, head = build_scene(skeleton, 0, signer)
    assert prims.shape[1:] == (N_PRIM,) and groups.shape[1:] == (N_GROUP,) and head.shape == (17,)
    assert (groups[:, 6] == FACE).sum() == 1
    for side in (0, 1):
        apart = np.linalg.norm(groups[:, 2:5] - skeleton.hands[0, side, 12], axis=1)
        assert (apart < groups[:, 5]).any()


def test_video_is_whole_or_not_there(tmp_path):
    import cv2

    frames = [np.full((48, 64, 3), 40 * k, np.uint8) for k in range(5)]
    assert write_video(frames, tmp_path / "a.mp4") == 5
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    video = cv2.VideoCapture(str(tmp_path / "a.mp4"))
    assert int(video.get(cv2.CAP_PROP_FRAME_COUNT)) == 5
    with pytest.raises(ValueError, match="no frames"):
        write_video([], tmp_path / "b.mp4")


def test_demo_is_ten_sentences_and_three_idle_parts():
    performance, truth = demo_performance()
    assert [sentence["text"] for sentence in truth["sentences"]] == [text for text, _ in SENTENCES]
    assert [split_of(text) for text, _ in SENTENCES[1:]] == ["test"] * 9
    assert len(SENTENCES) == 10 and len(IDLE) == len(truth["idle_ms"]) == 3
    assert truth["sentences"][0]["glosses"][0][2] <= 1500  # the first sign is over early
    assert 60_000 <= performance.duration_ms == truth["idle_ms"][-1][1] <= 65_000
    spans = [span for sentence in truth["sentences"] for span in sentence["glosses"]]
    for start, end in truth["idle_ms"]:
        assert end - start >= 2_500
        assert all(b + 700 < start or a > end + 700 for _, a, b in spans)
    for before, after in zip(truth["sentences"], truth["sentences"][1:], strict=False):
        assert after["glosses"][0][1] - before["glosses"][-1][2] >= 1500


def test_demo_file_is_the_script_s_truth():
    file = DEMO / "demo.json"
    if not file.exists():
        pytest.skip("assets/demo/demo.json has not been made")
    assert json.loads(file.read_text()) == demo_performance()[1]


@pytest.mark.slow
def test_rendered_hand_is_where_its_keypoints_are():
    from fingerpost.trainer.signer.renderer import render_frame

    signer = Signer()
    performance = sign_sentence(["finish"], signer, np.random.default_rng(0))
    time_ms = performance.spans[0][2] - 40
    keypoints = performance.keypoints(fps=50)
    xyz = keypoints.xyz[time_ms // 20]
    skeleton = performance.motion.skeleton(np.array([time_ms]))
    picture = render_frame(skeleton, 0, signer, height=120, grain=0).astype(int)
    assert picture.shape == (120, 160, 3)
    for name in ("left_hand", "right_hand"):
        u, v = (xyz[SIGN69.groups[name]][9, :2] * [160, 120]).astype(int)
        red, _, blue = picture[v, u]
        assert red > blue + 20  # skin, not the blue shirt nor the grey wall
