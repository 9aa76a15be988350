"""The pocket translator: captions while somebody signs, and a sentence when they have ended.

A student small enough for a phone, ours after no paper, out of known parts:

    keypoints -> ``PoseStream`` -> states, 25 a second -> a score for each gloss (instant partials)
                                     |
         both -> ``SlidingPerceiver`` -> latents, a quarter as many -> mT5, small -> words

Glosses: each state is asked for its gloss, blank where there is none. Where it is known when each
gloss was signed, by cross-entropy, frame by frame; where only their row is, by connectionist
temporal classification (Graves et al., 2006). Text: Uni-Sign's objective (its Sec. 3.2, Eq. 1).
What is asked for, a language or glosses, is the decoder's first token, so that the encoder reads a
sentence once for all questions.

For a teacher: ``study`` gives all there is to compare with.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fingerpost.edge_runtime.live_glosses import BLANK
from fingerpost.trainer.models.fast_linear import fast_linears
from fingerpost.trainer.models.gloss_alignment import NO_TOKEN, NOT_KNOWN, Glosses
from fingerpost.trainer.models.language_model import (
    IGNORED,
    answers_loss,
    keep_shared_once,
    new_language_model,
)
from fingerpost.trainer.models.pocket_encoder import KEPT, PoseStream, SlidingPerceiver
from fingerpost.trainer.models.pocket_sizes import STRIDE, PocketTranslatorConfig
from fingerpost.trainer.models.study import Studied
from fingerpost.trainer.two_views import disagreement

PAD, EOS = 0, 1  # of the tokenizer


class Asked(NamedTuple):
    """R questions about the clips of a batch.

    clip : shape (R,), the clip that a question is about
    question : shape (R,), its number in ``config.questions``
    """

    clip: Tensor
    question: Tensor


class Heard(NamedTuple):
    """What the network makes of a batch before a word is said.

    states : shape (B, T, width), of frames; T is filled up to a multiple of ``STRIDE``
    latents : shape (B, N, d_model), N = T / STRIDE
    sentence : shape (B, N, d_model), the language model's reading of them
    mask : shape (B, N), 1 for a latent that counts
    """

    states: Tensor
    latents: Tensor
    sentence: Tensor
    mask: Tensor


class Losses(NamedTuple):
    """language : Eq. 1, the mean over all tokens
    ctc, frames, agree : sums over clips, a clip counts as many times as it has glosses
    """

    language: Tensor
    ctc: Tensor
    frames: Tensor
    agree: Tensor


class PocketTranslator(nn.Module):
    """(B, T, 69, 4) keypoints of ``preprocess_live`` to losses, glosses or text."""

    def __init__(self, config: PocketTranslatorConfig) -> None:
        super().__init__()
        self.config = config
        self.poses = PoseStream(config)
        self.gloss_head = nn.Linear(config.width, config.n_glosses + 1)
        self.perceiver = SlidingPerceiver(config)
        self.language_model: Any = new_language_model(_language_fields(config))
        fast_linears(self)
        keep_shared_once(self)

    def forward(
        self,
        keypoints: Tensor,
        frame_mask: Tensor,
        asked: Asked | None = None,
        labels: Tensor | None = None,
        glosses: Glosses | None = None,
        views: int = 1,
    ) -> Losses:
        """The terms of the loss; one that is not asked for is 0.

        keypoints : shape (B, T, 69, 4); frame_mask : (B, T), 1 for a frame of the clip
        labels : shape (R, L), token ids of each answer; ``IGNORED`` where there is none
        glosses : numbers of glosses from 1; ``BLANK`` between two of them
        views : 2 where the second half of the batch is the first one seen otherwise, at the same
            times; what both show is compared
        """
        states, latents, mask = self._encode(keypoints, frame_mask)
        logits = scores = None
        if labels is not None and asked is not None:
            heard = Heard(states, latents, self._read(latents, mask), mask)
            logits = self.logits(heard, asked, labels)
        if glosses is not None:
            scores = self.gloss_scores(states)
        found = self._losses(logits, labels, scores, frame_mask, glosses, states.new_zeros(()))
        if scores is None or glosses is None or views == 1:
            return found
        return found._replace(agree=agreement_loss(scores, frame_mask, glosses))

    @property
    def study_widths(self) -> dict[str, int]:
        """Of the states that ``study`` gives."""
        return {"encoder": self.config.d_model, "decoder": self.config.d_model}

    def study(
        self, answers: Sequence[Tensor], keypoints: Tensor, frame_mask: Tensor, asked: Asked
    ) -> Studied:
        """A batch, with what is to be compared with a teacher.

        answers : each (R, L), token ids; ``IGNORED`` where there is none
        """
        heard = self.read(keypoints, frame_mask)
        said = [self._say(heard, asked, labels) for labels in answers]
        return Studied(
            tuple(one.logits for one in said),
            tuple(one.decoder_hidden_states[-1] for one in said),
            heard.sentence[asked.clip],
            heard.mask[asked.clip],
            heard.states,
        )

    def losses_of(
        self,
        studied: Studied,
        frame_mask: Tensor,
        labels: Tensor | None = None,
        glosses: Glosses | None = None,
    ) -> Losses:
        """What ``forward`` gives; labels : the first of the answers that were studied"""
        zero = studied.encoder.new_zeros(())
        logits = studied.logits[0] if studied.logits else None
        scores = None if glosses is None else self.gloss_scores(studied.frames)
        return self._losses(logits, labels, scores, frame_mask, glosses, zero)

    def read(self, keypoints: Tensor, frame_mask: Tensor) -> Heard:
        """All that the network knows of a batch before it is asked."""
        states, latents, mask = self._encode(keypoints, frame_mask)
        return Heard(states, latents, self._read(latents, mask), mask)

    def gloss_scores(self, states: Tensor) -> Tensor:
        """States (B, T, width) to logits (B, T, 1 + n_glosses), ``BLANK`` first."""
        return self.gloss_head(states)

    def logits(self, heard: Heard, asked: Asked, labels: Tensor) -> Tensor:
        """Of each answer's next tokens, given the true ones before: (R, L, n_tokens)."""
        return self._say(heard, asked, labels).logits

    @torch.no_grad()
    def generate(
        self, heard: Heard, asked: Asked, n_beams: int = 4, max_tokens: int = 100
    ) -> Tensor:
        """Token ids (R, at most max_tokens) of the likeliest answers by beam search."""
        from transformers.cache_utils import DynamicCache, EncoderDecoderCache
        from transformers.modeling_outputs import BaseModelOutput

        made = self.language_model.generate(
            encoder_outputs=BaseModelOutput(last_hidden_state=heard.sentence[asked.clip]),
            attention_mask=heard.mask[asked.clip],
            decoder_start_token_id=self._first(asked).tolist(),
            num_beams=n_beams,
            max_new_tokens=max_tokens,
            # by itself, it would make one with as many layers as the encoder has
            past_key_values=EncoderDecoderCache(DynamicCache(), DynamicCache()),
        )
        return made[:, 1:]  # without the question

    def _say(self, heard: Heard, asked: Asked, labels: Tensor) -> Any:
        """What the language model makes of answers (R, L), with its decoder's states."""
        said = labels[:, :-1].masked_fill(labels[:, :-1] == IGNORED, PAD)
        before = torch.cat([self._first(asked)[:, None], said], dim=1)
        return self.language_model(
            encoder_outputs=(heard.sentence[asked.clip],),
            attention_mask=heard.mask[asked.clip],
            decoder_input_ids=before,
            output_hidden_states=True,
            use_cache=False,
        )

    def _losses(
        self,
        logits: Tensor | None,
        labels: Tensor | None,
        scores: Tensor | None,
        frame_mask: Tensor,
        glosses: Glosses | None,
        zero: Tensor,
    ) -> Losses:
        """zero : what a term is that is not asked for"""
        language, ctc, frames = zero, zero, zero
        if logits is not None and labels is not None:
            language = answers_loss(logits.float(), labels, self.config.label_smoothing)
        if scores is not None and glosses is not None:
            ctc, frames = gloss_losses(scores, frame_mask, glosses)
        return Losses(language, ctc, frames, zero)

    def _encode(self, keypoints: Tensor, frame_mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """States (B, T, width), latents (B, N, d_model), and which of these count (B, N)."""
        fill = -keypoints.shape[1] % STRIDE
        keypoints = F.pad(keypoints, (0, 0, 0, 0, 0, fill))
        frames = self.poses(keypoints, F.pad(frame_mask, (0, fill)))
        latents, mask = self.perceiver(frames, shown(self.gloss_head, frames.states))
        return frames.states[:, KEPT:], latents, mask

    def _read(self, latents: Tensor, mask: Tensor) -> Tensor:
        return self.language_model.encoder(
            inputs_embeds=latents, attention_mask=mask
        ).last_hidden_state

    def _first(self, asked: Asked) -> Tensor:
        """(R,) the token that an answer begins with."""
        return self.config.n_pieces + asked.question


def shown(gloss_head: nn.Module, states: Tensor) -> Tensor:
    """How likely each state shows each gloss: (B, T, 1 + n_glosses), which nothing is learned by.

    Glosses are learned from what frames show; the language model's gradients would be noise.
    """
    return gloss_head(states).softmax(dim=-1).detach()


def gloss_losses(scores: Tensor, frame_mask: Tensor, glosses: Glosses) -> tuple[Tensor, Tensor]:
    """CTC over rows of glosses, and cross-entropy over frames, of those clips that say when.

    scores : shape (B, T, V), logits; frame_mask : (B, t), t up to T

    Each is a sum over clips: of the negative logarithm of their row's probability, and of their
    frames' mean times their glosses, once where there are none. A clip with too few frames for its
    row counts as 0.
    """
    lengths = (glosses.tokens != NO_TOKEN).sum(dim=1)
    log_probabilities = scores.float().log_softmax(dim=-1)
    ctc = frames = scores.sum() * 0
    rows = torch.nonzero(lengths)[:, 0]
    if len(rows):
        ctc = F.ctc_loss(
            log_probabilities[rows].transpose(0, 1),
            glosses.tokens[rows].clamp(min=0),
            frame_mask[rows].sum(dim=1).long(),
            lengths[rows],
            blank=BLANK,
            reduction="sum",
            zero_infinity=True,
        )
    known = torch.nonzero((glosses.of_frame != NOT_KNOWN).any(dim=1))[:, 0]
    if len(known):
        shown = glosses.of_frame[known]
        per_frame = F.nll_loss(
            log_probabilities[known, : shown.shape[1]].transpose(1, 2),
            shown,
            ignore_index=NOT_KNOWN,
            reduction="none",
        )
        mean = per_frame.sum(dim=1) / (shown != NOT_KNOWN).sum(dim=1)
        frames = (mean * lengths[known].clamp(min=1)).sum()
    return ctc, frames


def agreement_loss(scores: Tensor, frame_mask: Tensor, glosses: Glosses) -> Tensor:
    """How unlike two views of B clips show their glosses, over all 2 B, as ``gloss_losses`` sums.

    scores : shape (2 B, T, V), logits; frame_mask : (2 B, t), t up to T, both halves alike
    """
    mask = frame_mask.chunk(2)[0]
    per_frame = disagreement(scores[:, : mask.shape[1]]) * mask
    lengths = (glosses.tokens.chunk(2)[0] != NO_TOKEN).sum(dim=1)
    return 2 * (per_frame.sum(dim=1) / mask.sum(dim=1) * lengths.clamp(min=1)).sum()


def _language_fields(config: PocketTranslatorConfig) -> dict[str, Any]:
    return {
        "model_type": "mt5",
        "vocab_size": config.n_tokens,
        "d_model": config.d_model,
        "d_ff": config.d_ff,
        "d_kv": config.d_kv,
        "num_heads": config.n_reader_heads,
        "num_layers": config.n_layers,
        "num_decoder_layers": config.n_decoder_layers,
        "dropout_rate": config.dropout,
        "pad_token_id": PAD,
        "eos_token_id": EOS,
        "decoder_start_token_id": config.n_pieces,
    }
