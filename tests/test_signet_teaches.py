"""SIGNET as a teacher of the phone's student, and the picture of which experts it listens to."""

import json
import math
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from fingerpost.app.cli import app
from fingerpost.distill.distil import distil
from fingerpost.distill.distil_recipe import DistilRecipe
from fingerpost.trainer.checkpoint import save_checkpoint
from fingerpost.trainer.experts_chosen import Chosen, chosen_experts, counted, draw_chosen
from fingerpost.trainer.feed import Clips
from fingerpost.trainer.models.signet import Signet
from fingerpost.trainer.models.uni_sign import UniSign, UniSignConfig
from fingerpost.trainer.recipe import read_recipe_as
from fingerpost.trainer.shards import ShardsAbout, open_shards, write_shards
from fingerpost.trainer.tasks.signet import Settings, SignetTranslation
from fingerpost.trainer.tasks.translation import Translation

pytestmark = pytest.mark.usefixtures("one_thread")

NAMES = ("ase", "bfi", "csl")
READER = {
    "model_type": "mt5",
    **{"d_model": 16, "d_kv": 8, "d_ff": 16, "num_heads": 2},
    **{"num_layers": 1, "num_decoder_layers": 1, "dropout_rate": 0.0},
}
STUDENT = """
task = "pocket_translation"
[teacher]
n_best = 1
frames = 20
states = ["encoder", "decoder"]
[distil]
sequence = 1.0
token = 1.0
hidden = 1.0
relation = 1.0
ctc = 0.3
frames = 1.0
relation_heads = 2
[data]
train = ["{shards}"]
buckets = 0
val_split = ""
[model]
width = 16
n_blocks = 2
n_heads = 2
past = 16
d_model = 16
d_ff = 16
d_kv = 8
n_reader_heads = 2
n_layers = 1
n_decoder_layers = 1
n_perceiver_layers = 1
[settings]
beams = 1
max_tokens = 8
[training]
steps = 1
batch = 3
lr = 1e-3
"""


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory, shards: Path) -> Path:
    folder = tmp_path_factory.mktemp("shards") / "few"
    clips = [open_shards(shards)[i] for i in (0, 1, 2)]
    write_shards(folder, clips, ShardsAbout(corpus="few", schema="sign69"))
    return folder


@pytest.fixture(scope="module")
def signet(tmp_path_factory: pytest.TempPathFactory, few: Path) -> Path:
    """A checkpoint of random weights, as Stage III leaves it."""
    task = Translation.from_data({"max_tokens": 8, "beams": 1}, Clips([str(few)], ""), None)
    torch.manual_seed(0)
    config = UniSignConfig({**READER, **task._token_numbers()}, pose_widths=(4, 4, 8, 8))
    experts = {name: UniSign(config) for name in NAMES}
    model = Signet.of_experts(experts, experts["ase"], k=2)
    folder = tmp_path_factory.mktemp("signet") / "signet"
    own = SignetTranslation(Settings(max_tokens=8, beams=1), task.tokenizer, NAMES)
    save_checkpoint(folder, model, {"task": "signet", **own.save(folder)}, {})
    return folder


def test_it_teaches_the_student_by_every_term(signet: Path, few: Path, tmp_path: Path) -> None:
    """Without a line of distill that knows it."""
    recipe = tmp_path / "student.toml"
    recipe.write_text(STUDENT.format(shards=few))
    rows: list[dict[str, float]] = []
    distil(
        *(signet, read_recipe_as(DistilRecipe, recipe), tmp_path / "out", tmp_path / "cache"),
        lambda step, n_steps, figures: rows.append(figures),
    )
    learned = {name: value for name, value in rows[0].items() if name.startswith("teacher.")}
    terms = ("sequence", "token", "hidden_encoder", "hidden_decoder", "frames")
    assert all(learned[f"teacher.{term}"] > 0 for term in terms), learned
    assert all(math.isfinite(value) for value in learned.values())


def test_sets_shares_and_entropy_are_counted() -> None:
    shares = torch.tensor([[0.75, 0.25, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    found = counted("phoenix", shares, NAMES)
    assert found.sets == {("ase", "bfi"): 2, ("csl",): 1} and found.n_clips == 3
    assert found.shares == pytest.approx({"ase": 1.25 / 3, "bfi": 0.25, "csl": 1 / 3})
    quarter = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert found.entropy == pytest.approx((quarter + math.log(2)) / 3, abs=1e-5)
    assert list(found.as_json()["sets"]) == ["ase + bfi", "csl"]


def test_the_command_says_who_is_listened_to_and_draws_it(
    signet: Path, few: Path, tmp_path: Path
) -> None:
    """A corpus as often as it is given; every clip has two experts of three."""
    picture = tmp_path / "chosen.png"
    given = ["experts", str(signet), str(few), str(few), "--split", "train", "--plot", str(picture)]
    result = CliRunner().invoke(app, [*given, "--json"])
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout[result.stdout.index("{") :])
    assert len(content["corpora"]) == 2
    for one in content["corpora"]:
        assert one["clips"] == 3 == sum(one["sets"].values())
        assert all(len(names.split(" + ")) == 2 for names in one["sets"])
        assert sum(one["shares"].values()) == pytest.approx(1, abs=1e-5)
    assert picture.read_bytes().startswith(b"\x89PNG") and not list(tmp_path.glob("*.partial"))


def test_what_cannot_be_drawn_is_an_error_of_one_line(few: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no corpus to draw"):
        draw_chosen(tmp_path / "chosen.png", [])
    with pytest.raises(ValueError, match="no checkpoint|has no config.json"):
        chosen_experts(tmp_path, [str(few)])
    one = Chosen("d", 2, {("a", "b"): 2}, {"a": 0.5, "b": 0.5}, 0.69)
    draw_chosen(tmp_path / "one.png", [one])
    assert (tmp_path / "one.png").stat().st_size > 1000
