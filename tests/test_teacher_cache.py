"""What a teacher says, kept: that it is what the teacher says, once, and of nothing else."""

import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from fingerpost.app.cli import app
from fingerpost.distill import teacher_cache
from fingerpost.distill.losses import token_loss
from fingerpost.distill.teacher import Teacher, TeacherSettings, hash_of_teacher, open_teacher
from fingerpost.distill.teacher_cache import (
    TeacherCache,
    key_of,
    make_teacher_cache,
    open_teacher_cache,
)
from fingerpost.distill.top_k import at_temperature
from fingerpost.trainer.checkpoint import save_checkpoint
from fingerpost.trainer.feed import Clips
from fingerpost.trainer.models.gloss_alignment import SHARPNESS
from fingerpost.trainer.models.language_model import IGNORED
from fingerpost.trainer.models.ms_mae import MsMae, MsMaeConfig
from fingerpost.trainer.models.pocket import Pocket, PocketConfig
from fingerpost.trainer.models.uni_sign import UniSign, UniSignConfig
from fingerpost.trainer.shards import ShardsAbout, open_shards, write_shards
from fingerpost.trainer.tasks.isolated import Isolated
from fingerpost.trainer.tasks.translation import Translation

READER = {
    "model_type": "mt5",
    **{"d_model": 16, "d_kv": 8, "d_ff": 16, "num_heads": 2},
    **{"num_layers": 1, "num_decoder_layers": 1, "dropout_rate": 0.0},
}
ALL = TeacherSettings(
    k=5, temperatures=(1.0, 2.0), n_best=3, frames=4, states=("encoder", "decoder"), batch=3
)
WAYS = ("down", "left", "right", "up")

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory, shards: Path) -> Path:
    """Seven clips."""
    folder = tmp_path_factory.mktemp("shards") / "few"
    clips = [clip for clip, _ in zip(open_shards(shards), range(7), strict=False)]
    write_shards(folder, clips, ShardsAbout(corpus="few", schema="sign69"))
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, few: Path) -> Path:
    """Random weights that mean what they say; two questions about each clip."""
    settings = {"asks": ["text", "glosses"], "align": 1.0, "max_tokens": 6, "beams": 2}
    task = Translation.from_data(settings, Clips([str(few)], ""), None)
    torch.manual_seed(0)
    model = UniSign(UniSignConfig({**READER, **task._token_numbers()}, tied=False))
    with torch.no_grad():
        model.language_model.lm_head.weight.mul_(20)
    folder = tmp_path_factory.mktemp("teacher")
    info = {"task": "translation", **task.save(folder)}
    save_checkpoint(folder, model, info, {})
    return folder


@pytest.fixture(scope="module")
def teacher(checkpoint: Path) -> Teacher:
    return open_teacher(checkpoint)


@pytest.fixture(scope="module")
def clips(few: Path) -> Clips:
    return Clips([str(few)], "")


@pytest.fixture(scope="module")
def cache(
    tmp_path_factory: pytest.TempPathFactory, teacher: Teacher, clips: Clips
) -> Iterator[TeacherCache]:
    yield make_teacher_cache(tmp_path_factory.mktemp("cache"), teacher, clips, ALL)


def full_logits(teacher: Teacher, clip: object) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of both answers to a clip, (2, L, V), their labels, and the clip's frames, (T, D)."""
    batch = teacher.task.batch([teacher.task.prepare(clip)], None, 0)
    asked = {name: batch.inputs[name] for name in ("keypoints", "frame_mask", "prompt")}
    with torch.no_grad():
        embeds, mask = teacher.network.embed(**asked)
        logits = teacher.network.language_model(
            inputs_embeds=embeds, attention_mask=mask, labels=batch.inputs["labels"]
        ).logits
    return logits, batch.inputs["labels"], embeds[0, asked["prompt"].ids.shape[1] :]


def test_probabilities_are_those_of_the_teacher(
    cache: TeacherCache, teacher: Teacher, clips: Clips
) -> None:
    """To what float16 keeps, and to what the filling of a batch does to a clip's last frames."""
    clip = max(clips, key=lambda clip: len(clip.sequence))
    logits, labels, _ = full_logits(teacher, clip)
    kept = cache.targets([(clip.id, "text"), (clip.id, "glosses")])
    assert torch.equal(kept.tokens, labels) and torch.equal(kept.mask, labels != IGNORED)
    there = kept.mask
    true = logits.log_softmax(dim=-1)
    assert kept.few.ids.shape == (*labels.shape, 5)
    torch.testing.assert_close(
        kept.few.log_probs[there],
        true.gather(-1, kept.few.ids)[there],
        rtol=2e-3,
        atol=1e-3,
    )
    others = true.scatter(-1, kept.few.ids, -torch.inf)
    rests = torch.stack([(others / t).logsumexp(dim=-1) for t in (1, 2)], dim=-1)
    torch.testing.assert_close(kept.few.rests[there], rests[there], rtol=1e-4, atol=1e-4)
    # So a student with the teacher's own logits has nothing left to learn.
    assert token_loss(logits, kept.few, there, 2.0, (1.0, 2.0)).item() == pytest.approx(0, abs=1e-5)
    likely, rest = at_temperature(kept.few, 2.0, cache.settings.temperatures)
    whole = likely[there].exp().sum(dim=-1) + rest[there].exp()
    torch.testing.assert_close(whole, torch.ones(len(whole)))


def test_answers_are_its_beams_with_their_scores(
    cache: TeacherCache, teacher: Teacher, clips: Clips
) -> None:
    clip = max(clips, key=lambda clip: len(clip.sequence))
    said = cache.answers(clip.id, "text")
    assert len(said) == 3 and sorted((one.score for one in said), reverse=True) == [
        one.score for one in said
    ]
    assert len({tuple(one.tokens.tolist()) for one in said}) == 3
    # The score is the mean logarithm of its tokens' probabilities.
    batch = teacher.task.batch([teacher.task.prepare(clip)], None, 0)
    asked = {name: batch.inputs[name] for name in ("keypoints", "frame_mask", "prompt")}
    with torch.no_grad():
        embeds, mask = teacher.network.embed(**asked)
        best = said[0].tokens[None]
        logits = teacher.network.language_model(
            inputs_embeds=embeds[:1], attention_mask=mask[:1], labels=best
        ).logits
    scores = logits.log_softmax(dim=-1).gather(-1, best[..., None]).flatten()
    assert said[0].score == pytest.approx(scores.mean().item(), abs=1e-4)


def test_glosses_of_frames_and_states(cache: TeacherCache, teacher: Teacher, clips: Clips) -> None:
    clip = max(clips, key=lambda clip: len(clip.sequence))
    n = len(clip.sequence)
    _, _, frames = full_logits(teacher, clip)
    embeddings = teacher.network.language_model.shared.weight
    cosine = torch.nn.functional.cosine_similarity(frames[:, None], embeddings[None], dim=-1)
    true = (SHARPNESS * cosine).log_softmax(dim=-1)
    kept, mask = cache.frames([clip.id], [n])
    assert mask.all() and kept.ids.shape == (1, n, 4)
    assert torch.equal(kept.ids[0, :, 0], true.argmax(dim=-1))
    torch.testing.assert_close(
        kept.log_probs[0], true.gather(-1, kept.ids[0]), rtol=2e-3, atol=1e-3
    )
    encoder = cache.states([(clip.id, "text"), (clip.id, "glosses")], "encoder")
    decoder = cache.states([(clip.id, "text")], "decoder")
    n_tokens = len(cache.targets([(clip.id, "text")]).tokens[0])
    assert encoder.shape == (2, n, 16) and decoder.shape == (1, n_tokens, 16)
    assert not torch.equal(encoder[0], encoder[1])  # it is asked something else
    logits = teacher.network.language_model.lm_head(decoder[0])
    kept_text = cache.targets([(clip.id, "text")]).few
    assert torch.equal(logits.argmax(dim=-1), kept_text.ids[0, :, 0])


def test_a_student_of_another_frame_rate_gets_the_frames_of_its_moments(
    cache: TeacherCache, clips: Clips
) -> None:
    clip = clips[0]
    n = len(clip.sequence)
    own, _ = cache.frames([clip.id], [n])
    half, _ = cache.frames([clip.id], [n // 2])
    twice, _ = cache.frames([clip.id], [2 * n])
    assert torch.equal(twice.ids[0, ::2], own.ids[0]) and torch.equal(
        twice.ids[0, 1::2], own.ids[0]
    )
    if n % 2 == 0:
        assert torch.equal(half.ids[0], own.ids[0, 1::2])
    both, mask = cache.frames([clip.id, clips[1].id], [3, 5])
    assert both.ids.shape == (2, 5, 4) and mask.sum(dim=1).tolist() == [3, 5]
    resampled = cache.states([(clip.id, "text")], "encoder", [2 * n])
    assert torch.equal(resampled[0, ::2], cache.states([(clip.id, "text")], "encoder")[0])


class Stopped(Exception):
    pass


def test_it_is_asked_once_and_goes_on_where_it_stopped(
    teacher: Teacher,
    clips: Clips,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cache: TeacherCache,
) -> None:
    monkeypatch.setattr(teacher_cache, "PART_CLIPS", 3)
    asked = []
    read = Teacher.read

    def counted(self, batch, settings):  # noqa: ANN001, ANN202
        if len(asked) == 3:
            asked.append([])
            raise Stopped
        asked.append([clip.id for clip in batch.clips])
        return read(self, batch, settings)

    monkeypatch.setattr(Teacher, "read", counted)
    with pytest.raises(Stopped):
        asked += [[], []]  # after one batch
        make_teacher_cache(tmp_path, teacher, clips, ALL)
    with pytest.raises(ValueError, match="is not complete: make it with"):
        open_teacher_cache(tmp_path)
    (tmp_path / "part-00007.arrow.1.partial").write_bytes(b"half")
    heard = []
    made = make_teacher_cache(tmp_path, teacher, clips, ALL, heard.append)
    assert [len(ids) for ids in asked] == [0, 0, 3, 0, 3, 1] and heard == [3, 6, 7]
    assert len({name for ids in asked for name in ids}) == 7
    for name in clips.column("id"):
        one, other = made.reading(name), cache.reading(name)
        for mine, theirs in zip(one.questions, other.questions, strict=True):
            assert torch.equal(mine.few.log_probs, theirs.few.log_probs)
            assert mine.encoder is not None and torch.equal(mine.encoder, theirs.encoder)
    make_teacher_cache(tmp_path, teacher, clips, ALL)
    assert len(asked) == 6 and not list(tmp_path.glob("*.partial"))


def test_a_cache_of_something_else_is_refused(
    cache: TeacherCache,
    checkpoint: Path,
    teacher: Teacher,
    clips: Clips,
    shards: Path,
    tmp_path: Path,
) -> None:
    key = key_of(hash_of_teacher(checkpoint), clips, ALL)
    assert len(open_teacher_cache(cache.folder, key)) == 7
    others = {
        "another teacher": key | {"teacher": "0" * 64},
        "other clips": key_of(teacher.hash, Clips([str(shards)], ""), ALL),
        "other settings": key_of(teacher.hash, clips, TeacherSettings()),
        "another version of Fingerpost": key | {"format_version": 0},
    }
    for of, wanted in others.items():
        with pytest.raises(ValueError, match=f"is of {of}: delete it, or give another folder"):
            open_teacher_cache(cache.folder, wanted)
    with pytest.raises(ValueError, match="is of other settings"):
        make_teacher_cache(cache.folder, teacher, clips, TeacherSettings())
    with pytest.raises(ValueError, match="has no clip 'nobody'; make it of the same shards"):
        cache.reading("nobody")
    with pytest.raises(ValueError, match="was not asked for isolated; but text, glosses"):
        cache.answers(clips[0].id, "isolated")
    with pytest.raises(ValueError, match="two clips have one id"):
        make_teacher_cache(tmp_path, teacher, Clips([str(shards), str(shards)], ""), ALL)
    copy = pickle.loads(pickle.dumps(cache))
    assert copy.answers("clip0", "text")[0].score == cache.answers("clip0", "text")[0].score


def test_a_damaged_cache_is_an_error_of_one_line(cache: TeacherCache, tmp_path: Path) -> None:
    for file in cache.folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (part,) = tmp_path.glob("*.arrow")
    whole = part.read_bytes()
    part.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="is damaged: delete it, and make it"):
        open_teacher_cache(tmp_path)
    part.unlink()
    with pytest.raises(ValueError, match="holds 0 clips, 7 were made; copy it again"):
        open_teacher_cache(tmp_path)
    (tmp_path / "teacher.json").write_text("[]")
    with pytest.raises(ValueError, match="teacher.json is damaged"):
        open_teacher_cache(tmp_path)


def test_what_the_teacher_said_can_be_followed(teacher: Teacher, clips: Clips) -> None:
    batch = teacher.task.batch([teacher.task.prepare(clips[0])], None, 0)
    settings = TeacherSettings(k=2, n_best=1, beams=1, follows="said")
    (reading,) = teacher.read(batch, settings)
    for question in reading.questions:
        (said,) = question.said
        assert torch.equal(question.tokens, said.tokens)
        # Without a search, each token is the likeliest after those before it.
        assert torch.equal(question.few.ids[:, 0], said.tokens)
        mean = question.few.log_probs[:, 0].mean().item()
        assert said.score == pytest.approx(mean, abs=1e-4)


def test_a_recogniser_teaches_its_labels(few: Path, tmp_path: Path) -> None:
    task = Isolated.from_data({"window": 12}, Clips([str(few)], ""), None)
    torch.manual_seed(0)
    model = Pocket(PocketConfig(n_labels=4, window=12, width=16, n_blocks=1, n_heads=2)).eval()
    folder = tmp_path / "recogniser"
    save_checkpoint(folder, model, {"task": "isolated", **task.save(folder)}, {})
    clips = Clips([str(few)], "")
    settings = TeacherSettings(k=3, n_best=2, temperatures=(1.0,))
    cache = make_teacher_cache(tmp_path / "cache", open_teacher(folder), clips, settings)
    batch = task.batch([task.prepare(clip) for clip in clips], None, 0)
    with torch.no_grad():
        true = model(batch.inputs["keypoints"]).log_softmax(dim=-1)
    rows = [(clip.id, "isolated") for clip in clips]
    targets = cache.targets(rows)
    labels = [WAYS.index(clip.glosses[0]) for clip in clips]
    assert targets.tokens[:, 0].tolist() == labels and targets.few.ids.shape == (7, 1, 3)
    assert targets.few.ids[:, 0, 0].tolist() == true.argmax(dim=-1).tolist()
    best = cache.answers("clip0", "isolated")
    assert len(best) == 2 and best[0].score == pytest.approx(true[0].max().item(), abs=1e-3)
    with pytest.raises(ValueError, match="has no glosses of frames: set teacher.frames"):
        cache.frames(["clip0"], [5])
    with pytest.raises(ValueError, match="has no states of the encoder: set teacher.states"):
        cache.states(rows, "encoder")
    with pytest.raises(ValueError, match="names signs, and has no glosses of frames"):
        make_teacher_cache(tmp_path / "other", open_teacher(folder), clips, ALL)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["distill", *map(str, arguments)])


def test_command(checkpoint: Path, few: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("[teacher]\nk = 3\nn_best = 0\ntemperatures = [1.0]\n")
    out = tmp_path / "cache"
    options = ("--corpus", few, "--cache-only", "--split", "train", "-o", out, "--recipe", recipe)
    done = run(checkpoint, *options, "--json")
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)
    assert figures["cache"] == str(out) and figures["clips"] == 7 and figures["questions"] == 14
    assert figures["bytes"] == sum(path.stat().st_size for path in out.iterdir())
    assert open_teacher_cache(out).settings.k == 3
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert run(checkpoint, *options).exit_code == 0  # nothing is left to do
    assert before == {path: path.stat().st_mtime_ns for path in out.iterdir()}

    def says(message: str, *arguments: object) -> None:
        done = run(*arguments)
        assert done.exit_code == 2 and message in done.stderr, done.output
        assert len(done.stderr.splitlines()) == 1

    recipe.write_text("[teacher]\nk = 0\n")
    says("teacher.k cannot be 0", checkpoint, *options)
    recipe.write_text("[teacher]\ndepth = 3\n")
    says("unknown key `depth`; known: k, ", checkpoint, *options)
    recipe.write_text("[teacher\n")
    says("is not TOML", checkpoint, *options)
    recipe.write_text('task = "isolated"\n')
    says("is of other settings", checkpoint, *options)
    says("one of the two", checkpoint, *options, "--trim-only")
    pretrained = MsMae(MsMaeConfig(width=8, depth=1, heads=2, decoder_depth=1))
    save_checkpoint(tmp_path / "mae", pretrained, {"task": "ms_mae", "settings": {}}, {})
    says("answers nothing that a student could learn", tmp_path / "mae", *options)
