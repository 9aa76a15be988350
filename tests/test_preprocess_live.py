"""Live preprocessing: no frame knows of a later one, shoulders by hand. And glosses at once."""

from dataclasses import replace

import numpy as np
import pytest

from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence
from fingerpost.edge_runtime.live_glosses import LiveGlosses
from fingerpost.edge_runtime.preprocess import SHOULDERS_PER_PALM, normalise
from fingerpost.edge_runtime.preprocess_live import LIMIT, LiveNormaliser, preprocess_live

LEFT, RIGHT = (SIGN69.index(f"{side}_shoulder") for side in ("left", "right"))


def sequence(n_frames: int, aspect: float = 2.0) -> PoseSequence:
    """Shoulders stand still, 0.4 picture heights apart; all else moves."""
    rng = np.random.default_rng(0)
    xyz = rng.uniform(0, 1, (n_frames, 69, 3)).astype(np.float32)
    xyz[:, LEFT], xyz[:, RIGHT] = (0.6, 0.5, 0), (0.4, 0.5, 0)
    confidence = rng.uniform(-0.3, 1, (n_frames, 69)).clip(0).astype(np.float32)
    confidence[:, [LEFT, RIGHT]] = 1
    return PoseSequence(xyz, confidence, 25.0, SIGN69, aspect=aspect)


def part(clip: PoseSequence, frames: slice) -> PoseSequence:
    return replace(clip, xyz=clip.xyz[frames], confidence=clip.confidence[frames])


def test_of_a_signer_who_stands_still_it_is_the_normalisation_of_the_whole_clip() -> None:
    clip = sequence(20)
    expected = np.clip(normalise(clip), -LIMIT, LIMIT)
    np.testing.assert_allclose(preprocess_live(clip), expected, atol=1e-5)


@pytest.mark.parametrize("cuts", [(0,), (1, 2, 3), (7, 7, 19)])
def test_parts_are_the_whole(cuts: tuple[int, ...]) -> None:
    clip = sequence(20)
    clip.xyz[:, LEFT, 0] += np.linspace(0, 0.2, 20)  # somebody comes nearer
    normaliser = LiveNormaliser()
    edges = [0, *cuts, 20]
    pairs = zip(edges[:-1], edges[1:], strict=True)
    parts = [normaliser.push(part(clip, slice(a, b))) for a, b in pairs]
    assert np.array_equal(np.concatenate(parts), preprocess_live(clip))
    normaliser.reset()
    assert np.array_equal(normaliser.push(clip), preprocess_live(clip))


def test_the_shoulders_are_their_mean_so_far() -> None:
    """Their middle is at 0.5, then 0.75 picture heights: it is taken for 0.5, then 0.625."""
    clip = sequence(2, aspect=1.0)
    clip.xyz[:, LEFT], clip.xyz[:, RIGHT] = (0.7, 0.5, 0), (0.3, 0.5, 0)
    clip.xyz[1, [LEFT, RIGHT], 1] = 0.75
    made = preprocess_live(clip)
    np.testing.assert_allclose(made[0, LEFT, :2], (0.5, 0), atol=1e-6)
    np.testing.assert_allclose(made[1, LEFT, :2], (0.5, 0.125 / 0.4), atol=1e-6)


def test_hands_alone_are_measured_by_their_palms() -> None:
    clip = sequence(1, aspect=1.0)
    clip.confidence[:] = 0
    wrist, knuckle = (SIGN69.index(f"right_hand_{p}") for p in ("wrist", "middle_mcp"))
    clip.confidence[:, [wrist, knuckle]] = 1
    clip.xyz[0, wrist], clip.xyz[0, knuckle] = (0.5, 0.75, 0), (0.5, 0.65, 0)
    made = preprocess_live(clip)
    width = 0.1 * SHOULDERS_PER_PALM
    np.testing.assert_allclose(made[0, wrist], (0, 0.2 / width, 0, 1), atol=1e-5)
    assert np.count_nonzero(made[..., 3]) == 2 and not made[0, LEFT].any()


def test_nobody_and_nothing_are_zeros() -> None:
    clip = sequence(3)
    clip.confidence[:] = 0
    assert not preprocess_live(clip).any()
    assert preprocess_live(part(clip, slice(0, 0))).shape == (0, 69, 4)


def test_a_gloss_begins_where_the_label_changes() -> None:
    scores = np.eye(4)[[0, 2, 2, 0, 2, 3, 3, 1, 0]]
    assert LiveGlosses().push(scores) == [2, 2, 3, 1]
    live = LiveGlosses()
    assert [live.push(scores[k : k + 1]) for k in range(4)] == [[], [2], [], []]
    live.push(scores[4:5])
    live.reset()
    assert live.push(scores[4:5]) == [2] and live.push(scores[:0]) == []
