"""What is agreed between models, schemes of quantisation and device formats.

A model gives its graphs (``trainer.models.pocket_graphs.Graph``), a ``Scheme`` says how their
numbers are kept, and a format of ``FORMATS`` makes files of both:

    recipe = format_recipe("tflite")
    built = recipe.build(graphs, Scheme("int8"), calibration, "translator")
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from fingerpost.edge_runtime.manifest import QUANTIZATIONS, GraphSpec

FORMATS = {  # name to module, with ``build``, ``SCHEMES`` that it can do, and ``SHARES_WEIGHTS``
    "tflite": "fingerpost.distill.recipes.tflite",
    "executorch": "fingerpost.distill.recipes.executorch",
    "coreml": "fingerpost.distill.recipes.coreml",
    "onnx": "fingerpost.distill.recipes.onnx",
}
KINDS = QUANTIZATIONS

Calibration = Mapping[str, Sequence[tuple[Tensor, ...]]]
"""Of each graph, inputs as real clips give them."""


@dataclass(frozen=True)
class Scheme:
    """How the numbers of a model are kept on a device.

    kind : one of ``KINDS``
        none         float32
        fp16         weights in 16 bits
        int8         weights in 8 bits per channel; activations float, or quantised as they come
        int8-static  weights so, and activations by ranges that calibration found
        int4         weights of the language model's linear layers in 4 bits by groups, others int8
    keep : layers that stay float32, by graph and module: "encode.poses.blocks.0.mlp.0"
    """

    kind: str = "none"
    keep: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown quantization {self.kind!r}; known: {', '.join(KINDS)}")


@dataclass(frozen=True)
class Built:
    """What a format made of a model.

    files : that go into the pack, by name
    specs : what each graph of them takes and gives
    delegated : by graph, the share (0 to 1) of its operators that the accelerator's delegate runs;
        empty where a format has no delegates
    beside : for a developer, beside the pack
    """

    files: dict[str, bytes]
    specs: dict[str, GraphSpec]
    delegated: dict[str, float] = field(default_factory=dict)
    beside: dict[str, bytes] = field(default_factory=dict)


def format_recipe(name: str) -> Any:
    """The module that builds a format; ValueError lists the known ones."""
    if name not in FORMATS:
        raise ValueError(f"unknown format {name!r}; known: {', '.join(FORMATS)}")
    return importlib.import_module(FORMATS[name])
