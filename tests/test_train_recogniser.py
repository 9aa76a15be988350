"""Training the recogniser: what a span is called, what augmentation may do, that it learns."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from fingerpost.edge_runtime.keypoints import SIGN69
from fingerpost.trainer.augment import AugmentSettings, augment, evenly
from fingerpost.trainer.checkpoint import load_checkpoint, save_checkpoint
from fingerpost.trainer.models.pocket import Pocket, PocketConfig
from fingerpost.trainer.recogniser_data import CLIP_FRAMES, REJECT, gloss_of_span, signer_spans
from fingerpost.trainer.train_recogniser import Pool, Recipe, accuracy, train, vocabulary_of

pytestmark = pytest.mark.usefixtures("one_thread")

TRUTH = [("how", 1000, 1500), ("you", 1800, 2200)]
VOCABULARY = (REJECT, "hello", "book", "drink")
OFF = AugmentSettings(**{field.name: 0.0 for field in fields(AugmentSettings)})
TINY = PocketConfig(n_labels=len(VOCABULARY), width=32, n_blocks=2, n_heads=2, dropout=0.0)


@pytest.fixture(scope="module")
def spans():
    return signer_spans(VOCABULARY, n_sentences=24, seed=0)


@pytest.mark.parametrize(
    ("start", "end", "gloss"),
    [
        (1000, 1500, "how"),
        (900, 1700, "how"),  # with the ways to and from it
        (1050, 1480, "how"),  # 86 % of it
        (1500, 1800, REJECT),  # the way between two signs
        (1000, 1240, REJECT),  # half a sign
        (1000, 2200, REJECT),  # two signs
        (3000, 4000, REJECT),  # nothing
        (1000, 1350, None),  # 70 %: too close to call
        (100, 1600, None),  # a whole second before it
    ],
)
def test_what_a_span_is_called(start, end, gloss):
    assert gloss_of_span(start, end, TRUTH) == gloss


def test_every_gloss_of_the_signer_and_no_sign_get_spans(spans):
    assert set(spans.label) == set(range(len(VOCABULARY)))
    assert spans.clips.shape[1:] == (CLIP_FRAMES, 69, 4)
    assert np.isfinite(spans.clips.astype(np.float32)).all()


def test_augmentation_is_repeatable_and_keeps_unseen_points_at_zero(spans):
    clips = torch.from_numpy(spans.clips[:16])
    one, two = (
        augment(clips, 48, torch.Generator().manual_seed(3), AugmentSettings()) for _ in range(2)
    )
    other = augment(clips, 48, torch.Generator().manual_seed(4), AugmentSettings())
    assert one.shape == (16, 48, 69, 4)
    assert torch.equal(one, two) and not torch.equal(one, other)
    assert (one[..., :3][one[..., 3] == 0] == 0).all()
    assert torch.isfinite(one).all()


def test_augmentation_with_everything_off_only_jitters_time(spans):
    clips = torch.from_numpy(spans.clips[:8])
    keypoints = augment(clips, 48, torch.Generator().manual_seed(0), OFF)
    moved = (keypoints - evenly(clips, 48))[..., :2].abs()
    assert moved.mean() < 0.02
    assert (keypoints[..., 3] > 0).eq(evenly(clips, 48)[..., 3] > 0).float().mean() > 0.95


def test_a_mirrored_batch_has_its_hands_exchanged(spans):
    clips = torch.from_numpy(spans.clips[:8])
    keypoints, plain = (
        augment(clips, 48, torch.Generator().manual_seed(0), settings)
        for settings in (replace(OFF, mirror=1.0), OFF)
    )
    left, right = SIGN69.groups["left_hand"], SIGN69.groups["right_hand"]
    assert torch.allclose(keypoints[:, :, left, 0], -plain[:, :, right, 0], atol=1e-3)
    assert torch.allclose(keypoints[:, :, left, 1:], plain[:, :, right, 1:], atol=1e-3)


def test_the_network_gives_no_weight_to_groups_that_were_not_seen():
    torch.manual_seed(0)
    model = Pocket(TINY).eval()
    keypoints = torch.rand(2, 48, 69, 4)
    keypoints[..., 3] = 0
    other = keypoints.clone()
    other[..., :3] = 7.0
    with torch.no_grad():
        assert torch.allclose(model(keypoints), model(other), atol=1e-5)


def test_the_full_size_is_small_enough_for_a_phone():
    n_labels = len(vocabulary_of(None)) + 100
    model = Pocket(PocketConfig(n_labels=n_labels))
    assert sum(p.numel() for p in model.parameters()) <= 2_500_000


def test_it_learns_and_comes_back_from_its_checkpoint(spans, tmp_path):
    torch.manual_seed(0)
    model = Pocket(TINY)
    before = accuracy(model.eval(), spans)["top1"]
    recipe = Recipe(steps=120, batch=24, peak_lr=4e-3, average=0.9)
    model = train(model, [Pool(spans, 0.9), Pool(spans, 0.1, part=True)], recipe, seed=0, reject=0)
    after = accuracy(model, spans)
    assert after["top1"] > max(0.7, before + 0.2)
    assert after["n"] == len(spans)

    save_checkpoint(tmp_path / "c", model, {"vocabulary": list(VOCABULARY)}, {"train": after})
    loaded, info, metrics = load_checkpoint(tmp_path / "c")
    assert info["vocabulary"] == list(VOCABULARY) and metrics["train"] == after
    keypoints = evenly(torch.from_numpy(spans.clips[:4]), 48)
    with torch.no_grad():
        assert torch.equal(loaded(keypoints), model(keypoints))


def test_a_folder_that_is_no_checkpoint_is_a_one_line_error(tmp_path):
    with pytest.raises(ValueError, match="model.safetensors"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", "{", "is not JSON"),
        ("config.json", "[]", "is not a JSON object"),
        ("config.json", '{"model": "huge"}', "unknown model 'huge'; known: .*pocket"),
        ("config.json", '{"model": "pocket", "config": {"n_labels": 9}}', "is damaged or not of"),
        ("model.safetensors", "short", "is damaged or not of"),
    ],
)
def test_a_damaged_checkpoint_is_a_one_line_error(tmp_path, name, content, message):
    save_checkpoint(tmp_path, Pocket(PocketConfig(n_labels=3)), {}, {})
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message) as error:
        load_checkpoint(tmp_path)
    assert "\n" not in str(error.value)
