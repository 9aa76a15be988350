"""Sigma against Uni-Sign on few glosses: which clips, what is kept of them, who starts where."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from fingerpost.edge_runtime.keypoints import SIGN69
from fingerpost.edge_runtime.preprocess import hands_alone
from fingerpost.edge_runtime.preprocess_uni_sign import preprocess_uni_sign
from fingerpost.trainer.checkpoint import load_checkpoint, resolve_checkpoint
from fingerpost.trainer.compare_sigma import WAYS, Way, compare, table, tuning_of
from fingerpost.trainer.compare_sigma_clips import (
    clips_of_glosses,
    frequent_together,
    make_worlds,
    single_real_signs,
    with_body,
)
from fingerpost.trainer.compare_sigma_runs import (
    Bench,
    averaged,
    kept_features,
    trained,
    with_settings,
)
from fingerpost.trainer.feed import Clips, PreparedClips, plain_batches
from fingerpost.trainer.recipe import Recipe, read_recipe
from fingerpost.trainer.sentences.real_signs import RealSigns, in_one_picture
from fingerpost.trainer.shards import Clip, ShardsAbout, open_shards, write_shards
from fingerpost.trainer.signer import LEXICON
from fingerpost.trainer.signer_corpus import SIGNS, make_clip
from fingerpost.trainer.tasks import find_task
from fingerpost.trainer.train import train

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = """
task = "{task}"
seed = 0
{start}
[data]
train = ["{shards}"]
val_split = ""
[model]
label_smoothing = 0.0
pose_widths = [4, 4, 8, 16]
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
asks = ["text", "glosses"]
stride = 2
augment = {{}}
beams = 1
max_tokens = 8
[training]
steps = 2
batch = 6
lr = 5e-3
"""
FRESH = (
    'fresh = ["poses.projection.", "poses.part_vector", "class_token"]\nfrozen = ["poses.parts."]'
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, shards: Path) -> Path:
    """12 clips to train on, 6 of each split to test on."""
    folder = tmp_path_factory.mktemp("few") / "ways"
    splits = ["train"] * 12 + ["test"] * 6 + ["signs"] * 6
    clips = [replace(c, split=s) for c, s in zip(open_shards(shards), splits, strict=True)]
    write_shards(folder, clips, ShardsAbout(corpus="few", schema="sign69"))
    return folder


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory, world: Path) -> Recipe:
    """Of a fine-tuning, with the Uni-Sign that it starts from trained."""
    folder = tmp_path_factory.mktemp("start")
    first, second = folder / "first.toml", folder / "second.toml"
    first.write_text(SMALL.format(task="translation", shards=world, start=""))
    train(read_recipe(first), folder / "out")
    start = f'start_from = "{folder / "out"}"\n{FRESH}'
    second.write_text(SMALL.format(task="sigma", shards=world, start=start))
    return read_recipe(second, ["model.embed_width=16"])


def test_glosses_that_leave_many_sentences_whole() -> None:
    """d and e are in one sentence each: d goes, then e; then b is in one."""
    rows = [("a", "b"), ("a", "c"), ("a", "c"), ("c", "d"), ("b", "e")]
    assert frequent_together(rows, 4) == {"a", "b", "c", "e"}
    assert frequent_together(rows, 3) == {"a", "b", "c"}
    assert frequent_together(rows, 2) == {"a", "c"}
    with pytest.raises(ValueError, match="the sentences have 5; give 1 to 5"):
        frequent_together(rows, 6)


def test_a_world_has_short_sentences_and_single_signs(tmp_path: Path) -> None:
    """Left out: another gloss, a sentence of three glosses, a sign that is not to train on."""
    clip = make_clip(SIGNS, 0)
    rows = [
        ("s", "train", ("i", "go"), "I go."),
        ("t", "val", ("i", "go"), "I go."),
        ("u", "test", ("go",), ""),
        ("v", "train", ("go",), ""),
        ("w", "train", ("i", "see"), "I see."),
        ("x", "train", ("i", "go", "i"), "I go, I."),
    ]
    clips = [replace(clip, id=i, split=s, glosses=g, text=t, spans=()) for i, s, g, t in rows]
    folder = tmp_path / "s"
    write_shards(folder, clips, ShardsAbout("s", SIGN69.name))
    found = list(clips_of_glosses(open_shards(folder), {"i", "go"}, 2))
    assert [(c.id, c.split, c.text, c.text_language) for c in found] == [
        ("s", "train", "I go.", "en"),
        ("t", "test", "I go.", "en"),
        ("v", "train", "go", "en"),
    ]


def test_real_signs_to_test_on_are_none_to_train_on() -> None:
    number = list(LEXICON).index("book")
    one, two, three = (
        replace(c, id=name, sequence=in_one_picture(c.sequence), spans=())
        for name, c in zip("abc", [make_clip(SIGNS, number)] * 3, strict=True)
    )
    signs = RealSigns(
        {"train": {"book": (one,)}, "val": {"book": (two,)}, "test": {"book": (three,)}}
    )
    found = list(single_real_signs(signs, {"book", "go"}))
    assert [clip.id for clip in found] == ["signs-b", "signs-c"]
    assert {(c.split, c.glosses, c.text) for c in found} == {("signs", ("book",), "book")}


def test_hands_alone_imply_wrists_and_shoulders() -> None:
    """Without them, Uni-Sign's normalisation makes nothing but zeros of a clip."""
    clip = make_clip(SIGNS, list(LEXICON).index("book"))
    clip = replace(clip, sequence=in_one_picture(hands_alone(clip.sequence)))
    assert not preprocess_uni_sign(clip.sequence).any()
    whole = with_body(clip).sequence
    hand, wrist = SIGN69.index("right_hand_wrist"), SIGN69.index("right_wrist")
    assert np.array_equal(whole.xyz[:, wrist], clip.sequence.xyz[:, hand])
    assert np.array_equal(whole.confidence[:, wrist], clip.sequence.confidence[:, hand])
    left, right = (SIGN69.index(f"{side}_shoulder") for side in ("left", "right"))
    # 0.4 picture heights wide, in a picture 4 wide and 3 high
    np.testing.assert_allclose(whole.xyz[:, left, 0], 0.5 + 0.15, atol=1e-6)
    np.testing.assert_allclose(whole.xyz[:, right, 0], 0.5 - 0.15, atol=1e-6)
    seen = whole.confidence[:, hand] > 0.3
    assert seen.any() and preprocess_uni_sign(whole)[seen, wrist, :2].any(axis=1).all()


def test_worlds_of_two_corpora_have_the_same_glosses(tmp_path: Path) -> None:
    lexicon = list(LEXICON)

    def sign(gloss: str, turn: int, split: str) -> Clip:
        clip = make_clip(SIGNS, turn * len(lexicon) + lexicon.index(gloss))
        return replace(clip, split=split, spans=())

    def sentence(name: str, split: str, glosses: tuple[str, ...]) -> Clip:
        return replace(sign(glosses[0], 0, split), id=name, glosses=glosses, text=" ".join(glosses))

    pairs = [("a", "train", ("i", "go")), ("b", "test", ("i", "go")), ("c", "test", ("i", "book"))]
    for name in ("signer", "real"):
        clips = [sentence(f"{name}-{i}", s, g) for i, s, g in pairs]
        write_shards(tmp_path / name, [*clips, sign("go", 1, "train")], ShardsAbout(name, "sign69"))
    signs = [sign(gloss, turn, "train") for gloss in ("i", "go") for turn in range(5)]
    signs += [sign(gloss, 6, "val") for gloss in ("i", "go")]
    write_shards(tmp_path / "signs", signs, ShardsAbout("signs", "sign69"))
    folders = [(tmp_path / name, tmp_path / "signs") for name in ("signer", "real")]
    made = make_worlds(tmp_path / "few", *folders, n=2, most=2)
    for name in ("signer", "real"):
        assert {g for row in made[name].column("glosses") for g in row} == {"go", "i"}
        ids = [c.id for c in made[name] if c.split != "signs"]
        assert ids[:2] == [f"{name}-a", f"{name}-b"] and len(ids) == 3
    with pytest.raises(ValueError, match="--most: a sentence has 2 glosses or more, not 1"):
        make_worlds(tmp_path / "less", *folders, n=2, most=1)


@pytest.mark.parametrize("task", ["translation", "sigma", "sigma_pretraining"])
def test_features_stand_for_keypoints(
    recipe: Recipe, tmp_path: Path, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same loss, and the same answers, as the network that looks at the keypoints."""
    monkeypatch.setattr("fingerpost.trainer.compare_sigma_runs.BY", 1)
    bench = Bench(recipe, tmp_path)
    kept = bench.clips(task, ("text",), "test")
    torch.manual_seed(1)
    fields = {k: v for k, v in recipe.model.items() if task != "translation" or k != "embed_width"}
    network = kept.task.new_model(fields)
    start = load_checkpoint(resolve_checkpoint(Path(recipe.start_from)))[0].state_dict()
    parts = {k: v for k, v in start.items() if k.startswith("poses.parts.")}
    network.load_state_dict({**network.state_dict(), **parts})
    plain_task = find_task(task).from_data(
        {**recipe.settings, "asks": ["text"]},
        kept.clips,
        resolve_checkpoint(Path(recipe.start_from)),
    )
    plain = plain_task.new_model(fields)
    plain.load_state_dict(network.state_dict())
    clips = PreparedClips(Clips(recipe.data.train, "test"), plain_task, cache=False)
    one, other = (next(plain_batches(which, range(6), 6)) for which in (kept, clips))
    with torch.no_grad():
        losses = kept.task.losses(network.eval(), one), plain_task.losses(plain.eval(), other)
    for name, value in losses[0].items():
        torch.testing.assert_close(value, losses[1][name], atol=2e-3, rtol=2e-3)
    assert one.inputs["keypoints"].dim() == 3


def test_what_a_fine_tuning_goes_on_from(recipe: Recipe, tmp_path: Path) -> None:
    """From the pre-training all but what is its own; from ``start_from`` the frozen graphs."""
    bench = Bench(recipe, tmp_path)
    pre = trained(bench, tuning_of(Way(pre={}), recipe, 1, pre=True))[0].state_dict()
    frozen = load_checkpoint(resolve_checkpoint(Path(recipe.start_from)))[0].state_dict()
    still = {k: v for k, v in frozen.items() if k.startswith("poses.parts.")}
    assert still and all(torch.equal(pre[k], v) for k, v in still.items())
    assert not torch.equal(pre["poses.projection.weight"], frozen["poses.projection.weight"])
    no_steps = with_rate(tuning_of(Way(pre={}), recipe, 1), 1e-12)
    tuned = trained(bench, no_steps, pre)[0].state_dict()
    assert {k for k in pre if not k.startswith("pretraining.")} == set(tuned)
    for name, value in tuned.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, pre[name])


def with_rate(recipe: Recipe, lr: float) -> Recipe:
    return msgspec.structs.replace(
        recipe, training=msgspec.structs.replace(recipe.training, lr=lr, weight_decay=0.0)
    )


def test_ways_of_pre_training_are_compared(recipe: Recipe, tmp_path: Path) -> None:
    """Each way once for each seed, kept; what one way has no figure of is left empty."""
    told: list[str] = []

    def run(ways: list[str]) -> dict:
        return compare(recipe, tmp_path, 1, [4], ways, lambda name, _: told.append(name))

    ways = ["Uni-Sign", "no fusion", "no pre-training"]
    rows = run(ways)
    assert list(rows) == [f"{way}, seed 4" for way in ways] == told
    tuned = {"text.bleu4", "glosses.wer", "isolated.top1"}
    assert set(rows["no pre-training, seed 4"]) == tuned
    assert set(rows["Uni-Sign, seed 4"]) == {*tuned, "pre: text.bleu4", "loss: language"}
    more = {"pre: sign_to_text.r1", "pre: text_to_sign.r1", "loss: whole", "loss: matching"}
    assert more < set(rows["no fusion, seed 4"])
    assert run(["no fusion"])["no fusion, seed 4"] == rows["no fusion, seed 4"]
    lines = table(rows).splitlines()
    assert lines[4].startswith("| no pre-training |  |") and "loss:" not in lines[0]
    with pytest.raises(ValueError, match="no way 'fast'; known: Uni-Sign"):
        run(["fast"])


def test_features_are_kept_and_damage_is_told(recipe: Recipe, tmp_path: Path) -> None:
    """A second reading makes nothing again; another stride is another file."""
    first = kept_features(recipe, tmp_path)
    (file,) = tmp_path.iterdir()
    assert len(first) == 24 and {row.shape[1] for row in first.values()} == {4 * 16}
    file.touch()
    before = file.stat().st_mtime_ns
    again = kept_features(recipe, tmp_path)
    assert file.stat().st_mtime_ns == before
    assert all(np.array_equal(again[name], row) for name, row in first.items())
    kept_features(with_settings(recipe, stride=1), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    file.write_bytes(b"PK nothing")
    with pytest.raises(ValueError, match="is damaged; delete it"):
        kept_features(recipe, tmp_path)


def test_frames_are_averaged_by_twos() -> None:
    frames = np.array([[1, 2], [3, 4], [5, 9]], np.float16)
    assert averaged(frames, 2).tolist() == [[2, 3], [5, 9]]
    assert averaged(frames, 1).tolist() == frames.tolist()
    assert averaged(frames, 2).dtype == np.float16


def test_a_table_by_hand() -> None:
    rows = {"a, seed 0": {"x": 1.0}, "a, seed 1": {"x": 4.0}, "a, b, seed 0": {"y": 5.0}}
    assert table(rows).splitlines()[2:] == ["| a | 2.5 (1, 4) |  |", "| a, b |  | 5.0 (5) |"]


def test_the_seed_says_who_starts_how(recipe: Recipe, tmp_path: Path) -> None:
    """The same seed gives the same weights, another one others."""
    bench, way = Bench(recipe, tmp_path), tuning_of(WAYS["no pre-training"], recipe, 1)
    other = msgspec.structs.replace(way, seed=9)
    made = [trained(bench, r)[0].state_dict()["class_token"] for r in (way, way, other)]
    assert torch.equal(made[0], made[1]) and not torch.equal(made[0], made[2])


def test_a_comparison_needs_a_start(recipe: Recipe, tmp_path: Path) -> None:
    bare = msgspec.structs.replace(recipe, start_from="")
    with pytest.raises(ValueError, match="task sigma with start_from"):
        compare(bare, tmp_path, 1, [0], ["Uni-Sign"], lambda name, figures: None)


def test_uni_sign_has_the_same_steps(recipe: Recipe) -> None:
    longer = tuning_of(Way(sigma=False, longer=True), recipe, 7)
    assert longer.task == "translation" and longer.training.steps == 9
    assert "embed_width" not in longer.model and "class_token" not in longer.fresh
    assert all(way.pre is None for name, way in WAYS.items() if "no pre-training" in name)
