"""Pictures of hands: of the unsure frames, cut where the hand is, as Uni-Sign takes them."""

import cv2
import numpy as np
import pytest
import torch

from fingerpost.edge_runtime.hand_confidence import HandsConfidence
from fingerpost.edge_runtime.keypoints import (
    MEDIAPIPE_HOLISTIC,
    SIGN69,
    KeypointFrame,
    PoseSequence,
)
from fingerpost.edge_runtime.video import write_video
from fingerpost.trainer.hand_crops import (
    cut_hands,
    cut_square,
    hand_pictures,
    points_in_square,
    sample_frames,
    square_side,
    top_left,
)

WIDTH, HEIGHT, N_FRAMES, FPS = 320, 240, 20, 25
RED, BLUE = (220, 30, 30), (30, 30, 220)
LEFT, RIGHT = SIGN69.groups["left_hand"], SIGN69.groups["right_hand"]
CIRCLE = np.stack([np.cos(np.arange(21) * 2 * np.pi / 20), np.sin(np.arange(21) * 2 * np.pi / 20)])


def _middles(t):
    """Pixels: where the left and the right hand are in frame t. They move, and never meet."""
    return np.array([60 + 3 * t, 80]), np.array([250, 60 + 5 * t])


def _picture(t):
    rgb = np.full((HEIGHT, WIDTH, 3), 10 * t, np.uint8)  # grey tells the frame
    for (x, y), radius, colour in zip(_middles(t), (30, 20), (RED, BLUE), strict=True):
        cv2.circle(rgb, (int(x), int(y)), radius, colour, -1)
    return rgb


def _frames_shown(pictures):
    """By the grey of their corner, which no hand reaches; its mean, for video is not exact."""
    return pictures[..., :8, :8, :].mean(axis=(-3, -2, -1)) / 10


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "hands.mp4"
    with write_video(path, FPS, (WIDTH, HEIGHT)) as writer:
        for t in range(N_FRAMES):
            writer.write(_picture(t))
    return path


@pytest.fixture
def clip():
    """The left hand's points are on the disc's edge; the right hand's too, and are unsure."""
    xyz = np.zeros((N_FRAMES, 69, 3), np.float32)
    for t in range(N_FRAMES):
        for points, middle, radius in zip((LEFT, RIGHT), _middles(t), (30, 20), strict=True):
            xyz[t, points, :2] = (middle + radius * CIRCLE.T) / (WIDTH, HEIGHT)
    confidence = np.ones((N_FRAMES, 69), np.float32)
    confidence[:, RIGHT] = 0.5
    return PoseSequence(xyz, confidence, FPS, SIGN69, aspect=WIDTH / HEIGHT)


def test_crops_are_where_the_hands_are_in_the_frames_that_they_name(clip, video):
    hands = cut_hands(video, clip, np.random.default_rng(0), share=0.3)
    side = 72  # 1.2 times the larger disc
    for crops, radius, colour in ((hands.left_hand, 30, RED), (hands.right_hand, 20, BLUE)):
        assert len(crops.frames) == 6 and (np.diff(crops.frames) > 0).all()
        assert crops.pictures.shape == (6, 112, 112, 3) and crops.pictures.dtype == np.uint8
        for picture, points, t in zip(crops.pictures, crops.points, crops.frames, strict=True):
            assert np.abs(picture[56, 56].astype(int) - colour).max() < 40  # video is not exact
            assert _frames_shown(picture) == pytest.approx(t, abs=0.4)
            spread = radius / side * CIRCLE.T + 0.5
            assert np.abs(points - spread).max() < 1 / side + 1e-3  # corners are whole pixels


def test_frames_count_as_the_model_sees_them_and_times_are_the_medias(clip, video):
    kept = np.arange(4, 20, 3)  # of these the model sees six
    hands = cut_hands(video, clip, np.random.default_rng(0), 1.0, kept)
    assert hands.left_hand.frames.tolist() == [0, 1, 2, 3, 4, 5]
    assert _frames_shown(hands.left_hand.pictures) == pytest.approx(kept, abs=0.4)

    late = slice(10, 15)  # cut out of the middle: its first frame is 400 ms into the video
    part = PoseSequence(clip.xyz[late], clip.confidence[late], FPS, SIGN69, start_ms=400)
    crops = cut_hands(video, part, np.random.default_rng(0), 1.0).left_hand
    assert _frames_shown(crops.pictures) == pytest.approx([10, 11, 12, 13, 14], abs=0.4)

    later = PoseSequence(clip.xyz, clip.confidence, FPS, SIGN69, start_ms=500)
    with pytest.raises(ValueError, match="extract them again"):
        cut_hands(video, later, np.random.default_rng(0), 1.0)


def test_a_folder_of_frames_is_media_too(clip, tmp_path):
    for t in range(N_FRAMES):
        cv2.imwrite(str(tmp_path / f"{t:03}.png"), _picture(t)[:, :, ::-1])
    crops = cut_hands(tmp_path, clip, np.random.default_rng(0), 1.0, folder_fps=FPS).right_hand
    assert (crops.pictures[:, 56, 56] == BLUE).all()
    assert (crops.pictures[:, 2, 2, 0] == 10 * np.arange(N_FRAMES)).all()


def test_the_same_draws_give_the_same_crops(clip, video):
    one, other = (cut_hands(video, clip, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(one.left_hand.frames, other.left_hand.frames)
    assert len(one.left_hand.frames) == 2  # a tenth of twenty


def test_hands_that_were_not_seen_have_no_crops_and_a_batch_takes_them(clip, video):
    confidence = clip.confidence.copy()
    confidence[:, LEFT] = 0
    one = PoseSequence(clip.xyz, confidence, FPS, SIGN69)
    none = PoseSequence(clip.xyz, confidence * 0, FPS, SIGN69)
    rng = np.random.default_rng(0)
    batch = hand_pictures([cut_hands(video, c, rng) for c in (clip, none, one, clip)])
    assert batch.left_hand.clip.tolist() == [0, 0, 3, 3]
    assert batch.right_hand.clip.tolist() == [0, 0, 2, 2, 3, 3]
    assert batch.right_hand.pictures.shape == (6, 3, 112, 112)
    assert batch.right_hand.points.shape == (6, 21, 2)
    assert batch.right_hand.pictures.dtype == batch.right_hand.points.dtype == torch.float32
    empty = hand_pictures([cut_hands(video, none, rng)]).left_hand
    assert [len(tensor) for tensor in empty] == [0, 0, 0, 0]
    with pytest.raises(ValueError, match="at least one clip"):
        hand_pictures([])


def test_pictures_are_normalised_as_image_nets(clip, video):
    hands = cut_hands(video, clip, np.random.default_rng(0))
    hands.left_hand.pictures[0, 3, 5] = (255, 0, 51)  # row 3, column 5
    found = hand_pictures([hands]).left_hand.pictures[0, :, 3, 5]
    expected = [(1 - 0.485) / 0.229, (0 - 0.456) / 0.224, (0.2 - 0.406) / 0.225]
    assert torch.allclose(found, torch.tensor(expected))


def test_a_square_that_leaves_the_picture_is_black_out_there():
    rgb = np.random.default_rng(0).integers(1, 256, (130, 140, 3), dtype=np.uint8)
    assert np.array_equal(cut_square(rgb, np.array([20, 10]), 112), rgb[10:122, 20:132])
    cut = cut_square(rgb, np.array([-12, 40]), 112)  # 12 columns too far left, 22 rows too low
    assert not cut[:, :12].any() and not cut[90:].any()
    assert np.array_equal(cut[:90, 12:], rgb[40:, :100])
    assert not cut_square(rgb, np.array([500, -300]), 112).any()
    assert cut_square(rgb, np.array([0, 0]), 50).shape == (112, 112, 3)


def test_squares_of_a_clip_are_of_one_size():
    small = np.zeros((1, 21, 2))
    small[0, 1:] = (10, 4)
    large = np.zeros((2, 21, 2))
    large[0, 3], large[1, 3] = (20, 5), (7, 33)
    side = square_side([small, large])
    assert side == 38  # 33 * 1.2 = 39.6, and half of it is rounded down
    assert top_left(large, side).tolist() == [[-9, -16], [-15, -2]]  # (20 - 38) / 2, ...
    small[0, 2] = np.nan  # not seen
    points = points_in_square(small, top_left(small, side), side)
    assert points[0, 2].tolist() == [0.5, 0.5]
    assert points[0, 0] == pytest.approx([14 / 38, 17 / 38])
    assert square_side([small * 0, large[:0]]) == 0


def test_unsure_frames_are_sampled():
    confidence = np.full((40, 21), 0.9)
    confidence[:10] = 0.2  # no hand to speak of
    confidence[10:13, 8] = 0.1  # an unsure fingertip
    confidence[13:16, 7] = 0.1  # another joint, which does not count
    rng = np.random.default_rng(0)
    for _ in range(20):  # a tenth of 30: the three, for the sure ones weigh 1e-5 each
        assert sample_frames(confidence, rng).tolist() == [10, 11, 12]
    assert len(sample_frames(confidence, rng, 0.11)) == 4  # rounded up
    assert sample_frames(confidence, rng, 1.0).tolist() == list(range(10, 40))
    assert len(sample_frames(confidence[:10], rng)) == len(sample_frames(confidence, rng, 0)) == 0
    graded = np.full((3, 21), 0.9)
    graded[1:, 4] = (0.7, 0.3)  # weights 0, 1 and 3
    drawn = [sample_frames(graded, rng).item() for _ in range(2000)]
    assert np.bincount(drawn, minlength=3) / 2000 == pytest.approx([0, 0.25, 0.75], abs=0.04)


def test_mediapipes_hands_are_sampled_where_they_shake():
    rng = np.random.default_rng(0)
    hand = MEDIAPIPE_HOLISTIC.groups["left_hand"]
    steady = np.zeros((543, 3), np.float32)
    steady[hand, :2] = 0.5 + 0.08 * CIRCLE.T
    graded, confidences = HandsConfidence(), []
    for t in range(60):
        xyz, confidence = steady.copy(), np.zeros(543, np.float32)
        confidence[hand] = 1
        if 20 <= t < 40:
            xyz[hand, :2] += rng.normal(0, 0.02, (21, 2))
        frame = KeypointFrame(t * 33, xyz, confidence)
        graded.push(frame)
        confidences.append(frame.confidence[hand])
    chosen = np.concatenate([sample_frames(np.array(confidences), rng) for _ in range(50)])
    share = ((chosen >= 20) & (chosen < 40)).mean()
    assert share > 0.6  # a third, were it by chance


def test_nonsense_is_a_one_line_error(clip):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="of a hand"):
        sample_frames(clip.confidence, rng)
    with pytest.raises(ValueError, match="from 0 to 1"):
        sample_frames(np.ones((3, 21)), rng, 10)


def test_keypoints_far_out_do_not_ask_for_a_square_of_gigabytes(clip, video):
    clip.xyz[3, LEFT.start] = 1e6
    hands = cut_hands(video, clip, np.random.default_rng(0), 1.0)
    assert hands.left_hand.pictures.shape == (N_FRAMES, 112, 112, 3)
