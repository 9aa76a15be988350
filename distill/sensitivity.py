"""Which layers a scheme costs most: the loss when one layer alone is quantised, layer by layer.

    found = sensitivity(graphs, "int8", score_loss(graphs, network, task, clips))
    found.ranked  # what the search for a scheme keeps in float first (``budget.choose``)
    write_sensitivity(Path("report"), found)  # report/int8.json, report/int8.png

The loss is how far the network's scores are from those it gave in float, the true words before
each word given: figures such as BLEU jump from word to word, and the training's own loss can fall
when a layer is rounded, as if the network were less sure of itself. The graphs share their layers
with the network, so what is quantised in them is so in the network.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fingerpost.distill.fake_quant import Ranges, fake_quantised, kinds_of, layers_of
from fingerpost.distill.scheme import Scheme
from fingerpost.trainer.models.pocket_graphs import Graph
from fingerpost.trainer.shards import Clip
from fingerpost.trainer.tasks.task import Task

SCORES = frozenset({"scores", "logits"})  # outputs of graphs that are scores
BATCH = 16
MOST_ROWS = 20  # of the table
ROW, SIDE, EDGES = 0.19, 11.0, 1.5  # inches of the picture: a layer, its width, title and axis


@dataclass(frozen=True)
class LayerLoss:
    """name : of ``Scheme.keep``; kind : what its weights were kept in
    weights : how many it has
    loss : when this layer alone is quantised; infinite where that is no number
    """

    name: str
    kind: str
    weights: int
    loss: float


@dataclass(frozen=True)
class Sensitivity:
    """loss : with all layers quantised
    layers : in the order they run; one of two graphs by its name in the first
    """

    kind: str
    loss: float
    layers: tuple[LayerLoss, ...]

    @property
    def worst_first(self) -> list[LayerLoss]:
        return sorted(self.layers, key=lambda layer: -layer.loss)

    @property
    def ranked(self) -> list[str]:
        """Names, those that cost most first."""
        return [layer.name for layer in self.worst_first]

    def draw(self, path: Path) -> None:
        """Writes a PNG: a bar for each layer, in the order they run, a colour for each graph."""
        from matplotlib.figure import Figure

        names = [layer.name for layer in self.layers]
        finite = [layer.loss for layer in self.layers if math.isfinite(layer.loss)]
        longest = max(finite, default=1.0)
        graphs = list(dict.fromkeys(name.partition(".")[0] for name in names))
        figure = Figure((SIDE, EDGES + ROW * len(names)), layout="constrained", dpi=100)
        axes = figure.subplots()
        for number, graph in enumerate(graphs):
            of_graph = [i for i, name in enumerate(names) if name.partition(".")[0] == graph]
            lengths = [min(self.layers[i].loss, longest) for i in of_graph]
            axes.barh(of_graph, lengths, color=f"C{number}", label=graph)
        for i, layer in enumerate(self.layers):
            if not math.isfinite(layer.loss):
                axes.text(0, i, " without end", va="center", fontsize=7)
        axes.set_yticks(range(len(names)), names, fontsize=8, parse_math=False)
        axes.set_ylim(len(names) - 0.4, -0.6)  # the first on top
        axes.grid(axis="x", alpha=0.4)
        axes.set_axisbelow(True)
        axes.set_xlabel("loss when this layer alone is quantised (divergence from float, nats)")
        axes.set_title(f"{self.kind}: loss {self.loss:.2g} with all layers quantised")
        axes.legend(title="graph", loc="best")
        partial = path.with_name(path.name + ".partial")
        figure.savefig(partial, format="png")
        partial.replace(path)


def sensitivity(
    graphs: Mapping[str, Graph],
    kind: str,
    loss: Callable[[], float],
    ranges: Ranges | None = None,
    report: Callable[[int, int], None] = lambda done, n: None,
) -> Sensitivity:
    """Quantises each layer alone, and asks for the loss.

    loss : of the network that the graphs are of, or of whatever is made with their layers; 0 where
        none is quantised, such as ``score_loss``
    ranges : for int8-static, of ``input_ranges``
    report : is told how many of all layers are done
    """
    layers = layers_of(graphs)
    kinds = kinds_of(layers, Scheme(kind))
    names: dict[nn.Module, str] = {}
    for name, layer in layers.items():
        names.setdefault(layer, name)
    with fake_quantised(graphs, Scheme(kind), ranges):
        of_all = _finite(loss())
    found = []
    for i, (alone, name) in enumerate(names.items()):
        others = frozenset(other for other, layer in layers.items() if layer is not alone)
        with fake_quantised(graphs, Scheme(kind, others), ranges):
            of_layer = _finite(loss())
        weight = alone.weight
        assert isinstance(weight, Tensor)
        found.append(LayerLoss(name, kinds[name], weight.numel(), of_layer))
        report(i + 1, len(names))
    return Sensitivity(kind, of_all, tuple(found))


def score_loss(
    graphs: Mapping[str, Graph],
    network: nn.Module,
    task: Task,
    clips: Sequence[Clip],
    batch: int = BATCH,
) -> Callable[[], float]:
    """How far the scores of a network are from those it gives now: call it again and again.

    Of each graph that gives scores, the mean Kullback-Leibler divergence of its tokens, frames or
    clips; their sum, in nats. Clips are as a training sees them, each changed by the same draw
    every time. ValueError where there are no clips, or no scores.
    """
    if not clips:
        raise ValueError("no clips to measure the loss on: give a split that has some")
    heads = _heads(graphs)
    prepared = [task.prepare(clip) for clip in clips]
    # Without draws, a task may leave out what only a training asks for.
    batches = [
        task.batch(prepared[i : i + batch], list(range(i, min(i + batch, len(prepared)))), 0)
        for i in range(0, len(prepared), batch)
    ]

    @torch.no_grad()
    def scores() -> list[list[Tensor]]:
        """Of each head, of each batch, logarithms of probabilities (rows, V)."""
        given: list[list[Tensor]] = [[] for _ in heads]
        hooks = [
            head.register_forward_hook(lambda _, x, y, to=to: to.append(_log_probs(y)))
            for head, to in zip(heads, given, strict=True)
        ]
        try:
            network.eval()
            for one in batches:
                task.losses(network, one)
        finally:
            for hook in hooks:
                hook.remove()
        return given

    before = [torch.cat(of_head) for of_head in scores()]

    def loss() -> float:
        now = [torch.cat(of_head) for of_head in scores()]
        return sum(
            F.kl_div(found, true, log_target=True, reduction="batchmean").item()
            for found, true in zip(now, before, strict=True)
        )

    return loss


def sensitivity_table(found: Sensitivity, most: int = MOST_ROWS) -> str:
    """The layers that cost most, as a table of Markdown."""
    rows = [
        f"{found.kind}: loss {found.loss:.2g} with all layers quantised",
        "",
        "| layer | weights | kept in | loss alone |",
        "|---|---:|---|---:|",
    ]
    rows += [
        f"| `{layer.name}` | {layer.weights:,} | {layer.kind} | {layer.loss:.2g} |"
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
    found.draw(picture)
    return path, picture


def _heads(graphs: Mapping[str, Graph]) -> list[nn.Module]:
    """The last layer of each graph that gives scores."""
    scoring = [name for name, graph in graphs.items() if SCORES.intersection(graph.outputs)]
    last = {name.partition(".")[0]: layer for name, layer in layers_of(graphs).items()}
    heads = [last[name] for name in scoring if name in last]
    if not heads:
        raise ValueError(f"no graph of {', '.join(graphs)} gives {' or '.join(sorted(SCORES))}")
    return heads


def _log_probs(scores: Tensor) -> Tensor:
    return scores.flatten(0, -2).float().log_softmax(dim=-1)


def _finite(loss: float) -> float:
    """What is no number is the worst there is."""
    return loss if math.isfinite(loss) else math.inf
