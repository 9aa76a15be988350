"""ASLG-PC12: English sentences and ASL glosses, without any video (Othman and Jemni, English-ASL
Gloss Parallel Corpus 2012, LREC 2012 workshop). The glosses were made from the English by rules;
the sentences are those of a parliament.

    aslg.{train,dev,test}.en             you did not do so .
    aslg.{train,dev,test}.gloss.asl      X-YOU DO DESC-NOT DO DESC-SO .

It has nothing to look at, so it is no row of CORPORA: it only says what may be signed.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fingerpost.trainer.corpora.tables import find_splits, no_annotations, read_lines
from fingerpost.trainer.signer.phrases import MAX_SIGNS, MIN_SIGNS, Phrase
from fingerpost.trainer.text import close_up_punctuation

_MARK = re.compile(r"(?:X|DESC|WH)-")  # pronoun, adjective or adverb, question word
_SAME = {"not": "no"}  # the lexicon's name for the sign
_UNSIGNED = {"be"}  # ASL has no copula; the rules that made the corpus left it in


@dataclass(frozen=True)
class GlossedLine:
    """glosses : with their marks and punctuation, as the file has them; split : train, val, test"""

    split: str
    glosses: tuple[str, ...]
    text: str


def read_aslg_pc12(folder: Path) -> Iterator[GlossedLine]:
    """Every line of every split that is there.

    FileNotFoundError where there is none; ValueError where the two files of a split differ in
    their number of lines.
    """
    texts = find_splits(folder, "aslg.{split}.en")
    if not texts:
        raise no_annotations(folder, "aslg.train.en and aslg.train.gloss.asl")
    for split, path in texts.items():
        english, signed = read_lines(path), read_lines(path.with_suffix(".gloss.asl"))
        if len(english) != len(signed):
            line = min(len(english), len(signed)) + 1
            raise ValueError(
                f"{path.with_suffix('.gloss.asl')}, line {line}: has {len(signed)} lines, "
                f"and {path.name} has {len(english)}; they belong together line by line"
            )
        for text, glosses in zip(english, signed, strict=True):
            yield GlossedLine(split, tuple(glosses.split()), text.strip())


def covered_phrases(lines: Iterable[GlossedLine], vocabulary: Collection[str]) -> list[Phrase]:
    """The lines of 2 to 6 signs that are all in the vocabulary, each row of glosses once.

    vocabulary : glosses as LEXICON writes them, in small letters

    In the order of the lines. Of several texts of a row the commonest is kept, then the earliest.
    """
    texts: dict[tuple[str, ...], Counter[str]] = {}
    for line in lines:
        row = _signs(line.glosses)
        if line.text and MIN_SIGNS <= len(row) <= MAX_SIGNS and set(row) <= set(vocabulary):
            texts.setdefault(row, Counter())[_sentence(line.text)] += 1
    return [Phrase(row, found.most_common(1)[0][0]) for row, found in texts.items()]


def _signs(glosses: tuple[str, ...]) -> tuple[str, ...]:
    """Without marks, punctuation and what is not signed; "THANK X-YOU" is one sign."""
    words = [_MARK.sub("", gloss).lower() for gloss in glosses if re.search(r"\w", gloss)]
    row: list[str] = []
    for word in words:
        if word == "you" and row and row[-1] == "thank":
            row[-1] = "thank you"
        elif word not in _UNSIGNED:
            row.append(_SAME.get(word, word))
    return tuple(row)


def _sentence(text: str) -> str:
    """ "yes , I do ." to "Yes, I do."."""
    text = close_up_punctuation(text)
    return text[0].upper() + text[1:]
