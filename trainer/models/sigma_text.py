"""Sigma's text encoder, and the matching path of its sign-grounded text (SGT) encoder.

"Sigma" (see ``sigma``), Sec. 3.2.3, Fig. 4 and Appendix E, after BLIP (ICML 2022), which the paper
names. The SGT encoder is the language model's decoder, walked two ways. The language-modelling path
is the decoder itself. The matching path has self-attention of its own, which looks both ways, and
shares all else: the attention to signing and the feed-forward layers.

What the paper leaves open: the matching path's self-attention starts as the encoder's, which looks
both ways too. The task token stands in front of the text, and the head judges its last state. For
language modelling, the token is the one that the decoder starts with.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from fingerpost.trainer.models.sigma_fusion import attends


class TextEncoder(nn.Module):
    """The layers of a T5 encoder, copied, and a class token. Its embedding stays the original's.

    encoder : of the language model
    """

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.block = copy.deepcopy(encoder.block)
        self.final_layer_norm = copy.deepcopy(encoder.final_layer_norm)
        self.dropout = copy.deepcopy(encoder.dropout)
        self.class_token = nn.Parameter(like_a_token(encoder))

    def take_over(self, encoder: Any) -> None:
        """The weights of an encoder of the same shapes."""
        self.block.load_state_dict(encoder.block.state_dict())
        self.final_layer_norm.load_state_dict(encoder.final_layer_norm.state_dict())


class MatchingPath(nn.Module):
    """Whether a text says what was signed. encoder, decoder : of the language model."""

    def __init__(self, encoder: Any, decoder: Any) -> None:
        super().__init__()
        last = len(encoder.block) - 1
        self.attention = nn.ModuleList(
            copy.deepcopy(encoder.block[min(i, last)].layer[0]) for i in range(len(decoder.block))
        )
        self.task_token = nn.Parameter(like_a_token(encoder))
        self.head = nn.Linear(decoder.config.d_model, 1)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def take_over(self, encoder: Any) -> None:
        """The self-attention of an encoder of the same shapes."""
        last = len(encoder.block) - 1
        for i, attention in enumerate(self.attention):
            attention.load_state_dict(encoder.block[min(i, last)].layer[0].state_dict())

    def forward(
        self, decoder: Any, words: Tensor, mask: Tensor, read: Tensor, read_mask: Tensor
    ) -> Tensor:
        """Logits, (P,): above 0 where text and signing belong together.

        words : shape (P, L, D), embeddings; mask : (P, L)
        read : shape (P, S, D), what the text is compared with; read_mask : (P, S)
        """
        states, mask = after_token(self.task_token, words, mask)
        within = attends(decoder.config, states, mask)
        across = attends(decoder.config, states, read_mask, read)
        states = decoder.dropout(states)
        within_bias = across_bias = None
        for attention, block in zip(self.attention, decoder.block, strict=True):
            states, within_bias, _ = attention(states, within, within_bias)
            states, across_bias, _ = block.layer[1](states, read, across, across_bias)
            states = block.layer[2](states)
        whole = decoder.dropout(decoder.final_layer_norm(states))[:, 0]
        return self.head(whole)[:, 0]


def after_token(token: Tensor, words: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """A learned token (D,) in front of words (R, L, D) that count by mask (R, L)."""
    first = token.expand(len(words), 1, -1).to(words.dtype)
    return torch.cat([first, words], dim=1), nn.functional.pad(mask, (1, 0), value=1)


def like_a_token(encoder: Any) -> Tensor:
    """A random vector (D,), as long as the embeddings are that the encoder reads."""
    weight = encoder.get_input_embeddings().weight.detach()
    return torch.randn(weight.shape[1]) * weight.float().std()
