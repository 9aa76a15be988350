"""Corpora of four artificial sign languages by the rendered signer: three to learn, one unseen.

    for name, clip in write_languages(Path("languages"), Design(match="b")): ...

Folders a, b, c and d of shards, each with one spoken language (English, German, Spanish, French)
and an order of signs of its own. d has few training sentences, and is for what was learnt from the
others. The signs are in ``languages_signs``, the sentences in ``languages_grammar``.

**The signs are invented: none is of any language of deaf people.** What a model learns here says
nothing about how anybody signs; it shows whether experts of some languages help with another.

A meaning is in one split, the same in every language, so that no sentence of a test was ever
learnt in another language either. Each language and split has signers of its own. Seeded clip by
clip: clip 17 of a split is the same whatever the number of clips.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fingerpost.edge_runtime.keypoints import SIGN69
from fingerpost.trainer.clip_tables import Clip
from fingerpost.trainer.sentences.languages_grammar import (
    TEXTS,
    Meaning,
    glosses_of,
    random_meaning,
    split_of,
)
from fingerpost.trainer.sentences.languages_signs import (
    NO_MATCH,
    SHARE,
    UNSEEN,
    make_lexicons,
)
from fingerpost.trainer.sentences.languages_words import CONCEPTS, DEEDS, QUALITIES, SPOKEN, THINGS
from fingerpost.trainer.shards import ShardsAbout, ShardWriter
from fingerpost.trainer.signer import random_camera, random_signer, sign_sentence
from fingerpost.trainer.signer_corpus import FPS, LANGUAGE, N_SIGNERS, REST_MS

SPLITS = tuple(N_SIGNERS)  # train, val, test
_SEED = 11  # apart from the other corpora's random numbers


@dataclass(frozen=True)
class Language:
    """text_language : of its texts; order : of its signs, by what they say"""

    text_language: str
    order: tuple[str, ...]


LANGUAGES = {
    "a": Language("en", (*"time place thing number quality who deed negated asked".split(),)),
    "b": Language("de", (*"asked who time quality thing number negated place deed".split(),)),
    "c": Language("es", (*"deed negated who number thing quality place time asked".split(),)),
    "d": Language("fr", (*"place who thing quality number time deed asked negated".split(),)),
}


@dataclass(frozen=True)
class Design:
    """Which corpora are made.

    train : training sentences of each language but d; few : those of d
    val, test : sentences of each language
    match, share : how d is like another language, as in ``make_lexicons``
    fps : frames a second, 1 to 1000
    """

    train: int = 3000
    few: int = 300
    val: int = 200
    test: int = 200
    match: str = "b"
    share: float = SHARE
    seed: int = 0
    fps: float = FPS

    def counts(self, language: str) -> dict[str, int]:
        """Clips by split."""
        train = self.few if language == UNSEEN else self.train
        return {"train": train, "val": self.val, "test": self.test}

    @property
    def n_clips(self) -> int:
        return sum(sum(self.counts(language).values()) for language in LANGUAGES)


def write_languages(folder: Path, design: Design) -> Iterator[tuple[str, Clip]]:
    """Writes a folder of shards for each language, and yields each clip that was not there.

    Yields (language, clip). Goes on where it was stopped. ValueError for a design that cannot be,
    and for folders with other shards or of another design.
    """
    _check(design)
    make_lexicons(design.match, design.share, design.seed)  # whatever is wrong, before any folder
    for language in LANGUAGES:
        about = ShardsAbout(_corpus_name(language, design), SIGN69.name)
        with ShardWriter(folder / language, about, resume=True) as writer:
            for split, count in design.counts(language).items():
                for number in range(count):
                    if f"{language}-{split}-{number:06d}" not in writer.ids:
                        clip = make_language_clip(language, split, number, design)
                        writer.add(clip)
                        yield language, clip


def make_language_clip(
    language: str, split: str, number: int, design: Design | None = None
) -> Clip:
    """Sentence `number` of a split in language a, b, c or d, as somebody signs it.

    Its glosses are the words of its spoken language, so that corpora may be put together.
    """
    design = design or Design()
    lexicon = make_lexicons(design.match, design.share, design.seed)[language]
    place = list(LANGUAGES).index(language), SPLITS.index(split)
    rng = np.random.default_rng([_SEED, design.seed, *place, number])
    who = int(rng.integers(N_SIGNERS[split]))
    signer = random_signer(np.random.default_rng([_SEED, design.seed, *place, 0, who]))
    meaning = _meaning(split, rng)
    spoken = LANGUAGES[language].text_language
    signs = glosses_of(meaning, LANGUAGES[language].order)
    before_ms, after_ms = rng.integers(*REST_MS, size=2).tolist()
    performance = sign_sentence(signs, signer, rng, before_ms, after_ms, lexicon)
    return Clip(
        id=f"{language}-{split}-{number:06d}",
        signer=f"{language}-{split}-{who:03d}",
        split=split,
        glosses=tuple(gloss_of(sign, spoken) for sign in signs),
        text=TEXTS[spoken](meaning),
        language=LANGUAGE,
        text_language=spoken,
        sequence=performance.keypoints(design.fps, random_camera(rng), noise=rng),
        spans=tuple((start_ms, end_ms) for _, start_ms, end_ms in performance.spans),
    )


def gloss_of(concept: str, spoken: str) -> str:
    """The name of a sign, a word of the spoken language: ("book", "de") to "BUCH"."""
    words = CONCEPTS[concept][SPOKEN.index(spoken)].split()
    if concept in DEEDS:
        word = words[1] if spoken == "fr" else words[0]  # the infinitive
    elif concept in THINGS:
        word = words[-2]  # the singular
    else:
        word = words[0] if concept in QUALITIES else words[-1]  # without articles
    return word.upper().removeprefix("L'")


def _meaning(split: str, rng: np.random.Generator) -> Meaning:
    """One that is in this split, and so in no other."""
    while True:
        meaning = random_meaning(rng)
        if split_of(meaning) == split:
            return meaning


def _corpus_name(language: str, design: Design) -> str:
    """What the shards say of themselves: all that decides what a clip is."""
    name = f"artificial sign language {language}"
    if language == UNSEEN and design.match != NO_MATCH:
        name += f", {design.share:.0%} of its signs of {design.match}"
    return f"{name}, seed {design.seed}, {design.fps:g} fps"


def _check(design: Design) -> None:
    for language in LANGUAGES:
        counts = design.counts(language)
        if min(counts.values()) < 0 or not sum(counts.values()):
            raise ValueError(f"give how many sentences to make; language {language} has {counts}")
    if not 1 <= design.fps <= 1000:
        raise ValueError(f"fps is frames a second, from 1 to 1000, got {design.fps:g}")
