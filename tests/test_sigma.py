"""Sigma: fusion against plain loops, the terms of its loss, and what passes on to fine-tuning."""

import copy
import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from fingerpost.trainer.checkpoint import load_checkpoint, save_checkpoint
from fingerpost.trainer.feed import Clips
from fingerpost.trainer.models.sigma import Sigma
from fingerpost.trainer.models.sigma_alignment import contrastive_loss, local_similarity
from fingerpost.trainer.models.sigma_config import SigmaConfig, Texts
from fingerpost.trainer.models.sigma_fusion import SignEF, Walk
from fingerpost.trainer.models.uni_sign import UniSign, UniSignConfig
from fingerpost.trainer.network import take_weights
from fingerpost.trainer.tasks.sigma import SigmaPretraining, SigmaTranslation
from fingerpost.trainer.tasks.task import Batch

pytestmark = pytest.mark.usefixtures("one_thread")

READER = {
    "model_type": "mt5",
    **{"d_model": 16, "d_kv": 8, "d_ff": 16, "num_heads": 2},
    **{"num_layers": 3, "num_decoder_layers": 2, "dropout_rate": 0.0},
}
WIDTHS = (4, 4, 6, 8)


@pytest.fixture(scope="module")
def task(shards: Path) -> SigmaPretraining:
    return SigmaPretraining.from_data({"asks": ["text"]}, Clips([str(shards)], "train"), None)


@pytest.fixture(scope="module")
def batch(task: SigmaPretraining, shards: Path) -> Batch:
    """Four clips of four texts, of unlike lengths."""
    seen: dict[str, object] = {}
    for clip in Clips([str(shards)], "train"):
        seen.setdefault(clip.text, task.prepare(clip))
    return task.batch(list(seen.values()), None, 0)


def model_of(task: SigmaPretraining, **fields: object) -> Sigma:
    torch.manual_seed(0)
    shapes = {"language_model": READER, "pose_widths": WIDTHS, "embed_width": 8}
    model = task.new_model({**shapes, **fields})
    with torch.no_grad():  # attention that prefers something, so that order and masks matter
        for name, parameter in model.named_parameters():
            if name.endswith((".q.weight", ".k.weight")):
                parameter.mul_(4)
    return model


def test_fusion_is_equation_1_of_each_head() -> None:
    """One matrix of scores for both directions; what fills up is not heard."""
    torch.manual_seed(0)
    reader = UniSign(UniSignConfig({**READER, "vocab_size": 20}, pose_widths=WIDTHS)).language_model
    shared = reader.decoder.block[1].layer[1].EncDecAttention
    fusion = SignEF(reader.config)
    sign, text = torch.randn(1, 3, 16), torch.randn(1, 4, 16)
    masks = torch.tensor([[1, 1, 0]]), torch.tensor([[1, 1, 1, 0]])
    to_sign, to_text = fusion(sign, masks[0], text, masks[1], shared)
    s, t = fusion.sign_norm(sign)[0, :2], fusion.text_norm(text)[0, :3]
    heads_s, heads_t = [], []
    for h in range(2):
        part = slice(8 * h, 8 * h + 8)
        scores = (s @ shared.k.weight[part].T) @ (t @ shared.q.weight[part].T).T  # (2, 3)
        heads_s.append(scores.softmax(dim=1) @ (t @ fusion.text_value.weight[part].T))
        heads_t.append(scores.T.softmax(dim=1) @ (s @ shared.v.weight[part].T))
    expected_s = torch.cat(heads_s, dim=1) @ fusion.sign_out.weight.T
    expected_t = torch.cat(heads_t, dim=1) @ shared.o.weight.T
    torch.testing.assert_close(to_sign[0, :2], expected_s)
    torch.testing.assert_close(to_text[0, :3], expected_t)


def test_a_walk_is_the_encoder() -> None:
    torch.manual_seed(0)
    reader = UniSign(UniSignConfig({**READER, "vocab_size": 20}, pose_widths=WIDTHS)).language_model
    encoder = reader.get_encoder().eval()
    embeds, mask = torch.randn(2, 5, 16), torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])
    walk = Walk(encoder, encoder.config, embeds, mask)
    for i in range(3):
        walk.layer(i)
    expected = encoder(inputs_embeds=embeds, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(walk.end(), expected)


def test_what_hears_what(task: SigmaPretraining, batch: Batch) -> None:
    """Fused signing changes with the text that it hears; apart, it does not, as in fine-tuning."""
    model = model_of(task).eval()
    given = batch.inputs
    other = given["texts"]._replace(
        ids=given["texts"].ids.flip(0), mask=given["texts"].mask.flip(0)
    )

    def signing(texts: object, fused: tuple[str, ...]) -> Tensor:
        model.config = replace(model.config, fused=fused)
        poses = model.poses(given["keypoints"])
        sign = model._sign_walk(poses, given["frame_mask"], given["prompt"])
        text = model._text_walk(texts)
        sign.layers(0, 1)
        text.layers(0, 1)
        return model._encoded(sign, text)["language"][0]

    with torch.no_grad():
        apart = signing(given["texts"], ("alignment", "matching"))
        assert torch.equal(apart, signing(other, ("alignment", "matching")))
        read, _ = model._read(model.poses(given["keypoints"]), given["frame_mask"], given["prompt"])
        torch.testing.assert_close(apart, read)
        together = signing(given["texts"], ("language",))
        assert (together - apart).abs().max() > 0.01
        assert (together - signing(other, ("language",))).abs().max() > 0.01
        features = model.sign_features(given["keypoints"], given["frame_mask"], given["prompt"])
        torch.testing.assert_close(
            features.whole, model._sign_features(apart, walk_mask(given), given["prompt"]).whole
        )


def walk_mask(given: dict) -> Tensor:
    return torch.cat([given["prompt"].mask, given["frame_mask"]], dim=1)


def test_the_terms_are_equations_3_to_5(task: SigmaPretraining, batch: Batch) -> None:
    """With nothing fused, each term from features that are computed apart."""
    model = model_of(task, fused=[], alpha=0.3, beta=0.6).eval()
    given = batch.inputs
    names = ("keypoints", "frame_mask", "prompt")
    with torch.no_grad():
        losses = model(**given)
        sign = model.sign_features(**{name: given[name] for name in names})
        text = model.text_features(given["texts"])
        plain = model(**{**given, "texts": None})
    same = given["texts"].same
    assert same.tolist() == torch.eye(4).bool().tolist()
    scores = sign.whole @ text.whole.T / 0.07
    torch.testing.assert_close(losses.whole, 0.7 * contrastive_loss(scores, scores.T, same))
    local = [
        local_similarity(a.parts, a.mask, b.parts, b.mask, "max", "softmax")
        for a, b in ((sign, text), (text, sign))
    ]
    torch.testing.assert_close(losses.local, 0.3 * contrastive_loss(*local, same))
    torch.testing.assert_close(losses.language, 0.6 * plain)
    assert sign.parts.shape[1] == given["keypoints"].shape[1] and text.mask.sum(dim=1).max() == 4
    to_text, to_sign = model.similarities(sign, text)
    expected = 0.7 * sign.whole @ text.whole.T + 0.3 * local[0]
    torch.testing.assert_close(to_text, expected)
    torch.testing.assert_close(to_sign, 0.7 * text.whole @ sign.whole.T + 0.3 * local[1])


@pytest.mark.parametrize("fused", ["", "pairs"])
def test_matching_is_judged_pair_by_pair(task: SigmaPretraining, batch: Batch, fused: str) -> None:
    """Each clip's true text, its hardest other text, and each text's hardest other clip; fused by
    pairs, each clip heard the text that it is judged with."""
    model = model_of(task, fused=[fused] if fused else []).eval()
    given = batch.inputs
    texts = given["texts"]
    scores = torch.tensor([[9.0, 1, 2, 3], [4, 9, 5, 1], [1, 2, 9, 0], [5, 4, 3, 9]])
    pairs = [(i, i) for i in range(4)]  # clip, text
    pairs += [(0, 3), (1, 2), (2, 1), (3, 0)]  # the likest other text of each clip
    pairs += [(3, 0), (3, 1), (1, 2), (0, 3)]  # the likest other clip of each text
    found = model._pairs(texts, (scores, scores.T))
    assert list(zip(*(numbers.tolist() for numbers in found), strict=True)) == pairs
    poses = model.poses(given["keypoints"])

    def walks(clip: slice, text: slice) -> tuple[Walk, Walk]:
        one = given["prompt"]._replace(
            ids=given["prompt"].ids[clip], mask=given["prompt"].mask[clip], clip=None
        )
        sign = model._sign_walk(poses[clip], given["frame_mask"][clip], one)
        said = model._text_walk(Texts(texts.ids[text], texts.mask[text], texts.words, texts.same))
        sign.layers(0, 1)
        said.layers(0, 1)
        return sign, said

    whole = walks(slice(None), slice(None))
    loss = model._matching(*whole, model._encoded(*whole)["matching"], texts, found)
    assert model.pretraining is not None
    total = 0.0
    for n, (clip, text) in enumerate(pairs):
        sign, said = walks(slice(clip, clip + 1), slice(text, text + 1))
        if fused:
            read = model._together(sign, said)[0]
        else:
            sign.layers(1, 3)
            read = sign.end()
        logit = model.pretraining.matching(
            model.language_model.decoder,
            model.language_model.shared(texts.ids[text : text + 1]),
            texts.mask[text : text + 1],
            read,
            sign.mask,
        )
        total += math.log(1 + math.exp(-logit.item() if n < 4 else logit.item()))
    assert loss.item() == pytest.approx(total / 12, rel=1e-4)


def test_matching_looks_both_ways_and_shares_all_but_its_attention(
    task: SigmaPretraining, batch: Batch
) -> None:
    model = model_of(task).train()
    assert model.pretraining is not None
    decoder = model.language_model.decoder
    words = torch.randn(1, 3, 16)
    ones = torch.ones(1, 3).long()
    read = torch.randn(1, 5, 16)

    def judged(words: Tensor) -> Tensor:
        return model.pretraining.matching(decoder, words, ones, read, torch.ones(1, 5).long())

    other = torch.cat([words[:, :2], -words[:, 2:]], dim=1)  # the last word is seen by the first
    assert (judged(words) - judged(other)).abs().item() > 1e-4
    judged(words).sum().backward()
    for name, parameter in decoder.named_parameters():
        own = ".layer.0." in name  # the self-attention of the language-modelling path
        embeds = name.startswith("embed_tokens")
        assert (parameter.grad is None) == (own or embeds), name
    assert all(p.grad is not None for p in model.pretraining.matching.parameters())


@pytest.mark.parametrize(
    ("fields", "zero"),
    [
        ({"alpha": 0.0}, {"local"}),
        ({"alpha": 1.0}, {"whole"}),
        ({"beta": 0.0}, {"language"}),
        ({"beta": 1.0}, {"matching"}),
        ({"fusion_layers": 0}, set()),
        ({"grounded_in": "text"}, set()),
        ({"fused": ["matching"]}, set()),
        ({"fused": ["pairs"]}, set()),
    ],
)
def test_switches(
    task: SigmaPretraining, batch: Batch, fields: dict[str, object], zero: set[str]
) -> None:
    model = model_of(task, **fields).train()
    terms = task.losses(model, batch)
    assert {name for name, value in terms.items() if value.item() == 0} == zero
    torch.stack(list(terms.values())).sum().backward()
    heard = [p.grad for p in model.pretraining.fusion.parameters()]
    assert len(heard) == (0 if fields.get("fusion_layers") == 0 else 2 * 4)
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(g.to_dense().isfinite().all() for g in gradients)
    assert model.poses.projection.weight.grad.abs().sum() > 0 or fields.get("grounded_in") == "text"


def test_fine_tuning_takes_all_but_what_only_pre_training_needs(
    task: SigmaPretraining, tmp_path: Path
) -> None:
    pretrained = model_of(task)
    save_checkpoint(tmp_path, pretrained, {"task": "sigma_pretraining", **task.save(tmp_path)}, {})
    loaded, info, _ = load_checkpoint(tmp_path)
    assert info["model"] == "sigma" and asdict(loaded.config)["fused"]
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, pretrained.state_dict()[name]), name
    tuning = SigmaTranslation.from_checkpoint(tmp_path, info)
    torch.manual_seed(1)
    fine = tuning.new_model({"language_model": READER, "pose_widths": WIDTHS, "embed_width": 8})
    assert not fine.can_retrieve and not [n for n in fine.state_dict() if "pretraining" in n]
    take_weights(fine, tmp_path, ("pretraining.",))
    for name, value in fine.state_dict().items():
        assert torch.equal(value, pretrained.state_dict()[name]), name
    with pytest.raises(ValueError, match="has no text encoder: give the checkpoint of its pre-tr"):
        fine.text_features(None)  # type: ignore[arg-type]


def test_pre_training_starts_from_uni_sign(task: SigmaPretraining, tmp_path: Path) -> None:
    """Its encoder becomes the text encoder, and the matching path's own attention, too."""
    torch.manual_seed(3)
    fields = {**READER, **task._token_numbers()}
    uni_sign = UniSign(UniSignConfig(fields, pose_widths=WIDTHS))
    save_checkpoint(tmp_path, uni_sign, {}, {})
    model = model_of(task)
    token = model.class_token.clone()
    take_weights(model, tmp_path, ("pretraining.", "class_token"))
    encoder = uni_sign.language_model.encoder
    assert model.pretraining is not None and torch.equal(model.class_token, token)
    pairs = [
        (model.language_model.encoder.block, encoder.block),
        (model.pretraining.text_encoder.block, encoder.block),
        (model.pretraining.matching.attention[1], encoder.block[1].layer[0]),
    ]
    for ours, theirs in pairs:
        for name, value in theirs.state_dict().items():
            assert torch.equal(ours.state_dict()[name], value), name


def test_the_prompt_has_a_place_for_the_class_token(task: SigmaPretraining, batch: Batch) -> None:
    model = model_of(task).eval()
    given = batch.inputs
    prompt = given["prompt"]
    embeds, mask = model.embed(given["keypoints"], given["frame_mask"], prompt)
    assert torch.equal(embeds[:, 0], model.class_token.expand(4, -1)) and mask[:, 0].all()
    assert torch.equal(
        embeds[:, 1 : prompt.ids.shape[1]], model.language_model.shared(prompt.ids[:, 1:])
    )
    changed = prompt._replace(ids=torch.cat([prompt.ids[:, :1] + 3, prompt.ids[:, 1:]], dim=1))
    again, _ = model.embed(given["keypoints"], given["frame_mask"], changed)
    assert torch.equal(embeds, again)  # nobody reads the token that is there


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"row": "median"}, "model.row: 'median'; known: max, average, top_k, softmax"),
        ({"scoring": "max"}, "model.scoring: 'max'; known: sum"),
        ({"grounded_in": "both"}, "model.grounded_in: 'both'; known: sign, text"),
        (
            {"fused": ["global"]},
            "model.fused: 'global'; known: alignment, matching, language, pairs",
        ),
        ({"fused": ["pairs", "matching"]}, "matching and pairs are two ways of one; name one"),
        ({"alpha": 1.5}, "model.alpha: 1.5 is not from 0 to 1"),
        ({"beta": -1}, "model.beta: -1 is not from 0 to 1"),
        ({"fusion_layers": 3}, "can fuse 0 to 2 layers, not 3"),
        ({"embed_width": 0}, "model.embed_width: 0 is below 1"),
        ({"rgb": True}, "Sigma reads keypoints alone; leave it out"),
        ({"pretraining": True}, "the task says so, sigma or sigma_pretraining"),
        ({"pose_widths": [4, 4]}, "expected four whole numbers such as [64, 64, 128, 256], got"),
    ],
)
def test_a_mistake_is_one_line(task: SigmaPretraining, fields: dict, says: str) -> None:
    with pytest.raises(ValueError) as error:
        model_of(task, **fields)
    assert says in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"asks": ["text", "glosses"]}, "compares a clip with one text; name one of text"),
        ({"align": 1.0}, "align and reads are no part of Sigma's pre-training"),
    ],
)
def test_settings_that_cannot_be(shards: Path, settings: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        SigmaPretraining.from_data(settings, Clips([str(shards)], "train"), None)


def test_widths_are_a_setting_and_the_papers_by_default() -> None:
    fields = {**READER, "vocab_size": 20}
    small = UniSign(UniSignConfig(fields, pose_widths=WIDTHS)).poses
    shapes = {name: tuple(p.shape) for name, p in small.named_parameters()}
    assert shapes["parts.body.embedding.weight"] == (4, 3)
    assert shapes["parts.hand.spatial.2.graph.weight"] == (2, 8, 6)
    assert shapes["parts.face.temporal.2.temporal.weight"] == (8, 8, 1, 5)
    assert shapes["projection.weight"] == (16, 32)
    assert UniSign(UniSignConfig(fields)).poses.projection.weight.shape == (16, 1024)
    with pytest.raises(ValueError, match="the last width has to be 256, not 8"):
        UniSign(UniSignConfig(fields, rgb=True, pose_widths=WIDTHS))


def test_the_same_seed_is_the_same_network(task: SigmaPretraining, batch: Batch) -> None:
    one, other = model_of(task), model_of(task)
    assert all(map(torch.equal, one.state_dict().values(), other.state_dict().values()))
    clone = copy.deepcopy(one)
    assert clone.pretraining is not one.pretraining
    torch.manual_seed(0)
    first = one.train()(**batch.inputs)
    torch.manual_seed(0)
    assert all(map(torch.equal, first, other.train()(**batch.inputs)))


def test_words_go_with_the_texts(task: SigmaPretraining, batch: Batch) -> None:
    texts = batch.inputs["texts"]
    assert isinstance(model_of(task).config, SigmaConfig)
    for ids, mask, words in zip(texts.ids, texts.mask, texts.words, strict=True):
        said = task.tokenizer.decode(ids[mask.bool()], skip_special_tokens=True)
        assert int(words.max()) + 1 == len(said.split())
        assert (words >= 0).sum() == mask.sum() - 1  # all but the end of the text
