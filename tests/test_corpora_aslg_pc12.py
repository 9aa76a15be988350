"""English and glosses without video: small files of the published form, and the real ones."""

import os
from pathlib import Path

import pytest

from fingerpost.trainer.corpora.aslg_pc12 import GlossedLine, covered_phrases, read_aslg_pc12
from fingerpost.trainer.signer import LEXICON

DATA = Path(os.environ.get("FINGERPOST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def write(folder: Path, split: str, *pairs: tuple[str, str]) -> None:
    for suffix, lines in zip(("gloss.asl", "en"), zip(*pairs, strict=True), strict=True):
        (folder / f"aslg.{split}.{suffix}").write_text("\n".join(lines) + "\n", encoding="utf-8")


def lines(*pairs: tuple[str, str]) -> list[GlossedLine]:
    return [GlossedLine("train", tuple(glosses.split()), text) for glosses, text in pairs]


def rows(*pairs: tuple[str, str]) -> list[tuple[str, str]]:
    return [(" ".join(p.glosses), p.text) for p in covered_phrases(lines(*pairs), LEXICON)]


def test_lines_are_read_split_by_split(tmp_path):
    write(tmp_path, "dev", ("NEXT ITEM BE VOTE .", "the next item is the vote ."))
    write(tmp_path, "train", ("X-I NEED MEDICINE .", "I need medicine ."), ("", ""))
    first, empty, last = read_aslg_pc12(tmp_path)
    assert first == GlossedLine("train", ("X-I", "NEED", "MEDICINE", "."), "I need medicine .")
    assert empty == GlossedLine("train", (), "")
    assert (last.split, last.text) == ("val", "the next item is the vote .")


def test_files_that_do_not_belong_together_are_one_line(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected aslg.train.en and aslg.train.gloss.asl"):
        list(read_aslg_pc12(tmp_path))
    write(tmp_path, "test", ("X-I SEE", "i see"), ("X-I GO", "i go"))
    (tmp_path / "aslg.test.en").write_text("i see\n", encoding="utf-8")
    with pytest.raises(ValueError, match="aslg.test.gloss.asl, line 2: has 2 lines, and aslg"):
        list(read_aslg_pc12(tmp_path))
    (tmp_path / "aslg.test.gloss.asl").unlink()
    with pytest.raises(FileNotFoundError, match="no annotations at .*aslg.test.gloss.asl"):
        list(read_aslg_pc12(tmp_path))


def test_marks_and_the_copula_go_and_the_english_is_put_together():
    assert rows(("YES , X-MY COFFEE BE DESC-GOOD .", "yes , my coffee is good .")) == [
        ("yes my coffee good", "Yes, my coffee is good.")
    ]
    assert rows(("X-I UNDERSTAND DESC-NOT", "I do not understand")) == [
        ("i understand no", "I do not understand")
    ]
    assert rows(("THANK X-YOU , DOCTOR !", "thank you , doctor !")) == [
        ("thank you doctor", "Thank you, doctor!")
    ]


def test_a_line_with_anything_else_is_left_out():
    assert rows(("X-WE NEED MEDICINE", "we need medicine")) == []
    assert rows(("THANK DOCTOR", "thank the doctor")) == []
    assert rows(("COFFEE", "coffee"), ("", ""), (". .", "?")) == []
    assert rows(("X-I X-I X-I X-I X-I X-I X-I", "I")) == []
    assert rows(("X-I SEE", "")) == []
    assert covered_phrases(lines(("X-I SEE", "I see")), ()) == []


def test_of_two_texts_of_a_row_the_commonest_stays():
    same = ("X-I GO HOME", "I go home .")
    assert rows(("X-I GO HOME", "I went home ."), same, ("X-I SEE X-YOU", "I see you ."), same) == [
        ("i go home", "I go home."),
        ("i see you", "I see you."),
    ]
    assert rows(("X-I GO HOME", "I went home ."), same) == [("i go home", "I went home.")]


def test_the_real_files():
    folder = DATA / "corpora" / "aslg_pc12"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    real = list(read_aslg_pc12(folder))
    assert [sum(line.split == split for line in real) for split in ("val", "test")] == [4000, 1000]
    words = LEXICON.keys() | {"we", "this", "important", "need", "vote", "about", "that"}
    for phrase in covered_phrases(real, words):
        assert set(phrase.glosses) <= words and phrase.text[0].isupper()
    assert covered_phrases(real, words)
