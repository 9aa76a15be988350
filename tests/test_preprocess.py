"""What a model eats does not depend on camera, distance, handedness or lost frames."""

from dataclasses import replace

import numpy as np
import pytest

from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence, mirrored
from fingerpost.edge_runtime.preprocess import fill_gaps, preprocess, right_handed, trim
from fingerpost.trainer.signer import random_signer, sign_sentence

WINDOW = 48
LEFT, RIGHT = SIGN69.groups["left_hand"], SIGN69.groups["right_hand"]


@pytest.fixture
def sign() -> PoseSequence:
    """One sign of a right-handed signer, every point seen."""
    rng = np.random.default_rng(3)
    signer = random_signer(rng)
    return right_handed(sign_sentence(["hello"], signer, rng).keypoints(fps=25))


def test_shape_type_and_finiteness(sign):
    keypoints = preprocess(sign, WINDOW)
    assert keypoints.shape == (1, WINDOW, 69, 4)
    assert keypoints.dtype == np.float32
    assert np.isfinite(keypoints).all()


def test_camera_distance_and_place_make_no_difference(sign):
    far = replace(sign, xyz=(sign.xyz * 0.6 + np.array([0.1, 0.25, 0])).astype(np.float32))
    far.xyz[sign.confidence == 0] = 0
    np.testing.assert_allclose(preprocess(far, WINDOW), preprocess(sign, WINDOW), atol=2e-3)


def test_the_shape_of_the_picture_makes_no_difference(sign):
    wide = replace(sign, aspect=sign.aspect * 2, xyz=sign.xyz * np.array([0.5, 1, 0.5], np.float32))
    np.testing.assert_allclose(preprocess(wide, WINDOW), preprocess(sign, WINDOW), atol=2e-3)


def test_a_left_handed_signer_is_read_like_a_right_handed_one(sign):
    np.testing.assert_allclose(
        preprocess(mirrored(sign), WINDOW), preprocess(sign, WINDOW), atol=2e-3
    )


def test_short_gaps_are_filled_and_long_ones_are_not(sign):
    lossy = replace(sign, confidence=sign.confidence.copy(), xyz=sign.xyz.copy())
    lossy.confidence[20:25, RIGHT] = 0
    lossy.confidence[40:70, RIGHT] = 0
    lossy.xyz[lossy.confidence == 0] = 0
    filled = fill_gaps(lossy)
    assert (filled.confidence[20:25, RIGHT] > 0).all()
    assert (filled.confidence[45:65, RIGHT] == 0).all()
    middle = (lossy.xyz[19, RIGHT] * 3 + lossy.xyz[25, RIGHT] * 3) / 6
    np.testing.assert_allclose(filled.xyz[22, RIGHT], middle, atol=1e-5)


def test_frames_without_hands_are_cut_at_both_ends(sign):
    lossy = replace(sign, confidence=sign.confidence.copy())
    for hand in (LEFT, RIGHT):
        lossy.confidence[:10, hand] = 0
        lossy.confidence[-7:, hand] = 0
    cut = trim(lossy)
    assert len(cut) == len(sign) - 17
    assert cut.start_ms == sign.time_ms(10)


def test_nobody_in_the_picture_is_all_zeros():
    empty = PoseSequence(
        np.zeros((9, 69, 3), np.float32), np.zeros((9, 69), np.float32), 25.0, SIGN69
    )
    assert not preprocess(empty, WINDOW).any()


def test_hands_without_a_body_come_out_at_the_same_scale(sign):
    alone = replace(sign, confidence=sign.confidence.copy())
    alone.confidence[:, SIGN69.groups["body"]] = 0
    alone.confidence[:, SIGN69.groups["face"]] = 0
    with_body, without = preprocess(sign, WINDOW), preprocess(alone, WINDOW)
    size = [np.ptp(k[0, :, RIGHT, :2], axis=(0, 1)).mean() for k in (with_body, without)]
    assert size[1] == pytest.approx(size[0], rel=0.45)
