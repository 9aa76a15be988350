"""A student that names single signs learns from a teacher of the same signs."""

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from fingerpost.distill.distil import distil
from fingerpost.distill.distil_recipe import Distil, DistilRecipe
from fingerpost.distill.distil_signs import DistilSigns, check_signs
from fingerpost.distill.teacher_cache import Targets
from fingerpost.distill.top_k import TopK
from fingerpost.trainer.checkpoint import load_checkpoint, resolve_checkpoint, save_checkpoint
from fingerpost.trainer.models.pocket import Pocket, PocketConfig
from fingerpost.trainer.recipe import read_recipe_as
from fingerpost.trainer.tasks.isolated import Isolated, Settings
from fingerpost.trainer.tasks.task import Batch

pytestmark = pytest.mark.usefixtures("one_thread")

WAYS = ("down", "left", "right", "up")  # the glosses of the shards of conftest.py
RECIPE = """
task = "isolated"
[teacher]
n_best = 1
k = 4
[distil]
token = 1.0
sequence = 0.5
temperature = 2.0
[data]
train = ["{shards}"]
[model]
width = 16
n_blocks = 1
[settings]
window = 12
[training]
steps = 4
batch = 8
lr = 1e-3
save_every = 2
validate_every = 2
"""


def make_teacher(folder: Path, glosses: tuple[str, ...] = WAYS) -> Path:
    torch.manual_seed(0)
    model = Pocket(PocketConfig(n_labels=len(glosses), window=12, width=32, n_blocks=2))
    task = Isolated(glosses, Settings(window=12))
    save_checkpoint(folder, model, {"task": "isolated", **task.save(folder)}, {})
    return folder


def recipe_of(folder: Path, shards: Path, **changes: object) -> DistilRecipe:
    path = folder / "recipe.toml"
    path.write_text(RECIPE.format(shards=shards.as_posix()))
    return read_recipe_as(DistilRecipe, path, [f"{key}={value}" for key, value in changes.items()])


def test_the_student_is_a_plain_checkpoint_and_goes_on(tmp_path: Path, shards: Path) -> None:
    teacher = make_teacher(tmp_path / "teacher")
    recipe, out, cache = recipe_of(tmp_path, shards), tmp_path / "student", tmp_path / "cache"
    best = distil(teacher, recipe, out, cache)
    assert "isolated.top1" in best
    network, info, _ = load_checkpoint(resolve_checkpoint(out))
    assert isinstance(network, Pocket) and network.config.width == 16
    assert tuple(info["vocabulary"]) == WAYS
    steps = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [step["step"] for step in steps] == [1, 2, 3, 4]
    assert all({"loss", "teacher.token", "teacher.sequence"} <= step.keys() for step in steps)


def test_the_terms_by_hand() -> None:
    """Two glosses, one clip: the teacher has 0.8 for the second, the student 0.5."""
    few = TopK(
        torch.tensor([[[1, 0]]]),
        torch.tensor([[[0.8, 0.2]]]).log(),
        torch.full((1, 1, 1), -1e4),
    )

    class Cache:
        def targets(self, rows: list[tuple[str, str]]) -> Targets:
            assert rows == [("a", "isolated")]
            return Targets(torch.tensor([[1]]), few, torch.ones(1, 1))

    class OneClip:
        best = "isolated.top1"

        def batch(self, clips: list, draws: object, at_least: int) -> Batch:
            inputs = {"keypoints": torch.zeros(1, 2), "labels": torch.tensor([0])}
            return Batch(inputs, 1, clips)

        def losses_of(self, logits: torch.Tensor, batch: Batch) -> dict[str, torch.Tensor]:
            return {"loss": F.cross_entropy(logits, batch.inputs["labels"])}

    class Clip:
        id = "a"

    task = DistilSigns(OneClip(), Cache(), Distil(token=2.0, sequence=3.0, temperature=1.0), (1.0,))  # type: ignore[arg-type]
    terms = task.losses(torch.nn.Identity(), task.batch([Clip()], [0], 0))
    divergence = 0.8 * torch.tensor(0.8 / 0.5).log() + 0.2 * torch.tensor(0.2 / 0.5).log()
    assert terms["teacher.token"].item() == pytest.approx(2 * divergence.item(), abs=1e-5)
    ln2 = torch.tensor(2.0).log().item()
    assert terms["teacher.sequence"].item() == pytest.approx(3 * ln2, abs=1e-5)
    assert terms["loss"].item() == pytest.approx(ln2, abs=1e-5)
    assert "few" not in task.batch([Clip()], None, 0).inputs


def test_other_signs_and_terms_that_signs_do_not_have_are_refused(
    tmp_path: Path, shards: Path
) -> None:
    other = make_teacher(tmp_path / "other", ("down", "up"))
    with pytest.raises(ValueError, match="the teacher names 2 signs, the clips have 4"):
        distil(other, recipe_of(tmp_path, shards), tmp_path / "a", tmp_path / "cache")
    with pytest.raises(ValueError, match="distil.frames: single signs have sequence and token"):
        check_signs(Distil(frames=1.0), WAYS, WAYS)
    with pytest.raises(ValueError, match="distil.start: single signs"):
        check_signs(Distil(token=1.0, start="layers"), WAYS, WAYS)
    assert not (tmp_path / "a").exists()
