"""Signing to sentences by MS-MAE and a sequence-to-sequence language model, without glosses.

The fine-tuning of Sec. 4.3 and Appendix C of the paper that ``models/ms_mae_translator.py`` is
after. There is no prompt, so one training has one kind of answer: the text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from fingerpost.edge_runtime.preprocess_ms_mae import preprocess_ms_mae
from fingerpost.edge_runtime.resample import resample
from fingerpost.trainer.augment_frames import deleted_or_copied
from fingerpost.trainer.models.language_model import IGNORED
from fingerpost.trainer.models.ms_mae_translator import MsMaeTranslator, MsMaeTranslatorConfig
from fingerpost.trainer.models.uni_sign import pad_clips
from fingerpost.trainer.predictions import Prediction
from fingerpost.trainer.recipe import convert
from fingerpost.trainer.shards import Clip
from fingerpost.trainer.tasks.reader import network_with_reader
from fingerpost.trainer.tasks.task import Batch
from fingerpost.trainer.text_tokenizer import TOKENIZER, load_tokenizer, tokenizer_for

STARTS_WITH_PAD = ("t5", "mt5")  # kinds of language model; the others start with the end's token


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """tokenizer : name or folder for ``transformers``; empty = that of ``start_from``, else one
        that is learned from the training clips
    pieces : most pieces of a learned tokenizer
    language_token : that each text begins with, such as de_DE of mBART; empty = none
    changed : share of the frames that training deletes or copies (the paper: 0.2)
    fps : clips are brought to this rate; 0 = left as they are
    max_frames : a longer clip loses frames, evenly
    beams, max_tokens : of the answers
    """

    tokenizer: str = ""
    pieces: int = 2000
    language_token: str = ""
    changed: float = 0.2
    fps: float = 0.0
    max_frames: int = 512
    beams: int = 4
    max_tokens: int = 100


@dataclass(frozen=True)
class PreparedSentence:
    """keypoints : (T, K, 4) float16 of ``preprocess_ms_mae``, with the face"""

    id: str
    signer: str
    text: str
    keypoints: np.ndarray


class MsMaeTranslation:
    """For MsMaeTranslator."""

    best = "text.bleu4"

    def __init__(self, settings: Settings, tokenizer: Any) -> None:
        if not 0 <= settings.changed <= 1:
            raise ValueError(f"settings.changed is from 0 to 1, got {settings.changed}")
        if settings.max_frames < 1:
            raise ValueError(f"settings.max_frames is at least 1, got {settings.max_frames}")
        self.settings = settings
        self.tokenizer = tokenizer
        self._first: list[int] = []
        if settings.language_token:
            number = tokenizer.convert_tokens_to_ids(settings.language_token)
            if number is None or number == tokenizer.unk_token_id:
                raise ValueError(
                    f"settings.language_token: the tokenizer has no {settings.language_token!r}; "
                    "mBART's are such as de_DE, en_XX, zh_CN"
                )
            self._first = [number]

    @classmethod
    def from_data(
        cls, settings: dict[str, Any], clips: Any, start: Path | None
    ) -> "MsMaeTranslation":
        chosen = convert(settings, Settings, "settings")
        texts = partial(clips.column, "text")
        return cls(chosen, tokenizer_for(chosen.tokenizer, start, texts, chosen.pieces))

    @classmethod
    def from_checkpoint(cls, folder: Path, info: dict[str, Any]) -> "MsMaeTranslation":
        settings = convert(info["settings"], Settings, "settings")
        return cls(settings, load_tokenizer(str(folder / TOKENIZER)))

    def save(self, folder: Path) -> dict[str, Any]:
        self.tokenizer.save_pretrained(folder / TOKENIZER)
        return {
            "settings": msgspec.to_builtins(self.settings),
            "view": "msmae",
            "preprocess": "ms_mae",
        }

    def new_model(self, fields: dict[str, Any]) -> MsMaeTranslator:
        return network_with_reader(
            *(MsMaeTranslator, MsMaeTranslatorConfig, {"encoder": {}, **fields}),
            *(self.tokenizer, self._token_numbers),
            example="facebook/mbart-large-50",
        )

    def prepare(self, clip: Clip) -> PreparedSentence:
        text = clip.text.strip()
        if not text:
            raise ValueError(f"clip {clip.id!r} has no text; leave it out")
        sequence = clip.sequence
        if self.settings.fps and sequence.fps != self.settings.fps:
            sequence = resample(sequence, self.settings.fps)
        # With the face, whatever the model: an encoder without that stream leaves it aside.
        keypoints = preprocess_ms_mae(sequence, face=True).astype(np.float16)
        if len(keypoints) > self.settings.max_frames:
            kept = np.linspace(0, len(keypoints) - 1, self.settings.max_frames).round().astype(int)
            keypoints = keypoints[kept]
        return PreparedSentence(clip.id, clip.signer, text, keypoints)

    def batch(
        self, clips: Sequence[PreparedSentence], draws: Sequence[int] | None, at_least: int
    ) -> Batch:
        """at_least : is of no use here, for copied frames make clips longer than they were"""
        frames = [
            self._frames(clip.keypoints, None if draws is None else draws[i])
            for i, clip in enumerate(clips)
        ]
        keypoints, frame_mask = pad_clips(frames)
        answers = [self._labels(clip.text) for clip in clips]
        labels = pad_sequence(answers, batch_first=True, padding_value=IGNORED)
        inputs = {"keypoints": keypoints, "frame_mask": frame_mask, "labels": labels}
        return Batch(inputs, int((labels != IGNORED).sum()), list(clips))

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        return {"language": model(**batch.inputs)}

    def predict(self, model: nn.Module, batch: Batch) -> dict[str, list[Prediction]]:
        tokens = model.generate(  # type: ignore[operator]
            batch.inputs["keypoints"],
            batch.inputs["frame_mask"],
            self.settings.beams,
            self.settings.max_tokens,
            self._first[0] if self._first else None,
        )
        said = self.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        pairs = zip(batch.clips, said, strict=True)
        return {"text": [Prediction(c.id, c.signer, c.text, text.strip(), ()) for c, text in pairs]}

    def _frames(self, keypoints: np.ndarray, draw: int | None) -> Tensor:
        if draw is not None and self.settings.changed:
            rng = np.random.default_rng(draw)
            keypoints = keypoints[deleted_or_copied(len(keypoints), self.settings.changed, rng)]
        return torch.from_numpy(keypoints.astype(np.float32))

    def _labels(self, text: str) -> Tensor:
        """The text's tokens: the language's first where there is one, the end's last."""
        room = max(0, self.settings.max_tokens - 1 - len(self._first))
        tokens = self.tokenizer(text, add_special_tokens=False)["input_ids"][:room]
        return torch.tensor([*self._first, *tokens, self.tokenizer.eos_token_id])

    def _token_numbers(self, kind: str | None) -> dict[str, int]:
        pad, end = self.tokenizer.pad_token_id, self.tokenizer.eos_token_id
        numbers = {
            "vocab_size": len(self.tokenizer),
            "pad_token_id": pad,
            "eos_token_id": end,
            "decoder_start_token_id": pad if kind in STARTS_WITH_PAD else end,
        }
        return numbers if kind in STARTS_WITH_PAD else {**numbers, "forced_eos_token_id": end}
