"""Sigma from shards to figures: it learns, is evaluated, drawn, and teaches the student."""

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from fingerpost.app.cli import app
from fingerpost.distill.distil import distil
from fingerpost.distill.distil_recipe import DistilRecipe
from fingerpost.trainer.checkpoint import load_checkpoint, resolve_checkpoint
from fingerpost.trainer.evaluate import evaluate_checkpoint
from fingerpost.trainer.evaluation import evaluate_predictions
from fingerpost.trainer.feed import Clips
from fingerpost.trainer.models.pocket_translator import PocketTranslator
from fingerpost.trainer.predictions import Prediction
from fingerpost.trainer.recipe import RECIPES, Recipe, read_recipe, read_recipe_as
from fingerpost.trainer.retrieval import search
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
pose_widths = [8, 8, 8, 16]
embed_width = 16
fused = ["matching"]
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
def pretrained(tmp_path_factory: pytest.TempPathFactory, shards: Path) -> Path:
    folder = tmp_path_factory.mktemp("sigma")
    train(recipe_of(folder, shards, "sigma_pretraining", 60), folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory, shards: Path, pretrained: Path) -> Path:
    folder = tmp_path_factory.mktemp("tuned")
    start = (f"start_from={pretrained}", 'fresh=["pretraining."]')
    train(recipe_of(folder, shards, "sigma", 2, *start), folder / "out")
    return folder / "out"


def test_pre_training_finds_the_texts_of_clips(pretrained: Path, shards: Path) -> None:
    """Four texts: by guessing, one clip in four would find its own."""
    rows = [json.loads(line) for line in (pretrained / "log.jsonl").read_text().splitlines()]
    for term in ("whole", "local", "matching", "language"):
        assert rows[-1][term] < rows[0][term], term
    found = evaluate_checkpoint(pretrained, [str(shards)], "", 8, n_resamples=0)
    assert set(found) == {"text", "sign_to_text", "text_to_sign"}
    evaluation, said = found["sign_to_text"]
    assert evaluation.n_clips == 24 and evaluation.figures["r5"].value == 100
    assert evaluation.figures["r1"].value >= 75
    assert len(said[0].ranked) == 4 and said[0].said == said[0].ranked[0]
    evaluation, said = found["text_to_sign"]
    assert evaluation.n_clips == 4 and evaluation.figures["r1"].value >= 75
    assert len(said[0].ranked) == 10


def test_retrieval_does_not_depend_on_batches(pretrained: Path, shards: Path) -> None:
    from fingerpost.trainer.evaluate import load_for_answers
    from fingerpost.trainer.feed import PreparedClips

    network, task = load_for_answers(pretrained, {})
    prepared = PreparedClips(Clips([str(shards)], "val"), task, cache=True)
    one, other = (search(task, network, prepared, batch, "cpu") for batch in (2, 50))
    for kind in ("sign_to_text", "text_to_sign"):
        assert {p.id: p.ranked for p in one[kind]} == {p.id: p.ranked for p in other[kind]}


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
        frames = 10
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
    assert recipe.task in ("sigma", "sigma_pretraining")
    assert recipe.training.weight_decay == 1e-3  # Table 1
