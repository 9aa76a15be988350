"""Spliced sentences: spans where they must be, hands that never jump, the same for one seed."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence
from fingerpost.trainer.clip_tables import Clip
from fingerpost.trainer.segmentation.splice import (
    SpliceSettings,
    active_part,
    minimum_jerk,
    splice,
)
from fingerpost.trainer.segmentation.spliced_corpus import (
    SentenceSettings,
    spliced_sentences,
    write_spliced,
)
from fingerpost.trainer.shards import ShardsAbout, open_shards, write_shards

RIGHT, LEFT = SIGN69.groups["right_hand"], SIGN69.groups["left_hand"]
EVEN = SpliceSettings(tempo=(1, 1), way_spread=0)


def hand(n_points=21):
    """A hand of palm length 0.1 at the origin, (21, 3)."""
    shape = np.zeros((n_points, 3))
    shape[:, 1] = -0.1
    shape[0] = 0
    return shape


def clip_of(wrist_y, x=0.5, name="a", gloss="A", fps=25.0, aspect=1.0, schema=SIGN69) -> Clip:
    """The right hand at these heights; NaN = not seen."""
    y = np.asarray(wrist_y, float)
    xyz = np.zeros((len(y), len(schema), 3), np.float32)
    confidence = np.zeros((len(y), len(schema)), np.float32)
    for t in np.flatnonzero(np.isfinite(y)):
        xyz[t, RIGHT] = hand() + [x, y[t], 0]
        confidence[t, RIGHT] = 1
    sequence = PoseSequence(xyz, confidence, fps, schema, aspect=aspect, extractor="by hand")
    return Clip(name, "7", "val", (gloss,), "", "ase", "", sequence)


UP_AND_DOWN = [np.nan] * 3 + [0.9, 0.8, 0.7, 0.6] + [0.5] * 12 + [0.6, 0.7, 0.8, 0.9] + [np.nan]


def test_the_way_up_and_down_is_no_part_of_the_sign():
    # Shoulder width 0.32; usual height 0.5, first seen at 0.9: seven tenths up is 0.62.
    assert active_part(clip_of(UP_AND_DOWN).sequence, SpliceSettings()) == (6, 19)
    assert active_part(clip_of(UP_AND_DOWN).sequence, SpliceSettings(risen=1)) == (7, 18)
    assert active_part(clip_of(UP_AND_DOWN).sequence, SpliceSettings(risen=0)) == (3, 22)


def test_a_sign_without_a_way_up_keeps_its_ends():
    assert active_part(clip_of([0.5] * 10).sequence, SpliceSettings()) == (0, 9)
    assert active_part(clip_of([0.55, *[0.5] * 10, 0.55]).sequence, SpliceSettings()) == (0, 11)


def test_least_jerk_by_hand():
    still = np.zeros(1)
    way = minimum_jerk(np.zeros(1), np.ones(1), still, still, 3)[:, 0]
    # 10 u^3 - 15 u^4 + 6 u^5 at a quarter, a half and three quarters
    assert way == pytest.approx([0.103515625, 0.5, 0.896484375])


def test_least_jerk_keeps_an_even_speed_that_fits():
    step = np.array([0.25])
    way = minimum_jerk(np.zeros(1), np.ones(1), step, step, 3)[:, 0]
    assert way == pytest.approx([0.25, 0.5, 0.75])


def test_least_jerk_leaves_and_arrives_at_the_speeds_given():
    way = minimum_jerk(np.zeros(2), np.ones(2), np.array([0.02, 0]), np.array([0, -0.01]), 199)
    assert way[0] == pytest.approx([0.02, 0], abs=2e-4)
    assert 1 - way[-1] == pytest.approx([0, -0.01], abs=2e-4)


def test_spans_are_where_the_signs_are():
    made = splice([clip_of(UP_AND_DOWN), clip_of(UP_AND_DOWN, gloss="B")], rng(), EVEN, "two")
    # Trimmed to 20 frames with a hand: 3 of them up, 14 of the sign, 3 down. No way between: 120 ms
    # are 3 frames. 3 + 14 + 3 + 14 + 3 frames of 40 ms.
    assert (made.id, made.glosses, made.signer, made.split) == ("two", ("A", "B"), "7", "val")
    assert len(made.sequence) == 37
    assert made.spans == ((120, 680), (800, 1360))
    assert made.sequence.confidence[:, RIGHT].all()
    assert not made.sequence.confidence[:, LEFT].any()
    y = made.sequence.xyz[:, RIGHT.start, 1]
    assert y[:4] == pytest.approx([0.9, 0.8, 0.7, 0.6])
    assert y[-4:] == pytest.approx([0.6, 0.7, 0.8, 0.9])
    assert (y[4:-4] < 0.61).all()  # the hand stays up between the signs


def test_a_far_way_takes_longer_and_has_no_jump():
    near = splice([clip_of([0.5] * 20), clip_of([0.5] * 20)], rng(), EVEN)
    far = splice([clip_of([0.5] * 20, x=0.2), clip_of([0.5] * 20, x=0.84)], rng(), EVEN)
    gaps = [made.spans[1][0] - made.spans[0][1] for made in (near, far)]
    assert gaps == [120, 440]  # 0.64 wide is two shoulder widths: 320 ms more
    steps = np.diff(far.sequence.xyz[:, RIGHT.start, 0])
    assert steps.min() >= 0
    assert steps.max() < 2.1 * 0.64 / 12  # least jerk is 1.875 times its mean speed at the most
    limited = replace(EVEN, max_way_ms=200)
    made = splice([clip_of([0.5] * 20, x=0.2), clip_of([0.5] * 20, x=0.84)], rng(), limited)
    assert made.spans[1][0] - made.spans[0][1] == 200


def test_a_hand_keeps_its_size_on_the_way():
    turned = clip_of([0.5] * 20, x=0.9)
    made = splice([clip_of([0.5] * 20, x=0.1), turned], rng(), EVEN)
    palm = made.sequence.xyz[:, RIGHT.start + 9] - made.sequence.xyz[:, RIGHT.start]
    assert np.linalg.norm(palm, axis=-1) == pytest.approx(0.1, abs=1e-5)


def test_a_hand_that_is_in_one_sign_only_is_not_seen_on_the_way():
    both = clip_of([0.5] * 20)
    both.sequence.xyz[:, LEFT] = both.sequence.xyz[:, RIGHT] + np.float32([0.2, 0, 0])
    both.sequence.confidence[:, LEFT] = 1
    made = splice([both, clip_of([0.5] * 20)], rng(), EVEN)
    seen = made.sequence.confidence[:, LEFT.start] > 0
    assert seen[:20].all()
    assert not seen[20:].any()
    assert not made.sequence.xyz[20:, LEFT].any()


def test_tempo_and_rates_are_those_asked_for():
    fast = replace(EVEN, tempo=(2, 2), fps=50.0)
    made = splice([clip_of([0.5] * 51, fps=25.0)], rng(), fast)
    assert made.sequence.fps == 50
    assert made.spans == ((0, 1020),)  # 50 steps of 40 ms, twice as fast, and the last frame


def test_another_aspect_is_the_same_place_of_the_picture_square():
    made = splice([clip_of([0.5] * 20, aspect=2.0), clip_of([0.5] * 20, x=0.7)], rng(), EVEN)
    assert made.sequence.aspect == 2.0
    assert made.sequence.xyz[-1, RIGHT.start, 0] == pytest.approx(0.5 + 0.2 / 2)


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        ([], "no clip to splice"),
        ([clip_of([np.nan] * 5, name="empty")], "no hand is seen in clip 'empty'"),
        ([replace(clip_of([0.5] * 5), glosses=("A", "B"))], "has 2 glosses; give single signs"),
        ([replace(clip_of([0.5] * 5), glosses=())], "has 0 glosses"),
    ],
)
def test_clips_that_cannot_be_spliced_are_named(clips, message):
    with pytest.raises(ValueError, match=message):
        splice(clips, rng())


@pytest.mark.parametrize(
    "wrong", [{"fps": 0}, {"tempo": (2, 1)}, {"tempo": (0, 1)}, {"risen": 1.1}, {"way_ms": -1}]
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError):
        SpliceSettings(**wrong)


def test_sentences_are_the_same_for_one_seed_and_of_one_signer(tmp_path):
    shards = signs(tmp_path)
    few, more = list(spliced_sentences(shards, 3, 5)), list(spliced_sentences(shards, 6, 5))
    for one, other in zip(few, more, strict=False):
        assert (one.glosses, one.spans) == (other.glosses, other.spans)
        assert (one.sequence.xyz == other.sequence.xyz).all()
    assert {clip.glosses for clip in few} != {c.glosses for c in spliced_sentences(shards, 3, 6)}
    for clip in more:
        assert 3 <= len(clip.glosses) == len(clip.spans) <= 7
        assert len(set(clip.glosses)) == len(clip.glosses)  # no clip twice
        assert {gloss[0] for gloss in clip.glosses} == {clip.signer}
        ends = [ms for span in clip.spans for ms in span]
        assert all(a < b for a, b in pairwise(ends))
        assert ends[-1] <= clip.sequence.duration_ms


def test_sentences_are_written_and_gone_on_with(tmp_path):
    shards = signs(tmp_path)
    assert len(list(write_spliced(tmp_path / "made", shards, 2))) == 2
    assert [clip.id for clip in write_spliced(tmp_path / "made", shards, 3)] == ["spliced-000002"]
    made = open_shards(tmp_path / "made")
    assert [c.spans for c in made] == [c.spans for c in spliced_sentences(shards, 3)]


def test_too_few_clips_are_named(tmp_path):
    shards = signs(tmp_path)
    with pytest.raises(ValueError, match="no signer with 30 clips of one gloss"):
        list(spliced_sentences(shards, 1, settings=SentenceSettings(signs=(3, 30))))
    with pytest.raises(ValueError, match="the fewest first"):
        SentenceSettings(signs=(4, 3))


def signs(folder: Path):
    """Two signers with 10 signs each, and one clip without hands."""
    clips = [
        replace(
            clip_of(UP_AND_DOWN, x=0.3 + 0.04 * i, name=f"{who}{i}", gloss=f"{who}{i}"), signer=who
        )
        for who in "xy"
        for i in range(10)
    ]
    clips.append(replace(clip_of([np.nan] * 9, name="none", gloss="x none"), signer="x"))
    return write_shards(folder / "signs", clips, ShardsAbout("signs", "sign69"))


def rng():
    return np.random.default_rng(0)
