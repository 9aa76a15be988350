"""Sentences from a pretrained MS-MAE: its states are read by a sequence-to-sequence model.

"Improving Sign Language Understanding with a Multi-Stream Masked Autoencoder Trained on ASL
Videos", Sec. 4.3. The paper joins the encoder to mBART; any sequence-to-sequence model of
transformers goes here. There is no prompt: the model reads nothing but the signing. The two ways
to hand over the streams are the paper's: at each time step their mean (its default), or all
streams one after the other.

What the paper does not say: between both models is a linear layer to the language model's width.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fingerpost.trainer.models.language_model import (
    answers_loss,
    keep_shared_once,
    new_language_model,
    pretrained_language_model,
)
from fingerpost.trainer.models.ms_mae import MsMaeEncoder
from fingerpost.trainer.models.ms_mae_classifier import encoder_config

FUSIONS = ("mean", "concat")


@dataclass(frozen=True)
class MsMaeTranslatorConfig:
    """What is needed to build the network, without a network connection.

    language_model : the fields of its ``transformers`` configuration, with ``model_type``
    encoder : fields of ``MsMaeConfig``
    fusion : mean = the streams' mean at each time step; concat = one stream after the other
    label_smoothing : share of the loss that asks for all tokens alike
    """

    language_model: dict[str, Any]
    encoder: dict[str, Any]
    fusion: str = "mean"
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        if self.fusion not in FUSIONS:
            raise ValueError(f"[model] fusion {self.fusion!r}; known: {', '.join(FUSIONS)}")


class MsMaeTranslator(nn.Module):
    """(B, T, K, 4) keypoints of ``preprocess_ms_mae`` to the loss, or to text."""

    def __init__(
        self, config: MsMaeTranslatorConfig, language_model: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.encoder = MsMaeEncoder(encoder_config(config.encoder))
        reader: Any = language_model or new_language_model(config.language_model)
        self.language_model: Any = reader
        width = reader.get_input_embeddings().embedding_dim
        self.projection = nn.Linear(self.encoder.config.width, width)
        keep_shared_once(self)

    @classmethod
    def with_language_model(cls, name_or_path: str, **fields: Any) -> "MsMaeTranslator":
        """With a pretrained language model, by its name at Hugging Face or the folder it is in.

        fields : of ``MsMaeTranslatorConfig``
        """
        model = pretrained_language_model(name_or_path)
        config = MsMaeTranslatorConfig(language_model=model.config.to_diff_dict(), **fields)
        return cls(config, model)

    def forward(self, keypoints: Tensor, frame_mask: Tensor, labels: Tensor) -> Tensor:
        """The loss: cross-entropy, the mean over all tokens.

        keypoints : shape (B, T, K, 4); frame_mask : (B, T), 1 for a frame of the clip
        labels : shape (B, L), token ids; ``IGNORED`` where there is none
        """
        embeds, mask = self.embed(keypoints, frame_mask)
        answers = self.language_model.prepare_decoder_input_ids_from_labels(labels)
        logits = self.language_model(
            inputs_embeds=embeds,
            attention_mask=mask,
            decoder_input_ids=answers,
            use_cache=False,
        ).logits  # (B, L, V)
        return answers_loss(logits, labels, self.config.label_smoothing)

    @torch.no_grad()
    def generate(
        self,
        keypoints: Tensor,
        frame_mask: Tensor,
        n_beams: int = 4,
        max_tokens: int = 100,
        first_token: int | None = None,
    ) -> Tensor:
        """Token ids (B, at most max_tokens + 1) of the likeliest text by beam search.

        first_token : what each answer begins with, such as the language token of mBART
        """
        embeds, mask = self.embed(keypoints, frame_mask)
        return self.language_model.generate(
            inputs_embeds=embeds,
            attention_mask=mask,
            num_beams=n_beams,
            max_new_tokens=max_tokens,
            forced_bos_token_id=first_token,
        )

    def embed(self, keypoints: Tensor, frame_mask: Tensor) -> tuple[Tensor, Tensor]:
        """What the language model reads, (B, N, D), and which of it counts, (B, N).

        N = T / cubelet for the mean, that times the streams for concat. A stream that was not seen
        is no part of the mean, and where none was, nothing is read.
        """
        states = self.encoder(keypoints, frame_mask)  # (B, S, N, D)
        there = self.encoder.seen(keypoints, frame_mask)  # (B, S, N)
        if self.config.fusion == "mean":
            states = states.sum(dim=1) / there.sum(dim=1).clamp(min=1)[..., None]
            there = there.any(dim=1)
        else:
            states, there = states.flatten(1, 2), there.flatten(1)
        # Of a clip in which nothing was seen one token is read all the same: a softmax over
        # nothing has no value.
        nothing = ~there.any(dim=1, keepdim=True)
        there = there | (nothing & (torch.arange(there.shape[1], device=there.device) == 0))
        return self.projection(states), there.long()
