"""SIGNET's Stage II: what is signed and what it means are brought together, clip by clip.

"SIGNET: Motion-Level Knowledge Transfer for Cross-Language Sign Language Translation", Sec. 3.7,
Eq. 9 and Appendix B. Experts, decoder and embeddings stay as they are; the adapters, the router
and the language model's encoder learn. The text encoder is no part of the network: it is frozen,
so a text has one vector, which is kept.

The stage is for a spoken language that no expert has learned by. Where one has, a training says so
and stops, unless ``even_if_seen`` asks for it all the same, as Table 8 does.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fingerpost.trainer.checkpoint import CONFIG, load_checkpoint, resolve_checkpoint
from fingerpost.trainer.models.language_model import pretrained_language_model
from fingerpost.trainer.models.signet import Signet
from fingerpost.trainer.models.signet_routing import figures_of
from fingerpost.trainer.predictions import Prediction
from fingerpost.trainer.tasks import signet
from fingerpost.trainer.tasks.signet import SignetTranslation
from fingerpost.trainer.tasks.task import Batch
from fingerpost.trainer.tasks.translation import PreparedClip
from fingerpost.trainer.text_tokenizer import TOKENIZER, check_pieces, load_tokenizer

ENCODER = "language_model.encoder.block."  # what of the language model learns, with its last norm
ENCODER_NORM = "language_model.encoder.final_layer_norm."


class Settings(signet.Settings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Those of ``signet``, and:

    text_encoder : whose encoder reads the texts: a name or folder of ``transformers``, or a
        checkpoint of ours with a language model; the paper's is google/mt5-base
    even_if_seen : train though an expert has learned the texts' language
    """

    text_encoder: str = ""
    even_if_seen: bool = False


class SignetAlignment(SignetTranslation):
    """For Signet; one question a clip, and its answer is what the clip is compared with."""

    settings_type: Any = Settings
    settings: Settings

    def __init__(self, settings: Settings, tokenizer: Any, names: Sequence[str]) -> None:
        if len(settings.asks) != 1:
            raise ValueError("settings.asks: a clip is compared with one text; give one kind")
        if not settings.text_encoder:
            raise ValueError(
                "settings.text_encoder: name who reads the texts, such as google/mt5-base, a "
                "folder of it, or a checkpoint with a language model"
            )
        super().__init__(settings, tokenizer, names)
        self.best = "alignment.unaligned"
        self._texts: FrozenTexts | None = None

    @classmethod
    def from_data(
        cls, settings: dict[str, Any], clips: Any, start: Path | None
    ) -> "SignetAlignment":
        task: Any = super().from_data(settings, clips, start)
        begun = task._start
        if begun.seen and not task.settings.even_if_seen:
            raise ValueError(
                f"expert {begun.reader} has learned by the language of these texts, so there is no "
                "Stage II (Sec. 3.7): go on with signet_stage3, or set settings.even_if_seen=true"
            )
        return task

    def new_model(self, fields: dict[str, Any]) -> Signet:
        model = super().new_model(fields)
        for name, parameter in model.named_parameters():
            if name.startswith("language_model."):
                parameter.requires_grad = name.startswith((ENCODER, ENCODER_NORM))
        model.log_temperature.requires_grad = True
        return model

    def batch(
        self, clips: Sequence[PreparedClip], draws: Sequence[int] | None, at_least: int
    ) -> Batch:
        batch = super().batch(clips, draws, at_least)
        del batch.inputs["labels"]  # nothing is written
        if self._texts is None:
            self._texts = frozen_texts(self.settings.text_encoder, self.tokenizer)
        truths = [question.truth for clip in clips for question in clip.questions]
        batch.inputs["texts"] = self._texts.vectors(truths)
        return Batch(batch.inputs, len(truths), batch.clips)

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        routed = model(**batch.inputs)
        batch.figures.update(figures_of(routed.shares, self.names))
        return {"contrast": routed.loss}

    def predict(self, model: nn.Module, batch: Batch) -> dict[str, list[Prediction]]:
        """Of each clip Eq. 9, and what guessing among the batch's clips would give."""
        losses = model.contrast(**batch.inputs)  # type: ignore[operator]
        guess = f"{math.log(len(losses)):.6f}"
        return {
            "alignment": [
                Prediction(clip.id, clip.signer, guess, f"{loss:.6f}")
                for clip, loss in zip(batch.clips, losses.tolist(), strict=True)
            ]
        }


class FrozenTexts:
    """Texts as vectors: the mean of an encoder's states over their tokens, each made once."""

    def __init__(self, encoder: nn.Module, tokenizer: Any) -> None:
        self._encoder = encoder.eval().requires_grad_(False)
        self._tokenizer = tokenizer
        self._known: dict[str, Tensor] = {}

    def vectors(self, texts: Sequence[str]) -> Tensor:
        """Shape (R, H), on the CPU."""
        new = sorted({text for text in texts if text not in self._known})
        if new:
            self._known.update(zip(new, self._read(new), strict=True))
        return torch.stack([self._known[text] for text in texts])

    @torch.no_grad()
    def _read(self, texts: list[str]) -> Tensor:
        tokens = self._tokenizer(texts, padding="longest", truncation=True, return_tensors="pt")
        ids, mask = tokens["input_ids"], tokens["attention_mask"]
        states = self._encoder(input_ids=ids, attention_mask=mask).last_hidden_state  # (R, L, H)
        there = mask[..., None].to(states.dtype)
        return (states * there).sum(dim=1) / there.sum(dim=1)


def frozen_texts(name: str, tokenizer: Any) -> FrozenTexts:
    """The text encoder of a name; ValueError, in one line, where there is none.

    tokenizer : for a name of ``transformers``; a checkpoint of ours has its own
    """
    checkpoint = resolve_checkpoint(Path(name))
    if (checkpoint / CONFIG).is_file() and (checkpoint / TOKENIZER).is_dir():
        network: Any = load_checkpoint(checkpoint)[0]
        if not hasattr(network, "language_model"):
            raise ValueError(f"settings.text_encoder: {name} has no language model; give another")
        model, tokenizer = network.language_model, load_tokenizer(str(checkpoint / TOKENIZER))
    else:
        model = pretrained_language_model(name)
    check_pieces(tokenizer, model.config.vocab_size)
    return FrozenTexts(model.get_encoder(), tokenizer)
