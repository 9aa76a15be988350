"""Translation (SLT) and subtitle alignment (SSA) by one model: the prompt says which is asked.

"Lost in Translation, Found in Embeddings: Sign Language Translation and Alignment", Sec. 3.2, 3.4
and 4.2: windows of 20 seconds at 25 frames a second; of the samples of a batch 80 % ask for the
sentence and 20 % for its times; where it is known when a subtitle was spoken, half of the prompts
say so. ``asks = ["text"]`` is what the first two stages of its curriculum learn.

What the paper does not say, and is ours: the prompts' words, and where priors come from
(``found_windows``). A clip is one sentence with what is signed around it: its text, and its glosses
with their spans, or the one gloss ``CUE`` whose span is the subtitle's. A clip without spans is
asked for its text alone. A second gloss ``SPOKEN_CUE`` says when the subtitle was spoken.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.edge_runtime.preprocess_found import preprocess_found
from fingerpost.edge_runtime.resample import resample
from fingerpost.trainer.augment import augment_frames
from fingerpost.trainer.language_names import language_name
from fingerpost.trainer.models.found import DASH, Found, FoundConfig, FoundLosses, Spans
from fingerpost.trainer.models.found_poses import VIEWS
from fingerpost.trainer.models.gloss_alignment import NO_TOKEN, NONE, NOT_KNOWN
from fingerpost.trainer.models.language_model import IGNORED
from fingerpost.trainer.models.uni_sign import PROMPT, Prompt
from fingerpost.trainer.predictions import Prediction
from fingerpost.trainer.recipe import convert
from fingerpost.trainer.shards import Clip
from fingerpost.trainer.subtitles.digits import BASE, SPAN_DIGITS, span_digits, written
from fingerpost.trainer.tasks.found_features import key_of, open_features
from fingerpost.trainer.tasks.found_settings import (
    CUE,
    DIGITS,
    KINDS,
    SPOKEN,
    WHEN,
    Settings,
    augment_of,
    check_settings,
    digit_tokens,
    prompt_for_span,
    read_lips,
)
from fingerpost.trainer.tasks.found_windows import (
    Asked,
    PreparedStretch,
    Question,
    ask_for_span,
    ask_for_text,
    features_of,
    same_draw,
    times_of,
)
from fingerpost.trainer.tasks.frame_glosses import padded_glosses
from fingerpost.trainer.tasks.reader import network_with_reader
from fingerpost.trainer.tasks.task import Batch
from fingerpost.trainer.text_tokenizer import TOKENIZER, load_tokenizer, tokenizer_for


class FoundTask:
    """For Found."""

    def __init__(self, settings: Settings, tokenizer: Any) -> None:
        check_settings(settings)
        self.settings, self.tokenizer = settings, tokenizer
        self.best = KINDS[settings.asks[0]]
        self.view = VIEWS[settings.view]
        self.n_window = round(settings.fps * settings.window_s)
        self.digit_tokens = digit_tokens(tokenizer)
        self._augment = augment_of(settings)
        self._kept = open_features(settings.poses_from) if settings.poses_from else None

    @classmethod
    def from_data(cls, settings: dict[str, Any], clips: Any, start: Path | None) -> "FoundTask":
        chosen = convert(settings, Settings, "settings")

        def texts() -> list[str]:
            codes = sorted(set(clips.column("text_language")))
            prompts = [PROMPT.format(language=language_name(code)) for code in codes]
            prompts += [WHEN.format(text=""), SPOKEN.format(prior=DIGITS)]
            glosses = [gloss.lower() for row in clips.column("glosses") for gloss in row]
            return [*clips.column("text"), *glosses, *prompts, DIGITS]

        return cls(chosen, tokenizer_for(chosen.tokenizer, start, texts, chosen.pieces))

    @classmethod
    def from_checkpoint(cls, folder: Path, info: dict[str, Any]) -> "FoundTask":
        settings = convert({**info["settings"], "poses_from": ""}, Settings, "settings")
        return cls(settings, load_tokenizer(str(folder / TOKENIZER)))

    def save(self, folder: Path) -> dict[str, Any]:
        self.tokenizer.save_pretrained(folder / TOKENIZER)
        return {
            "settings": msgspec.to_builtins(self.settings),
            "view": self.settings.view,
            "preprocess": "found",
        }

    def new_model(self, fields: dict[str, Any]) -> Found:
        poses = {"view": self.settings.view, **fields.get("poses", {})}
        if poses["view"] != self.settings.view:
            raise ValueError(
                f"[model.poses] view {poses['view']!r}, but settings.view {self.settings.view!r}; "
                "give the same"
            )
        if self._kept is not None:
            poses = asdict(self._kept.backbone.config)
        network = network_with_reader(
            *(Found, FoundConfig, {**fields, "poses": poses}, self.tokenizer, self._token_numbers),
            example="google/flan-t5-xl",
        )
        if self._kept is not None:
            network.poses.load_state_dict(self._kept.backbone.state_dict())
        return network

    def prepare(self, clip: Clip) -> PreparedStretch:
        text = clip.text.strip()
        if not text:
            raise ValueError(f"clip {clip.id!r} has no text; leave it out")
        sequence = clip.sequence
        if sequence.fps != self.settings.fps:
            sequence = resample(sequence, self.settings.fps)
        span, spoken = times_of(clip, self.settings.fps, len(sequence))
        kinds = [kind for kind in self.settings.asks if kind == "text" or span is not None]
        if not kinds:
            raise ValueError(f"clip {clip.id!r} has no spans within its frames; leave it out")
        glosses, of_frame = self._shown(clip, sequence)
        key = None if self._kept is None else key_of(clip.id, sequence)
        known = self._kept is not None and key in self._kept.rows
        return PreparedStretch(
            clip.id,
            clip.signer,
            text,
            clip.text_language,
            np.zeros((0, len(self.view), 4), np.float16)
            if known
            else preprocess_found(sequence, self.view).astype(np.float16),
            len(sequence),
            span,
            spoken,
            tuple(Question(kind, text if kind == "text" else "") for kind in kinds),
            read_lips(self.settings.lips, clip.id, len(sequence)),
            glosses,
            of_frame,
            key,
            1 if self._kept is None else self._kept.backbone.config.step,
        )

    def batch(
        self, clips: Sequence[PreparedStretch], draws: Sequence[int] | None, at_least: int
    ) -> Batch:
        """One row for each clip to learn from; to answer, one for each of its questions.

        at_least : is of no use here, for all windows are equally long
        """
        asked = (
            [one for clip in clips for one in self._all_asked(clip)]
            if draws is None
            else [self._one_asked(clip, draw) for clip, draw in zip(clips, draws, strict=True)]
        )
        keypoints = torch.zeros(len(asked), 0, len(self.view), 4)
        if self._kept is None:
            windows = [a.stretch.keypoints[a.window].astype(np.float32) for a in asked]
            keypoints = pad_sequence([torch.from_numpy(w) for w in windows], batch_first=True)
        lengths = torch.tensor([one.window.stop - one.window.start for one in asked])
        longest = int(lengths.max())
        if draws is not None and self._augment is not None:
            keypoints = augment_frames(keypoints, draws, self._augment, self.view)
        answers = [self._answer(one) for one in asked]
        labels = pad_sequence(answers, batch_first=True, padding_value=IGNORED)
        rows = [i for i, one in enumerate(asked) if one.kind == "spans"]
        truth = torch.tensor([asked[i].span for i in rows], dtype=torch.int64).view(-1, 2)
        inputs: dict[str, Any] = {
            "keypoints": keypoints,
            "frame_mask": (torch.arange(longest) < lengths[:, None]).long(),
            "prompt": self._prompts(asked),
            "labels": labels,
            "spans": Spans(torch.tensor(rows), span_digits(truth), self.digit_tokens),
        }
        if self._kept is not None:
            self._kept.add({c.key: c.keypoints for c in clips if c.key is not None})
            inputs["features"] = features_of(asked, self._kept.rows)
        if self.settings.lips:
            lips: Any = [(one.stretch.lips, one.window) for one in asked]  # never None here
            cut = [torch.from_numpy(rows[window].astype(np.float32)) for rows, window in lips]
            inputs["lips"] = pad_sequence(cut, batch_first=True)
        if self.settings.align and draws is not None:
            shown = [a.stretch.of_frame[a.window] for a in asked]
            glosses = [a.stretch.glosses for a in asked]
            inputs["glosses"] = padded_glosses(glosses, shown, longest)
        n_tokens = sum(len(a) for a, one in zip(answers, asked, strict=True) if one.kind == "text")
        return Batch(inputs, n_tokens + SPAN_DIGITS * len(rows), list(clips))

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        found: FoundLosses = model(**batch.inputs)
        digits = SPAN_DIGITS * len(batch.inputs["spans"].rows)
        terms = {
            "translation": found.translation * (1 - digits / batch.weight),
            "spans": found.spans * (digits / batch.weight),
        }
        if "glosses" in batch.inputs:
            # The loop weighs by tokens. Per token, the term is the same on one process or on many.
            n_glosses = (batch.inputs["glosses"].tokens != NO_TOKEN).sum()
            share = self.settings.align * n_glosses / batch.weight
            terms["alignment"] = share * found.alignment
        return terms

    def predict(self, model: nn.Module, batch: Batch) -> dict[str, list[Prediction]]:
        given = ("keypoints", "frame_mask", "prompt", "lips", "features")
        asked = {name: batch.inputs[name] for name in given if name in batch.inputs}
        of_spans: Spans = batch.inputs["spans"]
        owners = [(clip, q.kind) for clip in batch.clips for q in clip.questions]
        answers: dict[str, list[Prediction]] = {}
        texts = torch.tensor([i for i, (_, kind) in enumerate(owners) if kind == "text"])
        if len(texts):
            tokens = model.generate(  # type: ignore[operator]
                **rows_of(asked, texts),
                n_beams=self.settings.beams,
                max_tokens=self.settings.max_tokens,
            )
            said = self.tokenizer.batch_decode(tokens, skip_special_tokens=True)
            clips = [owners[i][0] for i in texts.tolist()]
            answers["text"] = [
                Prediction(clip.id, clip.signer, clip.text, text.strip())
                for clip, text in zip(clips, said, strict=True)
            ]
        if len(of_spans.rows):
            digits = model.place(  # type: ignore[operator]
                **rows_of(asked, of_spans.rows),
                tokens=of_spans.tokens,
                n_beams=self.settings.beams,
            )
            clips = [owners[i][0] for i in of_spans.rows.tolist()]
            true, placed = written(of_spans.digits), written(digits)
            answers["spans"] = [
                Prediction(clip.id, clip.signer, truth, span)
                for clip, truth, span in zip(clips, true, placed, strict=True)
            ]
        return answers

    def prompts(self, texts: Sequence[str]) -> Prompt:
        """One for each row."""
        tokens = self.tokenizer(
            list(texts), padding="longest", truncation=True, return_tensors="pt"
        )
        return Prompt(tokens["input_ids"], tokens["attention_mask"])

    def answer_tokens(self, text: str) -> Tensor:
        """Shape (L,), with the end's: a sentence as it is to be written."""
        tokens = self.tokenizer(text, truncation=True, max_length=self.settings.max_tokens)
        return torch.tensor(tokens["input_ids"])

    def _prompts(self, asked: Sequence[Asked]) -> Prompt:
        texts = []
        for one in asked:
            code = one.stretch.text_language
            translate = PROMPT.format(language=language_name(code))
            when = prompt_for_span(one.stretch.text, one.prior)
            texts.append(when if one.kind == "spans" else translate)
        return self.prompts(texts)

    def _one_asked(self, clip: PreparedStretch, draw: int) -> Asked:
        """The question that a clip is to be learned from this time."""
        rng = np.random.default_rng(draw)
        kinds = [question.kind for question in clip.questions]
        both = len(kinds) > 1
        if "spans" in kinds and (not both or rng.random() < self.settings.spans_share):
            asked = self._asked_for_span(clip, rng, self.settings.tells_prior)
            if asked is not None:
                return asked
        return ask_for_text(clip, self.n_window)

    def _all_asked(self, clip: PreparedStretch) -> list[Asked]:
        """All questions about a clip, in their order."""
        asked = []
        for question in clip.questions:
            if question.kind == "text":
                asked.append(ask_for_text(clip, self.n_window))
                continue
            told = float(self.settings.tells_prior > 0)
            one = self._asked_for_span(clip, same_draw(clip.id), told)
            assert one is not None  # prepare asks no clip without a span for it
            asked.append(one)
        return asked

    def _asked_for_span(
        self, clip: PreparedStretch, draw: np.random.Generator, tells_prior: float
    ) -> Asked | None:
        shift = self.settings.shift_s * self.settings.fps
        return ask_for_span(clip, self.n_window, shift, draw, tells_prior)

    def _answer(self, asked: Asked) -> Tensor:
        """Tokens, with the end's."""
        if asked.span is not None:
            digits = span_digits(torch.tensor(asked.span))
            tokens = self.digit_tokens[digits]
            end = torch.tensor([self.tokenizer.eos_token_id])
            return torch.cat([tokens[:DASH], self.digit_tokens[BASE:], tokens[DASH:], end])
        return self.answer_tokens(asked.stretch.text)

    def _shown(self, clip: Clip, sequence: PoseSequence) -> tuple[np.ndarray, np.ndarray]:
        """The tokens of a clip's glosses, as words of a text, and the token that each frame shows.

        Before the first sign and after the last nobody knows: others sign there.
        """
        if not (self.settings.align and clip.spans) or CUE in clip.glosses:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        words = [gloss.lower() for gloss in clip.glosses]
        rows = self.tokenizer(words, add_special_tokens=False)["input_ids"]
        ms = np.arange(len(sequence)) * 1000 / sequence.fps
        shown = np.full(len(ms), NOT_KNOWN)
        shown[(clip.spans[0][0] <= ms) & (ms < clip.spans[-1][1])] = NONE
        for (start, end), tokens in zip(clip.spans, rows, strict=True):
            inside = (start <= ms) & (ms < end)
            part = (ms[inside] - start) * len(tokens) // max(end - start, 1)
            shown[inside] = np.array(tokens)[part.astype(int)]
        return np.array(sum(rows, []), np.int64), shown

    def _token_numbers(self, kind: str | None = None) -> dict[str, int]:
        return {
            "vocab_size": len(self.tokenizer),
            "pad_token_id": self.tokenizer.pad_token_id,
            "eos_token_id": self.tokenizer.eos_token_id,
            "decoder_start_token_id": self.tokenizer.pad_token_id,
        }


def rows_of(inputs: dict[str, Any], rows: Tensor) -> dict[str, Any]:
    """Some rows of a batch's inputs."""
    chosen = {name: value[rows] for name, value in inputs.items() if name != "prompt"}
    prompt: Prompt = inputs["prompt"]
    return {**chosen, "prompt": Prompt(prompt.ids[rows], prompt.mask[rows])}
