"""A SIGNET as a device runs it: a graph for each expert, and the language model's two.

expert_<name>  W frames to what the expert sees of them, and the features that choose experts
read           the prompt and the fused frames of a sentence, to the keys and values of every word
decode_step    a token and the words so far to scores of the next token

"SIGNET: Motion-Level Knowledge Transfer for Cross-Language Sign Language Translation", Sec. 3.4 to
3.6. What lies between the experts and ``read``, adapters and router, is no graph but weights
(edge_runtime/expert_routing.py), so that a sign language can be added later.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fingerpost.edge_runtime.expert_routing import Adapters
from fingerpost.edge_runtime.keypoints import GROUPS, SIGN69
from fingerpost.trainer.models.common import N_INPUT, PoseEncoder
from fingerpost.trainer.models.pocket_graphs import DecodeStep, Graph, Read
from fingerpost.trainer.models.signet import HEARS, Signet
from fingerpost.trainer.models.signet_routing import PRIORS

WINDOW = 64  # frames that an expert's graph takes: 2.6 seconds at 25 a second
MARGIN = HEARS
PROMPT_ROOM = 48  # tokens of the longest prompt, also of a language that comes later


@dataclass(frozen=True)
class _Sizes:
    d_kv: int


@dataclass(frozen=True)
class _Reader:
    """As much of a pocket translator as ``Read`` and ``DecodeStep`` take."""

    language_model: Any
    config: _Sizes


class ExpertGraph(nn.Module):
    """One expert, and of its features those of the groups that experts are chosen by."""

    def __init__(self, encoder: PoseEncoder, priors: tuple[str, ...]) -> None:
        super().__init__()
        self.encoder = encoder
        self.groups = [GROUPS.index(name) for name in priors]

    def forward(self, keypoints: Tensor) -> tuple[Tensor, Tensor]:
        """(1, W, 69, 3) to frames (1, W, E) and priors (1, W, P)."""
        regions = self.encoder.regions(keypoints)
        width = regions.shape[-1] // len(GROUPS)
        parts = [regions[..., g * width : (g + 1) * width] for g in self.groups]
        return self.encoder.joined(regions), torch.cat(parts, dim=-1)


def expert_graphs(model: Signet, max_frames: int, max_tokens: int) -> dict[str, Graph]:
    """The graphs by name. They share the model's parameters, which must not learn any more.

    max_frames : of the longest sentence; max_tokens : of the longest answer, its start among them

    ValueError for a way of fusing, or a language model, that no device can run so.
    """
    if model.config.fusion == "concat":
        raise ValueError(
            "fusion concat listens to all experts at once: a pack runs k of them; train with gated"
        )
    language = model.language_model.config
    if language.model_type != "mt5":
        raise ValueError(f"a pack's language model is an mt5, this is a {language.model_type}")
    model = model.eval()
    reader: Any = _Reader(model.language_model, _Sizes(language.d_kv))
    n_read = PROMPT_ROOM + max_frames
    read, step = Read(reader, n_read), DecodeStep(reader, max_tokens)
    heads = (language.num_decoder_layers, 1, language.num_heads)
    sentence = torch.zeros(*heads, n_read, language.d_kv)
    said = torch.zeros(*heads, max_tokens, language.d_kv)
    priors = PRIORS[model.config.priors]
    example = (torch.zeros(1, WINDOW, len(SIGN69), N_INPUT),)
    experts = {
        f"expert_{name}": Graph(
            ExpertGraph(encoder, priors).eval(), example, ("keypoints",), ("frames", "priors")
        )
        for name, encoder in zip(model.config.names, model.poses.encoders, strict=True)
    }
    return {
        **experts,
        "read": Graph(
            read.eval(),
            (torch.zeros(1, n_read, language.d_model), torch.ones(1, n_read)),
            ("latents", "latent_mask"),
            ("sentence_keys", "sentence_values"),
        ),
        "decode_step": Graph(
            step.eval(),
            (
                torch.zeros(1, 1, dtype=torch.int64),
                torch.zeros(1, dtype=torch.int64),
                *(sentence, sentence.clone(), torch.ones(1, n_read)),
                *(said, said.clone()),
            ),
            (
                *("token", "position", "sentence_keys", "sentence_values"),
                *("latent_mask", "keys", "values"),
            ),
            ("scores", "keys", "values"),
        ),
    }


@torch.no_grad()
def adapters_of(model: Signet, prompt: Tensor) -> Adapters:
    """What a language has of its own. prompt : token ids (1, L)"""
    names = model.config.names
    weights: dict[str, np.ndarray] = {}
    for name, adapter in zip(names, model.fusion.adapters, strict=False):  # there may be none
        weights |= _plain(adapter.state_dict(), f"adapters.{name}.")
    if model.fusion.routing is not None:
        weights |= _plain(model.fusion.routing.state_dict(), "routing.")
    return Adapters(names, model.prompt_words(prompt)[0].numpy().copy(), weights)


def _plain(state: Mapping[str, Tensor], start: str) -> dict[str, np.ndarray]:
    return {start + name: tensor.numpy().copy() for name, tensor in state.items()}
