"""Accuracy of a pack, run by the phone's own code: a whole clip in, a gloss out, no averaging.

python -m fingerpost.trainer.evaluate_recogniser PACK --wlasl-hands FILE.npz [--split val]
python -m fingerpost.trainer.evaluate_recogniser PACK --webcam FILE.npz
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.edge_runtime.pack import open_pack
from fingerpost.edge_runtime.recogniser import Recogniser
from fingerpost.trainer.corpora.holistic_arrays import read_webcam
from fingerpost.trainer.corpora.wlasl_hands import read_wlasl_hands


@dataclass(frozen=True)
class Result:
    """Shares of n clips; sure: the right gloss was also likelier than "no sign"."""

    top1: float
    top5: float
    sure: float
    n: int

    def __str__(self) -> str:
        return (
            f"top-1 {self.top1:.1%}  top-5 {self.top5:.1%}  "
            f'top-1 and likelier than "no sign" {self.sure:.1%}  ({self.n} clips)'
        )


def evaluate(
    recogniser: Recogniser, reject: str, clips: Sequence[PoseSequence], glosses: Sequence[str]
) -> Result:
    """The recogniser knows that each clip is one sign, so "no sign" is left out of the ranking.

    All glosses of the pack compete, not only those of the test set.
    """
    vocabulary = recogniser.vocabulary
    unknown = sorted(set(glosses) - set(vocabulary))
    if unknown:
        raise ValueError(f"the pack does not know {', '.join(unknown)}")
    if len(clips) == 0:
        raise ValueError("no clips to evaluate on")
    hits1 = hits5 = sure = 0
    none = vocabulary.index(reject)
    for clip, gloss in zip(clips, glosses, strict=True):
        probabilities = recogniser.probabilities(clip)
        ranking = [vocabulary[k] for k in np.argsort(-probabilities) if k != none][:5]
        hits1 += ranking[0] == gloss
        hits5 += gloss in ranking
        sure += ranking[0] == gloss and probabilities[none] < probabilities.max()
    n = len(clips)
    return Result(hits1 / n, hits5 / n, sure / n, n)


def wlasl_result(pack: Path, file: Path, n_glosses: int, split: str) -> Result:
    """A pack on the first n glosses of WLASL hand landmarks."""
    opened = open_pack(pack)
    corpus = read_wlasl_hands(file, n_glosses, split)
    glosses = [corpus.glosses[label] for label in corpus.label]
    return evaluate(Recogniser(opened), opened.manifest.reject, corpus.sequences, glosses)


def webcam_result(pack: Path, file: Path) -> Result:
    """A pack on those clips of a webcam set whose gloss it knows."""
    opened = open_pack(pack)
    data = read_webcam(file)
    known = [i for i, gloss in enumerate(data.label) if gloss in opened.vocabulary]
    clips, glosses = [data.sequences[i] for i in known], [data.label[i] for i in known]
    return evaluate(Recogniser(opened), opened.manifest.reject, clips, glosses)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pack", type=Path)
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--wlasl-hands", type=Path, help="the release's .npz")
    data.add_argument("--webcam", type=Path, help=".npz of one person before one webcam")
    parser.add_argument("--glosses", type=int, default=100, help="of WLASL, the most frequent")
    parser.add_argument("--split", default="val")
    given = parser.parse_args()
    try:
        if given.webcam:
            print(webcam_result(given.pack, given.webcam))
        else:
            print(wlasl_result(given.pack, given.wlasl_hands, given.glosses, given.split))
    except (ValueError, FileNotFoundError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
