"""Two views of a clip that are to have the same answer (R-Drop), for single signs."""

import json
import math
from pathlib import Path

import pytest
import torch

from fingerpost.trainer.feed import Clips
from fingerpost.trainer.recipe import read_recipe
from fingerpost.trainer.tasks.isolated import Isolated
from fingerpost.trainer.train import train
from fingerpost.trainer.two_views import disagreement

pytestmark = pytest.mark.usefixtures("one_thread")


def test_disagreement_by_hand() -> None:
    one, other = torch.tensor([[0.8, 0.2]]).log(), torch.tensor([[0.5, 0.5]]).log()
    both_ways = 0.3 * math.log(0.8 / 0.5) - 0.3 * math.log(0.2 / 0.5)
    assert disagreement(torch.cat([one, other])).item() == pytest.approx(both_ways / 2)
    assert disagreement(torch.cat([one, one])).item() == 0
    # the first clip's views differ, the second one's do not
    rows = torch.cat([one, one, other, one])
    assert disagreement(rows).tolist() == pytest.approx([both_ways / 2, 0.0])


def test_a_batch_has_each_clip_twice_in_training_alone(shards: Path) -> None:
    clips = Clips([str(shards)], "train")
    task = Isolated.from_data({"window": 12, "agree": 0.5}, clips, None)
    prepared = [task.prepare(clips[i]) for i in range(3)]
    batch = task.batch(prepared, [7, 8, 9], 0)
    seen, labels = batch.inputs["keypoints"], batch.inputs["labels"]
    assert len(seen) == batch.weight == 6
    assert torch.equal(labels[:3], labels[3:])
    assert [clip.id for clip in batch.clips[:3]] == [clip.id for clip in batch.clips[3:]]
    assert not torch.equal(seen[0], seen[3])  # each is changed in its own way
    alone = task.batch(prepared[1:2], [8], 0).inputs["keypoints"]
    assert torch.equal(alone[0], seen[1]) and torch.equal(alone[1], seen[4])
    assert len(task.batch(prepared, None, 0).inputs["labels"]) == 3


def test_a_weight_below_0_is_refused(shards: Path) -> None:
    with pytest.raises(ValueError, match="agree is a weight"):
        Isolated.from_data({"agree": -1.0}, Clips([str(shards)], "train"), None)


def test_training_learns_from_the_term(tmp_path: Path, shards: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(
        f"""
        task = "isolated"
        [data]
        train = ["{shards.as_posix()}"]
        [model]
        width = 16
        n_blocks = 1
        [settings]
        window = 12
        [training]
        steps = 2
        batch = 8
        lr = 1e-3
        """
    )
    train(read_recipe(path, ["settings.agree=3.0"]), tmp_path / "run")
    steps = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert all(step["agree"] > 0 for step in steps)
    train(read_recipe(path, []), tmp_path / "without")
    without = [
        json.loads(line) for line in (tmp_path / "without/log.jsonl").read_text().splitlines()
    ]
    assert all("agree" not in step for step in without)
