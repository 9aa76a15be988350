"""Fine-tuning with rounded numbers wins back what rounding alone loses, and gives a checkpoint."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from fingerpost.distill import fake_quant
from fingerpost.distill.fake_quant import fake_quantised
from fingerpost.distill.qat import recipe_for, train_quantised
from fingerpost.distill.scheme import Scheme
from fingerpost.trainer.checkpoint import load_checkpoint, resolve_checkpoint
from fingerpost.trainer.evaluate import load_for_answers
from fingerpost.trainer.feed import Clips
from fingerpost.trainer.models.pocket_graphs import Graph
from fingerpost.trainer.recipe import read_recipe
from fingerpost.trainer.train import train

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPE = """
task = "isolated"
[data]
train = ["{shards}"]
val_split = ""
buckets = 0
cache = true
[model]
width = 32
n_blocks = 1
n_heads = 2
dropout = 0.0
[settings]
window = 12
label_smoothing = 0.0
[settings.augment]  # of none: 24 clips are to be learned by heart
cut = 0
warp = 0
mirror = 0
turn = 0
stretch = 0
shear = 0
shift = 0
hand_turn = 0
hand_size = 0
noise = 0
drop_frames = 0
drop_run = 0
drop_body = 0
doubt = 0
[training]
steps = 300
batch = 12
lr = 1e-2
"""
INT4 = Scheme("int4")


def graphs_of(network: Any) -> dict[str, Graph]:
    """As if a recogniser were a language model, whose linear layers int4 is for."""
    example = (torch.zeros(1, network.config.window, 69, 4),)
    return {"read": Graph(network.eval(), example, ("keypoints",), ("logits",))}


def train_float(folder: Path, shards: Path, **changes: object) -> Path:
    recipe = folder / "recipe.toml"
    recipe.write_text(RECIPE.format(shards=shards.as_posix()))
    lines = [f"{key}={value}" for key, value in changes.items()]
    train(read_recipe(recipe, lines), folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, shards: Path) -> Path:
    """Hardly: two steps."""
    return train_float(tmp_path_factory.mktemp("float"), shards, **{"training.steps": 2})


@torch.no_grad()
def loss_of(folder: Path, shards: Path, scheme: Scheme) -> float:
    """The cross-entropy of all clips, with the numbers rounded."""
    network, task = load_for_answers(folder, {})
    batch = task.batch([task.prepare(clip) for clip in Clips([str(shards)], "train")], None, 0)
    with fake_quantised(graphs_of(network), scheme):
        return sum(term.item() for term in task.losses(network, batch).values())


@pytest.mark.slow
def test_training_wins_back_what_rounding_loses(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With three values for a weight, -1, 0 and 1 times a scale, so that there is much to lose."""
    monkeypatch.setitem(fake_quant.LIMITS, "int4", (-1, 1))
    (tmp_path / "more").mkdir()
    trained = train_float(tmp_path, shards)
    in_float, rounded = (loss_of(trained, shards, Scheme(kind)) for kind in ("none", "int4"))
    assert rounded > 20 * in_float
    recipe = recipe_for(trained, INT4, 100, lr=5e-3)
    train_quantised(recipe, tmp_path / "out", graphs_of)
    adapted = loss_of(tmp_path / "out", shards, INT4)
    same = {"start_from": recipe.start_from, "training.steps": 100, "training.lr": 5e-3}
    longer = train_float(tmp_path / "more", shards, **same)  # the same steps without rounding
    assert adapted < rounded / 10
    of_longer = loss_of(longer, shards, INT4)
    assert adapted < of_longer / 4, f"{in_float} {rounded} {adapted} {of_longer}"


def test_what_comes_out_is_a_plain_checkpoint(trained: Path, tmp_path: Path) -> None:
    keep = frozenset({"read.head"})
    recipe = recipe_for(trained, Scheme("int8", keep), 2)
    train_quantised(recipe, tmp_path / "out", graphs_of)
    network, info, _ = load_checkpoint(resolve_checkpoint(tmp_path / "out"))
    before, _, _ = load_checkpoint(resolve_checkpoint(trained))
    assert info["recipe"]["quantise"] == {"kind": "int8", "keep": ["read.head"]}
    assert type(network.hand[0]) is type(before.hand[0])
    for (name, now), was in zip(network.named_parameters(), before.parameters(), strict=True):
        assert now.dtype == torch.float32 and not torch.equal(now, was), name
    with pytest.raises(ValueError, match="holds a training by another recipe .quantise.keep."):
        train_quantised(recipe_for(trained, Scheme("int8"), 2), tmp_path / "out", graphs_of)


def test_the_recipe_is_the_networks_own_at_a_lower_rate(trained: Path) -> None:
    checkpoint = resolve_checkpoint(trained)
    recipe = recipe_for(trained, Scheme("int4", frozenset({"b", "a"})), 10, shards=["other"])
    assert recipe.task == "isolated" and recipe.model["width"] == 32
    assert recipe.training.lr == pytest.approx(1e-3) and recipe.training.steps == 10
    assert recipe.start_from == str(checkpoint) and recipe.data.train == ("other",)
    assert recipe.scheme == Scheme("int4", frozenset({"a", "b"}))
    assert recipe_for(trained, INT4, 10, lr=0.5).training.lr == 0.5
    with pytest.raises(ValueError, match="steps are at least 1, got 0"):
        recipe_for(trained, INT4, 0)
    with pytest.raises(ValueError, match="is no checkpoint"):
        recipe_for(trained / "none", INT4, 1)


def test_a_scheme_that_rounds_nothing_is_refused(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing of the network would be rounded"):
        train_quantised(recipe_for(trained, Scheme(), 1), tmp_path / "out", graphs_of)
    unknown = recipe_for(trained, Scheme("int8", frozenset({"read.tail"})), 1)
    with pytest.raises(ValueError, match="no layer 'read.tail' to keep; there are read.hand.0"):
        train_quantised(unknown, tmp_path / "out", graphs_of)
    assert not (tmp_path / "out").exists()


def test_gradients_reach_the_weights_through_rounded_layers(shards: Path) -> None:
    layer = nn.Linear(32, 2).eval()
    example = torch.randn(3, 32)
    with fake_quantised({"read": Graph(layer, (example,), ("x",), ("y",))}, INT4):
        layer(example).sum().backward()
    rounded = fake_quant.round_input(example, None, True)
    assert layer.weight.grad is not None
    assert torch.allclose(layer.weight.grad, rounded.sum(dim=0).expand(2, -1), atol=1e-5)
