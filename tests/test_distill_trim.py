"""A teacher cut to the vocabulary of a corpus: the same logits and answers, and what that saves."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from typer.testing import CliRunner, Result

from fingerpost.app.cli import app
from fingerpost.distill.trim import trim_checkpoint
from fingerpost.trainer.checkpoint import load_checkpoint, save_checkpoint
from fingerpost.trainer.evaluate import load_for_answers
from fingerpost.trainer.feed import Clips
from fingerpost.trainer.models.pocket import Pocket, PocketConfig
from fingerpost.trainer.models.uni_sign import UniSign, UniSignConfig
from fingerpost.trainer.shards import ShardsAbout, open_shards, write_shards
from fingerpost.trainer.tasks.translation import Settings, Translation
from fingerpost.trainer.text_tokenizer import train_tokenizer
from fingerpost.trainer.trimmed_vocabulary import IDS_FILE

MORE = [f"something else {letter}{other}o" for letter in "bcdfgklm" for other in "aeiou"]
READER = {
    "model_type": "mt5",
    **{"d_model": 16, "d_kv": 8, "d_ff": 32, "num_heads": 2},
    **{"num_layers": 1, "num_decoder_layers": 1, "dropout_rate": 0.0},
}
WRONG = "something else bo"
N_ROWS = 320  # more rows than pieces, as mT5 has

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory, shards: Path) -> Path:
    """One clip for each of the four ways, and one that has no label, so nothing can be asked."""
    folder = tmp_path_factory.mktemp("shards") / "few"
    clips = [open_shards(shards)[i] for i in range(4)]
    clips.append(replace(clips[0], id="unlabelled", text="", glosses=()))
    write_shards(folder, clips, ShardsAbout(corpus="few", schema="sign69"))
    return folder


@pytest.fixture(scope="module")
def task(few: Path) -> Translation:
    """Two kinds of questions, and a tokenizer that knows much more than these clips.

    It reads glosses where poses would be: what is trimmed is the language model alone.
    """
    texts = [*Clips([str(few)], "").column("text"), *MORE, "up down left right"]
    tokenizer = train_tokenizer([*texts, "Translate sign language video to English glosses: "], 300)
    return Translation(Settings(asks=("text", "glosses"), reads="glosses", max_tokens=8), tokenizer)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory, task: Translation) -> Path:
    """Random weights."""
    return write_teacher(tmp_path_factory.mktemp("teacher") / "random", task, tied=False)


def write_teacher(folder: Path, task: Translation, tied: bool) -> Path:
    torch.manual_seed(0)
    numbers = {**task._token_numbers(), "vocab_size": N_ROWS}
    model = UniSign(UniSignConfig({**READER, **numbers}, tied))
    # All equally likely is what random weights mean; these mean what they say.
    with torch.no_grad():
        model.language_model.lm_head.weight.mul_(40)
    return write(folder, model, task)


def write(folder: Path, model: UniSign, task: Translation) -> Path:
    folder.mkdir()
    info = {"task": "translation", **task.save(folder), "origin": "a test"}
    save_checkpoint(folder, model, info, {"validation": {"text.bleu4": 12.5}})
    return folder


def batch_of(folder: Path, few: Path) -> tuple:
    network, task = load_for_answers(folder, {})
    clips = [task.prepare(clip) for clip in list(Clips([str(few)], ""))[:3]]
    return network, task.batch(clips, None, 0)


def logits_of(network: nn.Module, batch: object) -> torch.Tensor:
    """Of the true answers, (R, L, V)."""
    asked = {name: batch.inputs[name] for name in ("keypoints", "frame_mask", "prompt")}
    embeds, mask = network.embed(**asked)
    with torch.no_grad():
        return network.language_model(
            inputs_embeds=embeds, attention_mask=mask, labels=batch.inputs["labels"]
        ).logits


@pytest.mark.parametrize("tied", [True, False])
def test_logits_of_the_pieces_that_stay_are_the_same(
    few: Path, task: Translation, tmp_path: Path, tied: bool
) -> None:
    teacher = write_teacher(tmp_path / "teacher", task, tied)
    report = trim_checkpoint(teacher, [str(few)], tmp_path / "trimmed", n_clips=0)
    old_ids = json.loads((tmp_path / "trimmed" / IDS_FILE).read_text())
    assert len(old_ids) == report.new_pieces < report.old_pieces <= N_ROWS
    (before, full), (after, cut) = (batch_of(f, few) for f in (teacher, tmp_path / "trimmed"))
    there = cut.inputs["labels"] != -100
    assert torch.tensor(old_ids)[cut.inputs["labels"][there]].equal(full.inputs["labels"][there])
    then, now = logits_of(before, full)[there], logits_of(after, cut)[there]
    assert then.shape[1] == N_ROWS and now.shape[1] == len(old_ids)
    torch.testing.assert_close(now, then[:, old_ids], rtol=1e-5, atol=1e-5)
    # Probabilities grow alike, by one over what the pieces that stay had together.
    share = then.softmax(dim=-1)[:, old_ids].sum(dim=-1, keepdim=True)
    assert share.min() < 0.9
    torch.testing.assert_close(now.softmax(-1), then.softmax(-1)[:, old_ids] / share)


def test_beams_are_those_of_the_full_model_without_the_other_pieces(
    few: Path, teacher: Path, tmp_path: Path
) -> None:
    trim_checkpoint(teacher, [str(few)], tmp_path / "trimmed", n_clips=0)
    old_ids = json.loads((tmp_path / "trimmed" / IDS_FILE).read_text())
    (before, full), (after, cut) = (batch_of(f, few) for f in (teacher, tmp_path / "trimmed"))
    asked = ("keypoints", "frame_mask", "prompt")
    free = before.generate(**{k: full.inputs[k] for k in asked}, n_beams=4, max_tokens=8)
    dropped = sorted(set(range(N_ROWS)) - set(old_ids))
    before.language_model.generation_config.suppress_tokens = dropped
    before.language_model.generation_config.renormalize_logits = True
    then = before.generate(**{k: full.inputs[k] for k in asked}, n_beams=4, max_tokens=8)
    now = after.generate(**{k: cut.inputs[k] for k in asked}, n_beams=4, max_tokens=8)
    assert torch.tensor(old_ids)[now].equal(then)
    assert len(now.unique()) > 2 and not torch.equal(free, then)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory, task: Translation, few: Path) -> Path:
    """A teacher that knows the answers to three clips, and learned a wrong one to the other."""
    torch.manual_seed(0)
    model = UniSign(UniSignConfig({**READER, **task._token_numbers(), "vocab_size": N_ROWS}))
    clips = [task.prepare(clip) for clip in list(Clips([str(few)], ""))[:4]]
    text, glosses = clips[2].questions
    clips[2] = replace(clips[2], questions=(replace(text, truth=WRONG), glosses))
    batch = task.batch(clips, None, 0)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    model.eval()
    for _ in range(60):
        optimizer.zero_grad()
        task.losses(model, batch)["language"].backward()
        optimizer.step()
    return write(tmp_path_factory.mktemp("teacher") / "learned", model, task)


def said_of(folder: Path, few: Path) -> list[str]:
    network, batch = batch_of(folder, few)
    _, task = load_for_answers(folder, {})
    return [p.said for answers in task.predict(network, batch).values() for p in answers]


def test_a_teacher_that_learned_the_corpus_answers_as_before(
    few: Path, learned: Path, tmp_path: Path
) -> None:
    """Pieces of wrong answers, which no text has, stay too where the answer was looked at."""
    answers = ["the hand goes up", "the hand goes down", WRONG, "up", "down", "left"]
    assert said_of(learned, few) == answers
    report = trim_checkpoint(learned, [str(few)], tmp_path / "out", n_clips=9)
    assert report.n_checked == 8 == report.n_same and report.differing == ()
    assert said_of(tmp_path / "out", few) == answers
    unseen = trim_checkpoint(learned, [str(few)], tmp_path / "unseen", n_clips=0)
    assert unseen.new_pieces < report.new_pieces
    assert [a == b for a, b in zip(said_of(tmp_path / "unseen", few), answers, strict=True)] == [
        *(True, True, False, True, True, True)
    ]
    kept = trim_checkpoint(learned, [str(few)], tmp_path / "kept", keep=[WRONG], n_clips=0)
    assert kept.new_pieces == report.new_pieces


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["distill", *map(str, arguments)])


def test_command(few: Path, teacher: Path, learned: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in learned.rglob("*") if path.is_file()}
    out = tmp_path / "out"
    done = run(learned, "--corpus", few, "--trim-only", "-o", out, "--check", 2, "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    rows = report["old_pieces"] - report["new_pieces"]
    assert report["checkpoint"] == str(out) and rows > 20 and report["n_same"] == 4
    # Its rows for no piece at all go as well, and one matrix is for reading and writing.
    saved = (N_ROWS - report["new_pieces"]) * READER["d_model"]
    assert report["old_parameters"] - report["new_parameters"] == saved
    assert report["new_weights_bytes"] == (out / "model.safetensors").stat().st_size
    assert report["old_weights_bytes"] - report["new_weights_bytes"] == pytest.approx(
        4 * saved, abs=64
    )
    _, info, metrics = load_checkpoint(out)
    assert info["origin"] == "a test" and metrics == {"validation": {"text.bleu4": 12.5}}
    assert len(info["trimmed_from"]["sha256"]) == 64
    assert info["config"]["language_model"]["vocab_size"] == report["new_pieces"]
    assert before == {path: path.read_bytes() for path in learned.rglob("*") if path.is_file()}

    table = run(teacher, "--corpus", few, "--trim-only", "-o", tmp_path / "b", "--check", 2)
    assert "parameters" in table.stdout and "%" in table.stdout
    assert table.exit_code in (0, 1)  # random weights are free to answer otherwise


def test_an_answer_that_changed_is_told(
    few: Path, learned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = iter(
        [{("a", "text"): "one", ("b", "text"): "two"}, {("a", "text"): "one", ("b", "text"): "2"}]
    )
    monkeypatch.setattr("fingerpost.distill.trim._answers", lambda *_: next(heard))
    done = run(learned, "--corpus", few, "--trim-only", "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert "1 of 2 answers are as they were" in done.stderr and "Otherwise now: b." in done.stderr


def test_mistakes_are_errors_of_one_line(few: Path, learned: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def says(message: str, *arguments: object) -> None:
        done = run(*arguments, "-o", out)
        assert done.exit_code == 2 and message in done.stderr, done.output
        assert len(done.stderr.splitlines()) == 1 and not out.exists()
        assert not list(tmp_path.glob(".*.part"))

    says("one of the two", learned, "--corpus", few, "--trim-only", "--cache-only")
    says("is no checkpoint: it has no", tmp_path, "--corpus", few, "--trim-only")
    says("no folder", learned, "--corpus", tmp_path / "none", "--trim-only")
    says("no clip in split 'dev'", learned, "--corpus", few, "--trim-only", "--split", "dev")
    recogniser = Pocket(PocketConfig(n_labels=3, width=16, n_blocks=1, n_heads=2))
    save_checkpoint(tmp_path / "recogniser", recogniser, {}, {})
    says("has no language model", tmp_path / "recogniser", "--corpus", few, "--trim-only")
    shutil.copytree(learned, tmp_path / "bare")
    info = json.loads((tmp_path / "bare" / "config.json").read_text())
    del info["task"]
    (tmp_path / "bare" / "config.json").write_text(json.dumps(info))
    says("with --tokenizer google/mt5-base", tmp_path / "bare", "--corpus", few, "--trim-only")
    out = tmp_path / "there"
    out.mkdir()
    (out / "file").write_text("mine")
    done = run(learned, "--corpus", few, "--trim-only", "-o", out)
    assert done.exit_code == 2 and "is there already" in done.stderr
    assert [path.name for path in out.iterdir()] == ["file"]
