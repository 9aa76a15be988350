"""RTMPose, whole body, through rtmlib: the 133 COCO-WholeBody keypoints of one person in 2D.

What Uni-Sign and most papers of its kind extract with (Jiang et al., RTMPose, 2023; code and models
open-mmlab/mmpose, Apache-2.0). A person detector (YOLOX) finds the signer in every picture, RTMPose
the keypoints in that box. Both are ONNX files that rtmlib would fetch by itself; here they are
given, so that nothing is downloaded in the middle of a run. rtmlib's own requirement of
``opencv-python`` would overwrite OpenCV's files: it is installed with ``--no-deps``
(docs/extract.md).

Not yet run with the published weights: tested with small ONNX models of the same inputs and
outputs, whose answers are known.
"""

import io
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from fingerpost.edge_runtime.keypoints import COCO_WHOLEBODY, KeypointFrame

SAME_PERSON_IOU = 0.3  # the box that overlaps the last one by this much is the same person
INSTALL = 'pip install "fingerpost[rtmpose]" && pip install --no-deps rtmlib==0.0.16'


class RtmPoseFinder:
    """Finds the keypoints of the signer in the pictures of one clip, in their order.

    The signer is who fills the largest box at first, and is then followed by the box's overlap.

    detector : a BGR picture to boxes (N, 4), in pixels: left, top, right, bottom
    pose : a BGR picture and a list of boxes to places (N, 133, 2) in pixels and scores (N, 133)
    """

    def __init__(self, detector: Callable[..., Any], pose: Callable[..., Any]) -> None:
        self._detector, self._pose = detector, pose
        self._last: np.ndarray | None = None  # the signer's box, (4,)

    def detect(self, rgb: np.ndarray, time_ms: int) -> KeypointFrame:
        """The keypoints of one picture, (H, W, 3) uint8; all zeros where nobody is seen."""
        k = len(COCO_WHOLEBODY)
        xyz, confidence = np.zeros((k, 3), np.float32), np.zeros(k, np.float32)
        bgr = np.ascontiguousarray(rgb[:, :, ::-1])
        boxes = np.asarray(self._detector(bgr), np.float32).reshape(-1, 4)
        if len(boxes):
            self._last = _signer(boxes, self._last)
            places, scores = self._pose(bgr, [self._last])
            height, width = rgb.shape[:2]
            confidence = np.clip(scores[0], 0, 1).astype(np.float32)
            xyz[:, :2] = places[0] / np.array([width, height])
            xyz[confidence == 0] = 0
        return KeypointFrame(time_ms, xyz, confidence)


def load_rtmpose(
    pose_model: Path | None, detector_model: Path | None
) -> Callable[[int, int], AbstractContextManager[RtmPoseFinder]]:
    """Loads both models once; what comes back makes a finder for each clip.

    ValueError or OSError: rtmlib is missing, a file is not given, not there, or of another kind.
    """
    for path, option in ((detector_model, "--detector-model"), (pose_model, "--rtmpose-model")):
        if path is None:
            raise ValueError(f"the extractor rtmpose needs {option} FILE.onnx (docs/extract.md)")
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}, given as {option}")
    assert pose_model is not None and detector_model is not None
    try:
        import onnxruntime  # noqa: F401  # rtmlib imports it later, where its absence is no ImportError
        import rtmlib
    except ModuleNotFoundError as error:
        raise ValueError(
            f"the extractor rtmpose needs rtmlib ({error.name} is not installed): {INSTALL}"
        ) from error
    detector = _open(rtmlib.YOLOX, detector_model, "--detector-model", 1)
    pose = _open(rtmlib.RTMPose, pose_model, "--rtmpose-model", 2)
    height, width = _input_size(detector, detector_model)
    detector.model_input_size = (height, width)
    height, width = _input_size(pose, pose_model)
    pose.model_input_size = (width, height)
    points = pose.session.get_outputs()[0].shape[1]
    if points != len(COCO_WHOLEBODY):
        raise ValueError(
            f"{pose_model} finds {points} keypoints, expected {len(COCO_WHOLEBODY)}: take a model "
            "for the whole body (COCO-WholeBody)"
        )
    return lambda width, height: nullcontext(RtmPoseFinder(detector, pose))


def _open(kind: Callable[..., Any], path: Path, option: str, n_outputs: int) -> Any:
    """One of rtmlib's tools on a model file, on the CPU, without what it prints."""
    from onnxruntime.capi import onnxruntime_pybind11_state as problems

    try:
        with redirect_stdout(io.StringIO()):
            tool = kind(str(path), backend="onnxruntime", device="cpu")
    except (problems.InvalidProtobuf, problems.InvalidGraph, problems.Fail) as error:
        raise ValueError(f"{path}, given as {option}, is not a model that runs here") from error
    if len(tool.session.get_outputs()) != n_outputs:
        raise ValueError(
            f"{path}, given as {option}, has {len(tool.session.get_outputs())} outputs, expected "
            f"{n_outputs}; --detector-model wants YOLOX, --rtmpose-model wants RTMPose (SimCC)"
        )
    return tool


def _input_size(tool: Any, path: Path) -> tuple[int, int]:
    """Height and width of the pictures that the model takes, as the model itself says."""
    shape = tool.session.get_inputs()[0].shape
    if len(shape) != 4 or not all(isinstance(side, int) for side in shape[2:]):
        raise ValueError(f"{path} takes input {shape}, expected (1, 3, height, width)")
    return shape[2], shape[3]


def _signer(boxes: np.ndarray, last: np.ndarray | None) -> np.ndarray:
    """Of boxes (N, 4) the one that the signer is in, (4,)."""
    areas = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    if last is not None:
        corners = np.maximum(boxes[:, :2], last[:2]), np.minimum(boxes[:, 2:], last[2:])
        shared = np.prod(np.maximum(corners[1] - corners[0], 0), axis=1)
        overlap = shared / (areas + np.prod(last[2:] - last[:2]) - shared)  # (N,)
        if overlap.max() >= SAME_PERSON_IOU:
            return boxes[overlap.argmax()]
    return boxes[areas.argmax()]
