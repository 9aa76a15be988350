"""Is a pack as good as the checkpoint that it was made from? Both are asked about the same clips.

    python -m fingerpost.distill.compare_pack CHECKPOINT PACK SHARDS [--split val]

The checkpoint answers as ``fingerpost evaluate`` runs it, the pack as a device does: whole clips
through edge_runtime, one by one, with the manifest's preprocessing. Exit status 1 where the pack's
top-1 is more than ``--max-loss`` points lower.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fingerpost.edge_runtime.pack import Pack, open_pack
from fingerpost.edge_runtime.recogniser import Recogniser
from fingerpost.trainer.evaluate import evaluate_checkpoint
from fingerpost.trainer.evaluation import TOP, Evaluation, evaluate_predictions
from fingerpost.trainer.feed import Clips
from fingerpost.trainer.predictions import Prediction
from fingerpost.trainer.shards import Clip

MAX_LOSS = 1.0  # points of top-1


@dataclass(frozen=True)
class Comparison:
    """Of n clips, in percent. agreed : those with the same best gloss."""

    n: int
    checkpoint: dict[str, float]
    pack: dict[str, float]
    agreed: float

    @property
    def lost(self) -> float:
        """Points of top-1 that the pack is worse by; below 0 where it is better."""
        return self.checkpoint["top1"] - self.pack["top1"]


def compare(
    checkpoint: Path,
    pack: Path,
    shards: list[str],
    split: str,
) -> Comparison:
    """Both on the clips of a split; "" = all. All glosses compete, "no sign" among them."""
    opened = open_pack(pack)
    found = evaluate_checkpoint(checkpoint, shards, split, n_resamples=0)
    if "isolated" not in found:
        raise ValueError(f"{checkpoint} does not name single signs, and no pack is made of it")
    evaluation, said = found["isolated"]
    answers = pack_answers(opened, Clips(shards, split))
    best = {answer.id: answer.said for answer in answers}
    agreed = 100 * float(np.mean([best[one.id] == one.said for one in said]))
    of_pack = evaluate_predictions("isolated", answers, n_resamples=0)
    return Comparison(len(answers), _figures(evaluation), _figures(of_pack), agreed)


def pack_answers(pack: Pack, clips: Sequence[Clip]) -> list[Prediction]:
    """What a pack, run by edge_runtime, says of each clip."""
    recogniser = Recogniser(pack)
    answers = []
    for clip in clips:
        if len(clip.glosses) != 1:
            raise ValueError(f"clip {clip.id!r} has {len(clip.glosses)} glosses, expected one")
        ranked = np.argsort(-recogniser.probabilities(clip.sequence), kind="stable")[:TOP]
        glosses = tuple(pack.vocabulary[k] for k in ranked)
        answers.append(Prediction(clip.id, clip.signer, clip.glosses[0], glosses[0], glosses))
    return answers


def _figures(evaluation: Evaluation) -> dict[str, float]:
    return {name: evaluation.figures[name].value for name in ("top1", "top5")}


def main() -> None:
    """The command line: see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("checkpoint", type=Path, help="a checkpoint, or a training's folder")
    parser.add_argument("pack", type=Path)
    parser.add_argument("shards", nargs="+", help="folders of shards")
    parser.add_argument("--split", default="val", help='"" for all clips')
    parser.add_argument("--max-loss", type=float, default=MAX_LOSS, help="points of top-1")
    given = parser.parse_args()
    try:
        found = compare(given.checkpoint, given.pack, given.shards, given.split)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    for name, figures in (("checkpoint", found.checkpoint), ("pack", found.pack)):
        print(f"{name:12s} top-1 {figures['top1']:.1f} %  top-5 {figures['top5']:.1f} %")
    print(f"{found.n} clips; the same best gloss for {found.agreed:.1f} %")
    if found.lost > given.max_loss:
        print(f"error: the pack is {found.lost:.1f} points worse", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
