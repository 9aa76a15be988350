"""PyTorch to Core ML: an ML Program for each graph, as a zipped .mlpackage.

Made on any system, run on Apple's alone: ``check_package`` holds what can be known of a package
without running it. For iOS 17 and macOS 14 and later. What the kinds mean here:

none    float32, arithmetic too, which the Neural Engine does not do
fp16    weights and arithmetic in float16
int8    weights per channel, made float16 again when they are used; arithmetic in float16
int4    linear layers of the language model: each weight is one of 16 values of its layer
        (k-means); all else as in int8

There is no int8-static: ranges of activations are found by running a package, so on a Mac. A layer
that is kept has weights and arithmetic in float32. Every file has its graph's example shapes, and
float32 and int32 outside. The same graphs give the same bytes.

``stateful``: for iOS 18 and macOS 15 and later, states live inside the program, in float16, as the
system wants them; nothing of them is copied between two runs.
"""

import importlib.metadata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from fingerpost.distill.fake_quant import kinds_of, layers_of
from fingerpost.distill.recipes.quiet import quiet
from fingerpost.distill.recipes.tensor_specs import spec_of
from fingerpost.distill.scheme import Built, Calibration, Scheme
from fingerpost.edge_runtime.backends.coreml_package import check_package, zip_package
from fingerpost.edge_runtime.backends.named_tensors import NEXT
from fingerpost.trainer.models.pocket_graphs import Graph

BACKEND = "coreml"
SCHEMES = ("none", "fp16", "int8", "int4")
SHARES_WEIGHTS = False  # those of several graphs are in the file once


def build(
    graphs: Mapping[str, Graph],
    scheme: Scheme,
    calibration: Calibration,
    name: str,
    stateful: bool = False,
) -> Built:
    """The graphs as packages, ``encode.mlpackage.zip`` and so on.

    calibration : of no use to these kinds
    name : of the model, for whoever opens a package
    stateful : states inside the programs, for iOS 18

    ValueError for a kind that Core ML cannot do here, and a layer to keep that there is not.
    """
    if scheme.kind not in SCHEMES:
        raise ValueError(f"Core ML packages cannot be {scheme.kind}; known: {', '.join(SCHEMES)}")
    kinds = kinds_of(layers_of(graphs), scheme)
    version = "coremltools " + importlib.metadata.version("coremltools")
    files, specs = {}, {}
    for graph_name, graph in graphs.items():
        of_graph = {
            layer[len(graph_name) + 1 :]: of_layer
            for layer, of_layer in kinds.items()
            if layer.partition(".")[0] == graph_name
        }
        model = convert(graph, of_graph, scheme.kind, stateful)
        model.short_description = f"{name}: {graph_name}"
        spec = spec_of(graph, f"{graph_name}.mlpackage.zip", BACKEND, version, integers="int32")
        files[spec.file] = _to_bytes(model)
        specs[graph_name] = spec
        check_package(files[spec.file], spec)
    return Built(files, specs)


def convert(graph: Graph, kinds: Mapping[str, str], kind: str, stateful: bool = False) -> Any:
    """A graph as a ``coremltools`` model.

    kinds : of each layer, by its name in the graph's module; "none" for one that stays float32
    kind : of the scheme
    stateful : states inside the program
    """
    with quiet():
        import coremltools

        states = [name for name in graph.inputs if name in graph.outputs] if stateful else []
        graph = _with_inner_states(graph, states) if states else graph
        module = graph.module.eval()
        program = torch.export.export(module, graph.example).run_decompositions({})
        inner = "module." if states else ""
        of_weights = _kinds_of_weights(program, {inner + name: k for name, k in kinds.items()})
        target = coremltools.target.iOS18 if states else coremltools.target.iOS17
        return coremltools.convert(
            program,
            inputs=[
                coremltools.TensorType(name=name, shape=tuple(x.shape), dtype=_dtype(x))
                for name, x in zip(graph.inputs, graph.example, strict=True)
            ],
            outputs=[
                coremltools.TensorType(name=n + NEXT if n in graph.inputs else n, dtype=np.float32)
                for n in graph.outputs
            ],
            convert_to="mlprogram",
            compute_precision=_precision(kind, of_weights),
            minimum_deployment_target=target,
            pass_pipeline=_pipeline(of_weights, bool(states)),
            skip_model_load=True,
        )


def _dtype(tensor: Tensor) -> type:
    return np.float32 if tensor.is_floating_point() else np.int32


class _InnerStates(nn.Module):
    """A graph whose states are buffers: they go neither in nor out, but change."""

    def __init__(self, graph: Graph, states: Sequence[str]) -> None:
        super().__init__()
        self.module = graph.module
        self.takes, self.gives, self.states = graph.inputs, graph.outputs, tuple(states)
        for name, example in zip(graph.inputs, graph.example, strict=True):
            if name in states:
                self.register_buffer(name, torch.zeros_like(example))

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        given = iter(inputs)
        results = self.module(
            *(getattr(self, n) if n in self.states else next(given) for n in self.takes)
        )
        for name, result in zip(self.gives, results, strict=True):
            if name in self.states:
                getattr(self, name).copy_(result)
        return tuple(r for n, r in zip(self.gives, results, strict=True) if n not in self.states)


def _with_inner_states(graph: Graph, states: Sequence[str]) -> Graph:
    pairs = [(n, x) for n, x in zip(graph.inputs, graph.example, strict=True) if n not in states]
    return Graph(
        _InnerStates(graph, states),
        tuple(x for _, x in pairs),
        tuple(n for n, _ in pairs),
        tuple(n for n in graph.outputs if n not in states),
    )


def _kinds_of_weights(program: ExportedProgram, kinds: Mapping[str, str]) -> dict[str, str]:
    """Kind of each layer's weights, by the name that they have in the Core ML program.

    That is their name in ``program``. Weights that two layers share are there under one name of
    the two; they are float32 where either layer is to be, and else of the finer kind.
    """
    names: dict[int, list[tuple[str, str]]] = {}  # by address: names in the program, kinds
    for spec in program.graph_signature.input_specs:
        layer = (spec.target or "").removesuffix("weight").rstrip(".")
        if layer in kinds and (spec.target or "").endswith("weight"):
            address = program.state_dict[str(spec.target)].data_ptr()
            names.setdefault(address, []).append((spec.arg.name, kinds[layer]))
    finest = ("none", "fp16", "int8", "int4")
    return {
        name: min((kind for _, kind in shared), key=finest.index)
        for shared in names.values()
        for name, _ in shared
    }


def _precision(kind: str, of_weights: Mapping[str, str]) -> Any:
    """Of arithmetic: float16 in all kinds but "none", float32 in the layers that are kept."""
    import coremltools

    if kind == "none":
        return coremltools.precision.FLOAT32
    kept = {name for name, of_weight in of_weights.items() if of_weight == "none"}
    return coremltools.transform.FP16ComputePrecision(
        op_selector=lambda op: (
            not any(getattr(value, "name", None) in kept for value in op.inputs.values())
        )
    )


def _pipeline(of_weights: Mapping[str, str], stateful: bool) -> Any:
    """The passes of a conversion; the last ones compress weights, each by name."""
    import coremltools
    import coremltools.optimize.coreml as optimize

    to_four = optimize.OpPalettizerConfig(mode="kmeans", nbits=4, weight_threshold=0)
    to_eight = optimize.OpLinearQuantizerConfig(
        mode="linear_symmetric", dtype="int8", granularity="per_channel", weight_threshold=0
    )
    pipeline = coremltools.PassPipeline.DEFAULT
    if stateful:
        # These move writes of states forward, and in coremltools 9.0 end in a KeyError where two
        # states are made by the last two operators, as keys and values are.
        pipeline.remove_passes(
            {"common::canonicalize_inplace_pattern", "common::prefer_state_in_downstream"}
        )
    for kind, one_pass, config in (
        ("int4", "compression::palettize_weights", to_four),
        ("int8", "compression::linear_quantize_weights", to_eight),
    ):
        # float16 weights have been given a name of their own by then
        names = [f"{name}_to_fp16" for name, of_weight in of_weights.items() if of_weight == kind]
        if names:
            pipeline.append_pass(one_pass)
            by_name = optimize.OptimizationConfig(op_name_configs=dict.fromkeys(names, config))
            pipeline.set_options(one_pass, {"config": by_name})
    return pipeline


def _to_bytes(model: Any) -> bytes:
    """The package as a zip. coremltools notes the day in each package; no two days then agree."""
    model.user_defined_metadata.pop("com.github.apple.coremltools.conversion_date", None)
    program = model.get_spec().SerializeToString(deterministic=True)
    weights = Path(model.weights_dir) / "weight.bin"  # not there where all constants are small
    return zip_package(program, weights.read_bytes() if weights.is_file() else b"")
