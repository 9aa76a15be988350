"""What a pack's recogniser learns from, as shards: so that any recipe can train one.

    python -m fingerpost.trainer.pack_corpus -o shards/pack --research-data FOLDER
    fingerpost train isolated --set data.train=shards/pack -o runs/pack
    python -m fingerpost.distill.make_pack -o my.fpk --research-data FOLDER --trained runs/pack

The vocabulary is that of ``train_recogniser``, and so are the kinds of clips: real signs, with and
without a body; the rendered signer's; and as "no sign" the signer's transitions and fidgets, real
signs of other glosses, and pieces of real signs. There each batch has its share of each kind; here
the shares are numbers of clips.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence
from fingerpost.trainer.clip_tables import Clip
from fingerpost.trainer.recogniser_data import REJECT, signer_sequences
from fingerpost.trainer.shards import ShardsAbout, write_shards
from fingerpost.trainer.train_recogniser import (
    N_WLASL_GLOSSES,
    PART_OF_CLIP,
    ResearchData,
    read_research_data,
    vocabulary_of,
)


@dataclass(frozen=True)
class Amounts:
    """How many there are of what can be made at will.

    sentences : of the rendered signer; each gives some ten spans
    val_sentences : the same, by other signers, in the split "val"
    others : clips of glosses that the vocabulary lacks
    pieces : too short to be a sign
    """

    sentences: int = 150
    val_sentences: int = 10
    others: int = 400
    pieces: int = 200


def pack_clips(research: ResearchData | None, amounts: Amounts, seed: int) -> Iterator[Clip]:
    """All clips, in the splits "train" and "val". The val part of WLASL100 is in "val" whole."""
    vocabulary = vocabulary_of(research)
    for split, n_sentences in (("train", amounts.sentences), ("val", amounts.val_sentences)):
        from_seed = seed if split == "train" else seed + 1
        spans = signer_sequences(vocabulary, n_sentences, from_seed)
        for i, (sequence, gloss) in enumerate(spans):
            yield _clip(f"signer.{split}.{i}", "rendered", split, gloss, sequence)
    if research is not None:
        yield from _of_wlasl(research, vocabulary, amounts, np.random.default_rng(seed))
        yield from _with_body(research, vocabulary)


def piece_of(sequence: PoseSequence, rng: np.random.Generator) -> PoseSequence:
    """A part of a sign that is too short to be one, at least one frame."""
    n_frames = max(1, round(rng.uniform(*PART_OF_CLIP) * len(sequence)))
    start = int(rng.integers(len(sequence) - n_frames + 1))
    part = slice(start, start + n_frames)
    return replace(
        sequence,
        xyz=sequence.xyz[part],
        confidence=sequence.confidence[part],
        start_ms=sequence.time_ms(start),
    )


def _of_wlasl(
    research: ResearchData, vocabulary: tuple[str, ...], amounts: Amounts, rng: np.random.Generator
) -> Iterator[Clip]:
    corpus = research.hands
    glosses = [corpus.glosses[label] for label in corpus.label]
    in_train = corpus.split == "train"
    known = np.isin(glosses, vocabulary)
    chosen = {
        "train": np.flatnonzero(in_train & known),
        "val": np.flatnonzero((corpus.split == "val") & (corpus.label < N_WLASL_GLOSSES)),
    }
    for split, numbers in chosen.items():
        for i in numbers.tolist():
            signer = str(corpus.signer[i])
            yield _clip(str(corpus.video_id[i]), signer, split, glosses[i], corpus.sequences[i])
    for i in _some(np.flatnonzero(in_train & ~known), amounts.others, rng):
        signer, name = str(corpus.signer[i]), f"{corpus.video_id[i]}.other"
        yield _clip(name, signer, "train", REJECT, corpus.sequences[i])
    for i in _some(chosen["train"], amounts.pieces, rng):
        signer, name = str(corpus.signer[i]), f"{corpus.video_id[i]}.piece"
        yield _clip(name, signer, "train", REJECT, piece_of(corpus.sequences[i], rng))


def _with_body(research: ResearchData, vocabulary: tuple[str, ...]) -> Iterator[Clip]:
    clips = research.holistic
    for i, split in enumerate(clips.split):
        gloss = clips.label[i] if clips.label[i] in vocabulary else REJECT
        if split == "train":
            name = f"{clips.id[i]}.holistic"
            yield _clip(name, clips.signer[i], split, gloss, clips.sequences[i])


def _some(numbers: np.ndarray, n: int, rng: np.random.Generator) -> list[int]:
    return rng.permutation(numbers)[:n].tolist()


def _clip(name: str, signer: str, split: str, gloss: str, sequence: PoseSequence) -> Clip:
    return Clip(name, signer, split, (gloss,), "", "ase", "", sequence)


def main() -> None:
    """The command line: see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder of the shards")
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--research-data", type=Path, help="folder with wlasl_hands/ ...")
    data.add_argument("--no-research-data", action="store_true", help="the rendered signer only")
    parser.add_argument("--sentences", type=int, default=Amounts.sentences, help="of the signer")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    try:
        if given.sentences < 1:
            raise ValueError("--sentences is at least 1")
        research = read_research_data(given.research_data) if given.research_data else None
        clips: Iterable[Clip] = pack_clips(research, Amounts(given.sentences), given.seed)
        shards = write_shards(given.out, clips, ShardsAbout("pack", SIGN69.name))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    glosses = [row[0] for row in shards.column("glosses")]
    n_none = glosses.count(REJECT)
    print(f"{given.out}: {len(shards)} clips, {len(set(glosses)) - 1} glosses, {n_none} of no sign")


if __name__ == "__main__":
    main()
