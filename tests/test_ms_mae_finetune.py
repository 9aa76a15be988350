"""Single signs by MS-MAE: [CLS], the frozen probe, and weights taken from a pre-training."""

from pathlib import Path

import pytest
import torch

from fingerpost.edge_runtime.keypoints import MSMAE, SIGN69, to_view
from fingerpost.edge_runtime.preprocess import preprocess, resample_window, trim
from fingerpost.edge_runtime.preprocess_ms_mae import preprocess_ms_mae
from fingerpost.trainer.checkpoint import load_checkpoint, resolve_checkpoint, save_checkpoint
from fingerpost.trainer.evaluate import evaluate_checkpoint
from fingerpost.trainer.models.ms_mae import MsMae, MsMaeConfig
from fingerpost.trainer.models.ms_mae_classifier import (
    OF_SIGN69,
    MsMaeClassifier,
    MsMaeClassifierConfig,
)
from fingerpost.trainer.network import new_network
from fingerpost.trainer.recipe import Recipe, read_recipe
from fingerpost.trainer.shards import open_shards
from fingerpost.trainer.tasks import find_task
from fingerpost.trainer.train import load_data, train

pytestmark = pytest.mark.usefixtures("one_thread")

ENCODER = {"width": 16, "depth": 2, "heads": 2, "decoder_depth": 1}
RECIPE = """
task = "isolated"
[data]
train = ["{shards}"]
buckets = 0
[model]
network = "ms_mae"
encoder = {{ width = 16, depth = 2, heads = 2, decoder_depth = 1 }}
[settings]
window = 12
augment = {{ mirror = 0, drop_body = 0 }}
[training]
steps = 4
batch = 16
lr = 1e-2
warmup = 0.2
validate_every = 100
save_every = 100
"""


def recipe_of(folder: Path, shards: Path, **changes: object) -> Recipe:
    path = folder / "recipe.toml"
    path.write_text(RECIPE.format(shards=shards.as_posix()))
    return read_recipe(path, [f"{key}={value}" for key, value in changes.items()])


def classifier(pool: str = "cls", **encoder: object) -> MsMaeClassifier:
    torch.manual_seed(0)
    config = MsMaeClassifierConfig(5, 12, {**ENCODER, **encoder}, pool)
    return MsMaeClassifier(config).eval()


def clips(n: int = 3) -> torch.Tensor:
    keypoints = torch.randn(n, 12, 48, 4, generator=torch.Generator().manual_seed(1))
    keypoints[..., 3] = 1
    return keypoints


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pre-training's checkpoint."""
    folder = tmp_path_factory.mktemp("pretrained")
    torch.manual_seed(5)
    save_checkpoint(folder, MsMae(MsMaeConfig(**ENCODER)), {"task": "ms_mae"}, {})
    return folder


def ignore(*_: object) -> None:
    pass


def test_the_points_of_msmae_are_the_same_ones_in_sign69() -> None:
    assert [SIGN69.points[i] for i in OF_SIGN69] == list(MSMAE.points[:48])


@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_logits_of_either_view(pool: str) -> None:
    model, keypoints = classifier(pool), clips()
    sign69 = torch.zeros(3, 12, 69, 4)
    sign69[:, :, list(OF_SIGN69)] = keypoints
    with torch.no_grad():
        logits = model(keypoints)
        assert logits.shape == (3, 5)
        assert torch.equal(model(sign69), logits)


def test_both_ways_to_prepare_a_clip_give_the_same_numbers(shards: Path) -> None:
    """On a device ``preprocess_ms_mae`` may be used, in training ``preprocess`` is."""
    sequence = open_shards(shards)[0].sequence
    ours = preprocess(to_view(sequence, SIGN69), 12)[0][:, list(OF_SIGN69)]
    assert resample_window(preprocess_ms_mae(trim(sequence)), 12) == pytest.approx(ours, abs=1e-5)


@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_what_was_not_seen_of_one_clip_does_not_depend_on_the_others(pool: str) -> None:
    model, keypoints = classifier(pool), clips()
    keypoints[0, :, :27] = 0  # no body, no left hand
    keypoints[1] = 0  # nothing at all
    with torch.no_grad():
        together = model(keypoints)
        alone = torch.cat([model(clip[None]) for clip in keypoints])
    assert together.isfinite().all()
    assert torch.allclose(together, alone, atol=1e-5)


def test_the_mean_is_over_tokens_that_there_are() -> None:
    model, keypoints = classifier("mean"), clips(1)
    keypoints[:, :, :27] = 0  # the right hand alone: 3 of 9 tokens
    with torch.no_grad():
        states = model.encoder(keypoints)[0, 2]  # (3, D)
        assert torch.allclose(model.features(keypoints)[0], states.mean(dim=0), atol=1e-5)


def test_a_frozen_encoder_is_not_disturbed_by_dropout() -> None:
    model, keypoints = classifier("mean", dropout=0.5, drop_path=0.5).train(), clips()
    assert not torch.equal(model(keypoints), model(keypoints))
    model.encoder.requires_grad_(False)
    model.train()
    assert torch.equal(model(keypoints), model(keypoints))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model.network": "pockets"}, r"network 'pockets'; known: pocket, ms_mae"),
        ({"model.pool": "max"}, "pool 'max'; known: cls, mean"),
        ({"model.n_blocks": 2}, "of ms_mae has no n_blocks; known: network, encoder, pool"),
        ({"model.encoder.widths": 8}, r"\[model.encoder\] has no widths; known: width"),
        ({"model.encoder.face": "true"}, "without a face"),
    ],
)
def test_a_model_that_cannot_be_is_refused(
    tmp_path: Path, shards: Path, changes: dict[str, object], said: str
) -> None:
    recipe = recipe_of(tmp_path, shards, **changes)
    with pytest.raises(ValueError, match=said) as error:
        find_task("isolated").from_data(recipe.settings, _train(recipe), None).new_model(
            recipe.model
        )
    assert "\n" not in str(error.value)


def _train(recipe: Recipe):
    return load_data(recipe)[1]


def test_it_learns_a_handful_of_clips_by_its_cls_token(tmp_path: Path, shards: Path) -> None:
    still = "{ mirror = 0, drop_body = 0, turn = 0, shear = 0, shift = 0, hand_turn = 0 }"
    changes = {"training.steps": 130, "training.lr": 5e-3, "model.encoder.width": 32}
    recipe = recipe_of(tmp_path, shards, **changes, **{"settings.augment": still})
    best = train(recipe, tmp_path / "out", ignore)
    found = evaluate_checkpoint(tmp_path / "out", [str(shards)], "train", n_resamples=0)
    assert found["isolated"][0].figures["top1"].value == 100
    assert best["isolated.top1"] >= 75


def test_a_start_takes_the_encoder_and_leaves_the_decoder(
    tmp_path: Path, shards: Path, pretrained: Path
) -> None:
    recipe = recipe_of(
        tmp_path, shards, start_from=f'"{pretrained}"', fresh='["decoder.", "cls", "head."]'
    )
    network = new_network(recipe, load_data(recipe)[0])
    there = load_checkpoint(pretrained)[0].state_dict()
    taken = {name for name in network.state_dict() if name.startswith("encoder.")}
    assert taken == {name for name in there if name.startswith("encoder.")}
    assert all(torch.equal(network.state_dict()[name], there[name]) for name in taken)


def test_a_start_of_another_width_is_one_line(
    tmp_path: Path, shards: Path, pretrained: Path
) -> None:
    changes = {"start_from": f'"{pretrained}"', "fresh": '["decoder.", "cls", "head."]'}
    recipe = recipe_of(tmp_path, shards, **changes, **{"model.encoder.width": 32})
    with pytest.raises(ValueError, match=r"start_from: encoder\..* does not fit") as error:
        new_network(recipe, load_data(recipe)[0])
    assert "\n" not in str(error.value)


def test_a_probe_leaves_the_encoder_as_it_was_bit_for_bit(
    tmp_path: Path, shards: Path, pretrained: Path
) -> None:
    changes = {"start_from": f'"{pretrained}"', "fresh": '["decoder.", "head."]'}
    changes |= {"model.pool": "mean", "frozen": '["encoder."]', "training.ema": 0.5}
    train(recipe_of(tmp_path, shards, **changes), tmp_path / "out", ignore)
    after = load_checkpoint(resolve_checkpoint(tmp_path / "out"))[0].state_dict()
    before = load_checkpoint(pretrained)[0].state_dict()
    kept = [name for name in after if name.startswith("encoder.")]
    assert kept and all(torch.equal(after[name], before[name]) for name in kept)
