"""When words are said, and where sentences end: subtitles and what speech recognisers write."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerpost.trainer.curation.words import (
    Dropped,
    Sentence,
    Word,
    cut_sentences,
    read_words,
)


def captions(folder: Path, *cues: tuple[float, float, str]) -> Path:
    """An .srt file; times in seconds."""
    path = folder / "captions.srt"
    blocks = [
        f"{n}\n{stamp(start)} --> {stamp(end)}\n{text}\n"
        for n, (start, end, text) in enumerate(cues)
    ]
    path.write_text("\n".join(blocks), encoding="utf-8")
    return path


def stamp(seconds: float) -> str:
    minutes, ms = divmod(round(seconds * 1000), 60_000)
    return f"00:{minutes:02}:{ms // 1000:02},{ms % 1000:03}"


def recognised(folder: Path, data: Any) -> Path:
    path = folder / "words.json"
    path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    return path


def sentences(path: Path, **options: Any) -> list[tuple[int, int, str]]:
    return [tuple(s[:3]) for s in cut_sentences(read_words(path)[0], **options)[0]]


def test_a_sentence_can_span_captions_and_a_caption_two_sentences(tmp_path: Path) -> None:
    """12 letters in 2.4 s are 0.2 s each: "ab cd." has 5 of them."""
    path = captions(tmp_path, (1, 3.4, "ab cd. Efgh ijk"), (3.5, 4.5, "lm no?"))
    words, dropped = read_words(path)
    assert words[0] == Word(" ab", 1000, 1400) and words[1] == Word(" cd.", 1400, 2000)
    assert cut_sentences(words) == (
        [
            Sentence(1000, 2000, "ab cd.", "punctuation"),
            Sentence(2000, 4500, "Efgh ijk lm no?", "punctuation"),
        ],
        [],
    )
    assert dropped == []


def test_chinese_is_cut_at_its_own_punctuation(tmp_path: Path) -> None:
    """Eleven characters in 5 s, the marks among them: six, three and two."""
    path = captions(tmp_path, (0, 5, "今天，很好。走吗？好！"))
    whole = [(0, 2727, "今天，很好。"), (2727, 4091, "走吗？"), (4091, 5000, "好！")]
    assert sentences(path) == whole
    assert sentences(path, ends="，。？！")[:2] == [(0, 1364, "今天，"), (1364, 2727, "很好。")]


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("Dr. Smith is here. He is.", 2),
        ("Pi is 3.14 today. Yes.", 2),
        ("I was... I think so.", 1),
        ("The U.S. team won. Good.", 2),
        ('He said "Go." Then he left.', 2),
        ("Really?! Yes.", 2),
        ("no marks at all", 1),
        ("z.B. heute, d.h. jetzt.", 1),
    ],
)
def test_what_ends_a_sentence(text: str, n: int, tmp_path: Path) -> None:
    assert len(sentences(captions(tmp_path, (0, 4, text)))) == n


def test_a_pause_ends_a_sentence_without_a_mark(tmp_path: Path) -> None:
    path = captions(tmp_path, (0, 1, "one"), (3, 4, "two"), (6.1, 7, "three"))
    found, _ = cut_sentences(read_words(path)[0])
    assert [(s.text, s.cut) for s in found] == [("one two", "pause"), ("three", "end")]
    assert len(sentences(path, longest_pause_ms=1999)) == 3


def test_what_is_not_said_is_listed_and_takes_no_time(tmp_path: Path) -> None:
    path = captions(
        tmp_path,
        (0, 2, "[music]"),
        (2, 3, ""),
        (3, 5, "<i>JOHN:</i> Hello. [laughs]"),
        (5, 5, "At once."),
        (6, 7, "♪"),
    )
    words, dropped = read_words(path)
    assert cut_sentences(words)[0] == [Sentence(3000, 5000, "Hello.", "punctuation")]
    assert dropped == [
        Dropped(0, 2000, "[music]", "no words"),
        Dropped(2000, 3000, "", "no words"),
        Dropped(5000, 5000, "At once.", "no duration"),
        Dropped(6000, 7000, "♪", "no words"),
    ]


def test_captions_that_overlap(tmp_path: Path) -> None:
    """The first ends where the second begins; the last two begin together and are one."""
    path = captions(tmp_path, (0, 3, "One."), (2, 4, "Two."), (5, 6, "Three"), (5, 7, "four."))
    assert sentences(path) == [(0, 2000, "One."), (2000, 4000, "Two."), (5000, 7000, "Three four.")]


def test_captions_out_of_order(tmp_path: Path) -> None:
    path = captions(tmp_path, (5, 6, "Two."), (0, 1, "One."))
    assert sentences(path) == [(0, 1000, "One."), (5000, 6000, "Two.")]


def test_rolling_captions_say_everything_once(tmp_path: Path) -> None:
    """As YouTube writes them: each line stays, for a moment alone, then under the next one."""
    path = captions(
        tmp_path,
        (0, 2, "so this is"),
        (2, 2.01, "so this is"),
        (2.01, 4, "so this is how it goes."),
        (4, 4.01, "how it goes."),
        (4.01, 6, "how it goes. no no"),
    )
    words, dropped = read_words(path)
    assert "".join(word.text for word in words) == " so this is how it goes. no no"
    assert [d.reason for d in dropped] == ["says the same again"] * 2


def test_words_said_twice_stay_where_captions_do_not_touch(tmp_path: Path) -> None:
    path = captions(tmp_path, (0, 1, "Very good."), (1.5, 2.5, "Very good."))
    assert len(sentences(path)) == 2


WHISPER = {
    "text": " Hello there. It's 5.",
    "segments": [
        {
            "start": 0.5,
            "end": 2.0,
            "text": " Hello there. It's 5.",
            "words": [
                {"word": " Hello", "start": 0.5, "end": 0.9, "probability": 0.9},
                {"word": " there.", "start": 0.9, "end": 1.3},
                {"word": " It", "start": 1.4, "end": 1.4},
                {"word": "'s", "start": 1.4, "end": 1.5},
                {"word": " good.", "start": 1.5, "end": 2.0},
            ],
        }
    ],
}


def test_whisper(tmp_path: Path) -> None:
    expected = [(500, 1300, "Hello there."), (1400, 2000, "It's good.")]
    assert sentences(recognised(tmp_path, WHISPER)) == expected


def test_whisperx_words_without_spaces_and_without_times(tmp_path: Path) -> None:
    """Two numbers share the 0.6 s between their neighbours; the last ends with its segment."""
    words = [{"word": "From", "start": 0, "end": 0.4}, {"word": "20"}, {"word": "30"}]
    words += [{"word": "it.", "start": 1.0, "end": 1.2}, {"word": "Or", "start": 2, "end": 2.5}]
    words += [{"word": "9.", "start": None, "end": None}]
    data = {"segments": [{"start": 0, "end": 3, "text": "", "words": words}]}
    path = recognised(tmp_path, data)
    assert read_words(path)[0][1:3] == [Word(" 20", 400, 700), Word(" 30", 700, 1000)]
    assert sentences(path) == [(0, 1200, "From 20 30 it."), (2000, 3000, "Or 9.")]


def test_a_plain_list_of_chinese_words(tmp_path: Path) -> None:
    data = [
        {"word": "今天", "start": 0, "end": 0.5},
        {"word": "很", "start": 0.5, "end": 0.7},
        {"word": "好。", "start": 0.7, "end": 1},
        {"word": "OK", "start": 1.5, "end": 2},
    ]
    assert sentences(recognised(tmp_path, data)) == [(0, 1000, "今天很好。"), (1500, 2000, "OK")]


def test_segments_without_words_are_captions(tmp_path: Path) -> None:
    data = {
        "segments": [
            {"start": 1, "end": 2, "text": " One."},
            {"start": 2, "end": 3, "text": "Two."},
        ]
    }
    assert sentences(recognised(tmp_path, data)) == [(1000, 2000, "One."), (2000, 3000, "Two.")]


def test_funasr_as_in_the_paper(tmp_path: Path) -> None:
    """Times in ms of characters and of foreign words, none of punctuation."""
    times = [[100, 300], [300, 500], [600, 700], [700, 1400], [1500, 1700]]
    data = [{"key": "news", "text": "今天，用Python。好", "timestamp": times}]
    assert sentences(recognised(tmp_path, data)) == [
        (100, 1400, "今天，用Python。"),
        (1500, 1700, "好"),
    ]
    info = [{"text": "今天。", "start": 100, "end": 500, "timestamp": []}]
    data = [{"text": "今天。还", "timestamp": times, "sentence_info": info}]
    assert sentences(recognised(tmp_path, data)) == [(100, 500, "今天。")]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "has no captions"),
        ("words", "expected a list of words"),
        ([3], "record 1: expected named fields, got int"),
        ([{"text": "hello"}], "record 1: no words and no times"),
        ([{"word": "a"}, {"word": "b"}], "record 1: no word has a time"),
        ([{"word": 3, "start": 0, "end": 1}], "record 1: word is 3, not a text"),
        ([{"word": "a", "start": 2, "end": 1}], "from 2.0 s to 1.0 s is no time span"),
        ([{"word": "a", "start": "x", "end": 1}], "start is 'x', not a number"),
        ([{"text": "今天。", "timestamp": [[0, 1]]}], "2 words in text but 1 in timestamp"),
        ([{"text": "好", "timestamp": [[0, "1"]]}], r"\[0, '1'\] is not \[start, end\]"),
        ({"segments": [{"words": [{"start": 0, "end": 1}]}]}, "words 1: word is None"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(data: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        read_words(recognised(tmp_path, data))
    assert "words.json" in str(raised.value) and "\n" not in str(raised.value)


def test_other_files_are_no_captions(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Hello.")
    with pytest.raises(ValueError, match=r"ends in .vtt, .srt, .json"):
        read_words(tmp_path / "a.txt")
    with pytest.raises(ValueError, match="has no captions"):
        read_words(captions(tmp_path))
    with pytest.raises(FileNotFoundError):
        read_words(tmp_path / "none.vtt")


TEXTS = st.text(st.sampled_from("ab今。.?! ，"), min_size=1, max_size=12)


def cut(cues: list[tuple[int, int, str]]) -> tuple[list[Sentence], list[Dropped]]:
    """What becomes of captions, times in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        path = captions(Path(folder), *((s, e, " ".join(text.split())) for s, e, text in cues))
        words, dropped = read_words(path)
    found, empty = cut_sentences(words)
    return found, dropped + empty


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9), TEXTS), min_size=1, max_size=8))
def test_sentences_are_in_order_and_never_overlap(cues: list[tuple[int, int, str]]) -> None:
    found, _ = cut([(start, start + length, text) for start, length, text in cues])
    last_end = 0
    for sentence in found:
        assert last_end <= sentence.start_ms < sentence.end_ms
        assert any(map(str.isalnum, sentence.text))
        last_end = sentence.end_ms


@given(st.lists(st.tuples(st.integers(0, 2), TEXTS), min_size=1, max_size=8))
def test_every_letter_is_in_a_sentence_or_listed(cues: list[tuple[int, str]]) -> None:
    """Captions four seconds apart, some without a duration: nothing is lost, nothing twice."""
    found, dropped = cut([(4 * i, 4 * i + n, text) for i, (n, text) in enumerate(cues)])
    out = "".join(row.text for row in [*found, *dropped])
    for letter in "ab今":
        assert out.count(letter) == sum(text.count(letter) for _, text in cues)
