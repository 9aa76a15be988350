"""Corpora beyond the list that models are usually compared on: each format, made here."""

from pathlib import Path

import pytest

from fingerpost.trainer.corpora import read_corpus
from fingerpost.trainer.corpora.sample import Sample


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def read(name: str, folder: Path) -> list[Sample]:
    return list(read_corpus(name, folder))


def test_gsl(tmp_path):
    row = "police1/police1_signer1_rep1_sentences/sentences0000|ΓΕΙΑ ΕΓΩ(1) ΒΟΗΘΩ"
    path = write(tmp_path / "gsl_split_SI_dev.csv", row)
    (sample,) = read("gsl", tmp_path)
    assert (sample.signer, sample.split, sample.language) == ("signer1", "val", "gss")
    assert sample.glosses == ("ΓΕΙΑ", "ΕΓΩ(1)", "ΒΟΗΘΩ")
    write(path, row, "police1/sentences0000|ΓΕΙΑ")
    with pytest.raises(ValueError, match="gsl_split_SI_dev.csv, line 2: .* names no signer"):
        read("gsl", tmp_path)


def test_include50(tmp_path):
    head = "Category,Word,Video,FilePath"
    row = "Animals,4. Bird,MVI_1.MOV,Animals/4. Bird/MVI_1.MOV"
    path = write(tmp_path / "train_include50.csv", head, row)
    (sample,) = read("include50", tmp_path)
    assert (sample.glosses, sample.split) == (("Bird",), "train")
    assert sample.media == tmp_path / "Animals" / "4. Bird" / "MVI_1.MOV"
    write(path, head, row.replace("4. Bird,", "Bird,"))
    with pytest.raises(ValueError, match="train_include50.csv, line 2: Word is 'Bird'"):
        read("include50", tmp_path)


def test_lsa64(tmp_path):
    write(tmp_path / "lsa64_signs.md", "01|Opaque|R|", "02|Red|R|")
    with pytest.raises(FileNotFoundError, match="^no clips in"):
        read("lsa64", tmp_path)
    write(tmp_path / "all" / "002_010_005.mp4")
    (sample,) = read("lsa64", tmp_path)
    assert (sample.glosses, sample.signer, sample.split) == (("Red",), "010", "")
    write(tmp_path / "all" / "099_010_005.mp4")
    with pytest.raises(ValueError, match="099_010_005.mp4: the name is not"):
        read("lsa64", tmp_path)


def test_perusil(tmp_path):
    write(tmp_path / "SRT_SENTENCE/a.srt", "1", "00:00:01,000 --> 00:00:03,000", "Hola a todos")
    signs = [("01,000", "02,000", "hola"), ("02,100", "03,100", "todos"), ("05,000", "06,000", "x")]
    lines = [f"{i}\n00:00:{a} --> 00:00:{b}\n{text}\n" for i, (a, b, text) in enumerate(signs)]
    write(tmp_path / "SRT_SIGN/a.srt", *lines)
    sentence, outside = read("perusil", tmp_path)
    assert (sentence.text, sentence.glosses) == ("Hola a todos", ("hola", "todos"))
    assert (outside.text, outside.glosses, outside.start_ms) == ("", ("x",), 5000)
    (tmp_path / "SRT_SIGN/a.srt").unlink()
    with pytest.raises(FileNotFoundError, match="no annotations at .*SRT_SIGN"):
        read("perusil", tmp_path)


def test_phoenix_signer03(tmp_path):
    recording = '<recording name="a-0" video="a-0/*.png"><segment name="1">'
    recording += '<speaker name="Signer03"/><orth>\nHEUTE\n</orth></segment></recording>'
    for split in ("train", "test"):
        name = f"RWTH-PHOENIX-Weather-Signer03-cutout.{split}.corpus"
        path = write(tmp_path / name, "<corpus>", recording, "</corpus>")
    train, test = read("phoenix_signer03", tmp_path)
    assert (train.id, train.signer, train.glosses) == ("train/a-0", "Signer03", ("HEUTE",))
    assert test.media == tmp_path / "test" / "a-0"
    write(path, "<corpus>", "<recording>", "</corpus>")
    with pytest.raises(ValueError, match=r"cutout.test.corpus, line 3: not XML"):
        read("phoenix_signer03", tmp_path)
    write(path, "<corpus>", recording.replace("speaker", "person"), "</corpus>")
    with pytest.raises(ValueError, match=r"cutout.test.corpus, recording 1: no name or no speaker"):
        read("phoenix_signer03", tmp_path)
