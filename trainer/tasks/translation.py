"""Signing to words by a language model: glosses, a gloss, or a sentence, as the prompt asks.

Uni-Sign's one objective for all three (Sec. 3.2, Eq. 2): what differs is the text that is asked
for. One set of weights can learn them all: each clip is then asked every question that its labels
can answer, and its pose is read once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.edge_runtime.preprocess_uni_sign import preprocess_uni_sign
from fingerpost.edge_runtime.resample import resample
from fingerpost.trainer.augment_clips import ClipAugment, augment_clip, strided, times_of
from fingerpost.trainer.hand_crops import ClipHands, hand_pictures, only_frames
from fingerpost.trainer.hand_store import open_hands
from fingerpost.trainer.language_names import language_name
from fingerpost.trainer.models.efficientnet import read_image_net_weights
from fingerpost.trainer.models.gloss_alignment import NO_TOKEN, NONE
from fingerpost.trainer.models.language_model import IGNORED
from fingerpost.trainer.models.uni_sign import (
    NO_SIGN,
    PROMPT,
    Losses,
    Prompt,
    UniSign,
    UniSignConfig,
    pad_clips,
    tokenize_prompts,
)
from fingerpost.trainer.predictions import Prediction
from fingerpost.trainer.recipe import convert
from fingerpost.trainer.shards import Clip
from fingerpost.trainer.tasks.bodies import check_bodies
from fingerpost.trainer.tasks.frame_glosses import kept_frames, padded_glosses
from fingerpost.trainer.tasks.reader import network_with_reader
from fingerpost.trainer.tasks.task import Batch
from fingerpost.trainer.text_tokenizer import TOKENIZER, load_tokenizer, tokenizer_for

KINDS = ("text", "glosses", "isolated")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """asks : what is asked of each clip: text, glosses, isolated (one gloss)
    reads : poses; or glosses, so that a language model with random weights learns the corpus's
        words before it sees a pose
    prompts : what the prompt says instead of "English", "glosses", "gloss", by kind
    tokenizer : name or folder for ``transformers``; empty = that of ``start_from``, else one that
        is learned from the training clips
    pieces : most pieces of a learned tokenizer
    align : weight of a second term of the loss, which asks each frame for its gloss; per token of
        the answers, as the first term is
    only_align : leave out the first term: a language model that cannot read poses yet tells the
        pose encoder nothing
    hands : folder of pictures of hands (`fingerpost shards hands`), for a model with rgb
    fps : clips are brought to this rate; 0 = left as they are
    stride : of these frames every so many are used
    max_frames : a longer clip loses frames, evenly
    beams, max_tokens : of the answers
    augment : changes to ``ClipAugment``; none = clips are left as they are
    """

    asks: tuple[str, ...] = ("text",)
    reads: str = "poses"
    prompts: dict[str, str] = {}
    tokenizer: str = ""
    pieces: int = 2000
    align: float = 0.0
    only_align: bool = False
    hands: str = ""
    fps: float = 0.0
    stride: int = 1
    max_frames: int = 256
    beams: int = 4
    max_tokens: int = 100
    augment: dict[str, float] | None = None


@dataclass(frozen=True)
class Question:
    """kind : of KINDS; prompt : what it says in place of {language}"""

    kind: str
    prompt: str
    truth: str


@dataclass(frozen=True)
class PreparedClip:
    """keypoints : (T, 69, 3) float16; where glosses are read, (N,) their tokens
    glosses : (N,) tokens
    of_frame : (T,) the token that each frame shows; (0,) where nobody knows
    hands : pictures, in the frames as they are here
    words : (L,) the word of each token of the one answer, where a network compares them
    """

    id: str
    signer: str
    text_language: str
    keypoints: np.ndarray
    glosses: np.ndarray
    of_frame: np.ndarray
    questions: tuple[Question, ...]
    hands: ClipHands | None = None
    words: np.ndarray | None = None


class Translation:
    """For UniSign, and for networks that are asked and answer like it."""

    network: Any = UniSign
    config: Any = UniSignConfig

    def __init__(self, settings: Settings, tokenizer: Any) -> None:
        unknown = [kind for kind in settings.asks if kind not in KINDS]
        if unknown or not settings.asks:
            raise ValueError(f"settings.asks: {list(settings.asks)}; known: {', '.join(KINDS)}")
        if settings.reads not in ("poses", "glosses"):
            raise ValueError(f"settings.reads: {settings.reads!r}; known: poses, glosses")
        if settings.only_align and (settings.align <= 0 or settings.reads == "glosses"):
            raise ValueError("settings.only_align: nothing is left to learn; give align, and poses")
        self.settings = settings
        self.tokenizer = tokenizer
        self.best = _BEST[settings.asks[0]]
        self._augment = _augment_of(settings)
        self._store = open_hands(Path(settings.hands)) if settings.hands else None
        if settings.hands and (settings.augment or settings.stride > 1 or settings.fps):
            raise ValueError(
                "settings.hands: pictures belong to frames, so augment, stride and fps do not go "
                "with them"
            )

    @classmethod
    def from_data(cls, settings: dict[str, Any], clips: Any, start: Path | None) -> "Translation":
        chosen = convert(settings, Settings, "settings")
        if chosen.reads == "poses":
            check_bodies(clips)

        def texts() -> list[str]:
            glosses = [" ".join(row) for row in clips.column("glosses")]
            kinds = {_prompt(kind, code, chosen) for kind in chosen.asks for code in _codes(clips)}
            prompts = [PROMPT.format(language=name) for name in kinds]
            return [*clips.column("text"), *glosses, *prompts]

        return cls(chosen, tokenizer_for(chosen.tokenizer, start, texts, chosen.pieces))

    @classmethod
    def from_checkpoint(cls, folder: Path, info: dict[str, Any]) -> "Translation":
        settings = convert(info["settings"], Settings, "settings")
        return cls(settings, load_tokenizer(str(folder / TOKENIZER)))

    def save(self, folder: Path) -> dict[str, Any]:
        self.tokenizer.save_pretrained(folder / TOKENIZER)
        return {
            "settings": msgspec.to_builtins(self.settings),
            "view": "sign69",
            "preprocess": "uni_sign",
        }

    def new_model(self, fields: dict[str, Any]) -> UniSign:
        image_net = fields.get("image_net", "")
        fields = {name: value for name, value in fields.items() if name != "image_net"}
        model = network_with_reader(
            *(self.network, self.config, fields, self.tokenizer, self._token_numbers),
            example="google/mt5-base",
        )
        if image_net:
            model.take_backbone(read_image_net_weights(Path(image_net)))
        return model

    def prepare(self, clip: Clip) -> PreparedClip:
        keypoints = self._read(clip)
        questions = tuple(q for kind in self.settings.asks if (q := self._question(kind, clip)))
        if not questions:
            wanted = " or ".join(self.settings.asks)
            raise ValueError(f"clip {clip.id!r} has no label for {wanted}")
        return PreparedClip(
            clip.id,
            clip.signer,
            clip.text_language,
            keypoints,
            np.array(sum(self._gloss_tokens(clip), []), np.int64),
            self._shown(clip),
            questions,
            self._hands_of(clip),
        )

    def batch(
        self, clips: Sequence[PreparedClip], draws: Sequence[int] | None, at_least: int
    ) -> Batch:
        changed = [
            self._changed(clip, None if draws is None else draws[i]) for i, clip in enumerate(clips)
        ]
        keypoints, frame_mask = pad_clips([frames for frames, _ in changed])
        if keypoints.shape[1] < at_least:
            more = at_least - keypoints.shape[1]
            last = keypoints[:, -1:].expand(-1, more, *keypoints.shape[2:])
            keypoints = torch.cat([keypoints, last], dim=1)
            frame_mask = nn.functional.pad(frame_mask, (0, more))
        asked = [(i, question) for i, clip in enumerate(clips) for question in clip.questions]
        prompt = self.prompts([question.prompt for _, question in asked])
        answers = [self._labels(question.truth) for _, question in asked]
        labels = pad_sequence(answers, batch_first=True, padding_value=IGNORED)
        inputs = {
            "keypoints": keypoints,
            "frame_mask": frame_mask,
            "prompt": Prompt(prompt.ids, prompt.mask, torch.tensor([i for i, _ in asked])),
            "labels": labels,
        }
        if self.settings.align and draws is not None:
            rows, shown = [clip.glosses for clip in clips], [of_frame for _, of_frame in changed]
            inputs["glosses"] = padded_glosses(rows, shown, keypoints.shape[1])
        if self._store is not None:
            hands: Any = [clip.hands for clip in clips]  # never None where there is a store
            inputs["hands"] = hand_pictures(hands)
        return Batch(inputs, int((labels != IGNORED).sum()), list(clips))

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        given = dict(batch.inputs)
        if self.settings.only_align:
            given["labels"] = None
        return self.weighted(model(**given), batch)

    def weighted(self, found: Tensor | Losses, batch: Batch) -> dict[str, Tensor]:
        """The network's terms, each with its weight."""
        if isinstance(found, Tensor):
            return {"language": found}
        # The loop weighs by tokens. Per token, the term is the same on one process or on many.
        n_glosses = (batch.inputs["glosses"].tokens != NO_TOKEN).sum()
        share = self.settings.align * n_glosses / batch.weight
        alignment = {"alignment": share * found.alignment}
        return alignment if self.settings.only_align else {"language": found.language, **alignment}

    def predict(self, model: nn.Module, batch: Batch) -> dict[str, list[Prediction]]:
        given = ("keypoints", "frame_mask", "prompt", "hands")
        asked = {name: batch.inputs[name] for name in given if name in batch.inputs}
        tokens = model.generate(  # type: ignore[operator]
            **asked, n_beams=self.settings.beams, max_tokens=self.settings.max_tokens
        )
        said = iter(self.tokenizer.batch_decode(tokens, skip_special_tokens=True))
        answers: dict[str, list[Prediction]] = {}
        for clip in batch.clips:
            for question in clip.questions:
                text = next(said).strip()
                ranked = (text,) if question.kind == "isolated" else ()
                answer = Prediction(clip.id, clip.signer, question.truth, text, ranked)
                answers.setdefault(question.kind, []).append(answer)
        return answers

    def prompts(self, languages: Sequence[str]) -> Prompt:
        """What the network is asked, a row for each question; see ``tokenize_prompts``."""
        return tokenize_prompts(self.tokenizer, languages)

    def asked_of(self, clips: Sequence[PreparedClip]) -> list[tuple[int, str]]:
        """Of each row of a batch's labels: the clip's number in the batch, and of ``KINDS``."""
        return [(i, question.kind) for i, clip in enumerate(clips) for question in clip.questions]

    def moments(self, clip: PreparedClip, draw: int | None) -> tuple[np.ndarray, np.ndarray]:
        """When in the clip the frames are that ``batch`` makes of it, as shares of its length.

        Twice: the encoder has a state for each frame.
        """
        if self.settings.reads == "glosses":
            raise ValueError(
                "settings.reads: glosses have no moments; who learns from a teacher reads poses"
            )
        times = strided(np.arange(len(clip.keypoints)), self.settings.stride)
        if draw is not None and self._augment is not None:
            times = times_of(len(clip.keypoints), np.random.default_rng(draw), self._augment)
        moments = (times + 0.5) / len(clip.keypoints)
        return moments, moments

    def gloss_tokens(self) -> np.ndarray:
        """The token of each output of ``gloss_scores``: of itself."""
        return np.arange(len(self.tokenizer))

    def _read(self, clip: Clip) -> np.ndarray:
        if self.settings.reads == "glosses":
            return np.array(sum(self._gloss_tokens(clip), []), np.int64)
        sequence = self._timed(clip.sequence)
        return preprocess_uni_sign(sequence).astype(np.float16)[self._kept(len(sequence))]

    def _timed(self, sequence: PoseSequence) -> PoseSequence:
        if self.settings.fps and sequence.fps != self.settings.fps:
            return resample(sequence, self.settings.fps)
        return sequence

    def _gloss_tokens(self, clip: Clip) -> list[list[int]]:
        """The tokens of each gloss."""
        if not clip.glosses:
            return []
        return self.tokenizer(list(clip.glosses), add_special_tokens=False)["input_ids"]

    def _shown(self, clip: Clip) -> np.ndarray:
        """The token that each frame shows, (T,); a gloss of several shows them one by one."""
        if not (clip.spans and self.settings.align) or self.settings.reads == "glosses":
            return np.empty(0, np.int64)
        sequence = self._timed(clip.sequence)
        ms = self._kept(len(sequence)) * 1000 / sequence.fps
        shown = np.full(len(ms), NONE)
        for (start, end), tokens in zip(clip.spans, self._gloss_tokens(clip), strict=True):
            inside = (start <= ms) & (ms < end)
            part = (ms[inside] - start) * len(tokens) // max(end - start, 1)
            shown[inside] = np.array(tokens)[part.astype(int)]
        return shown

    def _kept(self, n_frames: int) -> np.ndarray:
        return kept_frames(n_frames, self.settings.max_frames * self.settings.stride)

    def _hands_of(self, clip: Clip) -> ClipHands | None:
        if self._store is None:
            return None
        if clip.id not in self._store:
            raise ValueError(
                f"{self.settings.hands} has no hands of clip {clip.id!r}; cut them anew"
            )
        return only_frames(self._store.hands(clip.id), self._kept(len(clip.sequence)))

    def _question(self, kind: str, clip: Clip) -> Question | None:
        truth = clip.text.strip() if kind == "text" else " ".join(clip.glosses)
        prompt = _prompt(kind, clip.text_language, self.settings)
        return Question(kind, prompt, truth) if truth else None

    def _changed(self, clip: PreparedClip, draw: int | None) -> tuple[Tensor, np.ndarray]:
        """The frames that are left of a clip, augmented, and the tokens that they show."""
        if self.settings.reads == "glosses":
            return torch.from_numpy(spread(clip.keypoints, draw)), clip.of_frame
        if draw is None or self._augment is None:
            changed = strided(clip.keypoints, self.settings.stride).astype(np.float32)
            shown = strided(clip.of_frame, self.settings.stride)
        else:
            rng = np.random.default_rng(draw)
            changed, kept = augment_clip(clip.keypoints, rng, self._augment)
            shown = clip.of_frame[kept] if len(clip.of_frame) else clip.of_frame
        return torch.from_numpy(changed).to(torch.get_default_dtype()), shown

    def _labels(self, truth: str) -> Tensor:
        tokens = self.tokenizer(truth, truncation=True, max_length=self.settings.max_tokens)
        return torch.tensor(tokens["input_ids"])

    def _token_numbers(self, kind: str | None = None) -> dict[str, int]:
        return {
            "vocab_size": len(self.tokenizer),
            "pad_token_id": self.tokenizer.pad_token_id,
            "eos_token_id": self.tokenizer.eos_token_id,
            "decoder_start_token_id": self.tokenizer.pad_token_id,
        }


def spread(tokens: np.ndarray, draw: int | None) -> np.ndarray:
    """Tokens (N,) as frames (T,): each some times over, with frames of no sign between.

    draw : a seed; None = twice each, with one frame between
    """
    rng = None if draw is None else np.random.default_rng(draw)
    frames = [NO_SIGN]
    for token in tokens.tolist():
        times, gap = (2, 1) if rng is None else (rng.integers(1, 4), rng.integers(2))
        frames += [token] * int(times) + [NO_SIGN] * int(gap)
    return np.array(frames, np.int64)


def _prompt(kind: str, text_language: str, settings: Settings) -> str:
    """What the prompt says in place of {language}."""
    name = language_name(text_language)
    return settings.prompts.get(kind, {"glosses": "glosses", "isolated": "gloss"}.get(kind, name))


def _codes(clips: Any) -> set[str]:
    return set(clips.column("text_language"))


def _augment_of(settings: Settings) -> ClipAugment | None:
    if settings.augment is None:
        return None
    try:
        return ClipAugment(stride=settings.stride, **settings.augment)
    except TypeError as error:
        known = ", ".join(ClipAugment.__dataclass_fields__)
        raise ValueError(f"settings.augment: {error}; known: {known}") from error


_BEST = {"text": "text.bleu4", "glosses": "glosses.wer", "isolated": "isolated.top1"}
