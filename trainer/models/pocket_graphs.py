"""A pocket translator as a device runs it: four graphs of fixed shapes, one clip at a time.

encode       8 frames and the stream's state in; 8 states, 2 latents and the state out
             (``encode_clip``, which some files have beside it: the same for 32 frames)
ctc          8 states to a score for each gloss
read         the latents of a sentence to the keys and values that every word asks: once a sentence
decode_step  a token and the words so far (their keys and values) to scores of the next token

The weights are those of the model, and the results too. What differs from ``transformers`` is what
exporters cannot do: the biases of distances are tables made beforehand, so make the graphs after
training; and a step writes its keys and values by a product with 0 and 1, at a position that is an
input.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from fingerpost.trainer.models.pocket_encoder import FAR, KEPT, StreamState
from fingerpost.trainer.models.pocket_sizes import STEP
from fingerpost.trainer.models.pocket_translator import PocketTranslator, shown

N_LATENTS = 64  # of the longest sentence: 256 frames
MAX_TOKENS = 32  # of the longest answer, with its question
CLIP_STEP = 32  # frames that ``encode_clip`` reads at once


class Graph(NamedTuple):
    """module : what is to be exported, in eval mode
    example : inputs of the only shapes that it takes
    inputs, outputs : their names; a name in both is a state, zeros at first
    """

    module: nn.Module
    example: tuple[Tensor, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def graphs_of(
    model: PocketTranslator, n_latents: int = N_LATENTS, max_tokens: int = MAX_TOKENS
) -> dict[str, Graph]:
    """The four graphs by name. They share the model's parameters, which must not learn any more.

    n_latents : of the longest sentence; shorter ones are filled up, with mask 0
    max_tokens : of the longest answer, the question's token among them
    """
    model = model.eval()
    config = model.config
    step = DecodeStep(model, max_tokens)
    sentence = torch.zeros(
        config.n_decoder_layers, 1, config.n_reader_heads, n_latents, config.d_kv
    )
    said = torch.zeros(config.n_decoder_layers, 1, config.n_reader_heads, max_tokens, config.d_kv)
    return {
        "encode": _encode(model, STEP),
        "ctc": Graph(
            model.gloss_head, (torch.zeros(1, STEP, config.width),), ("states",), ("scores",)
        ),
        "read": Graph(
            Read(model, n_latents),
            (torch.zeros(1, n_latents, config.d_model), torch.ones(1, n_latents)),
            ("latents", "latent_mask"),
            ("sentence_keys", "sentence_values"),
        ),
        "decode_step": Graph(
            step.eval(),
            (
                torch.full((1, 1), config.n_pieces),
                torch.zeros(1, dtype=torch.int64),
                sentence,
                sentence.clone(),
                torch.ones(1, n_latents),
                said,
                said.clone(),
            ),
            (
                *("token", "position", "sentence_keys", "sentence_values"),
                *("latent_mask", "keys", "values"),
            ),
            ("scores", "keys", "values"),
        ),
    }


def clip_graphs_of(model: PocketTranslator) -> dict[str, Graph]:
    """``encode_clip``: what ``encode`` does, for ``CLIP_STEP`` frames that wait already.

    Four calls of ``encode`` take about twice its time. It has no weights of its own, so it is for
    formats whose graphs share theirs; elsewhere the file would hold them twice.
    """
    return {"encode_clip": _encode(model.eval(), CLIP_STEP)}


def _encode(model: PocketTranslator, n_frames: int) -> Graph:
    return Graph(
        Encode(model),
        (torch.zeros(1, n_frames, 69, 4), torch.ones(1, n_frames), *model.poses.empty_state()),
        ("keypoints", "frame_mask", "memory", "seen"),
        ("states", "latents", "latent_mask", "memory", "seen"),
    )


class Encode(nn.Module):
    """One step of the stream."""

    def __init__(self, model: PocketTranslator) -> None:
        super().__init__()
        self.poses, self.perceiver = model.poses, model.perceiver
        self.gloss_head = model.gloss_head

    def forward(
        self, keypoints: Tensor, frame_mask: Tensor, memory: Tensor, seen: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """keypoints : (1, n, 69, 4); frame_mask : (1, n); memory, seen : of ``StreamState``

        Returns states (1, n, D) of the frames ``look_ahead`` before, their latents (1, n / 4, d),
        which of these count (1, n / 4), and the state. The first latents of a stream do not count.
        """
        frames, state = self.poses.step(keypoints, frame_mask, StreamState(memory, seen))
        latents, mask = self.perceiver(frames, shown(self.gloss_head, frames.states))
        return frames.states[:, KEPT:], latents, mask, *state


class Read(nn.Module):
    """The encoder of mT5, and the keys and values that each layer of its decoder makes of it."""

    bias: Tensor

    def __init__(self, model: PocketTranslator, n_latents: int) -> None:
        super().__init__()
        language_model = model.language_model
        self.blocks = language_model.encoder.block
        self.norm = language_model.encoder.final_layer_norm
        across = [block.layer[1].EncDecAttention for block in language_model.decoder.block]
        self.keys = nn.ModuleList(layer.k for layer in across)
        self.values = nn.ModuleList(layer.v for layer in across)
        self.d_kv = model.config.d_kv
        first = self.blocks[0].layer[0].SelfAttention
        bias = first.compute_bias(n_latents, n_latents).detach()  # (1, H, N, N)
        self.register_buffer("bias", bias.contiguous(), persistent=False)

    def forward(self, latents: Tensor, latent_mask: Tensor) -> tuple[Tensor, Tensor]:
        """(1, N, d) and (1, N) to keys and values (layers, 1, H, N, d_kv)."""
        x = latents
        bias = self.bias + ((1 - latent_mask) * FAR)[:, None, None]
        for block in self.blocks:
            attention = block.layer[0].SelfAttention
            y = block.layer[0].layer_norm(x)
            q, k, v = (_heads(part(y), self.d_kv) for part in _parts(attention))
            x = x + attention.o(_attend(q, k, v, bias))
            x = block.layer[1](x)
        x = self.norm(x)
        return (
            torch.stack([_heads(layer(x), self.d_kv) for layer in self.keys]),
            torch.stack([_heads(layer(x), self.d_kv) for layer in self.values]),
        )


class DecodeStep(nn.Module):
    """One token further, with the keys and values of the tokens before in a cache."""

    bias: Tensor
    places: Tensor

    def __init__(self, model: PocketTranslator, max_tokens: int) -> None:
        super().__init__()
        language_model = model.language_model
        # The matrix is also others', but what the decoder itself runs is this layer.
        self.embedding = language_model.decoder.embed_tokens
        self.blocks = language_model.decoder.block
        self.norm = language_model.decoder.final_layer_norm
        self.head = language_model.get_output_embeddings()
        self.d_kv = model.config.d_kv
        first = self.blocks[0].layer[0].SelfAttention
        bias = first.compute_bias(max_tokens, max_tokens).detach()  # (1, H, M, M)
        later = torch.ones(max_tokens, max_tokens).triu(1).bool()
        bias = bias.masked_fill(later, FAR)[0].transpose(0, 1).contiguous()  # (M, H, M)
        self.register_buffer("bias", bias, persistent=False)
        self.register_buffer("places", torch.arange(max_tokens), persistent=False)

    def forward(
        self,
        token: Tensor,
        position: Tensor,
        sentence_keys: Tensor,
        sentence_values: Tensor,
        latent_mask: Tensor,
        keys: Tensor,
        values: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """token : (1, 1), the question's first; position : (1,), 0 for it
        keys, values : (layers, 1, H, M, d_kv), zeros at first

        Returns scores (1, n_tokens), and keys and values with this token's.
        """
        x = self.embedding(token)  # (1, 1, d)
        here = (self.places == position).to(x.dtype)  # (M,), 1 at the position
        bias = (self.bias * here[:, None, None]).sum(dim=0)[None, :, None]  # (1, H, 1, M)
        here = here[:, None]  # (M, 1)
        across = ((1 - latent_mask) * FAR)[:, None, None]
        new_keys, new_values = [], []
        for i, block in enumerate(self.blocks):
            own, other, feed_forward = block.layer
            y = own.layer_norm(x)
            q, k, v = (_heads(part(y), self.d_kv) for part in _parts(own.SelfAttention))
            k = keys[i] * (1 - here) + k * here  # (1, H, M, d_kv)
            v = values[i] * (1 - here) + v * here
            new_keys.append(k)
            new_values.append(v)
            x = x + own.SelfAttention.o(_attend(q, k, v, bias))
            q = _heads(other.EncDecAttention.q(other.layer_norm(x)), self.d_kv)
            x = x + other.EncDecAttention.o(
                _attend(q, sentence_keys[i], sentence_values[i], across)
            )
            x = feed_forward(x)
        return self.head(self.norm(x))[:, 0], torch.stack(new_keys), torch.stack(new_values)


def greedy(
    graphs: dict[str, Graph], latents: Tensor, latent_mask: Tensor, question: int, end: int
) -> list[int]:
    """The likeliest next token, again and again: how a device uses ``read`` and ``decode_step``.

    latents, latent_mask : (1, N, d) and (1, N), N as the graphs were made for
    question, end : tokens that begin and end an answer; neither is in what comes back
    """
    step = graphs["decode_step"]
    sentence = graphs["read"].module(latents, latent_mask)
    said = step.example[-2:]
    token, tokens = question, []
    for position in range(said[0].shape[3]):
        scores, *said = step.module(
            torch.tensor([[token]]), torch.tensor([position]), *sentence, latent_mask, *said
        )
        token = int(scores.argmax())
        if token == end:
            break
        tokens.append(token)
    return tokens


def _parts(attention: Any) -> tuple[nn.Module, nn.Module, nn.Module]:
    return attention.q, attention.k, attention.v


def _heads(x: Tensor, d_kv: int) -> Tensor:
    """(1, N, H d_kv) to (1, H, N, d_kv)."""
    return x.reshape(1, x.shape[1], -1, d_kv).transpose(1, 2)


def _attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    """Without a scale, as T5 has it; to (1, N, H d_kv)."""
    mixed = (q @ k.transpose(2, 3) + bias).softmax(dim=-1) @ v
    return mixed.transpose(1, 2).reshape(1, q.shape[2], -1)
