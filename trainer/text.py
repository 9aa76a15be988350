"""Cleaning of sentences that came as subtitles: named steps, and all of them in their order.

"Lost in Translation, Found in Embeddings: Sign Language Translation and Alignment", A.7 "Text
cleaning procedures for YouTube-SL-25".

Where the paper leaves room:
- a tag is a letter or a time after ``<``, so "3 < 5" stays;
- what stands in asterisks touches both of them, so "2 * 3 * 4" stays; an unclosed bracket stays;
- the full-width brackets of Chinese and Japanese are brackets;
- a leading dash before a digit is a minus, and stays;
- a speaker begins with a letter and is followed by a space, so "10:30" and "https://" stay;
- a full stop or colon that begins a word keeps its space, as in "the .NET";
- single quotation marks go in pairs only, because a lone one may be an apostrophe;
- lines are joined into one, after the steps that look at the beginning of each.
"""

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from fingerpost.trainer.corpora.sample import Sample

TAG = re.compile(r"</?(?:[a-zA-Z][^<>]*|\d[\d:.]*)>")  # <font color="red">, <c>, <00:00:01.319>
ANNOTATIONS = re.compile(
    r"\([^()]*\)|\[[^\[\]]*\]|（[^（）]*）|【[^【】]*】"
    r"|\*[^*\s](?:[^*\n]*[^*\s])?\*"  # *flush*
)
LEADING_SYMBOLS = re.compile(r"^(?:\s|[♪♫♬♩•·●○◦▪■►▶>*]|[-–—](?!\d))+", re.MULTILINE)
SPEAKER = re.compile(r"^[^\S\n]*[^\W\d_][\w.'’-]*[^\S\n]*:(?=\s|$)", re.MULTILINE)
SPACE_BEFORE_PUNCTUATION = re.compile(r"\s+(?=[,;!?…，。；：！？、]|[.:]+(?![\w.:]))")
QUOTATION_MARKS = '"“”„‟«»「」『』'
SINGLE_QUOTED = re.compile(r"['‘’‚‛‹](.*)['‘’›]")


def decode_entities(text: str) -> str:
    """HTML's names of characters to the characters: "&lt;" to "<"."""
    return html.unescape(text)


def remove_tags(text: str) -> str:
    """Drops HTML tags such as <font> and <c>, and the times that WebVTT puts between words."""
    return TAG.sub("", text)


def remove_annotations(text: str) -> str:
    """Drops what is not said but described: (laughter), [music], *flush*; the innermost first."""
    while (shorter := ANNOTATIONS.sub("", text)) != text:
        text = shorter
    return text


def remove_leading_symbols(text: str) -> str:
    """Drops "♪", "•", "-", ">>" and the like from the beginning of every line."""
    return LEADING_SYMBOLS.sub("", text)


def remove_speaker(text: str) -> str:
    """Drops one word and a colon from the beginning of every line: "John: hello" to " hello"."""
    return SPEAKER.sub("", text)


def close_up_punctuation(text: str) -> str:
    """Drops the spaces before punctuation marks: "Hello , you !" to "Hello, you!"."""
    return SPACE_BEFORE_PUNCTUATION.sub("", text)


def collapse_spaces(text: str) -> str:
    """One space where there were many, or a new line; none at the ends."""
    return " ".join(text.split())


def trim_quotation_marks(text: str) -> str:
    """Drops quotation marks from both ends; single ones only if both ends have one."""
    text = text.strip(QUOTATION_MARKS + " ")
    if quoted := SINGLE_QUOTED.fullmatch(text):
        return quoted[1].strip()
    return text


STEPS = (  # in the order of A.7
    decode_entities,
    remove_tags,
    remove_annotations,
    remove_leading_symbols,
    remove_speaker,
    close_up_punctuation,
    collapse_spaces,
    trim_quotation_marks,
)


def clean_text(text: str) -> str:
    """All the steps, once each; "" where nothing is left that was said."""
    for step in STEPS:
        text = step(text)
    return text


def clean_samples(samples: Iterable[Sample]) -> Iterator[Sample]:
    """The same samples with clean texts; those left empty stay, for ``check`` to count and list."""
    for sample in samples:
        yield replace(sample, text=clean_text(sample.text))
