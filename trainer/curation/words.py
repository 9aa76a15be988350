"""When each word of a long video's captions is said, and where its sentences end.

Captions and a speech recogniser's words become the same thing, timed words, which are cut into
sentences at punctuation. "Uni-Sign: Toward Unified Sign Language Understanding at Scale", Sec. 3.1
"Large-scale data curation" cuts at the times of punctuation marks that FunASR gives. Differences:

- subtitles (.vtt, .srt) will do: the words of a caption share its time by their letters;
- text without any punctuation is cut where nobody speaks for a while too;
- the text is cleaned (``trainer.text``): what is described and not said is no caption.

Where cleaning leaves no words, captions have no duration, or say again what the caption before
them says, they are listed as dropped. Of captions that overlap, the earlier one ends where the
later begins; captions that begin together are one.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fingerpost.trainer.corpora.cues import Cue, read_cues
from fingerpost.trainer.corpora.tables import Row, read_json
from fingerpost.trainer.text import clean_text

SENTENCE_ENDS = ".?!。？！｡؟।"
LONGEST_PAUSE_MS = 2000
SUFFIXES = (".vtt", ".srt", ".json")
ROLLING_WORDS = 3  # so many words again, and a caption repeats the one before it

UNSPACED = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"  # Thai, Lao, kana, Chinese
_CLOSING = "\"'”’»」』）)\\]】》〉"
# A word and the punctuation after it; in scripts without spaces, a character and the same.
_PIECE = re.compile(
    rf"\s*(?:[{UNSPACED}]|[^\s{UNSPACED}]+?(?=[\s{UNSPACED}，。、；：？！｡]|$))"
    rf"[，。、；：？！｡…—{_CLOSING}]*"
)
_ABBREVIATION = re.compile(
    r"(?:mr|mrs|ms|dr|prof|st|jr|sr|vs|etc|no|fig|approx|e\.g|i\.e|bzw|z\.b|d\.h|ca|(?:[a-z]\.)*[a-z])\.",
    re.IGNORECASE,
)


class Word(NamedTuple):
    """What is not divided any further. text : with the space before and the punctuation after."""

    text: str
    start_ms: int
    end_ms: int


class Sentence(NamedTuple):
    """What becomes a clip. cut : why it ends: punctuation, pause, or end (of the captions)."""

    start_ms: int
    end_ms: int
    text: str
    cut: str


class Dropped(NamedTuple):
    """What becomes no clip, and why."""

    start_ms: int
    end_ms: int
    text: str
    reason: str


def read_words(path: Path) -> tuple[list[Word], list[Dropped]]:
    """The words of captions, in the order of their times; and the captions that have none.

    path : .vtt or .srt; or .json as Whisper, WhisperX or FunASR write it, or a plain list of words
    """
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path}: captions are a file that ends in {', '.join(SUFFIXES)}")
    dropped: list[Dropped] = []
    if path.suffix == ".json":
        words = _words_of_json(path, dropped)
    else:
        words = _words_of_cues(read_cues(path), dropped)
    if not words and not dropped:
        raise ValueError(f"{path} has no captions; give the file of this video's captions")
    return words, dropped


def cut_sentences(
    words: Sequence[Word], ends: str = SENTENCE_ENDS, longest_pause_ms: int = LONGEST_PAUSE_MS
) -> tuple[list[Sentence], list[Dropped]]:
    """Sentences of words, without overlap; and those that have no words once they are cleaned.

    ends : the characters after which to cut; a full stop of an abbreviation or "..." ends nothing
    longest_pause_ms : between two words; a longer one is the end of a sentence too
    """
    sentences, dropped = [], []
    first = 0
    for i, word in enumerate(words):
        if i + 1 == len(words):
            cut = "punctuation" if _ends(word.text, ends) else "end"
        elif _ends(word.text, ends):
            cut = "punctuation"
        elif words[i + 1].start_ms - word.end_ms > longest_pause_ms:
            cut = "pause"
        else:
            continue
        said = "".join(w.text for w in words[first : i + 1]).strip()
        start_ms, end_ms = words[first].start_ms, word.end_ms
        first = i + 1
        if not any(map(str.isalnum, text := clean_text(said))):
            dropped.append(Dropped(start_ms, end_ms, said, "no words"))
        elif end_ms <= start_ms:
            dropped.append(Dropped(start_ms, end_ms, said, "no duration"))
        else:
            sentences.append(Sentence(start_ms, end_ms, text, cut))
    return sentences, dropped


def _ends(word: str, ends: str) -> bool:
    word = word.strip().rstrip(_CLOSING.replace("\\", ""))
    if not word.endswith(tuple(ends)):
        return False
    return not (word.endswith("..") or _ABBREVIATION.fullmatch(word.lstrip("(\"'“‘«")))


def _words_of_cues(cues: Iterable[Cue], dropped: list[Dropped]) -> list[Word]:
    kept: list[Cue] = []
    shown_until_ms = -1
    for cue in sorted(cues, key=lambda cue: cue.start_ms):
        text, seamless = clean_text(cue.text), cue.start_ms <= shown_until_ms
        if not any(map(str.isalnum, text)):
            dropped.append(Dropped(*cue, "no words"))
            continue
        if cue.end_ms <= cue.start_ms:
            dropped.append(Dropped(*cue, "no duration"))
            continue
        shown_until_ms = max(shown_until_ms, cue.end_ms)
        if seamless:
            text = _without_repeat(kept[-1].text, text)
            if not text:
                dropped.append(Dropped(*cue, "says the same again"))
                continue
        if kept and cue.start_ms == kept[-1].start_ms:
            last = kept.pop()
            cue = Cue(cue.start_ms, max(cue.end_ms, last.end_ms), f"{last.text} {text}")
        else:
            if kept and cue.start_ms < kept[-1].end_ms:
                kept[-1] = kept[-1]._replace(end_ms=cue.start_ms)
            cue = cue._replace(text=text)
        kept.append(cue)
    return [word for cue in kept for word in _spread(" " + cue.text, cue.start_ms, cue.end_ms)]


def _without_repeat(before: str, text: str) -> str:
    """A rolling caption starts with the line that was there already; what it adds to it."""
    old, new = before.split(), text.split()
    for n in range(min(len(old), len(new)), 0, -1):
        if old[-n:] == new[:n] and (n >= ROLLING_WORDS or n == len(old)):
            return " ".join(new[n:])
    return text


def _spread(text: str, start_ms: int, end_ms: int) -> Iterator[Word]:
    """The words of a text, each with its share of the time, by its characters."""
    pieces = _PIECE.findall(text)
    total = sum(len(piece.strip()) for piece in pieces)
    done, start = 0, start_ms
    for piece in pieces:
        done += len(piece.strip())
        end = round(start_ms + (end_ms - start_ms) * done / total)
        yield Word(piece, start, end)
        start = end


def _words_of_json(path: Path, dropped: list[Dropped]) -> list[Word]:
    """Which recogniser wrote it is told from what its records hold."""
    data = read_json(path)
    if isinstance(data, dict):
        data = next((data[key] for key in ("segments", "word_segments") if key in data), [data])
    if not isinstance(data, list):
        raise ValueError(f"{path}: expected a list of words, or of segments that hold words")
    words: list[Word] = []
    cues: list[Cue] = []
    alone: list[Row] = []
    for number, record in enumerate(data, start=1):
        row = Row(f"{path}, record {number}", record)
        if inner := _rows_in(row, "words"):
            words += _recognised(inner, _span(row))
        elif sentences := _rows_in(row, "sentence_info"):  # FunASR, in ms
            cues += [
                Cue(round(r.number("start")), round(r.number("end")), r.text("text"))
                for r in sentences
            ]
        elif "timestamp" in row.fields:
            words += _funasr(row)
        elif "word" in row.fields:
            alone.append(row)
        elif (span := _span(row)) is not None:
            cues.append(Cue(*span, row.text("text")))
        else:
            raise row.error("no words and no times; let the recogniser write word times")
    words += _recognised(alone, None) + _words_of_cues(cues, dropped)
    return _in_order(words)


def _rows_in(row: Row, name: str) -> list[Row]:
    """The records of a list in a record; none where there is no such list, or nothing in it."""
    inner = row.fields.get(name)
    if not isinstance(inner, list):
        return []
    return [Row(f"{row.where}, {name} {n}", record) for n, record in enumerate(inner, start=1)]


def _span(row: Row) -> tuple[int, int] | None:
    """start and end in seconds, as ms; None where they are not known. Words can be that short
    that both are the same."""
    if row.fields.get("start") is None or row.fields.get("end") is None:
        return None
    start, end = row.number("start"), row.number("end")
    if not 0 <= start <= end:
        raise row.error(f"from {start} s to {end} s is no time span")
    return round(start * 1000), round(end * 1000)


def _recognised(rows: Sequence[Row], bounds: tuple[int, int] | None) -> list[Word]:
    """Words with their own times. Those without one (WhisperX: numbers) fill the gap they are in.

    bounds : of the segment they are in, for a first or last word without a time
    """
    texts = [_raw(row) for row in rows]
    spaced = any(text.startswith(" ") for text in texts)
    times = [_span(row) for row in rows]
    known = [span for span in times if span is not None]
    if rows and not known and bounds is None:
        raise rows[0].error("no word has a time; let the recogniser write word times")
    words = []
    i = 0
    while i < len(rows):
        if (span := times[i]) is not None:
            words.append(Word(texts[i], *span))
            i += 1
            continue
        after = next((n for n in range(i, len(rows)) if times[n] is not None), len(rows))
        left = words[-1].end_ms if words else bounds[0] if bounds else known[0][0]
        upper = times[after] if after < len(rows) else None
        right = upper[0] if upper else bounds[1] if bounds else left
        step = max(0, right - left) / (after - i)
        for n in range(i, after):
            start, end = left + round((n - i) * step), left + round((n - i + 1) * step)
            words.append(Word(texts[n], start, end))
        i = after
    return words if spaced else [*_with_spaces(words)]


def _raw(row: Row) -> str:
    word: Any = row.fields.get("word")
    if not isinstance(word, str):
        raise row.error(f"word is {word!r}, not a text")
    return word


def _with_spaces(words: Iterable[Word]) -> Iterator[Word]:
    """A space before each word, but not between characters of scripts that have none."""
    last = ""
    for word in words:
        text = word.text.strip()
        both = re.compile(rf"[{UNSPACED}，。、；：？！]")
        joined = text and last and both.match(text) and both.match(last[-1])
        yield word._replace(text=text if joined or not text else " " + text)
        last = text or last


def _funasr(row: Row) -> list[Word]:
    """A text with punctuation, and [start, end] in ms of each word or Chinese character in it."""
    pieces, times = _PIECE.findall(row.text("text")), row.fields["timestamp"]
    if not isinstance(times, list) or len(times) != len(pieces):
        n = len(times) if isinstance(times, list) else 0
        raise row.error(
            f"{len(pieces)} words in text but {n} in timestamp; "
            "let FunASR write sentence_info too (sentence_timestamp=True)"
        )
    words = []
    for piece, span in zip(pieces, times, strict=True):
        if not isinstance(span, list) or len(span) != 2 or not all(map(_is_number, span)):
            raise row.error(f"timestamp {span!r} is not [start, end] in milliseconds")
        words.append(Word(piece, round(span[0]), round(span[1])))
    return words


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def _in_order(words: Iterable[Word]) -> list[Word]:
    """By their starts; a word that begins before the last one ends, cuts it short."""
    ordered: list[Word] = []
    for word in sorted(words, key=lambda word: word.start_ms):
        if ordered and ordered[-1].end_ms > word.start_ms:
            ordered[-1] = ordered[-1]._replace(end_ms=word.start_ms)
        ordered.append(word)
    return ordered
