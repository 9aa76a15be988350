"""The confidence that we work out for hands: high for real ones, low for what no hand does."""

import os
from pathlib import Path

import numpy as np
import pytest

from fingerpost.edge_runtime.hand_confidence import LOWEST, RETURN_GRADES, HandsConfidence
from fingerpost.edge_runtime.keypoint_files import load_keypoints
from fingerpost.edge_runtime.keypoints import MEDIAPIPE_HOLISTIC, KeypointFrame

DATA = Path(os.environ.get("FINGERPOST_DATA") or Path(__file__).parents[2] / "shared" / "data")
GROUPS = MEDIAPIPE_HOLISTIC.groups
LEFT, RIGHT = GROUPS["left_hand"], GROUPS["right_hand"]
FINGERS = np.array([[-30, 5], [-14, 10], [0, 10.5], [12, 10], [24, 9]])  # degrees, length in cm

pose_files = sorted((DATA / "pose_files" / "fingerspelling").glob("*/*.pose"))


def open_hand(size=0.012):
    """Shape (21, 3): a flat hand, fingers up, wrist at the origin; size is a centimetre."""
    points = [np.zeros(2)]
    for k, (angle, length) in enumerate(FINGERS):
        direction = np.array([np.sin(np.radians(angle)), -np.cos(np.radians(angle))])
        knuckle = direction * (3 if k == 0 else 8)
        points += [knuckle + direction * length * part for part in (0, 0.45, 0.75, 1)]
    return np.pad(np.array(points) * size, ((0, 0), (0, 1))).astype(np.float32)


def signing(frames=40, fps=30):
    """Two hands that circle twice a second, each on its pose wrist: a list of frames."""
    made = []
    for t in range(frames):
        xyz = np.zeros((len(MEDIAPIPE_HOLISTIC), 3), np.float32)
        confidence = np.zeros(len(MEDIAPIPE_HOLISTIC), np.float32)
        turn = 2 * np.pi * 2 * t / fps
        for hand, side, x in (("left_hand", "left", 0.65), ("right_hand", "right", 0.35)):
            place = np.array([x + 0.06 * np.cos(turn), 0.6 + 0.06 * np.sin(turn), 0])
            xyz[GROUPS[hand]] = open_hand() * [1 if side == "left" else -1, 1, 1] + place
            xyz[MEDIAPIPE_HOLISTIC.index(f"{side}_wrist")] = place
            confidence[GROUPS[hand]] = confidence[MEDIAPIPE_HOLISTIC.index(f"{side}_wrist")] = 1
        made.append(KeypointFrame(round(t * 1000 / fps), xyz, confidence))
    return made


def grades(frames):
    """Shape (T, 2, 21): confidences of the left and the right hand."""
    hands = HandsConfidence()
    for frame in frames:
        hands.push(frame)
    return np.array([[frame.confidence[LEFT], frame.confidence[RIGHT]] for frame in frames])


def test_a_moving_hand_keeps_its_confidence():
    grade = grades(signing())
    assert grade[5:].min() > 0.8
    assert grade.max() <= 1


def test_noise_lowers_it_with_its_size():
    rng = np.random.default_rng(0)
    means = []
    for noise in (0, 0.005, 0.02, 0.05):  # of the picture; the palm is 0.1 long
        frames = signing()
        for frame in frames:
            frame.xyz[RIGHT] += rng.normal(0, noise, (21, 3)).astype(np.float32)
        means.append(grades(frames)[5:, 1].mean())
    assert means == sorted(means, reverse=True)
    assert means[1] > 0.8
    assert means[3] < 0.2


def test_a_jump_lowers_it_only_for_that_hand_and_moment():
    frames = signing()
    for frame in frames[20:21]:
        frame.xyz[RIGHT] += np.float32([0.3, -0.2, 0])
    grade = grades(frames).mean(axis=2)
    assert grade[20, 1] < 0.1
    assert grade[20, 0] > 0.8
    assert grade[25:, 1].min() > 0.8


def test_one_wild_point_is_doubted_more_than_the_others():
    frames = signing()
    frames[20].xyz[RIGHT.start + 8] += np.float32([0.15, 0.1, 0])
    grade = grades(frames)[20, 1]
    assert grade[8] < 0.2 * np.median(grade)


@pytest.mark.parametrize("stretch", [(4, 1, 1), (1, 0.1, 1), (0.05, 0.05, 0.05), (9, 9, 9)])
def test_a_stretched_hand_is_doubted(stretch):
    frames = signing()
    for frame in frames[20:]:
        wrist = frame.xyz[RIGHT.start].copy()
        frame.xyz[RIGHT] = (frame.xyz[RIGHT] - wrist) * np.float32(stretch) + wrist
    grade = grades(frames).mean(axis=2)
    assert grade[20:23, 1].mean() < 0.4
    assert grade[19, 1] > 0.8


def test_swapped_hands_are_doubted():
    frames = signing()
    for frame in frames[20:]:
        frame.xyz[LEFT], frame.xyz[RIGHT] = frame.xyz[RIGHT].copy(), frame.xyz[LEFT].copy()
    grade = grades(frames).mean(axis=2)
    assert grade[20:].max() < 0.3


def test_of_one_hand_in_both_slots_the_one_off_its_arm_loses():
    frames = signing()
    for frame in frames:
        frame.xyz[LEFT] = frame.xyz[RIGHT]
    grade = grades(frames).mean(axis=2)
    assert grade[5:, 0].max() < 0.1
    assert grade[5:, 1].min() > 0.8


def test_a_hand_that_comes_back_earns_its_confidence_again():
    frames = signing()
    for frame in frames[15:30]:
        frame.confidence[RIGHT] = 0
    grade = grades(frames).mean(axis=2)
    assert not grade[15:30, 1].any()  # what is not seen stays so
    np.testing.assert_allclose(grade[30:33, 1], RETURN_GRADES, atol=0.1)
    assert grade[34:, 1].min() > 0.8
    assert (np.diff(grade[30:34, 1]) > 0).all()


def test_a_reported_hand_never_counts_as_unseen():
    frames = signing()
    for t, frame in enumerate(frames):
        frame.xyz[RIGHT] = np.random.default_rng(t).random((21, 3))
    assert grades(frames).min() >= LOWEST - 1e-6


def test_reset_forgets_and_the_same_frames_give_the_same_grades():
    hands, first = HandsConfidence(), signing()
    for frame in first:
        hands.push(frame)
    hands.reset()
    second = signing()
    for frame in second:
        hands.push(frame)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.confidence, other.confidence)


@pytest.mark.skipif(not pose_files, reason="no sample .pose files ($FINGERPOST_DATA/pose_files)")
def test_real_hands_are_trusted_and_spoilt_ones_are_not():
    """Fingerspelling of three sign languages: as it is, and with noise of half a palm's size."""
    rng = np.random.default_rng(0)
    real, spoilt = [], []
    for path in pose_files[::6]:
        sequence = load_keypoints(path)
        for kept, noise in ((real, 0.0), (spoilt, 0.03)):
            confidence = (sequence.confidence > 0).astype(np.float32)
            hands = HandsConfidence(sequence.aspect)
            for frame, conf in zip(sequence.frames(), confidence, strict=True):
                xyz = frame.xyz + rng.normal(0, noise, frame.xyz.shape) * (conf[:, None] > 0)
                hands.push(KeypointFrame(frame.time_ms, xyz.astype(np.float32), conf))
                kept.extend(c.mean() for c in (conf[LEFT], conf[RIGHT]) if c.any())
    assert np.median(real) > 0.9
    assert np.percentile(real, 25) > 0.7  # the rest: motion blur, and the first frames of a clip
    assert np.median(spoilt) < 0.4
