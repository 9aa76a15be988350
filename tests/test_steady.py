"""One person, lost hands, the dominant hand: each by hand, then all before a translator."""

import numpy as np
import pytest

from fingerpost.edge_runtime.dominant_hand import DominantHand
from fingerpost.edge_runtime.keypoints import (
    MEDIAPIPE_HOLISTIC,
    SIGN69,
    KeypointFrame,
    PoseSequence,
)
from fingerpost.edge_runtime.lost_hands import LostHands, LostHandSettings
from fingerpost.edge_runtime.one_person import OnePerson, PersonSettings
from fingerpost.edge_runtime.preprocess import FILLED_CONFIDENCE
from fingerpost.edge_runtime.steady import Steady

LEFT, RIGHT = SIGN69.groups["left_hand"], SIGN69.groups["right_hand"]
WRIST = SIGN69.index("right_wrist")
STEP_MS = 40


def somebody(time_ms, x=0.5, width=0.3, hand=None, schema=SIGN69, hand_group="right_hand"):
    """Shoulders at x, so wide; perhaps a hand at (x, y)."""
    xyz = np.zeros((len(schema), 3), np.float32)
    confidence = np.zeros(len(schema), np.float32)
    for side, way in (("left", 1), ("right", -1)):
        point = schema.index(f"{side}_shoulder")
        xyz[point, :2] = x + way * width / 2, 0.4
        confidence[point] = 1
    if hand is not None:
        xyz[schema.groups[hand_group], :2] = hand
        confidence[schema.groups[hand_group]] = 0.8
    return KeypointFrame(time_ms, xyz, confidence)


def followed(people, settings=None):
    """Of each person (time_ms, x, width): whether they are followed, and are somebody else."""
    one = OnePerson(1.0, settings)
    seen = [(one.push(somebody(*person)).confidence.any(), one.somebody_else) for person in people]
    return [bool(there) for there, _ in seen], [new for _, new in seen]


def times(start_ms, end_ms, step_ms=STEP_MS):
    return range(start_ms, end_ms, step_ms)


# ---- one person ------------------------------------------------------------------------------


@pytest.mark.parametrize("step_ms", [16, 40, 125])
def test_who_walks_or_leans_in_or_turns_is_the_same(step_ms):
    walking = [(t, 0.1 + 0.5 * t / 1000, 0.3) for t in times(0, 1500, step_ms)]
    coming = [(t, 0.5, 0.15 + 0.15 * t / 1000) for t in times(0, 1500, step_ms)]
    turning = [(t, 0.5, 0.3 * np.cos(2 * t / 1000)) for t in times(0, 600, step_ms)]
    for way in (walking, coming, turning):
        there, new = followed(way)
        assert all(there) and not any(new)


@pytest.mark.parametrize(("x", "width"), [(0.9, 0.3), (0.5, 0.12), (0.15, 0.2)])
def test_somebody_smaller_or_less_central_is_nobody_until_the_other_has_been_away(x, width):
    own = [(t, 0.5, 0.3) for t in times(0, 400)]
    flash = [(t, x, width) for t in times(400, 1200)]
    back = [(t, 0.5, 0.3) for t in times(1200, 1600)]
    there, new = followed(own + flash + back)
    assert there == [True] * len(own) + [False] * len(flash) + [True] * len(back)
    assert not any(new)
    stays = [(t, x, width) for t in times(400, 5000)]
    there, new = followed(own + stays)
    assert [t for (t, *_), is_new in zip(own + stays, new, strict=True) if is_new] == [3400]
    assert all(there[i] == (t < 400 or t >= 3400) for i, (t, *_) in enumerate(own + stays))


def test_somebody_larger_takes_over_soon_but_not_by_a_glitch():
    own = [(t, 0.8, 0.15) for t in times(0, 400)]
    comes = [(t, 0.5, 0.3) for t in times(400, 1000)]
    _, new = followed(own + comes)
    assert [t for (t, *_), is_new in zip(own + comes, new, strict=True) if is_new] == [600]
    _, new = followed(own + comes[:2] + [(t, 0.8, 0.15) for t in times(480, 900)])
    assert not any(new)


def test_who_comes_into_an_empty_picture_is_somebody_else():
    _, new = followed([(0, 0.5, 0.3), (1400, 0.5, 0.3), (2901, 0.5, 0.3), (2941, 0.5, 0.3)])
    assert new == [False, False, True, False]


def test_a_body_without_shoulders_is_who_it_was_and_no_settings_follow_nobody():
    one = OnePerson(1.0)
    one.push(somebody(0))
    hands = somebody(40, hand=(0.5, 0.5))
    hands.confidence[: SIGN69.groups["body"].stop] = 0
    assert one.push(hands) is hands and not one.somebody_else
    one.push(somebody(80, x=0.95))
    one.reset()
    assert one.push(somebody(120, x=0.95)).confidence.any() and not one.somebody_else
    there, new = followed([(0, 0.2, 0.3), (40, 0.8, 0.1)], PersonSettings(away_ms=0))
    assert there == [True, True] and not any(new)


# ---- lost hands ------------------------------------------------------------------------------


def test_a_lost_hand_goes_along_with_its_arm_for_a_while():
    hands = LostHands(LostHandSettings(fill_ms=120))
    frames = [somebody(0, hand=(0.5, 0.5)), *(somebody(t) for t in times(40, 200))]
    for k, frame in enumerate(frames):
        frame.xyz[WRIST, :2], frame.confidence[WRIST] = (0.5 + 0.02 * k, 0.5), 1
    seen = [hands.push(frame) for frame in frames]
    assert seen[0] is frames[0] and seen[4] is frames[4]  # 160 ms later it is not there
    for k in (1, 2, 3):
        assert seen[k].xyz[RIGHT, 0] == pytest.approx(0.5 + 0.02 * k)
        assert seen[k].confidence[RIGHT] == pytest.approx(FILLED_CONFIDENCE)
        assert not frames[k].confidence[RIGHT].any()  # what came in is as it was
        assert not seen[k].confidence[LEFT].any()


def test_without_the_arm_it_stays_where_it_was():
    hands = LostHands()
    hands.push(somebody(0, hand=(0.4, 0.5)))
    assert hands.push(somebody(40)).xyz[RIGHT, 0] == pytest.approx(0.4)


@pytest.mark.parametrize("place", [(0.03, 0.5), (0.97, 0.5), (0.5, 0.85)])
def test_a_hand_that_has_left_the_picture_is_gone(place):
    hands = LostHands()
    hands.push(somebody(0, hand=place))
    assert not hands.push(somebody(40)).confidence[RIGHT].any()


def test_nothing_is_filled_before_a_hand_was_seen_or_after_a_reset_or_with_no_time_for_it():
    hands = LostHands()
    assert not hands.push(somebody(0)).confidence[RIGHT].any()
    hands.push(somebody(40, hand=(0.5, 0.5)))
    hands.reset()
    assert not hands.push(somebody(80)).confidence[RIGHT].any()
    never = LostHands(LostHandSettings(fill_ms=0))
    never.push(somebody(0, hand=(0.5, 0.5)))
    assert not never.push(somebody(40)).confidence[RIGHT].any()


# ---- the dominant hand -----------------------------------------------------------------------


def waving(hand_group, start_ms=0, end_ms=1000, y=0.3):
    """Somebody who waves with a hand, to and fro once in 400 ms."""
    return [
        somebody(t, hand=(0.5 + 0.1 * np.sin(t / 64), y), hand_group=hand_group)
        for t in times(start_ms, end_ms)
    ]


def push_all(dominant, frames):
    for frame in frames:
        dominant.push(
            PoseSequence(frame.xyz[None], frame.confidence[None], 25.0, SIGN69, frame.time_ms)
        )
    return dominant.left


def test_the_hand_that_waves_is_the_dominant_one():
    dominant = DominantHand()
    assert push_all(dominant, waving("right_hand")) is False
    assert push_all(DominantHand(), waving("left_hand")) is True
    assert push_all(DominantHand(), []) is False
    assert push_all(DominantHand(), waving("left_hand", y=0.95)) is False  # it rests


def test_one_wave_changes_no_mind_many_do_and_a_new_person_is_right_handed():
    """A minute with the left hand is forgotten after twenty seconds with the right one."""
    dominant = DominantHand()
    push_all(dominant, waving("left_hand", 0, 60_000))
    assert push_all(dominant, waving("right_hand", 60_000, 61_000)) is True
    assert push_all(dominant, waving("right_hand", 61_000, 80_000)) is False
    push_all(dominant, waving("left_hand", 80_000, 110_000))
    assert dominant.left is True
    dominant.reset()
    assert dominant.left is False


def test_a_hand_that_is_given_is_believed_and_nonsense_is_not():
    assert push_all(DominantHand("right"), waving("left_hand")) is False
    assert push_all(DominantHand("left"), waving("right_hand")) is True
    left = DominantHand("left")
    left.reset()
    assert left.left is True
    with pytest.raises(ValueError, match="one of auto, left, right, got 'both'"):
        DominantHand("both")


# ---- all of them -----------------------------------------------------------------------------


def test_frames_come_even_and_of_one_view():
    steady = Steady(25.0, MEDIAPIPE_HOLISTIC, 1.0)
    hand = (0.5, 0.5)
    frames = [somebody(t, hand=hand, schema=MEDIAPIPE_HOLISTIC) for t in (0, 33, 95, 128, 200)]
    out = [even for frame in frames for even in steady.push(frame)]
    assert [frame.time_ms for frame in out] == [0, 40, 80, 120, 160, 200]
    assert all(frame.xyz.shape == (69, 3) for frame in out)
    assert all(frame.confidence[RIGHT].all() for frame in out)


def test_between_two_people_there_is_nobody():
    """No frame shows shoulders half way between the one and the other."""
    steady = Steady(25.0, SIGN69, 1.0)
    own = [somebody(t, 0.7, 0.15) for t in times(0, 330, 33)]
    other = [somebody(t, 0.3, 0.3) for t in times(330, 990, 33)]
    new, middles = [], set()
    for frame in own + other:
        for even in steady.push(frame):
            shoulders = even.confidence[[SIGN69.index("left_shoulder")]] > 0
            if shoulders.all():
                left, right = (SIGN69.index(f"{s}_shoulder") for s in ("left", "right"))
                middles.add(round(float(even.xyz[[left, right], 0].mean()), 3))
        new.append(steady.somebody_else)
    assert middles == {0.7, 0.3} and sum(new) == 1
    steady.reset()
    assert steady.push(somebody(5000, 0.7, 0.15)) and not steady.somebody_else
