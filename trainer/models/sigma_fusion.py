"""Sigma's sign-aware early fusion (SignEF): the last layers of two encoders hear each other.

"Sigma" (see ``sigma``), Sec. 3.2.1, Eq. 1 and Fig. 2, after the fusion of GLIP (CVPR 2022), which
the paper names: both sides share one matrix of scores, so each has a query, a value and an output
projection, and no key.

What the paper leaves open: the heads are "shared with the final SGT layers". A decoder's attention
to signing has four projections, which are four of these six: the text's query and output, and (its
key and value) the sign's query and value. So the i-th layer from the end borrows them of the
decoder's i-th layer from the end, and owns the other two. As T5's, scores are not divided by the
square root of the width; as in T5's layers, both sides are normalised before.
"""

from typing import Any

import torch
from torch import Tensor, nn


class SignEF(nn.Module):
    """What one layer of each encoder hears of the other.

    config : of the language model
    """

    def __init__(self, config: Any) -> None:
        super().__init__()
        inner = config.num_heads * config.d_kv
        self.n_heads = config.num_heads
        self.sign_norm = nn.RMSNorm(config.d_model, config.layer_norm_epsilon)
        self.text_norm = nn.RMSNorm(config.d_model, config.layer_norm_epsilon)
        self.text_value = nn.Linear(config.d_model, inner, bias=False)
        self.sign_out = nn.Linear(inner, config.d_model, bias=False)
        nn.init.normal_(self.text_value.weight, std=config.d_model**-0.5)  # T5's own
        nn.init.normal_(self.sign_out.weight, std=inner**-0.5)

    def forward(
        self, sign: Tensor, sign_mask: Tensor, text: Tensor, text_mask: Tensor, shared: Any
    ) -> tuple[Tensor, Tensor]:
        """S_t2s (R, S, D) and T_s2t (R, L, D).

        sign : shape (R, S, D); sign_mask : (R, S), 1 for what counts; text, text_mask : likewise
        shared : the attention of a layer of the decoder, with q, k, v and o
        """
        sign, text = self.sign_norm(sign), self.text_norm(text)
        scores = torch.einsum(
            "rshd,rlhd->rhsl", self._heads(shared.k(sign)), self._heads(shared.q(text))
        )
        lowest = torch.finfo(scores.dtype).min
        of_text = scores.masked_fill(text_mask[:, None, None] == 0, lowest).softmax(dim=-1)
        of_sign = scores.masked_fill(sign_mask[:, None, :, None] == 0, lowest).softmax(dim=-2)
        to_sign = torch.einsum("rhsl,rlhd->rshd", of_text, self._heads(self.text_value(text)))
        to_text = torch.einsum("rhsl,rshd->rlhd", of_sign, self._heads(shared.v(sign)))
        return self.sign_out(to_sign.flatten(2)), shared.o(to_text.flatten(2))

    def _heads(self, x: Tensor) -> Tensor:
        """(R, N, H d) to (R, N, H, d)."""
        return x.unflatten(-1, (self.n_heads, -1))


class Walk:
    """A T5 encoder, layer by layer, so that something can be added between two of them.

    stack : with ``block``, ``final_layer_norm`` and ``dropout``; embeds : (R, N, D), read by it
    """

    def __init__(self, stack: Any, config: Any, embeds: Tensor, mask: Tensor) -> None:
        self.stack, self.mask = stack, mask
        self.states = stack.dropout(embeds)
        self._attends: Tensor | None = attends(config, embeds, mask)
        self._bias: Tensor | None = None  # of positions: the first layer makes it for all

    def branch(self) -> "Walk":
        """Another walk that goes on from here."""
        other = object.__new__(Walk)
        other.__dict__.update(self.__dict__)
        return other

    def rows(self, numbers: Tensor) -> "Walk":
        """A walk of some of the rows (P,), any of them more than once, from here on."""
        other = self.branch()
        other.states, other.mask = self.states[numbers], self.mask[numbers]
        other._attends = None if self._attends is None else self._attends[numbers]
        return other

    def layers(self, start: int, stop: int) -> None:
        for number in range(start, stop):
            self.layer(number)

    def layer(self, number: int) -> None:
        self.states, self._bias, _ = self.stack.block[number](
            self.states, attention_mask=self._attends, position_bias=self._bias
        )

    def end(self) -> Tensor:
        """The encoder's last states, (R, N, D)."""
        return self.stack.dropout(self.stack.final_layer_norm(self.states))


def walk_together(
    sign: Walk, text: Walk, fusions: nn.ModuleList, attentions: list[Any]
) -> tuple[Tensor, Tensor]:
    """Eq. 1: the last states of both, where before each of the last N layers each hears the other.

    sign, text : walks that stand before the last N layers
    fusions : N, as are attentions, the decoder's attentions that they share heads with
    """
    n_sign, n_text, n = len(sign.stack.block), len(text.stack.block), len(fusions)
    for i, (fusion, shared) in enumerate(zip(fusions, attentions, strict=True)):
        to_sign, to_text = fusion(sign.states, sign.mask, text.states, text.mask, shared)
        sign.states, text.states = sign.states + to_sign, text.states + to_text
        sign.layer(n_sign - n + i)
        text.layer(n_text - n + i)
    return sign.end(), text.end()


def attends(config: Any, states: Tensor, mask: Tensor, read: Tensor | None = None) -> Any:
    """Who sees what, as T5's layers take it: states (R, N, D) see those of mask (R, S).

    read : shape (R, S, D), what is seen; None = the states see themselves
    """
    from transformers.masking_utils import create_bidirectional_mask

    return create_bidirectional_mask(config, states, mask, encoder_hidden_states=read)
