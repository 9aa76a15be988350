"""What found learns from: signs of sentences, lips of videos, features kept; its comparisons."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from fingerpost.app.cli import app
from fingerpost.edge_runtime.keypoints import FOUND203, SIGN69, PoseSequence
from fingerpost.edge_runtime.preprocess_found import preprocess_found
from fingerpost.trainer.compare_found import TABLES, compare
from fingerpost.trainer.found_clips import sign_clips
from fingerpost.trainer.kept_figures import table_of_seeds
from fingerpost.trainer.models.found_lips import LipReader
from fingerpost.trainer.models.found_poses import PoseBackbone, pose_config
from fingerpost.trainer.recipe import read_recipe
from fingerpost.trainer.shards import Clip, ShardsAbout, write_shards
from fingerpost.trainer.tasks.found_features import KeptFeatures, key_of

pytestmark = pytest.mark.usefixtures("one_thread")


def run(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.stdout, result.stderr


def a_sentence(**changes: object) -> Clip:
    """100 frames; frame t has x = t / 100 everywhere."""
    xyz = np.zeros((100, 69, 3), np.float32)
    xyz[..., 0] = np.arange(100)[:, None] / 100
    sequence = PoseSequence(xyz, np.ones((100, 69), np.float32), 25.0, SIGN69)
    spans = ((0, 200), (1600, 2400), (3800, 4000))
    glosses = ("UP", "DOWN", "UP")
    clip = Clip("s", "me", "train", glosses, "Up, down, up.", "ase", "en", sequence, spans)
    return replace(clip, **changes)  # type: ignore[arg-type]


def first_frame(clip: Clip) -> int:
    return round(float(clip.sequence.xyz[0, 0, 0]) * 100)


# Signs


def test_a_sign_is_cut_around_its_middle_and_inside_the_sentence() -> None:
    signs = list(sign_clips([a_sentence()], n_frames=24))
    assert [(s.id, s.glosses, s.text, len(s.sequence)) for s in signs] == [
        *(("s-00", ("UP",), "", 24), ("s-01", ("DOWN",), "", 24), ("s-02", ("UP",), "", 24))
    ]
    # Middles at frames 2.5, 50 and 97.5: the first and the last would reach over the ends
    assert [first_frame(s) for s in signs] == [0, 38, 76]
    assert all(s.spans == ((0, 960),) and s.sequence.start_ms == 0 for s in signs)
    (short,) = sign_clips([a_sentence(glosses=("UP",), spans=((0, 4000),))], n_frames=500)
    assert len(short.sequence) == 100


def test_of_a_gloss_so_many_are_cut_in_each_split() -> None:
    clips = [a_sentence(), a_sentence(id="t"), a_sentence(id="v", split="val")]
    assert [s.id for s in sign_clips(clips, most=1)] == ["s-00", "s-01", "v-00", "v-01"]
    assert list(sign_clips([a_sentence(spans=())])) == []
    for wrong in ({"n_frames": 0}, {"most": -1}):
        with pytest.raises(ValueError, match="at least 1 frame"):
            list(sign_clips([a_sentence()], **wrong))


def test_command_cut_signs(tmp_path: Path) -> None:
    about = ShardsAbout(corpus="two", schema="sign69")
    write_shards(tmp_path / "sentences", [a_sentence(), a_sentence(id="t", spans=())], about)
    for _ in range(2):  # the second time there is nothing left to cut
        code, out, err = run(
            *("shards", "cut-signs", tmp_path / "sentences", "-o", tmp_path / "signs", "--json")
        )
        assert code == 0, err
        assert json.loads(out)["clips"] == 3
    write_shards(tmp_path / "none", [a_sentence(spans=())], about)
    code, _, err = run("shards", "cut-signs", tmp_path / "none", "-o", tmp_path / "no")
    assert code == 2 and err.count("\n") == 1
    assert "no clip says when its glosses are signed" in err


# Lips


def test_command_lips(tmp_path: Path) -> None:
    (tmp_path / "mine" / "clips" / "a").mkdir(parents=True)
    (tmp_path / "mine" / "labels.csv").write_text("file,gloss\na,UP\nb,UP\n")
    rng = np.random.default_rng(0)
    for frame in range(5):
        picture = rng.integers(0, 256, (60, 60, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "mine" / "clips" / "a" / f"{frame}.png"), picture)
    xyz = np.full((5, 203, 3), 0.5, np.float32)
    for name, place in (("mesh_33", 0.4), ("mesh_133", 0.45), ("mesh_362", 0.55)):
        xyz[:, FOUND203.index(name), :2] = place, 0.4
    sequence = PoseSequence(xyz, np.ones((5, 203), np.float32), 25.0, FOUND203)
    clips = [Clip(n, "", "train", ("UP",), "", "ase", "", sequence) for n in ("a", "b")]
    write_shards(tmp_path / "shards", clips, ShardsAbout(corpus="own_folder", schema="found203"))
    torch.save(LipReader().state_dict(), tmp_path / "reader.pth")
    words = ["shards", "lips", tmp_path / "shards", tmp_path / "mine"]
    words += ["--reader", tmp_path / "reader.pth", "-o", tmp_path / "lips"]
    code, _, err = run(*words)
    assert code == 0, err
    assert [path.name for path in (tmp_path / "lips").iterdir()] == ["a.npy"]
    assert np.load(tmp_path / "lips" / "a.npy").shape == (5, 768)
    assert "b: " in err and "lips of 1 of 2 clips" in err
    write_shards(tmp_path / "small", [a_sentence(id="a")], ShardsAbout("own_folder", "sign69"))
    words[2] = tmp_path / "small"
    words[-1] = tmp_path / "others"
    code, _, err = run(*words)
    assert code == 2 and "keypoints of sign69 have no lips" in err


# Features that are kept


def test_features_of_a_batch_are_those_of_each_clip_alone() -> None:
    torch.manual_seed(0)
    sizes = {"channels": [4, 4, 4], "articulator_width": 6, "width": 8, "n_blocks": 1, "n_heads": 2}
    backbone = PoseBackbone(pose_config({**sizes, "view": "sign69", "window": 6, "every": 2}))
    kept = KeptFeatures(backbone.eval())
    rng = np.random.default_rng(0)
    frames = {}
    for name, n in (("a", 37), ("b", 90)):
        xyz = rng.normal(0.5, 0.1, (n, 69, 3)).astype(np.float32)
        sequence = PoseSequence(xyz, np.ones((n, 69), np.float32), 25.0, SIGN69)
        frames[key_of(name, sequence)] = preprocess_found(sequence, SIGN69)
    kept.add(frames)
    for key, keypoints in frames.items():
        alone = backbone(torch.from_numpy(keypoints)[None], torch.ones(1, len(keypoints)))[0]
        assert kept.rows[key].shape == (-(-len(keypoints) // 4), 8)
        np.testing.assert_allclose(kept.rows[key], alone.detach(), atol=5e-3)
    before = dict(kept.rows)
    kept.add({key: np.zeros((0, 69, 4)) for key in frames})  # they are there: not looked at
    assert all(kept.rows[key] is before[key] for key in frames)


# Comparisons

SIGNS = """
task = "found_signs"
[data]
train = ["{shards}"]
[model.poses]
view = "sign69"
channels = [4, 4, 4]
articulator_width = 6
width = 8
n_blocks = 1
n_heads = 2
[settings]
view = "sign69"
window = 6
[training]
steps = 1
batch = 4
lr = 1e-3
"""


def test_ways_are_trained_measured_kept_and_not_trained_again(tmp_path: Path, shards: Path) -> None:
    recipe, told = tmp_path / "signs.toml", []
    recipe.write_text(SIGNS.format(shards=shards))
    only = ["pose backbone", "mean over joints"]

    def ask(seeds: list[int]) -> dict:
        how = {"only": only, "split": "val", "keep": only[:1]}
        return compare("signs", recipe, tmp_path / "out", seeds, **how, report=told_of)

    def told_of(name: str, figures: object) -> None:
        told.append(name)

    rows = ask([0])
    assert list(rows) == told == ["pose backbone, seed 0", "mean over joints, seed 0"]
    assert 0 <= rows[told[0]]["ways isolated.top1"] <= 100
    assert [p.name for p in (tmp_path / "out").iterdir() if p.is_dir()] == ["pose_backbone_seed_0"]
    kept = json.loads((tmp_path / "out" / "signs.json").read_text())
    kept["rows"][told[1]]["ways isolated.top1"] = 12.5
    (tmp_path / "out" / "signs.json").write_text(json.dumps(kept))
    assert ask([0])[told[1]]["ways isolated.top1"] == 12.5  # it was not measured again
    with pytest.raises(ValueError, match="no table 'x'; known: signs, mappings"):
        compare("x", recipe, tmp_path, [0])
    with pytest.raises(ValueError, match="no way 'x'; known: pose backbone"):
        compare("signs", recipe, tmp_path, [0], only=["x"])


def test_a_table_has_the_mean_over_seeds_and_each_seed() -> None:
    rows = {"MLP, seed 0": {"bleu4": 1.0}, "MLP, seed 1": {"bleu4": 2.0}, "other, seed 0": {}}
    assert table_of_seeds(rows).splitlines()[2:] == ["| MLP | 1.5 (1.0, 2.0) |", "| other |  |"]


@pytest.mark.parametrize(
    ("table", "recipe"),
    [
        ("signs", "found_signer_signs"),
        ("mappings", "found_signer_text"),
        ("tasks", "found_signer_joint"),
        ("soft", "found_signer_joint"),
    ],
)
def test_every_way_changes_a_line_that_the_recipe_has(table: str, recipe: str) -> None:
    for changes in TABLES[table].values():
        assert read_recipe(Path(recipe), changes).task.startswith("found")
