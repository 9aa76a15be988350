"""`fingerpost train` and `fingerpost evaluate`, as they are typed."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fingerpost.app.cli import app, one_line
from fingerpost.trainer.recipe import RECIPES, read_recipe

TINY = ("model.width=16", "model.n_blocks=1", "model.n_heads=2", "settings.window=12")
SHORT = ("training.steps=4", "training.batch=4", "training.validate_every=2")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


def changes(shards: Path, *more: str) -> list[str]:
    lines = (f"data.train={shards}", *TINY, *SHORT, *more)
    return [part for line in lines for part in ("--set", line)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, shards: Path) -> Path:
    out = tmp_path_factory.mktemp("runs") / "ways"
    done = run("train", "isolated", "-o", out, *changes(shards))
    assert done.exit_code == 0, done.output
    return out


def test_a_training_ends_with_a_checkpoint_that_says_what_made_it(trained: Path) -> None:
    (best,) = trained.glob("best-*")
    config = json.loads((best / "config.json").read_text())
    assert config["vocabulary"] == ["down", "left", "right", "up"]
    assert config["recipe"]["training"]["steps"] == 4
    assert len(config["data"]["ways"]) == 64  # a sha256
    assert "isolated.top1" in json.loads((best / "metrics.json").read_text())["validation"]
    assert list(trained.glob("tensorboard/events.*"))


def test_a_finished_training_is_not_done_again(trained: Path, shards: Path) -> None:
    before = (trained / "log.jsonl").read_text()
    done = run("train", "isolated", "-o", trained, *changes(shards), "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["checkpoint"].startswith(str(trained))
    assert (trained / "log.jsonl").read_text() == before


def test_a_dry_run_leaves_nothing(tmp_path: Path, shards: Path) -> None:
    out = tmp_path / "out"
    done = run("train", "isolated", "-o", out, *changes(shards), "--dry-run", "--json")
    plan = json.loads(done.stdout)
    assert plan["batch"]["keypoints"] == [4, 12, 69, 4]
    assert plan["clips"] == {"train": 16, "val": 8} and plan["steps"] == 4
    assert plan["parameters"] == sum(plan["parts"].values()) + 12 * 16  # and the positions
    assert not out.exists()


def test_an_evaluation_is_figures_predictions_and_a_picture(
    tmp_path: Path, trained: Path, shards: Path
) -> None:
    done = run("evaluate", trained, shards, "--split", "val", "-o", tmp_path, "--json")
    figures = json.loads(done.stdout)
    assert figures["n_clips"] == 8 and {"top1", "top5"} >= {figures["main_figure"]}
    assert {path.name for path in tmp_path.iterdir()} == {
        "metrics.json",
        "predictions.csv",
        "confusion.png",
    }
    judged = run(
        "evaluate", "--predictions", tmp_path / "predictions.csv", "--kind", "isolated", "--json"
    )
    assert json.loads(judged.stdout)["figures"] == figures["figures"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["train", "nothing.toml"],
            "no recipe nothing.toml: give a .toml file, or one of conversation_glosses, con",
        ),
        (["train", "isolated", "--set", "training.steps"], "expected key=value"),
        (["train", "isolated", "--set", "trainig.steps=3"], "unknown key `trainig`; known: task"),
        (["train", "isolated"], "no folder my_shards"),
        (["train", "distil_pocket"], "give it to `fingerpost distill`"),
        (["evaluate"], "give a checkpoint and a folder of shards"),
        (["evaluate", "nowhere", "nowhere"], "nowhere is no checkpoint"),
        (["evaluate", "--predictions", "no.csv"], "no.csv"),
        (["evaluate", "--predictions", "no.csv", "--kind", "songs"], "no"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert done.exit_code == 2
    assert says in done.stderr and done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir()), "nothing is written"


@pytest.mark.parametrize(
    ("package", "extra"), [("torch", "train"), ("peft.tuners", "train"), ("ray.data", "ray")]
)
def test_a_missing_package_is_named_with_its_extra(package: str, extra: str) -> None:
    name = package.partition(".")[0]
    said = one_line(ModuleNotFoundError(f"No module named {package!r}", name=package))
    assert said == f'{name} is not installed: pip install "fingerpost[{extra}]"'


def test_an_empty_split_is_one_line(trained: Path, shards: Path) -> None:
    done = run("evaluate", trained, shards)
    assert done.exit_code == 2
    assert "no clip in split 'test'; its splits: train, val" in done.stderr


@pytest.mark.parametrize(
    "path",
    sorted({*RECIPES.glob("*.toml")} - {*RECIPES.glob("distil_*")}),  # these have more tables
    ids=lambda path: path.stem,
)
def test_every_bundled_recipe_can_be_read(path: Path) -> None:
    assert read_recipe(Path(path.stem)) == read_recipe(path)


def test_the_stages_of_uni_sign_are_those_of_table_2() -> None:
    table = {1: (20, 16, 8), 2: (5, 4, 8), 3: (20, 8, 1)}
    for stage, (epochs, batch, accumulation) in table.items():
        training = read_recipe(Path(f"uni_sign_stage{stage}")).training
        assert (training.epochs, training.batch, training.accumulation) == (
            epochs,
            batch,
            accumulation,
        )
        assert (training.lr, training.weight_decay, training.betas) == (3e-4, 1e-4, (0.9, 0.999))
        assert training.schedule == "cosine" and training.warmup == 0
