"""A student that learns from a teacher: what it is told, that it learns it, and what it leaves."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner, Result

from fingerpost.app.cli import app
from fingerpost.distill.distil import distil
from fingerpost.distill.distil_lesson import Lesson, Lessons
from fingerpost.distill.distil_network import DistilNetwork
from fingerpost.distill.distil_recipe import Distil, DistilRecipe
from fingerpost.distill.losses import hidden_loss, relation_loss, token_loss
from fingerpost.distill.teacher import ClipReading, QuestionReading, Said, Teacher
from fingerpost.distill.teacher_cache import open_teacher_cache
from fingerpost.distill.top_k import NOTHING, TopK, at_temperature, top_k
from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence
from fingerpost.trainer.checkpoint import load_checkpoint, resolve_checkpoint, save_checkpoint
from fingerpost.trainer.evaluate import evaluate_checkpoint
from fingerpost.trainer.feed import Clips
from fingerpost.trainer.models.gloss_alignment import NO_TOKEN
from fingerpost.trainer.models.language_model import IGNORED
from fingerpost.trainer.models.pocket_translator import PocketTranslator
from fingerpost.trainer.models.study import Studied
from fingerpost.trainer.models.uni_sign import UniSign, UniSignConfig
from fingerpost.trainer.recipe import RECIPES, read_recipe_as
from fingerpost.trainer.shards import Clip, ShardsAbout, write_shards
from fingerpost.trainer.tasks.pocket_translation import PocketTranslation
from fingerpost.trainer.tasks.translation import Translation

pytestmark = pytest.mark.usefixtures("one_thread")

READER = {
    "model_type": "mt5",
    **{"d_model": 16, "d_kv": 8, "d_ff": 16, "num_heads": 2},
    **{"num_layers": 3, "num_decoder_layers": 2, "dropout_rate": 0.0},
}
RECIPE = """
task = "pocket_translation"
[teacher]
n_best = 1
frames = 100
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
cache = true
buckets = 0
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
dropout = 0.1
label_smoothing = 0.0
[settings]
beams = 1
max_tokens = 12
augment = {{ mirror = 0 }}
[training]
steps = 4
batch = 3
lr = 3e-3
save_every = 2
validate_every = 4
"""
WAYS = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}


def sentences() -> Iterator[Clip]:
    """Six, of two signs each; the last one of each split has a gloss and no text."""
    rng = np.random.default_rng(0)
    at_rest = rng.uniform(0.3, 0.7, (69, 3)).astype(np.float32)
    at_rest[SIGN69.index("left_shoulder"), :2] = 0.7, 0.4
    at_rest[SIGN69.index("right_shoulder"), :2] = 0.3, 0.4
    pairs = [(a, b) for a in WAYS for b in WAYS if a != b][:6]
    for split in ("train", "val"):
        for i, glosses in enumerate(pairs):
            xyz = np.tile(at_rest, (20 + i, 1, 1))
            for gloss, start in zip(glosses, (2, 12), strict=True):
                path = np.linspace(0, 0.3, 8)[:, None, None] * WAYS[gloss]
                xyz[start : start + 8, SIGN69.groups["right_hand"], :2] += path
            sequence = PoseSequence(xyz, np.ones(xyz.shape[:2], np.float32), 25.0, SIGN69)
            text = f"First {glosses[0]}, then {glosses[1]}." if i < 5 else ""
            spans = ((80, 400), (480, 800))
            yield Clip(f"{split}{i}", "me", split, glosses, text, "ase", "en", sequence, spans)


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("distil") / "ways"
    write_shards(folder, sentences(), ShardsAbout(corpus="ways", schema="sign69"))
    return folder


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory, ways: Path) -> Path:
    """Random weights that mean what they say; it has half of the student's frames."""
    settings = {"asks": ["text", "glosses"], "max_tokens": 12, "beams": 1, "stride": 2}
    task = Translation.from_data(settings, Clips([str(ways)], ""), None)
    torch.manual_seed(0)
    model = UniSign(UniSignConfig({**READER, **task._token_numbers()}, tied=False))
    with torch.no_grad():
        model.language_model.lm_head.weight.mul_(20)
    folder = tmp_path_factory.mktemp("teacher") / "teacher"
    save_checkpoint(folder, model, {"task": "translation", **task.save(folder)}, {})
    return folder


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory, teacher: Path, ways: Path) -> Path:
    """What the teacher says, as the recipe asks for it."""
    folder = tmp_path_factory.mktemp("cached")
    recipe = recipe_of(folder, ways, **{"training.steps": 1, "data.val_split": ""})
    distil(teacher, recipe, folder / "out", folder / "cache")
    return folder / "cache"


def recipe_of(folder: Path, shards: Path, **changes: object) -> DistilRecipe:
    path = folder / "recipe.toml"
    path.write_text(RECIPE.format(shards=shards.as_posix()))
    lines = [f"{key}={value}" for key, value in changes.items()]
    return read_recipe_as(DistilRecipe, path, lines)


def reading_of(frames: list[int], n_tokens: int = 8) -> ClipReading:
    """Of one question, whose answer is 5, 1; each frame shows a token, and is sure of it."""
    logits = torch.zeros(len(frames), n_tokens)
    logits[torch.arange(len(frames)), torch.tensor(frames)] = 5.0
    tokens = torch.tensor([5, 1])
    states = torch.arange(float(len(frames)))[:, None].expand(-1, 2)
    few = top_k(torch.zeros(2, n_tokens), 2, (1.0, 2.0))
    question = QuestionReading("text", tokens, few, (Said(tokens, -0.1),), states, states[:2])
    return ClipReading("a", (question,), top_k(logits, 2, (1.0, 2.0)))


ALL = Distil(sequence=1, token=1, hidden=1, relation=1, ctc=1, frames=1)
GLOSS_TOKENS = np.array([0, 5, NO_TOKEN, 6])  # nothing, a gloss, one of several tokens, a gloss
LABELS = torch.tensor([[5, 1]])


def lessons() -> Lessons:
    return Lessons(ALL, (1.0, 2.0), GLOSS_TOKENS, 8)


def even(n: int) -> np.ndarray:
    return (np.arange(n) + 0.5) / n


def test_each_frame_of_the_student_takes_the_teachers_of_its_moment() -> None:
    frames = [0, 5, 6, 0]
    hurried = (np.array([0, 1, 1, 2, 5, 7]) + 0.5) / 8  # of 8 frames, these six, one of them twice
    lesson = lessons().lesson([reading_of(frames)], [(0, "text")], [(hurried, even(2))], LABELS)
    assert lesson.frames is not None and lesson.encoder is not None
    # Moments 0.06, 0.19, 0.19, 0.31, 0.69, 0.94 of four frames: the first, thrice; then 1, 2, 3.
    assert lesson.frames.ids[0, :, 0].tolist() == [0, 0, 0, 1, 3, 0]
    assert lesson.encoder[0, :, 0].tolist() == [1.0, 3.0]
    assert lesson.followed is None  # the labels themselves
    assert lesson.row_weights.tolist() == [2] and lesson.clip_weights.tolist() == [2]


def test_tokens_that_are_no_gloss_of_the_students_are_another() -> None:
    made = lessons()
    assert made.n_left_out == 1
    logits = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    logits[2, [2, 3]] += 20  # a frame that shows only what the student has no gloss for
    few, known = made._as_glosses(top_k(logits, 2, (1.0, 2.0)))
    assert known.tolist()[2] is False
    everything, _ = made._as_glosses(top_k(logits, 8, (1.0, 2.0)))
    for t in (1.0, 2.0):
        likely, rest = at_temperature(everything, t, (1.0, 2.0))
        true = (logits / t).softmax(dim=-1)
        for gloss, token in ((0, 0), (1, 5), (3, 6)):
            there = (everything.ids == gloss) & (everything.log_probs > NOTHING)
            assert torch.equal(there.sum(dim=1), torch.ones(3, dtype=torch.long))
            torch.testing.assert_close(likely.exp()[there], true[:, token])
        torch.testing.assert_close(rest.exp(), true[:, [1, 2, 3, 4, 7]].sum(dim=1))


def test_a_student_with_all_of_the_teachers_glosses_can_agree_with_it() -> None:
    made = Lessons(ALL, (1.0, 2.0), np.array([0, 5, 6]), 8)
    logits = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    few, known = made._as_glosses(top_k(logits, 8, (1.0, 2.0)))
    own = logits[:, [0, 5, 6]].requires_grad_()
    loss = token_loss(own[None], TopK(*(part[None] for part in few)), known[None], 2.0, (1.0, 2.0))
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-5)
    assert own.grad is not None and own.grad.abs().max() < 1e-6


def test_the_row_of_glosses_that_the_teachers_frames_show() -> None:
    readings = [reading_of([0, 5, 5, 0, 6, 6]), reading_of([5, 2, 6]), reading_of([0, 0])]
    asked = [(i, "text") for i in range(3)]
    moments = [(even(6), even(2))] * 3
    lesson = lessons().lesson(readings, asked, moments, LABELS.expand(3, 2))
    assert lesson.glosses is not None
    # The second shows a token that is no gloss: its row is left out, as one without glosses is.
    assert lesson.glosses.tokens.tolist() == [[1, 3], [-1, -1], [-1, -1]]


def test_a_question_that_the_teacher_was_not_asked_teaches_nothing() -> None:
    labels = torch.tensor([[5, 1, IGNORED], [4, 4, 1]])
    asked = [(0, "text"), (0, "glosses")]
    lesson = lessons().lesson([reading_of([0, 5])], asked, [(even(4), even(2))], labels)
    assert lesson.followed is not None and lesson.said is not None
    assert lesson.followed.tolist() == [[5, 1], [IGNORED, IGNORED]] == lesson.said.tolist()
    assert lesson.row_weights.tolist() == [2, 0] and lesson.clip_weights.tolist() == [5]


class Still(torch.nn.Module):
    """A student that says the same of every batch: two rows about one clip."""

    study_widths = {"encoder": 4, "decoder": 2}

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)

        def some(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator)

        self.logits, self.states = [some(2, 3, 8) for _ in "abc"], [some(2, 3, 2) for _ in "abc"]
        self.encoder, self.scores = some(2, 2, 4), some(1, 8, 4)
        self.mask = torch.tensor([[1, 1], [1, 0]])
        self.config = SimpleNamespace(label_smoothing=0.0)

    def study(self, answers: list[Tensor], **_: Tensor) -> Studied:
        logits = tuple(row[:, : a.shape[1]] for row, a in zip(self.logits, answers, strict=False))
        states = tuple(row[:, : a.shape[1]] for row, a in zip(self.states, answers, strict=False))
        return Studied(logits, states, self.encoder, self.mask, self.scores)

    def gloss_scores(self, frames: Tensor) -> Tensor:
        return frames

    def losses_of(self, *_: object) -> str:
        return "its own"


def test_each_term_is_what_its_loss_says_per_token_of_the_labels() -> None:
    student = Still()
    temperatures = (1.0, 2.0)
    distil = Distil(sequence=2, token=3, hidden=4, relation=5, ctc=6, frames=7, relation_heads=2)
    network = DistilNetwork(student, distil, temperatures, {"encoder": 6, "decoder": 2})
    labels = torch.tensor([[5, 1, IGNORED], [4, 4, 1]])
    reading = reading_of([0, 5, 6, 0])
    question = replace(reading.questions[0], encoder=torch.randn(4, 6))
    reading = replace(reading, questions=(question, replace(question, kind="glosses")))
    asked = [(0, "text"), (0, "glosses")]
    lesson = lessons().lesson([reading], asked, [(even(6), even(2))], labels)
    assert isinstance(lesson, Lesson) and lesson.followed is not None
    mask = torch.tensor([[1, 1, 1, 1, 1, 1]])
    own, terms = network(lesson, 5, labels, None, frame_mask=mask)
    assert own == "its own"
    there = torch.ones(2, 2)
    logits, states = student.logits[1][:, :2], student.states[1][:, :2]  # after its own labels
    said = student.logits[2][:, :2].log_softmax(dim=-1)
    wanted = {
        "sequence": -2 * (said[:, 0, 5] + said[:, 1, 1]).sum() / 5,
        "token": 3 * token_loss(logits, lesson.few, there, 2.0, temperatures) * 4 / 5,  # type: ignore[arg-type]
        "hidden_decoder": 4
        * hidden_loss(states, lesson.decoder, there, network.projections["decoder"])  # type: ignore[arg-type]
        * 4
        / 5,
        "relation_decoder": 5 * relation_loss(states, lesson.decoder, there, 2) * 4 / 5,  # type: ignore[arg-type]
    }
    # A row counts as much as it has tokens: two states of the first, with 2; one of the other, 3.
    difference = network.projections["encoder"](student.encoder) - lesson.encoder
    of_state = difference.square().mean(dim=-1)
    wanted["hidden_encoder"] = 4 * (of_state[0].sum() * 2 / 2 + of_state[1, 0] * 3) / 5
    for name, value in wanted.items():
        torch.testing.assert_close(terms[f"teacher.{name}"], value)
    # The teacher's row is 1, 3, and its six frames show 0 0 1 3 3 0 (moments 0, 0, 1, 2, 3, 3).
    ctc = torch.nn.functional.ctc_loss(
        student.scores[0, :6, None].log_softmax(dim=-1),
        torch.tensor([[1, 3]]),
        torch.tensor([6]),
        torch.tensor([2]),
        reduction="sum",
    )
    torch.testing.assert_close(terms["teacher.ctc"], 6 * ctc / 5)
    frames = token_loss(student.scores[:, :6], lesson.frames, mask, 2.0, temperatures)  # type: ignore[arg-type]
    torch.testing.assert_close(terms["teacher.frames"], 7 * frames)
    with pytest.raises(ValueError, match="width 4 cannot be cut into 3"):
        DistilNetwork(student, msgspec.structs.replace(distil, relation_heads=3), (1.0,), {})


def test_a_students_moments_follow_its_tempo(ways: Path) -> None:
    task = PocketTranslation.from_data(
        {"augment": {"mirror": 0}}, Clips([str(ways)], "train"), None
    )
    clip = task.prepare(Clips([str(ways)], "train")[0])  # 20 frames
    frames, states = task.moments(clip, None)
    assert frames.tolist() == [(i + 0.5) / 20 for i in range(20)]
    assert states.tolist() == [(i + 0.5) / 20 for i in (2, 6, 10, 14, 18)]
    lengths = set()
    for draw in range(8):
        frames, states = task.moments(clip, draw)
        inputs = task.batch([clip], [draw], 0).inputs
        n = int(inputs["frame_mask"].sum())
        assert len(frames) == n and len(states) == -(-n // 4) and (np.diff(frames) >= 0).all()
        assert 0 < frames[0] and max(frames[-1], states[-1]) < 1
        lengths.add(n)
    assert len(lengths) > 2
    assert task.asked_of([clip, clip]) == [
        (i, kind) for i in range(2) for kind in ("text", "glosses")
    ]
    tokens = task.gloss_tokens()
    assert tokens[0] == 0
    pieces = task.tokenizer.convert_ids_to_tokens(tokens[1:])
    assert [piece.lstrip("▁") for piece in pieces] == list(task.glosses)


def test_it_learns_from_the_teacher_and_leaves_a_plain_checkpoint(
    tmp_path: Path, teacher: Path, cached: Path, ways: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the teacher is asked again")

    monkeypatch.setattr(Teacher, "read", never)
    changes = {"training.steps": 16, "training.validate_every": 16, "training.batch": 6}
    recipe = recipe_of(tmp_path, ways, **changes)
    told: list[str] = []
    rows = []
    distil(
        teacher, recipe, tmp_path / "out", cached, lambda s, n, row: rows.append(row), told.append
    )
    for term in ("sequence", "token", "hidden_encoder", "hidden_decoder", "frames"):
        name = f"teacher.{term}"
        first, last = (np.mean([row[name] for row in part]) for part in (rows[:3], rows[-3:]))
        assert 0 < last < first, name
    assert {"language", "ctc", "teacher.ctc", "teacher.relation_encoder"} <= set(rows[0])
    made = resolve_checkpoint(tmp_path / "out")
    network, info, _ = load_checkpoint(made)
    assert type(network) is PocketTranslator  # of which each matrix is in the file
    assert info["recipe"]["distil"]["teacher"] == open_teacher_cache(cached).made["teacher"]
    found = evaluate_checkpoint(made, [str(ways)], "val", n_resamples=0)
    assert set(found) == {"text", "glosses", "live_glosses"}


def test_one_that_is_cut_short_goes_on_bit_for_bit(
    tmp_path: Path, teacher: Path, cached: Path, ways: Path
) -> None:
    recipe = recipe_of(tmp_path, ways)
    distil(teacher, recipe, tmp_path / "whole", cached)

    class Killed(Exception):
        pass

    def die(step: int, *_: object) -> None:
        if step == 3:  # after the state of step 2 was saved
            raise Killed

    with pytest.raises(Killed):
        distil(teacher, recipe, tmp_path / "cut", cached, die)
    distil(teacher, recipe, tmp_path / "cut", cached)
    weights = [load_checkpoint(resolve_checkpoint(tmp_path / o))[0] for o in ("whole", "cut")]
    for a, b in zip(*(w.state_dict().values() for w in weights), strict=True):
        assert torch.equal(a, b)
    logs = [
        [json.loads(line) for line in (tmp_path / o / "log.jsonl").read_text().splitlines()]
        for o in ("whole", "cut")
    ]
    assert [row["loss"] for row in logs[0]] == [row["loss"] for row in logs[1]]
    other = recipe_of(tmp_path, ways, **{"distil.token": 0.5})
    with pytest.raises(ValueError, match=r"another recipe \(distil.token\)"):
        distil(teacher, other, tmp_path / "cut", cached)


def test_a_student_begins_as_some_of_the_teachers_layers(
    tmp_path: Path, teacher: Path, cached: Path, ways: Path
) -> None:
    recipe = recipe_of(
        tmp_path, ways, **{"distil.start": "layers", "training.steps": 1, "training.lr": 1e-12}
    )
    told: list[str] = []
    distil(teacher, recipe, tmp_path / "out", cached, tell=told.append)
    assert told[:2] == [
        "from the teacher: language_model.encoder.block: layers 0, 2 of 3",
        "from the teacher: language_model.decoder.block: layers 0 of 2",
    ]
    theirs = load_checkpoint(teacher)[0].state_dict()
    ours = load_checkpoint(resolve_checkpoint(tmp_path / "out"))[0].state_dict()
    place = "language_model.{}.block.{}.layer.0.SelfAttention.q.weight"
    for stack, here, there in (("encoder", 0, 0), ("encoder", 1, 2), ("decoder", 0, 0)):
        mine, other = ours[place.format(stack, here)], theirs[place.format(stack, there)]
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-6)
    name = "language_model.shared.weight"
    n_pieces = len(theirs[name])
    assert len(ours[name]) == n_pieces + 2  # English and glosses are asked for
    torch.testing.assert_close(ours[name][:n_pieces], theirs[name], rtol=0, atol=1e-6)
    # After a training of its own it keeps what that learned, all but the language model.
    again = {"distil.start": "layers", "training.steps": 1, "training.lr": 1e-12}
    anew = recipe_of(tmp_path, ways, **again, start_from=str(tmp_path / "out"), seed=1)
    anew = msgspec.structs.replace(anew, fresh=("language_model.", "perceiver."))
    distil(teacher, anew, tmp_path / "anew", cached)
    second = load_checkpoint(resolve_checkpoint(tmp_path / "anew"))[0].state_dict()
    for part, is_same in (("poses", True), ("perceiver", False)):
        parts = [name for name in ours if name.startswith(part) and ours[name].ndim == 2]
        assert all(torch.allclose(ours[n], second[n], atol=1e-6) for n in parts) == is_same
    mine = second[place.format("encoder", 1)]
    torch.testing.assert_close(mine, ours[place.format("encoder", 1)], rtol=0, atol=1e-6)
    wide = recipe_of(tmp_path, ways, **{"distil.start": "layers", "model.d_ff": 32})
    with pytest.raises(ValueError, match=r"is 32 x 16, of the teacher 16 x 16; give its language"):
        distil(teacher, wide, tmp_path / "wide", cached)
    assert not (tmp_path / "wide").exists()


def test_what_is_studied_is_what_is_learned_from_the_clips(ways: Path) -> None:
    """In one pass with the teacher's terms, the student's own are the same as without them."""
    shapes = {"width": 16, "n_blocks": 2, "n_heads": 2, "d_model": 16, "d_ff": 16, "d_kv": 8}
    students = [
        (Translation, {"asks": ["text", "glosses"], "align": 1.0}, {"language_model": READER}),
        (PocketTranslation, {}, {**shapes, "n_reader_heads": 2}),
    ]
    for kind, settings, fields in students:
        task = kind.from_data(settings, Clips([str(ways)], "train"), None)
        clips = [task.prepare(clip) for clip in list(Clips([str(ways)], "train"))[3:]]
        torch.manual_seed(0)
        network = task.new_model(fields).eval()
        inputs = task.batch(clips, [0] * len(clips), 0).inputs
        labels, glosses = inputs["labels"], inputs["glosses"]
        alone = network(**inputs)
        given = {k: v for k, v in inputs.items() if k not in ("labels", "glosses")}
        studied = network.study([labels, labels[:, :3]], **given)
        together = network.losses_of(studied, inputs["frame_mask"], labels, glosses)
        terms = [term for name, term in alone._asdict().items() if name != "agree"]  # of two views
        assert len(alone) == len(together) and all(term > 0 for term in terms)
        torch.testing.assert_close(tuple(together), tuple(alone))
        n_rows, n_states = studied.mask.shape
        assert n_rows == len(labels) == len(task.asked_of(clips))
        torch.testing.assert_close(studied.logits[1], studied.logits[0][:, :3])
        assert studied.decoder[0].shape == (*labels.shape, network.study_widths["decoder"])
        assert studied.encoder.shape == (n_rows, n_states, network.study_widths["encoder"])
        assert n_states >= max(len(task.moments(clip, None)[1]) for clip in clips)
        scores = network.gloss_scores(studied.frames)
        assert scores.shape[-1] == len(task.gloss_tokens())


def test_a_smaller_copy_of_the_teacher_learns_from_it(
    tmp_path: Path, teacher: Path, cached: Path, ways: Path
) -> None:
    """Uni-Sign from Uni-Sign, one layer each; it has twice as many frames as its teacher."""
    own = {"asks": ["text", "glosses"], "max_tokens": 12, "beams": 1, "augment": {}}
    smaller = READER | {"num_layers": 1, "num_decoder_layers": 1}
    recipe = msgspec.structs.replace(
        recipe_of(tmp_path, ways, **{"distil.start": "layers", "training.steps": 2}),
        task="translation",
        settings=own,
        model={"language_model": smaller, "tied": False},
    )
    rows, told = [], []
    distil(
        teacher, recipe, tmp_path / "out", cached, lambda s, n, row: rows.append(row), told.append
    )
    assert told[0] == "from the teacher: language_model.encoder.block: layers 0 of 3"
    assert all(rows[0][f"teacher.{term}"] > 0 for term in ("token", "hidden_encoder", "frames"))
    # It begins with the teacher's pose encoder: frames that are augmented, but no strange ones.
    assert rows[0]["teacher.frames"] < 0.5 * 2.0**2
    network = load_checkpoint(resolve_checkpoint(tmp_path / "out"))[0]
    assert type(network) is UniSign and len(network.language_model.encoder.block) == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"distil.token": -1}, "distil.token cannot be -1"),
        ({"distil.depth": 1}, "unknown key `depth`; known: sequence, token"),
        ({"distil.start": "middle"}, "known: layers, or empty"),
        ({"distil.start": "layers", "start_from": "x"}, 'or fresh = ["language_model."]'),
        ({"distil.temperature": 3}, "is none of teacher.temperatures (1, 2, 4)"),
        ({"distil.relation_heads": 0}, "distil.relation_heads cannot be 0"),
        ({"teacher.n_best": 0}, "distil.sequence needs teacher.n_best above 0"),
        ({"teacher.frames": 0}, "distil.ctc needs teacher.frames above 0"),
        ({"teacher.states": "[]"}, "distil.hidden needs teacher.states"),
        ({"settings.agree": 1.0}, "a clip comes once in a batch"),
        ({"task": "ms_mae"}, "those that can: isolated, pocket_translation"),
        ({"task": "isolated"}, "has 2 glosses; the task isolated needs one in each"),
        ({"start_from": "nowhere"}, "start_from: nowhere is no checkpoint"),
        ({"teacher.k": 16}, "is of other settings"),
        ({"distil.relation_heads": 3}, "cannot be cut into 3"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, teacher: Path, cached: Path, ways: Path, changes: dict, says: str
) -> None:
    with pytest.raises(ValueError) as error:
        recipe = recipe_of(tmp_path, ways, **changes)
        distil(teacher, recipe, tmp_path / "out", cached)
    assert says in str(error.value) and "\n" not in str(error.value)


def test_a_student_of_other_pieces_is_refused(
    tmp_path: Path, teacher: Path, cached: Path, ways: Path
) -> None:
    task = PocketTranslation.from_data({"pieces": 60}, Clips([str(ways)], "train"), None)
    task.save(tmp_path)
    other = recipe_of(tmp_path, ways, **{"settings.tokenizer": tmp_path / "tokenizer"})
    with pytest.raises(ValueError, match="must write the teacher's pieces"):
        distil(teacher, other, tmp_path / "out", cached)
    other = for_glosses_alone(teacher, tmp_path / "other")
    with pytest.raises(ValueError, match="was asked for glosses, the student learns text"):
        only = recipe_of(tmp_path, ways, **{"settings.asks": '["text"]'})
        distil(other, only, tmp_path / "out", tmp_path / "cache")
    nothing = {f"distil.{term}": 0 for term in ("sequence", "token", "hidden", "relation")}
    alone = recipe_of(tmp_path, ways, **nothing, **{"distil.ctc": 0, "distil.frames": 0})
    with pytest.raises(ValueError, match="nothing is learned from the teacher"):
        distil(teacher, alone, tmp_path / "out", cached)


def for_glosses_alone(teacher: Path, folder: Path) -> Path:
    """The teacher, to be asked for glosses alone."""
    shutil.copytree(teacher, folder)
    info = json.loads((folder / "config.json").read_text())
    info["settings"]["asks"] = ["glosses"]
    (folder / "config.json").write_text(json.dumps(info))
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["distill", *map(str, arguments)])


def test_command(tmp_path: Path, teacher: Path, ways: Path) -> None:
    recipe_of(tmp_path, ways)
    out = tmp_path / "student"
    options = ("--recipe", tmp_path / "recipe.toml", "-o", out)
    done = run(teacher, *options, "--corpus", ways, "--set", "training.steps=1", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["checkpoint"] == str(out / "best-000001")
    assert len(open_teacher_cache(tmp_path / "student.teacher")) == 6
    refused = {
        "holds a training by another recipe (training.steps)": options,
        "--trim-only or --cache-only, one of the two": (*options, "--trim-only", "--cache-only"),
        "give a folder of shards with --corpus": (*options, "--trim-only"),
        "--split is for --trim-only": (*options, "--split", "val"),
        "no recipe nothing.toml": ("--recipe", "nothing.toml", "-o", out),
    }
    done = run(tmp_path / "nobody", *options)
    assert done.exit_code == 2 and "nobody is no checkpoint: give a teacher" in done.stderr
    for says, arguments in refused.items():
        done = run(teacher, *arguments)
        assert done.exit_code == 2 and says in done.stderr, done.output
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("path", sorted(RECIPES.glob("distil_*.toml")), ids=lambda path: path.stem)
def test_every_bundled_recipe_can_be_read(path: Path) -> None:
    assert read_recipe_as(DistilRecipe, Path(path.stem)).distil != Distil()
