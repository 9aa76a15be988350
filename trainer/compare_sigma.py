"""Sigma's ways of pre-training against each other and against Uni-Sign: trainings, and a table.

    python -m fingerpost.trainer.compare_sigma sigma_few -o runs/compare/signer

On the clips of ``compare_sigma_clips``, from a language model that knows their words and a pose
encoder that knows their signs (``sigma_few_words``, ``sigma_few_signs``). Each way is pre-trained
for ``--pre`` steps on texts, and fine-tuned for those of the recipe on texts and glosses at once,
with the same clips, batches and seeds; Uni-Sign has its one objective in both. Each seed has an
order of clips and first weights of its own, of what is new. Figures are of the splits test and
signs. A command that was stopped goes on where it was.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from fingerpost.trainer.compare_sigma_runs import (
    PRETRAINING,
    Bench,
    measured,
    trained,
    with_settings,
)
from fingerpost.trainer.kept_figures import SEED, Figures, KeptFigures, table_of_seeds, tell
from fingerpost.trainer.recipe import Recipe, as_tables, read_recipe

FIGURES = "compare.json"
OF_SIGMA = ("fused", "fusion_layers", "alpha", "beta", "row", "scoring", "grounded_in")
OF_LOSS = ("whole", "local", "matching", "language")
TEXT = ("text",)  # what the pre-training asks: a clip has one text to be compared with


@dataclass(frozen=True)
class Way:
    """sigma : False is Uni-Sign
    pre : fields of the model in the pre-training; None = there is none
    longer : whether the fine-tuning has the steps of the pre-training too
    """

    sigma: bool = True
    pre: Mapping[str, Any] | None = None
    longer: bool = False


ALONE: dict[str, Any] = {"fusion_layers": 0}
WAYS: dict[str, Way] = {
    "Uni-Sign": Way(sigma=False, pre={}),
    "no fusion": Way(pre=ALONE),
    "fused as printed": Way(pre={}),
    "fused for matching": Way(pre={"fused": ["matching"]}),
    "fused pairs": Way(pre={"fused": ["pairs"]}),
    "alpha 0": Way(pre={**ALONE, "alpha": 0.0}),
    "alpha 1": Way(pre={**ALONE, "alpha": 1.0}),
    "beta 0": Way(pre={**ALONE, "beta": 0.0}),
    "beta 1": Way(pre={**ALONE, "beta": 1.0}),
    "no pre-training": Way(),
    "Uni-Sign, no pre-training": Way(sigma=False),
    "no pre-training, all steps": Way(longer=True),
    "Uni-Sign, no pre-training, all steps": Way(sigma=False, longer=True),
}


def compare(
    recipe: Recipe,
    out: Path,
    pre_steps: int,
    seeds: Sequence[int],
    ways: Sequence[str],
    report: Callable[[str, Mapping[str, float]], None],
) -> dict[str, Figures]:
    """Trains and measures all; by way and seed, "no fusion, seed 1", the figures in percent.

    recipe : of the task sigma, with the steps of the fine-tuning; report : is told the figures
    """
    if recipe.task != "sigma" or not recipe.start_from:
        raise ValueError("a comparison needs a recipe of the task sigma with start_from")
    unknown = [way for way in ways if way not in WAYS]
    if unknown:
        raise ValueError(f"no way {unknown[0]!r}; known: {', '.join(WAYS)}")
    key = {"recipe": as_tables(recipe), "pre": pre_steps}
    kept = KeptFigures(out / FIGURES, key)
    names = {f"{way}{SEED}{seed}": (WAYS[way], seed) for seed in seeds for way in ways}
    bench = Bench(recipe, out)
    for name, (way, seed) in names.items():
        if name not in kept.rows:
            seeded = msgspec.structs.replace(recipe, seed=seed)
            kept.add(name, train_and_measure(bench, way, seeded, pre_steps))
        report(name, kept.rows[name])
    return {name: kept.rows[name] for name in names}


def train_and_measure(bench: Bench, way: Way, recipe: Recipe, pre_steps: int) -> Figures:
    """The figures after the pre-training, "pre: sign_to_text.r1", and after the fine-tuning; and,
    weighted, the terms of the pre-training's last step, "loss: whole"."""
    last = tuning_of(way, recipe, pre_steps)
    if way.pre is None:
        return measured(bench, trained(bench, last)[0], last)
    first = tuning_of(way, recipe, pre_steps, pre=True)
    network, terms = trained(bench, first)
    figures = {f"pre: {name}": value for name, value in measured(bench, network, first).items()}
    figures |= {f"loss: {name}": terms[name] for name in OF_LOSS if name in terms}
    return figures | measured(bench, trained(bench, last, network.state_dict())[0], last)


def tuning_of(way: Way, recipe: Recipe, pre_steps: int, pre: bool = False) -> Recipe:
    """The way's fine-tuning, as a training from ``start_from``. pre : its pre-training instead"""
    steps = recipe.training.steps + (pre_steps if way.longer else 0)
    model = {k: v for k, v in recipe.model.items() if k not in OF_SIGMA}
    task, fresh = "sigma", recipe.fresh
    if not way.sigma:
        model.pop("embed_width", None)
        task, fresh = "translation", tuple(name for name in fresh if name != "class_token")
    if pre:
        recipe = with_settings(recipe, asks=TEXT)
        model |= way.pre or {}
        steps = pre_steps
        if way.sigma:
            task, fresh = "sigma_pretraining", (*fresh, PRETRAINING)
    return msgspec.structs.replace(
        recipe,
        task=task,
        model=model,
        fresh=fresh,
        training=msgspec.structs.replace(recipe.training, steps=steps),
    )


def table(rows: Mapping[str, Figures]) -> str:
    """As Markdown, without the terms of the loss."""
    names = dict.fromkeys(name for figures in rows.values() for name in figures)
    shown = [name for name in names if not name.startswith("loss: ")]
    return table_of_seeds(rows, shown, decimals=0)


def main() -> None:
    """The command line: see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("recipe", type=Path, help="a .toml file, or the name of a bundled one")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder of the figures")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--pre", type=int, default=120, help="steps of each pre-training")
    parser.add_argument("--seeds", type=int, default=3, help="so many, from the recipe's seed")
    parser.add_argument("--only", action="append", choices=list(WAYS), help="repeatable")
    given = parser.parse_args()
    try:
        recipe = read_recipe(given.recipe, given.set)
        seeds = range(recipe.seed, recipe.seed + max(1, given.seeds))
        ways = given.only or list(WAYS)
        rows = compare(recipe, given.out, max(1, given.pre), seeds, ways, tell)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    print(f"\n{table(rows)}")


if __name__ == "__main__":
    main()
