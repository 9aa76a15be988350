"""The task found: windows and questions, a training of all stages, its answers, as a teacher."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from fingerpost.app.cli import app
from fingerpost.distill.distil import distil
from fingerpost.distill.distil_recipe import DistilRecipe
from fingerpost.distill.teacher import TeacherSettings, open_teacher
from fingerpost.edge_runtime.keypoint_files import save_npz
from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence
from fingerpost.edge_runtime.timed_text import Cue, vtt
from fingerpost.trainer.checkpoint import load_checkpoint, resolve_checkpoint
from fingerpost.trainer.evaluate import evaluate_checkpoint
from fingerpost.trainer.evaluation import evaluate_predictions
from fingerpost.trainer.feed import Clips
from fingerpost.trainer.found_clips import Subtitled, cue_clips
from fingerpost.trainer.models.gloss_alignment import NONE, NOT_KNOWN
from fingerpost.trainer.models.language_model import IGNORED
from fingerpost.trainer.models.uni_sign import PROMPT
from fingerpost.trainer.predictions import Prediction
from fingerpost.trainer.recipe import Training, read_recipe, read_recipe_as
from fingerpost.trainer.shards import Clip, ShardsAbout, open_shards, write_shards
from fingerpost.trainer.subtitles import found_listener
from fingerpost.trainer.subtitles.aligner import Question as Asking
from fingerpost.trainer.subtitles.found_listener import video_features
from fingerpost.trainer.subtitles.found_reader import open_reader
from fingerpost.trainer.subtitles.windows import Window
from fingerpost.trainer.tasks.found import FoundTask
from fingerpost.trainer.tasks.found_settings import CUE, SPOKEN_CUE, digit_tokens
from fingerpost.trainer.tasks.found_windows import ask_for_span, window_at, within
from fingerpost.trainer.text_tokenizer import train_tokenizer
from fingerpost.trainer.train import schedule_of, train

pytestmark = pytest.mark.usefixtures("one_thread")

SIZES = """
[model{poses}]
channels = [4, 4, 6, 6, 6]
articulator_width = 8
width = 16
n_blocks = 1
n_heads = 2
window = 6
"""
SIGNS = """
task = "found_signs"
[data]
train = ["{shards}"]
[settings]
view = "sign69"
window = 8
[training]
steps = 2
batch = 4
lr = 1e-3
schedule = "one_cycle"
warmup = 0.3
"""
WINDOWS = """
task = "found"
[data]
train = ["{shards}"]
[model]
mapping_heads = 2
[model.language_model]
model_type = "t5"
d_model = 16
d_kv = 8
d_ff = 16
num_heads = 2
num_layers = 1
num_decoder_layers = 1
[settings]
view = "sign69"
window_s = 0.8
shift_s = 0.2
pieces = 90
beams = 1
max_tokens = 12
align = 1.0
augment = {{ drop_body = 0 }}
spans_share = 0.5
[training]
steps = 2
batch = 4
lr = 1e-3
"""


STUDENT = """
task = "pocket_translation"
[teacher]
n_best = 1
states = ["encoder", "decoder"]
[distil]
sequence = 1.0
token = 1.0
hidden = 1.0
relation = 0.0
ctc = 0.0
frames = 0.0
[data]
train = ["{shards}"]
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
asks = ["text"]
beams = 1
max_tokens = 12
[training]
steps = 1
batch = 3
lr = 1e-3
"""


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory, shards: Path) -> Path:
    """The clips of the fixture, with the times of their glosses."""
    folder = tmp_path_factory.mktemp("found") / "ways"
    clips = [replace(c, spans=((80, c.sequence.duration_ms - 80),)) for c in open_shards(shards)]
    write_shards(folder, clips, ShardsAbout(corpus="ways", schema="sign69"))
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, ways: Path) -> dict[str, Path]:
    """Of each stage the folder: single signs, the mapping alone with DoRA, all of it."""
    folder = tmp_path_factory.mktemp("stages")
    words = SIGNS.format(shards=ways) + SIZES.format(poses=".poses")
    whole = WINDOWS.format(shards=ways) + SIZES.format(poses=".poses")
    fresh = ["mapping.", "language_model.", "head.", "auxiliary.", "words", "of_clip.", "of_word."]
    (folder / "signs.toml").write_text(words)
    (folder / "windows.toml").write_text(whole)
    train(read_recipe(folder / "signs.toml"), folder / "signs")
    adapters = [f"lora.{line}" for line in ("rank=4", "alpha=8", "dora=true")]
    adapters += ['lora.within=["language_model."]', 'lora.train=["mapping."]']
    first = [f"start_from={folder / 'signs'}", f"fresh={json.dumps(fresh)}"]
    first += ["data.val_split=''", 'settings.asks=["text"]', *adapters]
    train(read_recipe(folder / "windows.toml", first), folder / "stage1")
    last = [f"start_from={folder / 'stage1'}", "training.validate_every=2"]
    train(read_recipe(folder / "windows.toml", last), folder / "stage3")
    return {name: folder / name for name in ("signs", "stage1", "stage3")}


def a_task(**settings: object) -> FoundTask:
    given = {"view": "sign69", "window_s": 4.0, "shift_s": 1.0, "pieces": 80, **settings}
    return FoundTask.from_data(given, SimpleClips([a_clip()]), None)


class SimpleClips(list):
    def column(self, name: str) -> list:
        return [getattr(clip, name) for clip in self]


def a_clip(n_frames: int = 250, **changes: object) -> Clip:
    """Ten seconds; two glosses, signed from 3 s to 5 s."""
    xyz = np.full((n_frames, 69, 3), 0.5, np.float32)
    xyz[:, SIGN69.index("left_shoulder"), 0] = 0.7
    xyz[:, 0, 0] = np.arange(n_frames) / 1000
    sequence = PoseSequence(xyz, np.ones(xyz.shape[:2], np.float32), 25.0, SIGN69)
    spans = ((3000, 4000), (4200, 5000))
    clip = Clip("a", "me", "train", ("UP", "DOWN"), "Up, down.", "ase", "en", sequence, spans)
    return replace(clip, **changes)  # type: ignore[arg-type]


# Windows


def test_a_window_stays_in_the_clip_and_a_span_in_the_window() -> None:
    assert window_at(50, 100, 20) == slice(40, 60)
    assert window_at(3, 100, 20) == slice(0, 20) and window_at(99, 100, 20) == slice(80, 100)
    assert window_at(3, 7, 20) == slice(0, 7)
    assert within(45.4, 52.6, slice(40, 60)) == (5, 13)
    assert within(30, 45, slice(40, 60)) == (0, 5) and within(55, 90, slice(40, 60)) == (15, 20)
    assert within(10, 20, slice(40, 60)) is None


def test_the_window_is_around_the_prior_and_the_span_counts_from_its_start() -> None:
    stretch = a_task().prepare(a_clip())
    assert stretch.span == (75.0, 125.0) and stretch.spoken is None
    seen = set()
    for seed in range(30):
        asked = ask_for_span(stretch, 100, 25, np.random.default_rng(seed), tells_prior=0.5)
        assert asked is not None and asked.span is not None
        start, end = asked.span
        assert asked.window.stop - asked.window.start == 100
        assert (start + asked.window.start, end + asked.window.start) == (75, 125)
        seen.add((asked.window.start, asked.prior is None))
        if asked.prior is not None:  # its middle is the window's
            assert sum(asked.prior) / 2 == pytest.approx(50, abs=1)
    assert {told for _, told in seen} == {True, False}
    assert min(first for first, _ in seen) >= 25 and max(first for first, _ in seen) <= 75
    known = replace(stretch, spoken=(40.0, 60.0))
    asked = ask_for_span(known, 100, 25, np.random.default_rng(0), tells_prior=1)
    assert asked is not None and asked.window == slice(0, 100)
    assert asked.prior == (40, 60) and asked.span == (75, 100)  # cut at the window's end
    far = replace(stretch, spoken=(-400.0, -300.0))  # nothing of it is near
    asked = ask_for_span(far, 60, 25, np.random.default_rng(0), tells_prior=1)
    assert asked is not None and asked.span == (5, 55) and asked.prior is None
    assert ask_for_span(replace(stretch, span=None), 60, 1, np.random.default_rng(0), 1) is None


# Batches


def test_of_the_questions_to_learn_from_so_many_ask_for_spans() -> None:
    task = a_task(spans_share=0.2)
    stretch = task.prepare(a_clip())
    batch = task.batch([stretch] * 400, range(400), 0)
    rows = batch.inputs["spans"].rows
    assert 50 < len(rows) < 110  # 80 of 400
    answers = batch.inputs["labels"]
    lengths = (answers != IGNORED).sum(dim=1)
    assert batch.weight == 6 * len(rows) + int(lengths.sum() - lengths[rows].sum())
    tokens = task.tokenizer.convert_ids_to_tokens(answers[rows[0], :8].tolist())
    digits = "".join(map(str, batch.inputs["spans"].digits[0].tolist()))
    assert "".join(tokens) == f"{digits[:3]}-{digits[3:]}</s>"
    prompts = task.tokenizer.batch_decode(batch.inputs["prompt"].ids, skip_special_tokens=True)
    assert all(("Up, down." in prompts[row]) == (row in rows) for row in range(400))
    spoken = sum("spoken" in prompts[row] for row in rows)
    assert 0.3 * len(rows) < spoken < 0.7 * len(rows)
    for only, kind in ((["spans"], 400), (["text"], 0)):
        some = a_task(asks=only).batch([a_task(asks=only).prepare(a_clip())] * 400, range(400), 0)
        assert len(some.inputs["spans"].rows) == kind


def test_answers_are_asked_for_the_same_way_each_time() -> None:
    task = a_task()
    stretch = task.prepare(a_clip())
    first, again = (task.batch([stretch], None, 0).inputs for _ in range(2))
    assert len(first["keypoints"]) == 2 and torch.equal(first["keypoints"], again["keypoints"])
    assert first["spans"].rows.tolist() == [1]
    # The text's window is around its signs: 75 to 125 of 250, so 50 to 150.
    assert first["keypoints"][0, 0, 0, 0] == pytest.approx(
        float(stretch.keypoints[50, 0, 0]), abs=1e-3
    )


def test_frames_show_glosses_as_words_and_nobody_knows_about_the_others() -> None:
    task = a_task(align=1.0)
    shown = task.prepare(a_clip()).of_frame
    up, down = task.tokenizer(["up", "down"], add_special_tokens=False)["input_ids"]
    assert set(shown[75:100]) == set(up) and set(shown[105:125]) == set(down)
    assert set(shown[100:105]) == {NONE} and set(shown[:75]) | set(shown[125:]) == {NOT_KNOWN}
    assert len(task.prepare(a_clip(glosses=(CUE,), spans=((3000, 5000),))).of_frame) == 0


# Clips of subtitles


def test_each_subtitle_becomes_a_clip_with_its_times() -> None:
    sequence = a_clip(1500).sequence
    cues = [
        Cue(2000, 4000, "near the start"),
        Cue(30_000, 33_000, "in the middle"),
        Cue(34_000, 34_500, "too short"),
        Cue(40_000, 41_000, " "),
        Cue(59_000, 61_000, "not wholly there"),
    ]
    spoken = tuple(cue._replace(start_ms=cue.start_ms - 1500) for cue in cues)
    first, second = cue_clips(Subtitled("film", sequence, cues, "train", spoken), around_s=5)
    assert (first.id, first.text, first.glosses) == (
        "film-00000",
        "near the start",
        (CUE, SPOKEN_CUE),
    )
    assert first.spans == ((2000, 4000), (500, 4000)) and len(first.sequence) == 200
    # Of 31.5 s in the middle five seconds on both sides, to whole frames: 26.48 s (662) on.
    assert len(second.sequence) == 250 and second.spans == ((3520, 6520), (2020, 6520))
    assert second.sequence.xyz[0, 0, 0] == pytest.approx(0.662)
    with pytest.raises(ValueError, match="the same texts in the same order"):
        Subtitled("film", sequence, cues, "train", spoken[1:])
    with pytest.raises(ValueError, match="some seconds around"):
        list(cue_clips(Subtitled("film", sequence, cues, "train"), around_s=0))


def test_command_cut_subtitles(tmp_path: Path) -> None:
    save_npz(tmp_path / "film.npz", a_clip(1500).sequence)
    (tmp_path / "film.vtt").write_text(vtt([Cue(20_000, 24_000, "hello")]))
    arguments = ["shards", "cut-subtitles", tmp_path / "film.npz", tmp_path / "film.vtt"]
    arguments += ["-o", tmp_path / "shards", "--name", "film", "--json"]
    for _ in range(2):  # the second time there is nothing left to cut
        done = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["clips"] == 1
    (clip,) = open_shards(tmp_path / "shards")
    assert clip.text == "hello" and clip.spans == ((13_000, 17_000),)
    done = CliRunner().invoke(app, [str(a) for a in [*arguments[:3], "none.vtt", *arguments[4:]]])
    assert done.exit_code == 2 and len(done.stderr.splitlines()) == 1


# Training and answers


def test_stages_follow_one_another(trained: dict[str, Path]) -> None:
    signs = load_checkpoint(resolve_checkpoint(trained["signs"]))[0].state_dict()
    first = load_checkpoint(resolve_checkpoint(trained["stage1"]))[0].state_dict()
    last = load_checkpoint(resolve_checkpoint(trained["stage3"]))[0].state_dict()
    poses = [name for name in first if name.startswith("poses.")]
    assert poses and all(torch.equal(signs[name], first[name]) for name in poses)
    assert any(not torch.equal(first[name], last[name]) for name in poses)
    assert not any("lora" in name for name in first)  # they are merged


def test_it_is_evaluated_like_any_model(trained: dict[str, Path], ways: Path) -> None:
    found = evaluate_checkpoint(trained["stage3"], [str(ways)], "val", n_resamples=0)
    assert set(found) == {"text", "spans"}
    said = found["spans"][1]
    assert len(said) == 8 and all(len(p.said) == len(p.truth) == 7 for p in said)
    assert set(found["spans"][0].figures) == {"iou", "f1_10", "f1_25", "f1_50"}


def test_it_teaches(trained: dict[str, Path], ways: Path) -> None:
    teacher = open_teacher(trained["stage3"])
    some = Clips([str(ways)], "val")
    clips = [teacher.task.prepare(some[i]) for i in range(2)]
    batch = teacher.task.batch(clips, None, 0)
    settings = TeacherSettings(k=3, n_best=2, frames=2, states=("encoder", "decoder"))
    for clip, reading in zip(clips, teacher.read(batch, settings), strict=True):
        kinds = [question.kind for question in reading.questions]
        assert reading.id == clip.id and kinds == ["text", "spans"]
        text = reading.questions[0]
        assert text.encoder is not None and text.encoder.shape[1] == 16
        assert reading.frames is not None and len(text.said) == 2
        assert len(reading.frames.ids) == len(text.encoder) < len(clip.keypoints)


def test_the_student_learns_from_it(trained: dict[str, Path], ways: Path, tmp_path: Path) -> None:
    (tmp_path / "student.toml").write_text(STUDENT.format(shards=ways))
    recipe = read_recipe_as(DistilRecipe, tmp_path / "student.toml")
    figures = distil(trained["stage3"], recipe, tmp_path / "out", tmp_path / "cache")
    assert "text.bleu4" in figures
    rows = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    terms = ("token", "hidden_encoder", "hidden_decoder", "sequence")
    assert all(rows[0][f"teacher.{term}"] > 0 for term in terms)


def test_figures_of_spans() -> None:
    pairs = [("010-020", "010-020"), ("010-020", "015-025"), ("010-020", "030-020")]
    said = [Prediction(str(i), "", *pair) for i, pair in enumerate(pairs)]
    figures = evaluate_predictions("spans", said, n_resamples=0).figures
    # Overlaps of 1, of 5 frames of 15, and of none.
    assert figures["iou"].value == pytest.approx(100 * (1 + 1 / 3) / 3)
    assert figures["f1_25"].value == pytest.approx(200 / 3)
    assert figures["f1_50"].value == pytest.approx(100 / 3)


def test_one_cycle_climbs_and_falls() -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([{"params": [weight], "lr": 2.0}])
    schedule = schedule_of(
        optimizer, Training(lr=2, batch=1, warmup=0.25, schedule="one_cycle"), 40
    )
    rates = []
    for _ in range(40):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert max(rates) == pytest.approx(2.0, rel=0.01) and 8 <= rates.index(max(rates)) <= 11
    assert rates[0] == pytest.approx(2 / 25) and rates[-1] < 0.02


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"asks": ["glosses"]}, "known: text, spans"),
        ({"asks": []}, "known: text, spans"),
        ({"view": "msmae"}, "known: found203, sign69"),
        ({"window_s": 60}, "a window has at most 999 frames"),
        ({"spans_share": 2}, "spans_share cannot be 2"),
        ({"augment": {"magic": 1}}, "known: cut, warp"),
        ({"lips": "nowhere"}, "make the features of all clips"),
    ],
)
def test_a_mistake_is_one_line(settings: dict, says: str) -> None:
    with pytest.raises(ValueError) as error:
        a_task(**settings).prepare(a_clip())
    assert says in str(error.value) and "\n" not in str(error.value)


def test_clips_that_cannot_be_asked_are_refused() -> None:
    task = a_task(asks=["spans"])
    for spans in ((), ((10_000, 11_000), (11_000, 12_000))):  # the clip ends after 10 s
        with pytest.raises(ValueError, match="has no spans within its frames"):
            task.prepare(a_clip(spans=spans))
    with pytest.raises(ValueError, match="has no text"):
        task.prepare(a_clip(text=" "))
    with pytest.raises(ValueError, match="no piece of its own for each digit"):
        digit_tokens(train_tokenizer(["no numbers here"], 60))


@pytest.mark.parametrize("name", ["found_signs", "found_stage1", "found_stage2", "found_stage3"])
def test_the_papers_recipes_can_be_read(name: str) -> None:
    recipe = read_recipe(Path(name))
    assert recipe.training.schedule == "one_cycle"
    if name != "found_signs":
        assert (recipe.lora.rank, recipe.lora.alpha, recipe.lora.dora) == (32, 64, True)


# As a listener of ``fingerpost align``


def test_texts_are_as_likely_as_the_translation_says(trained: dict[str, Path]) -> None:
    reader = open_reader(trained["stage3"])
    network, texts = reader.network, ["Up, down.", "Up."]
    sequence = a_clip().sequence
    listen = reader.listener(sequence, texts)
    assert listen is not None
    heard = [(0, (4000, 9000)), (0, (1000, 3000)), (1, (1000, 3000)), (1, (0, 80))]
    features = video_features(network.poses, sequence)
    step = network.poses.config.step
    for (number, (start, end)), nats in zip(heard, listen(heard), strict=True):
        first, last = (round(ms * 25 / 1000 / step) for ms in (max(start - 200, 0), end + 200))
        part = features[None, first:last]
        prompt = reader.task.prompts([PROMPT.format(language="English")])
        embeds, there = network.embed(
            *(torch.zeros(1, 0, 69, 4), torch.ones(1, part.shape[1] * step), prompt), features=part
        )
        labels = reader.task.answer_tokens(texts[number])[None]
        model = network.language_model
        logits = model(inputs_embeds=embeds, attention_mask=there, labels=labels).logits[0]
        chosen = logits.log_softmax(dim=-1)[range(labels.shape[1]), labels[0]]
        assert nats == pytest.approx(chosen.sum().item(), rel=1e-4)
    assert listen([]).shape == (0,)


def test_a_long_video_has_a_feature_for_each_step(
    trained: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = open_reader(trained["stage3"]).network.poses
    sequence = a_clip(241).sequence
    whole = video_features(backbone, sequence)
    monkeypatch.setattr(found_listener, "PIECE_S", 2)
    pieces = video_features(backbone, sequence)
    assert whole.shape == pieces.shape == (-(-241 // backbone.config.step), 16)
    torch.testing.assert_close(pieces, whole, atol=0.3, rtol=0.1)  # some layers see a whole piece


def test_a_model_that_only_translates_listens_and_has_no_answers(trained: dict[str, Path]) -> None:
    reader = open_reader(trained["stage1"])
    sequence = a_clip().sequence
    asked = [Asking(Window(0, 100), "Up.", (1, 5))]
    assert reader.spans(sequence, asked) == [None]
    assert reader.listener(sequence, ["Up."]) is not None
    with pytest.raises(ValueError, match="never learned to align"):
        open_reader(trained["signs"])


def test_a_frozen_backbone_is_taken_and_its_features_are_kept(
    trained: dict[str, Path], ways: Path, talkative: Path, tmp_path: Path
) -> None:
    recipe = WINDOWS.format(shards=ways).replace("augment = { drop_body = 0 }\n", "")
    (tmp_path / "windows.toml").write_text(recipe)
    lines = [f"settings.poses_from={trained['signs']}", 'frozen=["poses."]', "data.val_split=''"]
    train(read_recipe(tmp_path / "windows.toml", lines), tmp_path / "run")
    signs = load_checkpoint(resolve_checkpoint(trained["signs"]))[0].state_dict()
    network = load_checkpoint(resolve_checkpoint(tmp_path / "run"))[0]
    poses = {k: v for k, v in network.state_dict().items() if k.startswith("poses.")}
    assert poses and all(torch.equal(value, signs[name]) for name, value in poses.items())
    found = evaluate_checkpoint(tmp_path / "run", [str(ways)], "val", n_resamples=0)
    assert set(found) == {"text", "spans"}  # the network's own backbone reads the keypoints now
    with pytest.raises(ValueError, match="leave one of them out"):
        a_task(poses_from=str(trained["signs"]), augment={})
    with pytest.raises(ValueError, match="has no pose backbone of found"):
        a_task(poses_from=str(talkative))
