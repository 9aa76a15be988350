"""Resampling: output times lie on the grid exactly, values on the line between their neighbours."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerpost.edge_runtime.keypoints import SIGN69, KeypointFrame, PoseSequence
from fingerpost.edge_runtime.resample import MAX_HOLE_MS, Resampler, resample

K = len(SIGN69)
steps = st.lists(st.integers(1, 240), min_size=1, max_size=60)
rates = st.sampled_from([10, 15, 24, 25, 29.97, 30, 60])


def frame_at(time_ms: int) -> KeypointFrame:
    """Keypoints that move evenly: every coordinate is the time in seconds."""
    return KeypointFrame(
        time_ms, np.full((K, 3), time_ms / 1000, np.float32), np.ones(K, np.float32)
    )


@given(start=st.integers(0, 10_000), steps=steps, fps=rates)
def test_every_grid_time_comes_once_with_the_value_of_that_time(start, steps, fps):
    times = np.cumsum([start, *steps])
    resampler = Resampler(fps)
    out = [f for t in times for f in resampler.push(frame_at(int(t)))]
    grid = [round(n * 1000 / fps) for n in range(int(times[-1] * fps / 1000) + 2)]
    assert [f.time_ms for f in out] == [t for t in grid if times[0] <= t <= times[-1]]
    for frame in out:
        np.testing.assert_allclose(frame.xyz, frame.time_ms / 1000, atol=1e-3)
        np.testing.assert_allclose(frame.confidence, 1, atol=1e-6)


@given(steps=steps, fps=rates)
def test_frames_that_are_late_or_repeated_change_nothing(steps, fps):
    times = np.cumsum([0, *steps]).tolist()
    clean, dirty = Resampler(fps), Resampler(fps)
    expected = [f.time_ms for t in times for f in clean.push(frame_at(t))]
    got = []
    for t in times:
        for late in (t, t, max(0, t - 5)):
            got += [f.time_ms for f in dirty.push(frame_at(late))]
    assert got == expected


def test_a_point_seen_in_one_neighbour_only_is_taken_from_it():
    before, after = frame_at(0), frame_at(100)
    after.confidence[:5] = 0
    after.xyz[:5] = 0
    resampler = Resampler(20)
    resampler.push(before)
    middle = resampler.push(after)[0]
    assert middle.time_ms == 50
    np.testing.assert_allclose(middle.xyz[:5], 0, atol=1e-6)
    np.testing.assert_allclose(middle.xyz[5:], 0.05, atol=1e-6)
    np.testing.assert_allclose(middle.confidence[:5], 0.5)


def test_a_hole_is_not_bridged_and_a_long_one_is_cut():
    resampler = Resampler(25)
    resampler.push(frame_at(0))
    hole = resampler.push(frame_at(600_000))
    assert not any(f.confidence.any() for f in hole[:-1])
    assert hole[-1].confidence.all()
    assert hole[0].time_ms == 600_000 - MAX_HOLE_MS


def test_resampling_to_the_same_rate_changes_nothing():
    xyz = np.random.default_rng(0).random((30, K, 3)).astype(np.float32)
    sequence = PoseSequence(xyz, np.ones((30, K), np.float32), 25.0, SIGN69)
    same = resample(sequence, 25)
    np.testing.assert_allclose(same.xyz, xyz, atol=1e-6)


@pytest.mark.parametrize("fps", [0, -1])
def test_a_rate_that_is_none_is_refused(fps):
    with pytest.raises(ValueError, match="frame rate"):
        Resampler(fps)
