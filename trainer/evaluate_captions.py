"""How well a pack captions running signing: word errors, and captions where nobody signs.

    python -m fingerpost.trainer.evaluate_captions PACK [--sentences 100] [--set KEY=NUMBER]

Sentences and fidgets of the rendered signer, by signers and in an order that training never saw, go
through the runtime's own captioner frame by frame.
"""

import argparse
import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fingerpost.edge_runtime.captioner import Captioner
from fingerpost.edge_runtime.captions import LineCompleted
from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.edge_runtime.pack import Pack, open_pack
from fingerpost.edge_runtime.recogniser import Recogniser
from fingerpost.trainer.metrics import count_errors
from fingerpost.trainer.recogniser_data import FPS, random_performance
from fingerpost.trainer.signer import LEXICON


@dataclass(frozen=True)
class CaptionResult:
    """errors : of all sentences against n_signs; false_glosses in idle_s seconds of fidgeting."""

    substitutions: int
    deletions: int
    insertions: int
    n_signs: int
    false_glosses: int
    idle_s: float

    @property
    def word_error_rate(self) -> float:
        return (self.substitutions + self.deletions + self.insertions) / self.n_signs

    def __str__(self) -> str:
        return (
            f"word errors {self.word_error_rate:.1%} of {self.n_signs} signs "
            f"({self.substitutions} wrong, {self.deletions} missing, {self.insertions} too many); "
            f"{self.false_glosses} glosses in {self.idle_s:.0f} s of idle hands"
        )


def evaluate_captions(pack: Pack, n_sentences: int, seed: int = 1000) -> CaptionResult:
    """Captions n random sentences of one to five signs, and half as many fidgets."""
    rng = np.random.default_rng(seed)
    glosses = [gloss for gloss in LEXICON if gloss in pack.vocabulary]
    recogniser = Recogniser(pack)
    errors, n_signs, false_glosses, idle_s = np.zeros(3, int), 0, 0, 0.0
    for n in range(n_sentences + n_sentences // 2):
        performance = random_performance(glosses, rng, idle=n % 3 == 2)
        keypoints = performance.keypoints(fps=FPS, noise=rng)
        got = caption(pack, recogniser, keypoints)
        truth = [gloss for gloss, _, _ in performance.spans]
        n_signs += len(truth)
        if truth:
            errors += count_errors(truth, got)
        else:
            false_glosses += len(got)
            idle_s += performance.duration_ms / 1000
    wrong, missing, extra = errors.tolist()
    return CaptionResult(wrong, missing, extra, n_signs, false_glosses, idle_s)


def caption(pack: Pack, recogniser: Recogniser, keypoints: PoseSequence) -> list[str]:
    """All glosses of the lines that a captioner completes."""
    captioner = Captioner(pack, keypoints.schema, keypoints.aspect, recogniser)
    events = [e for frame in keypoints.frames() for e in captioner.push(frame)]
    events += captioner.flush()
    return [gloss for e in events if isinstance(e, LineCompleted) for gloss in e.line.glosses]


def with_settings(pack: Pack, settings: dict[str, float]) -> Pack:
    """The pack as if its manifest had other settings, to try them."""
    manifest = dataclasses.replace(pack.manifest, settings={**pack.manifest.settings, **settings})
    return dataclasses.replace(pack, manifest=manifest)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("--sentences", type=int, default=100)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=NUMBER")
    given = parser.parse_args()
    try:
        settings = {key: float(value) for key, value in (s.split("=", 1) for s in given.set)}
        pack = with_settings(open_pack(given.pack), settings)
        print(evaluate_captions(pack, given.sentences))
    except (ValueError, FileNotFoundError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
