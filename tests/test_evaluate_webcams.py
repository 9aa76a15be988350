"""Trained on two webcams, tested on the third: who sees what, and that it is measured once."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from fingerpost.edge_runtime.preprocess import hands_alone
from fingerpost.trainer import evaluate_webcams as module
from fingerpost.trainer.evaluate_webcams import (
    Options,
    evaluate_webcams,
    in_splits,
    main,
    make_shards,
    table,
)
from fingerpost.trainer.recipe import Recipe, convert
from fingerpost.trainer.shards import open_shards

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPE = convert(
    {
        "task": "isolated",
        "data": {"train": ["is replaced"], "buckets": 0},
        "model": {"width": 16, "n_blocks": 1, "n_heads": 1},
        "settings": {"window": 8},
        "training": {"steps": 2, "batch": 8, "lr": 1e-3, "validate_every": 2},
    },
    Recipe,
    "test",
)


@pytest.fixture
def ways(shards):
    """24 clips of four glosses in turn."""
    return list(open_shards(shards))


@pytest.fixture
def data(ways, tmp_path, monkeypatch):
    """Three webcams, of which c has a label of its own; WLASL has the four ways and one rare."""

    def webcam(folder):
        for name in "abc":
            for clip in ways[:8]:
                own = name == "c" and clip.glosses == ("up",)
                glosses = ("nod",) if own else clip.glosses
                yield replace(
                    clip, id=f"{name}.{clip.id}", signer=f"webcam_{name}", split="", glosses=glosses
                )

        yield replace(ways[0], id="c.idle", signer="webcam_c", split="", glosses=("none",))

    glosses = ("up", "down", "rare", "left", "right")
    rare = [replace(ways[0], id=gloss, glosses=(gloss,)) for gloss in ("rare", "none")]
    wlasl = [*ways, *rare]
    corpus = SimpleNamespace(glosses=glosses)
    monkeypatch.setattr(module.wlasl_hands, "read_wlasl_hands", lambda path: corpus)
    monkeypatch.setattr(module, "clips_of_wlasl", lambda corpus: iter(wlasl))
    monkeypatch.setattr(module, "read_webcam", webcam)
    return tmp_path


def test_so_many_clips_of_each_label_are_trained_on(ways):
    chosen = list(in_splits(ways, 3))
    assert len(chosen) == 24
    trained_on = [clip for clip in chosen if clip.split == "train"]
    assert sorted(clip.glosses[0] for clip in trained_on) == sorted(
        ["up", "down", "left", "right"] * 3
    )
    ups = [clip.id for clip in trained_on if clip.glosses == ("up",)]
    assert ups == [
        "clip0",
        "clip8",
        "clip20",
    ]  # of 0, 4, 8, ... 20: the first, the middle, the last
    assert {clip.split for clip in in_splits(ways, 99)} == {"train"}


def test_hands_alone_are_all_that_is_left(ways):
    clip = ways[0].sequence
    hands = hands_alone(clip)
    n_seen = [int((s.confidence > 0).sum(axis=1).max()) for s in (clip, hands)]
    assert n_seen == [69, 42]
    assert (hands.xyz[hands.confidence == 0] == 0).all()
    seen = hands.confidence > 0
    assert np.array_equal(hands.xyz[seen], clip.xyz[seen])


def test_wlasl_gives_its_first_glosses_and_those_of_the_webcams(data):
    folders = make_shards(data, data / "shards", Options(n_glosses=1, per_label=1))
    assert list(folders) == ["wlasl", "webcam_a", "webcam_b", "webcam_c"]
    wlasl = open_shards(folders["wlasl"])
    assert {row[0] for row in wlasl.column("glosses")} == {"up", "down", "left", "right"}
    webcam = open_shards(folders["webcam_c"])
    assert sorted(webcam.column("split")) == ["rest"] * 4 + ["train"] * 4
    assert webcam[0].sequence.confidence[:, :9].all()
    more = make_shards(data, data / "more", Options(n_glosses=3, per_label=1))
    assert ("rare",) in {tuple(row) for row in open_shards(more["wlasl"]).column("glosses")}


def test_idle_hands_are_not_the_sign_none(data):
    folders = make_shards(data, data / "shards", Options(n_glosses=5))
    for folder in folders.values():
        assert ["none"] not in open_shards(folder).column("glosses")


def test_each_is_tested_by_a_network_that_has_not_seen_it(data, monkeypatch):
    trained = []

    def watched(recipe, out):
        trained.append([folder.rpartition("/")[2] for folder in recipe.data.train])
        return train(recipe, out)

    train = module.train
    monkeypatch.setattr(module, "train", watched)
    rows = evaluate_webcams(RECIPE, data, data / "out", Options(), lambda name, figures: None)
    assert [names for names in trained if len(names) > 1] == [
        ["wlasl", "webcam_b", "webcam_c"],
        ["wlasl", "webcam_a", "webcam_c"],
        ["wlasl", "webcam_a", "webcam_b"],
    ]
    # Nobody but c has "nod", so c is tested on the six other clips.
    assert [rows[f"webcam_{name}"]["WLASL alone: clips"] for name in "abc"] == [8, 8, 6]
    assert "| webcam_c | 6 |" in table(rows)
    n_trained = len(trained)
    again = evaluate_webcams(RECIPE, data, data / "out", Options(), lambda name, figures: None)
    assert again == rows and len(trained) == n_trained
    with pytest.raises(ValueError, match="another recipe or options; give another -o"):
        evaluate_webcams(RECIPE, data, data / "out", Options(per_label=2), lambda *told: None)


def test_a_damaged_file_of_figures_is_one_line(data):
    (data / "out").mkdir()
    (data / "out" / "webcams.json").write_text(json.dumps({"rows": 3}))
    with pytest.raises(ValueError, match="webcams.json is damaged; delete it"):
        evaluate_webcams(RECIPE, data, data / "out", Options(), lambda *told: None)


@pytest.mark.parametrize("option", ["--glosses=0", "--per-label=-1"])
def test_options_that_make_no_sense(option, tmp_path, monkeypatch, capsys):
    given = ["x", "wlasl100", "--data", str(tmp_path), "-o", str(tmp_path / "out"), option]
    monkeypatch.setattr("sys.argv", given)
    with pytest.raises(SystemExit) as stop:
        main()
    error = capsys.readouterr().err
    assert stop.value.code == 2 and "at least 1" in error and error.count("\n") == 1
