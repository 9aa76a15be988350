"""Sigma from shards to figures: it learns, is evaluated, drawn, and teaches the student."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from fingerpost.app.cli import app
from fingerpost.distill.distil import distil
from fingerpost.distill.distil_recipe import DistilRecipe
from fingerpost.edge_runtime.keypoints import SIGN69
from fingerpost.trainer.checkpoint import load_checkpoint, resolve_checkpoint
from fingerpost.trainer.evaluate import evaluate_checkpoint
from fingerpost.trainer.evaluation import evaluate_predictions
from fingerpost.trainer.feed import Clips, PreparedClips
from fingerpost.trainer.models.pocket_translator import PocketTranslator
from fingerpost.trainer.network import new_network
from fingerpost.trainer.predictions import Prediction
from fingerpost.trainer.recipe import RECIPES, Recipe, read_recipe, read_recipe_as
from fingerpost.trainer.retrieval import search
from fingerpost.trainer.shards import ShardsAbout, open_shards, write_shards
from fingerpost.trainer.tasks import find_task
from fingerpost.trainer.tasks.task import Batch
from fingerpost.trainer.train import train

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = """
task = "{task}"
seed = 0
[data]
train = ["{shards}"]
val = ["{shards}"]
val_split = ""
cache = true
max_val_clips = 8
[model]
label_smoothing = 0.0
pose_widths = [4, 4, 8, 16]
embed_width = 16
fused = ["pairs"]
[model.language_model]
model_type = "mt5"
d_model = 32
d_kv = 8
d_ff = 32
num_layers = 2
num_decoder_layers = 2
num_heads = 4
dropout_rate = 0.0
[settings]
asks = ["text"]
beams = 1
max_tokens = 12
[training]
steps = {steps}
batch = 6
lr = 5e-3
betas = [0.9, 0.98]
warmup = 0.1
validate_every = 1000
"""


def recipe_of(folder: Path, shards: Path, task: str, steps: int, *changes: str) -> Recipe:
    file = folder / f"{task}.toml"
    file.write_text(SMALL.format(task=task, shards=shards, steps=steps))
    return read_recipe(file, changes)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, shards: Path) -> Path:
    """The clips of ``shards`` with the right wrist, too, where the hand goes: Uni-Sign's
    normalisation does not tell where a hand is but by the body's wrist."""
    ways = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}
    folder = tmp_path_factory.mktemp("places") / "ways"
    clips = []
    for clip in open_shards(shards):
        xyz = clip.sequence.xyz.copy()
        xyz[:, SIGN69.index("right_wrist"), :2] = 0.5 + 0.4 * np.array(ways[clip.glosses[0]])
        clips.append(replace(clip, sequence=replace(clip.sequence, xyz=xyz)))
    write_shards(folder, clips, ShardsAbout(corpus="places", schema="sign69"))
    return folder


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory, places: Path) -> Path:
    folder = tmp_path_factory.mktemp("sigma")
    train(recipe_of(folder, places, "sigma_pretraining", 90, "training.batch=24"), folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory, shards: Path, pretrained: Path) -> Path:
    folder = tmp_path_factory.mktemp("tuned")
    start = (f"start_from={pretrained}", 'fresh=["pretraining."]')
    train(recipe_of(folder, shards, "sigma", 2, *start), folder / "out")
    return folder / "out"


def test_pre_training_finds_the_texts_of_clips(pretrained: Path, places: Path) -> None:
    """Four texts: by guessing, one clip in four would find its own."""
    rows = [json.loads(line) for line in (pretrained / "log.jsonl").read_text().splitlines()]
    for term in ("whole", "local", "matching", "language"):
        assert rows[-1][term] < rows[0][term], term
    found = evaluate_checkpoint(pretrained, [str(places)], "", 8, n_resamples=0)
    assert set(found) == {"text", "sign_to_text", "text_to_sign"}
    evaluation, said = found["sign_to_text"]
    assert evaluation.n_clips == 24 and evaluation.figures["r5"].value == 100
    assert evaluation.figures["r1"].value >= 75
    assert len(said[0].ranked) == 4 and said[0].said == said[0].ranked[0]
    evaluation, said = found["text_to_sign"]
    assert evaluation.n_clips == 4 and evaluation.figures["r1"].value >= 75
    assert len(said[0].ranked) == 10


class Numbers(list):
    """Clips, as far as a search needs them: a name, what is signed, and its text."""

    def __init__(self, *clips: tuple[str, float, str]) -> None:
        super().__init__(clips)
        self.n_frames = np.array([len(name) for name, *_ in clips])


class NumbersTask:
    """What is signed is a number, and so is each text, its length."""

    def prepare(self, clip: tuple[str, float, str]) -> SimpleNamespace:
        name, number, text = clip
        question = SimpleNamespace(truth=text)
        return SimpleNamespace(id=name, signer="", number=number, questions=(question,))

    def batch(self, clips: list, draws: None, at_least: int) -> Batch:
        signed = torch.tensor([clip.number for clip in clips])
        texts = torch.tensor([float(len(clip.questions[0].truth)) for clip in clips])
        inputs = {"keypoints": signed, "frame_mask": None, "prompt": None, "texts": texts}
        return Batch(inputs, len(clips), clips)


class NumbersNetwork(torch.nn.Module):
    """The nearer the numbers, the more alike; text to sign likes high numbers better."""

    def sign_features(self, keypoints: Tensor, frame_mask: None, prompt: None) -> Tensor:
        return keypoints

    def text_features(self, texts: Tensor) -> Tensor:
        return texts

    def similarities(self, sign: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        away = -(sign[:, None] - text).abs()
        return away, away.T + sign / 10


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_a_search_by_hand(batch: int) -> None:
    """Three texts of four clips; the order of batches is that of the clips' lengths."""
    clips = Numbers(("a", 1.2, "x"), ("bbb", 2.9, "xx"), ("cc", 2.1, "xx"), ("dddd", 4.4, "xxxx"))
    prepared = PreparedClips(clips, NumbersTask(), cache=False)  # type: ignore[arg-type]
    found = search(NumbersTask(), NumbersNetwork(), prepared, batch, "cpu")  # type: ignore[arg-type]
    to_text = {p.id: (p.truth, p.ranked) for p in found["sign_to_text"]}
    assert to_text == {
        "a": ("x", ("x", "xx", "xxxx")),
        "cc": ("xx", ("xx", "x", "xxxx")),
        "bbb": ("xx", ("xx", "xxxx", "x")),
        "dddd": ("xxxx", ("xxxx", "xx", "x")),
    }
    to_sign = {p.truth: (p.id, p.said, p.ranked) for p in found["text_to_sign"]}
    assert to_sign == {
        "x": ("a", "x", ("x", "xx", "xx", "xxxx")),
        "xx": ("cc", "xx", ("xx", "xx", "x", "xxxx")),
        "xxxx": ("dddd", "xxxx", ("xxxx", "xx", "xx", "x")),
    }


def test_recall_by_hand() -> None:
    """The right one first, fifth, and sixth; two finds of one text are two."""
    ranked = [("a",), tuple("bbbba"), tuple("bbbbba")]
    said = [Prediction(str(i), "", "a", row[0], row) for i, row in enumerate(ranked)]
    figures = evaluate_predictions("text_to_sign", said, n_resamples=0).figures
    assert figures["r1"].value == pytest.approx(100 / 3)
    assert figures["r5"].value == pytest.approx(200 / 3)


def test_fine_tuning_goes_on_from_it_and_is_evaluated(tuned: Path, shards: Path) -> None:
    network, info, _ = load_checkpoint(resolve_checkpoint(tuned))
    assert info["task"] == "sigma" and not [n for n in network.state_dict() if "pretraining" in n]
    found = evaluate_checkpoint(tuned, [str(shards)], "", 8, n_resamples=0)
    assert set(found) == {"text"}
    assert found["text"][0].figures["bleu1"].value > 50  # the pre-training's language model
    done = CliRunner().invoke(app, ["evaluate", str(tuned), str(shards), "--split", "val"])
    assert done.exit_code == 0 and "BLEU-4" in done.stdout, done.output


def test_evaluate_shows_retrieval(pretrained: Path, shards: Path, tmp_path: Path) -> None:
    out = tmp_path / "figures"
    arguments = ["evaluate", pretrained, shards, "--split", "val", "-o", out, "--resamples", 0]
    done = CliRunner().invoke(app, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    assert "sign_to_text" in done.stdout and "R@1" in done.stdout and "R@5" in done.stdout
    written = json.loads((out / "sign_to_text" / "metrics.json").read_text())
    assert written["main_figure"] == "r1" and "sentences have no classes" in str(written["notes"])


def test_it_teaches_the_student_without_a_line_of_distill(
    tuned: Path, shards: Path, tmp_path: Path
) -> None:
    """States of the frames, of the tokens, answers and their probabilities, as Uni-Sign's."""
    recipe = tmp_path / "distil.toml"
    recipe.write_text(
        f"""
        task = "pocket_translation"
        [teacher]
        n_best = 1
        frames = 40
        states = ["encoder", "decoder"]
        [distil]
        sequence = 1.0
        token = 1.0
        hidden = 1.0
        relation = 1.0
        frames = 1.0
        relation_heads = 2
        [data]
        train = ["{shards}"]
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
        n_layers = 2
        n_decoder_layers = 1
        n_perceiver_layers = 1
        [settings]
        asks = ["text"]
        beams = 1
        max_tokens = 12
        [training]
        steps = 1
        batch = 3
        lr = 3e-3
        """
    )
    rows: list[dict[str, float]] = []
    asked = read_recipe_as(DistilRecipe, recipe)
    distil(tuned, asked, tmp_path / "out", tmp_path / "cache", lambda s, n, row: rows.append(row))
    terms = ("token", "hidden_encoder", "hidden_decoder", "frames")
    assert all(rows[0][f"teacher.{term}"] > 0 for term in terms), rows[0]
    student = load_checkpoint(resolve_checkpoint(tmp_path / "out"))[0]
    assert type(student) is PocketTranslator


def test_it_can_be_studied_as_uni_sign_can(tuned: Path, shards: Path) -> None:
    from fingerpost.trainer.evaluate import load_for_answers

    network, task = load_for_answers(tuned, {})
    batch = task.batch([task.prepare(clip) for clip in Clips([str(shards)], "val")], None, 0)
    given = {name: batch.inputs[name] for name in ("keypoints", "frame_mask", "prompt")}
    with torch.no_grad():
        studied = network.study([batch.inputs["labels"]], **given)
        again = network(**given, labels=batch.inputs["labels"])
    n, t = given["keypoints"].shape[:2]
    assert studied.encoder.shape == (n, t, network.study_widths["encoder"])
    assert torch.equal(studied.mask, given["frame_mask"])
    assert network.gloss_scores(studied.frames).shape == (n, t, len(task.tokenizer))
    own = network.losses_of(studied, given["frame_mask"], batch.inputs["labels"])
    torch.testing.assert_close(own, again)


def test_pictures_of_both_stages(
    pretrained: Path, tuned: Path, shards: Path, tmp_path: Path
) -> None:
    for folder, beside in ((pretrained, []), (tuned, ["--beside", pretrained])):
        out = tmp_path / folder.parent.name
        arguments = ["plot", "alignment", folder, shards, "--split", "", *beside, "-o", out]
        done = CliRunner().invoke(app, [*map(str, arguments), "--clips", "9", "--json"])
        assert done.exit_code == 0, done.output
        assert len(json.loads(done.stdout)["gap"]) == 1 + len(beside) // 2
        for name in ("tsne.png", "words.png"):
            assert (out / name).read_bytes().startswith(b"\x89PNG")
        assert not list(out.glob("*.partial"))
    few = ["plot", "alignment", str(tuned), str(shards), "--clips", "2"]
    done = CliRunner().invoke(app, few)
    assert done.exit_code == 2


@pytest.mark.parametrize("path", sorted(RECIPES.glob("sigma*.toml")), ids=lambda path: path.stem)
def test_every_bundled_recipe_can_be_read(path: Path) -> None:
    recipe = read_recipe(Path(path.stem))
    starts = "words" in path.stem or "signs" in path.stem  # what a comparison starts from
    assert recipe.task in (("translation",) if starts else ("sigma", "sigma_pretraining"))
    assert recipe.training.weight_decay == 1e-3  # Table 1


@pytest.mark.parametrize(
    ("fresh", "taken"),
    [
        (["pretraining."], {"poses", "class_token", "encoder", "decoder"}),
        (["pretraining.", "poses.", "class_token", "language_model.encoder."], {"decoder"}),
        (["pretraining.", "language_model.decoder."], {"poses", "class_token", "encoder"}),
    ],
)
def test_rows_of_table_6(
    pretrained: Path, shards: Path, tmp_path: Path, fresh: list[str], taken: set[str]
) -> None:
    """Which part starts as the pre-training left it."""
    changes = (f"start_from={pretrained}", f"fresh={fresh}")
    recipe = recipe_of(tmp_path, shards, "sigma", 1, *changes)
    there, info, _ = load_checkpoint(resolve_checkpoint(pretrained))
    task = find_task("sigma").from_checkpoint(resolve_checkpoint(pretrained), info)
    torch.manual_seed(7)
    network = new_network(recipe, task)
    names = {
        "poses": "poses.projection.weight",
        "class_token": "class_token",
        "encoder": "language_model.encoder.block.0.layer.0.SelfAttention.q.weight",
        "decoder": "language_model.decoder.block.0.layer.1.EncDecAttention.k.weight",
    }
    same = {
        part
        for part, name in names.items()
        if torch.equal(network.state_dict()[name], there.state_dict()[name])
    }
    assert same == taken


def test_table_19_freezes_the_text_encoder(pretrained: Path, shards: Path, tmp_path: Path) -> None:
    """And nothing else."""
    changes = ('frozen=["pretraining.text_encoder."]',)
    recipe = recipe_of(tmp_path, shards, "sigma_pretraining", 1, *changes)
    _, info, _ = load_checkpoint(resolve_checkpoint(pretrained))
    task = find_task("sigma_pretraining").from_checkpoint(resolve_checkpoint(pretrained), info)
    for name, parameter in new_network(recipe, task).named_parameters():
        assert parameter.requires_grad != name.startswith("pretraining.text_encoder."), name
