"""How near signing and words are to each other in a network, in numbers that can be drawn.

After Appendix L of the paper that ``models/sigma`` is after: of a sample of clips, the states of
the sign encoder and the embeddings that the decoder reads of their texts, each clip one point and
each text one, in two dimensions by t-SNE. The paper does not say how a clip's frames, and a text's
tokens, become one point: here by their mean. The distance of the two means is told beside.

For each of some clips also how much each word has to do with each frame: where the network still
has the text encoder of Sigma's pre-training, by the cosines of Algorithm 1; else by what the
decoder's last layer attends to as it writes the token, the mean over its heads.

    pairs = read_pairs(Path("runs/sigma_slt"), ["my_shards"], "test")
    points = tsne(pairs)  # (2, N, 2): signs, texts
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fingerpost.trainer.evaluate import load_for_answers
from fingerpost.trainer.feed import Clips
from fingerpost.trainer.models.language_model import IGNORED
from fingerpost.trainer.models.sigma_clusters import NO_WORD
from fingerpost.trainer.tasks.task import Batch

SAMPLE = 80  # clips, as in Appendix L
PERPLEXITY = 30.0  # scikit-learn's own
BATCH = 8


@dataclass(frozen=True)
class WordFrames:
    """One clip's words and frames. values : (K, T), row by row what each word has to do with each
    frame; words : K; id : the clip's"""

    id: str
    words: tuple[str, ...]
    values: np.ndarray


@dataclass(frozen=True)
class Pairs:
    """signs, texts : (N, D), of the same N clips; maps : of the first of them
    how : what the maps show, in words"""

    signs: np.ndarray
    texts: np.ndarray
    maps: tuple[WordFrames, ...]
    how: str


def read_pairs(
    folder: Path, shards: Sequence[str], split: str, n: int = SAMPLE, n_maps: int = 4, seed: int = 0
) -> Pairs:
    """Of a random sample of the clips, in the order of their drawing.

    folder : a checkpoint of Sigma or Uni-Sign, or a training's folder
    n : clips; all, where there are fewer. ValueError for fewer than 3, and for other networks
    """
    network, task = load_for_answers(folder, {})
    net: Any = network
    if not hasattr(net, "language_model") or not hasattr(net, "prompt_words"):
        raise ValueError(
            f"{folder} has no sign encoder and language model to compare: give a checkpoint of "
            "sigma, sigma_pretraining or translation"
        )
    clips = Clips(shards, split)
    drawn = np.random.default_rng(seed).permutation(len(clips))[:n]
    if len(drawn) < 3:
        raise ValueError(f"{len(drawn)} clips are too few to see how they lie; give at least 3")
    prepared = [task.prepare(clips[int(i)]) for i in drawn]
    net.language_model.set_attn_implementation("eager")  # the others keep no attention
    signs, texts = [], []
    maps: list[WordFrames] = []
    with torch.no_grad():
        for start in range(0, len(prepared), BATCH):
            batch = task.batch(prepared[start : start + BATCH], None, 0)
            of_signs, of_texts = _points(net, batch)
            signs.append(of_signs)
            texts.append(of_texts)
            if len(maps) < n_maps:
                maps += _maps(net, task, batch)
    retrieves = getattr(net, "can_retrieve", False)
    how = "cosine of word and frame" if retrieves else "the decoder's attention, of each token"
    return Pairs(np.concatenate(signs), np.concatenate(texts), tuple(maps[:n_maps]), how)


def tsne(pairs: Pairs, seed: int = 0) -> np.ndarray:
    """Signs and texts in two dimensions, drawn together: shape (2, N, 2)."""
    from sklearn.manifold import TSNE

    together = np.concatenate([pairs.signs, pairs.texts])
    perplexity = min(PERPLEXITY, (len(together) - 1) / 3)
    drawn = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(together)
    return drawn.reshape(2, -1, 2)


def gap(pairs: Pairs) -> float:
    """The distance of the signs' mean from the texts', as a share of their mean spread."""
    means = pairs.signs.mean(axis=0), pairs.texts.mean(axis=0)
    spreads = [
        np.linalg.norm(of - mean, axis=1).mean()
        for of, mean in zip((pairs.signs, pairs.texts), means, strict=True)
    ]
    return float(np.linalg.norm(means[0] - means[1]) / max(np.mean(spreads), 1e-9))


def _first_rows(batch: Batch) -> Tensor:
    """The row of the first question about each clip."""
    clip = batch.inputs["prompt"].clip
    return torch.stack([torch.nonzero(clip == i)[0, 0] for i in range(len(batch.clips))])


def _points(net: Any, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    given = batch.inputs
    rows = _first_rows(batch)
    names = ("keypoints", "frame_mask", "prompt")
    studied = net.study((), **{name: given[name] for name in names})
    signs = _mean(studied.encoder[rows], studied.mask[rows])
    labels = given["labels"][rows]
    there = labels != IGNORED
    words = net.language_model.get_decoder().get_input_embeddings()(labels.clamp(min=0))
    return signs.numpy(), _mean(words, there).numpy()


def _mean(states: Tensor, mask: Tensor) -> Tensor:
    """(B, N, D) of which mask (B, N) counts, of length 1 each, to (B, D)."""
    weights = mask.to(states.dtype)[..., None]
    return (F.normalize(states, dim=-1) * weights).sum(dim=1) / weights.sum(dim=1)


def _maps(net: Any, task: Any, batch: Batch) -> list[WordFrames]:
    given = batch.inputs
    if getattr(net, "can_retrieve", False):
        return _cosines(net, task, batch)
    names = ("keypoints", "frame_mask", "prompt")
    embeds, mask = net.embed(**{name: given[name] for name in names})
    labels = given["labels"]
    found = net.language_model(
        inputs_embeds=embeds, attention_mask=mask, labels=labels, output_attentions=True
    )
    attention = found.cross_attentions[-1].mean(dim=1)  # (R, L, P + T)
    n_words = given["prompt"].ids.shape[1]
    maps = []
    for i, row in enumerate(_first_rows(batch).tolist()):
        there, frames = labels[row] != IGNORED, given["frame_mask"][i].bool()
        words = task.tokenizer.convert_ids_to_tokens(labels[row][there].tolist())
        values = attention[row, :, n_words:][there][:, frames]
        maps.append(WordFrames(batch.clips[i].id, _said(words), values.numpy()))
    return maps


def _cosines(net: Any, task: Any, batch: Batch) -> list[WordFrames]:
    given = batch.inputs
    names = ("keypoints", "frame_mask", "prompt")
    sign = net.sign_features(**{name: given[name] for name in names})
    text = net.text_features(given["texts"])
    maps = []
    for i, clip in enumerate(batch.clips):
        pieces = task.tokenizer.convert_ids_to_tokens(given["texts"].ids[i].tolist())
        numbers = given["texts"].words[i].tolist()
        words = ["" for _ in range(max(numbers) + 1)]
        for piece, number in zip(pieces, numbers, strict=True):
            if number != NO_WORD:
                words[number] += piece
        values = text.parts[i][text.mask[i]] @ sign.parts[i][sign.mask[i]].T  # (K, T)
        maps.append(WordFrames(clip.id, _said(words), values.numpy()))
    return maps


def _said(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(word.replace("▁", " ").strip() or "␣" for word in words)
