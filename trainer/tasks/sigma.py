"""Sigma's two stages: a pre-training that compares clips with texts, and Uni-Sign's task after it.

Fine-tuning (Sec. 3.3 of the paper that ``models/sigma`` is after) is conditional language
modelling, as Uni-Sign's is, so both stages are its task: clips, prompts, answers. What is added is
a place for the class token and, for the pre-training, the texts as what clips are compared with.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from fingerpost.trainer.models.language_model import IGNORED
from fingerpost.trainer.models.sigma import Sigma
from fingerpost.trainer.models.sigma_clusters import NO_WORD, words_of_tokens
from fingerpost.trainer.models.sigma_config import SigmaConfig, Texts
from fingerpost.trainer.models.uni_sign import Prompt
from fingerpost.trainer.shards import Clip
from fingerpost.trainer.tasks.task import Batch
from fingerpost.trainer.tasks.translation import PreparedClip, Settings, Translation


class SigmaTranslation(Translation):
    """Fine-tuning: a gloss, glosses or a sentence, as the prompt asks."""

    network: Any = Sigma
    config: Any = SigmaConfig
    pretraining = False

    def new_model(self, fields: dict[str, Any]) -> Sigma:
        if "pretraining" in fields:
            raise ValueError("[model] pretraining: the task says so, sigma or sigma_pretraining")
        return super().new_model({**fields, "pretraining": self.pretraining})  # type: ignore[return-value]

    def prompts(self, languages: Sequence[str]) -> Prompt:
        """Uni-Sign's, after a place for the class token."""
        prompt = super().prompts(languages)
        place = torch.full_like(prompt.ids[:, :1], self.tokenizer.pad_token_id)
        return Prompt(
            torch.cat([place, prompt.ids], dim=1), nn.functional.pad(prompt.mask, (1, 0), value=1)
        )


class SigmaPretraining(SigmaTranslation):
    """Alignment, matching and language modelling of clips and what they mean; one text a clip."""

    pretraining = True

    def __init__(self, settings: Settings, tokenizer: Any) -> None:
        if len(settings.asks) != 1:
            raise ValueError(
                "settings.asks: the pre-training compares a clip with one text; name one of text, "
                "glosses, isolated"
            )
        if settings.align or settings.reads != "poses":
            raise ValueError("settings: align and reads are no part of Sigma's pre-training")
        super().__init__(settings, tokenizer)
        if not tokenizer.is_fast:
            raise ValueError("settings.tokenizer: words need offsets; give a fast tokenizer")

    def prepare(self, clip: Clip) -> PreparedClip:
        prepared = super().prepare(clip)
        # A clip of single glosses may have several: glosses stand between blanks.
        language = clip.text_language if self.settings.asks == ("text",) else ""
        words = words_of_tokens(
            self.tokenizer, prepared.questions[0].truth, language, self.settings.max_tokens
        )
        return replace(prepared, words=np.array(words, np.int64))

    def batch(
        self, clips: Sequence[PreparedClip], draws: Sequence[int] | None, at_least: int
    ) -> Batch:
        batch = super().batch(clips, draws, at_least)
        labels = batch.inputs["labels"]  # (B, L)
        there = labels != IGNORED
        words = [torch.from_numpy(clip.words) for clip in clips if clip.words is not None]
        truths = [clip.questions[0].truth for clip in clips]
        batch.inputs["texts"] = Texts(
            labels.masked_fill(~there, self.tokenizer.pad_token_id),
            there.long(),
            pad_sequence(words, batch_first=True, padding_value=NO_WORD),
            torch.tensor([[a == b for b in truths] for a in truths]),
        )
        return batch

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        return model(**batch.inputs)._asdict()
