"""Troubled streams: each shows its trouble and nothing else, and its truth is still the truth."""

from itertools import pairwise

import numpy as np
import pytest

from fingerpost.edge_runtime.keypoints import SIGN69, KeypointFrame
from fingerpost.trainer import troubled_streams as troubles
from fingerpost.trainer.streams import Stream
from fingerpost.trainer.troubled_streams import TROUBLES, trouble_names, troubled_streams

SHOULDERS = [SIGN69.index(f"{side}_shoulder") for side in ("left", "right")]
RIGHT = SIGN69.groups["right_hand"]


@pytest.fixture(scope="module")
def made():
    """Streams by trouble, of the same minute."""
    names = ("none", *(name for name, one in TROUBLES.items() if one.change))
    return {name: troubled_streams(name, 0.9, seed=5) for name in names}


def arrays(stream):
    frames = stream.frames
    return (
        np.array([frame.time_ms for frame in frames]),
        np.stack([frame.xyz for frame in frames]),
        np.stack([frame.confidence for frame in frames]),
    )


def test_all_have_the_same_sentences_and_frames_that_are_in_order(made):
    texts = [s.text for stream in made["none"] for s in stream.sentences]
    for name, streams in made.items():
        assert len(streams) == len(made["none"])
        if name != "another comes":
            assert [s.text for stream in streams for s in stream.sentences] == texts
        for stream in streams:
            times, xyz, confidence = arrays(stream)
            assert (np.diff(times) > 0).all() and times[-1] >= stream.sentences[-1].end_ms
            assert xyz.dtype == confidence.dtype == np.float32
            assert not xyz[confidence == 0].any(), name


def test_the_same_trouble_again_is_the_same():
    for name in ("lost hands", "uneven", "somebody behind"):
        one, other = (troubled_streams(name, 0.2, seed=5)[0] for _ in range(2))
        for a, b in zip(arrays(one), arrays(other), strict=True):
            assert np.array_equal(a, b)


def test_hands_are_exchanged_and_back_again(made):
    times, xyz, confidence = arrays(made["left-handed"][0])
    plain_times, plain_xyz, plain_confidence = arrays(made["none"][0])
    left = SIGN69.groups["left_hand"]
    assert np.array_equal(times, plain_times)
    assert np.array_equal(confidence[:, left], plain_confidence[:, RIGHT])
    seen = confidence[:, left] > 0
    assert np.allclose(xyz[:, left, 0][seen], 1 - plain_xyz[:, RIGHT, 0][seen], atol=1e-6)
    again = troubles.other_handed(made["left-handed"], 0, np.random.default_rng(0))
    assert np.allclose(arrays(again)[1], plain_xyz, atol=1e-6)


def test_uneven_times_are_of_8_to_30_frames_a_second(made):
    steps = [b - a for s in made["uneven"] for a, b in pairwise(arrays(s)[0].tolist())]
    assert min(steps) >= 33 and max(steps) <= 125 + 17 and len(set(steps)) > 4


def test_a_hand_is_lost_for_200_ms_where_it_is_fastest_and_nothing_else_is():
    """Both hands are seen for 1.2 s; the right one goes on by a tenth of the picture at 600 ms."""
    frames = []
    for ms in range(0, 1200, 40):
        xyz, confidence = np.full((69, 3), 0.5, np.float32), np.ones(69, np.float32)
        xyz[RIGHT, 0] += 0.1 * (ms >= 600)
        frames.append(KeypointFrame(ms, xyz, confidence))
    stream = Stream(tuple(frames), SIGN69, 1.0, (), (), 1.0)
    times, _, confidence = arrays(troubles.lost_hands([stream], 0, np.random.default_rng(0)))
    assert times[confidence[:, RIGHT.start] == 0].tolist() == [520, 560, 600, 640, 680]
    assert not confidence[13:18, RIGHT].any()
    others = np.setdiff1d(np.arange(69), np.r_[RIGHT])
    assert confidence[:, others].all()


def test_hands_are_lost_in_every_stream(made):
    for stream, plain in zip(made["lost hands"], made["none"], strict=True):
        seen, before = (arrays(one)[2][:, RIGHT.start] > 0 for one in (stream, plain))
        assert seen.mean() < before.mean() - 0.03


def test_too_near_hands_at_the_edge_are_gone_and_others_larger(made):
    n_lost = 0
    for stream, plain in zip(made["too near"], made["none"], strict=True):
        (_, xyz, confidence), (_, plain_xyz, before) = arrays(stream), arrays(plain)
        assert not ((confidence > 0) & (before == 0)).any()
        gone = (confidence[:, RIGHT.start] == 0) & (before[:, RIGHT.start] > 0)
        assert not confidence[gone][:, RIGHT].any()
        n_lost += gone.sum()
        both = (confidence[:, SHOULDERS] > 0).all(axis=1)
        width, usual = (np.ptp(a[:, SHOULDERS, 0], axis=1) for a in (xyz, plain_xyz))
        assert both.any() and np.allclose(width[both], 1.35 * usual[both], rtol=1e-4)
    assert n_lost > 25


def test_somebody_behind_is_smaller_for_a_while(made):
    shares = []
    for stream, plain in zip(made["somebody behind"], made["none"], strict=True):
        xyz, plain_xyz = arrays(stream)[1], arrays(plain)[1]
        width, usual = (np.ptp(a[:, SHOULDERS, 0], axis=1) for a in (xyz, plain_xyz))
        behind = width != usual
        assert np.median(width[behind]) < 0.75 * np.median(usual)
        shares.append(behind.mean())
    assert 0.05 < np.mean(shares) < 0.4


def test_who_walks_out_is_gone_for_two_seconds_between_sentences(made):
    for stream, plain in zip(made["walks out"], made["none"], strict=True):
        if stream.duration_ms == plain.duration_ms:  # a single part: there is no between
            continue
        times, _, confidence = arrays(stream)
        empty_ms = times[~confidence.any(axis=1)]
        assert troubles.AWAY_MS - 80 <= len(empty_ms) * 40 <= troubles.AWAY_MS + 2 * 800
        for sentence in stream.sentences:
            assert not ((empty_ms > sentence.start_ms) & (empty_ms < sentence.end_ms)).any()
        pairs = zip(plain.sentences, stream.sentences, strict=True)
        late = {after.start_ms - before.start_ms for before, after in pairs}
        assert late <= {0, stream.duration_ms - plain.duration_ms}


def test_another_signer_takes_the_place_with_their_own_sentences(made):
    plain, joined = made["none"], made["another comes"]
    for i, stream in enumerate(joined):
        other = plain[(i + 1) % len(plain)]
        assert stream.sentences[: len(plain[i].sentences)] == plain[i].sentences
        assert [s.text for s in stream.sentences[len(plain[i].sentences) :]] == [
            s.text for s in other.sentences
        ]
        frame = {f.time_ms: f for f in stream.frames}
        late_ms = stream.sentences[-1].start_ms - other.sentences[-1].start_ms
        for one in other.frames:
            assert np.array_equal(frame[one.time_ms + late_ms].xyz, one.xyz)


def test_unknown_troubles_are_refused():
    with pytest.raises(ValueError, match="unknown trouble 'rain'; known: none, 8 fps"):
        troubled_streams("rain", 1)
    with pytest.raises(ValueError, match="unknown trouble 'rain'"):
        trouble_names(["none", "rain"])
    assert trouble_names() == list(TROUBLES) and trouble_names(["none"]) == ["none"]
