"""The loop: it learns, goes on bit for bit after a kill, and is the same on two processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fingerpost.edge_runtime.keypoints import MEDIAPIPE_HOLISTIC, SIGN69, PoseSequence
from fingerpost.trainer.checkpoint import load_checkpoint, resolve_checkpoint
from fingerpost.trainer.evaluate import evaluate_checkpoint
from fingerpost.trainer.feed import Clips, Order
from fingerpost.trainer.network import merged, new_network
from fingerpost.trainer.recipe import read_recipe
from fingerpost.trainer.shards import ShardsAbout, open_shards, write_shards
from fingerpost.trainer.tasks import find_task
from fingerpost.trainer.train import train

pytestmark = pytest.mark.usefixtures("one_thread")

ISOLATED = """
task = "isolated"
[data]
train = ["{shards}"]
buckets = 0
[model]
width = 16
n_blocks = 1
n_heads = 2
dropout = {dropout}
[settings]
window = 12
augment = {{ mirror = 0, drop_body = 0 }}
[training]
steps = 12
batch = 4
lr = 3e-3
warmup = 0.2
ema = 0.9
validate_every = 6
save_every = 5
"""

TRANSLATION = """
task = "translation"
[data]
train = ["{shards}"]
[model]
label_smoothing = 0.0
[model.language_model]
model_type = "mt5"
d_model = 32
d_kv = 8
d_ff = 32
num_layers = 1
num_decoder_layers = 1
num_heads = 2
dropout_rate = {dropout}
[settings]
asks = ["text", "glosses"]
align = 1.0
beams = 1
max_tokens = 8
[training]
steps = 4
batch = 4
lr = 1e-3
save_every = 2
validate_every = 4
"""


def recipe_of(text: str, folder: Path, shards: Path, dropout: float = 0.1, **changes):
    path = folder / "recipe.toml"
    path.write_text(text.format(shards=shards.as_posix(), dropout=dropout))
    return read_recipe(path, [f"{key}={value}" for key, value in changes.items()])


def losses(out: Path) -> list[tuple[int, float]]:
    lines = (out / "log.jsonl").read_text().splitlines()
    return [(row["step"], row["loss"]) for row in map(json.loads, lines)]


def ignore(*_):
    pass


def test_it_learns_and_its_checkpoint_answers(tmp_path, shards):
    changes = {"training.steps": 150, "training.lr": 0.01, "training.batch": 16}
    recipe = recipe_of(ISOLATED, tmp_path, shards, 0.0, **changes)
    best = train(recipe, tmp_path / "out", ignore)
    found = evaluate_checkpoint(tmp_path / "out", [str(shards)], "val", n_resamples=0)
    evaluation, said = found["isolated"]
    assert evaluation.figures["top1"].value == best["isolated.top1"] >= 75
    assert {p.id for p in said} == {f"clip{i}" for i in range(16, 24)}


@pytest.mark.parametrize("task", ["isolated", "translation"])
def test_a_task_makes_its_view_of_what_an_extractor_gives(shards, task):
    clip = open_shards(shards)[0]
    n_frames, n_points = len(clip.sequence), len(MEDIAPIPE_HOLISTIC)
    xyz = np.random.default_rng(0).random((n_frames, n_points, 3), np.float32)
    seen = np.ones((n_frames, n_points), np.float32)
    sequence = PoseSequence(xyz, seen, 25.0, MEDIAPIPE_HOLISTIC)
    made = find_task(task).from_data({}, Clips([str(shards)], "train"), None)
    prepared = made.prepare(replace(clip, sequence=sequence))
    assert prepared.keypoints.shape[1] == len(SIGN69)


@pytest.mark.parametrize("text", [ISOLATED, TRANSLATION], ids=["isolated", "translation"])
def test_a_training_that_is_cut_short_goes_on_bit_for_bit(tmp_path, shards, text):
    recipe = recipe_of(text, tmp_path, shards)
    train(recipe, tmp_path / "whole", ignore)

    class Killed(Exception):
        pass

    def die(step, *_):
        if step == recipe.training.steps - 1:  # after the last state was saved
            raise Killed

    with pytest.raises(Killed):
        train(recipe, tmp_path / "cut", die)
    train(recipe, tmp_path / "cut", ignore)
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    weights = [load_checkpoint(resolve_checkpoint(tmp_path / o))[0] for o in ("whole", "cut")]
    for a, b in zip(*(w.state_dict().values() for w in weights), strict=True):
        assert torch.equal(a, b)


def start_training(recipe: Path, out: Path, *launcher: str, **environment) -> subprocess.Popen:
    code = textwrap.dedent(
        """
        import os, sys, torch
        from pathlib import Path
        from fingerpost.trainer.recipe import read_recipe
        from fingerpost.trainer.train import train
        torch.set_num_threads(1)
        if "IN_DOUBLE" in os.environ:
            torch.set_default_dtype(torch.float64)
        train(read_recipe(Path(sys.argv[1])), Path(sys.argv[2]), lambda *_: None)
        """
    )
    script = out.with_suffix(".py")
    script.write_text(code)
    command = [sys.executable, *launcher, str(script), str(recipe), str(out)]
    return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1", **environment})


def test_kill_9_at_any_moment_loses_nothing(tmp_path, shards):
    recipe = recipe_of(ISOLATED, tmp_path, shards, **{"training.steps": 40})
    path = tmp_path / "longer.toml"
    path.write_text((tmp_path / "recipe.toml").read_text().replace("steps = 12", "steps = 40"))
    train(recipe, tmp_path / "whole", ignore)
    cut = tmp_path / "cut"
    process = start_training(path, cut)
    log = cut / "log.jsonl"
    while process.poll() is None and not (log.is_file() and len(log.read_bytes()) > 2000):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL, "it was over before it could be killed"
    train(recipe, cut, ignore)
    assert losses(cut) == losses(tmp_path / "whole")


@pytest.mark.parametrize("text", [ISOLATED, TRANSLATION], ids=["isolated", "translation"])
def test_two_processes_give_the_losses_of_one(tmp_path, shards, text):
    """Without dropout, for that each process draws by itself; and in double precision, for in a
    network with batch normalisation, rounding alone flips a ReLU here and there."""
    recipe_of(text, tmp_path, shards, 0.0)
    whole, halves = tmp_path / "recipe.toml", tmp_path / "halves.toml"
    halves.write_text(whole.read_text().replace("batch = 4", "batch = 2"))
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    one = start_training(whole, tmp_path / "one", IN_DOUBLE="1")
    two = start_training(halves, tmp_path / "two", *launcher, IN_DOUBLE="1")
    assert one.wait() == two.wait() == 0
    np.testing.assert_allclose(losses(tmp_path / "two"), losses(tmp_path / "one"), atol=1e-5)


def test_accumulation_gives_the_losses_of_one_large_batch(tmp_path, shards):
    whole = recipe_of(ISOLATED, tmp_path, shards, 0.0)
    train(whole, tmp_path / "whole", ignore)
    changes = {"training.batch": 2, "training.accumulation": 2}
    parts = recipe_of(ISOLATED, tmp_path, shards, 0.0, **changes)
    train(parts, tmp_path / "parts", ignore)
    np.testing.assert_allclose(losses(tmp_path / "parts"), losses(tmp_path / "whole"), atol=1e-5)


def test_adapters_learn_alone_and_melt_into_the_checkpoint(tmp_path, shards):
    changes = {"lora.rank": 2, "lora.train": [], "training.lr": 0.05}
    recipe = recipe_of(TRANSLATION, tmp_path, shards, 0.0, **changes)
    task = find_task("translation").from_data(
        {"asks": ["text"]}, Clips([str(shards)], "train"), None
    )
    torch.manual_seed(0)
    network = new_network(recipe, task).eval()
    learns = [name for name, p in network.named_parameters() if p.requires_grad]
    assert learns and all("lora_" in name for name in learns)
    for name, parameter in network.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    batch = task.batch([task.prepare(open_shards(shards)[0])], None, 0)
    with torch.no_grad():
        want, got = network(**batch.inputs), merged(network)(**batch.inputs)
    assert not any("lora" in name for name in merged(network).state_dict())
    torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)


def test_what_is_frozen_stays_to_the_last_bit(tmp_path, shards):
    """Running averages too, though they are no parameters; without EMA, which rounds."""
    first = recipe_of(TRANSLATION, tmp_path, shards, **{"training.ema": 0})
    train(first, tmp_path / "first", ignore)
    changes = {"training.ema": 0, "start_from": str(tmp_path / "first"), "frozen": '["poses."]'}
    train(recipe_of(TRANSLATION, tmp_path, shards, **changes), tmp_path / "second", ignore)
    before, after = (
        load_checkpoint(resolve_checkpoint(tmp_path / name))[0].state_dict()
        for name in ("first", "second")
    )
    assert any("running_mean" in name for name in before)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved and not any(name.startswith("poses.") for name in moved)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"training.learning_rate": 1}, "unknown key `learning_rate`; known: lr, batch"),
        ({"training.lr": "high"}, "Expected `float`"),
        ({"training.steps": 0}, "training.steps or training.epochs"),
        ({"model.widht": 3}, "no widht; known: network, width"),
        ({"data.val_split": "dev"}, "no clip in split 'dev'; its splits: train, val"),
        ({"task": "dancing"}, "unknown task 'dancing'; known: found, "),
        ({"training.best": "bleu"}, "no figure 'bleu'; there are isolated.top1"),
        ({"training.lr": 1e30, "training.clip_norm": 0}, "lower training.lr"),
        ({"training.precision": "fp16"}, "fp16 needs CUDA"),
        ({"settings.window": "[]"}, "Expected `int`"),
        ({"frozen": '["heda"]'}, "no parameter starts with 'heda'"),
        ({"data.train": "nowhere"}, "nowhere"),
    ],
)
def test_a_users_mistake_is_one_line(tmp_path, shards, change, says):
    with pytest.raises((ValueError, OSError), match=".") as error:
        train(recipe_of(ISOLATED, tmp_path, shards, **change), tmp_path / "out", ignore)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_belongs_to_one_recipe(tmp_path, shards):
    train(recipe_of(ISOLATED, tmp_path, shards), tmp_path / "out", ignore)
    other = recipe_of(ISOLATED, tmp_path, shards, **{"training.lr": 1e-4})
    with pytest.raises(ValueError, match="another recipe .training.lr."):
        train(other, tmp_path / "out", ignore)


def test_a_training_does_not_go_on_with_other_clips(tmp_path, shards):
    mine = tmp_path / "ways"
    shutil.copytree(shards, mine)
    recipe = recipe_of(ISOLATED, tmp_path, mine)
    train(recipe, tmp_path / "out", ignore)
    shutil.rmtree(mine)
    about = open_shards(shards).about
    fewer = [clip for clip in open_shards(shards) if clip.id != "clip0"]
    write_shards(mine, fewer, ShardsAbout(corpus=about.corpus, schema=about.schema))
    with pytest.raises(ValueError, match="begun with other clips"):
        train(recipe, tmp_path / "out", ignore)


def test_a_step_is_the_same_whoever_takes_it():
    lengths = np.random.default_rng(0).integers(5, 90, 37)
    whole = list(Order(lengths, 8, 1, 3).batches(1, 12))
    halves = [list(Order(lengths, 4, 1, 3, 32, 2, p).batches(1, 12)) for p in (0, 1)]
    assert len(whole) == 12
    for all_of_it, first, second in zip(whole, *halves, strict=True):
        assert sorted(first + second) == sorted(all_of_it)
    assert list(Order(lengths, 8, 1, 3).batches(7, 12)) == whole[6:]
    seen = {ask.clip for batch in whole[: Order(lengths, 8, 1, 3).steps_per_epoch] for ask in batch}
    assert seen == set(range(37))


def test_buckets_fill_less():
    lengths = np.random.default_rng(0).integers(5, 200, 640)

    def filling(buckets):
        batches = Order(lengths, 8, 1, 0, buckets).batches(1, 80)
        return sum(sum(ask.n_frames - lengths[ask.clip] for ask in batch) for batch in batches)

    assert filling(16) < filling(0) / 4
