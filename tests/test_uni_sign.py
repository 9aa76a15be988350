"""Uni-Sign: equal to the plain formulation and to the authors' own values, and able to learn."""

import importlib.util
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from fingerpost.app.cli import app
from fingerpost.edge_runtime.keypoints import COCO_WHOLEBODY, GROUPS, SIGN69, PoseSequence
from fingerpost.edge_runtime.preprocess_uni_sign import preprocess_uni_sign
from fingerpost.trainer.checkpoint import load_checkpoint, save_checkpoint
from fingerpost.trainer.evaluate import load_for_answers
from fingerpost.trainer.import_uni_sign import import_uni_sign, uni_sign_from, write_imported
from fingerpost.trainer.models.graph import distance_partition, graph_convolution
from fingerpost.trainer.models.language_model import IGNORED
from fingerpost.trainer.models.uni_sign import (
    PROMPT,
    Prompt,
    UniSign,
    UniSignConfig,
    pad_clips,
    tokenize_prompts,
)
from fingerpost.trainer.shards import Clip
from fingerpost.trainer.text_tokenizer import train_tokenizer

pytestmark = pytest.mark.usefixtures("one_thread")

HERE = Path(__file__).parent
PROOFS = HERE.parent.parent / "shared" / "proofs" / "uni_sign"
THEIR_PARTS = ("body", "left", "right", "face_all")
TINY_T5 = {
    **{"model_type": "mt5", "vocab_size": 300, "d_model": 32, "d_kv": 8, "d_ff": 64},
    **{"num_layers": 2, "num_decoder_layers": 2, "num_heads": 4, "dropout_rate": 0.0},
}
needs_proofs = pytest.mark.skipif(
    not PROOFS.is_dir(), reason=f"the authors' reference values are not in {PROOFS}"
)


def _plain_module():
    path = HERE / "bench" / "plain_uni_sign.py"
    spec = importlib.util.spec_from_file_location("plain_uni_sign", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Letters:
    """A tokenizer, as far as prompts need one: a letter is a token, 1 ends the text."""

    def __call__(self, texts, padding, truncation, return_tensors):
        ids = [torch.tensor([*(ord(c) % 250 + 3 for c in text), 1]) for text in texts]
        pad = nn.utils.rnn.pad_sequence
        mask = pad([torch.ones_like(i) for i in ids], batch_first=True)
        return {"input_ids": pad(ids, batch_first=True), "attention_mask": mask}


@pytest.fixture
def plain():
    """The plain formulation with nothing at its initial value, in training mode."""
    torch.manual_seed(0)
    model = _plain_module().PlainUniSign(UniSign(UniSignConfig(TINY_T5)).language_model)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not name.startswith("mt5_model"):
                parameter.add_(0.05 * torch.randn_like(parameter))
        for name, buffer in model.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.add_(0.2 * torch.rand_like(buffer))
    return model


@pytest.fixture
def batch():
    torch.manual_seed(1)
    keypoints, mask = pad_clips([torch.rand(12, 69, 3) * 2 - 1, torch.rand(9, 69, 3)])
    labels = torch.tensor([[5, 6, 7, 1], [8, 1, IGNORED, IGNORED]])
    return keypoints, mask, tokenize_prompts(Letters(), ["English", "Chinese"]), labels


def test_each_keypoint_hears_itself_and_its_neighbours_in_equal_shares():
    own, neighbours = distance_partition(3, [(0, 1), (1, 2)])
    assert torch.allclose(own, torch.diag(torch.tensor([1 / 2, 1 / 3, 1 / 2])))
    assert torch.allclose(
        neighbours, torch.tensor([[0, 1 / 3, 0], [1 / 2, 0, 1 / 2], [0, 1 / 3, 0]])
    )


def test_the_graph_convolutions_own_derivatives_are_right():
    torch.manual_seed(0)
    shapes = ((3, 2, 4, 5), (2, 3, 3), (2, 6, 5), (2, 6))
    inputs = [torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    assert torch.autograd.gradcheck(graph_convolution, inputs)


def test_it_equals_the_plain_formulation_in_loss_gradients_and_running_averages(plain, batch):
    ours = uni_sign_from(plain.state_dict()).train().double()  # so that no ReLU flips by rounding
    ours.language_model.eval()  # no dropout
    plain.double()
    batch = (batch[0].double(), *batch[1:])
    loss, plain_loss = ours(*batch), plain(*batch)
    assert loss.item() == pytest.approx(plain_loss.item(), abs=1e-9)
    loss.backward()
    plain_loss.backward()

    gradients = {name: p.grad for name, p in plain.named_parameters(remove_duplicate=False)}
    expected = _renamed(plain, gradients)
    found = dict(ours.poses.named_parameters(prefix="poses"))
    assert len(found) == 159
    for name, parameter in found.items():
        expected_grad = expected[name].double()  # imported, so rounded to float32
        assert torch.allclose(parameter.grad, expected_grad, rtol=1e-5, atol=1e-8), name
    after = uni_sign_from(plain.state_dict()).poses
    for name, average in ours.poses.named_buffers():
        assert torch.allclose(average.float(), after.get_buffer(name).float(), atol=1e-5), name


def test_half_precision_goes_the_other_way_and_arrives_nearby(plain, batch):
    model = uni_sign_from(plain.state_dict())
    features = model.poses(batch[0])
    with torch.autocast("cpu", torch.bfloat16):
        halves = model.poses(batch[0])
    halves.sum().backward()
    assert (halves - features).abs().max() < 0.05 * features.abs().max()
    assert model.poses.parts["hand"].spatial[0].graph.adjacency.grad.abs().sum() > 0


def test_the_pose_encoder_exports(plain, batch):
    model = uni_sign_from(plain.state_dict()).poses
    with torch.no_grad():
        program = torch.export.export(model, (batch[0],))
        assert torch.allclose(program.module()(batch[0]), model(batch[0]), atol=1e-5)


def _renamed(plain, gradients):
    """The plain model's gradients by our names: imported like the weights that they belong to."""
    state = {k: torch.zeros_like(v) for k, v in plain.state_dict().items()}
    state |= {k: v for k, v in gradients.items() if v is not None and not k.startswith("mt5")}
    return dict(uni_sign_from(state).poses.named_parameters(prefix="poses"))


def test_an_import_accounts_for_every_entry(plain):
    state = plain.state_dict()
    for change, message in (
        ({"gate.weight": torch.zeros(1)}, "gate.weight"),
        ({"rgb_proj.weight": torch.zeros(1)}, "fusion"),
        ({"fusion_pose_rgb_linear.bias": torch.zeros(1)}, "fusion_pose_rgb_linear"),
        ({"proj_linear.left.bias": torch.ones(64)}, "right hand"),
        ({"part_para": torch.zeros(3)}, "part_vector"),
    ):
        with pytest.raises(ValueError, match=message):
            uni_sign_from(state | change)
    for name in ("pose_proj.weight", "gcn_modules.body.layer0_0.gcn.A", "mt5_model.shared.weight"):
        with pytest.raises(ValueError):
            uni_sign_from({k: v for k, v in state.items() if k != name})


def test_a_language_model_whose_two_matrices_differ_stays_so(plain, tmp_path, batch):
    state = plain.state_dict() | {"mt5_model.lm_head.weight": torch.randn(300, 32)}
    model = uni_sign_from(state)
    assert not model.config.tied
    save_checkpoint(tmp_path / "c", model, {}, {})
    loaded, _, _ = load_checkpoint(tmp_path / "c")
    assert torch.equal(loaded.language_model.lm_head.weight, state["mt5_model.lm_head.weight"])
    with torch.no_grad():
        assert torch.equal(loaded(*batch), model(*batch))


def test_the_command_writes_a_checkpoint_that_loads(plain, tmp_path, batch):
    torch.save({"model": plain.state_dict()}, tmp_path / "theirs.pth")
    arguments = ["import", "uni-sign", str(tmp_path / "theirs.pth"), "--language", "Chinese"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0 and "pose-only" in result.output
    loaded, info, _ = load_checkpoint(tmp_path / "theirs")
    assert info["language"] == "Chinese" and json.dumps(info)
    with torch.no_grad():
        assert loaded(*batch).item() == pytest.approx(plain.eval()(*batch).item(), abs=1e-5)


def test_with_its_tokenizer_an_import_can_answer(plain, tmp_path):
    file, out = tmp_path / "theirs.pth", tmp_path / "ours"
    torch.save({"model": plain.state_dict()}, file)
    train_tokenizer(["good morning", "hello"], 40).save_pretrained(tmp_path / "words")
    write_imported(file, out, "Chinese", str(tmp_path / "words"), "glosses")
    network, task = load_for_answers(out, {})
    clip = PoseSequence(np.zeros((3, 69, 3), np.float32), np.ones((3, 69), np.float32), 25, SIGN69)
    prepared = task.prepare(Clip("a", "s", "test", ("HELLO",), "", "csl", "zh", clip))
    assert [(q.kind, q.prompt) for q in prepared.questions] == [("glosses", "Chinese")]
    answers = task.predict(network, task.batch([prepared], None, 0))
    assert answers["glosses"][0].truth == "HELLO"

    train_tokenizer([f"word{i} {chr(200 + i)}" for i in range(300)], 400).save_pretrained(
        tmp_path / "many"
    )
    for tokenizer, asks, message in (
        (str(tmp_path / "many"), "text", "language model 300"),
        (str(tmp_path / "none"), "text", "no tokenizer"),
        (str(tmp_path / "words"), "poems", "known: text, glosses"),
    ):
        with pytest.raises(ValueError, match=message):
            write_imported(file, tmp_path / "other", "", tokenizer, asks)
    assert not (tmp_path / "other" / "config.json").exists()


def test_a_file_that_would_run_code_is_refused(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path(tmp_path / "sprung").touch, ())

    (tmp_path / "trap.pth").write_bytes(pickle.dumps({"model": Trap()}))
    with pytest.raises(ValueError, match="plain tensors"):
        import_uni_sign(tmp_path / "trap.pth")
    assert not (tmp_path / "sprung").exists()
    for junk in (b"", b"PK", b"hello world, this is nothing " * 10):
        (tmp_path / "junk.pth").write_bytes(junk)
        with pytest.raises(ValueError, match="plain tensors"):
            import_uni_sign(tmp_path / "junk.pth")
    with pytest.raises(FileNotFoundError, match="no file"):
        import_uni_sign(tmp_path / "none.pth")


def test_a_language_model_comes_from_a_folder_and_mistakes_are_one_line(tmp_path):
    source = UniSign(UniSignConfig(TINY_T5)).language_model
    source.save_pretrained(tmp_path / "t5")
    model = UniSign.with_language_model(str(tmp_path / "t5"), label_smoothing=0.1)
    assert torch.equal(model.language_model.shared.weight, source.shared.weight)
    assert model.config.label_smoothing == 0.1 and json.dumps(model.config.language_model)
    with pytest.raises(ValueError, match="config.json"):
        UniSign.with_language_model(str(tmp_path / "nothing"))
    with pytest.raises(ValueError, match="t5 or mt5"):
        UniSign(UniSignConfig({"model_type": "bert"}))


def test_wrong_keypoints_are_a_one_line_error(batch):
    with pytest.raises(ValueError, match="preprocess_uni_sign"):
        UniSign(UniSignConfig(TINY_T5)).poses(torch.zeros(1, 5, 69, 4))


def test_filling_repeats_the_last_frame():
    keypoints, mask = pad_clips([torch.rand(2, 69, 3), torch.rand(4, 69, 3)])
    assert mask.tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert torch.equal(keypoints[0, 1], keypoints[0, 3])
    with pytest.raises(ValueError, match="at least one frame"):
        pad_clips([torch.zeros(0, 69, 3)])


def test_it_learns_eight_sentences_by_heart():
    torch.manual_seed(0)
    model = UniSign(UniSignConfig(TINY_T5, label_smoothing=0.0))
    held = torch.rand(8, 1, 69, 3) * 2 - 1  # each clip a pose of its own, hardly moving
    keypoints, mask = pad_clips([*(held + 0.05 * torch.randn(8, 2, 69, 3))])
    prompt = tokenize_prompts(Letters(), ["English"] * 8)
    labels = torch.cat([torch.randint(3, 300, (8, 5)), torch.ones(8, 1, dtype=torch.long)], dim=1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(300):
        loss = model(keypoints, mask, prompt, labels)
        if loss < 0.03:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.05
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm1d):  # averages of 0.1 a step lag behind so short a course
            norm.reset_running_stats()
            norm.momentum = None
    with torch.no_grad():
        model.poses(keypoints)
    texts = model.eval().generate(keypoints, mask, prompt, max_tokens=8)
    assert torch.equal(texts[:, 1:7], labels)


@pytest.fixture
def clip():
    rng = np.random.default_rng(0)
    xyz = rng.random((10, 69, 3), dtype=np.float32)
    confidence = rng.random((10, 69), dtype=np.float32)
    return PoseSequence(xyz, confidence, 25.0, SIGN69)


def test_normalised_points_are_in_their_box_and_the_unsure_ones_zero(clip):
    keypoints = preprocess_uni_sign(clip)
    assert keypoints.shape == (10, 69, 3) and keypoints.dtype == np.float32
    assert np.abs(keypoints).max() <= 1
    assert (keypoints[clip.confidence <= 0.3] == 0).all()
    body = keypoints[:, SIGN69.groups["body"]]
    assert max(np.ptp(body[..., 0]), np.ptp(body[..., 1])) == pytest.approx(2, abs=1e-5)


def test_normalisation_does_not_care_where_and_how_big_the_signer_is(clip):
    moved = PoseSequence(clip.xyz * 0.5 + 0.2, clip.confidence, 25.0, SIGN69)
    assert np.allclose(preprocess_uni_sign(clip), preprocess_uni_sign(moved), atol=1e-5)


def test_a_clip_without_a_body_is_all_zeros(clip):
    confidence = clip.confidence.copy()
    confidence[:, SIGN69.groups["body"]] = 0.1
    assert not preprocess_uni_sign(PoseSequence(clip.xyz, confidence, 25.0, SIGN69)).any()


@needs_proofs
def test_normalisation_equals_the_authors():
    golden = np.load(PROOFS / "uni_sign_normalise_golden.npz")
    xyz = np.pad(golden["keypoints"], ((0, 0), (0, 0), (0, 1)))
    keypoints = preprocess_uni_sign(PoseSequence(xyz, golden["confidence"], 25.0, COCO_WHOLEBODY))
    for group, part in zip(GROUPS, THEIR_PARTS, strict=True):
        assert np.abs(keypoints[:, SIGN69.groups[group]] - golden[part]).max() <= 1e-6


@needs_proofs
def test_outputs_equal_those_of_the_authors_own_code():
    model = import_uni_sign(PROOFS / "uni_sign_pose_only.pth")
    with np.load(PROOFS / "uni_sign_pose_only_golden.npz") as file:
        golden = {name: torch.from_numpy(file[name]) for name in file}
    keypoints = torch.cat([golden[part] for part in THEIR_PARTS], dim=2)
    text = PROMPT.format(language="Chinese")
    ids = torch.tensor([[ord(c) % 500 + 3 for c in text] + [1]]).expand(2, -1)
    prompt = Prompt(ids, torch.ones_like(ids))
    for grad in (False, True):
        with torch.set_grad_enabled(grad):
            embeds, _ = model.embed(keypoints, golden["attention_mask"], prompt)
        assert (embeds - golden["inputs_embeds"]).abs().max() <= 1e-4
