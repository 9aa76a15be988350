"""Uni-Sign's RGB branch: equal to a plain formulation in the authors' layout, and able to learn."""

import importlib.util
import math
from pathlib import Path

import pytest
import torch
from torch import nn

from fingerpost.trainer.checkpoint import load_checkpoint, save_checkpoint
from fingerpost.trainer.import_uni_sign import (
    hands_of_batch,
    import_uni_sign,
    our_name_of,
    uni_sign_from,
)
from fingerpost.trainer.models.efficientnet import EfficientNetB0
from fingerpost.trainer.models.uni_sign import Prompt, UniSign, UniSignConfig
from fingerpost.trainer.models.uni_sign_rgb import (
    Gate,
    HandCrops,
    HandFusion,
    HandPictures,
    PriorGuidedAttention,
)

pytestmark = pytest.mark.usefixtures("one_thread")

TINY_T5 = {
    **{"model_type": "mt5", "vocab_size": 50, "d_model": 32, "d_kv": 8, "d_ff": 64},
    **{"num_layers": 1, "num_decoder_layers": 1, "num_heads": 4, "dropout_rate": 0.0},
}
B, T = 2, 5


def _plain_module():
    path = Path(__file__).parent / "bench" / "plain_uni_sign.py"
    spec = importlib.util.spec_from_file_location("plain_uni_sign", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PLAIN = _plain_module()


class PlainBias(nn.Module):
    def __init__(self):
        super().__init__()
        layers = [nn.Sequential(nn.Linear(n, 64), nn.ReLU()) for n in (2, 64)]
        self.mlp = nn.ModuleList([*layers, nn.Linear(64, 1)])

    def forward(self, apart):
        x = apart.sign() * torch.log1p(apart.abs())
        for layer in self.mlp:
            x = layer(x)
        return x[..., 0]


class PlainFrequencies(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(2, 128))


class PlainAttention(nn.Module):
    """One frame at a time, one head at a time. Modules are named as in the published files."""

    def __init__(self):
        super().__init__()
        self.to_offsets = nn.Sequential(
            nn.Conv1d(32, 32, 1, groups=32), nn.GELU(), nn.Conv1d(32, 2, 1, bias=False), nn.Tanh()
        )
        self.rel_pos_bias = PlainBias()
        self.to_q = nn.Conv1d(256, 256, 1, groups=8, bias=False)
        self.to_k = nn.Conv2d(256, 256, 1, groups=8, bias=False)
        self.to_v = nn.Conv2d(256, 256, 1, groups=8, bias=False)
        self.to_out = nn.Conv1d(256, 256, 1)
        self.cross_attn = nn.MultiheadAttention(256, 8, batch_first=True)
        self.pe_layer = PlainFrequencies()

    def forward(self, pose, picture, points):
        """pose (256, 21), picture (256, 4, 4), points (21, 2)"""
        angles = 2 * math.pi * (2 * points - 1) @ self.pe_layer.positional_encoding_gaussian_matrix
        asked = pose.T + torch.cat([angles.sin(), angles.cos()], dim=1)
        waves = [
            [(math.cos if c % 2 else math.sin)(p / 10000 ** (c // 2 * 2 / 256)) for c in range(256)]
            for p in range(16)
        ]
        places = picture.flatten(1).T + torch.tensor(waves, dtype=pose.dtype)
        seen = self.cross_attn(asked[None], places[None], places[None])[0][0]
        query = self.to_q((pose + seen.T)[None])[0]

        answers = []
        for head in range(8):
            channels = slice(32 * head, 32 * head + 32)
            offset = self.to_offsets(query[None, channels])[0].T * 4 / 6
            near = 2 * points - 1 + offset  # (21, 2)
            around = _bilinear(picture[channels], near)  # (32, 21)
            key = self.to_k.weight[channels, :, 0, 0] @ around
            value = self.to_v.weight[channels, :, 0, 0] @ around
            scores = query[channels].T @ key / math.sqrt(32)
            scores = scores + self.rel_pos_bias((2 * points - 1)[:, None] - near[None])
            answers.append(value @ scores.softmax(dim=1).T)
        return self.to_out(torch.cat(answers)[None])[0]


def _bilinear(picture, near):
    """picture (C, 4, 4); near (K, 2), x and y, -1 and 1 are the picture's edges. 0 outside."""
    x, y = (near.T + 1) / 2 * 4 - 0.5  # in places; place 0 is centred at 0
    total = 0
    for column in range(4):
        for row in range(4):
            share = (1 - (x - column).abs()).clamp(min=0) * (1 - (y - row).abs()).clamp(min=0)
            total = total + picture[:, row, column, None] * share
    return total


class PlainRgb(PLAIN.PlainUniSign):
    """The plain formulation with the RGB branch; one clip and one frame after the other."""

    def __init__(self, language_model):
        super().__init__(language_model)
        self.rgb_support_backbone = nn.Sequential(EfficientNetB0())
        self.rgb_proj = nn.Conv2d(1280, 256, 1)
        self.fusion_pose_rgb_linear = nn.Linear(256, 256)  # never called
        self.fusion_pose_rgb_DA = PlainAttention()
        self.fusion_gate = nn.Sequential(
            nn.Conv1d(512, 256, 1), nn.GELU(), nn.Conv1d(256, 1, 1), nn.Tanh(), nn.ReLU()
        )

    def poses(self, keypoints, batch):
        features = []
        for group, part in PLAIN.PARTS.items():
            x = self.proj_linear[part](keypoints[:, :, PLAIN.SIGN69.groups[group]])
            x = self.gcn_modules[part](x.permute(0, 3, 1, 2))  # (B, C, T, K)
            if group == "body":
                body = x
            elif part in ("left", "right"):
                x = self.fused(x, part, batch)
            if group != "body":
                x = x + body[..., PLAIN.PLACE_OF[group], None].detach()
            features.append(self.fusion_gcn_modules[part](x).mean(-1).transpose(1, 2))
        return self.pose_proj(torch.cat(features, dim=-1) + self.part_para)

    def fused(self, x, part, batch):
        pictures = self.rgb_proj(self.rgb_support_backbone(batch[f"{part}_hands"]))
        x, n = x.clone(), 0
        for clip, count in enumerate(batch[f"{part}_rgb_len"]):
            for _ in range(count):
                frame = int(batch[f"{part}_sampled_indices"][n])
                if frame >= 0:
                    pose = x[clip, :, frame].clone()
                    points = batch[f"{part}_skeletons_norm"][n]
                    new = self.fusion_pose_rgb_DA(pose, pictures[n], points)
                    gate = self.fusion_gate(torch.cat([new, pose])[None])[0]
                    x[clip, :, frame] = gate * new + (1 - gate) * pose
                n += 1
        return x


@pytest.fixture(scope="module")
def plain():
    """The plain formulation with nothing at its initial value and an open gate, in eval mode."""
    torch.manual_seed(0)
    model = PlainRgb(UniSign(UniSignConfig(TINY_T5)).language_model).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not name.startswith(("mt5_model", "rgb_support")):
                parameter.add_(0.05 * torch.randn_like(parameter))
        for name, buffer in model.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.add_(0.2 * torch.rand_like(buffer))
        model.fusion_gate[2].bias.fill_(0.3)
    return model


@pytest.fixture(scope="module")
def keypoints():
    torch.manual_seed(1)
    return torch.rand(B, T, 69, 3) * 2 - 1


@pytest.fixture(scope="module")
def batch():
    """As the authors' collate_fn makes it: the second clip shows no left hand."""
    torch.manual_seed(2)
    made = {}
    for part, indices, lengths in (("left", [1, 4, -1], [2, 1]), ("right", [0, 2, 3], [1, 2])):
        n = len(indices)
        made[f"{part}_hands"] = torch.randn(n, 3, 112, 112)
        made[f"{part}_skeletons_norm"] = torch.rand(n, 21, 2)
        made[f"{part}_sampled_indices"] = torch.tensor(indices)
        made[f"{part}_rgb_len"] = lengths
    made["left_hands"][2], made["left_skeletons_norm"][2] = 0, 0
    made["right_skeletons_norm"][0, :2] = torch.tensor([[0.0, 1.0], [1.0, 0.0]])  # at the corners
    return made


def _prompt():
    return Prompt(torch.ones(B, 3, dtype=torch.long), torch.ones(B, 3, dtype=torch.long))


def test_it_equals_the_plain_formulation_in_outputs_and_gradients(plain, keypoints, batch):
    ours = uni_sign_from(plain.state_dict())
    assert ours.config.rgb and not ours.training
    hands = hands_of_batch(batch)
    with torch.no_grad():
        alone = ours.poses(keypoints)
        features, expected = ours.poses(keypoints, hands), plain.poses(keypoints, batch)
    assert (features - expected).abs().max() < 1e-5
    assert (features - alone).abs().amax(dim=2).min() > 1e-3  # pictures are heard in every frame

    (ours.poses(keypoints, hands) ** 2).sum().backward()
    (plain.poses(keypoints, batch) ** 2).sum().backward()
    state = {k: torch.zeros_like(v) for k, v in plain.state_dict().items()}
    named = plain.named_parameters(remove_duplicate=False)  # left is right
    state |= {k: p.grad for k, p in named if p.grad is not None}
    gradients = dict(uni_sign_from(state).poses.named_parameters())
    plain.zero_grad()
    for name, parameter in ours.poses.named_parameters():
        scale = gradients[name].abs().max() + 1e-3
        assert (parameter.grad - gradients[name]).abs().max() < 1e-3 * scale, name


def test_stage_2_starts_as_stage_1_exactly(keypoints, batch):
    torch.manual_seed(0)
    stage_1 = UniSign(UniSignConfig(TINY_T5))
    image_net = EfficientNetB0().state_dict()
    stage_2 = stage_1.with_rgb(image_net)
    assert torch.equal(stage_2.poses.fusion.backbone[0][0].weight, image_net["0.0.weight"])
    hands = hands_of_batch(batch)
    mask = torch.ones(B, T, dtype=torch.long)
    for training in (False, True):
        stage_1.train(training), stage_2.train(training)
        expected, _ = stage_1.embed(keypoints, mask, _prompt())
        found, _ = stage_2.embed(keypoints, mask, _prompt(), hands)
        assert torch.equal(found, expected)
    with pytest.raises(ValueError, match="already"):
        stage_2.with_rgb()


def test_the_gate_opens_where_that_helps(batch):
    torch.manual_seed(0)
    fusion = HandFusion().eval()
    features, crops = torch.rand(21, B, T, 256), hands_of_batch(batch).left_hand
    optimizer = torch.optim.Adam(fusion.gate.parameters(), lr=0.01)
    losses = []
    for _ in range(3):  # what the fresh attention says is nearer to 0 than the features are
        loss = (fusion(features, crops) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[2] < losses[1] < losses[0]
    assert all(parameter.grad.abs().sum() > 0 for parameter in fusion.gate.parameters())


def test_a_relu_after_zeros_would_never_let_the_gate_open():
    """Why ``Gate`` is not written as the authors'."""
    both = torch.randn(2, 512, 21)
    gate = Gate()
    assert torch.equal(gate(both), torch.zeros(2, 1, 21))
    gate(both).sum().backward()
    assert gate.layers[2].weight.grad.abs().sum() > 0
    gate.zero_grad()
    nn.functional.relu(gate.layers(both)).sum().backward()
    assert gate.layers[2].weight.grad.abs().sum() == 0


def test_a_keypoint_sees_the_place_where_it_is():
    """Hand-computed: no offsets, attention to all 21 places alike, values as they are."""
    attention = PriorGuidedAttention()
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.zero_()
        for layer in (attention.value, attention.out):  # the identity, head by head and as a whole
            size = layer.weight.shape[1]
            layer.weight[:, :, 0] = torch.eye(size).repeat(256 // size, 1)
        picture = torch.zeros(1, 256, 4, 4)
        picture[0, :, 1, 2] = 1.0  # row 1, column 2: its middle is at x 2.5 / 4 and y 1.5 / 4
        pose = torch.zeros(1, 256, 21)
        for x, y, seen in (
            (2.5 / 4, 1.5 / 4, 1.0),
            (1.5 / 4, 2.5 / 4, 0.0),  # x and y exchanged: another place
            (2.0 / 4, 1.5 / 4, 0.5),  # half way to the place on the left
            (2.0 / 4, 1.0 / 4, 0.25),
        ):
            points = torch.tensor([x, y]).expand(1, 21, 2)
            assert torch.allclose(attention(pose, picture, points), torch.tensor(seen), atol=1e-6)
        picture[0, :, 0, 0] = 1.0  # the picture's corner is a quarter of its place, and 0 beyond
        points = torch.zeros(1, 21, 2)
        assert torch.allclose(attention(pose, picture, points), torch.tensor(0.25), atol=1e-6)


def test_only_frames_with_a_picture_change(batch):
    torch.manual_seed(0)
    fusion = HandFusion().eval()
    fusion.gate.layers[2].bias.data.fill_(1.0)
    features = torch.rand(21, B, T, 256)
    crops = hands_of_batch(batch).left_hand
    assert crops.clip.tolist() == [0, 0] and crops.frame.tolist() == [1, 4]
    with torch.no_grad():
        changed = (fusion(features, crops) != features).any(dim=3).all(dim=0)
    assert changed.nonzero().tolist() == [[0, 1], [0, 4]]
    none = HandCrops(*(tensor[:0] for tensor in crops))
    assert torch.equal(fusion(features, none), features)
    fusion.train()(features, none).sum().backward()  # or other processes would wait for ever
    assert all(parameter.grad is not None for parameter in fusion.parameters())


def test_half_precision_arrives_nearby(plain, keypoints, batch):
    model = uni_sign_from(plain.state_dict())
    hands = hands_of_batch(batch)
    with torch.no_grad():
        features = model.poses(keypoints, hands)
        with torch.autocast("cpu", torch.bfloat16):
            halves = model.poses(keypoints, hands)
    assert (halves - features).abs().max() < 0.05 * features.abs().max()


def test_an_rgb_import_accounts_for_every_entry(plain):
    state = plain.state_dict()
    parts = ("rgb_support_backbone", "rgb_proj", "fusion_pose_rgb_DA", "fusion_gate")
    names = [name for name in state if name.startswith(parts)]
    assert len(names) == 358 + 2 + 19 + 4
    ours = {
        f"poses.{name}" for name in UniSign(UniSignConfig(TINY_T5, rgb=True)).poses.state_dict()
    }
    assert {our_name_of(name) for name in names} == {n for n in ours if "fusion" in n}
    for name in (names[0], names[-1], "fusion_pose_rgb_DA.to_offsets.2.weight"):
        with pytest.raises(ValueError, match="not all of Uni-Sign"):
            uni_sign_from({k: v for k, v in state.items() if k != name})
    for name, shape in (
        ("fusion_gate.1.weight", (1,)),
        ("rgb_support_backbone.1.weight", (1,)),
        ("rgb_support_backbone.0.9.weight", (1,)),
        ("fusion_pose_rgb_linear.weight", (1,)),
        ("rgb_proj.weight", (256, 1280)),
    ):
        with pytest.raises(ValueError):
            uni_sign_from(state | {name: torch.zeros(shape)})


def test_an_rgb_checkpoint_is_saved_and_loads(plain, keypoints, batch, tmp_path):
    torch.save({"model": {k: v.half() for k, v in plain.state_dict().items()}}, tmp_path / "a.pth")
    model = import_uni_sign(tmp_path / "a.pth")
    save_checkpoint(tmp_path / "c", model, {}, {})
    loaded, _, _ = load_checkpoint(tmp_path / "c")
    hands = hands_of_batch(batch)
    with torch.no_grad():
        assert torch.equal(loaded.poses(keypoints, hands), model.poses(keypoints, hands))
    mask, labels = torch.ones(B, T, dtype=torch.long), torch.tensor([[5, 1], [6, 1]])
    assert loaded(keypoints, mask, _prompt(), labels, hands).isfinite()
    assert len(loaded.generate(keypoints, mask, _prompt(), 2, 3, hands)) == B


def test_mistakes_are_one_line(plain, keypoints, batch):
    hands = hands_of_batch(batch)
    with pytest.raises(ValueError, match="with_rgb"):
        UniSign(UniSignConfig(TINY_T5)).poses(keypoints, hands)
    wrong = hands.left_hand._replace(pictures=torch.zeros(2, 3, 64, 64))
    with pytest.raises(ValueError, match="112"):
        uni_sign_from(plain.state_dict()).poses(keypoints, HandPictures(wrong, hands.right_hand))
    with pytest.raises(ValueError, match="left_rgb_len"):
        hands_of_batch({k: v for k, v in batch.items() if k != "left_rgb_len"})
