"""Core ML packages as one file each, and what is inside them. Nothing here needs a Mac.

An .mlpackage is a folder, and a pack's graph is a file: so it is a zip of that folder, whose three
files have fixed names. It may come from anywhere, and is opened as suspiciously as a pack.
"""

import json
import math
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fingerpost.edge_runtime.backends.named_tensors import NEXT, check_found, inputs_of, one_line
from fingerpost.edge_runtime.manifest import GraphSpec
from fingerpost.edge_runtime.pack_files import pack_files, write_zip

PROGRAM = "Data/com.apple.CoreML/model.mlmodel"
WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"
_LISTING = "Manifest.json"
_FILES = (_LISTING, PROGRAM, WEIGHTS)
_TARGETS = {8: "iOS 17", 9: "iOS 18"}  # by the specification's version; what we make
_DTYPES = {65568: "float32", 65552: "float16", 131104: "int32"}  # of ArrayFeatureType
# The items of a package have random identifiers where Apple's tools make it. These are as good, and
# the same each time.
_PROGRAM_ID = "6f0e4c9a-0000-5000-8000-000000000001"
_WEIGHTS_ID = "6f0e4c9a-0000-5000-8000-000000000002"


@dataclass(frozen=True)
class PackageReport:
    """What is in a package.

    target : the first system that can run it: "iOS 17"
    operators : how many of each there are, without constants
    numbers : of all constants, how many are kept as what: "float16", "int8", "uint4"
    states : that live inside the program, by name
    size_bytes : of the zipped package
    """

    target: str
    operators: Mapping[str, int]
    numbers: Mapping[str, int]
    states: tuple[str, ...]
    size_bytes: int


def zip_package(program: bytes, weights: bytes) -> bytes:
    """A package as one file; the same bytes for the same content.

    program : a serialised ``Model`` of Core ML; weights : what it reads its constants from
    """
    items = {
        _PROGRAM_ID: _item("CoreML Model Specification", "model.mlmodel", "model.mlmodel"),
        _WEIGHTS_ID: _item("CoreML Model Weights", "weights", "weights"),
    }
    listing = {
        "fileFormatVersion": "1.0.0",
        "itemInfoEntries": items,
        "rootModelIdentifier": _PROGRAM_ID,
    }
    content = json.dumps(listing, indent=4, sort_keys=True) + "\n"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "package.zip"
        write_zip(file, {_LISTING: content.encode(), PROGRAM: program, WEIGHTS: weights})
        return file.read_bytes()


def unzip_package(package: bytes, file: str, folder: Path) -> Path:
    """The .mlpackage, in an empty folder; ValueError for a zip of anything else.

    file : what the pack calls it, for messages
    """
    zipped = folder / Path(file).name
    zipped.write_bytes(package)
    try:
        files = pack_files(zipped)
        if sorted(files.sizes) != sorted(_FILES):
            raise ValueError(f"{zipped} is no Core ML package; export it again")
        root = folder / "graph.mlpackage"
        for name in _FILES:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(files.read(name))
    except ValueError as error:
        raise ValueError(str(error).replace(str(zipped), file)) from error
    zipped.unlink()
    return root


def check_package(package: bytes, spec: GraphSpec) -> PackageReport:
    """What is in a package; ValueError, in one line, where it is not what the manifest says."""
    with tempfile.TemporaryDirectory() as folder:
        root = unzip_package(package, spec.file, Path(folder))
        model = _read_program((root / PROGRAM).read_bytes(), spec.file)
        weights_bytes = (root / WEIGHTS).stat().st_size
    states = tuple(state.name for state in model.description.state)
    _check_tensors(model, spec, states)
    (function,) = model.mlProgram.functions.values()
    block = function.block_specializations[function.opset]
    for value in _constants(block):
        blob = value.blobFileValue
        if blob.fileName and blob.offset >= weights_bytes:
            raise ValueError(f"{spec.file} is damaged: its weights are cut off; get it again")
    operators = Counter(op.type for op in block.operations if op.type != "const")
    return PackageReport(
        target=_TARGETS[model.specificationVersion],
        operators=dict(sorted(operators.items())),
        numbers=dict(sorted(_count_numbers(block).items())),
        states=states,
        size_bytes=len(package),
    )


def _item(description: str, name: str, path: str) -> dict[str, str]:
    return {
        "author": "com.apple.CoreML",
        "description": description,
        "name": name,
        "path": f"com.apple.CoreML/{path}",
    }


def _read_program(content: bytes, file: str) -> Any:
    from coremltools.proto import Model_pb2
    from google.protobuf.message import DecodeError

    model = Model_pb2.Model()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise ValueError(f"{file} is damaged: {one_line(error)}; get it again") from error
    if model.WhichOneof("Type") != "mlProgram" or len(model.mlProgram.functions) != 1:
        raise ValueError(f"{file} is no ML Program of one function; export it again")
    (function,) = model.mlProgram.functions.values()
    if function.opset not in function.block_specializations:
        raise ValueError(f"{file} has no program for {function.opset!r}; export it again")
    if model.specificationVersion not in _TARGETS:
        raise ValueError(
            f"{file} has the specification version {model.specificationVersion}, known are "
            f"{', '.join(f'{v} ({name})' for v, name in _TARGETS.items())}; export it again"
        )
    return model


def _check_tensors(model: Any, spec: GraphSpec, inner: tuple[str, ...]) -> None:
    """Inputs and outputs are those of the manifest; inner states are not among them."""
    outside = [tensor for tensor in spec.state if tensor.name not in inner]
    strange = sorted(set(inner) - {tensor.name for tensor in spec.state})
    if strange:
        raise ValueError(f"{spec.file} has the states {strange}, which its manifest does not name")
    names = {tensor.name + NEXT: tensor.name for tensor in outside}
    inputs = {i.name: _found(i.type.multiArrayType) for i in model.description.input}
    outputs = {
        names.get(o.name, o.name): _found(o.type.multiArrayType) for o in model.description.output
    }
    states = {
        # always in float16: whoever runs the program makes what the manifest says of them
        s.name: (_found(s.type.stateType.arrayType)[0], "float32")
        for s in model.description.state
    }
    check_found(spec.file, "input", inputs | states, inputs_of(spec).values())
    check_found(spec.file, "output", outputs | states, (*spec.outputs, *spec.state))


def _found(array: Any) -> tuple[tuple[int, ...], str]:
    return tuple(array.shape), _DTYPES.get(array.dataType, f"type {array.dataType}")


def _constants(block: Any) -> Iterator[Any]:
    """Every value that the program has from the start, of its constants and compressed weights."""
    for op in block.operations:
        if op.type == "const" or op.type.startswith("constexpr_"):
            yield from op.attributes.values()
            for argument in op.inputs.values():
                yield from (binding.value for binding in argument.arguments if not binding.name)


def _count_numbers(block: Any) -> Counter[str]:
    """By type; 16 values that a layer's weights are chosen from count as 4 bits a weight."""
    from coremltools.proto import MIL_pb2

    counts: Counter[str] = Counter()
    for op in block.operations:
        if op.type == "constexpr_lut_to_dense" and "indices" in op.attributes:
            counts["uint4"] += _size(op.outputs[0].type.tensorType)
    for value in _constants(block):
        tensor = value.type.tensorType
        name = MIL_pb2.DataType.Name(tensor.dataType).lower()
        if tensor.rank and name.startswith(("float", "int8", "uint4", "int4")):
            counts[name] += _size(tensor)
    return counts


def _size(tensor: Any) -> int:
    return math.prod(dimension.constant.size for dimension in tensor.dimensions)
