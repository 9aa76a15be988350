"""What other sources do to a clip: each by hand on a few frames, then all of them by chance."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from fingerpost.edge_runtime.keypoints import MSMAE, SIGN69, PoseSequence, mirrored
from fingerpost.trainer.augment_sources import (
    ALL,
    NAMES,
    SourceAugment,
    at_frame_rate,
    augment_source,
    ghosts_of,
    lose_hand,
    swap_hands,
    with_ghost,
)
from fingerpost.trainer.clip_tables import Clip
from fingerpost.trainer.tasks.isolated import Isolated, Settings

LEFT, RIGHT = SIGN69.groups["left_hand"], SIGN69.groups["right_hand"]
BODY, FACE = SIGN69.groups["body"], SIGN69.groups["face"]


def sequence_of(n_frames: int, fps: float = 30.0, schema=SIGN69) -> PoseSequence:
    """All x are 0.01 times the frame's number, y tells the group: left 0.2, right 0.4, else 0.6."""
    xyz = np.zeros((n_frames, len(schema), 3), np.float32)
    xyz[..., 0] = np.arange(n_frames)[:, None] * 0.01
    xyz[..., 1] = 0.6
    xyz[:, schema.groups["left_hand"], 1] = 0.2
    xyz[:, schema.groups["right_hand"], 1] = 0.4
    seen = np.ones((n_frames, len(schema)), np.float32)
    return PoseSequence(xyz, seen, fps, schema, start_ms=100, aspect=4 / 3)


def same(one: PoseSequence, other: PoseSequence) -> bool:
    return (
        np.array_equal(one.xyz, other.xyz)
        and np.array_equal(one.confidence, other.confidence)
        and (one.fps, one.aspect, one.start_ms) == (other.fps, other.aspect, other.start_ms)
    )


def test_half_the_rate_keeps_every_second_frame():
    slower = at_frame_rate(sequence_of(5), 15)
    assert np.allclose(slower.xyz[:, 0, 0], [0, 0.02, 0.04])
    assert (slower.fps, slower.start_ms) == (15, 100)
    later = at_frame_rate(sequence_of(5), 15, phase=0.5)
    assert np.allclose(later.xyz[:, 0, 0], [0.01, 0.03])
    assert later.start_ms == 133


def test_twice_the_rate_puts_a_frame_between_two():
    faster = at_frame_rate(sequence_of(3), 60)
    assert np.allclose(faster.xyz[:, 0, 0], [0, 0.005, 0.01, 0.015, 0.02])
    assert faster.xyz.dtype == faster.confidence.dtype == np.float32


def test_between_a_frame_that_saw_a_hand_and_one_that_did_not_there_is_the_hand():
    clip = lose_hand(sequence_of(3), "left_hand", np.array([False, True, False]))
    faster = at_frame_rate(clip, 60)
    assert np.allclose(faster.xyz[:, LEFT.start, 0], [0, 0, 0, 0.02, 0.02])
    assert np.allclose(faster.confidence[:, LEFT.start], [1, 1, 0, 1, 1])


def test_a_clip_shorter_than_a_step_of_the_new_rate_keeps_a_frame():
    for n_frames in (1, 2):
        for phase in (0.0, 0.4, 0.99):
            assert len(at_frame_rate(sequence_of(n_frames, fps=60), 15, phase)) == 1


def test_no_frame_rate_is_an_error():
    with pytest.raises(ValueError, match="above 0, got 0"):
        at_frame_rate(sequence_of(3), 0)


def test_hands_change_places_and_nothing_else_moves():
    clip = sequence_of(4)
    changed = swap_hands(clip, 1, 3)
    assert np.allclose(changed.xyz[:, LEFT.start, 1], [0.2, 0.4, 0.4, 0.2])
    assert np.allclose(changed.xyz[:, RIGHT.start, 1], [0.4, 0.2, 0.2, 0.4])
    for group in (BODY, FACE):
        assert np.array_equal(changed.xyz[:, group], clip.xyz[:, group])
    assert same(swap_hands(changed, 1, 3), clip)
    assert same(swap_hands(clip, 2, 2), clip)


def test_a_hand_that_is_not_seen_changes_places_too():
    clip = lose_hand(sequence_of(3), "left_hand", np.ones(3, bool))
    changed = swap_hands(clip, 0, 2)
    assert changed.confidence[:, RIGHT.start].tolist() == [0, 0, 1]
    assert changed.confidence[:, LEFT.start].tolist() == [1, 1, 0]


def test_a_ghost_is_the_last_hand_of_the_other_clip():
    other = lose_hand(sequence_of(6), "right_hand", np.array([0, 0, 0, 1, 1, 1], bool))
    haunted = with_ghost(sequence_of(4), other, "right_hand", 2)
    assert np.allclose(haunted.xyz[:, RIGHT.start, 0], [0.02, 0.02, 0.02, 0.03])
    assert np.allclose(haunted.xyz[:, RIGHT.start, 1], 0.4)
    assert np.allclose(haunted.xyz[:, LEFT.start, 0], [0, 0.01, 0.02, 0.03])


def test_the_ghost_of_a_one_handed_clip_may_be_in_either_place():
    other = lose_hand(sequence_of(3), "right_hand", np.ones(3, bool))
    haunted = with_ghost(sequence_of(3), other, "right_hand", 1)
    assert np.allclose(haunted.xyz[0, RIGHT.start], [0.02, 0.2, 0])


def test_a_clip_without_hands_has_no_ghost_to_give():
    everything = np.ones(3, bool)
    other = lose_hand(lose_hand(sequence_of(3), "left_hand", everything), "right_hand", everything)
    assert same(with_ghost(sequence_of(3), other, "left_hand", 2), sequence_of(3))


def test_a_ghost_of_another_schema_is_an_error():
    with pytest.raises(ValueError, match="of schema msmae cannot be in a clip of sign69"):
        with_ghost(sequence_of(3), sequence_of(3, schema=MSMAE), "left_hand", 1)


def test_a_lost_hand_is_all_zeros():
    clip = lose_hand(sequence_of(3), "right_hand", np.array([True, False, True]))
    assert (clip.xyz[[0, 2], RIGHT] == 0).all() and (clip.confidence[[0, 2], RIGHT] == 0).all()
    assert np.array_equal(clip.xyz[1], sequence_of(3).xyz[1])


def changed_by(seed: int, settings: SourceAugment, clip: PoseSequence | None = None):
    ghosts = [sequence_of(9)]
    chosen = sequence_of(20) if clip is None else clip
    return augment_source(chosen, np.random.default_rng(seed), settings, ghosts)


def test_with_everything_off_the_clip_stays():
    assert same(changed_by(0, SourceAugment()), sequence_of(20))


@pytest.mark.parametrize("schema", [SIGN69, MSMAE])
def test_the_same_seed_does_the_same_and_never_touches_its_input(schema):
    clip = sequence_of(20, schema=schema)
    ghosts = [sequence_of(9, schema=schema)]
    one, again, other = (
        augment_source(clip, np.random.default_rng(seed), ALL, ghosts) for seed in (1, 1, 2)
    )
    assert same(one, again) and not same(one, other)
    assert same(clip, sequence_of(20, schema=schema))


@pytest.mark.parametrize("name", NAMES)
def test_each_can_be_switched_on_alone(name):
    settings = SourceAugment(**{name: 1.0})
    clips = [changed_by(seed, settings) for seed in range(20)]
    assert sum(not same(clip, sequence_of(20)) for clip in clips) >= 18
    for clip in clips:
        assert np.isfinite(clip.xyz).all()
        assert (clip.xyz[clip.confidence == 0] == 0).all()
        assert (clip.aspect != 4 / 3) == (name == "aspect")
        assert (clip.fps != 30) == (name == "frame_rate")
        assert 15 <= clip.fps <= 60


def test_the_aspect_ratio_changes_by_no_more_than_asked():
    limit = math.log(4 / 3)
    ratios = [changed_by(s, SourceAugment(aspect=limit)).aspect / (4 / 3) for s in range(200)]
    assert 0.75 <= min(ratios) < 0.78 and 1.29 < max(ratios) <= 4 / 3 + 1e-9


def test_a_left_handed_signer_is_the_mirror_s():
    assert same(changed_by(3, SourceAugment(left_handed=1.0)), mirrored(sequence_of(20)))


def test_without_ghosts_to_choose_from_there_are_none():
    clip = augment_source(sequence_of(5), np.random.default_rng(0), SourceAugment(ghost=1.0))
    assert same(clip, sequence_of(5))


def test_a_ghost_is_gone_after_four_frames():
    for seed in range(30):
        clip = changed_by(seed, SourceAugment(ghost=1.0))
        assert same(replace(clip, xyz=sequence_of(20).xyz), sequence_of(20))
        assert np.array_equal(clip.xyz[4:], sequence_of(20).xyz[4:])


def test_a_hand_is_never_lost_for_more_than_most_of_a_clip():
    seen = [
        (changed_by(seed, SourceAugment(drop=1.0)).confidence[:, LEFT.start] > 0).mean()
        for seed in range(100)
    ]
    assert 0.15 < min(seen) < 0.5 < np.mean(seen) < 0.8


def test_a_clip_of_one_frame_stays_one():
    for seed in range(20):
        assert len(changed_by(seed, ALL, sequence_of(1))) == 1


def test_a_clip_without_frames_is_an_error():
    with pytest.raises(ValueError, match="without frames"):
        changed_by(0, ALL, sequence_of(0))


def test_a_recipe_s_table():
    assert SourceAugment.from_table({"swap": 0.5}) == SourceAugment(swap=0.5)
    with pytest.raises(ValueError, match="has no 'swop'; known: aspect, frame_rate, swap"):
        SourceAugment.from_table({"swop": 0.5})


def test_ghosts_are_taken_from_all_over_a_corpus():
    clips = [Clip(str(n), "", "", (), "", "", "", sequence_of(n)) for n in range(1, 200)]
    lengths = [len(ghost) for ghost in ghosts_of(clips, SIGN69)]
    assert len(lengths) == 64 and (lengths[0], lengths[-1]) == (1, 199)
    assert len(ghosts_of(clips[:3], SIGN69)) == 3


@pytest.fixture
def task(shards):
    """Of the four ways, with every source of augmentation always on."""
    from fingerpost.trainer.feed import Clips

    clips = Clips([str(shards)], "train")
    sources = {**dict.fromkeys(NAMES, 1.0), "left_handed": 0.0}
    return Isolated.from_data({"window": 12, "sources": sources}, clips, None), clips


def test_a_recipe_switches_it_on_for_training_alone(task):
    isolated, clips = task
    prepared = [isolated.prepare(clips[i]) for i in range(4)]
    off = Isolated(isolated.vocabulary, Settings(window=12))
    plain = [off.prepare(clips[i]) for i in range(4)]
    for draws, equal in ((None, True), ([1, 2, 3, 4], False)):
        with_sources = isolated.batch(prepared, draws, 0).inputs["keypoints"]
        without = off.batch(plain, draws, 0).inputs["keypoints"]
        assert torch.equal(with_sources, without) == equal


def test_what_becomes_of_a_clip_does_not_depend_on_the_others_of_its_batch(task):
    isolated, clips = task
    prepared = [isolated.prepare(clips[i]) for i in range(3)]
    together = isolated.batch(prepared, [5, 6, 7], 0).inputs["keypoints"]
    alone = isolated.batch(prepared[1:2], [6], 0).inputs["keypoints"]
    assert torch.equal(together[1:2], alone)


@pytest.mark.parametrize(("name", "value"), [("swap", 1.5), ("drop", -0.1), ("ghost", math.nan)])
def test_settings_that_make_no_sense_are_an_error(name, value):
    with pytest.raises(ValueError, match=f"settings.sources.{name} is from 0 to 1"):
        SourceAugment(**{name: value})
