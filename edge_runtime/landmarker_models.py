"""The parts of a landmarker bundle, changed until MediaPipe 1.2.2's graph takes them.

- Models that lack TFLite metadata get it (how to scale the input picture).
- The face model has six outputs that a calculator used to merge into 478 points; the new graph
  wants them merged already, so the merge becomes five more operations of the model.
- The graph insists on a blendshape model that the wheel lacks: it gets one that answers zeros.
"""

import io
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from fingerpost.edge_runtime.mediapipe_alone import import_mediapipe

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
