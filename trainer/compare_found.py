"""The ablations of found, each way with each seed: trainings, and a table of their figures.

    python -m fingerpost.trainer.compare_found mappings found_signer_text -o runs/mappings

"Lost in Translation, Found in Embeddings: Sign Language Translation and Alignment", Tables 2, 3, 5
and A.6. All ways of a table have the same clips, steps and seeds; each differs from the recipe in
the lines that ``TABLES`` gives. Table 2 of the paper takes one part away after the other; here each
is taken away alone. Figures are of the clips of one split, all of them, by the weights after the
last step. A command that was stopped goes on where it was. Trainings are deleted when they are
measured, but for those that ``--keep`` names.
"""

import argparse
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fingerpost.trainer.evaluate import evaluate_checkpoint
from fingerpost.trainer.kept_figures import SEED, Figures, KeptFigures, table_of_seeds, tell
from fingerpost.trainer.recipe import as_tables, read_recipe
from fingerpost.trainer.train import train

TABLES: dict[str, dict[str, list[str]]] = {  # of each table its ways: what they change
    "signs": {
        "pose backbone": [],
        "without auxiliary loss": ["model.auxiliary=false"],
        "mean over joints": ["model.poses.joint_aggregation=mean"],
        "without contrastive loss": ["settings.words="],
        "with masking": ["model.masking=true"],
    },
    "mappings": {
        "Sliding Perceiver": [],
        "MLP": ["model.mapping=mlp"],
        "convolution": ["model.mapping=convolution"],
        "Token Shuffle": ["model.mapping=token_shuffle"],
    },
    "tasks": {
        "SLT and SSA": [],
        "SLT alone": ['settings.asks=["text"]'],
        "SLT alone, as many sentences": ['settings.asks=["text"]', "training.steps=200"],
        "SSA alone": ['settings.asks=["spans"]'],
    },
    "soft": {"soft decoding": [], "without": ["model.soft_weight=0"]},
}
FIGURES = (  # of an evaluation, in the order in which a table has them
    *("top1", "top5", "top1_per_class", "bleu4", "rouge_l", "wer"),
    *("iou", "f1_10", "f1_25", "f1_50"),
)


def compare(
    table: str,
    recipe: Path,
    out: Path,
    seeds: Sequence[int],
    changes: Sequence[str] = (),
    only: Sequence[str] = (),
    split: str = "test",
    keep: Sequence[str] = (),
    report: Callable[[str, Mapping[str, float]], None] = tell,
) -> dict[str, Figures]:
    """Trains and measures; by way and seed, "MLP, seed 1", the figures in percent.

    recipe : a file, or the name of a bundled one; changes : to it, for all ways
    only, keep : ways; those to train, none = all, and those whose trainings stay under ``out``
    ValueError for a table or way that there is not, and for a recipe that cannot be.
    """
    if table not in TABLES:
        raise ValueError(f"no table {table!r}; known: {', '.join(TABLES)}")
    ways = TABLES[table]
    if unknown := [way for way in (*only, *keep) if way not in ways]:
        raise ValueError(f"no way {unknown[0]!r}; known: {', '.join(ways)}")
    how = {"recipe": as_tables(read_recipe(recipe, changes)), "table": table, "split": split}
    kept = KeptFigures(out / f"{table}.json", how)
    names = {f"{way}{SEED}{seed}": (way, seed) for seed in seeds for way in only or ways}
    for name, (way, seed) in names.items():
        if name not in kept.rows:
            lines = [*changes, *ways[way], f"seed={seed}"]
            where = out / name.replace(",", "").replace(" ", "_")
            kept.add(name, _measured(recipe, lines, where, split))
            if way not in keep:
                shutil.rmtree(where)
        report(name, kept.rows[name])
    return {name: kept.rows[name] for name in names}


def _measured(recipe: Path, changes: Sequence[str], out: Path, split: str) -> Figures:
    wanted = read_recipe(recipe, [*changes, "data.val_split="])  # none is chosen: the last weights
    train(wanted, out)
    figures: Figures = {}
    for folder in wanted.data.val or wanted.data.train:
        found = evaluate_checkpoint(out, [folder], split, n_resamples=0)
        figures |= {
            f"{Path(folder).name} {kind}.{name}": evaluation.figures[name].value
            for kind, (evaluation, _) in found.items()
            for name in FIGURES
            if name in evaluation.figures
        }
    return figures


def main() -> None:
    """The command line: see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("table", choices=list(TABLES))
    parser.add_argument("recipe", type=Path, help="a .toml file, or the name of a bundled one")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder of the figures")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--seeds", type=int, default=3, help="so many, from 0")
    parser.add_argument("--only", action="append", default=[], metavar="WAY", help="repeatable")
    parser.add_argument("--keep", action="append", default=[], metavar="WAY", help="repeatable")
    parser.add_argument("--split", default="test", help="that is measured")
    given = parser.parse_args()
    try:
        rows = compare(
            *(given.table, given.recipe, given.out, range(max(1, given.seeds)), given.set),
            *(given.only, given.split, given.keep),
        )
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    print(f"\n{table_of_seeds(rows)}")


if __name__ == "__main__":
    main()
