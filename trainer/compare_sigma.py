"""Sigma's ways of pre-training against each other and against Uni-Sign: trainings, and a table.

    python -m fingerpost.trainer.compare_sigma sigma_signer_islr -o runs/compare --signs 8

Each way is pre-trained for ``--pre`` steps and fine-tuned for those of the recipe, with the same
clips, batches and seeds; Uni-Sign is trained on its one objective twice. Each seed has first
weights and an order of clips of its own. Figures are of the clips of ``data.val``, all of them. A
command that was stopped goes on where it was. Trainings are deleted when they are measured.
"""

import argparse
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from fingerpost.trainer.evaluate import evaluate_checkpoint
from fingerpost.trainer.kept_figures import Figures, KeptFigures, markdown, tell
from fingerpost.trainer.recipe import Recipe, as_tables, read_recipe
from fingerpost.trainer.shards import ShardsAbout, open_shards, write_shards
from fingerpost.trainer.train import train

FIGURES = "compare.json"
OF_SIGMA = ("fused", "fusion_layers", "alpha", "beta", "row", "scoring", "grounded_in")
UNI_SIGN, NO_PRE, UNI_SIGN_NO_PRE = "Uni-Sign", "no pre-training", "Uni-Sign, no pre-training"
APART: dict[str, Any] = {"fused": ["matching"]}
WAYS: dict[str, dict[str, Any] | None] = {  # what the pre-training is set to
    UNI_SIGN: None,
    UNI_SIGN_NO_PRE: None,
    NO_PRE: None,
    "fused as printed": {},
    "fused pairs": {"fused": ["pairs"]},
    "fused for matching": APART,
    "no fusion": {"fusion_layers": 0},
    "alpha 0": {**APART, "alpha": 0.0},
    "alpha 1": {**APART, "alpha": 1.0},
    "beta 0": {**APART, "beta": 0.0},
    "beta 1": {**APART, "beta": 1.0},
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
    if recipe.task != "sigma" or recipe.start_from:
        raise ValueError("a comparison needs a recipe of the task sigma that starts from nothing")
    unknown = [way for way in ways if way not in WAYS]
    if unknown:
        raise ValueError(f"no way {unknown[0]!r}; known: {', '.join(WAYS)}")
    key = {"recipe": as_tables(recipe), "pre": pre_steps}
    kept = KeptFigures(out / FIGURES, key)
    names = {f"{way}, seed {seed}": (way, seed) for seed in seeds for way in ways}
    for name, (way, seed) in names.items():
        if name not in kept.rows:
            seeded = msgspec.structs.replace(recipe, seed=seed)
            kept.add(name, train_and_measure(way, seeded, out / "trainings", pre_steps))
        report(name, kept.rows[name])
    return {name: kept.rows[name] for name in names}


def train_and_measure(way: str, recipe: Recipe, out: Path, pre_steps: int) -> dict[str, float]:
    """The figures after the pre-training, "pre: sign_to_text.r1", and after the fine-tuning."""
    uni_sign = way in (UNI_SIGN, UNI_SIGN_NO_PRE)
    tables = as_tables(recipe)
    model = {k: v for k, v in recipe.model.items() if k not in OF_SIGMA}
    if uni_sign:
        model.pop("embed_width", None)
    task = "translation" if uni_sign else "sigma"
    shutil.rmtree(out, ignore_errors=True)
    figures: dict[str, float] = {}
    last: dict[str, Any] = {**tables, "task": task, "model": model}
    if way not in (NO_PRE, UNI_SIGN_NO_PRE):
        first = {
            **last,
            "task": "translation" if uni_sign else "sigma_pretraining",
            "model": {**model, **(WAYS[way] or {})},
            "training": {**tables["training"], "steps": pre_steps},
        }
        figures |= {f"pre: {k}": v for k, v in _trained(first, out / "pre").items()}
        fresh = [] if uni_sign else ["pretraining."]
        last |= {"start_from": str(out / "pre"), "fresh": fresh}
    figures |= _trained(last, out / "tuned")
    shutil.rmtree(out, ignore_errors=True)
    return figures


def few_signs(recipe: Recipe, n: int, out: Path) -> Recipe:
    """The recipe with n of its signs: every so manieth by the alphabet, as shards under ``out``."""
    data = recipe.data
    every = {gloss for folder in data.val for row in _glosses(folder) for gloss in row}
    if not 2 <= n <= len(every):
        raise ValueError(f"--signs: data.val has {len(every)} signs; give 2 to {len(every)}")
    chosen = set(sorted(every)[:: len(every) // n][:n])
    made: dict[str, tuple[str, ...]] = {}
    for name, folders in (("train", data.train), ("val", data.val)):
        made[name] = (str(out / name),)
        if (out / name).is_dir():
            continue
        clips = [
            c for folder in folders for c in open_shards(Path(folder)) if chosen >= {*c.glosses}
        ]
        write_shards(out / name, clips, ShardsAbout(corpus="few signs", schema="sign69"))
    return msgspec.structs.replace(recipe, data=msgspec.structs.replace(data, **made))


def table(rows: Mapping[str, Figures]) -> str:
    """As Markdown: a line for each way, the mean over seeds and each seed's figure."""
    columns = list(dict.fromkeys(name for figures in rows.values() for name in figures))
    ways = dict.fromkeys(name.rpartition(", seed ")[0] for name in rows)
    lines = []
    for way in ways:
        of_way = [figures for name, figures in rows.items() if name.startswith(f"{way}, seed ")]
        cells = []
        for column in columns:
            each = [figures[column] for figures in of_way if column in figures]
            shown = ", ".join(f"{value:.0f}" for value in each)
            cells.append(f"{np.mean(each):.1f} ({shown})" if each else "")
        lines.append([way, *cells])
    return markdown(["", *columns], lines)


def _glosses(folder: str) -> list[list[str]]:
    return open_shards(Path(folder)).column("glosses")


def _trained(tables: dict[str, Any], out: Path) -> dict[str, float]:
    recipe = msgspec.convert(tables, Recipe)
    unseen = msgspec.structs.replace(recipe.data, val_split="")
    train(msgspec.structs.replace(recipe, data=unseen), out)
    folders = recipe.data.val or recipe.data.train
    found = evaluate_checkpoint(out, folders, "", n_resamples=0)
    wanted = ("top1", "r1", "r5", "bleu4", "wer")
    return {
        f"{kind}.{name}": figure.value
        for kind, (evaluation, _) in found.items()
        for name, figure in evaluation.figures.items()
        if name in wanted
    }


def main() -> None:
    """The command line: see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("recipe", type=Path, help="a .toml file, or the name of a bundled one")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder of the figures")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--pre", type=int, default=120, help="steps of each pre-training")
    parser.add_argument("--seeds", type=int, default=3, help="so many, from the recipe's seed")
    parser.add_argument("--only", action="append", choices=list(WAYS), help="repeatable")
    parser.add_argument("--signs", type=int, default=0, help="so many signs; 0 = all")
    given = parser.parse_args()
    try:
        recipe = read_recipe(given.recipe, given.set)
        if given.signs:
            recipe = few_signs(recipe, given.signs, given.out / f"signs{given.signs}")
        seeds = range(recipe.seed, recipe.seed + max(1, given.seeds))
        ways = given.only or list(WAYS)
        rows = compare(recipe, given.out, max(1, given.pre), seeds, ways, tell)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    print(f"\n{table(rows)}")


if __name__ == "__main__":
    main()
