"""Which trainings an ablation makes, what they are measured on, and its table."""

import numpy as np
import pytest

from fingerpost.trainer import ablate_augmentation as module
from fingerpost.trainer.ablate_augmentation import (
    DISTURBANCES,
    DisturbedClips,
    ablate,
    main,
    table,
    top1,
    trainings,
)
from fingerpost.trainer.augment_sources import NAMES, SourceAugment
from fingerpost.trainer.feed import Clips
from fingerpost.trainer.recipe import Recipe, convert

pytestmark = pytest.mark.usefixtures("one_thread")


def recipe_of(shards) -> Recipe:
    tables = {
        "task": "isolated",
        "data": {"train": [str(shards)], "buckets": 0},
        "model": {"width": 16, "n_blocks": 1, "n_heads": 1},
        "settings": {"window": 8},
        "training": {"steps": 1, "batch": 8, "lr": 1e-3},
    }
    return convert(tables, Recipe, "test")


def test_each_alone_and_each_left_out():
    alone = trainings(left_out=False)
    assert list(alone) == ["none", *(f"{name} alone" for name in NAMES), "all"]
    assert alone["none"] == {} and list(alone["swap alone"]) == ["swap"]
    without = trainings(left_out=True)
    assert without["all but swap"] == {**without["all"], "swap": 0.0}
    assert list(trainings(False, ["swap"])) == ["none", "swap alone", "all"]
    with pytest.raises(ValueError, match="no augmentation 'swop'; known: aspect, frame_rate"):
        trainings(False, ["swop"])
    assert all(SourceAugment.from_table(sources) for sources in without.values())


def test_disturbed_clips_are_the_same_each_time(shards):
    one, same, other = (
        DisturbedClips([str(shards)], "val", DISTURBANCES["swap"], seed) for seed in (0, 0, 1)
    )
    plain = Clips([str(shards)], "val")
    assert len(one) == len(plain) == 8
    changed = [not np.array_equal(one[i].sequence.xyz, plain[i].sequence.xyz) for i in range(8)]
    assert sum(changed) >= 6
    assert all(np.array_equal(one[i].sequence.xyz, same[i].sequence.xyz) for i in range(8))
    assert any(not np.array_equal(one[i].sequence.xyz, other[i].sequence.xyz) for i in range(8))
    assert [one[i].glosses for i in range(8)] == [plain[i].glosses for i in range(8)]


def test_all_are_trained_once_and_measured(shards, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "DISTURBANCES", {"swap": DISTURBANCES["swap"]})
    told = []
    recipe, out = recipe_of(shards), tmp_path / "out"
    rows = ablate(recipe, out, False, 1, lambda name, _: told.append(name), ["swap"])
    assert told == list(rows) == ["none", "swap alone", "all"]
    assert all(set(figures) == {"plain", "swap"} for figures in rows.values())
    plain = top1(tmp_path / "out" / "none", Clips([str(shards)], "val"))
    assert rows["none"]["plain"] == plain

    def again(draws):
        return ablate(recipe, out, False, draws, lambda *told: None, ["swap"])

    monkeypatch.setattr(module, "train", None)  # what there is is not trained again
    assert again(1) == rows
    with pytest.raises(ValueError, match="another recipe or options"):
        again(2)


def test_a_table_as_the_results_have_it():
    figures = {"plain": 40.04, **dict.fromkeys(NAMES, 12.0), "left_handed": 3.0}
    lines = table({"none": figures, "frame_rate alone": figures}).splitlines()
    assert (
        lines[0]
        == "| trained with | plain | aspect | frame rate | swap | ghost | drop | left handed |"
    )
    assert lines[1].startswith("| --- | ---: |")
    assert lines[3] == "| frame rate alone | 40.0 | 12.0 | 12.0 | 12.0 | 12.0 | 12.0 | 3.0 |"


def test_a_user_s_mistake_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["ablate", "no_such_recipe", "-o", str(tmp_path)])
    with pytest.raises(SystemExit) as stop:
        main()
    error = capsys.readouterr().err
    assert stop.value.code == 2 and error.startswith("error: no recipe") and error.count("\n") == 1
