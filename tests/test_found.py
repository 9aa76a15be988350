"""Found's network: its graphs, windows and mappings against plain loops; streams against wholes."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fingerpost.edge_runtime.keypoints import (
    FOUND203,
    GROUPS,
    MEDIAPIPE_HOLISTIC,
    SIGN69,
    PoseSequence,
)
from fingerpost.edge_runtime.preprocess_found import LIMIT, preprocess_found
from fingerpost.trainer.models.found import PLACES, Found, FoundConfig, Spans
from fingerpost.trainer.models.found_conformer import Conformer, ConformerSizes, sliding_windows
from fingerpost.trainer.models.found_graph import FACE_CHAINS, FACE_RINGS, AdaptiveGraph, edges_of
from fingerpost.trainer.models.found_mappings import (
    MAPPINGS,
    MappingSizes,
    PerceiverStream,
    SlidingPerceiver,
    middles,
)
from fingerpost.trainer.models.found_poses import PoseBackbone, PoseBackboneConfig, pose_config
from fingerpost.trainer.models.gloss_alignment import NOT_KNOWN
from fingerpost.trainer.models.graph import distance_partition
from fingerpost.trainer.models.language_model import IGNORED
from fingerpost.trainer.models.uni_sign import Prompt

pytestmark = pytest.mark.usefixtures("one_thread")

READER = {
    "model_type": "t5",
    **{"vocab_size": 60, "d_model": 16, "d_kv": 8, "d_ff": 16, "num_heads": 2},
    **{"num_layers": 1, "num_decoder_layers": 1, "dropout_rate": 0.0},
    **{"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0},
}
POSES = {
    **{"view": "sign69", "channels": (4, 4, 6, 6, 6), "articulator_width": 8, "width": 16},
    **{"n_blocks": 2, "n_heads": 2, "window": 6, "dropout": 0.0},
}
TOKENS = torch.arange(11) + 20  # of the digits and the dash


def found(**fields: object) -> Found:
    torch.manual_seed(0)
    given = {"poses": POSES, "mapping_heads": 2, "dropout": 0.0, **fields}
    return Found(FoundConfig(READER, **given)).eval()  # type: ignore[arg-type]


def a_batch(n_frames: int = 21) -> tuple[torch.Tensor, torch.Tensor, Prompt]:
    """Two windows, the second one shorter; both asked the same."""
    generator = torch.Generator().manual_seed(1)
    keypoints = torch.randn(2, n_frames, 69, 4, generator=generator)
    mask = torch.ones(2, n_frames, dtype=torch.long)
    mask[1, n_frames - 8 :] = 0
    ids = torch.tensor([[5, 6, 1], [7, 1, 0]])
    return keypoints, mask, Prompt(ids, (ids > 0).long())


def at_random(model: torch.nn.Module) -> None:
    """Parameters that start at 0, too, so that nothing hides behind them."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)


# What the network eats


def test_shoulders_are_one_apart_and_centred_from_every_source() -> None:
    xyz = np.zeros((3, len(MEDIAPIPE_HOLISTIC), 3), np.float32)
    confidence = np.zeros(xyz.shape[:2], np.float32)
    placed = {"left_shoulder": (0.7, 0.5), "right_shoulder": (0.5, 0.5), "left_wrist": (0.8, 0.9)}
    for name, xy in placed.items():
        point = MEDIAPIPE_HOLISTIC.index(name)
        xyz[:, point, :2], confidence[:, point] = xy, 0.9
    far = MEDIAPIPE_HOLISTIC.index("left_ankle")
    xyz[:, far, :2], confidence[:, far] = (0.6, 30), 0.9
    sequence = PoseSequence(xyz, confidence, 25.0, MEDIAPIPE_HOLISTIC, aspect=2.0)
    keypoints = preprocess_found(sequence)
    assert keypoints.shape == (3, 203, 4) and keypoints.dtype == np.float32
    left, right, wrist, ankle = (
        keypoints[0, FOUND203.index(name)] for name in [*placed, "left_ankle"]
    )
    # The picture is twice as wide as high: shoulders 0.4 heights apart, the wrist 0.4 below.
    np.testing.assert_allclose(left, (0.5, 0, 0, 0.9), atol=1e-6)
    np.testing.assert_allclose(right, (-0.5, 0, 0, 0.9), atol=1e-6)
    np.testing.assert_allclose(wrist, (1.0, 1.0, 0, 0.9), atol=1e-6)
    assert ankle[1] == LIMIT
    assert not keypoints[0, FOUND203.groups["face"]].any()
    narrow = preprocess_found(sequence, SIGN69)
    np.testing.assert_array_equal(narrow[0, SIGN69.index("left_wrist")], wrist)
    with pytest.raises(ValueError, match="without frames"):
        preprocess_found(PoseSequence(xyz[:0], confidence[:0], 25.0, MEDIAPIPE_HOLISTIC))


# Graphs


def test_every_point_of_the_face_is_on_a_contour_and_is_joined() -> None:
    contours = [f"mesh_{i}" for points in (*FACE_RINGS, *FACE_CHAINS) for i in points]
    assert sorted(contours) == sorted(FOUND203.points[FOUND203.groups["face"]])
    for view in (FOUND203, SIGN69):
        for group in GROUPS:
            n_points = len(view.points[view.groups[group]])
            edges = edges_of(view, group)
            assert all(0 <= a < b < n_points for a, b in edges)
    assert len(edges_of(FOUND203, "face")) == 36 + 20 + 20 + 16 + 16 + 4 * 4
    body = SIGN69.points[SIGN69.groups["body"]]
    named = {(body[a], body[b]) for a, b in edges_of(SIGN69, "body")}
    assert {("nose", "left_ear"), ("left_elbow", "left_wrist")} <= named  # eyes are skipped


def test_the_graph_of_a_clip_is_the_plain_sum() -> None:
    torch.manual_seed(0)
    graph = AdaptiveGraph(distance_partition(3, [(0, 1), (1, 2)]), 2, 4)
    with torch.no_grad():
        graph.gate.copy_(torch.tensor([0.7, -0.3]))
    x = torch.randn(3, 2, 5, 2)
    mask = torch.tensor([[1.0, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    x = x * mask[None, :, :, None]
    got = graph.mix(x, mask)
    theta, phi = (layer(x).view(3, 2, 5, 2, 1) for layer in (graph.theta, graph.phi))
    for b, n_frames in ((0, 5), (1, 3)):
        for t in range(n_frames):
            for heard in range(3):
                expected = torch.zeros(4)
                for s in range(2):
                    scores = torch.stack(
                        [
                            sum(
                                theta[k, b, u, s, 0] * phi[heard, b, u, s, 0]
                                for u in range(n_frames)
                            )
                            / n_frames
                            for k in range(3)
                        ]
                    )
                    for k, share in enumerate(scores.softmax(dim=0)):
                        value = graph.weight[s] @ x[k, b, t] + graph.bias[s]
                        expected = expected + graph.gate[s] * share * value
                torch.testing.assert_close(got[heard, b, t], expected, atol=1e-5, rtol=1e-5)


def test_filled_frames_change_nothing_and_both_hands_are_read_alike() -> None:
    backbone = PoseBackbone(pose_config(POSES)).eval()
    at_random(backbone)
    keypoints, mask, _ = a_batch()
    both = backbone(keypoints, mask)
    alone = backbone(keypoints[1:, :13], mask[1:, :13])
    torch.testing.assert_close(both[1:, : alone.shape[1]], alone)
    left, right = (SIGN69.groups[f"{side}_hand"] for side in ("left", "right"))
    keypoints[:, :, right] = keypoints[:, :, left] * torch.tensor([-1.0, 1, 1, 1])
    features = backbone.articulators(keypoints, mask)
    assert features.shape == (2, 21, 4, 8)
    torch.testing.assert_close(features[:, :, 1], features[:, :, 2])
    assert not features[1, 13:].any()


def test_joints_are_joined_by_a_matrix_or_by_their_mean() -> None:
    widths = {}
    for kind in ("reshape", "mean"):
        backbone = PoseBackbone(pose_config({**POSES, "joint_aggregation": kind}))
        widths[kind] = backbone.encoders["hand"].fc2.in_features  # type: ignore[union-attr]
    assert widths == {"reshape": 21 * 6, "mean": 6}


# Conformer


def test_attentive_pooling_is_the_mean_map_times_the_states() -> None:
    torch.manual_seed(0)
    conformer = Conformer(3, ConformerSizes(8, 2, 2, dropout=0.0)).eval()
    at_random(conformer)
    x, mask = torch.randn(2, 7, 3), torch.ones(2, 7)
    mask[1, 4:] = 0
    states, maps = conformer(x, mask)
    torch.testing.assert_close(maps.sum(dim=2), torch.ones(2, 7))
    assert maps[1, :, 4:].abs().max() < 1e-6
    got = conformer.pool(x, mask)
    for b, n in ((0, 7), (1, 4)):
        pooled = sum(maps[b, q, k] * states[b, k] for q in range(n) for k in range(n)) / n
        torch.testing.assert_close(got[b], pooled)
    torch.testing.assert_close(conformer.pool(x[1:, :4], mask[1:, :4])[0], got[1])


def test_windows_of_a_clip_are_those_frames() -> None:
    x = torch.arange(1.0, 8)[None, :, None]  # seven frames, 1 to 7
    cut, there = sliding_windows(x, torch.ones(1, 7), window=4, stride=2, before=1)
    rows = [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7], [6, 7, 0, 0]]
    assert cut[0, :, :, 0].tolist() == rows
    assert torch.equal(there[0], (torch.tensor(rows) > 0).float())
    cut, _ = sliding_windows(x[:, :1], torch.ones(1, 1), window=4, stride=2, before=0)
    assert cut[0, :, :, 0].tolist() == [[1, 0, 0, 0]]


def test_the_conformer_in_windows_is_the_conformer_of_each_window() -> None:
    backbone = PoseBackbone(PoseBackboneConfig(**POSES)).eval()  # type: ignore[arg-type]
    at_random(backbone)
    keypoints, mask, _ = a_batch()
    features = backbone.articulators(keypoints, mask).flatten(2)
    got = backbone(keypoints, mask)
    assert got.shape == (2, 11, 16)
    part = slice(4 - 2, 4 - 2 + 6)  # the third of stride 2: two frames before its own, two after
    torch.testing.assert_close(got[:, 2], backbone.conformer.pool(features[:, part], mask[:, part]))
    # Windows first, and all else after, is another network at their edges, of the same shape.
    assert backbone.forward_by_windows(keypoints, mask).shape == got.shape


def test_every_second_frame_alone_can_be_read() -> None:
    slow = PoseBackbone(pose_config({**POSES, "every": 2})).eval()
    fast = PoseBackbone(pose_config(POSES)).eval()
    fast.load_state_dict(slow.state_dict())
    keypoints, mask, _ = a_batch()
    torch.testing.assert_close(slow(keypoints, mask), fast(keypoints[:, ::2], mask[:, ::2]))
    assert slow.config.step == 4


# Mappings


@pytest.mark.parametrize("sizes", [MappingSizes(n_heads=2), MappingSizes(5, 3, 1, 2)])
def test_the_sliding_perceiver_in_a_stream_is_that_of_the_whole(sizes: MappingSizes) -> None:
    torch.manual_seed(0)
    perceiver = SlidingPerceiver(6, 8, sizes).eval()
    at_random(perceiver)
    features = torch.randn(37, 6)
    whole = perceiver(features[None], torch.ones(1, 37))[0][0]
    assert len(whole) == math.ceil(37 / sizes.stride)
    stream = PerceiverStream(perceiver)
    for cut in ([37], [1] * 37, [3, 0, 5, 1, 20, 8]):
        parts = [stream.push(part) for part in features.split(cut)]
        torch.testing.assert_close(torch.cat([*parts, stream.flush()]), whole)
    stream.push(features[:9])
    stream.reset()
    assert len(stream.flush()) == 0
    # A latent comes as soon as its window is whole, not before.
    assert len(stream.push(features[: sizes.window - 1])) == 0
    assert len(stream.push(features[sizes.window - 1 : sizes.window])) == 1


def test_a_latent_hears_its_window_by_attention() -> None:
    torch.manual_seed(0)
    sizes = MappingSizes(3, 2, 1, 1)
    perceiver = SlidingPerceiver(4, 4, sizes).eval()
    at_random(perceiver)
    features = torch.randn(1, 6, 4)
    got = perceiver(features, torch.ones(1, 6))[0][0]
    rows = perceiver.projection(features[0]) + perceiver.positions[:6]
    (layer,) = perceiver.layers
    for i in range(3):
        window = layer.norm_rows(rows[2 * i : 2 * i + 3])
        k, v = layer.kv(window).chunk(2, dim=-1)
        q = layer.q(layer.norm_latent(perceiver.latent))
        heard = (k @ q / 2).softmax(dim=0) @ v  # the square root of a width of 4
        latent = perceiver.latent + layer.out(heard)
        torch.testing.assert_close(got[i], perceiver.last(latent + layer.mlp(latent)))


def test_a_stream_has_an_end() -> None:
    stream = PerceiverStream(SlidingPerceiver(6, 8, MappingSizes(n_heads=2, n_positions=10)))
    stream.push(torch.zeros(10, 6))
    with pytest.raises(ValueError, match="knows 10 positions, got 11"):
        stream.push(torch.zeros(1, 6))


@pytest.mark.parametrize("name", MAPPINGS)
def test_each_mapping_reads_clips_of_any_length(name: str) -> None:
    torch.manual_seed(0)
    mapping = MAPPINGS[name](6, 8, MappingSizes(n_heads=2, dropout=0.0)).eval()
    x, mask = torch.randn(2, 21, 6), torch.ones(2, 21)
    mask[1, 9:] = 0
    y, counts = mapping(x, mask)
    alone, _ = mapping(x[1:, :9], mask[1:, :9])
    torch.testing.assert_close(y[1:, : alone.shape[1]], alone)
    n = 21 if name == "mlp" else 11
    assert y.shape == (2, n, 8) and counts.shape == (2, n)
    assert counts[1].sum() == alone.shape[1]
    assert mapping(x[:1, :1], mask[:1, :1])[0].shape == (1, 1, 8)
    assert middles(mapping, 3).tolist() == {
        "mlp": [0, 1, 2],
        "convolution": [1, 3, 5],
    }.get(name, [4, 6, 8])


# The whole


def test_losses_are_of_sentences_and_of_digits() -> None:
    model = found(soft_weight=0.5)
    keypoints, mask, prompt = a_batch()
    digits = torch.tensor([[0, 3, 7, 1, 5, 2]])
    labels = torch.full((2, 8), IGNORED)
    labels[0, PLACES] = TOKENS[digits[0]]
    labels[0, 3], labels[0, 7] = TOKENS[10], 1
    labels[1, :3] = torch.tensor([9, 8, 1])
    spans = Spans(torch.tensor([0]), digits, TOKENS)
    losses = model(keypoints, mask, prompt, labels, spans)
    embeds, heard = model.embed(keypoints, mask, prompt)
    logits = model.language_model(inputs_embeds=embeds, attention_mask=heard, labels=labels).logits
    assert losses.translation.item() == pytest.approx(
        F.cross_entropy(logits[1, :3], labels[1, :3]).item(), rel=1e-4
    )
    of_digits = logits[0, PLACES][:, 20:30]
    expected = of_digits.softmax(dim=-1) @ torch.arange(10.0)
    distance = (expected - digits[0]).abs().mean()
    true = F.cross_entropy(of_digits, digits[0]) + 0.5 * distance
    assert losses.spans.item() == pytest.approx(true.item(), rel=1e-4)
    assert losses.alignment == 0
    only = model(keypoints[1:], mask[1:], Prompt(prompt.ids[1:], prompt.mask[1:]), labels[1:])
    assert only.spans == 0 and only.translation.item() == pytest.approx(
        losses.translation.item(), rel=1e-4
    )
    everything = Spans(torch.tensor([0, 1]), digits.expand(2, 6), TOKENS)
    assert model(keypoints, mask, prompt, labels[[0, 0]], everything).translation == 0


def likeliest_digits(
    model: Found, embeds: torch.Tensor, heard: torch.Tensor, n_beams: int
) -> list[int]:
    """The same by plain loops, of one row: after each digit the best n beginnings stay."""
    beams: list[tuple[float, list[int]]] = [(0.0, [])]
    for place in range(7):
        longer = []
        for score, said in beams:
            if place == 3:
                longer.append((score, [*said, 30]))
                continue
            start = torch.tensor([[0, *said]])
            logits = model.language_model(
                inputs_embeds=embeds, attention_mask=heard, decoder_input_ids=start
            ).logits[0, -1, 20:30]
            scores = logits.log_softmax(dim=-1).tolist()
            longer += [(score + new, [*said, 20 + digit]) for digit, new in enumerate(scores)]
        beams = sorted(longer, reverse=True)[:n_beams]
    return [token - 20 for token in beams[0][1] if token != 30]


def test_digits_are_written_by_beam_search_over_digits_alone() -> None:
    model = found()
    with torch.no_grad():
        model.language_model.get_output_embeddings().weight.mul_(30)
    keypoints, mask, prompt = a_batch()
    with torch.no_grad():
        embeds, heard = model.embed(keypoints, mask, prompt)
        for n_beams in (1, 4):
            digits = model.place(keypoints, mask, prompt, TOKENS, n_beams)
            rows = [
                likeliest_digits(model, embeds[i : i + 1], heard[i : i + 1], n_beams)
                for i in range(2)
            ]
            assert digits.tolist() == rows


def test_kept_features_are_those_of_the_backbone() -> None:
    model = found()
    keypoints, mask, prompt = a_batch()
    features = model.poses(keypoints, mask)
    nothing = keypoints[:, :0]
    for given, again in zip(
        model.embed(keypoints, mask, prompt),
        model.embed(nothing, mask, prompt, features=features),
        strict=True,
    ):
        torch.testing.assert_close(given, again)


def test_a_latent_shows_what_its_middle_frame_shows() -> None:
    model = found()
    of_frame = torch.arange(21)[None]
    # A latent is of 8 features of 2 frames each, every 2 features: its middle is 8 frames on.
    assert model._shown(of_frame, 6).tolist() == [[8, 12, 16, 20, NOT_KNOWN, NOT_KNOWN]]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"mapping": "magic"}, "mapping 'magic'; known: sliding_perceiver, mlp"),
        ({"poses": {"view": "msmae"}}, "view 'msmae'; known: found203, sign69"),
        ({"poses": {"colour": 1}}, "has no colour; known: view, channels"),
        ({"poses": {"joint_aggregation": "sum"}}, "'sum'; known: reshape, mean"),
        ({"poses": {"stride": 0}}, "stride is from 1 to window"),
        ({"soft_weight": -1}, "soft_weight are 0 or more"),
        ({"mapping_stride": 9}, "mapping_stride is from 1 to mapping_window"),
        ({"mapping_heads": 3}, "width of 16 has no 3 equal heads"),
        ({"poses": {"width": 10, "n_heads": 4}}, "width 10 has no 4 equal heads"),
    ],
)
def test_a_mistake_is_one_line(fields: dict, says: str) -> None:
    with pytest.raises(ValueError) as error:
        found(**{**fields, "poses": {**POSES, **fields.get("poses", {})}})
    assert says in str(error.value) and "\n" not in str(error.value)


def test_keypoints_of_another_view_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected keypoints \(B, T, 69, 4\)"):
        found().latents(torch.zeros(1, 5, 203, 4), torch.ones(1, 5))
    with pytest.raises(ValueError, match="reads no lips"):
        found().latents(torch.zeros(1, 5, 69, 4), torch.ones(1, 5), torch.zeros(1, 5, 7))
