"""The manifest of a pack: all that is known of it, as frozen dataclasses and as JSON.

Reading is strict. A key too many or too few is an error that names it, because a key that is
silently left out is a setting that silently does not count.
"""

import dataclasses
import json
import math
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FORMAT_VERSION = 1
TASKS = ("isolated-signs", "translation")
QUANTIZATIONS = ("none", "fp16", "int8", "int8-static", "int4")
PARITIES = ("run", "not yet run")
DTYPES = ("float32", "float16", "int64", "int32", "int8", "uint8", "bool")
CAUTION = "Captions can be wrong. Do not rely on them where a mistake would harm someone."

GLOSSES = "glosses"  # the question for them; all others are languages
_PACK_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,31}")
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class TensorSpec:
    """One input, output or state of a graph."""

    name: str  # in the graph's signature
    shape: tuple[int, ...]  # all fixed, batch first
    dtype: str  # as numpy calls it

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise ValueError(f"unknown dtype {self.dtype!r}; known: {', '.join(DTYPES)}")
        if any(size < 1 for size in self.shape):
            raise ValueError(f"shape {self.shape} of {self.name} must be fixed and positive")


@dataclass(frozen=True)
class GraphSpec:
    """A network of the pack, and what runs it."""

    file: str  # in the pack
    backend: str  # a key of edge_runtime.backends.BACKENDS
    backend_version: str  # that the graph was made and verified with
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    state: tuple[TensorSpec, ...] = ()  # goes in, comes out, goes in again: both by one name
    # Of a file with several graphs, what this one is called there; "" = it is the only one.
    signature: str = field(default="", metadata={"newer": True})


@dataclass(frozen=True)
class Translation:
    """What is needed to ask the graphs of a translator for a sentence, and to read the answer.

    Its graphs: ``encode`` takes frames, with a state, and gives states and latents; ``ctc`` scores
    glosses for states; ``read`` and ``decode_step`` make words of the latents of a sentence.
    """

    pieces: str  # the file with a JSON list of the pieces of text, by token
    end: int  # the token that ends an answer
    questions: Mapping[str, int]  # what can be asked for, "English" or "glosses": the first token
    look_ahead: int  # frames that a state comes later than its frame
    max_frames: int  # of a sentence; a longer one loses frames, evenly
    # That logits are divided by, so that an answer's probability is the chance that it is right.
    temperature: float = field(default=1.0, metadata={"newer": True})
    gloss_order: str = field(default="", metadata={"newer": True})  # file; how glosses follow
    signing: str = field(default="", metadata={"newer": True})  # file; tells it from idle hands

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError(f"a temperature is above 0, got {self.temperature:g}")

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.pieces, self.gloss_order, self.signing)))

    @property
    def languages(self) -> tuple[str, ...]:
        """That sentences are written in; the first is what is written where nobody asks."""
        return tuple(question for question in self.questions if question != GLOSSES)


@dataclass(frozen=True)
class Experts:
    """Of a translator that listens to the best k of N experts (edge_runtime/experts.py).

    Its graphs: ``expert_<name>`` of each; ``read`` and ``decode_step`` as every translator's.
    """

    names: tuple[str, ...]  # of the experts, in the order in which they were trained
    weights: Mapping[str, str]  # of each expert a hash: adapters are for these and no others
    reader: str  # the hash of the language model, which adapters are for too
    k: int  # experts that are listened to
    decide_frames: int  # of a sentence, that all experts see before k of them are chosen
    margin: int  # frames that a window must have beyond those whose features are taken of it
    adapters: Mapping[str, str]  # question to file: the adapters and the router of its language
    stride: int = field(default=1, metadata={"newer": True})  # every so many frames are used

    def __post_init__(self) -> None:
        n = len(self.names)
        _expect(n and len(set(self.names)) == n, "experts.names must name each expert once")
        _expect(1 <= self.k <= n, f"experts.k is from 1 to the {n} experts, got {self.k}")
        _expect(set(self.weights) == set(self.names), "experts.weights must have each expert")
        _expect(
            self.decide_frames > 0 and self.margin >= 0 and self.stride > 0,
            "experts: decide_frames and stride are above 0, margin is not below",
        )

    def graph(self, name: str) -> str:
        """What an expert's graph is called."""
        return f"expert_{name}"


@dataclass(frozen=True)
class Licences:
    """SPDX identifiers, or plain words where there is none."""

    code: str
    weights: str
    data: str  # what the weights were trained on


@dataclass(frozen=True)
class Parent:
    """The checkpoint that the pack was made from."""

    checkpoint: str  # sha256 of its model.safetensors


@dataclass(frozen=True)
class Manifest:
    """Says alone how a pack is run. Nothing is ever guessed from a file name."""

    name: str  # lower case, by which the pack is installed
    version: str  # of the pack
    task: str  # one of TASKS
    languages: tuple[str, ...]  # sign languages, as BCP 47 / ISO 639-3 codes: "ase" is ASL
    view: str  # the keypoints that the graphs eat: a view of edge_runtime.keypoints
    preprocess_version: int  # must be edge_runtime.preprocess.PREPROCESS_VERSION
    fps: float  # of the frames in a window, before the window is resampled
    window: int  # frames T that a graph takes
    graphs: Mapping[str, GraphSpec]  # by what they do: "recogniser"
    vocabulary: str  # the file with a JSON list of glosses, one for each of the V outputs
    special: Mapping[str, str]  # role to gloss: "reject" is the class of what is no known sign
    quantization: str  # one of QUANTIZATIONS
    parent: Parent
    licences: Licences
    measured: Mapping[str, float]  # accuracy, parity, size_bytes, latency_ms ...
    settings: dict[str, float] = field(default_factory=dict)  # where not the code's defaults
    notice: str = CAUTION  # what its users must be told
    files: Mapping[str, str] = field(default_factory=dict)  # name to sha256, of all but this one
    # What makes a graph's input, of edge_runtime.preprocessings. Packs from before there were
    # several do not say, and are written as they always were.
    preprocess: str = field(default="sign", metadata={"newer": True})
    # Of the task translation, and of no other.
    translation: Translation | None = field(default=None, metadata={"newer": True})
    # Of a translator with several experts, and of no other.
    experts: Experts | None = field(default=None, metadata={"newer": True})
    # Layers in a higher precision than ``quantization`` says, by graph and module.
    kept: tuple[str, ...] = field(default=(), metadata={"newer": True})
    # By graph, the share of its operators that the accelerator's delegate runs; of packs whose
    # backend has delegates.
    delegated: Mapping[str, float] = field(default_factory=dict, metadata={"newer": True})
    # "not yet run" where no machine has compared the graphs with the network they were made from.
    parity: str = field(default="run", metadata={"newer": True})
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        _expect(_PACK_NAME.fullmatch(self.name), f"name {self.name!r}: use a-z, 0-9, _ and -")
        _expect(_VERSION.fullmatch(self.version), f"version {self.version!r}: write it like 1.0")
        _expect(self.task in TASKS, f"task {self.task!r}; known: {', '.join(TASKS)}")
        _expect(
            self.quantization in QUANTIZATIONS,
            f"quantization {self.quantization!r}; known: {', '.join(QUANTIZATIONS)}",
        )
        _expect(self.fps > 0 and self.window > 0, "fps and window must be above 0")
        _expect(self.graphs, "graphs must name at least one graph")
        _expect(
            (self.task == "translation") == (self.translation is not None),
            "translation must be there for the task translation, and for no other",
        )
        if self.experts is not None:
            asked = self.translation.questions if self.translation else {}
            _expect(
                set(self.experts.adapters) == set(asked),
                "experts.adapters must have a file for each of translation.questions",
            )
        _expect(self.parity in PARITIES, f"parity {self.parity!r}; known: {', '.join(PARITIES)}")
        for one in self.graphs.values():
            others = {g.backend for g in self.graphs.values() if g.file == one.file}
            _expect(len(others) == 1, f"{one.file} is for several backends: {sorted(others)}")
        for name, sha256 in self.files.items():
            _expect(is_file_name(name), f"file name {name!r} is not a plain relative path")
            _expect(_SHA256.fullmatch(sha256), f"files.{name} is not a sha256 in hexadecimal")

    @property
    def reject(self) -> str:
        """The gloss that stands for "no known sign"."""
        if "reject" not in self.special:
            raise ValueError(f"pack {self.name} names no reject class: add special.reject")
        return self.special["reject"]

    def to_json(self) -> str:
        """Sorted and indented: the same manifest is always the same text."""
        content = _without_defaults(self)
        return json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> "Manifest":
        """Raises ValueError, with the key at fault, where the text is not a manifest."""
        try:
            data = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"manifest.json is not JSON: {str(error)[:80]}") from error
        if isinstance(data, dict) and data.get("format_version", FORMAT_VERSION) != FORMAT_VERSION:
            raise ValueError(
                f"the pack has format version {data['format_version']!r}, this Fingerpost reads "
                f"{FORMAT_VERSION}; get a pack for it, or another Fingerpost"
            )
        return _read(cls, data, "")


def is_file_name(name: str) -> bool:
    """May a file in a pack be called so? Relative, forward slashes, no part that starts with '.'"""
    return len(name) < 200 and _FILE_NAME.fullmatch(name) is not None


def _without_defaults(value: Any) -> Any:
    """As JSON has it; what packs from before a field did not say is left out where it says no more.

    So an old pack, read and written, is the same bytes.
    """
    if isinstance(value, Mapping):
        return {key: _without_defaults(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_without_defaults(item) for item in value]
    if not dataclasses.is_dataclass(value):
        return value
    content = {}
    for each in dataclasses.fields(value):
        item = getattr(value, each.name)
        default = {} if each.default is dataclasses.MISSING else each.default
        if not (each.metadata.get("newer") and item == default):
            content[each.name] = _without_defaults(item)
    return content


def _expect(holds: object, message: str) -> None:
    if not holds:
        raise ValueError(f"manifest.json: {message}")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise ValueError(f"manifest.json: {key!r} is there twice")
    return dict(pairs)


def _no_constant(name: str) -> float:
    raise ValueError(f"manifest.json: {name} is not a number")


def _read(kind: Any, value: Any, where: str) -> Any:
    """JSON to a dataclass, tuple, mapping or plain value; ``where`` is the path of keys to it."""
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(kind, value, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:  # of a dataclass that may be missing
        return None if value is None else _read(arguments[0], value, where)
    if origin is tuple:
        _expect(isinstance(value, list), f"{where} must be a list")
        return tuple(_read(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin in (Mapping, dict):
        _expect(isinstance(value, dict), f"{where} must be an object")
        return {key: _read(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return value
    _expect(
        type(value) is kind, f"{where} must be of type {kind.__name__}, got {str(value)[:60]!r}"
    )
    _expect(kind is not float or math.isfinite(value), f"{where} must be finite")
    return value


def _read_dataclass(kind: Any, value: Any, where: str) -> Any:
    _expect(isinstance(value, dict), f"{where or 'the whole'} must be an object")
    prefix = f"{where}." if where else ""
    types_of_fields = typing.get_type_hints(kind)
    for key in sorted(value.keys() - types_of_fields.keys()):
        raise ValueError(f"manifest.json: unknown key {prefix}{key}")
    for each in dataclasses.fields(kind):
        newer = each.metadata.get("newer", False)
        _expect(newer or each.name in value, f"missing key {prefix}{each.name}")
    return kind(**{k: _read(types_of_fields[k], v, prefix + k) for k, v in value.items()})
