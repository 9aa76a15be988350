"""What each augmentation of ``augment_sources`` buys: one training for each, and a table.

    python -m fingerpost.trainer.ablate_augmentation RECIPE -o runs/ablation [--set KEY=VALUE]...
    python -m fingerpost.trainer.ablate_augmentation RECIPE -o runs/ablation --left-out

The recipe is trained with none of them, with each one alone (or with all but one), and with all.
Each network is then measured on the val clips as they are, and on the val clips disturbed by each
in turn. A command that was stopped goes on where it was.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import torch

from fingerpost.edge_runtime.keypoints import SIGN69, to_view
from fingerpost.trainer.augment_sources import (
    ALL,
    NAMES,
    SourceAugment,
    augment_source,
    ghosts_of,
)
from fingerpost.trainer.clip_tables import Clip
from fingerpost.trainer.evaluate import load_for_answers, predict
from fingerpost.trainer.evaluation import evaluate_predictions
from fingerpost.trainer.feed import Clips, PreparedClips
from fingerpost.trainer.kept_figures import Figures, KeptFigures, markdown, tell
from fingerpost.trainer.recipe import Recipe, as_tables, read_recipe
from fingerpost.trainer.train import train

PLAIN, NONE, EVERY = "plain", "none", "all"
FIGURES = "ablation.json"
BATCH = 64
# In a disturbed clip the thing has always happened, by as much as in training.
DISTURBANCES = {
    name: SourceAugment(**{name: ALL.aspect if name == "aspect" else 1.0}) for name in NAMES
}

Rows = dict[str, Figures]  # training: disturbance: top-1 in percent


class DisturbedClips(Clips):
    """Clips of one split, each as another source might have given it; the same each time."""

    def __init__(
        self, folders: Sequence[str], split: str, settings: SourceAugment, seed: int
    ) -> None:
        super().__init__(folders, split)
        self.settings, self.seed = settings, seed
        whole = Clips(folders, split)
        self._ghosts = ghosts_of(whole, SIGN69) if settings.ghost else []

    def __getitem__(self, i: int) -> Clip:  # type: ignore[override]
        clip = super().__getitem__(i)
        view = to_view(clip.sequence, SIGN69)
        rng = np.random.default_rng([self.seed, i])
        return replace(clip, sequence=augment_source(view, rng, self.settings, self._ghosts))


def trainings(left_out: bool, only: Sequence[str] = NAMES) -> dict[str, dict[str, float]]:
    """By name, the [settings.sources] of each training: none, each of ``only``, and all."""
    unknown = sorted(set(only) - set(NAMES))
    if unknown:
        raise ValueError(f"no augmentation {unknown[0]!r}; known: {', '.join(NAMES)}")
    every = {name: getattr(ALL, name) for name in NAMES}
    found: dict[str, dict[str, float]] = {NONE: {}}
    for name in only:
        if left_out:
            found[f"all but {name}"] = {**every, name: 0.0}
        else:
            found[f"{name} alone"] = {name: every[name]}
    return {**found, EVERY: every}


def ablate(
    recipe: Recipe,
    out: Path,
    left_out: bool,
    draws: int,
    report: Callable[[str, Mapping[str, float]], None],
    only: Sequence[str] = NAMES,
) -> Rows:
    """Trains and measures all; the figures are in ``out`` too, after each training.

    draws : how many times each val clip is disturbed; a figure is the mean of all
    report : is told the figures of each training
    """
    wanted = trainings(left_out, only)
    kept = KeptFigures(out / FIGURES, {"recipe": as_tables(recipe), "draws": draws})
    for name, sources in wanted.items():
        if name not in kept.rows:
            folder = out / name.replace(" ", "_")
            settings = {**recipe.settings, "sources": sources}
            train(msgspec.structs.replace(recipe, settings=settings), folder)
            kept.add(name, measure(folder, recipe, draws))
        report(name, kept.rows[name])
    return {name: kept.rows[name] for name in wanted}


def measure(checkpoint: Path, recipe: Recipe, draws: int) -> dict[str, float]:
    """Top-1 in percent of the recipe's val clips, plain and by disturbance."""
    folders = recipe.data.val or recipe.data.train
    split = recipe.data.val_split
    figures = {PLAIN: top1(checkpoint, Clips(folders, split))}
    for name, settings in DISTURBANCES.items():
        each = [
            top1(checkpoint, DisturbedClips(folders, split, settings, seed))
            for seed in range(draws)
        ]
        figures[name] = float(np.mean(each))
    return figures


def top1(checkpoint: Path, clips: Clips) -> float:
    """In percent, of isolated signs."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network, task = load_for_answers(checkpoint, {})
    prepared = PreparedClips(clips, task, cache=False)
    answers = predict(task, network.to(device), prepared, range(len(clips)), BATCH, device)
    if "isolated" not in answers:
        raise ValueError("augmentations are compared on isolated signs; give a recipe of that task")
    return (
        evaluate_predictions("isolated", answers["isolated"], n_resamples=0).figures["top1"].value
    )


def table(rows: Rows) -> str:
    """As Markdown: a line for each training, a column for each disturbance."""
    columns = [PLAIN, *DISTURBANCES]
    return markdown(
        ["trained with", *(name.replace("_", " ") for name in columns)],
        [
            [name.replace("_", " "), *(f"{figures[column]:.1f}" for column in columns)]
            for name, figures in rows.items()
        ],
    )


def main() -> None:
    """The command line: see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("recipe", type=Path, help="a .toml file, or the name of a bundled one")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder of the trainings")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--left-out", action="store_true", help="all but one, not one alone")
    parser.add_argument("--only", action="append", choices=NAMES, help="not all; repeatable")
    parser.add_argument("--draws", type=int, default=2, help="each val clip disturbed so often")
    given = parser.parse_args()
    try:
        recipe = read_recipe(given.recipe, given.set)
        draws, only = max(1, given.draws), given.only or NAMES
        rows = ablate(recipe, given.out, given.left_out, draws, tell, only)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    print(f"\n{table(rows)}")


if __name__ == "__main__":
    main()
