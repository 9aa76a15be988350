"""Augmentation of Uni-Sign's clips: what it may do, and what it must leave alone."""

from dataclasses import fields, replace

import numpy as np
import pytest

from fingerpost.edge_runtime.keypoints import SIGN69
from fingerpost.trainer.augment_clips import ClipAugment, augment_clip, still_there, strided

OFF = replace(ClipAugment(), **{f.name: 0.0 for f in fields(ClipAugment) if f.name != "stride"})
BODY, LEFT = SIGN69.groups["body"], SIGN69.groups["left_hand"]


@pytest.fixture
def clip():
    """(30, 69, 3) float16; the right hand is never seen; confidence tells the frame's number."""
    keypoints = np.random.default_rng(0).uniform(-0.8, 0.8, (30, 69, 3)).astype(np.float16)
    keypoints[..., 2] = (np.arange(30)[:, None] + 1) / 32
    keypoints[:, SIGN69.groups["right_hand"]] = 0
    return keypoints


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_with_everything_off_the_clip_stays(clip):
    assert np.array_equal(augment_clip(clip, rng(), OFF)[0], clip.astype(np.float32))


def test_the_same_seed_does_the_same_and_never_touches_its_input(clip):
    before = clip.copy()
    one, same, other = (augment_clip(clip, rng(k), ClipAugment())[0] for k in (1, 1, 2))
    assert one.dtype == np.float32 and np.array_equal(one, same)
    assert one.shape != other.shape or not np.array_equal(one, other)
    assert np.array_equal(clip, before)


@pytest.mark.parametrize("seed", range(20))
def test_it_stays_within_what_preprocess_gives(clip, seed):
    changed = augment_clip(clip, rng(seed), ClipAugment(stride=2))[0]
    assert 12 <= len(changed) <= 19  # 15, up to 25 % faster or slower
    assert np.abs(changed[..., :2]).max() <= 1
    assert (changed[changed[..., 2] == 0] == 0).all()


def test_frames_stay_in_order(clip):
    settings = replace(OFF, stride=3, tempo=0.3, uneven=0.3)
    for seed in range(20):
        times = augment_clip(clip, rng(seed), settings)[0][:, 0, 2]
        assert (np.diff(times) >= 0).all() and len(times) >= 7


def test_a_stride_keeps_every_third_frame_from_a_random_start(clip):
    starts = set()
    for seed in range(30):
        frames = augment_clip(clip, rng(seed), replace(OFF, stride=3))[0][:, 0, 2] * 32 - 1
        assert np.allclose(np.diff(frames), 3)
        starts.add(round(float(frames[0])))
    assert starts == {0, 1, 2}


def test_a_mirror_exchanges_the_hands(clip):
    flipped = augment_clip(clip, rng(), replace(OFF, mirror=1.0))[0]
    assert (flipped[:, LEFT] == 0).all()
    expected = clip[:, LEFT].astype(np.float32) * [-1, 1, 1]
    assert np.allclose(flipped[:, SIGN69.groups["right_hand"]], expected)


def test_a_turn_keeps_every_distance_from_the_origin(clip):
    turned = augment_clip(clip * 0.5, rng(), replace(OFF, turn=0.5))[0]
    assert not np.allclose(turned, clip * 0.5, atol=1e-2)
    length, before = (np.linalg.norm(x[..., :2], axis=-1) for x in (turned, clip * 0.5))
    assert np.allclose(length, before, atol=1e-3)


def test_a_shift_moves_the_body_alone(clip):
    moved = augment_clip(clip, rng(), replace(OFF, shift=0.1))[0] - clip
    assert np.allclose(moved[:, BODY, :2], moved[0, 0, :2], atol=1e-3)
    assert 0 < np.abs(moved[0, 0, :2]).max() <= 0.1
    assert np.allclose(moved[:, BODY.stop :], 0)


def test_hands_are_lost_and_nothing_else(clip):
    lost = augment_clip(clip, rng(), replace(OFF, drop_frames=0.5))[0]
    gone = (lost[:, LEFT] == 0).all(axis=(1, 2))
    assert 5 < gone.sum() < 25
    assert np.array_equal(lost[~gone], clip[~gone].astype(np.float32))
    run = augment_clip(clip, rng(), replace(OFF, drop_run=1.0))[0]
    assert 1 <= (run[:, LEFT] == 0).all(axis=(1, 2)).sum() <= 3


def test_a_clip_of_one_frame_stays_one(clip):
    for seed in range(20):
        assert len(augment_clip(clip[:1], rng(seed), ClipAugment(stride=4))[0]) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [("stride", 0), ("mirror", 1.5), ("turn", -0.1), ("size", 1.1), ("tempo", float("nan"))],
)
def test_settings_that_make_no_sense_are_an_error(name, value):
    with pytest.raises(ValueError, match=f"{name} is "):
        ClipAugment(**{name: value})


def test_strided():
    frames = np.arange(7)
    assert strided(frames, 1).tolist() == list(range(7))
    assert strided(frames, 3).tolist() == [1, 4]
    assert strided(frames[:1], 5).tolist() == [0]
    with pytest.raises(ValueError, match="a stride is at least 1 frame, got 0"):
        strided(frames, 0)


def test_signets_noise_moves_what_was_seen_and_nothing_else(clip):
    changed, times = augment_clip(clip, rng(), replace(OFF, jitter=0.01))
    moved = (changed - clip)[..., :2]
    seen = clip[..., 2] > 0
    assert np.array_equal(times, np.arange(30)) and not moved[~seen].any()
    assert moved[seen].std() == pytest.approx(0.01, rel=0.05)
    assert np.array_equal(changed[..., 2], clip[..., 2].astype(np.float32))


def test_signets_missing_frames_are_a_share_of_them_and_others_each_time(clip):
    kept = [augment_clip(clip, rng(seed), replace(OFF, left_out=0.15))[1] for seed in (1, 2)]
    assert [len(times) for times in kept] == [26, 26]  # round(4.5) = 4 are gone
    assert all((np.diff(times) > 0).all() for times in kept)
    assert not np.array_equal(*kept)
    assert still_there(1, rng(), 1.0).tolist() == [0] and len(still_there(9, rng(), 1.0)) == 1
