"""Questions and answers of a clip: prompts, tokens, frames, and the alignment's loss by hand."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fingerpost.edge_runtime.keypoints import SIGN69, to_view
from fingerpost.trainer.feed import Clips
from fingerpost.trainer.models.gloss_alignment import (
    NO_TOKEN,
    NONE,
    NOT_KNOWN,
    SHARPNESS,
    Glosses,
    alignment_loss,
)
from fingerpost.trainer.models.language_model import IGNORED
from fingerpost.trainer.models.uni_sign import NO_SIGN, PROMPT
from fingerpost.trainer.shards import Clip
from fingerpost.trainer.tasks.signet import SignetTranslation
from fingerpost.trainer.tasks.translation import Translation, spread

READER = {
    "model_type": "mt5",
    **{"d_model": 16, "d_kv": 8, "d_ff": 16, "num_heads": 2},
    **{"num_layers": 1, "num_decoder_layers": 1, "dropout_rate": 0.0},
}


def task_of(shards: Path, **settings: object) -> Translation:
    return Translation.from_data(settings, Clips([str(shards)], "train"), None)


def test_each_clip_is_asked_all_that_its_labels_can_answer(shards: Path) -> None:
    task = task_of(shards, asks=["text", "glosses"])
    clips = [task.prepare(clip) for clip in list(Clips([str(shards)], "train"))[:3]]
    batch = task.batch(clips, None, 0)
    assert batch.inputs["prompt"].clip.tolist() == [0, 0, 1, 1, 2, 2]
    read = task.tokenizer.batch_decode(batch.inputs["prompt"].ids, skip_special_tokens=True)
    prompts = [PROMPT.format(language=name) for name in ("English", "glosses")]
    assert [text.split() for text in read[:2]] == [prompt.split() for prompt in prompts]
    labels = batch.inputs["labels"]
    said = [task.tokenizer.decode(row[row != IGNORED], skip_special_tokens=True) for row in labels]
    assert said[:2] == ["the hand goes up", "up"]
    assert batch.weight == (labels != IGNORED).sum()


def test_a_batch_is_filled_up_as_far_as_the_others(shards: Path) -> None:
    task = task_of(shards)
    clip = task.prepare(Clips([str(shards)], "train")[0])
    keypoints, mask = (task.batch([clip], None, 40).inputs[k] for k in ("keypoints", "frame_mask"))
    n = len(clip.keypoints)
    assert keypoints.shape[1] == 40 and mask.sum() == n
    assert torch.equal(keypoints[0, n:], keypoints[0, n - 1 : n].expand(40 - n, -1, -1))


def test_glosses_stand_for_frames(shards: Path) -> None:
    task = task_of(shards, reads="glosses")
    clip = task.prepare(Clips([str(shards)], "train")[0])
    (up,) = task.tokenizer("up", add_special_tokens=False)["input_ids"]
    assert clip.keypoints.tolist() == [up]
    assert spread(clip.keypoints, None).tolist() == [NO_SIGN, up, up, NO_SIGN]
    drawn = {tuple(spread(clip.keypoints, draw)) for draw in range(40)}
    assert (NO_SIGN, up) in drawn and (NO_SIGN, up, up, up, NO_SIGN) in drawn and len(drawn) == 6


def test_a_model_that_reads_glosses_gives_a_loss(shards: Path) -> None:
    task = task_of(shards, reads="glosses")
    model = task.new_model({"language_model": READER})
    batch = task.batch([task.prepare(Clips([str(shards)], "train")[0])], [0], 0)
    model.train()
    loss = task.losses(model, batch)["language"]
    loss.backward()
    assert loss.isfinite() and model.poses.projection.weight.grad is None


def test_the_alignment_is_a_second_term_with_its_weight(shards: Path) -> None:
    clips = Clips([str(shards)], "train")
    terms = []
    for align in (1.0, 0.25):
        task = task_of(shards, align=align)
        torch.manual_seed(0)
        model = task.new_model({"language_model": READER})
        terms.append(task.losses(model, task.batch([task.prepare(clips[0])], [0], 0)))
    assert terms[0]["language"] == terms[1]["language"]
    assert terms[1]["alignment"].item() == pytest.approx(terms[0]["alignment"].item() / 4)


def test_the_alignment_can_be_all_that_is_learned(shards: Path) -> None:
    clips = Clips([str(shards)], "train")
    terms = []
    for only in (False, True):
        task = task_of(shards, align=1.0, only_align=only)
        torch.manual_seed(0)
        model = task.new_model({"language_model": READER})
        terms.append(task.losses(model, task.batch([task.prepare(clips[0])], [0], 0)))
    assert list(terms[1]) == ["alignment"] and terms[0]["alignment"] == terms[1]["alignment"]


def test_spans_say_what_each_frame_shows(shards: Path) -> None:
    """Ten frames a second; the second gloss has two tokens, and half of its span for each."""
    task = task_of(shards, asks=["glosses"], align=1.0)
    clip = Clips([str(shards)], "train")[0]
    blank = np.zeros((9, *clip.sequence.xyz.shape[1:]), np.float32)
    sequence = replace(clip.sequence, xyz=blank, confidence=blank[..., 0], fps=10.0)
    task._gloss_tokens = lambda clip: [[5], [6, 7]]  # type: ignore[method-assign]
    spans = ((100, 300), (400, 800))
    clip = replace(clip, glosses=("up", "down"), sequence=sequence, spans=spans)
    shown = task.prepare(clip).of_frame
    assert shown.tolist() == [NONE, 5, 5, NONE, 6, 6, 7, 7, NONE]
    prepared = task.prepare(clip)
    batch = task.batch([prepared, task.prepare(replace(clip, spans=()))], [0, 0], 12)
    glosses = batch.inputs["glosses"]
    assert glosses.tokens.tolist() == [[5, 6, 7]] * 2
    assert glosses.of_frame[0].tolist() == shown.tolist() + [NOT_KNOWN] * 3
    assert (glosses.of_frame[1] == NOT_KNOWN).all()


def test_an_augmented_clip_and_what_it_shows_stay_together(shards: Path) -> None:
    """The frames' numbers are written into them as confidence, and into the glosses they show."""
    task = task_of(shards, align=1.0, augment={"drop_frames": 0, "drop_run": 0, "mirror": 0})
    clip = task.prepare(Clips([str(shards)], "train")[0])
    numbers = np.arange(1, 21)
    keypoints = np.zeros((20, 69, 3), np.float16)
    keypoints[..., 2] = numbers[:, None] / 32
    changed, shown = task._changed(replace(clip, keypoints=keypoints, of_frame=numbers), 3)
    assert np.array_equal(changed[:, 0, 2].numpy() * 32, shown)
    assert len(set(shown)) > 8


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"asks": ["songs"]}, "known: text, glosses, isolated"),
        ({"asks": []}, "known: text, glosses, isolated"),
        ({"reads": "lips"}, "known: poses, glosses"),
        ({"augment": {"trun": 1}}, "known: stride, tempo"),
        ({"tokenizer": "/nowhere/at/all"}, "no tokenizer '/nowhere/at/all'"),
        ({"hands": "x", "augment": {}}, "no folder"),
        ({"only_align": True}, "nothing is left to learn"),
    ],
)
def test_a_mistake_is_one_line(shards: Path, settings: dict, says: str) -> None:
    with pytest.raises((ValueError, OSError)) as error:
        task_of(shards, **settings)
    assert says in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("task", "settings"), [(Translation, {}), (SignetTranslation, {"experts": {"a": "nowhere"}})]
)
def test_a_corpus_without_a_body_in_any_clip_is_one_line(
    shards: Path, task: Any, settings: dict
) -> None:
    def hands_alone(clip: Clip) -> Clip:
        confidence = to_view(clip.sequence, SIGN69).confidence.copy()
        confidence[:, SIGN69.groups["body"]] = 0
        view = replace(to_view(clip.sequence, SIGN69), confidence=confidence)
        return replace(clip, sequence=view)

    clips = list(Clips([str(shards)], "train"))[:3]
    with pytest.raises(ValueError, match="the clips show no body.*from hands alone"):
        task.from_data(settings, [hands_alone(clip) for clip in clips], None)
    task_of(shards)  # with bodies there is nothing to say


def scores_of(probabilities: list[list[float]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Features (1, T, V + 1) of length 1, and embeddings (V, V + 1): their softmax is these."""
    cosines = torch.tensor(probabilities).log() / SHARPNESS
    rest = (1 - cosines.square().sum(dim=-1, keepdim=True)).sqrt()
    return torch.cat([cosines, rest], dim=-1)[None], torch.eye(3, 4)


def row(tokens: list[int], n_frames: int) -> Glosses:
    """Of one clip; nobody said which frame shows which gloss."""
    return Glosses(torch.tensor([tokens]), torch.full((1, n_frames), NOT_KNOWN))


def test_known_frames_are_asked_one_by_one() -> None:
    """Two glosses over four frames, the last of which only fills up."""
    features, embeddings = scores_of(
        [[0.2, 0.7, 0.1], [0.5, 0.3, 0.2], [0.1, 0.3, 0.6], [1 / 3] * 3]
    )
    shown = torch.tensor([[1, NONE, 2, NOT_KNOWN]])
    glosses = Glosses(torch.tensor([[1, 2]]), shown)
    loss = alignment_loss(features, torch.tensor([[1, 1, 1, 0]]), embeddings, glosses)
    mean = -(math.log(0.7) + math.log(0.5) + math.log(0.6)) / 3
    assert loss.item() == pytest.approx(mean, abs=1e-5)  # twice the mean, over two glosses


def test_known_and_unknown_clips_share_a_batch() -> None:
    one, embeddings = scores_of([[0.2, 0.7, 0.1]])
    other, _ = scores_of([[0.3, 0.1, 0.6]])
    glosses = Glosses(torch.tensor([[1], [2]]), torch.tensor([[1], [NOT_KNOWN]]))
    loss = alignment_loss(torch.cat([one, other]), torch.ones(2, 1).long(), embeddings, glosses)
    assert loss.item() == pytest.approx(-(math.log(0.7) + math.log(0.6)) / 2, abs=1e-5)


def test_a_single_gloss_is_asked_of_the_clip_as_a_whole() -> None:
    """The mean of two frames of length 1, brought back to length 1."""
    features, embeddings = scores_of([[0.2, 0.7, 0.1], [0.5, 0.3, 0.2]])
    mean = features[0].sum(dim=0)
    cosines = (mean / mean.norm())[:3] * SHARPNESS
    expected = -math.log(math.exp(cosines[1]) / sum(math.exp(c) for c in cosines))
    loss = alignment_loss(features, torch.ones(1, 2).long(), embeddings, row([1], 2))
    assert loss.item() == pytest.approx(expected, abs=1e-5)


def test_alignment_of_one_frame_is_its_glosses_probability() -> None:
    features, embeddings = scores_of([[0.2, 0.7, 0.1]])
    loss = alignment_loss(features, torch.ones(1, 1).long(), embeddings, row([1], 1))
    assert loss.item() == pytest.approx(-math.log(0.7), abs=1e-5)


def test_alignment_sums_over_all_ways_to_spread_the_glosses() -> None:
    """Three frames, glosses a b: a a b, a b b, a b none, a none b, none a b."""
    of_none, of_a, of_b = [0.2, 0.5, 0.3], [0.7, 0.3, 0.4], [0.1, 0.2, 0.3]
    features, embeddings = scores_of(
        [list(frame) for frame in zip(of_none, of_a, of_b, strict=True)]
    )
    ways = (
        of_a[0] * of_a[1] * of_b[2]
        + of_a[0] * of_b[1] * of_b[2]
        + of_a[0] * of_b[1] * of_none[2]
        + of_a[0] * of_none[1] * of_b[2]
        + of_none[0] * of_a[1] * of_b[2]
    )
    loss = alignment_loss(features, torch.ones(1, 3).long(), embeddings, row([1, 2], 3))
    assert loss.item() == pytest.approx(-math.log(ways) / 2, abs=1e-5)


def test_alignment_without_room_or_glosses_is_nothing() -> None:
    features, embeddings = scores_of([[0.2, 0.7, 0.1]])
    mask = torch.ones(1, 1).long()
    for glosses in ([[1, 2]], [[NO_TOKEN, NO_TOKEN]]):  # two in one frame, and none
        assert alignment_loss(features, mask, embeddings, row(glosses[0], 1)).item() == 0


def test_alignment_does_not_look_at_filling_nor_move_the_embeddings() -> None:
    features, embeddings = scores_of([[0.2, 0.7, 0.1], [0.9, 0.05, 0.05]])
    features.requires_grad_(), embeddings.requires_grad_()
    mask = torch.tensor([[1, 0]])
    loss = alignment_loss(features, mask, embeddings, row([1], 2))
    loss.backward()
    assert loss.item() == pytest.approx(-math.log(0.7), abs=1e-5)
    assert embeddings.grad is None
    assert features.grad is not None and np.allclose(features.grad[0, 1], 0)
