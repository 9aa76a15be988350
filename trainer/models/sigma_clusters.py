"""Sigma's cluster aggregator: sub-word tokens that are one word become one feature.

"Sigma" (see ``sigma``), Fig. 3 and Appendix D: an offset calculator maps each token to its word,
and the features of a word's tokens are pooled. What the paper does not say: words are what stands
between blanks (SentencePiece marks them by "▁"); Chinese has none, and is cut by ``jieba``; other
writing without blanks (Japanese, Thai) keeps its tokens, each a word. Pooling is the mean. A mark
of punctuation belongs to the word that it follows, as in the text.
"""

import functools
import logging
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from fingerpost.trainer.evaluation import UNSPACED
from fingerpost.trainer.metrics import is_chinese

NO_WORD = -1  # the word of a token that is none: the end of a text, filling
SPACE = "▁"  # what SentencePiece makes of a blank


def words_of_tokens(tokenizer: Any, text: str, text_language: str, most: int) -> list[int]:
    """The number of each token's word, from 0; ``NO_WORD`` for special tokens.

    tokenizer : of ``transformers``, fast
    most : tokens; the rest is cut off, as the labels' is

    ValueError where no token of the text is part of a word.
    """
    found = tokenizer(
        text,
        truncation=True,
        max_length=most,
        return_offsets_mapping=True,
        return_special_tokens_mask=True,
    )
    pieces = tokenizer.convert_ids_to_tokens(found["input_ids"])
    special = found["special_tokens_mask"]
    language = text_language.lower().replace("_", "-").split("-")[0]
    if is_chinese(text_language):
        begins = _begin_of_chinese(pieces, found["offset_mapping"], text)
    elif language in UNSPACED:
        begins = [i == 0 or pieces[i - 1] != SPACE for i in range(len(pieces))]
    else:
        begins = [piece.startswith(SPACE) for piece in pieces]
    words, number = [], -1
    for begin, is_special in zip(begins, special, strict=True):
        if is_special:
            words.append(NO_WORD)
            continue
        number += begin or number < 0
        words.append(number)
    if number < 0:
        raise ValueError(f"the text {text!r} has no word; give each clip a text or a gloss")
    return words


def pool_words(states: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of each word's tokens, and which words there are.

    states : shape (B, L, D); words : shape (B, L), of ``words_of_tokens``

    Returns shapes (B, K, D) and (B, K), bool, K the most words of a text.
    """
    n_words = int(words.max()) + 1
    of_word = words[..., None] == torch.arange(n_words, device=words.device)  # (B, L, K)
    counts = of_word.sum(dim=1)  # (B, K)
    share = of_word.to(states.dtype) / counts.clamp(min=1)[:, None].to(states.dtype)
    return torch.einsum("blk,bld->bkd", share, states), counts > 0


def _begin_of_chinese(
    pieces: Sequence[str], offsets: Sequence[tuple[int, int]], text: str
) -> list[bool]:
    """Whether each token begins a word of ``jieba``'s; a lone "▁" belongs to what it precedes."""
    word_of = [i for i, word in enumerate(_cut_chinese(text)) for _ in word]
    last = len(text) - 1
    shown = [word_of[min(start, last)] if text else 0 for start, _ in offsets]
    for i in reversed(range(len(pieces) - 1)):
        if pieces[i] == SPACE:
            shown[i] = shown[i + 1]
    return [i == 0 or shown[i] != shown[i - 1] for i in range(len(pieces))]


def _cut_chinese(text: str) -> list[str]:
    """The text in words, nothing left out."""
    return list(_jieba().cut(text))


@functools.cache
def _jieba() -> Any:
    import jieba

    jieba.setLogLevel(logging.WARNING)  # it tells everybody that it reads its dictionary
    return jieba.Tokenizer()
