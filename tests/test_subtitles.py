"""Subtitle files: times, reading time, escapes, and every cue within its neighbours."""

import re

from hypothesis import given
from hypothesis import strategies as st

from fingerpost.app.subtitles import MIN_SHOWN_MS, cues
from fingerpost.edge_runtime.captions import Line
from fingerpost.edge_runtime.timed_text import Cue, srt, vtt

SRT_BLOCK = re.compile(r"(\d+)\n(\S+) --> (\S+)\n((?:.+\n)+)(?:\n|$)")


def line(text, start_ms, end_ms):
    return Line(text, tuple(text.split()), (), start_ms, end_ms, 0.9)


def ms(stamp):
    hours, minutes, seconds = re.split(r"[:]", stamp.replace(",", "."))
    return round((int(hours) * 60 + int(minutes)) * 60_000 + float(seconds) * 1000)


def test_srt_is_what_players_read():
    made = srt(cues([line("HOW YOU", 1200, 3000), line("FINE", 3_723_456, 3_725_000)]))
    assert made == (
        "1\n00:00:01,200 --> 00:00:03,000\nHOW YOU\n\n2\n01:02:03,456 --> 01:02:05,000\nFINE\n"
    )


def test_vtt_is_what_browsers_read():
    made = vtt([Cue(1200, 3000, "A & B --> <C>")], note="Captions can be wrong")
    assert made == (
        "WEBVTT\n\nNOTE Captions can be wrong\n\n"
        "00:00:01.200 --> 00:00:03.000\nA &amp; B --&gt; &lt;C&gt;\n"
    )


def test_a_short_sign_stays_long_enough_to_be_read_but_not_into_the_next():
    first, second = cues([line("YES", 1000, 1200), line("NO", 1500, 1700)])
    assert (first.start_ms, first.end_ms) == (1000, 1500)
    assert second.end_ms - second.start_ms == MIN_SHOWN_MS


def test_no_captions_are_an_empty_file_that_is_still_valid():
    assert srt(cues([line("", 0, 10)])) == ""
    assert vtt([]) == "WEBVTT\n"


words = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30)
times = st.integers(0, 40_000_000)


@given(st.lists(st.tuples(words | st.just("a\n\n-->b"), times, st.integers(0, 9000))))
def test_any_captions_make_a_file_in_order_with_one_block_each(captions):
    made = cues([line(text, start, start + length) for text, start, length in captions])
    blocks = SRT_BLOCK.findall(srt(made))
    assert [int(number) for number, *_ in blocks] == list(range(1, len(made) + 1))
    starts = [ms(start) for _, start, _, _ in blocks]
    assert starts == sorted(starts)
    assert all(ms(start) < ms(end) for _, start, end, _ in blocks)
    for cue, following in zip(made, made[1:], strict=False):
        assert cue.end_ms <= max(following.start_ms, cue.start_ms + 1)
