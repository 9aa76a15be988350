"""Accuracy of a pack, run by the phone's own code: a whole clip in, a gloss out, no averaging.

python -m fingerpost.trainer.evaluate_recogniser PACK --wlasl-hands FILE.npz [--split val]
python -m fingerpost.trainer.evaluate_recogniser PACK --webcam FILE.npz [--as-files]
"""

import argparse
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.edge_runtime.pack import Pack, PackStore, open_pack
from fingerpost.edge_runtime.recogniser import Recogniser
from fingerpost.edge_runtime.teaching import ClipCutter
from fingerpost.trainer.corpora.holistic_arrays import NO_SIGN, read_webcam
from fingerpost.trainer.corpora.wlasl_hands import read_wlasl_hands

MOST_UNKNOWN = 0.01  # of the glosses: WLASL has two that nobody signs in its part to train on
NAMED = 5  # glosses, in an error


@dataclass(frozen=True)
class Result:
    """Shares of n clips; sure: the right gloss was also likelier than "no sign", of packs that have
    such a class."""

    top1: float
    top5: float
    sure: float | None
    n: int

    def __str__(self) -> str:
        said = f"top-1 {self.top1:.1%}  top-5 {self.top5:.1%}"
        if self.sure is not None:
            said += f'  top-1 and likelier than "no sign" {self.sure:.1%}'
        return f"{said}  ({self.n} clips)"


def evaluate(
    pack: Pack,
    recogniser: Recogniser,
    clips: Sequence[PoseSequence],
    glosses: Sequence[str],
    as_files: bool = False,
) -> Result:
    """The recogniser knows that each clip is one sign, so "no sign" is left out of the ranking.

    All glosses of the pack compete, not only those of the test set; one that it has not is wrong.

    as_files : each clip as a file for ``fingerpost lookup``; wrong too where it finds none, or two
    """
    if len(clips) == 0:
        raise ValueError("no clips to evaluate on")
    vocabulary, no_sign = pack.vocabulary, pack.manifest.special.get("reject")
    none = vocabulary.index(no_sign) if no_sign else None
    hits1 = hits5 = sure = 0
    for clip, gloss in zip(clips, glosses, strict=True):
        signs = signs_of_file(clip) if as_files else [clip]
        if len(signs) != 1:
            continue
        probabilities = recogniser.probabilities(signs[0])
        ranking = [vocabulary[k] for k in np.argsort(-probabilities) if k != none][:5]
        hits1 += ranking[0] == gloss
        hits5 += gloss in ranking
        if none is not None:
            sure += ranking[0] == gloss and probabilities[none] < probabilities.max()
    n = len(clips)
    return Result(hits1 / n, hits5 / n, None if none is None else sure / n, n)


def signs_of_file(clip: PoseSequence) -> list[PoseSequence]:
    """What ``fingerpost lookup`` finds in a file of these keypoints."""
    cutter = ClipCutter(clip.schema, clip.aspect)
    found: list[PoseSequence] = []
    pushes: list[Callable[[], list[PoseSequence]]]
    pushes = [*(partial(cutter.push, frame) for frame in clip.frames()), cutter.flush]
    for push in pushes:
        with suppress(ValueError):  # no single sign: told, and the file is gone on with
            found += push()
    return found


def wlasl_result(
    pack: Path, file: Path, n_glosses: int, split: str, as_files: bool = False
) -> Result:
    """A pack on the first n glosses of WLASL hand landmarks."""
    opened = open_pack(pack)
    corpus = read_wlasl_hands(file, n_glosses, split)
    glosses = [corpus.glosses[label] for label in corpus.label]
    unknown = sorted(set(glosses) - set(opened.vocabulary))
    if len(unknown) > len(set(glosses)) * MOST_UNKNOWN:
        more = f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else ""
        raise ValueError(f"the pack does not know {', '.join(unknown[:NAMED])}{more}")
    return evaluate(opened, Recogniser(opened), corpus.sequences, glosses, as_files)


def webcam_result(pack: Path, file: Path, as_files: bool = False) -> Result:
    """A pack on those clips of a webcam set whose gloss it knows."""
    opened = open_pack(pack)
    data = read_webcam(file)
    names = enumerate(data.label)
    known = [i for i, gloss in names if gloss in opened.vocabulary and gloss != NO_SIGN]
    clips, glosses = [data.sequences[i] for i in known], [data.label[i] for i in known]
    return evaluate(opened, Recogniser(opened), clips, glosses, as_files)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pack", help="its name or its path")
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--wlasl-hands", type=Path, help="the release's .npz")
    data.add_argument("--webcam", type=Path, help=".npz of one person before one webcam")
    parser.add_argument("--glosses", type=int, default=100, help="of WLASL, the most frequent")
    parser.add_argument("--split", default="val")
    parser.add_argument("--as-files", action="store_true", help="as `fingerpost lookup` cuts them")
    given = parser.parse_args()
    try:
        pack = PackStore().find(given.pack)
        if given.webcam:
            print(webcam_result(pack, given.webcam, given.as_files))
        else:
            print(wlasl_result(pack, given.wlasl_hands, given.glosses, given.split, given.as_files))
    except (ValueError, FileNotFoundError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
