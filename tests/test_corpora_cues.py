"""Subtitle files: what is odd but legal is read, what is broken is named by file and line."""

from pathlib import Path

import pytest

from fingerpost.trainer.corpora.cues import Cue, read_cues

DATA_VTT = """\ufeffWEBVTT
Kind: captions
Language: en

NOTE made by hand
--> not a time

STYLE
::cue { color: red }

intro
00:01.000 --> 00:02.500 align:start position:0%
Hello <c.green>there</c>,<00:00:01.500><i>you</i>

01:00:03.000\t-->\t01:00:04.000
Tom &amp; Ann
on two lines

00:05.000 --> 00:06.000

"""


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_vtt(tmp_path, ends):
    path = write(tmp_path / "a.vtt", DATA_VTT.replace("\n", ends))
    assert read_cues(path) == [
        Cue(1000, 2500, "Hello there,you"),
        Cue(3_603_000, 3_604_000, "Tom & Ann on two lines"),
        Cue(5000, 6000, ""),
    ]


def test_srt(tmp_path):
    text = "1\n00:00:30,012 --> 00:00:31,031\nhola\n\n\n2\n00:01:31,050 --> 00:01:31,391\nI < 3\n"
    assert read_cues(write(tmp_path / "a.srt", text)) == [
        Cue(30_012, 31_031, "hola"),
        Cue(91_050, 91_391, "I < 3"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.vtt", "00:01.000 --> 00:02.000\nHello\n", "line 1: a .vtt file starts with WEBVTT"),
        ("a.vtt", "", "line 1: a .vtt file starts with WEBVTT"),
        ("a.vtt", "WEBVTT\n\n00:01.000 -> 00:02.000\nHello\n", "line 4: expected times"),
        ("a.vtt", "WEBVTT\n\n00:61.000 --> 00:02.000\nHello\n", "line 3: expected times"),
        ("a.vtt", "WEBVTT\n\n00:03.000 --> 00:02.000\nHello\n", "line 3: .* ends before it starts"),
        ("a.srt", "1\n00:00:01,000 --> 00:00:02,000\nHello\n\nlost words\n", "line 5: expected"),
        ("a.srt", "1\n00:00:01 --> 00:00:02\nHello\n", "line 2: expected times"),
    ],
)
def test_broken_captions_are_named(tmp_path, name, text, message):
    with pytest.raises(ValueError, match=rf"{name}, {message}"):
        read_cues(write(tmp_path / name, text))
