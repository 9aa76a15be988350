"""MS-MAE: streams, tokens, masks and the loss, by hand where that can be done."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from fingerpost.edge_runtime.keypoints import MEDIAPIPE_HOLISTIC, MSMAE, SIGN69, PoseSequence
from fingerpost.edge_runtime.preprocess import FILLED_CONFIDENCE, preprocess
from fingerpost.edge_runtime.preprocess_ms_mae import LIMIT, N_WITHOUT_FACE, preprocess_ms_mae
from fingerpost.trainer.corpora.holistic_arrays import WLASL50, read_wlasl50
from fingerpost.trainer.models.ms_mae import (
    MsMae,
    MsMaeConfig,
    MsMaeEncoder,
    cubes_of,
    pack,
    target_of,
    unpack,
    wanted_tokens,
)
from fingerpost.trainer.models.ms_mae_masks import draw_masks
from fingerpost.trainer.models.ms_mae_streams import (
    ZOOM,
    CubeletEmbedding,
    cubelets,
    positions,
    split_streams,
)

pytestmark = pytest.mark.usefixtures("one_thread")

DATA = Path(os.environ.get("FINGERPOST_DATA", Path(__file__).parents[2] / "shared" / "data"))
TINY = MsMaeConfig(width=16, depth=2, heads=2, decoder_depth=1)
BODY, LEFT, RIGHT = (MSMAE.groups[name] for name in ("body", "left_hand", "right_hand"))


def some_keypoints(n_clips: int, n_frames: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    keypoints = torch.randn(n_clips, n_frames, N_WITHOUT_FACE, 4, generator=generator)
    keypoints[..., 3] = 1
    return keypoints


def tiny(seed: int = 0, config: MsMaeConfig = TINY) -> MsMae:
    torch.manual_seed(seed)
    return MsMae(config).eval()


def real(n_clips: int, n_frames: int) -> torch.Tensor:
    return torch.ones(n_clips, n_frames, dtype=torch.bool)


# Preprocessing


def a_sequence(schema=SIGN69, n_frames: int = 6, seed: int = 0) -> PoseSequence:
    rng = np.random.default_rng(seed)
    xyz = rng.uniform(0.3, 0.7, (n_frames, len(schema), 3)).astype(np.float32)
    return PoseSequence(xyz, np.ones((n_frames, len(schema)), np.float32), 25.0, schema)


def test_keypoints_are_in_shoulder_widths_about_the_middle_of_the_shoulders():
    sequence = a_sequence(MEDIAPIPE_HOLISTIC)
    left, right = (MEDIAPIPE_HOLISTIC.index(f"{side}_shoulder") for side in ("left", "right"))
    sequence.xyz[:, left, :2] = 0.7, 0.5
    sequence.xyz[:, right, :2] = 0.3, 0.5
    sequence.xyz[:, MEDIAPIPE_HOLISTIC.index("left_elbow"), :2] = 0.9, 0.7
    found = preprocess_ms_mae(sequence)
    assert found.shape == (6, 48, 4) and found.dtype == np.float32
    shoulders = found[:, [MSMAE.index("left_shoulder"), MSMAE.index("right_shoulder")], :2]
    assert np.abs(shoulders[0]) == pytest.approx(np.array([[0.5, 0], [0.5, 0]]), abs=1e-6)
    # 0.4 from the middle of the shoulders, 0.2 below it, of a width of 0.4; on either side,
    # for the clip is mirrored where its left hand does more.
    elbow = np.abs(found[0, [MSMAE.index("left_elbow"), MSMAE.index("right_elbow")], :2])
    assert (np.abs(elbow - [1.0, 0.5]) < 1e-5).all(axis=1).any()


def test_the_numbers_are_those_of_the_recognisers_preprocessing():
    """What has been augmented for the one can be read by the other."""
    sequence = a_sequence(SIGN69, n_frames=9)
    order = [SIGN69.index(name) for name in MSMAE.points[:N_WITHOUT_FACE]]
    assert preprocess_ms_mae(sequence) == pytest.approx(preprocess(sequence, 9)[0][:, order])


def test_hands_alone_have_a_place_and_a_lost_hand_is_filled_in_or_zero():
    sequence = a_sequence(SIGN69, n_frames=40)
    sequence.confidence[:, : SIGN69.groups["left_hand"].stop] = 0  # body and left hand
    sequence.confidence[:, SIGN69.groups["face"]] = 0
    sequence.confidence[5:7] = 0
    sequence.confidence[20:] = 0
    found = preprocess_ms_mae(sequence)
    assert np.isfinite(found).all() and np.abs(found).max() <= LIMIT
    assert not found[:, BODY].any() and not found[:, LEFT].any()
    assert found[:5, RIGHT, 3].all() and (found[5:7, RIGHT, 3] == np.float32(0.3)).all()
    assert not found[20:].any()


def test_the_face_is_there_where_it_was_asked_for():
    assert preprocess_ms_mae(a_sequence(MEDIAPIPE_HOLISTIC), face=True).shape == (6, len(MSMAE), 4)


def test_real_bodies_and_hands_come_out_in_the_same_range():
    """The same signs from hands and body, and from hands alone: one model must read both."""
    file = DATA / "wlasl50_holistic" / WLASL50
    if not file.is_file():
        pytest.skip(f"no clips at {file}: set FINGERPOST_DATA")
    for sequence in read_wlasl50(file).sequences[:60]:
        with_body = preprocess_ms_mae(sequence)
        sequence.confidence[:, SIGN69.groups["body"]] = 0
        alone = preprocess_ms_mae(sequence)
        assert np.isfinite(with_body).all() and with_body[:, BODY, 3].any()
        assert not alone[:, BODY].any()
        for found in (with_body, alone):
            wrists = found[:, [LEFT.start, RIGHT.start]]
            wrists = wrists[wrists[..., 3] > 0]
            assert len(wrists) and np.abs(wrists[:, :2]).max() < 4  # shoulder widths


# Streams and tokens


def test_a_hand_is_its_wrist_and_a_shape_larger_and_the_left_one_is_mirrored():
    keypoints = torch.zeros(1, 1, N_WITHOUT_FACE, 4)
    for hand, x in ((LEFT, 0.5), (RIGHT, -0.5)):
        keypoints[0, 0, hand.start] = torch.tensor([x, 0.2, 9.0, 1.0])
        keypoints[0, 0, hand.start + 1] = torch.tensor([x + 0.1, 0.3, 9.0, 0.8])
    streams = split_streams(keypoints, TINY.streams, coordinates=2)
    right, left = streams["right_hand"][0, 0], streams["left_hand"][0, 0]
    assert right[0].tolist() == pytest.approx([-0.5, 0.2, 1.0])
    assert right[1].tolist() == pytest.approx([0.1 * ZOOM, 0.1 * ZOOM, 0.8])
    assert left[0].tolist() == pytest.approx([-0.5, 0.2, 1.0])
    assert left[1].tolist() == pytest.approx([-0.1 * ZOOM, 0.1 * ZOOM, 0.8])
    assert not right[2:].any()  # the others were not seen: no shape is made of zeros
    assert not streams["body"].any()


def test_keypoints_of_another_shape_are_refused_in_one_line():
    for shape in ((1, 8, 48, 3), (1, 8, 47, 4), (8, 48, 4)):
        with pytest.raises(ValueError, match="expected keypoints .B, T, 48, 4. of preprocess"):
            tiny().encoder(torch.zeros(shape))


def test_the_embedding_is_a_linear_layer_and_a_convolution():
    """Eq. 1 and 2 as they are written, against the product of both."""
    torch.manual_seed(0)
    layer = CubeletEmbedding(n_points=6, coordinates=2, cubelet=4, width=8)
    torch.nn.init.normal_(layer.linear.bias)
    torch.nn.init.normal_(layer.conv.bias)
    frames = torch.randn(2, 12, 6, 3)
    as_written = layer.conv(layer.linear(frames.flatten(2)).transpose(1, 2)).transpose(1, 2)
    assert torch.allclose(layer(cubelets(frames, 4)), as_written, atol=1e-5)


def test_the_last_cubelet_is_filled_up_with_unseen_frames():
    frames = torch.arange(5.0)[None, :, None]
    assert cubelets(frames, 4)[0, :, :, 0].tolist() == [[0, 1, 2, 3], [4, 0, 0, 0]]


def test_positions_are_those_of_the_transformer():
    found = positions(3, 4, torch.zeros(1))
    slow = 1 / 100  # 10000 ** (-2 / 4)
    for at in range(3):
        wanted = [np.sin(at), np.cos(at), np.sin(at * slow), np.cos(at * slow)]
        assert found[at].tolist() == pytest.approx(wanted, abs=1e-6)


def test_streams_share_the_position_and_differ_by_a_vector_of_their_own():
    encoder = tiny().encoder
    places = encoder.places(5)  # (S, N, D)
    assert places.shape == (3, 5, 16)
    between = places[1] - places[2]
    assert torch.allclose(between, (encoder.stream[1] - encoder.stream[2]).expand(5, -1), atol=1e-6)
    assert between.abs().max() > 0.01  # else both hands' mask tokens would be the same


def test_hands_have_the_same_weights():
    """A mirrored clip with its hands exchanged gives the same tokens but for the stream's name."""
    encoder = tiny().encoder
    keypoints = some_keypoints(1, 8)
    mirrored = keypoints * torch.tensor([-1.0, 1, 1, 1])
    mirrored[:, :, LEFT], mirrored[:, :, RIGHT] = (
        mirrored[:, :, RIGHT],
        mirrored[:, :, LEFT].clone(),
    )
    one = encoder.embed(keypoints) - encoder.places(2)
    other = encoder.embed(mirrored) - encoder.places(2)
    assert torch.allclose(one[:, 1], other[:, 2], atol=1e-5)
    assert torch.allclose(one[:, 2], other[:, 1], atol=1e-5)


@pytest.mark.parametrize(("face", "n_streams"), [(False, 3), (True, 4)])
def test_states_have_a_row_for_each_stream_and_cubelet(face, n_streams):
    encoder = MsMaeEncoder(MsMaeConfig(width=16, depth=1, heads=2, face=face))
    keypoints = torch.randn(2, 10, len(MSMAE) if face else 48, 4).abs()
    assert encoder.embed(keypoints).shape == (2, n_streams, 3, 16)
    assert encoder(keypoints).shape == (2, n_streams, 3, 16)
    assert encoder.last_attention(keypoints).shape == (2, 2, n_streams * 3, n_streams * 3)


def test_settings_that_cannot_be_are_refused():
    for wrong in ({"coordinates": 4}, {"width": 30, "heads": 4}, {"cubelet": 0}, {"depth": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            MsMaeConfig(**wrong)


def test_the_default_is_the_papers_size():
    paper = MsMaeConfig()  # Sec. 4.1
    assert (paper.width, paper.depth, paper.heads, paper.decoder_depth) == (512, 8, 8, 4)
    assert (paper.cubelet, paper.coordinates) == (4, 2)


# What is not there takes no part


def test_filled_up_frames_change_nothing():
    model = tiny()
    keypoints, masked = some_keypoints(1, 16), torch.rand(1, 3, 4) < 0.5
    longer = torch.cat([keypoints, some_keypoints(1, 8, seed=1)], dim=1)
    mask = torch.cat([real(1, 16), ~real(1, 8)], dim=1)
    more = torch.cat([masked, torch.ones(1, 3, 2, dtype=torch.bool)], dim=2)
    short, long = model.encoder(keypoints, real(1, 16)), model.encoder(longer, mask)
    assert torch.allclose(short, long[:, :, :4], atol=1e-6) and not long[:, :, 4:].any()
    for a, b in zip(
        model.errors(keypoints, real(1, 16), masked), model.errors(longer, mask, more), strict=True
    ):
        assert torch.allclose(a, b, atol=1e-4)
    assert torch.allclose(
        model.encoder.last_attention(keypoints).unflatten(2, (3, 4)).unflatten(4, (3, 4)),
        model.encoder.last_attention(longer, mask)
        .unflatten(2, (3, 6))
        .unflatten(4, (3, 6))[:, :, :, :4, :, :4],
        atol=1e-6,
    )


def test_a_clip_does_not_depend_on_the_others_of_its_batch():
    model, keypoints = tiny(), some_keypoints(3, 12)
    keypoints[0, :, LEFT] = 0
    keypoints[1, 4:] = 0
    together = model.encoder(keypoints)
    for i in range(3):
        assert torch.allclose(model.encoder(keypoints[i : i + 1])[0], together[i], atol=1e-6)


def test_a_stream_that_was_not_seen_makes_no_token():
    encoder, keypoints = tiny().encoder, some_keypoints(1, 8)
    keypoints[:, 4:, LEFT] = 0
    keypoints[:, :, BODY] = 0
    assert encoder.seen(keypoints)[0].tolist() == [[False] * 2, [True, False], [True, True]]
    states = encoder(keypoints)[0]
    assert not states[0].any() and not states[1, 1].any() and states[1, 0].any()


def test_nothing_seen_at_all_is_finite_and_costs_nothing():
    model, nothing = tiny(), torch.zeros(2, 8, 48, 4)
    masked = torch.ones(2, 3, 2, dtype=torch.bool)
    assert not model.encoder(nothing).any()
    assert torch.isfinite(model.encoder.last_attention(nothing)).all()
    loss = model(nothing, real(2, 8), masked)
    assert loss == 0
    loss.backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in model.parameters())


def test_packing_brings_back_what_it_took():
    tokens = torch.arange(24.0).reshape(2, 4, 3)
    wanted = torch.tensor([[False, True, False, True], [False, False, True, False]])
    packed = pack(tokens, wanted)
    assert packed.tokens.shape == (2, 2, 3)
    assert packed.tokens[0].tolist() == tokens[0, [1, 3]].tolist()
    assert packed.mask is not None and packed.mask.tolist() == [[True, True], [True, False]]
    assert unpack(packed.tokens, packed, 4).equal(tokens * wanted[..., None])


def test_packed_attention_is_masked_attention():
    """Tokens left out, or there but not looked at: the others' states are the same."""
    encoder, keypoints = tiny().encoder, some_keypoints(2, 16)
    keypoints[0, :8, RIGHT] = 0
    keypoints[1, :, BODY] = 0
    tokens, there = encoder.embed(keypoints).flatten(1, 2), encoder.seen(keypoints).flatten(1)
    looked_at = encoder.encode(tokens, there) * there[..., None]
    assert torch.allclose(encoder(keypoints).flatten(1, 2), looked_at, atol=1e-6)


def test_a_compiled_graph_says_the_same():
    encoder, keypoints = tiny().encoder, some_keypoints(1, 8)
    keypoints[:, :, BODY] = 0
    exported = torch.export.export(encoder, (keypoints,)).module()
    assert torch.allclose(exported(keypoints), encoder(keypoints), atol=1e-5)


def test_the_last_attention_is_what_the_last_block_mixes_by():
    model, keypoints = tiny(), some_keypoints(1, 8)
    keypoints[:, :4, LEFT] = 0
    encoder = model.encoder
    weights = encoder.last_attention(keypoints)  # (1, 2, 6, 6)
    there = encoder.seen(keypoints).flatten(1)[0]
    assert torch.allclose(weights.sum(-1)[0, 0], there.float(), atol=1e-6)
    assert not weights[..., ~there].any()
    x = encoder.blocks[0](encoder.embed(keypoints).flatten(1, 2), there[None])
    block = encoder.blocks[1]
    _, _, v = block._heads(x)
    x = x + block.out((weights @ v).transpose(1, 2).flatten(2))
    x = encoder.norm(x + block.mlp(block.norm2(x)))[0, there]
    assert torch.allclose(x, encoder(keypoints).flatten(1, 2)[0, there], atol=1e-5)


# Masks


@pytest.mark.parametrize("kind", ["diff", "same"])
def test_each_stream_has_half_of_its_tokens_masked(kind):
    masked = draw_masks(kind, [10, 7, 4], 3, 0.5, [1, 2, 3])
    assert masked.shape == (3, 3, 10)
    assert masked.sum(2).tolist() == [[5] * 3, [4] * 3, [2] * 3]
    assert not masked[1, :, 7:].any() and not masked[2, :, 4:].any()


def test_same_mask_has_the_same_moments_and_diff_mask_its_own():
    same, diff = (draw_masks(kind, [40], 3, 0.5, [5])[0] for kind in ("same", "diff"))
    assert (same == same[0]).all()
    assert (diff[0] != diff[1]).any() and (diff[1] != diff[2]).any()


def test_a_mask_depends_on_its_seed_alone():
    alone = draw_masks("diff", [9], 3, 0.5, [7])
    among = draw_masks("diff", [12, 9, 3], 3, 0.5, [1, 7, 2])
    assert (among[1, :, :9] == alone[0]).all()
    assert (draw_masks("diff", [9], 3, 0.5, [8]) != alone).any()


def test_there_is_always_one_masked_and_one_left_to_see():
    for ratio in (0.01, 0.99):
        masked = draw_masks("diff", [2, 5], 3, ratio, [0, 1])
        assert masked.any(2).all() and not masked[0].all(1).any()
    assert draw_masks("diff", [1], 3, 0.5, [0]).all()


def test_an_unknown_mask_lists_the_known_ones():
    with pytest.raises(ValueError, match="unknown mask 'half'; known: diff, same"):
        draw_masks("half", [4], 3, 0.5, [0])


# Reconstruction


def test_the_loss_is_the_mean_over_masked_tokens_of_what_was_seen():
    """The decoder is made to say 0 everywhere, so the squared targets are the error."""
    model = tiny()
    for head in model.decoder.heads.values():
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
    keypoints = torch.zeros(1, 8, N_WITHOUT_FACE, 4)
    keypoints[:, :, BODY.start] = torch.tensor([3.0, 4.0, 7.0, 1.0])  # z is not read
    keypoints[:, :, BODY.start + 1] = torch.tensor([9.0, 9.0, 0.0, 0.0])  # not seen
    keypoints[:, :, RIGHT.start] = torch.tensor([0.0, 2.0, 0.0, 1.0])
    keypoints[:, 4, RIGHT.start, 3] = FILLED_CONFIDENCE  # a guess
    masked = torch.zeros(1, 3, 2, dtype=torch.bool)
    masked[0, 0, 0] = masked[0, 1, 1] = masked[0, 2, 1] = True
    # Body: 4 frames of 3^2 + 4^2. Left hand: not seen, so no token. Right: 3 frames of 2^2.
    errors, clips = model.errors(keypoints, real(1, 8), masked)
    assert errors.tolist() == [100.0, 12.0] and clips.tolist() == [0, 0]
    assert model(keypoints, real(1, 8), masked).item() == 56.0


def test_what_was_masked_cannot_be_seen():
    """Not by the encoder, and not by the decoder: its answer is the same whatever was there."""
    model = tiny()
    keypoints, other = some_keypoints(1, 16), some_keypoints(1, 16)
    masked = torch.zeros(1, 3, 4, dtype=torch.bool)
    masked[0, 1, 2] = masked[0, 0, 0] = True
    other[:, 8:12, LEFT, :3] = 5.0
    other[:, :4, BODY, :3] = -5.0
    one, two = (answers(model, k, masked) for k in (keypoints, other))
    assert torch.allclose(one, two, atol=1e-6)
    other[:, 12:, LEFT, :3] = 5.0  # this one is not masked
    assert not torch.allclose(one, answers(model, other, masked), atol=1e-3)


def answers(model: MsMae, keypoints: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
    cubes = cubes_of(keypoints, model.config)
    return model.reconstruct(cubes, model.encoder.seen(keypoints), masked)


def test_the_encoder_is_given_only_what_is_not_masked(monkeypatch):
    model, given = tiny(), []
    encode = model.encoder.encode
    monkeypatch.setattr(
        model.encoder, "encode", lambda tokens, mask: given.append(tokens) or encode(tokens, mask)
    )
    keypoints = some_keypoints(2, 32)
    masked = torch.from_numpy(draw_masks("diff", [8, 8], 3, 0.5, [0, 1]))
    model(keypoints, real(2, 32), masked)
    assert given[0].shape == (2, 12, 16)  # of 3 streams of 8 tokens, half


def test_masked_hands_of_the_same_moment_are_told_apart():
    """With Eq. 3 as it stands they would be one token, and the same answer for both."""
    model, keypoints = tiny(), some_keypoints(1, 8)
    masked = torch.zeros(1, 3, 2, dtype=torch.bool)
    masked[0, 1:, 0] = True
    left, right = answers(model, keypoints, masked)[0, 1:, 0]
    assert not torch.allclose(left, right, atol=1e-4)
    torch.nn.init.zeros_(model.encoder.stream)
    left, right = answers(model, keypoints, masked)[0, 1:, 0]
    assert torch.allclose(left, right, atol=1e-6)


def test_targets_leave_out_what_was_filled_in():
    keypoints = some_keypoints(1, 4)
    keypoints[0, 1, LEFT, 3] = FILLED_CONFIDENCE
    keypoints[0, :, RIGHT, 3] = FILLED_CONFIDENCE
    wanted = wanted_tokens(keypoints, TINY)[0]
    assert wanted.tolist() == [[True], [True], [False]]
    counts = target_of(cubes_of(keypoints, TINY)["left_hand"])[1]
    assert counts[0, 0, :, 0, 0].tolist() == [1, 0, 1, 1]


def test_it_learns_to_reconstruct_a_few_clips():
    """Poses held still, half of the tokens masked: what is hidden is told by what is not."""
    generator = torch.Generator().manual_seed(0)
    held = torch.randn(4, 1, 48, 3, generator=generator).expand(-1, 32, -1, -1)
    keypoints = torch.cat([held, torch.ones(4, 32, 48, 1)], dim=-1)
    model = tiny(config=MsMaeConfig(width=64, depth=2, heads=4, decoder_depth=1)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for step in range(60):
        masks = draw_masks("diff", [8] * 4, 3, 0.5, [4 * step + i for i in range(4)])
        loss = model(keypoints, real(4, 32), torch.from_numpy(masks))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.3 * np.mean(losses[:3])
