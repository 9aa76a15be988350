"""Keypoints as they come in to a state for each frame, 320 ms later.

Ours, after no paper. The convolutions see the past alone; each attention sees ``past`` frames back
and ``ahead`` frames on, so what a frame knows of the future is bounded, and does not depend on how
the stream is cut into steps. Of a stream, only what later frames can see is kept. A whole clip is a
stream of one step: training and device run the same code.

Attention knows distances by a fixed slope for each head ("Train Short, Test Long", Press et al.,
ICLR 2022, Sec. 3): no table to look up, and no end to the positions.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fingerpost.trainer.models.pocket_blocks import (
    AttentionBlock,
    ConvBlock,
    HandShape,
    KeypointEmbedding,
)
from fingerpost.trainer.models.pocket_sizes import (
    STEP,
    STRIDE,
    WINDOW,
    PocketTranslatorConfig,
)

FAR = -1e4  # added to the score of a key that must not be seen; fits into float16
KEPT = WINDOW - STRIDE  # states that the next window needs again


class StreamState(NamedTuple):
    """What is kept between two steps. All zeros at the beginning of a stream.

    memory : shape (B, M, D), rows of all layers one after the other
    seen : shape (B, S), of the last S frames, 1 for a frame of the clip
    """

    memory: Tensor
    seen: Tensor


class Frames(NamedTuple):
    """States of n frames, after those of the ``KEPT`` frames before them.

    states : shape (B, KEPT + n, D), zeros where there is no frame
    seen : shape (B, KEPT + n), 1 for a frame of the clip
    """

    states: Tensor
    seen: Tensor


class PoseStream(KeypointEmbedding):
    """(B, n, 69, 4) keypoints of ``preprocess_live`` to (B, n, D) states, step by step."""

    def __init__(self, config: PocketTranslatorConfig) -> None:
        super().__init__(config.width, HandShape)
        self.look_ahead = config.look_ahead
        self.width = config.width
        layers: list[CausalConv | LimitedAttention] = []
        for i in range(config.n_blocks):
            layers.append(CausalConv(config))
            # after every n_blocks / n_attentions blocks, the last of them at the end
            if (i + 1) * config.n_attentions // config.n_blocks > (
                i * config.n_attentions // config.n_blocks
            ):
                layers.append(LimitedAttention(config))
        self.layers: Any = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.n_seen = config.past + config.look_ahead
        self.n_memory = KEPT + sum(layer.n_memory for layer in layers)

    def forward(self, keypoints: Tensor, frame_mask: Tensor) -> Frames:
        """A whole clip: T states, T a multiple of ``STRIDE``, after ``KEPT`` rows of zeros.

        keypoints : shape (B, T, 69, 4); frame_mask : (B, T), 1 for a frame of the clip
        """
        keypoints = F.pad(keypoints, (0, 0, 0, 0, 0, self.look_ahead))
        mask = F.pad(frame_mask.to(keypoints.dtype), (0, self.look_ahead))
        frames, _ = self.step(keypoints, mask, self.empty_state(len(keypoints)))
        return Frames(frames.states[:, self.look_ahead :], frames.seen[:, self.look_ahead :])

    def step(
        self, keypoints: Tensor, frame_mask: Tensor, state: StreamState
    ) -> tuple[Frames, StreamState]:
        """The next n frames in; out come states of n frames that came ``look_ahead`` before.

        frame_mask : shape (B, n), 0 where the clip has ended: ``look_ahead`` such frames bring the
            last states out
        """
        n = keypoints.shape[1]
        seen = torch.cat([state.seen, frame_mask], dim=1)  # (B, S + n)
        x = self.dropout(self.join(self.embed(keypoints))) * frame_mask[..., None]
        kept, start, delay = [], 0, 0
        for layer in self.layers:
            memory = state.memory[:, start : start + layer.n_memory]
            start += layer.n_memory
            if isinstance(layer, LimitedAttention):
                first = self.n_seen - delay - layer.n_around
                x, memory = layer(x, memory, seen[:, first : first + layer.n_around + n])
                delay += layer.ahead
            else:
                x, memory = layer(x, memory)
            # what is before the first frame, or after the last, stays zero for every layer
            x = x * seen[:, self.n_seen - delay : self.n_seen - delay + n, None]
            kept.append(memory)
        x = self.norm(x) * seen[:, self.n_seen - delay : self.n_seen - delay + n, None]
        states = torch.cat([state.memory[:, start:], x], dim=1)  # (B, KEPT + n, D)
        of_states = seen[:, self.n_seen - delay - KEPT : self.n_seen - delay + n]
        memory = torch.cat([*kept, states[:, n:]], dim=1)
        return Frames(states, of_states), StreamState(memory, seen[:, n:])

    def empty_state(self, batch: int = 1) -> StreamState:
        """Of a stream that has not begun."""
        weight = self.join.weight
        return StreamState(
            weight.new_zeros(batch, self.n_memory, self.width),
            weight.new_zeros(batch, self.n_seen),
        )


class CausalConv(ConvBlock):
    """``ConvBlock`` over a frame and the kernel - 1 frames before it, which are its memory."""

    def __init__(self, config: PocketTranslatorConfig) -> None:
        super().__init__(config, padded=False)
        self.n_memory = config.kernel - 1

    def forward(self, x: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """x : (B, n, D); memory : (B, kernel - 1, D), in and out"""
        around = torch.cat([memory, x], dim=1)
        return super().forward(x, around), around[:, x.shape[1] :]


class LimitedAttention(AttentionBlock):
    """Attention to the ``past`` frames before each frame, and the ``ahead`` frames after it.

    Gives each frame ``ahead`` frames later than it got it. Its memory: keys, then values of the
    last past + ahead frames; then the last ``ahead`` frames themselves, then their queries.
    """

    step_bias: Tensor

    def __init__(self, config: PocketTranslatorConfig) -> None:
        super().__init__(config)
        self.past, self.ahead = config.past, config.ahead
        self.n_around = config.past + config.ahead
        self.n_memory = 2 * self.n_around + 2 * self.ahead
        # The device's step has its table ready: nothing of it is computed there.
        self.register_buffer("step_bias", self._bias(STEP), persistent=False)

    def forward(  # type: ignore[override]
        self, x: Tensor, memory: Tensor, seen: Tensor
    ) -> tuple[Tensor, Tensor]:
        """x : (B, n, D), and so is what comes out
        memory : (B, n_memory, D), in and out
        seen : (B, past + ahead + n), 1 for a key that is a frame of the clip
        """
        n, around = x.shape[1], self.n_around
        q, k, v = self.qkv(self.norm(x)).chunk(3, dim=-1)
        k = torch.cat([memory[:, :around], k], dim=1)  # (B, past + ahead + n, D)
        v = torch.cat([memory[:, around : 2 * around], v], dim=1)
        late = torch.cat([memory[:, 2 * around : 2 * around + self.ahead], x], dim=1)
        q = torch.cat([memory[:, 2 * around + self.ahead :], q], dim=1)  # (B, ahead + n, D)
        bias = self.step_bias if n == STEP else self._bias(n).to(x)
        bias = bias + ((1 - seen) * FAR)[:, None, None]  # (B, H, n, past + ahead + n)
        y = late[:, :n] + self.attend(q[:, :n], k, v, bias)
        return y, torch.cat([k[:, n:], v[:, n:], late[:, n:], q[:, n:]], dim=1)

    def _bias(self, n: int) -> Tensor:
        """(H, n, past + ahead + n): minus slope times distance, and FAR beyond past and ahead."""
        query = torch.arange(n)[:, None] + self.past
        distance = (query - torch.arange(self.n_around + n)).float()  # frames into the past
        slopes = 2.0 ** (-8 * torch.arange(1, self.n_heads + 1) / self.n_heads)
        bias = -slopes[:, None, None] * distance.abs()
        return bias.masked_fill((distance > self.past) | (distance < -self.ahead), FAR)


class SlidingPerceiver(nn.Module):
    """States to latents, a quarter as many: each sums up the ``WINDOW`` states up to its last one.

    "Lost in Translation, Found in Embeddings", Sec. 3.1 ("Sliding Perceiver") and Appendix A.5; no
    equation is given. A learned latent asks each window, layer by layer, by cross-attention and a
    feed-forward network. The paper's window of 8 moves by 2, ours by 4. Ours knows places within a
    window only, where the paper has a learned position of the whole clip: a stream has no end.

    A window is its states, and what the gloss head makes of them: a word of its own for each gloss.
    Without these words the reader has to find the glosses out anew, and on 20,000 sentences does
    not (docs/results.md).
    """

    def __init__(self, config: PocketTranslatorConfig) -> None:
        super().__init__()
        self.projection = nn.Linear(config.width, config.d_model)
        self.shown = nn.Linear(config.n_glosses + 1, config.d_model, bias=False)
        self.latent = nn.Parameter(torch.randn(config.d_model) * 0.02)
        self.layers = nn.ModuleList(
            PerceiverLayer(config) for _ in range(config.n_perceiver_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, frames: Frames, shown: Tensor) -> tuple[Tensor, Tensor]:
        """Latents (B, N, d_model) of N * ``STRIDE`` states, and which count, (B, N) of 0 and 1.

        shown : shape (B, KEPT + 4 N, 1 + n_glosses), how likely each frame shows each gloss
        """
        b, n = frames.states.shape[0], (frames.states.shape[1] - KEPT) // STRIDE
        x = self.projection(frames.states) + self.shown(shown) * frames.seen[..., None]
        unseen = windows((1 - frames.seen)[..., None] * FAR)[..., 0]  # (B, N, WINDOW)
        latents = self.latent.expand(b, n, -1)
        for layer in self.layers:
            latents = layer(latents, x, unseen)
        return self.norm(latents), frames.seen[:, KEPT:].reshape(b, n, STRIDE)[..., 0]


class PerceiverLayer(nn.Module):
    """Cross-attention of each latent to its window, then a feed-forward network: each added."""

    def __init__(self, config: PocketTranslatorConfig) -> None:
        super().__init__()
        d = config.d_model
        self.n_heads = config.n_reader_heads
        self.norm_latent, self.norm_states, self.norm = (nn.LayerNorm(d) for _ in range(3))
        self.q, self.kv, self.out = nn.Linear(d, d), nn.Linear(d, 2 * d), nn.Linear(d, d)
        self.place = nn.Parameter(torch.randn(WINDOW, d) * 0.02)  # added to keys
        self.mlp = nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, latents: Tensor, states: Tensor, unseen: Tensor) -> Tensor:
        """latents : (B, N, d); states : (B, KEPT + 4 N, d); unseen : (B, N, WINDOW), added"""
        b, n, d = latents.shape
        heads = (b * n, -1, self.n_heads, d // self.n_heads)
        k, v = self.kv(self.norm_states(states)).chunk(2, dim=-1)
        q = self.q(self.norm_latent(latents)).reshape(heads).transpose(1, 2)  # (B N, H, 1, .)
        k = (windows(k) + self.place).reshape(heads).transpose(1, 2)  # (B N, H, WINDOW, .)
        v = windows(v).reshape(heads).transpose(1, 2)
        scores = q @ k.transpose(-1, -2) * (d // self.n_heads) ** -0.5
        weights = (scores + unseen.reshape(b * n, 1, 1, WINDOW)).softmax(dim=-1)
        mixed = (weights @ v).transpose(1, 2).reshape(b, n, d)
        latents = latents + self.dropout(self.out(mixed))
        return latents + self.dropout(self.mlp(self.norm(latents)))


def windows(rows: Tensor) -> Tensor:
    """(B, KEPT + 4 N, C) to (B, N, WINDOW, C); each window is two halves that neighbours share."""
    halves = rows.reshape(rows.shape[0], -1, STRIDE, rows.shape[2])  # (B, 1 + N, 4, C)
    return torch.cat([halves[:, :-1], halves[:, 1:]], dim=2)
