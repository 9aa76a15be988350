"""The model file that MediaPipe's holistic landmarker runs on, built once and kept per user.

MediaPipe 1.2.2 comes without models, and its official bundle is a download from a server that a
kiosk may not reach. The wheel of MediaPipe 0.10.21 (Apache-2.0) holds the same networks as TFLite
files, and is to be had wherever pip works: ``landmarker_bundle`` fetches it, checks each file's
sha256, and writes them into one ``.task`` file. Three things are changed on the way:

- Models that lack TFLite metadata get it (how to scale the input picture).
- The face model has six outputs that a calculator used to merge into 478 points; the new graph
  wants them merged already, so the merge becomes five more operations of the model.
- The graph insists on a blendshape model that the wheel lacks: it gets one that answers zeros.
"""

import hashlib
import importlib.util
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fingerpost.edge_runtime.mediapipe_alone import NOWHERE_PROXY, import_mediapipe

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
_N_MESH, _N_IRIS = 468, 5
_N_FACE = _N_MESH + 2 * _N_IRIS  # 478
# Which point of the mesh each refined point replaces: MediaPipe's tensors_to_face_landmarks graph.
# fmt: off
_LIPS: tuple[int, ...] = (
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409,
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415,
    76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306, 184, 74, 73, 72, 11, 302, 303, 304, 408,
    62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292, 183, 42, 41, 38, 12, 268, 271, 272, 407,
)
_LEFT_EYE: tuple[int, ...] = (
    33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173, 130, 25, 110, 24,
    23, 22, 26, 112, 243, 247, 30, 29, 27, 28, 56, 190, 226, 31, 228, 229, 230, 231, 232, 233,
    244, 113, 225, 224, 223, 222, 221, 189, 35, 124, 46, 53, 52, 65, 143, 111, 117, 118, 119, 120,
    121, 128, 245, 156, 70, 63, 105, 66, 107, 55, 193,
)
_RIGHT_EYE: tuple[int, ...] = (
    263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398, 359, 255, 339,
    254, 253, 252, 256, 341, 463, 467, 260, 259, 257, 258, 286, 414, 446, 261, 448, 449, 450, 451,
    452, 453, 464, 342, 445, 444, 443, 442, 441, 413, 265, 353, 276, 283, 282, 295, 372, 340, 346,
    347, 348, 349, 350, 357, 465, 383, 300, 293, 334, 296, 336, 285, 417,
)
# fmt: on
_N_EYE_RIM = 16  # the first of each eye's points are its rim; an iris lies at their mean depth


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


def build_bundle(models: dict[str, bytes]) -> bytes:
    """The ``.task`` file from its parts: a zip whose members are stored, not deflated."""
    import_mediapipe()
    parts = models | {"face_blendshapes": _zero_blendshapes()}
    parts["face_landmarks_detector"] = _merge_face_outputs(models["face_landmarks_detector"])
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as bundle:
        for part in sorted(parts):
            entry = zipfile.ZipInfo(f"{part}.tflite", (1980, 1, 1, 0, 0, 0))
            model = parts[part] if part == "face_blendshapes" else _with_metadata(parts[part])
            bundle.writestr(entry, model)
    return archive.getvalue()


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


class _Model:
    """A TFLite model taken apart, to add tensors and operations to."""

    def __init__(self, model: bytes | None = None) -> None:
        from mediapipe.tasks.metadata import schema_py_generated as tflite

        self.tflite: Any = tflite
        if model is not None:
            self.root = tflite.ModelT.InitFromObj(tflite.Model.GetRootAsModel(model, 0))
            self.graph = self.root.subgraphs[0]
            return
        self.root, self.graph = tflite.ModelT(), tflite.SubGraphT()
        self.root.version, self.root.description = 3, "made by Fingerpost"
        self.root.buffers, self.root.subgraphs = [tflite.BufferT()], [self.graph]
        self.root.operatorCodes, self.graph.tensors, self.graph.operators = [], [], []

    def buffer(self, content: bytes) -> int:
        buffer = self.tflite.BufferT()
        buffer.data = np.frombuffer(content, np.uint8)
        self.root.buffers.append(buffer)
        return len(self.root.buffers) - 1

    def tensor(self, name: str, shape: Sequence[int], constant: np.ndarray | None = None) -> int:
        """Adds a float32 tensor, or a constant of the array's own type; returns its number."""
        tensor = self.tflite.TensorT()
        tensor.name, tensor.shape, tensor.type = name, list(shape), self.tflite.TensorType.FLOAT32
        if constant is not None:
            tensor.buffer = self.buffer(constant.tobytes())
            if constant.dtype == np.int32:
                tensor.type = self.tflite.TensorType.INT32
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def integers(self, name: str, values: Sequence[int]) -> int:
        return self.tensor(name, [len(values)], np.array(values, np.int32))

    def operate(self, kind: str, inputs: list[int], output: int, **options: Any) -> int:
        """Adds an operation such as "Reshape", with its options; returns the output tensor."""
        code, operator = self.tflite.OperatorCodeT(), self.tflite.OperatorT()
        builtin = {"Mean": "MEAN", "Concatenation": "CONCATENATION"}.get(kind, kind.upper())
        code.builtinCode = getattr(self.tflite.BuiltinOperator, builtin)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 1
        self.root.operatorCodes.append(code)
        operator.opcodeIndex = len(self.root.operatorCodes) - 1
        operator.inputs, operator.outputs = inputs, [output]
        options_kind = {"Mean": "Reducer"}.get(kind, kind) + "Options"
        operator.builtinOptionsType = getattr(self.tflite.BuiltinOptions, options_kind)
        operator.builtinOptions = getattr(self.tflite, options_kind + "T")()
        for name, value in options.items():
            setattr(operator.builtinOptions, name, value)
        self.graph.operators.append(operator)
        return output

    def reshape(self, tensor: int, name: str, shape: list[int]) -> int:
        target = self.integers(f"{name}/shape", shape)
        return self.operate("Reshape", [tensor, target], self.tensor(name, shape), newShape=shape)

    def gather(self, tensor: int, name: str, indices: Sequence[int]) -> int:
        picked = [tensor, self.integers(f"{name}/indices", indices)]
        return self.operate("Gather", picked, self.tensor(name, [len(indices)]), axis=0)

    def content(self) -> bytes:
        import flatbuffers

        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(self.root.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


def _merge_face_outputs(model: bytes) -> bytes:
    """The face model with one output: 478 points, x y z each, instead of mesh, lips, eyes, irises.

    The finer x, y of lips and eyes replace the mesh's; an iris takes the mean z of its eye's rim.
    """
    face = _Model(model)
    number = {face.graph.tensors[k].name.decode(): k for k in face.graph.outputs}
    sizes = {"mesh_identity": 3 * _N_MESH, "lips": 2 * len(_LIPS)}
    sizes |= {"left_eye": 2 * len(_LEFT_EYE), "right_eye": 2 * len(_RIGHT_EYE)}
    sizes |= {"left_iris": 2 * _N_IRIS, "right_iris": 2 * _N_IRIS}
    flat = {n: face.reshape(number[f"output_{n}"], f"flat/{n}", [k]) for n, k in sizes.items()}
    for eye, points in (("left", _LEFT_EYE), ("right", _RIGHT_EYE)):
        rim = [3 * point + 2 for point in points[:_N_EYE_RIM]]
        depths = face.gather(flat["mesh_identity"], f"{eye}_rim_z", rim)
        axis = face.integers(f"{eye}_iris_z/axis", [0])
        z = face.operate("Mean", [depths, axis], face.tensor(f"{eye}_iris_z", [1]), keepDims=True)
        flat[f"{eye}_iris_z"], sizes[f"{eye}_iris_z"] = z, 1
    ends = np.cumsum(list(sizes.values())).tolist()
    start = {n: end - size for (n, size), end in zip(sizes.items(), ends, strict=True)}
    joined = face.tensor("joined", [ends[-1]])
    face.operate("Concatenation", list(flat.values()), joined, axis=0)

    source = np.zeros((_N_FACE, 3), np.int32)  # where each coordinate of each point is in `joined`
    source[:_N_MESH] = np.arange(3 * _N_MESH).reshape(-1, 3)
    for n, points in (("lips", _LIPS), ("left_eye", _LEFT_EYE), ("right_eye", _RIGHT_EYE)):
        source[list(points), :2] = start[n] + np.arange(2 * len(points)).reshape(-1, 2)
    for n, first in (("left_iris", _N_MESH), ("right_iris", _N_MESH + _N_IRIS)):
        iris = source[first : first + _N_IRIS]
        iris[:, :2] = start[n] + np.arange(2 * _N_IRIS).reshape(-1, 2)
        iris[:, 2] = start[f"{n}_z"]
    merged = face.gather(joined, "merged", source.reshape(-1).tolist())
    landmarks = face.reshape(merged, "landmarks", [1, 1, 1, 3 * _N_FACE])
    face.graph.outputs = [landmarks, number["conv_faceflag"]]
    face.root.signatureDefs = face.root.metadata = None  # they describe the old outputs
    return face.content()


def _zero_blendshapes() -> bytes:
    """A model from (1, 146, 2) points to 52 zeros, in place of one that the wheel lacks."""
    model = _Model()
    points = model.tensor("points", [1, 146, 2])
    begin, size = model.integers("begin", [0, 0, 0]), model.integers("size", [1, 52, 1])
    slice_ = model.operate("Slice", [points, begin, size], model.tensor("slice", [1, 52, 1]))
    flat = model.reshape(slice_, "flat", [52])
    zero = model.tensor("zero", [1], np.zeros(1, np.float32))
    model.graph.inputs = [points]
    model.graph.outputs = [model.operate("Mul", [flat, zero], model.tensor("blendshapes", [52]))]
    return model.content()


def _with_metadata(model: bytes) -> bytes:
    """The model with TFLite metadata: an RGB picture scaled to 0..1. As it is where it has some."""
    import flatbuffers
    from mediapipe.tasks.metadata import metadata_schema_py_generated as schema

    edited = _Model(model)
    if any(entry.name == b"TFLITE_METADATA" for entry in edited.root.metadata or []):
        return model
    picture = schema.TensorMetadataT()
    picture.name, picture.content = "image", schema.ContentT()
    picture.content.contentPropertiesType = schema.ContentProperties.ImageProperties
    picture.content.contentProperties = schema.ImagePropertiesT()
    picture.content.contentProperties.colorSpace = schema.ColorSpaceType.RGB
    scaling, normalise = schema.ProcessUnitT(), schema.NormalizationOptionsT()
    normalise.mean, normalise.std = [0.0], [255.0]
    scaling.optionsType = schema.ProcessUnitOptions.NormalizationOptions
    scaling.options, picture.processUnits = normalise, [scaling]
    picture.stats = schema.StatsT()
    picture.stats.min, picture.stats.max = [0.0], [1.0]
    graph, root = schema.SubGraphMetadataT(), schema.ModelMetadataT()
    graph.inputTensorMetadata = [picture]
    graph.outputTensorMetadata = [schema.TensorMetadataT() for _ in edited.graph.outputs]
    root.minParserVersion, root.subgraphMetadata = "1.0.0", [graph]
    builder = flatbuffers.Builder(0)
    builder.Finish(root.Pack(builder), file_identifier=b"M001")

    entry = edited.tflite.MetadataT()
    entry.name, entry.buffer = "TFLITE_METADATA", edited.buffer(bytes(builder.Output()))
    edited.root.metadata = [*(edited.root.metadata or []), entry]
    return edited.content()
