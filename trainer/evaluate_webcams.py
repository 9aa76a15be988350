"""What a user's own webcam will see: trained on WLASL and two webcam sets, tested on the third.

    python -m fingerpost.trainer.evaluate_webcams RECIPE --data DATA -o runs/webcams

DATA holds ``wlasl_hands/`` and ``webcam/``. The three sets are of one signer, camera and room each,
so each is tested on by a network that has never seen anything of it; a fourth training, on WLASL
alone, says what the two other webcams bought. The best weights are chosen on WLASL's val part,
never on a webcam. All glosses that a network knows compete; clips of a label that WLASL does not
have cannot be read by anybody who has not seen that set, and are left out; so are idle hands.

The webcams show bodies and WLASL none. A network may not learn that whoever has a body signs what
webcams sign: give a recipe with ``settings.hands_only``, as ``ms_mae_wlasl100`` has it.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import msgspec
import numpy as np
import torch

from fingerpost.edge_runtime.keypoints import SIGN69
from fingerpost.trainer.clip_tables import Clip
from fingerpost.trainer.corpora import wlasl_hands
from fingerpost.trainer.corpora.holistic_arrays import NO_SIGN
from fingerpost.trainer.corpora.keypoint_sets import clips_of_wlasl, read_webcam
from fingerpost.trainer.evaluate import load_for_answers, predict
from fingerpost.trainer.evaluation import evaluate_predictions
from fingerpost.trainer.feed import Clips, PreparedClips
from fingerpost.trainer.kept_figures import Figures, KeptFigures, markdown, tell
from fingerpost.trainer.recipe import Recipe, as_tables, read_recipe
from fingerpost.trainer.shards import ABOUT, ShardsAbout, write_shards
from fingerpost.trainer.train import train

WLASL, ALONE = "wlasl", "WLASL alone"
FIGURES = "webcams.json"
BATCH = 64


@dataclass(frozen=True)
class Options:
    """n_glosses : WLASL's first so many, beside those of the webcams
    per_label : clips of a label that are trained on, of each webcam; else one signer's 120 EATs
        would be more than all of WLASL's
    """

    n_glosses: int = 100
    per_label: int = 30


def evaluate_webcams(
    recipe: Recipe,
    data: Path,
    out: Path,
    options: Options,
    report: Callable[[str, Mapping[str, float]], None],
) -> dict[str, Figures]:
    """Each webcam set by name: clips, and top-1 and top-5 in percent of both trainings.

    report : is told the figures of each test
    """
    how = {"recipe": as_tables(recipe), "options": msgspec.to_builtins(options)}
    kept = KeptFigures(out / FIGURES, how)
    folders = make_shards(data, out / "shards", options)
    webcams = [name for name in folders if name != WLASL]
    for name in webcams:
        if name not in kept.rows:
            others = [other for other in webcams if other != name]
            figures: Figures = {}
            for kind, train_on in ((ALONE, [WLASL]), ("and two webcams", [WLASL, *others])):
                run = out / "-".join(train_on)
                train(_on(recipe, [folders[one] for one in train_on], folders[WLASL]), run)
                measured = measure(run, folders[name])
                figures |= {f"{kind}: {figure}": value for figure, value in measured.items()}
            kept.add(name, figures)
        report(name, kept.rows[name])
    return {name: kept.rows[name] for name in webcams}


def make_shards(data: Path, out: Path, options: Options) -> dict[str, Path]:
    """Folders of shards, of WLASL and of each webcam; those that are there are not made again.

    Of a webcam, the clips in the split "train" are those for training; a test takes all.
    """
    clips = [clip for clip in read_webcam(data / "webcam") if clip.glosses[0] != NO_SIGN]
    by_set = {name: list(group) for name, group in groupby(clips, lambda clip: clip.signer)}
    folders = {name: out / name for name in (WLASL, *by_set)}
    if not (folders[WLASL] / ABOUT).is_file():
        labels = {clip.glosses[0] for clip in clips}
        corpus = wlasl_hands.read_wlasl_hands(data / "wlasl_hands" / wlasl_hands.FILE)
        wanted = {*corpus.glosses[: options.n_glosses], *labels}
        chosen = (clip for clip in clips_of_wlasl(corpus) if clip.glosses[0] in wanted)
        write_shards(folders[WLASL], chosen, ShardsAbout(WLASL, SIGN69.name))
    for name, of_set in by_set.items():
        if not (folders[name] / ABOUT).is_file():
            about = ShardsAbout(name, SIGN69.name)
            write_shards(folders[name], in_splits(of_set, options.per_label), about)
    return folders


def in_splits(clips: Iterable[Clip], per_label: int) -> Iterator[Clip]:
    """The same clips: of each label so many, from first to last, in "train", the rest in "rest"."""
    by_label: dict[str, list[Clip]] = {}
    for clip in clips:
        by_label.setdefault(clip.glosses[0], []).append(clip)
    for of_label in by_label.values():
        n_chosen = min(per_label, len(of_label))
        chosen = set(np.linspace(0, len(of_label) - 1, n_chosen).round().astype(int).tolist())
        for i, clip in enumerate(of_label):
            yield replace(clip, split="train" if i in chosen else "rest")


def measure(run: Path, folder: Path) -> Figures:
    """Clips whose gloss the training's network knows, and its top-1 and top-5 of them."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network, task = load_for_answers(run, {})
    clips = Clips([str(folder)], "")
    known = set(getattr(task, "vocabulary", ()))
    numbers = [i for i, glosses in enumerate(clips.column("glosses")) if glosses[0] in known]
    if not numbers:
        raise ValueError(f"{run} knows no gloss of {folder}; train on single signs, with more")
    prepared = PreparedClips(clips, task, cache=False)
    answers = predict(task, network.to(device), prepared, numbers, BATCH, device)["isolated"]
    figures = evaluate_predictions("isolated", answers, n_resamples=0).figures
    return {
        "clips": len(numbers),
        "top1": figures["top1"].value,
        "top5": figures["top5"].value,
        "top1_per_class": figures["top1_per_class"].value,
    }


def table(rows: Mapping[str, Figures]) -> str:
    """As Markdown: a line for each set, a column for each training."""
    kinds = (ALONE, "and two webcams")
    heading = ["tested on", "clips", *kinds, *(f"{kind}, per class" for kind in kinds)]
    lines = []
    for name, figures in rows.items():
        both = [f"{figures[f'{k}: top1']:.1f} / {figures[f'{k}: top5']:.1f}" for k in kinds]
        per_class = [f"{figures[f'{k}: top1_per_class']:.1f}" for k in kinds]
        lines.append([name, f"{figures[f'{ALONE}: clips']:.0f}", *both, *per_class])
    return markdown(heading, lines)


def _on(recipe: Recipe, folders: list[Path], val: Path) -> Recipe:
    """The recipe on these shards, its best weights chosen on those of ``val``."""
    train_on = tuple(str(folder) for folder in folders)
    data = msgspec.structs.replace(
        recipe.data, train=train_on, val=(str(val),), train_split="train", val_split="val"
    )
    return msgspec.structs.replace(recipe, data=data)


def main() -> None:
    """The command line: see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("recipe", type=Path, help="a .toml file, or the name of a bundled one")
    parser.add_argument("--data", type=Path, required=True, help="with wlasl_hands/ and webcam/")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder of the trainings")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--glosses", type=int, default=100, help="of WLASL, the most frequent")
    parser.add_argument("--per-label", type=int, default=30, help="clips of each webcam's labels")
    given = parser.parse_args()
    try:
        if min(given.glosses, given.per_label) < 1:
            raise ValueError("--glosses and --per-label are at least 1")
        recipe = read_recipe(given.recipe, given.set)
        options = Options(given.glosses, given.per_label)
        rows = evaluate_webcams(recipe, given.data, given.out, options, tell)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    print(f"\n{table(rows)}")


if __name__ == "__main__":
    main()
