"""Signing to glosses at once, and to sentences, by the pocket translator; without a teacher.

Three terms of the loss, each with its weight: the next token of the answers (Eq. 1 of Uni-Sign),
CTC over the row of glosses, and each frame's own gloss where clips say when it was signed
(``spans``). The last one learns many times faster than CTC, and gives the rest something to read.
A fourth, if asked for: two views of a clip are to show the same glosses (``two_views``).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from fingerpost.edge_runtime.gloss_search import pairs_of
from fingerpost.edge_runtime.live_glosses import BLANK, LiveGlosses
from fingerpost.edge_runtime.preprocess_live import FPS, preprocess_live
from fingerpost.edge_runtime.resample import resample
from fingerpost.trainer.augment import AugmentSettings, augment_frames
from fingerpost.trainer.language_names import language_name
from fingerpost.trainer.models.gloss_alignment import NO_TOKEN, NONE
from fingerpost.trainer.models.language_model import IGNORED
from fingerpost.trainer.models.pocket_sizes import STRIDE, PocketTranslatorConfig
from fingerpost.trainer.models.pocket_translator import (
    EOS,
    PAD,
    Asked,
    Losses,
    PocketTranslator,
)
from fingerpost.trainer.models.uni_sign import pad_clips
from fingerpost.trainer.predictions import Prediction
from fingerpost.trainer.recipe import convert
from fingerpost.trainer.shards import Clip
from fingerpost.trainer.signer_corpus import is_idle
from fingerpost.trainer.tasks.frame_glosses import kept_frames, padded_glosses
from fingerpost.trainer.tasks.task import Batch
from fingerpost.trainer.text_tokenizer import TOKENIZER, load_tokenizer, tokenizer_for

KINDS = ("text", "glosses")
GLOSSES = "glosses"  # the question for them; all others are languages
LIVE = "live_glosses"  # the answer of the gloss head, beside those of the decoder


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """asks : what the decoder is asked of each clip: text, glosses
    tokenizer : name or folder for ``transformers``; empty = that of ``start_from``, else one that
        is learned from the training clips
    pieces : most pieces of a learned tokenizer
    language, ctc, frames : weights of the three terms, per token of the answers; 0 = not computed
    agree : weight of a fourth, by which two views of a clip are to show the same glosses
        (``two_views``); above 0 a batch has each clip twice
    fps : clips are brought to this rate
    max_frames : a longer clip loses frames, evenly
    tempo : natural logarithm of how much faster or slower a clip gets at most, in training
    augment : changes to ``AugmentSettings``; none = clips are left as they are, tempo too
    beams, max_tokens : of the answers
    """

    asks: tuple[str, ...] = KINDS
    tokenizer: str = ""
    pieces: int = 2000
    language: float = 1.0
    ctc: float = 0.3
    frames: float = 1.0
    agree: float = 0.0
    fps: float = FPS
    max_frames: int = 256
    tempo: float = 0.22
    augment: dict[str, float] | None = None
    beams: int = 4
    max_tokens: int = 31


@dataclass(frozen=True)
class PreparedSentence:
    """keypoints : (T, 69, 4) float16 of ``preprocess_live``
    glosses : (N,) their numbers from 1; () where one is not known to the model
    of_frame : (T,) the number that each frame shows; (0,) where nobody knows
    answers : number of a question, and what it should be answered, as it is written
    """

    id: str
    signer: str
    text: str
    row: str
    keypoints: np.ndarray
    glosses: np.ndarray
    of_frame: np.ndarray
    answers: tuple[tuple[int, str], ...]


class PocketTranslation:
    """For PocketTranslator."""

    def __init__(
        self,
        settings: Settings,
        tokenizer: Any,
        glosses: Sequence[str],
        questions: Sequence[str],
        gloss_pairs: Sequence[tuple[int, int, int]] = (),
    ) -> None:
        """gloss_pairs : how often a gloss follows another in sentences, of ``pairs_of``"""
        _check(settings)
        if (tokenizer.pad_token_id, tokenizer.eos_token_id) != (PAD, EOS):
            raise ValueError(
                f"the tokenizer pads with {tokenizer.pad_token_id} and ends with "
                f"{tokenizer.eos_token_id}; give one that has {PAD} and {EOS}, as T5's do"
            )
        self.settings = settings
        self.tokenizer = tokenizer
        self.glosses, self.questions = tuple(glosses), tuple(questions)
        self.gloss_pairs = tuple(gloss_pairs)
        self._number = {gloss: k for k, gloss in enumerate(glosses, start=BLANK + 1)}
        self._augment = _augment_of(settings)
        of_decoder = "text.bleu4" if "text" in settings.asks else "glosses.wer"
        self.best = of_decoder if settings.language else f"{LIVE}.wer"

    @classmethod
    def from_data(
        cls, settings: dict[str, Any], clips: Any, start: Path | None
    ) -> "PocketTranslation":
        chosen = convert(settings, Settings, "settings")
        rows = [() if is_idle(row) else row for row in clips.column("glosses")]
        pairs = set(
            zip(clips.column("text_language"), map(bool, clips.column("text")), strict=True)
        )
        languages = sorted({language_name(code) for code, has_text in pairs if has_text})
        glosses = _names("glosses", {gloss for row in rows for gloss in row}, start)
        questions = _names("questions", {*languages, GLOSSES}, start)

        def texts() -> list[str]:
            return [*clips.column("text"), *(" ".join(row) for row in rows)]

        tokenizer = tokenizer_for(chosen.tokenizer, start, texts, chosen.pieces)
        return cls(
            chosen, tokenizer, glosses, questions, _pairs(rows, clips.column("text"), glosses)
        )

    @classmethod
    def from_checkpoint(cls, folder: Path, info: dict[str, Any]) -> "PocketTranslation":
        settings = convert(info["settings"], Settings, "settings")
        tokenizer = load_tokenizer(str(folder / TOKENIZER))
        pairs = [(a, b, n) for a, b, n in info.get("gloss_pairs", ())]
        return cls(settings, tokenizer, info["glosses"], info["questions"], pairs)

    def save(self, folder: Path) -> dict[str, Any]:
        self.tokenizer.save_pretrained(folder / TOKENIZER)
        return {
            "settings": msgspec.to_builtins(self.settings),
            "view": "sign69",
            "preprocess": "live",
            "glosses": list(self.glosses),
            "questions": list(self.questions),
            "gloss_pairs": self.gloss_pairs,
        }

    def new_model(self, fields: dict[str, Any]) -> PocketTranslator:
        """fields : size, a name of ``SIZES``, and changes to it."""
        changes = {name: value for name, value in fields.items() if name != "size"}
        return PocketTranslator(
            PocketTranslatorConfig.of_size(
                fields.get("size", "nano"),
                changes,
                n_pieces=len(self.tokenizer),
                n_glosses=len(self.glosses),
                questions=self.questions,
            )
        )

    def prepare(self, clip: Clip) -> PreparedSentence:
        idle = is_idle(clip.glosses)
        signed = () if idle else clip.glosses
        text, row = clip.text.strip(), " ".join(signed)
        truths = {"text": (language_name(clip.text_language), text), "glosses": (GLOSSES, row)}
        asked = [truths[kind] for kind in self.settings.asks if truths[kind][1]]
        if idle:
            asked = [(GLOSSES, "")]
        if not asked:
            raise ValueError(f"clip {clip.id!r} has no {' and no '.join(self.settings.asks)}")
        unknown = [question for question, _ in asked if question not in self.questions]
        if unknown:
            raise ValueError(
                f"clip {clip.id!r} is in {unknown[0]}, which the model was not made for; it "
                f"knows: {', '.join(self.questions)}"
            )
        sequence = clip.sequence
        if sequence.fps != self.settings.fps:
            sequence = resample(sequence, self.settings.fps)
        kept = kept_frames(len(sequence), self.settings.max_frames)
        numbers = [self._number.get(gloss, NO_TOKEN) for gloss in signed]
        is_known = NO_TOKEN not in numbers
        spans = clip.spans if is_known and not idle else ()
        of_frame = _shown(kept * 1000 / sequence.fps, spans, numbers)
        return PreparedSentence(
            clip.id,
            clip.signer,
            text,
            row,
            preprocess_live(sequence)[kept].astype(np.float16),
            np.array(numbers if is_known else [], np.int64),
            np.full(len(kept), BLANK, np.int64) if idle else of_frame,
            tuple((self.questions.index(question), truth) for question, truth in asked),
        )

    def batch(
        self, clips: Sequence[PreparedSentence], draws: Sequence[int] | None, at_least: int
    ) -> Batch:
        """at_least : is of no use here, for another tempo makes clips longer than they were"""
        views = 2 if draws is not None and self.settings.agree else 1
        changed = [
            self._changed(clip, None if draws is None else draws[i], view)
            for view in range(views)
            for i, clip in enumerate(clips)
        ]
        clips = [*clips] * views
        keypoints, frame_mask = pad_clips([frames for frames, _ in changed])
        asked = [(i, question) for i, clip in enumerate(clips) for question, _ in clip.answers]
        answers = [self._labels(truth) for clip in clips for _, truth in clip.answers]
        labels = pad_sequence(answers, batch_first=True, padding_value=IGNORED)
        inputs: dict[str, Any] = {"keypoints": keypoints, "frame_mask": frame_mask}
        inputs["asked"] = Asked(*torch.tensor(asked).T)
        inputs["labels"] = labels
        if draws is not None and (self.settings.ctc or self.settings.frames):
            shown = [of_frame for _, of_frame in changed]
            rows = [clip.glosses for clip in clips]
            inputs["glosses"] = padded_glosses(rows, shown, keypoints.shape[1])
            if views > 1:
                inputs["views"] = views
        return Batch(inputs, int((labels != IGNORED).sum()), list(clips))

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        given = dict(batch.inputs)
        if not self.settings.language:
            given["labels"] = None
        return self.weighted(model(**given), batch)

    def weighted(self, found: Losses, batch: Batch) -> dict[str, Tensor]:
        """The network's terms, each with its weight."""
        # The loop weighs by tokens. Per token, sums are the same on one process or on many.
        terms = {
            "language": found.language * self.settings.language,
            "ctc": found.ctc / batch.weight * self.settings.ctc,
            "frames": found.frames / batch.weight * self.settings.frames,
            "agree": found.agree / batch.weight * self.settings.agree,
        }
        return {name: term for name, term in terms.items() if getattr(self.settings, name)}

    def predict(self, model: nn.Module, batch: Batch) -> dict[str, list[Prediction]]:
        network: Any = model
        heard = network.read(batch.inputs["keypoints"], batch.inputs["frame_mask"])
        scores = network.gloss_scores(heard.states).float().cpu().numpy()
        lengths = batch.inputs["frame_mask"].sum(dim=1).tolist()
        answers: dict[str, list[Prediction]] = {}
        for clip, of_clip, length in zip(batch.clips, scores, lengths, strict=True):
            labels = LiveGlosses().push(of_clip[:length])
            said = " ".join(self.glosses[label - 1 - BLANK] for label in labels)
            if clip.row:
                answers.setdefault(LIVE, []).append(_prediction(clip, clip.row, said))
        if not self.settings.language:
            return answers
        tokens = network.generate(
            heard, batch.inputs["asked"], self.settings.beams, self.settings.max_tokens
        )
        texts = iter(self.tokenizer.batch_decode(tokens, skip_special_tokens=True))
        for clip in batch.clips:
            for question, truth in clip.answers:
                kind = "glosses" if self.questions[question] == GLOSSES else "text"
                answer = _prediction(clip, truth, next(texts).strip())
                if truth:  # of somebody who says nothing, nothing is measured here
                    answers.setdefault(kind, []).append(answer)
        return answers

    def asked_of(self, clips: Sequence[PreparedSentence]) -> list[tuple[int, str]]:
        """Of each row of a batch's labels: the clip's number in the batch, and of ``KINDS``."""
        return [
            (i, "glosses" if self.questions[question] == GLOSSES else "text")
            for i, clip in enumerate(clips)
            for question, _ in clip.answers
        ]

    def moments(self, clip: PreparedSentence, draw: int | None) -> tuple[np.ndarray, np.ndarray]:
        """When in the clip is what the frames (T,), and the encoder's states (N,), are of.

        As shares of the clip's length, of the frames that ``batch`` makes of it by this draw.
        """
        frames = (self._times(clip, draw) + 0.5) / len(clip.keypoints)
        of_state = np.arange(0, len(frames), STRIDE) + STRIDE // 2  # the middle of its window's end
        return frames, frames[of_state.clip(max=len(frames) - 1)]

    def gloss_tokens(self) -> np.ndarray:
        """The token that stands for each output of the gloss head; -1 for a gloss of several."""
        rows = self.tokenizer(list(self.glosses), add_special_tokens=False)["input_ids"]
        tokens = [row[0] if len(row) == 1 else NO_TOKEN for row in rows]
        return np.array([NONE, *tokens])  # the blank comes first

    def _times(self, clip: PreparedSentence, draw: int | None) -> np.ndarray:
        """Which frames a clip has, by this draw."""
        if draw is None or self._augment is None:
            return np.arange(len(clip.keypoints))
        return hurried(len(clip.keypoints), self.settings.tempo, np.random.default_rng(draw))

    def _changed(
        self, clip: PreparedSentence, draw: int | None, view: int = 0
    ) -> tuple[Tensor, np.ndarray]:
        """The frames of a clip, augmented, and the glosses that they show.

        view : of one draw, all have the same tempo and are augmented differently
        """
        if draw is None or self._augment is None:
            return torch.from_numpy(clip.keypoints.astype(np.float32)), clip.of_frame
        times = self._times(clip, draw)
        frames = torch.from_numpy(clip.keypoints[times].astype(np.float32))
        shown = clip.of_frame[times] if len(clip.of_frame) else clip.of_frame
        return augment_frames(frames[None], [draw + view], self._augment)[0], shown

    def _labels(self, truth: str) -> Tensor:
        tokens = self.tokenizer(truth, truncation=True, max_length=self.settings.max_tokens)
        return torch.tensor(tokens["input_ids"])


def hurried(n_frames: int, tempo: float, rng: np.random.Generator) -> np.ndarray:
    """Which frames a clip has at another tempo, in order: some twice, or some left out.

    tempo : half-width of a uniform draw, natural logarithm of the speed
    """
    speed = np.exp(rng.uniform(-tempo, tempo))
    return np.arange(rng.uniform(0, min(speed, 1.0)), n_frames, speed).astype(int)


def _shown(ms: np.ndarray, spans: Sequence[tuple[int, int]], numbers: list[int]) -> np.ndarray:
    """The gloss of the frame at each time (T,), ``BLANK`` between; (0,) where there are no spans.

    ms : (T,), from the clip's first frame
    """
    if not spans:
        return np.empty(0, np.int64)
    shown = np.full(len(ms), BLANK, np.int64)
    for (start, end), number in zip(spans, numbers, strict=True):
        shown[(start <= ms) & (ms < end)] = number
    return shown


def _prediction(clip: PreparedSentence, truth: str, said: str) -> Prediction:
    return Prediction(clip.id, clip.signer, truth, said, ())


def _names(key: str, found: set[str], start: Path | None) -> list[str]:
    """Names in the order of the network's outputs.

    start : the checkpoint that a training starts from; its names are kept where they are enough.
        Where not, the recipe has to say what of the network is learned anew (``fresh``).
    """
    known: list[str] = []
    if start is not None:
        known = json.loads((start / "config.json").read_text(encoding="utf-8")).get(key, [])
    return known if found <= set(known) else sorted(found)


def _pairs(
    rows: Sequence[Sequence[str]], texts: Sequence[str], glosses: Sequence[str]
) -> list[tuple[int, int, int]]:
    """Of the clips that are sentences; of all where none has a text."""
    number = {gloss: k for k, gloss in enumerate(glosses, start=BLANK + 1)}
    sentences = [row for row, text in zip(rows, texts, strict=True) if text] or rows
    return pairs_of([number[g] for g in row] for row in sentences if row)


def _check(settings: Settings) -> None:
    unknown = [kind for kind in settings.asks if kind not in KINDS]
    if unknown or not settings.asks:
        raise ValueError(f"settings.asks: {list(settings.asks)}; known: {', '.join(KINDS)}")
    for name in ("language", "ctc", "frames", "agree", "tempo"):
        if not 0 <= getattr(settings, name) < 100:
            raise ValueError(f"settings.{name} cannot be {getattr(settings, name)}")
    if not (settings.language or settings.ctc or settings.frames):
        raise ValueError("settings: language, ctc and frames are all 0; nothing is left to learn")
    if settings.agree and not (settings.ctc or settings.frames):
        raise ValueError("settings: agree compares glosses; give ctc or frames a weight too")
    if settings.max_frames < 1 or settings.max_tokens < 1 or not settings.fps > 0:
        raise ValueError("settings: max_frames, max_tokens and fps must be above 0")


def _augment_of(settings: Settings) -> AugmentSettings | None:
    if settings.augment is None:
        return None
    try:
        return AugmentSettings(**settings.augment)
    except TypeError as error:
        known = ", ".join(AugmentSettings.__dataclass_fields__)
        raise ValueError(f"settings.augment: {error}; known: {known}") from error
