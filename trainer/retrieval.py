"""Searching texts by signing, and signing by text: whether a network ranks the right one first.

Each clip is a query for the texts of all clips, each different text one for the clips. A text that
several clips share is one find, and any of these clips is right, as in the papers on sign language
retrieval. Signing and text are read apart, so a search costs one reading of each, not of each pair.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from fingerpost.trainer.feed import PreparedClips, plain_batches
from fingerpost.trainer.predictions import Prediction
from fingerpost.trainer.tasks.task import Task

KEPT = 10  # finds of each query


def search(
    task: Task, network: nn.Module, clips: PreparedClips, batch: int, device: Any
) -> dict[str, list[Prediction]]:
    """The finds of all queries, by kind: ``sign_to_text`` and ``text_to_sign``.

    network : has ``sign_features``, ``text_features`` and ``similarities``, of batches of a task
        whose inputs have ``texts``
    """
    net: Any = network.eval()
    signs, texts, prepared = [], [], []
    with torch.no_grad():
        for of_batch in plain_batches(clips, range(len(clips)), batch):
            given = of_batch.to(device).inputs
            names = ("keypoints", "frame_mask", "prompt")
            signs.append(net.sign_features(**{name: given[name] for name in names}))
            texts.append(net.text_features(given["texts"]))
            prepared += of_batch.clips
        to_text, to_sign = _all_pairs(net, signs, texts)  # (N, N), both [query, find]
    truths = [clip.questions[0].truth for clip in prepared]
    first = [i for i, truth in enumerate(truths) if truth not in truths[:i]]
    return {
        "sign_to_text": [
            _finds(clip, truths[i], to_text[i, first], [truths[j] for j in first])
            for i, clip in enumerate(prepared)
        ],
        "text_to_sign": [_finds(prepared[i], truths[i], to_sign[i], truths) for i in first],
    }


def _all_pairs(net: Any, signs: Sequence[Any], texts: Sequence[Any]) -> tuple[np.ndarray, ...]:
    """Batches compared with batches, so that memory holds the frames and words of two at once."""
    rows = [[net.similarities(sign, text) for text in texts] for sign in signs]
    to_text = torch.cat([torch.cat([pair[0] for pair in row], dim=1) for row in rows])
    to_sign = torch.cat([torch.cat([pair[1] for pair in row]) for row in rows], dim=1)
    return to_text.float().cpu().numpy(), to_sign.float().cpu().numpy()


def _finds(clip: Any, truth: str, scores: np.ndarray, saying: Sequence[str]) -> Prediction:
    """saying : the text of each find, as scores are"""
    best = np.argsort(-scores, kind="stable")[:KEPT]
    ranked = tuple(saying[i] for i in best)
    return Prediction(clip.id, clip.signer, truth, ranked[0], ranked)
