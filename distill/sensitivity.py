"""Which layers a scheme costs most: the loss when one layer alone is quantised, layer by layer.

    found = sensitivity(graphs, "int8", clip_loss(network, task, clips))
    found.ranked  # what the search for a scheme keeps in float first (``budget.choose``)
    write_sensitivity(Path("report"), found)  # report/int8.json, report/int8.png

The loss is the task's own, teacher-forced, on the same clips each time: the graphs share their
layers with the network, so what is quantised in them is so in the network. It tells differences
that figures such as BLEU, which jump from word to word, do not.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from fingerpost.distill.fake_quant import Ranges, fake_quantised, kinds_of, layers_of
from fingerpost.distill.scheme import Scheme
from fingerpost.trainer.models.pocket_graphs import Graph
from fingerpost.trainer.shards import Clip
from fingerpost.trainer.tasks.task import Task

BATCH = 16
MOST_ROWS = 20  # of the table
ROW, SIDE, EDGES = 0.19, 11.0, 1.5  # inches of the picture: a layer, its width, title and axis


@dataclass(frozen=True)
class LayerLoss:
    """name : of ``Scheme.keep``; kind : what its weights were kept in
    weights : how many it has
    added : to the loss, when this layer alone is quantised; infinite where that is no number
    """

    name: str
    kind: str
    weights: int
    added: float


@dataclass(frozen=True)
class Sensitivity:
    """loss : of the float network; loss_of_all : with all layers quantised
    layers : in the order they run
    """

    kind: str
    loss: float
    loss_of_all: float
    layers: tuple[LayerLoss, ...]

    @property
    def worst_first(self) -> list[LayerLoss]:
        return sorted(self.layers, key=lambda layer: -layer.added)

    @property
    def ranked(self) -> list[str]:
        """Names, those that cost most first."""
        return [layer.name for layer in self.worst_first]


def sensitivity(
    graphs: Mapping[str, Graph],
    kind: str,
    loss: Callable[[], float],
    ranges: Ranges | None = None,
    report: Callable[[int, int], None] = lambda done, n: None,
) -> Sensitivity:
    """Quantises each layer alone, and asks for the loss.

    loss : of the network that the graphs are of, or of whatever is made with their layers
    ranges : for int8-static, of ``input_ranges``
    report : is told how many of all layers are done
    """
    layers = layers_of(graphs)
    everything = Scheme(kind)
    kinds = {name: kind for name, kind in kinds_of(layers, everything).items() if kind != "none"}
    before = loss()
    if not math.isfinite(before):
        raise ValueError(
            f"the float network's loss is {before}: train it again, or give other clips"
        )
    with fake_quantised(graphs, everything, ranges):
        of_all = _finite(loss())
    found = []
    for i, (name, of_layer) in enumerate(kinds.items()):
        with fake_quantised(graphs, Scheme(kind, frozenset(layers) - {name}), ranges):
            added = _finite(loss()) - before
        weight = layers[name].weight
        assert isinstance(weight, Tensor)
        found.append(LayerLoss(name, of_layer, weight.numel(), added))
        report(i + 1, len(kinds))
    return Sensitivity(kind, before, of_all, tuple(found))


def clip_loss(
    network: nn.Module, task: Task, clips: Sequence[Clip], batch: int = BATCH
) -> Callable[[], float]:
    """The task's loss on these clips, a function to be called again and again.

    Clips are as a training sees them, each changed by the same draw every time. ValueError where
    there are none.
    """
    if not clips:
        raise ValueError("no clips to measure the loss on: give a split that has some")
    prepared = [task.prepare(clip) for clip in clips]
    # Without draws, a task may leave out what only a training asks for.
    batches = [
        task.batch(prepared[i : i + batch], list(range(i, min(i + batch, len(prepared)))), 0)
        for i in range(0, len(prepared), batch)
    ]
    weight = sum(one.weight for one in batches)

    @torch.no_grad()
    def loss() -> float:
        network.eval()
        terms = (torch.stack(list(task.losses(network, b).values())).sum() for b in batches)
        return sum(t.item() * b.weight for t, b in zip(terms, batches, strict=True)) / weight

    return loss


def sensitivity_table(found: Sensitivity, most: int = MOST_ROWS) -> str:
    """The layers that cost most, as a table of Markdown."""
    rows = [
        f"{found.kind}: loss {found.loss:.4f} in float, {found.loss_of_all:.4f} with all layers",
        "",
        "| layer | weights | kept in | loss added |",
        "|---|---:|---|---:|",
    ]
    rows += [
        f"| `{layer.name}` | {layer.weights:,} | {layer.kind} | {layer.added:+.5f} |"
        for layer in found.worst_first[:most]
    ]
    if len(found.layers) > most:
        rows.append(f"| {len(found.layers) - most} more | | | |")
    return "\n".join(rows)


def write_sensitivity(folder: Path, found: Sensitivity) -> tuple[Path, Path]:
    """Writes KIND.json and KIND.png, each whole or not at all; a loss without end is null."""
    folder.mkdir(parents=True, exist_ok=True)
    table = asdict(found)
    for row in [table, *table["layers"]]:
        row.update({k: None for k, v in row.items() if isinstance(v, float) and math.isinf(v)})
    path, picture = (folder / f"{found.kind}.{suffix}" for suffix in ("json", "png"))
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)
    draw_sensitivity(picture, found)
    return path, picture


def draw_sensitivity(path: Path, found: Sensitivity) -> None:
    """Writes a PNG: a bar for each layer, in the order they run, a colour for each graph."""
    from matplotlib.figure import Figure

    names = [layer.name for layer in found.layers]
    finite = [layer.added for layer in found.layers if math.isfinite(layer.added)]
    longest = max([abs(added) for added in finite], default=0.0) or 1.0
    graphs = list(dict.fromkeys(name.partition(".")[0] for name in names))
    figure = Figure((SIDE, EDGES + ROW * len(names)), layout="constrained", dpi=100)
    axes = figure.subplots()
    for number, graph in enumerate(graphs):
        of_graph = [i for i, name in enumerate(names) if name.partition(".")[0] == graph]
        lengths = [min(found.layers[i].added, longest) for i in of_graph]
        axes.barh(of_graph, lengths, color=f"C{number}", label=graph)
    for i, layer in enumerate(found.layers):
        if not math.isfinite(layer.added):
            axes.text(0, i, " not a number", va="center", fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=8, parse_math=False)
    axes.set_ylim(len(names) - 0.4, -0.6)  # the first on top
    axes.axvline(0, color="black", linewidth=0.8)
    axes.grid(axis="x", alpha=0.4)
    axes.set_axisbelow(True)
    axes.set_xlabel("loss added when this layer alone is quantised")
    axes.set_title(
        f"{found.kind}: loss {found.loss:.4f} in float, {found.loss_of_all:.4f} with all layers"
    )
    axes.legend(title="graph", loc="best")
    partial = path.with_name(path.name + ".partial")
    figure.savefig(partial, format="png")
    partial.replace(path)


def _finite(loss: float) -> float:
    """What is no number is the worst there is."""
    return loss if math.isfinite(loss) else math.inf
