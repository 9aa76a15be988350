"""Sentences of RWTH-PHOENIX-Weather 2014 T by the rendered signer, to show another language.

    samples = read_sentences(Path("phoenix14t"), n_signs=100)
    for clip in write_phoenix_signer(Path("shards"), samples): ...

**The signs are invented: none is of German Sign Language (DGS).** The corpus gives rows of glosses
and what was said in German; no movement of its signers is in here. Every gloss gets a sign of its
own (``invented_signs``), so that a pack can be made which writes German and knows no word of
English. Its figures say nothing about translating DGS.

Only sentences whose glosses are all among the most frequent ones are taken. The glosses are much as
the benchmark of the corpus scores them: marks of the annotators are left out, forms of a sign are
that sign, and a sign that is repeated at once is there once.
"""

import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np

from fingerpost.edge_runtime.keypoints import SIGN69
from fingerpost.trainer.clip_tables import Clip
from fingerpost.trainer.corpora import read_corpus
from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.sentences.invented_signs import invent_signs
from fingerpost.trainer.shards import ShardsAbout, ShardWriter
from fingerpost.trainer.signer import (
    Performance,
    Sign,
    Signer,
    concatenate,
    fidget,
    random_camera,
    random_signer,
    sign_sentence,
)
from fingerpost.trainer.signer_corpus import (
    BETWEEN_MS,
    FIDGET_SHARE,
    FPS,
    IDLE,
    LANGUAGE,
    N_SIGNERS,
    REST_MS,
    make_clip,
)
from fingerpost.trainer.text import close_up_punctuation

N_SIGNS = 100
GLOSSES = (2, 8)  # of a sentence, from and to
_SEED = 14  # apart from the other corpora's random numbers
_MARK = re.compile(r"__.*__")  # __ON__, __LEFTHAND__: not signed
_FORM = re.compile(r"^(?:loc|cl|qu|poss|lh)-|-PLUSPLUS$|(?<=[A-Z]{2})RAUM$")


def read_sentences(folder: Path, n_signs: int = N_SIGNS) -> list[Sample]:
    """The sentences of the corpus that so many signs are enough for, in its order.

    folder : as ``fingerpost corpora list`` describes phoenix14t

    ValueError where there is none in train, or none outside it.
    """
    if n_signs < 1:
        raise ValueError(f"give at least one sign, got {n_signs}")
    samples = [
        replace(
            sample,
            glosses=plain_glosses(sample.glosses),
            text=close_up_punctuation(sample.text),
        )
        for sample in read_corpus("phoenix14t", folder)
    ]
    known = {gloss for gloss, _ in _uses(samples).most_common(n_signs)}
    chosen = [
        sample
        for sample in samples
        if sample.text
        and GLOSSES[0] <= len(sample.glosses) <= GLOSSES[1]
        and known.issuperset(sample.glosses)
    ]
    splits = {sample.split for sample in chosen}
    if "train" not in splits or len(splits) < 2:
        raise ValueError(f"{n_signs} signs are not enough for any sentence of {folder}; give more")
    return chosen


def plain_glosses(glosses: Sequence[str]) -> tuple[str, ...]:
    """("__ON__", "loc-NORD", "REGEN", "REGEN-PLUSPLUS") to ("NORD", "REGEN")."""
    signs = (_FORM.sub("", gloss) for gloss in glosses if not _MARK.fullmatch(gloss))
    return tuple(gloss for gloss, _ in groupby(signs) if gloss)


def lexicon_of(samples: Sequence[Sample]) -> dict[str, Sign]:
    """An invented sign for each gloss of the training part, the most frequent first."""
    return invent_signs(gloss for gloss, _ in _uses(samples).most_common())


def write_phoenix_signer(
    folder: Path, samples: Sequence[Sample], clips: int = 4, idle: int = 0, seed: int = 0
) -> Iterator[Clip]:
    """Writes shards, and yields each clip that was not there. Goes on where it was stopped.

    samples : of ``read_sentences``
    clips : of each sentence to train on, by different people; of the others there is one
    idle : clips of hands that move and say nothing, to train on
    """
    if clips < 1 or idle < 0:
        raise ValueError(f"clips are at least 1 and idle ones at least 0, got {clips} and {idle}")
    lexicon = lexicon_of(samples)
    corpus = f"phoenix14t, {len(lexicon)} invented signs, seed {seed}"
    with ShardWriter(folder, ShardsAbout(corpus, SIGN69.name), resume=True) as writer:
        for sample in samples:
            for turn in range(clips if sample.split == "train" else 1):
                if clip_id(sample, turn) not in writer.ids:
                    clip = make_phoenix_clip(sample, lexicon, turn, seed)
                    writer.add(clip)
                    yield clip
        for number in range(idle):
            clip = make_clip(IDLE, number, seed)
            if clip.id not in writer.ids:
                writer.add(clip)
                yield clip


def n_clips(samples: Sequence[Sample], clips: int, idle: int) -> int:
    """How many ``write_phoenix_signer`` makes in all."""
    return sum(clips if sample.split == "train" else 1 for sample in samples) + idle


def make_phoenix_clip(
    sample: Sample, lexicon: Mapping[str, Sign], turn: int = 0, seed: int = 0
) -> Clip:
    """A sentence as somebody signs it; the same whatever else is made."""
    rng = np.random.default_rng([_SEED, seed, zlib.crc32(sample.id.encode()), turn])
    who = int(rng.integers(N_SIGNERS[sample.split]))
    splits = list(N_SIGNERS)
    signer = random_signer(np.random.default_rng([_SEED, seed, splits.index(sample.split), who]))
    performance = _perform(sample, signer, rng, lexicon)
    return Clip(
        id=clip_id(sample, turn),
        signer=f"{sample.split}-{who:03d}",
        split=sample.split,
        glosses=sample.glosses,
        text=sample.text,
        language=LANGUAGE,
        text_language=sample.text_language,
        sequence=performance.keypoints(FPS, random_camera(rng), noise=rng),
        spans=tuple((start_ms, end_ms) for _, start_ms, end_ms in performance.spans),
    )


def clip_id(sample: Sample, turn: int) -> str:
    return f"{sample.id}-{turn}"


def _perform(
    sample: Sample, signer: Signer, rng: np.random.Generator, lexicon: Mapping[str, Sign]
) -> Performance:
    """From rest to rest; in training, now and then with a fidget before it or after."""
    before_ms, after_ms = rng.integers(*REST_MS, size=2).tolist()
    sentence = sign_sentence(sample.glosses, signer, rng, before_ms, after_ms, lexicon)
    if sample.split != "train" or rng.random() >= FIDGET_SHARE:
        return sentence
    parts = [sentence, fidget(None, signer, rng)]
    return concatenate(parts[:: rng.choice((1, -1))], int(rng.integers(*BETWEEN_MS)))


def _uses(samples: Sequence[Sample]) -> "Counter[str]":
    """How often each gloss is signed in the training part."""
    return Counter(g for sample in samples if sample.split == "train" for g in sample.glosses)
