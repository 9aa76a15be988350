"""Attention as a band, speeds, stretches and spans: small cases by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence
from fingerpost.trainer.checkpoint import save_checkpoint
from fingerpost.trainer.models import MODELS
from fingerpost.trainer.models.ms_mae import MsMae, MsMaeConfig
from fingerpost.trainer.segmentation.attention import (
    AttentionBand,
    Reader,
    attention_band,
    intra_stream,
    open_reader,
    windows,
)
from fingerpost.trainer.segmentation.boundaries import band_of
from fingerpost.trainer.segmentation.segmenter import (
    AttentionSettings,
    attention_boundaries,
    segment_by_attention,
)
from fingerpost.trainer.segmentation.spans import Span
from fingerpost.trainer.segmentation.stretches import signing_stretches, spans_between
from fingerpost.trainer.segmentation.velocity import (
    VelocitySettings,
    hand_speed,
    segment_by_velocity,
    velocity_boundaries,
)

SMALL = MsMaeConfig(width=16, depth=2, heads=2, decoder_depth=1)
RIGHT = SIGN69.groups["right_hand"]


@pytest.fixture(scope="module", autouse=True)
def on_one_thread(one_thread):
    pass


def reader(window=40, fps=25.0) -> Reader:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Reader(MsMae(SMALL).eval().encoder, fps, window)


def moving(x, fps=25.0) -> PoseSequence:
    """The right hand at these places from left to right, fractions; NaN = not seen."""
    x = np.asarray(x, float)
    xyz = np.zeros((len(x), 69, 3), np.float32)
    confidence = np.zeros((len(x), 69), np.float32)
    for side, place in (("left", 0.7), ("right", 0.3)):  # shoulders 0.4 wide
        xyz[:, SIGN69.index(f"{side}_shoulder"), :2] = place, 0.5
        confidence[:, SIGN69.index(f"{side}_shoulder")] = 1
    seen = np.isfinite(x)
    xyz[seen, RIGHT, 0] = x[seen, None]
    xyz[seen, RIGHT, 1] = 0.6
    confidence[seen, RIGHT] = 1
    return PoseSequence(xyz, confidence, fps, SIGN69)


def signed(n_frames: int, seed: int = 0) -> PoseSequence:
    """A hand that goes about for so many frames."""
    rng = np.random.default_rng(seed)
    return moving(0.5 + 0.2 * np.sin(np.cumsum(rng.uniform(0, 0.8, n_frames))))


def test_streams_heads_and_directions_are_averaged_as_in_appendix_f():
    heads = np.zeros((2, 4, 4))  # two streams of two tokens
    heads[0] = [[0.5, 0.1, 0.4, 0], [0.3, 0.7, 0, 0], [0, 0, 0.2, 0.8], [1, 0, 0, 0]]
    heads[1] = heads[0]
    matrix, count = intra_stream(heads, 2)
    # ((0.5 + 0.2) / 2, (0.1 + 0.3 + 0.8 + 0) / 4, (0.7 + 0) / 2), four tokens sharing 1
    assert matrix == pytest.approx(4 * np.array([[0.35, 0.3], [0.3, 0.35]]))
    assert count.tolist() == [[2, 2], [2, 2]]


def test_a_stream_that_is_not_seen_does_not_count():
    heads = np.zeros((1, 4, 4))
    heads[0, 0] = [0.6, 0.4, 0, 0]
    heads[0, 1] = [0.2, 0.8, 0, 0]  # the second stream is not there at all
    matrix, count = intra_stream(heads, 2)
    assert matrix == pytest.approx(2 * np.array([[0.6, 0.3], [0.3, 0.8]]))
    assert count.tolist() == [[1, 1], [1, 1]]
    heads[0, 1] = 0
    matrix, count = intra_stream(heads, 2)
    assert count.tolist() == [[1, 0], [0, 0]]
    assert matrix[1, 1] == 0


@pytest.mark.parametrize("n", [1, 39, 40, 41, 60, 61, 200])
def test_windows_hold_all_near_pairs(n):
    made = list(windows(n, 40, 20))
    assert all(0 <= start < end <= n and end - start == min(n, 40) for start, end in made)
    together = {(a, b) for start, end in made for a in range(start, end) for b in range(a, end)}
    assert all((a, b) in together for a in range(n) for b in range(a, min(n, a + 20)))


def test_a_band_has_a_row_for_every_frame():
    found = attention_band(reader(), signed(33))
    assert found.band.shape == (33, 20)  # the reach: half a window
    assert (found.fps, found.start_ms) == (25.0, 0)
    beyond = np.add.outer(np.arange(33), np.arange(20)) >= 33
    assert not found.band[beyond].any()
    assert (found.band[~beyond] > 0).all()


def test_a_band_is_the_mean_over_where_cubelets_start():
    """Frame by frame: with cubelets from frame 0, frames 0 to 3 are one token; from 1, 0 to 2."""
    sequence = signed(16)
    one = reader()
    found = attention_band(one, sequence).band
    from fingerpost.edge_runtime.preprocess_ms_mae import preprocess_ms_mae

    keypoints = preprocess_ms_mae(sequence)
    expected = np.zeros((16, 16))
    for shift in range(4):
        padded = torch.from_numpy(np.concatenate([np.zeros((shift, 48, 4), np.float32), keypoints]))
        weights = one.encoder.last_attention(padded[None])[0].detach().numpy()
        matrix, _ = intra_stream(weights, 3)
        token = (np.arange(16) + shift) // 4
        expected += matrix[np.ix_(token, token)] / 4
    assert found == pytest.approx(band_of(expected, 20), abs=1e-6)


def test_a_long_clip_is_read_in_windows():
    """What is in one window only is as if the clip were that window."""
    sequence = signed(100)
    long = attention_band(reader(), sequence)
    first = replace(sequence, xyz=sequence.xyz[:40], confidence=sequence.confidence[:40])
    alone = attention_band(reader(), first)
    assert long.band.shape == (100, 20)
    assert long.band[:20, 0] == pytest.approx(alone.band[:20, 0], abs=1e-6)
    assert np.isfinite(long.band).all()


def test_another_rate_is_read_at_the_encoders():
    found = attention_band(reader(fps=12.5), signed(50))
    assert (len(found.band), found.time_ms(5)) == (25, 360)


def test_a_clip_without_frames_is_named():
    empty = replace(signed(3), xyz=signed(3).xyz[:0], confidence=signed(3).confidence[:0])
    with pytest.raises(ValueError, match="no frames"):
        attention_band(reader(), empty)


def test_boundaries_of_clean_blocks_are_found_to_the_frame():
    matrix = np.full((30, 30), 0.1)
    for start, end in ((0, 9), (9, 21), (21, 30)):
        matrix[start:end, start:end] = 1.0
    band = AttentionBand(band_of(matrix, 30), 25.0, 1000)
    settings = AttentionSettings(cost=1.0, shortest_ms=120, longest_ms=800)
    assert attention_boundaries(band, [(1000, 2200)], settings) == [1340, 1820]
    # Two stretches with rest between them: nothing is said of the rest.
    found = attention_boundaries(band, [(1000, 1360), (1840, 2200)], settings)
    assert not [time for time in found if 1360 < time < 1840]


def test_spans_lie_between_boundaries():
    stretches = [(0, 1000), (2000, 2600)]
    found = spans_between(stretches, [400, 1500, 2050, 2300], way_ms=100, min_sign_ms=100)
    # 1500 is in no stretch; 2050 is too near to its start.
    assert found == [Span(0, 350), Span(450, 1000), Span(2000, 2250), Span(2350, 2600)]


def test_a_way_leaves_something_of_a_short_sign():
    found = spans_between([(0, 1000)], [400, 520], way_ms=200, min_sign_ms=100)
    assert found == [Span(0, 300), Span(410, 510), Span(620, 1000)]


def test_speed_is_in_shoulder_widths_a_second():
    speed = hand_speed(moving([0.4, 0.4, 0.44, 0.48, 0.48]))
    # 0.04 of the picture are 0.1 shoulder widths, 25 times a second; the mean of both steps.
    assert speed == pytest.approx([0, 1.25, 2.5, 1.25, 0], abs=1e-4)
    assert hand_speed(moving([0.4])).tolist() == [0]
    assert not hand_speed(moving([0.4] + [np.nan] * 20)).any()


def test_hands_are_slowest_between_two_strokes():
    stroke = 0.04 * np.sin(np.pi * np.arange(12) / 11)
    sequence = moving(0.2 + np.cumsum([*stroke, *stroke, *stroke]))
    settings = VelocitySettings(smooth_ms=40, depth=0.2, min_sign_ms=200, way_ms=0)
    found = velocity_boundaries(sequence, settings)
    assert found == pytest.approx([11.5 * 40, 23.5 * 40], abs=21)
    spans = segment_by_velocity(sequence, settings)
    assert len(spans) == 3
    assert velocity_boundaries(sequence, replace(settings, depth=50.0)) == []
    assert len(velocity_boundaries(sequence, replace(settings, min_sign_ms=900))) == 1


def test_nobody_signs_where_no_hand_goes_up():
    still = moving([0.5] * 60)
    assert signing_stretches(still) == []
    assert segment_by_attention(reader(), still).spans == []
    assert segment_by_velocity(still, VelocitySettings()) == []


def test_spans_of_a_signing_hand_are_in_order_and_within_it():
    found = segment_by_attention(reader(), signed(200))
    assert len(found.spans) > 1
    (stretch,) = signing_stretches(signed(200))
    assert (found.spans[0].start_ms, found.spans[-1].end_ms) == stretch
    for before, after in zip(found.spans, found.spans[1:], strict=False):
        assert before.start_ms < before.end_ms <= after.start_ms


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="shorter time first"):
        AttentionSettings(shortest_ms=900, longest_ms=300)
    with pytest.raises(ValueError, match="known: fastest, sum, wrists"):
        VelocitySettings(hands="feet")
    with pytest.raises(ValueError, match="0 or more"):
        VelocitySettings(depth=-1)


def test_a_reader_knows_how_its_encoder_was_trained(tmp_path):
    info = {"task": "ms_mae", "settings": {"stride": 1.25, "span": 100}, "preprocess_version": 1}
    save_checkpoint(tmp_path / "best-000010", MsMae(SMALL), info, {})
    found = open_reader(tmp_path)
    assert (found.fps, found.window) == (20.0, 80)
    assert found.encoder.config == SMALL
    save_checkpoint(tmp_path / "best-000020", MsMae(SMALL), info | {"preprocess_version": 0}, {})
    with pytest.raises(ValueError, match="older normalisation"):
        open_reader(tmp_path)


def test_another_models_attention_is_refused(tmp_path):
    config, kind = MODELS["pocket"]
    save_checkpoint(tmp_path, kind(config(n_labels=3)), {}, {})
    with pytest.raises(ValueError, match="is a pocket.*give one of MS-MAE"):
        open_reader(tmp_path)
    with pytest.raises(ValueError, match="is no checkpoint"):
        open_reader(tmp_path / "nowhere")
