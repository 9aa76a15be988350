"""Sentences by MS-MAE and a language model: what it reads, what learns, and that it learns."""

from pathlib import Path

import pytest
import torch

from fingerpost.trainer.checkpoint import load_checkpoint, resolve_checkpoint, save_checkpoint
from fingerpost.trainer.evaluate import evaluate_checkpoint
from fingerpost.trainer.feed import Clips
from fingerpost.trainer.models.language_model import IGNORED
from fingerpost.trainer.models.ms_mae import MsMae, MsMaeConfig
from fingerpost.trainer.models.ms_mae_translator import MsMaeTranslator, MsMaeTranslatorConfig
from fingerpost.trainer.network import new_network
from fingerpost.trainer.recipe import RECIPES, Recipe, read_recipe
from fingerpost.trainer.shards import ShardsAbout, open_shards, write_shards
from fingerpost.trainer.tasks.ms_mae_translation import MsMaeTranslation
from fingerpost.trainer.train import load_data, train

pytestmark = pytest.mark.usefixtures("one_thread")

ENCODER = {"width": 32, "depth": 1, "heads": 2, "decoder_depth": 1}
MT5 = {
    "model_type": "mt5",
    **{"d_model": 32, "d_kv": 8, "d_ff": 32, "num_heads": 2},
    **{"num_layers": 1, "num_decoder_layers": 1, "dropout_rate": 0.0},
}
MBART = {
    "model_type": "mbart",
    **{"d_model": 16, "encoder_layers": 1, "decoder_layers": 1},
    **{"encoder_attention_heads": 2, "decoder_attention_heads": 2},
    **{"encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "max_position_embeddings": 64},
}
RECIPE = """
task = "ms_mae_translation"
[data]
train = ["{shards}"]
[model]
encoder = {{ width = 32, depth = 1, heads = 2, decoder_depth = 1 }}
[model.language_model]
model_type = "mt5"
d_model = 32
d_kv = 8
d_ff = 32
num_heads = 2
num_layers = 1
num_decoder_layers = 1
dropout_rate = 0.0
[settings]
beams = 1
max_tokens = 12
[training]
steps = 2
batch = 16
lr = 5e-3
warmup = 0.1
validate_every = 1000
save_every = 1000
"""


def recipe_of(folder: Path, shards: Path, **changes: object) -> Recipe:
    path = folder / "recipe.toml"
    path.write_text(RECIPE.format(shards=shards.as_posix()))
    return read_recipe(path, [f"{key}={value}" for key, value in changes.items()])


def translator(fusion: str) -> MsMaeTranslator:
    torch.manual_seed(0)
    reader = {**MT5, "vocab_size": 20, "decoder_start_token_id": 0}
    return MsMaeTranslator(MsMaeTranslatorConfig(reader, ENCODER, fusion)).eval()


def two_clips() -> tuple[torch.Tensor, torch.Tensor]:
    """Of 8 and 4 frames; the first shows both hands and no body, the second the right hand."""
    keypoints = torch.randn(2, 8, 48, 4, generator=torch.Generator().manual_seed(1))
    keypoints[..., 3] = 1
    keypoints[0, :, :6] = 0
    keypoints[1, :, :27] = 0
    return keypoints, torch.tensor([[1] * 8, [1] * 4 + [0] * 4])


def ignore(*_: object) -> None:
    pass


def test_the_mean_is_over_the_streams_that_were_seen() -> None:
    model, (keypoints, frames) = translator("mean"), two_clips()
    with torch.no_grad():
        embeds, mask = model.embed(keypoints, frames)
        states = model.encoder(keypoints, frames)  # (2, 3, 2, D)
        assert embeds.shape == (2, 2, 32) and mask.tolist() == [[1, 1], [1, 0]]
        both = model.projection(states[0, 1:].mean(dim=0))
        assert torch.allclose(embeds[0], both, atol=1e-5)
        assert torch.allclose(embeds[1, 0], model.projection(states[1, 2, 0]), atol=1e-5)


def test_streams_one_after_the_other_are_read_as_far_as_they_were_seen() -> None:
    model, (keypoints, frames) = translator("concat"), two_clips()
    with torch.no_grad():
        embeds, mask = model.embed(keypoints, frames)
        states = model.encoder(keypoints, frames)
    assert mask.tolist() == [[0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 1, 0]]
    assert torch.allclose(embeds[0, 2:4], model.projection(states[0, 1]), atol=1e-5)


@pytest.mark.parametrize("fusion", ["mean", "concat"])
def test_a_clip_says_the_same_alone_and_among_others(fusion: str) -> None:
    model, (keypoints, frames) = translator(fusion), two_clips()
    labels = torch.tensor([[3, 4, 1], [5, 1, IGNORED]])
    with torch.no_grad():
        together = [model(keypoints, frames, labels[i].expand(2, -1)) for i in (0, 1)]
        second = model(keypoints[1:, :4], frames[1:, :4], labels[1:])
        first = model(keypoints[:1], frames[:1], labels[1:])
    assert together[1].item() == pytest.approx((first.item() + second.item()) / 2, rel=1e-4)


@pytest.mark.parametrize("fusion", ["mean", "concat"])
def test_a_clip_that_shows_nothing_is_no_error(fusion: str) -> None:
    model = translator(fusion)
    nothing, frames = torch.zeros(1, 8, 48, 4), torch.ones(1, 8)
    assert model(nothing, frames, torch.tensor([[3, 1]])).isfinite()
    assert model.generate(nothing, frames, n_beams=2, max_tokens=3).shape[1] <= 4


def test_another_fusion_is_refused() -> None:
    with pytest.raises(ValueError, match="fusion 'sum'; known: mean, concat"):
        MsMaeTranslatorConfig(MT5, ENCODER, "sum")


def test_it_learns_four_sentences(tmp_path: Path, shards: Path) -> None:
    folder = tmp_path / "four"
    clips = open_shards(shards)
    about = ShardsAbout(corpus="four", schema="sign69")
    write_shards(folder, [clips[i] for i in range(4)], about)
    changes = {"training.steps": 120, "training.batch": 4, "settings.changed": 0}
    recipe = recipe_of(tmp_path, folder, **changes, **{"data.val_split": "''"})
    train(recipe, tmp_path / "out", ignore)
    found = evaluate_checkpoint(tmp_path / "out", [str(folder)], "train", n_resamples=0)
    said = {p.truth: p.said for p in found["text"][1]}
    assert said == {text: text for text in said} and len(said) == 4


def mbart_task(shards: Path, **settings: object) -> MsMaeTranslation:
    return MsMaeTranslation.from_data(settings, Clips([str(shards)], "train"), None)


def test_mbart_says_the_language_first(shards: Path) -> None:
    """A token of the learned tokenizer stands for de_DE."""
    task = mbart_task(shards, language_token="the")
    language = task.tokenizer.convert_tokens_to_ids("the")
    prepared = [task.prepare(Clips([str(shards)], "train")[i]) for i in (0, 1)]
    labels = task.batch(prepared, None, 0).inputs["labels"]
    assert (labels[:, 0] == language).all()
    model = task.new_model({"language_model": MBART, "encoder": ENCODER})
    answers = model.language_model.prepare_decoder_input_ids_from_labels(labels)
    end = task.tokenizer.eos_token_id
    assert answers[:, :2].tolist() == [[end, language]] * 2
    batch = task.batch(prepared, None, 0)
    tokens = model.eval().generate(
        batch.inputs["keypoints"], batch.inputs["frame_mask"], 1, 5, language
    )
    assert tokens[:, :2].tolist() == [[end, language]] * 2


def test_a_pretrained_mbart_says_the_same_after_it_was_kept(tmp_path: Path, shards: Path) -> None:
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    task = mbart_task(shards, beams=1, max_tokens=6)
    end, size = task.tokenizer.eos_token_id, len(task.tokenizer)
    numbers = {"vocab_size": size, "eos_token_id": end, "pad_token_id": 0, "bos_token_id": 0}
    kinds = {"decoder_start_token_id": end, "forced_eos_token_id": end}
    config = AutoConfig.for_model(**MBART, **numbers, **kinds)
    AutoModelForSeq2SeqLM.from_config(config).save_pretrained(tmp_path / "mbart")
    fields = {"language_model": str(tmp_path / "mbart"), "encoder": ENCODER}
    model = task.new_model(fields).eval()
    save_checkpoint(tmp_path / "kept", model, {}, {})
    kept = load_checkpoint(tmp_path / "kept")[0]
    batch = task.batch([task.prepare(Clips([str(shards)], "train")[0])], None, 0)
    before, after = (task.predict(m, batch)["text"][0].said for m in (model, kept))
    assert before == after
    assert task.losses(model, batch)["language"] == task.losses(kept, batch)["language"]


def test_an_unknown_language_token_is_refused(shards: Path) -> None:
    with pytest.raises(ValueError, match="language_token: the tokenizer has no 'xx_XX'"):
        mbart_task(shards, language_token="xx_XX")


def test_frames_change_in_training_alone(shards: Path) -> None:
    task = mbart_task(shards, changed=0.5)
    clip = task.prepare(Clips([str(shards)], "train")[0])
    plain = task.batch([clip], None, 0).inputs["keypoints"][0]
    assert torch.equal(plain, torch.from_numpy(clip.keypoints).float())
    drawn = [task.batch([clip], [draw], 0).inputs["keypoints"][0] for draw in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1])
    assert drawn[0].shape != drawn[2].shape or not torch.equal(drawn[0], drawn[2])
    frames = {tuple(frame) for frame in plain.flatten(1).tolist()}
    assert {tuple(frame) for frame in drawn[0].flatten(1).tolist()} < frames


def test_a_long_text_ends_all_the_same(shards: Path) -> None:
    task = mbart_task(shards, max_tokens=3)
    labels = task.batch([task.prepare(Clips([str(shards)], "train")[0])], None, 0).inputs["labels"]
    assert labels.shape == (1, 3) and labels[0, -1] == task.tokenizer.eos_token_id


@pytest.mark.parametrize("name", ["ms_mae_slt_phoenix14t", "ms_mae_slt_how2sign"])
def test_the_recipes_tune_the_encoders_and_adapt_the_decoder(
    tmp_path: Path, shards: Path, name: str
) -> None:
    """The recipe's own [lora], start_from and fresh, with a tiny mBART and a tiny encoder."""
    start = tmp_path / "start"
    save_checkpoint(start, MsMae(MsMaeConfig(**ENCODER)), {"task": "ms_mae"}, {})
    bundled = read_recipe(RECIPES / f"{name}.toml")
    assert (bundled.lora.rank, bundled.lora.alpha) == (32, 32)
    changes = {
        "task": "ms_mae_translation",
        "start_from": f'"{start}"',
        "fresh": list(bundled.fresh),
        "lora.rank": 2,
        "lora.modules": list(bundled.lora.modules),
        "lora.within": list(bundled.lora.within),
        "lora.train": list(bundled.lora.train),
    }
    recipe = recipe_of(tmp_path, shards, **changes)
    recipe = Recipe(**{**_fields(recipe), "model": {"language_model": MBART, "encoder": ENCODER}})
    network = new_network(recipe, load_data(recipe)[0])
    there = load_checkpoint(start)[0].state_dict()
    assert torch.equal(network.state_dict()["encoder.stream"], there["encoder.stream"])
    learns = {name for name, p in network.named_parameters() if p.requires_grad}
    inner = "language_model.model."
    frozen = {name for name, _ in network.named_parameters()} - learns
    assert all(name.startswith((inner + "decoder.", inner + "shared")) for name in frozen)
    assert {name for name in learns if name.startswith(inner + "decoder.")} == {
        f"{inner}decoder.layers.0.{attention}.{layer}.lora_{side}.default.weight"
        for attention in ("self_attn", "encoder_attn")
        for layer in ("q_proj", "v_proj")
        for side in "AB"
    }


def _fields(recipe: Recipe) -> dict[str, object]:
    return {name: getattr(recipe, name) for name in recipe.__struct_fields__}


def test_an_adapted_training_leaves_a_plain_checkpoint(tmp_path: Path, shards: Path) -> None:
    changes = {
        "lora.rank": 2,
        "lora.modules": ["q", "v"],
        "lora.within": ["language_model.decoder."],
        "lora.train": ["encoder.", "projection.", "language_model.encoder."],
    }
    train(recipe_of(tmp_path, shards, **changes), tmp_path / "out", ignore)
    model, info, _ = load_checkpoint(resolve_checkpoint(tmp_path / "out"))
    assert isinstance(model, MsMaeTranslator) and info["preprocess"] == "ms_mae"
    assert not any("lora" in name for name in model.state_dict())
