"""A small world for ``compare_sigma``: of two corpora, the clips of a few glosses.

    python -m fingerpost.trainer.compare_sigma_clips -o few --glosses 80 --most 4 \\
      --signer sentences/signer shards/signs_test --real sentences/real shards/wlasl2000

Each corpus gives a folder of shards, ``few/signer`` and ``few/real``, with three splits: ``train``,
short sentences and single signs; ``test``, the short sentences of its val and its test; ``signs``,
single signs to test on. The signer's are by people of another seed. The real ones are the clips of
WLASL that the sentences of train have not, each once. A single sign's text is its gloss, so that
every clip has a text.

Of real signs the hands alone are known, and Uni-Sign's normalisation uses nothing of a clip without
a body. So real clips get the part of one that their hands imply: wrists where the hands begin, and
shoulders where ``in_one_picture`` has put them.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fingerpost.edge_runtime.keypoints import SIGN69
from fingerpost.edge_runtime.preprocess import NOMINAL_SHOULDERS
from fingerpost.edge_runtime.preprocess_live import NOMINAL_WIDTH
from fingerpost.trainer.clip_tables import Clip
from fingerpost.trainer.sentences.real_signs import (
    ASPECT,
    RealSigns,
    make_sentence,
    read_real_signs,
)
from fingerpost.trainer.shards import Shards, ShardsAbout, open_shards, write_shards
from fingerpost.trainer.signer.phrases import Phrase
from fingerpost.trainer.signer_corpus import TEXT_LANGUAGE

SIGNS = "signs"  # the split of single signs to test on
SPLIT_OF = {"train": "train", "val": "test", "test": "test"}


def frequent_together(rows: Iterable[Collection[str]], n: int) -> frozenset[str]:
    """n glosses that leave many sentences whole.

    rows : the glosses of each sentence

    The gloss that the fewest of the sentences left have is taken away, with these sentences, until
    n are left; of equals, the first of the alphabet. ValueError where there were fewer anyway.
    """
    left = [frozenset(row) for row in rows]
    counts = Counter(gloss for row in left for gloss in row)
    if not 1 <= n <= len(counts):
        raise ValueError(f"--glosses: the sentences have {len(counts)}; give 1 to {len(counts)}")
    while len(counts) > n:
        rarest = min(counts, key=lambda gloss: (counts[gloss], gloss))
        del counts[rarest]
        for row in [row for row in left if rarest in row]:
            counts.subtract(row - {rarest})
        left = [row for row in left if rarest not in row]
    return frozenset(counts)


def short_sentences(shards: Shards, most: int) -> list[int]:
    """Numbers of the clips of 2 to ``most`` glosses with a text."""
    pairs = zip(shards.column("glosses"), shards.column("text"), strict=True)
    return [i for i, (row, text) in enumerate(pairs) if 2 <= len(row) <= most and text]


def clips_of_glosses(shards: Shards, glosses: Collection[str], most: int) -> Iterator[Clip]:
    """Short sentences and single signs of these glosses alone; val and test are one split."""
    chosen = set(short_sentences(shards, most))
    for number, row in enumerate(shards.column("glosses")):
        if set(row) <= set(glosses) and (number in chosen or len(row) == 1):
            clip = shards[number]
            if len(row) > 1 or clip.split == "train":
                yield with_text(clip, SPLIT_OF[clip.split])


def with_text(clip: Clip, split: str) -> Clip:
    """The clip in a split; one without a text has its gloss as its text."""
    text = clip.text or " ".join(clip.glosses)
    return replace(clip, split=split, text=text, text_language=clip.text_language or TEXT_LANGUAGE)


def single_signs(shards: Shards, glosses: Collection[str]) -> Iterator[Clip]:
    """The clips of one of the glosses each, as the split ``SIGNS``."""
    for number, row in enumerate(shards.column("glosses")):
        if len(row) == 1 and row[0] in glosses:
            clip = shards[number]
            yield replace(with_text(clip, SIGNS), id=f"{SIGNS}-{clip.id}")


def single_real_signs(signs: RealSigns, glosses: Collection[str]) -> Iterator[Clip]:
    """The clips that are not in the split train, each alone, brought into one picture."""
    for split in ("val", "test"):
        for gloss in sorted(set(glosses) & set(signs.of_gloss[split])):
            for clip in signs.of_gloss[split][gloss]:
                only = RealSigns({split: {gloss: (clip,)}})
                rng = np.random.default_rng(0)
                name = f"{SIGNS}-{clip.id}"
                yield with_text(make_sentence(only, split, rng, Phrase((gloss,), ""), name), SIGNS)


def with_body(clip: Clip) -> Clip:
    """The clip with the wrists and shoulders that follow from its hands.

    clip : of view sign69, in the picture of ``in_one_picture``
    """
    sequence = clip.sequence
    xyz, confidence = sequence.xyz.copy(), sequence.confidence.copy()
    half = NOMINAL_WIDTH / ASPECT / 2
    for side, away in (("left", half), ("right", -half)):
        wrist, hand = SIGN69.index(f"{side}_wrist"), SIGN69.index(f"{side}_hand_wrist")
        xyz[:, wrist], confidence[:, wrist] = xyz[:, hand], confidence[:, hand]
        shoulder = SIGN69.index(f"{side}_shoulder")
        xyz[:, shoulder, :2] = NOMINAL_SHOULDERS + np.array([away, 0])
        confidence[:, shoulder] = 1
    return replace(clip, sequence=replace(sequence, xyz=xyz, confidence=confidence))


def make_worlds(
    out: Path, signer: Sequence[Path], real: Sequence[Path], n: int, most: int
) -> dict[str, Shards]:
    """Writes ``out/signer`` and ``out/real``; each of the two: sentences, then single signs.

    n : glosses; most : of a sentence
    """
    if most < 2:
        raise ValueError(f"--most: a sentence has 2 glosses or more, not {most}")
    sentences = {"signer": open_shards(signer[0]), "real": open_shards(real[0])}
    rows: list[list[str]] = []
    for shards in sentences.values():
        columns = zip(shards.column("split"), shards.column("glosses"), strict=True)
        short = set(short_sentences(shards, most))
        rows += [row for i, (split, row) in enumerate(columns) if split != "train" and i in short]
    glosses = frequent_together(rows, n)
    signs = {
        "signer": single_signs(open_shards(signer[1]), glosses),
        "real": single_real_signs(read_real_signs(open_shards(real[1])), glosses),
    }
    made = {}
    for name, shards in sentences.items():
        clips = [*clips_of_glosses(shards, glosses, most), *signs[name]]
        if name == "real":
            clips = [with_body(clip) for clip in clips]
        made[name] = write_shards(out / name, clips, ShardsAbout(f"few, {name}", SIGN69.name))
    return made


def main() -> None:
    """The command line: see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("-o", "--out", type=Path, required=True, help="a new folder")
    for name in ("signer", "real"):
        parser.add_argument(
            f"--{name}", type=Path, nargs=2, required=True, metavar=("SENTENCES", "SIGNS")
        )
    parser.add_argument("--glosses", type=int, default=80, help="so many, the same of both")
    parser.add_argument("--most", type=int, default=4, help="glosses of a sentence")
    given = parser.parse_args()
    try:
        made = make_worlds(given.out, given.signer, given.real, given.glosses, given.most)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    for name, shards in made.items():
        print(name, dict(sorted(Counter(shards.column("split")).items())))


if __name__ == "__main__":
    main()
