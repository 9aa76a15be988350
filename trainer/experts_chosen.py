"""Which experts a SIGNET listens to, corpus by corpus: shares, entropy, and the sets it chose.

    chosen = chosen_experts(Path("runs/signet_stage3"), ["shards/phoenix14t"], "test")
    draw_chosen(Path("chosen.png"), chosen)

"SIGNET: Motion-Level Knowledge Transfer for Cross-Language Sign Language Translation", Sec. 4.2 and
Fig. 4: for each data set, how often each pair was the best k = 2.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fingerpost.trainer.evaluate import load_for_answers
from fingerpost.trainer.feed import Clips, PreparedClips, plain_batches
from fingerpost.trainer.models.signet import Signet
from fingerpost.trainer.models.signet_routing import figures_of


@dataclass(frozen=True)
class Chosen:
    """What was chosen for the clips of one corpus.

    sets : how many clips listened to just these experts, the most frequent first
    shares : of each expert, its mean share of a clip, 0 to 1
    entropy : of a clip's shares, the mean, nats
    """

    corpus: str
    n_clips: int
    sets: dict[tuple[str, ...], int]
    shares: dict[str, float]
    entropy: float

    def as_json(self) -> dict[str, Any]:
        """Sets by their names, joined with " + "."""
        sets = {" + ".join(names): count for names, count in self.sets.items()}
        figures = {"shares": self.shares, "entropy": self.entropy}
        return {"corpus": self.corpus, "clips": self.n_clips, "sets": sets, **figures}


@torch.no_grad()
def chosen_experts(
    folder: Path, shards: Sequence[str], split: str = "test", batch: int = 32
) -> list[Chosen]:
    """Of each folder of shards by itself.

    folder : a checkpoint, or a training's folder; split : "" = all of them

    ValueError where the checkpoint is no SIGNET, or there are no clips.
    """
    network, task = load_for_answers(folder, {})
    if not isinstance(network, Signet):
        raise ValueError(f"{folder} listens to no experts: give a checkpoint of signet_stage3")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device).eval()
    found = []
    for name in shards:
        clips = Clips([name], split)
        prepared = PreparedClips(clips, task, cache=False)
        rows: list[Tensor] = []
        for of_batch in plain_batches(prepared, range(len(clips)), batch):
            inputs = of_batch.to(device).inputs
            rows.append(network.fused(inputs["keypoints"], inputs["frame_mask"])[1].cpu())
        found.append(counted(Path(name).name, torch.cat(rows), network.config.names))
    return found


def counted(corpus: str, shares: Tensor, names: Sequence[str]) -> Chosen:
    """shares : (clips, N); an expert of no share was not listened to."""
    rows = [tuple(names[i] for i in torch.nonzero(row).flatten()) for row in shares]
    figures = {name: value.item() for name, value in figures_of(shares, names).items()}
    entropy = figures.pop("experts.entropy")
    means = {name.removeprefix("experts."): value for name, value in figures.items()}
    return Chosen(corpus, len(rows), dict(Counter(rows).most_common()), means, entropy)


def draw_chosen(path: Path, found: Sequence[Chosen]) -> None:
    """Writes a PNG, whole or not at all: a bar for each corpus, cut up into its sets (Fig. 4)."""
    from matplotlib.figure import Figure

    if not found:
        raise ValueError("there is no corpus to draw; give folders of shards")
    kinds = sorted({names for one in found for names in one.sets})
    figure = Figure((7.0, 1.6 + 0.5 * len(found)), layout="constrained", dpi=100)
    axes = figure.subplots()
    places = range(len(found))
    left = [0.0] * len(found)
    for number, names in enumerate(kinds):
        parts = [100 * one.sets.get(names, 0) / one.n_clips for one in found]
        bars = axes.barh(places, parts, left=left, color=f"C{number}", label=" + ".join(names))
        labels = [f"{part:.0f} %" if part >= 4 else "" for part in parts]  # else it has no room
        axes.bar_label(bars, labels, label_type="center", color="white", fontsize=8)
        left = [a + b for a, b in zip(left, parts, strict=True)]
    axes.set_yticks(places, [f"{one.corpus} ({one.n_clips})" for one in found])
    axes.invert_yaxis()
    axes.set(xlim=(0, 100), xlabel="clips that listen to these experts, %")
    figure.legend(loc="outside upper center", ncols=min(len(kinds), 4), frameon=False)
    partial = path.with_name(path.name + ".partial")
    figure.savefig(partial, format="png")
    partial.replace(path)
