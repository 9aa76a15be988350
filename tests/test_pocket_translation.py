"""The student without a teacher: what it is asked, what frames show, that it learns and goes on."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from fingerpost.edge_runtime.keypoints import MEDIAPIPE_HOLISTIC, SIGN69, PoseSequence
from fingerpost.trainer.checkpoint import load_checkpoint, resolve_checkpoint
from fingerpost.trainer.evaluate import evaluate_checkpoint
from fingerpost.trainer.feed import Clips
from fingerpost.trainer.models.gloss_alignment import NO_TOKEN, NOT_KNOWN
from fingerpost.trainer.models.language_model import IGNORED
from fingerpost.trainer.recipe import Recipe, read_recipe
from fingerpost.trainer.shards import Clip, ShardsAbout, write_shards
from fingerpost.trainer.signer_corpus import NO_SIGN
from fingerpost.trainer.tasks.pocket_translation import PocketTranslation, hurried
from fingerpost.trainer.train import train

pytestmark = pytest.mark.usefixtures("one_thread")

WAYS = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}
RECIPE = """
task = "pocket_translation"
[data]
train = ["{shards}"]
cache = true
buckets = 0
[model]
width = 32
n_blocks = 2
n_heads = 2
past = 16
d_model = 32
d_ff = 32
d_kv = 16
n_reader_heads = 2
n_layers = 1
n_decoder_layers = 1
n_perceiver_layers = 1
dropout = 0.1
label_smoothing = 0.0
[settings]
beams = 1
max_tokens = 12
augment = {{ mirror = 0 }}
[training]
steps = 4
batch = 4
lr = 3e-3
save_every = 2
validate_every = 4
"""


def sentences() -> Iterator[Clip]:
    """Eight, of two signs each: the right hand goes some way, rests, and goes another."""
    rng = np.random.default_rng(0)
    at_rest = rng.uniform(0.3, 0.7, (69, 3)).astype(np.float32)
    at_rest[SIGN69.index("left_shoulder"), :2] = 0.7, 0.4
    at_rest[SIGN69.index("right_shoulder"), :2] = 0.3, 0.4
    pairs = [(a, b) for a in WAYS for b in WAYS if a != b][:8]
    for split in ("train", "val"):
        for i, glosses in enumerate(pairs):
            xyz = np.tile(at_rest, (24, 1, 1))
            for gloss, start in zip(glosses, (2, 14), strict=True):
                path = np.linspace(0, 0.3, 8)[:, None, None] * WAYS[gloss]
                xyz[start : start + 8, SIGN69.groups["right_hand"], :2] += path
            sequence = PoseSequence(xyz, np.ones((24, 69), np.float32), 25.0, SIGN69)
            text = f"First {glosses[0]}, then {glosses[1]}."
            spans = ((80, 400), (560, 880)) if i % 2 else ()
            yield Clip(f"{split}{i}", "me", split, glosses, text, "ase", "en", sequence, spans)


def idle_clip() -> Clip:
    """The hands go up and down, and say nothing."""
    clip = next(sentences())
    return replace(
        clip, id="idle", glosses=(NO_SIGN,), text="", text_language="", spans=((0, 960),)
    )


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pocket") / "ways"
    write_shards(folder, sentences(), ShardsAbout(corpus="ways", schema="sign69"))
    return folder


def task_of(shards: Path, **settings: object) -> PocketTranslation:
    return PocketTranslation.from_data(settings, Clips([str(shards)], "train"), None)


def recipe_of(folder: Path, shards: Path, **changes: object) -> Recipe:
    path = folder / "recipe.toml"
    path.write_text(RECIPE.format(shards=shards.as_posix()))
    return read_recipe(path, [f"{key}={value}" for key, value in changes.items()])


def ignore(*_: object) -> None:
    pass


def test_each_clip_is_asked_for_text_and_glosses(ways: Path) -> None:
    task = task_of(ways)
    assert task.questions == ("English", "glosses")
    assert task.glosses == ("down", "left", "right", "up")
    clips = [task.prepare(clip) for clip in list(Clips([str(ways)], "train"))[:2]]
    batch = task.batch(clips, [0, 0], 0)
    asked, labels = batch.inputs["asked"], batch.inputs["labels"]
    assert asked.clip.tolist() == [0, 0, 1, 1] and asked.question.tolist() == [0, 1, 0, 1]
    said = [task.tokenizer.decode(row[row != IGNORED], skip_special_tokens=True) for row in labels]
    assert said == ["First up, then down.", "up down", "First up, then left.", "up left"]
    assert batch.weight == (labels != IGNORED).sum()
    assert batch.inputs["glosses"].tokens.tolist() == [[4, 1], [4, 2]]


def test_spans_say_what_each_frame_shows(ways: Path) -> None:
    task = task_of(ways)
    without, clip = list(Clips([str(ways)], "train"))[:2]
    shown = task.prepare(clip).of_frame
    assert shown.tolist() == [0] * 2 + [4] * 8 + [0] * 4 + [2] * 8 + [0] * 2
    assert task.prepare(without).of_frame.tolist() == []
    of_frame = task.batch([task.prepare(c) for c in (without, clip)], [0, 0], 0).inputs["glosses"]
    assert (of_frame.of_frame[0] == NOT_KNOWN).all()
    strange = task.prepare(replace(clip, glosses=("up", "sideways")))
    assert strange.glosses.tolist() == [] and strange.of_frame.tolist() == []
    assert (task.batch([strange], [0], 0).inputs["glosses"].tokens == NO_TOKEN).all()


def test_an_augmented_clip_and_what_it_shows_stay_together(ways: Path) -> None:
    """The frames' numbers are written into them as confidence, and into the glosses they show."""
    task = task_of(ways, augment={"mirror": 0, "drop_frames": 0, "drop_run": 0, "doubt": 0})
    clip = task.prepare(Clips([str(ways)], "train")[1])
    numbers = np.arange(1, 25)
    keypoints = clip.keypoints.copy()
    keypoints[:, SIGN69.groups["right_hand"], 3] = numbers[:, None] / 32
    lengths = set()
    for draw in range(6):
        changed, shown = task._changed(replace(clip, keypoints=keypoints, of_frame=numbers), draw)
        assert np.allclose(changed[:, SIGN69.index("right_hand_wrist"), 3] * 32, shown)
        lengths.add(len(shown))
    assert len(lengths) > 2


def test_two_views_of_a_clip_show_the_same_at_the_same_times(ways: Path) -> None:
    once = task_of(ways, augment={"mirror": 0})
    twice = task_of(ways, augment={"mirror": 0}, agree=0.5)
    clips = [once.prepare(clip) for clip in list(Clips([str(ways)], "train"))[:3]]
    batch, alone = (task.batch(clips, [7, 8, 9], 0) for task in (twice, once))
    assert batch.inputs["views"] == 2 and batch.weight == 2 * alone.weight
    assert [clip.id for clip in batch.clips] == 2 * [clip.id for clip in clips]
    for name in ("tokens", "of_frame"):
        expected = getattr(alone.inputs["glosses"], name).repeat(2, 1)
        assert torch.equal(getattr(batch.inputs["glosses"], name), expected)
    assert torch.equal(batch.inputs["frame_mask"], alone.inputs["frame_mask"].repeat(2, 1))
    seen, other = batch.inputs["keypoints"].chunk(2)
    assert torch.equal(seen, alone.inputs["keypoints"]) and not torch.equal(seen, other)
    assert batch.inputs["asked"].clip.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert "views" not in twice.batch(clips, None, 0).inputs  # to answer, once is enough


def test_a_hurried_clip_is_shorter_and_in_order() -> None:
    rng = np.random.default_rng(0)
    drawn = [hurried(100, 0.22, rng) for _ in range(200)]
    assert {80, 120} < {len(times) for times in drawn} <= set(range(80, 126))
    assert all((np.diff(times) >= 0).all() and times.max() < 100 for times in drawn)
    assert hurried(1, 0.22, rng).tolist()[:1] == [0]


def test_it_makes_its_view_and_rate_of_what_an_extractor_gives(ways: Path) -> None:
    clip = Clips([str(ways)], "train")[0]
    xyz = np.random.default_rng(0).random((30, len(MEDIAPIPE_HOLISTIC), 3), np.float32)
    seen = np.ones(xyz.shape[:2], np.float32)
    sequence = PoseSequence(xyz, seen, 50.0, MEDIAPIPE_HOLISTIC)
    prepared = task_of(ways).prepare(replace(clip, sequence=sequence))
    assert prepared.keypoints.shape == (15, 69, 4)
    short = task_of(ways, max_frames=8).prepare(clip)
    assert len(short.keypoints) == 8


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"asks": ["songs"]}, "known: text, glosses"),
        ({"asks": []}, "known: text, glosses"),
        ({"language": 0, "ctc": 0, "frames": 0}, "nothing is left to learn"),
        ({"ctc": -1}, "settings.ctc cannot be -1"),
        ({"agree": 1.0, "ctc": 0, "frames": 0}, "agree compares glosses"),
        ({"fps": 0}, "must be above 0"),
        ({"augment": {"trun": 1}}, "known: cut, warp"),
        ({"tokenizer": "/nowhere/at/all"}, "no tokenizer '/nowhere/at/all'"),
        ({"beems": 1}, "known: asks"),
    ],
)
def test_a_mistake_is_one_line(ways: Path, settings: dict, says: str) -> None:
    with pytest.raises(ValueError) as error:
        task_of(ways, **settings)
    assert says in str(error.value) and "\n" not in str(error.value)


def test_a_clip_that_cannot_be_used_is_named(ways: Path) -> None:
    task, clip = task_of(ways), Clips([str(ways)], "train")[0]
    with pytest.raises(ValueError, match="'train0' has no text and no glosses"):
        task.prepare(replace(clip, text=" ", glosses=(), spans=()))
    with pytest.raises(ValueError, match="'train0' is in German.*it knows: English, glosses"):
        task.prepare(replace(clip, text_language="de"))


def test_a_training_that_is_cut_short_goes_on_bit_for_bit(tmp_path: Path, ways: Path) -> None:
    recipe = recipe_of(tmp_path, ways)
    train(recipe, tmp_path / "whole", ignore)

    class Killed(Exception):
        pass

    def die(step: int, *_: object) -> None:
        if step == 3:  # after the state of step 2 was saved
            raise Killed

    with pytest.raises(Killed):
        train(recipe, tmp_path / "cut", die)
    train(recipe, tmp_path / "cut", ignore)
    weights = [load_checkpoint(resolve_checkpoint(tmp_path / o))[0] for o in ("whole", "cut")]
    for a, b in zip(*(w.state_dict().values() for w in weights), strict=True):
        assert torch.equal(a, b)
    rows = [
        [json.loads(line) for line in (tmp_path / o / "log.jsonl").read_text().splitlines()]
        for o in ("whole", "cut")
    ]
    assert [row["loss"] for row in rows[0]] == [row["loss"] for row in rows[1]]
    assert {"language", "ctc", "frames"} < set(rows[0][0])


def test_glosses_alone_then_all_of_it_from_there(tmp_path: Path, ways: Path) -> None:
    first = recipe_of(tmp_path, ways, **{"settings.language": 0, "training.steps": 1})
    best = train(first, tmp_path / "first", ignore)
    assert set(best) == {"live_glosses.wer", "step"}
    second = recipe_of(tmp_path, ways, start_from=tmp_path / "first", **{"training.steps": 1})
    best = train(second, tmp_path / "second", ignore)
    assert {"live_glosses.wer", "glosses.wer", "text.bleu4"} <= set(best)


def test_two_views_are_learned_to_agree(tmp_path: Path, ways: Path) -> None:
    run = tmp_path / "run"
    train(recipe_of(tmp_path, ways, **{"settings.agree": 2.0}), run, ignore)
    steps = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert all(step["agree"] > 0 for step in steps)
    total = sum(steps[0][name] for name in ("language", "ctc", "frames", "agree"))
    assert steps[0]["loss"] == pytest.approx(total, rel=1e-5)


@pytest.mark.slow
def test_eight_sentences_are_learned_by_heart(tmp_path: Path, ways: Path) -> None:
    changes = {
        **{"training.steps": 300, "training.batch": 8, "training.lr": 5e-3},
        **{"training.validate_every": 300, "training.save_every": 300, "training.warmup": 0.05},
        **{"model.dropout": 0.0},
    }
    recipe = recipe_of(tmp_path, ways, **changes)
    settings = {k: v for k, v in recipe.settings.items() if k != "augment"}
    recipe = msgspec.structs.replace(recipe, settings=settings)
    train(recipe, tmp_path / "out", ignore)
    found = evaluate_checkpoint(tmp_path / "out", [str(ways)], "val", n_resamples=0)
    assert set(found) == {"text", "glosses", "live_glosses"}
    assert found["text"][0].figures["bleu4"].value > 99
    assert found["glosses"][0].figures["wer"].value == 0
    assert found["live_glosses"][0].figures["wer"].value == 0


def test_idle_hands_show_no_gloss_and_are_answered_with_nothing(tmp_path: Path):
    write_shards(tmp_path / "s", [*sentences(), idle_clip()], ShardsAbout("test", SIGN69.name))
    clips = Clips([str(tmp_path / "s")], "train")
    task = PocketTranslation.from_data({"beams": 1}, clips, None)
    assert set(task.glosses) == set(WAYS)
    idle = task.prepare(idle_clip())
    assert (idle.of_frame == 0).all() and len(idle.of_frame) == 24
    assert [truth for _, truth in idle.answers] == [""] and not idle.row
    tiny = {"width": 32, "n_blocks": 2, "n_heads": 2, "past": 16, "d_model": 32, "d_ff": 32}
    model = task.new_model(tiny)
    batch = task.batch([idle], [1], 0)
    assert batch.weight == 1  # the end of an empty answer
    terms = task.losses(model, batch)
    assert terms["frames"] > 0 and terms["ctc"] == 0
    with torch.no_grad():
        assert task.predict(model.eval(), task.batch([idle], None, 0)) == {}
