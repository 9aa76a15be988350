"""Long streams with subtitles at the true and at wrong times: the truth, the shift, the files."""

import json
from itertools import pairwise

import numpy as np
import pytest
from typer.testing import CliRunner

from fingerpost.app.cli import app
from fingerpost.edge_runtime.timed_text import Cue
from fingerpost.trainer.sentences.subtitle_streams import (
    SHIFTED,
    TRUE,
    Shift,
    make_subtitle_stream,
    read_subtitle_stream,
    shifted_cues,
    write_subtitle_streams,
)
from fingerpost.trainer.signer_corpus import split_of
from fingerpost.trainer.subtitles.scores import score_alignments

STILL = Shift(lag=(2000, 2000), drift=0, jitter=0, letters_per_second=10, hurry=0)


@pytest.fixture(scope="module")
def stream():
    return make_subtitle_stream(0, minutes=12)


def overlap(one, other):
    """Intersection over union of two cues."""
    both = min(one.end_ms, other.end_ms) - max(one.start_ms, other.start_ms)
    return max(both, 0) / (max(one.end_ms, other.end_ms) - min(one.start_ms, other.start_ms))


# ---- the truth


def test_cues_are_held_out_sentences_in_order_of_time(stream):
    assert 12 * 60_000 <= stream.sequence.duration_ms < 13 * 60_000
    assert len(stream.cues) > 60
    assert all(split_of(cue.text) == "test" for cue in stream.cues)
    ends = [ms for cue in stream.cues for ms in cue[:2]]
    assert ends == sorted(ends) and ends[-1] <= stream.sequence.duration_ms
    assert all(cue.end_ms - cue.start_ms > 300 for cue in stream.cues)


def test_hands_are_up_while_a_sentence_is_signed_and_are_not_always_up(stream):
    """Of the shoulders' width, a wrist above the hip: hands at rest hang beside it."""
    sequence = stream.sequence
    body = {name: sequence.schema.index(name) for name in (
        "left_shoulder", "right_shoulder", "left_wrist", "right_wrist")}  # fmt: skip
    y = sequence.xyz[..., 1]
    shoulders = (y[:, body["left_shoulder"]] + y[:, body["right_shoulder"]]) / 2
    wrist = np.minimum(y[:, body["left_wrist"]], y[:, body["right_wrist"]])
    times = np.arange(len(sequence)) * 1000 / sequence.fps
    said = np.zeros(len(times), bool)
    for cue in stream.cues:
        said |= (times >= cue.start_ms) & (times < cue.end_ms)
    below = wrist - shoulders
    assert np.median(below[said]) < np.median(below[~said]) - 0.1
    assert 0.5 < said.mean() < 0.9


def test_sentences_follow_without_a_rest_and_after_one(stream):
    between = np.array([b.start_ms - a.end_ms for a, b in pairwise(stream.cues)])
    assert (between < 700).mean() > 0.3 and (between > 1500).mean() > 0.2


def test_after_ten_minutes_somebody_else_signs(stream):
    """The shoulders' width in the picture is one person's before one camera."""
    sequence = stream.sequence
    x = sequence.xyz[..., 0]
    width = x[:, sequence.schema.index("left_shoulder")]
    width = np.abs(width - x[:, sequence.schema.index("right_shoulder")])
    minutes = np.arange(len(width)) / sequence.fps / 60
    one, same, other = (
        np.median(width[(minutes >= a) & (minutes < b)]) for a, b in ((0, 4), (4, 9.9), (10.5, 12))
    )
    assert abs(one - same) < 0.1 * abs(one - other)


def test_a_stream_is_the_same_again_and_another_is_not():
    one, again, other, elsewhere = (
        make_subtitle_stream(number, 0.2, split)
        for number, split in ((3, "test"), (3, "test"), (4, "test"), (3, "val"))
    )
    assert one.cues == again.cues and one.shifted == again.shifted
    assert np.array_equal(one.sequence.xyz, again.sequence.xyz)
    assert one.cues != other.cues and one.cues != elsewhere.cues


# ---- the shift


def test_shifted_cues_score_as_badly_as_asked(stream):
    """F1@.50 at most 35, by the share of cues that overlap enough, and by the scores of align."""
    found = [overlap(a, b) >= 0.5 for a, b in zip(stream.cues, stream.shifted, strict=True)]
    assert 100 * np.mean(found) <= 35
    times = [[cue[:2] for cue in cues] for cues in (stream.cues, stream.shifted)]
    assert score_alignments([(times[0], times[1])]).f1[0.5] <= 35
    assert score_alignments([(times[0], times[0])]).f1[0.5] == 100


def test_every_true_time_is_within_reach(stream):
    """A window of 20 seconds around a shifted cue holds the true one."""
    for true, shifted in zip(stream.cues, stream.shifted, strict=True):
        middle = (shifted.start_ms + shifted.end_ms) / 2
        assert middle - 10_000 <= true.start_ms or true.start_ms < 10_000
        assert true.end_ms <= middle + 10_000


def test_texts_stay_in_order_and_cues_apart(stream):
    assert [cue.text for cue in stream.shifted] == [cue.text for cue in stream.cues]
    ends = [ms for cue in stream.shifted for ms in cue[:2]]
    assert ends == sorted(ends) and ends[0] >= 0 and ends[-1] <= stream.sequence.duration_ms
    assert all(cue.end_ms > cue.start_ms for cue in stream.shifted)


def test_a_constant_shift_by_hand():
    cues = [Cue(5000, 9000, "x" * 20), Cue(9000, 12000, "y" * 40)]
    rng = np.random.default_rng(0)
    assert shifted_cues(cues, rng, STILL, 20_000) == [
        Cue(3000, 5000, "x" * 20),
        Cue(7000, 11000, "y" * 40),
    ]
    # The first would start before the stream, and the third before the second's least length.
    cues = [Cue(500, 900, "x" * 20), Cue(3000, 3100, "y" * 20), Cue(3100, 3200, "z" * 20)]
    assert shifted_cues(cues, rng, STILL, 20_000) == [
        Cue(0, 1000, "x" * 20),
        Cue(1000, 1400, "y" * 20),
        Cue(1400, 3400, "z" * 20),
    ]


def test_the_lag_wanders_slowly():
    cues = [Cue(k * 10_000, k * 10_000 + 100, "x") for k in range(1, 360)]
    shift = Shift(lag=(2000, 2000), drift=500, jitter=0, hurry=0)
    shifted = shifted_cues(cues, np.random.default_rng(0), shift, 3_600_000)
    lags = np.array([a.start_ms - b.start_ms for a, b in zip(cues, shifted, strict=True)])
    assert lags.min() >= 1499 and lags.max() <= 2501 and np.ptp(lags) > 990
    assert np.abs(np.diff(lags)).max() < 40  # 500 * 2 pi / 90 a cue


def test_what_cannot_be_is_one_line(tmp_path):
    with pytest.raises(ValueError, match="do not fit into 300 ms"):
        shifted_cues([Cue(0, 100, "x")], np.random.default_rng(0), STILL, 300)
    for wrong in ({"period": 0}, {"jitter": -1}, {"lag": (3, 2)}, {"shortest": 0}):
        with pytest.raises(ValueError, match="a shift's"):
            Shift(**wrong)
    for wrong, message in (
        ({"n_streams": 0}, "at least 1"),
        ({"n_streams": 1, "minutes": 0}, "minutes of stream"),
        ({"n_streams": 1, "split": "x"}, "unknown split"),
        ({"n_streams": 1, "fps": 0}, "fps is frames a second"),
    ):
        with pytest.raises(ValueError, match=message):
            next(write_subtitle_streams(tmp_path / "none", **wrong))
    assert not (tmp_path / "none").exists()
    assert shifted_cues([], np.random.default_rng(0), STILL, 300) == []


# ---- the files


def test_one_command_writes_them_and_goes_on(tmp_path):
    options = f"-o {tmp_path} --streams 2 --minutes 0.2 --json"
    ran = CliRunner().invoke(app, ["shards", "make-streams", *options.split()])
    assert ran.exit_code == 0, ran.output
    assert [row["name"] for row in json.loads(ran.stdout)] == ["test-00", "test-01"]
    made, read = make_subtitle_stream(1, 0.2), read_subtitle_stream(tmp_path / "test-01")
    assert (read.cues, read.shifted) == (made.cues, made.shifted)
    assert np.array_equal(read.sequence.xyz, made.sequence.xyz)
    (tmp_path / "test-01" / SHIFTED).unlink()  # as if it had been stopped
    assert [stream.name for stream in write_subtitle_streams(tmp_path, 2, 0.2)] == ["test-01"]
    assert not list(tmp_path.rglob("*.partial"))
    (tmp_path / "test-00" / TRUE).write_text("WEBVTT\n", encoding="utf-8")
    with pytest.raises(ValueError, match="have other texts"):
        read_subtitle_stream(tmp_path / "test-00")
