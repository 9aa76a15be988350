"""Subtitle files with other times: everything but the times stays, to the byte."""

import pytest

from fingerpost.edge_runtime.timed_text import Cue
from fingerpost.trainer.corpora.cues import read_cues
from fingerpost.trainer.subtitles.files import read_subtitles

VTT = """\ufeffWEBVTT - a talk
Kind: captions

NOTE made by hand

STYLE
::cue { color: red }

intro
00:01.000 --> 00:02.500 align:start position:0%
Hello <c.green>there</c>,<00:01.500><i>you</i>

01:00:03.000\t-->\t01:00:04.000
Tom &amp; Ann
on two lines

REGION
id:fred

00:05.000 --> 00:06.000

"""
SRT = """\
7
00:00:30,012 --> 00:00:31,031 X1:10
{\\an8}hola

8
00:01:31,050 --> 00:01:31,391
I < 3
"""


def written(tmp_path, name, text):
    (tmp_path / name).write_bytes(text.encode())
    return read_subtitles(tmp_path / name)


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize(("name", "text"), [("a.vtt", VTT), ("a.SRT", SRT)])
def test_with_its_own_times_a_file_is_the_same(tmp_path, name, text, ends):
    text = text.replace("\n", ends)
    file = written(tmp_path, name, text)
    times = [(cue.start_ms, cue.end_ms) for cue in file.cues]
    assert file.retimed(times) == text


def test_only_times_change_in_a_vtt(tmp_path):
    file = written(tmp_path, "a.vtt", VTT)
    new = file.retimed([(11_000, 14_000), (59_990, 3_600_001), (3_723_004, 3_723_005)])
    expected = (
        VTT.replace("00:01.000 --> 00:02.500", "00:11.000 --> 00:14.000")
        .replace("<00:01.500>", "<00:12.000>")
        .replace("01:00:03.000\t-->\t01:00:04.000", "00:00:59.990\t-->\t01:00:00.001")
        .replace("00:05.000 --> 00:06.000", "01:02:03.004 --> 01:02:03.005")
    )
    assert new == expected


def test_only_times_change_in_an_srt(tmp_path):
    file = written(tmp_path, "a.srt", SRT)
    new = file.retimed([(1, 2), (3_600_000, 3_600_500)])
    assert new == SRT.replace(
        "00:00:30,012 --> 00:00:31,031", "00:00:00,001 --> 00:00:00,002"
    ).replace("00:01:31,050 --> 00:01:31,391", "01:00:00,000 --> 01:00:00,500")


def test_who_has_no_place_becomes_a_note_of_a_vtt(tmp_path):
    file = written(tmp_path, "a.vtt", VTT)
    (tmp_path / "b.vtt").write_bytes(file.retimed([None, (0, 5), (7, 9)]).encode())
    assert read_cues(tmp_path / "b.vtt") == [Cue(0, 5, "Tom & Ann on two lines"), Cue(7, 9, "")]
    text = (tmp_path / "b.vtt").read_text()
    assert "NOTE not placed by fingerpost align:\nintro\n00:01.000 to 00:02.500 align" in text
    assert "Hello <c.green>there</c>" in text


def test_who_has_no_place_is_left_out_of_an_srt(tmp_path):
    file = written(tmp_path, "a.srt", SRT)
    assert file.retimed([None, (91_050, 91_391)]) == SRT[SRT.index("8\n00:01") :]
    (tmp_path / "b.srt").write_bytes(file.retimed([(30_012, 31_031), None]).encode())
    assert read_cues(tmp_path / "b.srt") == [Cue(30_012, 31_031, "{\\an8}hola")]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", SRT, "must end in .vtt or .srt"),
        ("a.vtt", "WEBVTT\n\nNOTE nothing\n", "holds no subtitles"),
        ("a.srt", "", "holds no subtitles"),
        ("a.srt", "1\nnonsense\nhola\n", "line 2: expected times"),
        ("a.vtt", SRT, "a .vtt file starts with WEBVTT"),
        ("a.VTT", SRT, "a .vtt file starts with WEBVTT"),
    ],
)
def test_nonsense_is_named(tmp_path, name, text, message):
    with pytest.raises(ValueError, match=message):
        written(tmp_path, name, text)


def test_what_is_no_text_is_named(tmp_path):
    (tmp_path / "a.srt").write_bytes(b"1\n00:00:01,000 --> 00:00:02,000\nma\xf1ana\n")
    with pytest.raises(ValueError, match="line 3: not UTF-8 text"):
        read_subtitles(tmp_path / "a.srt")
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.srt; give subtitles"):
        read_subtitles(tmp_path / "none.srt")
    with pytest.raises(ValueError, match="times of 2 cues, got 1"):
        written(tmp_path, "b.srt", SRT).retimed([(0, 1)])
    with pytest.raises(ValueError, match="cannot be shown at -1 ms"):
        written(tmp_path, "b.srt", SRT).retimed([(-1, 1), None])
