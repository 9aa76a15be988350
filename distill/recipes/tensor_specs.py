"""What a manifest says of a graph's tensors."""

import torch

from fingerpost.edge_runtime.manifest import GraphSpec, TensorSpec
from fingerpost.trainer.models.pocket_graphs import Graph


def spec_of(
    graph: Graph, file: str, backend: str, version: str, integers: str = "int64"
) -> GraphSpec:
    """Of a file that holds one graph; a name on both of its sides is a state.

    integers : the dtype that the format has for them
    """
    with torch.no_grad():
        results = graph.module.eval()(*graph.example)
    tensors = (results,) if isinstance(results, torch.Tensor) else tuple(results)
    takes = _specs(graph.inputs, graph.example, integers)
    gives = _specs(graph.outputs, tensors, integers)
    states = [name for name in takes if name in gives]
    changed = [name for name in states if takes[name] != gives[name]]
    assert not changed, f"the state {changed[0]} comes out in another shape than it went in"
    return GraphSpec(
        file=file,
        backend=backend,
        backend_version=version,
        inputs=tuple(spec for name, spec in takes.items() if name not in states),
        outputs=tuple(spec for name, spec in gives.items() if name not in states),
        state=tuple(takes[name] for name in states),
    )


def _specs(
    names: tuple[str, ...], tensors: tuple[torch.Tensor, ...], integers: str
) -> dict[str, TensorSpec]:
    return {
        name: TensorSpec(
            name, tuple(tensor.shape), "float32" if tensor.is_floating_point() else integers
        )
        for name, tensor in zip(names, tensors, strict=True)
    }
