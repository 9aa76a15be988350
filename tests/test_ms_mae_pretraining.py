"""Pre-training of MS-MAE by the loop: frames, masks, the figure of validation, going on."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence
from fingerpost.trainer.checkpoint import load_checkpoint, resolve_checkpoint
from fingerpost.trainer.evaluate import evaluate_checkpoint
from fingerpost.trainer.evaluation import evaluate_predictions
from fingerpost.trainer.models.ms_mae import MsMae
from fingerpost.trainer.predictions import Prediction
from fingerpost.trainer.recipe import read_recipe
from fingerpost.trainer.shards import Clip
from fingerpost.trainer.tasks.ms_mae import MsMaePretraining, Settings, chosen_frames
from fingerpost.trainer.train import train

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPE = """
task = "ms_mae"
[data]
train = ["{shards}"]
[model]
width = 16
depth = 2
heads = 2
decoder_depth = 1
drop_path = 0.2
[settings]
stride = 1.0
tempo = 0.2
[settings.augment]
[training]
steps = 8
batch = 4
lr = 3e-3
ema = 0.9
validate_every = 4
save_every = 3
"""


def recipe(tmp_path: Path, shards: Path, *changes: str):
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.format(shards=shards))
    return read_recipe(path, changes)


def losses_of(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "log.jsonl").read_text().splitlines()]


def a_clip(n_frames: int = 12, seed: int = 0, name: str = "clip") -> Clip:
    rng = np.random.default_rng(seed)
    xyz = rng.uniform(0.3, 0.7, (n_frames, 69, 3)).astype(np.float32)
    sequence = PoseSequence(xyz, np.ones((n_frames, 69), np.float32), 25.0, SIGN69)
    return Clip(name, "anna", "train", (), "", "ase", "", sequence)


# Frames and batches


def test_the_papers_300_of_600_frames():
    settings = Settings(span=600, stride=2)
    for seed in range(20):
        frames = chosen_frames(1000, settings, seed)
        assert len(frames) == 300 and (np.diff(frames) > 0).all()
        assert set(np.diff(frames)) <= {1, 2, 3}  # one of each two
        assert frames[-1] - frames[0] < 600 and frames[-1] < 1000
    starts = [chosen_frames(1000, settings, seed)[0] for seed in range(40)]
    assert min(starts) < 100 and max(starts) > 300


def test_frames_of_validation_are_the_middle_ones_and_always_the_same():
    assert chosen_frames(8, Settings(span=4, stride=2), None).tolist() == [3, 5]
    assert chosen_frames(5, Settings(stride=1), None).tolist() == [0, 1, 2, 3, 4]
    assert chosen_frames(1, Settings(stride=4), None).tolist() == [0]


@pytest.mark.parametrize("n_frames", [1, 2, 3, 50, 700])
def test_frames_are_always_within_the_clip(n_frames):
    settings = Settings(span=96, stride=1.5, tempo=0.4)
    for seed in range(30):
        frames = chosen_frames(n_frames, settings, seed)
        assert 1 <= len(frames) and frames[0] >= 0 and frames[-1] < n_frames
        assert (np.diff(frames) >= 0).all()


def test_a_batch_is_the_same_for_the_same_draws():
    task = MsMaePretraining(Settings(augment={}, coordinates=3))
    clips = [task.prepare(a_clip(n, seed=n, name=str(n))) for n in (9, 30, 17)]
    one, two = (task.batch(clips, [5, 6, 7], 0) for _ in range(2))
    other = task.batch(clips, [5, 6, 8], 0)
    for name, value in one.inputs.items():
        assert value.equal(two.inputs[name])
    assert not one.inputs["masked"].equal(other.inputs["masked"])
    assert one.weight == two.weight
    assert one.inputs["keypoints"][~one.inputs["frame_mask"]].abs().max() == 0


def test_the_weight_is_the_number_of_tokens_that_the_loss_is_the_mean_of():
    torch.manual_seed(0)
    task = MsMaePretraining(Settings(stride=1.0))
    clip = a_clip(24)
    clip.sequence.confidence[8:, SIGN69.groups["left_hand"]] = 0
    batch = task.batch([task.prepare(clip), task.prepare(a_clip(10, 1, "other"))], [1, 2], 0)
    model = task.new_model({"width": 16, "depth": 1, "heads": 2, "decoder_depth": 1})
    assert len(model.errors(**batch.inputs)[0]) == batch.weight > 0


def test_a_clip_without_hands_or_of_one_frame_can_be_learned_from():
    task = MsMaePretraining(Settings(augment={}))
    nothing, short = a_clip(8, name="nothing"), a_clip(1, name="short")
    nothing.sequence.confidence[:] = 0
    batch = task.batch([task.prepare(nothing), task.prepare(short)], [1, 2], 0)
    model = task.new_model({"width": 16, "depth": 1, "heads": 2, "decoder_depth": 1})
    assert torch.isfinite(task.losses(model, batch)["reconstruction"])
    assert len(task.predict(model, batch)["motion"]) == 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"mask": "half"}, "settings.mask: 'half'; known: diff, same"),
        ({"ratio": 1.0}, "settings.ratio cannot be 1.0"),
        ({"stride": 0.5}, "settings.stride cannot be 0.5"),
        ({"augment": {"tilt": 1.0}}, "settings.augment: .*known: cut"),
        ({"augment": {}, "face": True}, "does not know the face"),
        ({"coordinates": 4}, "2 or 3 coordinates"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_one_line(wrong, message):
    with pytest.raises(ValueError, match=message) as error:
        MsMaePretraining(Settings(**wrong))
    assert "\n" not in str(error.value)


def test_a_model_field_that_is_not_there_lists_the_others():
    with pytest.raises(ValueError, match=r"\[model\] has no layers; known: width, .*\[settings\]"):
        MsMaePretraining(Settings()).new_model({"layers": 3})


# The figure of validation


def test_what_is_unexplained_is_a_share_of_standing_still():
    rows = [Prediction("a", "anna", "8.0", "2.0"), Prediction("b", "", "2.0", "3.0")]
    figures = evaluate_predictions("motion", rows, n_resamples=0).figures
    assert figures["unexplained"].value == pytest.approx(50.0)


def test_standing_still_is_the_mean_of_what_was_visible():
    task = MsMaePretraining(Settings(cubelet=1))
    keypoints = torch.zeros(1, 3, 48, 4)
    keypoints[0, :, 0, 0] = torch.tensor([1.0, 3.0, 6.0])
    keypoints[0, :, 0, 3] = 1
    masked = torch.zeros(1, 3, 3, dtype=torch.bool)
    masked[0, 0, 2] = True
    still = task._errors_of_standing_still(keypoints, torch.ones(1, 3, dtype=torch.bool), masked)
    assert still.tolist() == [16.0]  # the mean of 1 and 3 is 2, the truth is 6


def test_the_mask_of_validation_is_fixed():
    task = MsMaePretraining(Settings())
    clips = [task.prepare(a_clip(40, seed=i, name=f"c{i}")) for i in range(3)]
    one = task.batch(clips, None, 0).inputs["masked"]
    assert task.batch(clips, None, 0).inputs["masked"].equal(one)
    assert task.batch(clips[1:], None, 0).inputs["masked"].equal(one[1:])


# The loop


def test_it_trains_keeps_the_least_unexplained_and_can_be_evaluated(tmp_path, shards):
    out = tmp_path / "run"
    best = train(recipe(tmp_path, shards), out, lambda *_: None)
    figures = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    measured = [f["val.motion.unexplained"] for f in figures if "val.motion.unexplained" in f]
    assert len(measured) == 2 and best["motion.unexplained"] == min(measured)
    model, info, _ = load_checkpoint(resolve_checkpoint(out))
    assert isinstance(model, MsMae) and info["settings"]["mask"] == "diff"
    assert {name.split(".")[0] for name in model.state_dict()} == {"encoder", "decoder"}
    evaluation, said = evaluate_checkpoint(out, [str(shards)], "val")["motion"]
    assert evaluation.figures["unexplained"].value == pytest.approx(min(measured), rel=1e-3)
    assert len(said) == 8


def test_it_goes_on_bit_for_bit(tmp_path, shards):
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    train(recipe(tmp_path, shards), whole, lambda *_: None)

    def stop(step: int, *_) -> None:
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(recipe(tmp_path, shards), halves, stop)
    train(recipe(tmp_path, shards), halves, lambda *_: None)
    assert losses_of(halves) == losses_of(whole)
    shutil.rmtree(halves)


def test_clips_without_glosses_and_without_a_split_will_do(tmp_path, shards):
    everything = recipe(tmp_path, shards, "data.train_split=''", "data.val_split=''")
    train(everything, tmp_path / "run", lambda *_: None)
    assert (tmp_path / "run" / "last-000008").is_dir()


@pytest.mark.parametrize("name", ["ms_mae_pretrain", "ms_mae_pretrain_small"])
def test_the_bundled_recipes_can_be_read(name):
    bundled = read_recipe(Path(name))
    task = MsMaePretraining.from_data(bundled.settings, None, None)
    with torch.device("meta"):
        model = task.new_model(bundled.model)
    assert model.config.width in (192, 512)
