"""RTMPose: from boxes and places in pixels to keypoints; through rtmlib on ONNX files made here.

The published weights have not been run: the files made here have their inputs and outputs.
"""

import sys

import numpy as np
import pytest

from fingerpost.edge_runtime.keypoints import COCO_WHOLEBODY
from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.extraction.extract import Settings, extract_clip
from fingerpost.trainer.extraction.rtmpose import RtmPoseFinder, load_rtmpose

PICTURE = np.zeros((480, 640, 3), np.uint8)


class FakePose:
    """Puts keypoint k at the box's left top corner + (k, 2 k) pixels; remembers the boxes."""

    def __init__(self, score=0.5):
        self.boxes, self.score = [], score

    def __call__(self, bgr, boxes):
        self.boxes += [tuple(box) for box in boxes]
        places = np.array([box[:2] + np.arange(133)[:, None] * [1, 2] for box in boxes])
        scores = np.full((len(boxes), 133), self.score)
        scores[:, 7] = -0.1  # SimCC can be below 0, and above 1
        scores[:, 8] = 1.3
        return places, scores


def test_places_become_fractions_and_scores_confidence():
    finder = RtmPoseFinder(lambda bgr: [[100, 50, 300, 450]], FakePose())
    frame = finder.detect(PICTURE, 40)
    assert frame.time_ms == 40
    assert frame.xyz.shape == (133, 3)
    assert frame.xyz.dtype == frame.confidence.dtype == np.float32
    np.testing.assert_allclose(frame.xyz[20], [120 / 640, 90 / 480, 0], atol=1e-6)
    assert frame.confidence[20] == 0.5
    assert (frame.confidence[7], frame.confidence[8]) == (0, 1)
    assert not frame.xyz[7].any()


def test_nobody_is_all_zeros():
    pose = FakePose()
    frame = RtmPoseFinder(lambda bgr: np.array([]), pose).detect(PICTURE, 0)
    assert not frame.xyz.any() and not frame.confidence.any()
    assert pose.boxes == []


def test_pictures_are_given_as_blue_green_red():
    seen = []
    rgb = PICTURE + np.array([1, 2, 3], np.uint8)
    RtmPoseFinder(lambda bgr: seen.append(bgr[0, 0].tolist()) or [], FakePose()).detect(rgb, 0)
    assert seen == [[3, 2, 1]]


def test_the_signer_is_the_largest_person_and_stays_the_same_one():
    left, right, huge = (0, 0, 200, 400), (400, 0, 560, 400), (380, 0, 640, 480)
    moved = (10, 0, 215, 400)
    in_each = iter([[right, left], [right, moved, huge], [], [moved, huge], [right]])
    pose = FakePose()
    finder = RtmPoseFinder(lambda bgr: next(in_each), pose)
    for t in range(5):
        finder.detect(PICTURE, 40 * t)
    assert pose.boxes == [left, moved, moved, right]  # the last: nobody where the signer was


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    model = tmp_path / "model.onnx"
    model.write_bytes(b"")
    with pytest.raises(ValueError, match="needs --detector-model FILE.onnx"):
        load_rtmpose(model, None)
    with pytest.raises(ValueError, match="needs --rtmpose-model FILE.onnx"):
        load_rtmpose(None, model)
    with pytest.raises(FileNotFoundError, match="absent.onnx, given as --rtmpose-model"):
        load_rtmpose(tmp_path / "absent.onnx", model)
    monkeypatch.setitem(sys.modules, "rtmlib", None)
    with pytest.raises(ValueError, match="pip install --no-deps rtmlib==0.0.16"):
        load_rtmpose(model, model)


def write_model(path, input_shape, outputs, nodes, constants):
    """An ONNX file with an input "picture"; outputs : name to shape."""
    onnx = pytest.importorskip("onnx")
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node(*node[:3], **node[3]) for node in nodes],
        path.stem,
        [helper.make_tensor_value_info("picture", floats, input_shape)],
        [helper.make_tensor_value_info(name, floats, shape) for name, shape in outputs.items()],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    return path


def write_detector(path):
    """YOLOX with its own NMS: a box (80, 60, 320, 380) with the score of mean blue / 255."""
    blue = np.array([0, 0, 0, 0, 1 / 255], np.float32)
    return write_model(
        path,
        [1, 3, 480, 640],
        {"dets": [1, 1, 5]},
        [
            ("Slice", ["picture", "from", "to", "axis"], ["blue"], {}),
            ("ReduceMean", ["blue"], ["mean"], {"keepdims": 0}),
            ("Mul", ["mean", "score"], ["scored"], {}),
            ("Add", ["scored", "box"], ["dets"], {}),
        ],
        {
            "from": np.array([0]),
            "to": np.array([1]),
            "axis": np.array([1]),
            "score": blue,
            "box": np.array([[[80, 60, 320, 380, 0]]], np.float32),
        },
    )


def write_pose(path, points=133):
    """RTMPose 192x256: keypoint k peaks at bin 2 k of 384 in x and at bin 3 k of 512 in y."""
    simcc_x, simcc_y = np.zeros((1, points, 384)), np.zeros((1, points, 512))
    for k in range(points):
        simcc_x[0, k, 2 * k] = 0.6
        simcc_y[0, k, 3 * k] = 0.8
    return write_model(
        path,
        [1, 3, 256, 192],
        {"simcc_x": [1, points, 384], "simcc_y": [1, points, 512]},
        [
            ("ReduceMean", ["picture"], ["mean"], {"keepdims": 0}),
            ("Mul", ["mean", "none"], ["zero"], {}),
            ("Add", ["zero", "x"], ["simcc_x"], {}),
            ("Add", ["zero", "y"], ["simcc_y"], {}),
        ],
        {
            "none": np.zeros(1, np.float32),
            "x": simcc_x.astype(np.float32),
            "y": simcc_y.astype(np.float32),
        },
    )


@pytest.fixture
def models(tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("rtmlib", reason="rtmlib is installed by hand (docs/extract.md)")
    return write_pose(tmp_path / "pose.onnx"), write_detector(tmp_path / "detector.onnx")


def test_through_rtmlib_keypoints_are_where_the_models_put_them(models, capfd):
    with load_rtmpose(*models)(640, 480) as finder:
        frame = finder.detect(PICTURE + np.array([0, 0, 200], np.uint8), 0)
        nobody = finder.detect(PICTURE + np.array([200, 0, 0], np.uint8), 40)  # red, not blue
    assert not nobody.confidence.any()
    # The box is 240 x 320 around (200, 220); a quarter more, and already 3 : 4: 300 x 400. Bins
    # are half pixels of 192 x 256.
    k = np.arange(133)
    x = 200 - 150 + k / 192 * 300
    y = 220 - 200 + 1.5 * k / 256 * 400
    np.testing.assert_allclose(frame.xyz[:, 0] * 640, x, atol=0.01)
    np.testing.assert_allclose(frame.xyz[:, 1] * 480, y, atol=0.01)
    np.testing.assert_allclose(frame.confidence, 0.7, atol=1e-6)  # mean of both axes
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_a_folder_of_frames_through_rtmlib(models, tmp_path):
    cv2 = pytest.importorskip("cv2")
    for t in range(5):
        blue = PICTURE + np.array([200, 0, 0], np.uint8)  # OpenCV writes blue, green, red
        cv2.imwrite(str(tmp_path / f"{t}.png"), blue)
    settings = Settings(extractor="rtmpose", rtmpose_model=models[0], detector_model=models[1])
    sample = Sample("a", tmp_path, "", "", ("A",), "", "ase")
    clip = extract_clip(sample, load_rtmpose(*models), settings)
    assert clip.sequence.schema is COCO_WHOLEBODY
    assert len(clip.sequence) == 5
    assert clip.sequence.extractor.startswith("rtmpose pose.onnx ")
    assert (clip.sequence.confidence > 0.69).all()


def test_files_of_another_kind_are_one_line(models, tmp_path):
    pose, detector = models
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    for given, message in (
        ((pose, tmp_path / "junk.onnx"), "junk.onnx, given as --detector-model, is not a model"),
        ((detector, detector), "has 1 outputs, expected 2"),
        ((pose, pose), "has 2 outputs, expected 1"),
        ((write_pose(tmp_path / "body.onnx", 17), detector), "finds 17 keypoints, expected 133"),
    ):
        with pytest.raises(ValueError, match=message) as error:
            load_rtmpose(*given)
        assert "\n" not in str(error.value)
