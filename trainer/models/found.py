"""Translation and alignment in one model: keypoints and lips, Sliding Perceiver, Flan-T5.

"Lost in Translation, Found in Embeddings: Sign Language Translation and Alignment", Sec. 3. A
window of signing goes through the pose backbone (``found_poses``) and, where there are features of
lips, the lip backbone (``found_lips``); both side by side through a mapping (``found_mappings``)
become what the language model reads after a prompt. The prompt says what is wanted: the sentence
(SLT), or when a given subtitle is signed (SSA), as two frame numbers of three digits each.

What the paper does not say, or what differs, and is ours:
- the prompts' words (``tasks/found.py``); the prompt comes before the signing;
- SSA's cross-entropy is over the ten digits alone, as the soft decoding is: nothing else can come;
- a loss weighs by what it is of, a token or a digit, so that a batch's 80 % and 20 % do, too;
- digits are written by beam search as the paper has it, over digits alone;
- a third, optional term asks each latent for its gloss (``gloss_alignment``), where spans of
  glosses are known: it takes the place of pre-training on signs where there are hours, not
  thousands of hours.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fingerpost.trainer.models.fast_embedding import read_tokens
from fingerpost.trainer.models.fast_linear import fast_linears
from fingerpost.trainer.models.found_lips import LipBackbone
from fingerpost.trainer.models.found_mappings import (
    MappingSizes,
    find_mapping,
    middles,
    start_as_long_as,
)
from fingerpost.trainer.models.found_poses import PoseBackbone, pose_config
from fingerpost.trainer.models.gloss_alignment import (
    NOT_KNOWN,
    Glosses,
    alignment_loss,
    frame_scores,
)
from fingerpost.trainer.models.language_model import (
    IGNORED,
    answered,
    answers_loss,
    keep_shared_once,
    new_language_model,
    pretrained_language_model,
)
from fingerpost.trainer.models.uni_sign import LANGUAGE_MODELS, Prompt
from fingerpost.trainer.subtitles.digits import BASE, DIGITS, SPAN_DIGITS
from fingerpost.trainer.subtitles.digits import alignment_loss as span_loss

DASH = DIGITS  # the place in an answer, 037-152, that is no digit
PLACES = [place for place in range(SPAN_DIGITS + 1) if place != DASH]


@dataclass(frozen=True)
class FoundConfig:
    """What is needed to build the network, without a network connection.

    language_model : the fields of the ``transformers`` configuration of a T5 or mT5
    tied : whether the language model reads and writes tokens by the same matrix; Flan-T5 does not
    poses : fields of ``PoseBackboneConfig``
    lips : numbers that a frame's lips are given as; 0 = none are
    mapping : of ``MAPPINGS``; its window, stride and positions are features of the backbone
    soft_weight : of the soft decoding loss; 0 leaves it out (Table A.6)
    """

    language_model: dict[str, Any]
    tied: bool = True
    poses: dict[str, Any] = field(default_factory=dict)
    lips: int = 0
    mapping: str = "sliding_perceiver"
    mapping_window: int = 8
    mapping_stride: int = 2
    mapping_layers: int = 2
    mapping_heads: int = 8
    mapping_positions: int = 250
    dropout: float = 0.1
    label_smoothing: float = 0.0
    soft_weight: float = 1.0

    def __post_init__(self) -> None:
        pose_config(self.poses)
        find_mapping(self.mapping)
        if self.lips < 0 or self.soft_weight < 0:
            raise ValueError("[model] lips and soft_weight are 0 or more")

    @property
    def mapping_sizes(self) -> MappingSizes:
        return MappingSizes(
            self.mapping_window,
            self.mapping_stride,
            self.mapping_layers,
            self.mapping_heads,
            self.mapping_positions,
            self.dropout,
        )


class Spans(NamedTuple):
    """Of the R rows of a batch, the S that ask for a span.

    rows : shape (S,); digits : (S, 6), the truth
    tokens : (11,), of the digits 0 to 9 and of the dash
    """

    rows: Tensor
    digits: Tensor
    tokens: Tensor


class FoundLosses(NamedTuple):
    """translation : the mean over the tokens of sentences; spans : over digits; alignment : over
    glosses. 0 where a batch has none."""

    translation: Tensor
    spans: Tensor
    alignment: Tensor


class Found(nn.Module):
    """(B, T, K, 4) keypoints of ``preprocess_found`` and a prompt, to losses, text or spans."""

    def __init__(self, config: FoundConfig, language_model: nn.Module | None = None) -> None:
        super().__init__()
        self.config = config
        reader: Any = language_model or _language_model(config)
        self.language_model: Any = reader
        self.poses = PoseBackbone(pose_config(config.poses))
        width = self.poses.config.width
        self.lips = LipBackbone(config.lips, self.poses.config) if config.lips else None
        self.mapping = find_mapping(config.mapping)(
            2 * width if config.lips else width, reader.config.d_model, config.mapping_sizes
        )
        if language_model is None:  # latents start about as long as the tokens of random weights
            start_as_long_as(self.mapping, reader.config.d_model**-0.5)
        fast_linears(self)
        keep_shared_once(self)

    @classmethod
    def with_language_model(cls, name_or_path: str, **fields: Any) -> "Found":
        """With a pretrained T5, such as google/flan-t5-xl, by its name or the folder it is in."""
        model = pretrained_language_model(name_or_path, _check_kind)
        tied = model.get_output_embeddings().weight is model.get_input_embeddings().weight
        fields = {"language_model": model.config.to_diff_dict(), "tied": tied, **fields}
        return cls(FoundConfig(**fields), model)

    def forward(
        self,
        keypoints: Tensor,
        frame_mask: Tensor,
        prompt: Prompt,
        labels: Tensor,
        spans: Spans | None = None,
        lips: Tensor | None = None,
        glosses: Glosses | None = None,
        features: Tensor | None = None,
    ) -> FoundLosses:
        """The losses of R rows, each with a window of its own.

        keypoints : shape (R, T, K, 4); frame_mask : (R, T), 1 for a frame of the window
        labels : shape (R, L), token ids of each answer; ``IGNORED`` where there is none
        spans : which rows ask for a span, whose answer is ``037-152``
        lips : shape (R, T, lips), of a frozen front end; zeros where none were seen
        glosses : of each row its glosses, and what each frame shows
        features : shape (R, T / step, W), what a frozen pose backbone has made of the keypoints
        """
        latents, mask = self.latents(keypoints, frame_mask, lips, features)
        nothing = latents.new_zeros(())
        translation, of_spans, alignment = nothing, nothing, nothing
        read, heard = self._read(latents, mask, prompt)
        logits = self._say(read, heard, labels).logits  # (R, L, V)
        texts = labels
        if spans is not None and len(spans.rows):
            texts = labels.index_fill(0, spans.rows, IGNORED)
            of_digits = logits[spans.rows][:, PLACES][..., spans.tokens[:BASE]]  # (S, 6, 10)
            of_spans = span_loss(of_digits.float(), spans.digits, self.config.soft_weight)
        if (texts != IGNORED).any():
            translation = answers_loss(logits, texts, self.config.label_smoothing)
        if glosses is not None:
            embeddings = self.language_model.get_input_embeddings().weight
            shown = glosses._replace(of_frame=self._shown(glosses.of_frame, latents.shape[1]))
            alignment = alignment_loss(latents, mask, embeddings, shown)
        return FoundLosses(translation, of_spans, alignment)

    def latents(
        self,
        keypoints: Tensor,
        frame_mask: Tensor,
        lips: Tensor | None = None,
        features: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """What the language model reads of the signing, (R, N, D), and what counts, (R, N).

        features : as in ``forward``; the keypoints are not looked at then
        """
        if (lips is None) != (self.lips is None):
            raise ValueError(
                "this model reads lips: give [settings] lips"
                if self.lips is not None
                else "this model reads no lips: set model.lips, or leave out settings.lips"
            )
        if features is None:
            features = self.poses(keypoints, frame_mask)  # (R, T / step, W)
        if self.lips is not None and lips is not None:
            features = torch.cat([features, self.lips(lips, frame_mask)], dim=-1)
        latents, mask = self.mapping(features, frame_mask[:, :: self.poses.config.step])
        return latents, mask.long()

    def embed(
        self,
        keypoints: Tensor,
        frame_mask: Tensor,
        prompt: Prompt,
        lips: Tensor | None = None,
        features: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """What the language model reads: prompt, then latents. (R, P + N, D), (R, P + N)."""
        words = self.language_model.get_input_embeddings()(prompt.ids)
        latents, mask = self.latents(keypoints, frame_mask, lips, features)
        return torch.cat([words, latents], dim=1), torch.cat([prompt.mask, mask], dim=1)

    @torch.no_grad()
    def generate(
        self,
        keypoints: Tensor,
        frame_mask: Tensor,
        prompt: Prompt,
        n_beams: int = 5,
        max_tokens: int = 100,
        lips: Tensor | None = None,
        features: Tensor | None = None,
    ) -> Tensor:
        """Shape (R, at most max_tokens + 1): token ids of the likeliest text by beam search."""
        embeds, mask = self.embed(keypoints, frame_mask, prompt, lips, features)
        return self.language_model.generate(
            inputs_embeds=embeds, attention_mask=mask, num_beams=n_beams, max_new_tokens=max_tokens
        )

    @torch.no_grad()
    def place(
        self,
        keypoints: Tensor,
        frame_mask: Tensor,
        prompt: Prompt,
        tokens: Tensor,
        n_beams: int = 5,
        lips: Tensor | None = None,
        features: Tensor | None = None,
    ) -> Tensor:
        """The six digits of each row's span, (R, 6) int64: the likeliest by beam search.

        In its places nothing but a digit, or the dash, can be written. tokens : as in ``Spans``
        """
        embeds, mask = self.embed(keypoints, frame_mask, prompt, lips, features)
        digits, dash = tokens[:BASE].tolist(), tokens[BASE:].tolist()

        def allowed(row: int, said: Tensor) -> list[int]:
            return dash if len(said) - 1 == DASH else digits  # the first token starts every answer

        written = self.language_model.generate(
            inputs_embeds=embeds,
            attention_mask=mask,
            num_beams=n_beams,
            max_new_tokens=SPAN_DIGITS + 1,
            prefix_allowed_tokens_fn=allowed,
            renormalize_logits=True,  # the loss is over the ten digits alone
        )
        said = written[:, 1:][:, PLACES]  # (R, 6)
        return (said[..., None] == tokens[:BASE]).long().argmax(dim=-1)

    @torch.no_grad()
    def read(
        self,
        keypoints: Tensor,
        frame_mask: Tensor,
        prompt: Prompt,
        lips: Tensor | None = None,
        features: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """What the encoder makes of prompt and signing, (R, P + N, D), and what counts of it."""
        return self._read(*self.latents(keypoints, frame_mask, lips, features), prompt)

    @torch.no_grad()
    def log_likelihoods(self, read: Tensor, mask: Tensor, labels: Tensor) -> Tensor:
        """Of each row's answer (R, L) after ``read``, nats, (R,): the sum over its tokens."""
        logits = self._say(read, mask, labels).logits.float()
        each = F.cross_entropy(
            logits.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none"
        )
        return -each.sum(dim=1)

    def gloss_scores(self, latents: Tensor) -> Tensor:
        """Latents (R, N, D) to a score for each token, (R, N, V), as ``alignment_loss`` has it."""
        embeddings = self.language_model.get_input_embeddings().weight.detach()
        return frame_scores(F.normalize(latents, dim=-1), F.normalize(embeddings, dim=-1))

    def _shown(self, of_frame: Tensor, n_latents: int) -> Tensor:
        """What frames (R, T) show, to what latents do, (R, N): each the middle of what it reads."""
        frames = middles(self.mapping, n_latents).to(of_frame.device) * self.poses.config.step
        inside = frames < of_frame.shape[1]
        shown = of_frame[:, frames.clamp(max=of_frame.shape[1] - 1)]
        return shown.masked_fill(~inside, NOT_KNOWN)

    def _read(self, latents: Tensor, mask: Tensor, prompt: Prompt) -> tuple[Tensor, Tensor]:
        """The language model's reading of prompt and latents: (R, P + N, D), (R, P + N)."""
        words = read_tokens(self.language_model, prompt.ids)
        embeds, mask = torch.cat([words, latents], dim=1), torch.cat([prompt.mask, mask], dim=1)
        encoder = self.language_model.get_encoder()
        return encoder(inputs_embeds=embeds, attention_mask=mask).last_hidden_state, mask

    def _say(self, read: Tensor, mask: Tensor, labels: Tensor) -> Any:
        """What the language model makes of answers (R, L)."""
        return answered(self.language_model, read, mask, labels)


def _check_kind(model_type: str | None) -> None:
    if model_type not in LANGUAGE_MODELS:
        raise ValueError(
            f"a language model of type {model_type!r} cannot read signing; give one of type "
            f"{' or '.join(LANGUAGE_MODELS)}, such as google/flan-t5-xl"
        )


def _language_model(config: FoundConfig) -> Any:
    """With random weights."""
    _check_kind(config.language_model.get("model_type"))
    return new_language_model(config.language_model, config.tied)
