"""Files of sign spans: what is written is read back; PeruSIL comes back byte for byte."""

import os
from pathlib import Path

import pytest

from fingerpost.trainer.segmentation.elan import TIER, read_eaf
from fingerpost.trainer.segmentation.span_files import read_spans, write_spans
from fingerpost.trainer.segmentation.spans import Span

DATA = Path(os.environ.get("FINGERPOST_DATA", Path(__file__).parents[2] / "shared" / "data"))
PERUSIL = DATA / "corpora" / "peruvian"
SPANS = [Span(0, 391, "bonito"), Span(391, 1200), Span(3_723_456, 3_725_000, "mañana < & >")]


@pytest.mark.parametrize("ending", [".srt", ".vtt", ".eaf", ".SRT"])
def test_what_is_written_is_read_back(tmp_path, ending):
    path = tmp_path / f"signs{ending}"
    write_spans(path, SPANS[::-1], tmp_path / "signing.mp4", note="found by nobody")
    assert read_spans(path) == SPANS
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # nothing half-written beside it


def test_srt_is_in_the_form_of_perusil(tmp_path):
    write_spans(tmp_path / "a.srt", [Span(30_012, 31_031, "hola"), Span(31_050, 31_391)])
    assert (tmp_path / "a.srt").read_bytes() == (
        b"1\n00:00:30,012 --> 00:00:31,031\nhola\n\n2\n00:00:31,050 --> 00:00:31,391\n\n\n"
    )


@pytest.mark.parametrize("folder", ["SRT_SIGN", "SRT_SIGN_EN", "SRT_SENTENCE"])
def test_perusil_comes_back_byte_for_byte(tmp_path, folder):
    """But for needless spaces, and the empty line of a sign without a gloss."""
    paths = sorted((PERUSIL / folder).glob("*.srt"))
    if not paths:
        pytest.skip(f"no {PERUSIL / folder}; set FINGERPOST_DATA")
    for path in paths:
        spans = read_spans(path)
        write_spans(tmp_path / "again.srt", spans)
        assert read_spans(tmp_path / "again.srt") == spans
        lines = path.read_text(encoding="utf-8").split("\n")
        again = (tmp_path / "again.srt").read_bytes().decode().split("\n")
        if folder == "SRT_SIGN_EN":  # its makers left that empty line out
            lines, again = [x for x in lines if x], [x for x in again if x]
        assert again == [" ".join(line.split()) for line in lines]
        signs = [span for span in spans if span.end_ms > span.start_ms]
        write_spans(tmp_path / "again.eaf", signs)
        assert read_spans(tmp_path / "again.eaf") == signs


def test_no_spans_are_a_file_too(tmp_path):
    for ending in (".srt", ".vtt", ".eaf"):
        write_spans(tmp_path / f"none{ending}", [])
        assert read_spans(tmp_path / f"none{ending}") == []


def test_a_gloss_stays_on_its_line(tmp_path):
    write_spans(tmp_path / "a.srt", [Span(0, 10, "one\n\n2\ntwo"), Span(10, 20, "three")])
    assert [s.gloss for s in read_spans(tmp_path / "a.srt")] == ["one 2 two", "three"]


def test_elan_shows_the_video(tmp_path):
    write_spans(tmp_path / "a.eaf", SPANS, Path("some where") / "signing.mp4")
    text = (tmp_path / "a.eaf").read_text(encoding="utf-8")
    assert 'MIME_TYPE="video/mp4"' in text
    assert 'RELATIVE_MEDIA_URL="./signing.mp4"' in text
    assert "some%20where/signing.mp4" in text


def test_a_tier_of_many_must_be_named(tmp_path):
    from pympi.Elan import Eaf

    document = Eaf()
    for name, start in (("right hand", 5), ("left hand", 700)):
        document.add_tier(name)
        document.add_annotation(name, start, start + 100, "CAT")
    document.to_file(str(tmp_path / "many.eaf"))
    with pytest.raises(ValueError, match="default, right hand, left hand; name one"):
        read_eaf(tmp_path / "many.eaf")
    with pytest.raises(ValueError, match="name one"):
        read_eaf(tmp_path / "many.eaf", "no such tier")
    assert read_eaf(tmp_path / "many.eaf", "left hand") == [Span(700, 800, "CAT")]
    document.add_tier(TIER)
    document.add_annotation(TIER, 1, 2, "DOG")
    document.to_file(str(tmp_path / "signs.eaf"))
    assert read_spans(tmp_path / "signs.eaf") == [Span(1, 2, "DOG")]


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([Span(5, 4)], "from 5 to 4 ms"),
        ([Span(-1, 4)], "from -1 to 4 ms"),
        ([Span(0, 500), Span(499, 600)], "span at 499 ms starts before"),
        ([Span(7, 7)], "lasts no time"),
    ],
)
def test_spans_that_elan_cannot_hold_leave_no_file(tmp_path, spans, message):
    with pytest.raises(ValueError, match=message):
        write_spans(tmp_path / "a.eaf", spans)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "", "must end in .srt, .vtt, .eaf"),
        ("a.srt", "1\nnonsense\nhola\n", "line 2: expected times"),
        ("a.vtt", "hola", "starts with WEBVTT"),
        ("a.eaf", "hola", "not a whole .eaf"),
        ("a.eaf", "<ANNOTATION_DOCUMENT/>", "not a whole .eaf"),
        ("a.eaf", '<a VERSION="2.8"><TIER/></a>', "not a whole .eaf"),
    ],
)
def test_nonsense_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        read_spans(tmp_path / name)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.eaf; give a file of spans"):
        read_spans(tmp_path / "none.eaf")
