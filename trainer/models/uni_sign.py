"""Uni-Sign: keypoints in, sentences out, by a language model that reads poses like words.

"Uni-Sign: Toward Unified Sign Language Understanding at Scale" (ICLR 2025), Sec. 3.2 and Appendix
A.1 (Table 11); the RGB branch of Sec. 3.3 is in ``uni_sign_rgb``. Recognising a sign, a row of
glosses or a sentence is one task with one objective, Eq. 1 and 2: the next token of the text.

What the authors' code does, and the paper does not say (or says otherwise):
- both hands share their weights, and so do their batch normalisations' running averages;
- before the temporal encoder, hands and face are told where they are: the body's feature at that
  hand's wrist, or at the nose, is added to all their keypoints, and sends no gradient back;
- frames that only fill up a batch repeat the clip's last frame, and are masked in the language
  model alone;
- the loss is smoothed by 0.2.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fingerpost.trainer.models.common import POSE_WIDTHS, PoseEncoder
from fingerpost.trainer.models.fast_embedding import read_tokens
from fingerpost.trainer.models.fast_gelu import fast_gelus
from fingerpost.trainer.models.fast_linear import fast_linears
from fingerpost.trainer.models.gloss_alignment import Glosses, alignment_loss, frame_scores
from fingerpost.trainer.models.language_model import (
    answered,
    answers_loss,
    keep_shared_once,
    new_language_model,
    pretrained_language_model,
)
from fingerpost.trainer.models.study import Studied
from fingerpost.trainer.models.uni_sign_rgb import HandPictures

PROMPT = "Translate sign language video to {language}: "
NO_SIGN = -1  # a frame that no token stands for
TOKEN_NOISE = 0.5  # standard deviations of the embedding
LANGUAGE_MODELS = ("t5", "mt5")


@dataclass(frozen=True)
class UniSignConfig:
    """What is needed to build the network, without a network connection.

    language_model : the fields of the ``transformers`` configuration of a T5 or mT5, with
        ``model_type``
    tied : whether the language model reads and writes tokens by the same matrix
    label_smoothing : share of the loss that asks for all tokens alike
    rgb : whether it has the RGB branch, for pictures of hands (Stage 2 on)
    pose_widths : of the pose encoder's layers; the paper's, unless a machine is small
    placed : whether hands and face are told where on the body they are; not so in SIGNET's Stage I
    """

    language_model: dict[str, Any]
    tied: bool = True
    label_smoothing: float = 0.2
    rgb: bool = False
    pose_widths: tuple[int, ...] = POSE_WIDTHS
    placed: bool = True


class Prompt(NamedTuple):
    """What the language model is asked: R rows, as a rule one for each clip.

    ids, mask : shape (R, P)
    clip : shape (R,), the clip that a row asks about; None where row i asks about clip i
    """

    ids: Tensor
    mask: Tensor
    clip: Tensor | None = None


class Losses(NamedTuple):
    """language : Eq. 1; alignment : ``alignment_loss``"""

    language: Tensor
    alignment: Tensor


class UniSign(nn.Module):
    """(B, T, 69, 3) keypoints of ``preprocess_uni_sign`` and a prompt, to the loss or to text."""

    config_type: type[UniSignConfig] = UniSignConfig

    def __init__(self, config: UniSignConfig, language_model: nn.Module | None = None) -> None:
        super().__init__()
        self.config = config
        reader: Any = language_model or _language_model(config)
        self.language_model: Any = reader
        width = reader.config.d_model
        # frames start about as long as the tokens of random weights
        self.poses: Any = self._new_poses(width, 1.0 if language_model else width**-0.5)
        fast_linears(self)
        fast_gelus(self)
        keep_shared_once(self)

    def _new_poses(self, width: int, length: float) -> nn.Module:
        """What makes frames of keypoints: of the language model's width, so many times as long."""
        poses = PoseEncoder(width, self.config.rgb, self.config.pose_widths, self.config.placed)
        with torch.no_grad():
            poses.projection.weight.mul_(length)
        return poses

    @classmethod
    def with_language_model(cls, name_or_path: str, **fields: Any) -> "UniSign":
        """With a pretrained T5 or mT5, by its name at Hugging Face or the folder it is in.

        fields : of ``UniSignConfig``
        """
        model = pretrained_language_model(name_or_path, _check_kind)
        return cls(cls.config_type(language_model=model.config.to_diff_dict(), **fields), model)

    def with_rgb(self, backbone: dict[str, Tensor] | None = None) -> "UniSign":
        """What Stage 2 starts from: this model and a fresh RGB branch, with the same outputs.

        The language model is taken over, not copied.

        backbone : for ``take_backbone``; None = random weights
        """
        if self.config.rgb:
            raise ValueError("this Uni-Sign has an RGB branch already; start from a pose-only one")
        model = UniSign(replace(self.config, rgb=True), self.language_model)
        if backbone is not None:
            model.take_backbone(backbone)
        fresh = {k: v for k, v in model.poses.state_dict().items() if k.startswith("fusion.")}
        model.poses.load_state_dict(fresh | self.poses.state_dict())
        return model.train(self.training)

    def take_backbone(self, weights: dict[str, Tensor]) -> None:
        """Weights of its EfficientNet, of ``efficientnet.read_image_net_weights``."""
        if self.poses.fusion is None:
            raise ValueError("a pose-only Uni-Sign looks at no pictures; make one by with_rgb")
        self.poses.fusion.backbone.load_state_dict(weights)

    def forward(
        self,
        keypoints: Tensor,
        frame_mask: Tensor,
        prompt: Prompt,
        labels: Tensor | None,
        hands: HandPictures | None = None,
        glosses: Glosses | None = None,
    ) -> "Tensor | Losses":
        """The loss, Eq. 1: the mean over all tokens. With glosses, the alignment's too.

        keypoints : shape (B, T, 69, 3); or (B, T), whole numbers: the tokens that stand for the
            frames, ``NO_SIGN`` for none, to teach the language model before it sees a pose
        frame_mask : shape (B, T), 1 for a frame of the clip, 0 for filling
        labels : shape (R, L), token ids of each row's answer; ``IGNORED`` where there is none;
            None = nothing is asked but the alignment
        hands : pictures of hands in some of the frames, for a model with the RGB branch
        glosses : where frames are to be aligned with them (``alignment_loss``)
        """
        poses = self._read_frames(keypoints, hands)
        language = poses.new_zeros(())
        if labels is not None:
            language = self._answers(poses, frame_mask, prompt, labels)
        return self._with_alignment(language, poses, frame_mask, glosses)

    def _with_alignment(
        self, language: Tensor, poses: Tensor, frame_mask: Tensor, glosses: Glosses | None
    ) -> "Tensor | Losses":
        if glosses is None:
            return language
        embeddings = self.language_model.get_input_embeddings().weight
        return Losses(language, alignment_loss(poses, frame_mask, embeddings, glosses))

    def _answers(self, poses: Tensor, frame_mask: Tensor, prompt: Prompt, labels: Tensor) -> Tensor:
        """Eq. 1; poses : shape (B, T, D)."""
        read, mask = self._read(poses, frame_mask, prompt)
        logits = self._say(read, mask, labels).logits  # (B, L, V)
        return answers_loss(logits, labels, self.config.label_smoothing)

    def _read(self, poses: Tensor, frame_mask: Tensor, prompt: Prompt) -> tuple[Tensor, Tensor]:
        """The language model's reading of the prompt and the frames: (R, P + T, D), (R, P + T)."""
        words = self.prompt_words(prompt.ids, for_loss=True)
        embeds, mask = after_words(words, poses, frame_mask, prompt)
        encoder = self.language_model.get_encoder()
        return encoder(inputs_embeds=embeds, attention_mask=mask).last_hidden_state, mask

    def _say(self, read: Tensor, mask: Tensor, labels: Tensor) -> Any:
        """What the language model makes of answers (R, L), with its decoder's states."""
        return answered(self.language_model, read, mask, labels)

    @property
    def study_widths(self) -> dict[str, int]:
        """Of the states that ``study`` gives."""
        width = self.language_model.config.d_model
        return {"encoder": width, "decoder": width}

    def study(
        self,
        answers: Sequence[Tensor],
        keypoints: Tensor,
        frame_mask: Tensor,
        prompt: Prompt,
        hands: HandPictures | None = None,
    ) -> Studied:
        """A batch, with what is to be compared with a teacher.

        answers : each (R, L), token ids; ``IGNORED`` where there is none
        """
        poses = self._read_frames(keypoints, hands)
        read, mask = self._read(poses, frame_mask, prompt)
        said = [self._say(read, mask, labels) for labels in answers]
        n_words = prompt.ids.shape[1]
        return Studied(
            tuple(one.logits for one in said),
            tuple(one.decoder_hidden_states[-1] for one in said),
            read[:, n_words:],
            mask[:, n_words:],
            poses,
        )

    def gloss_scores(self, frames: Tensor) -> Tensor:
        """Frames (B, T, D) to a score for each token, (B, T, V), as ``alignment_loss`` has it."""
        embeddings = self.language_model.get_input_embeddings().weight.detach()
        return frame_scores(F.normalize(frames, dim=-1), F.normalize(embeddings, dim=-1))

    def losses_of(
        self,
        studied: Studied,
        frame_mask: Tensor,
        labels: Tensor | None = None,
        glosses: Glosses | None = None,
    ) -> "Tensor | Losses":
        """What ``forward`` gives; labels : the first of the answers that were studied"""
        language = studied.encoder.new_zeros(())
        if labels is not None:
            language = answers_loss(studied.logits[0], labels, self.config.label_smoothing)
        return self._with_alignment(language, studied.frames, frame_mask, glosses)

    @torch.no_grad()
    def generate(
        self,
        keypoints: Tensor,
        frame_mask: Tensor,
        prompt: Prompt,
        n_beams: int = 4,
        max_tokens: int = 100,
        hands: HandPictures | None = None,
    ) -> Tensor:
        """Shape (B, at most max_tokens + 1): token ids of the likeliest text by beam search."""
        embeds, mask = self.embed(keypoints, frame_mask, prompt, hands)
        return self.language_model.generate(
            inputs_embeds=embeds, attention_mask=mask, num_beams=n_beams, max_new_tokens=max_tokens
        )

    def embed(
        self,
        keypoints: Tensor,
        frame_mask: Tensor,
        prompt: Prompt,
        hands: HandPictures | None = None,
    ) -> tuple[Tensor, Tensor]:
        """What the language model reads: the prompt, then the frames. (R, P + T, D), (R, P + T)."""
        words = self.prompt_words(prompt.ids)
        return after_words(words, self._read_frames(keypoints, hands), frame_mask, prompt)

    def prompt_words(self, ids: Tensor, for_loss: bool = False) -> Tensor:
        """Token ids of the prompt (R, P) to what stands before the frames, (R, P, D).

        for_loss : of the answers' tokens, as ``read_tokens`` needs it
        """
        if for_loss:
            return read_tokens(self.language_model, ids)
        return self.language_model.get_input_embeddings()(ids)

    def _read_frames(self, keypoints: Tensor, hands: HandPictures | None) -> Tensor:
        """(B, T, 69, 3), or (B, T) tokens in their place, to (B, T, D)."""
        if keypoints.is_floating_point():
            return self.poses(keypoints, hands)
        return self._tokens_as_poses(keypoints)

    def _tokens_as_poses(self, tokens: Tensor) -> Tensor:
        """(B, T) to (B, T, D): a token's embedding, in training as inexact as a pose's will be."""
        embedding = self.language_model.get_input_embeddings()
        poses = embedding(tokens.clamp(min=0)) * (tokens != NO_SIGN)[..., None]
        if self.training:
            poses = poses + torch.randn_like(poses) * TOKEN_NOISE * embedding.weight.detach().std()
        return poses


def after_words(
    words: Tensor, poses: Tensor, frame_mask: Tensor, prompt: Prompt
) -> tuple[Tensor, Tensor]:
    """The prompt (R, P, D), then its clip's frames of (B, T, D); and which of both count."""
    if prompt.clip is not None:  # several questions about one clip: its pose is read once
        poses, frame_mask = poses[prompt.clip], frame_mask[prompt.clip]
    return torch.cat([words, poses], dim=1), torch.cat([prompt.mask, frame_mask], dim=1)


def tokenize_prompts(tokenizer: Any, languages: Sequence[str]) -> Prompt:
    """One prompt for each clip. languages : "English", "Chinese"; tokenizer : of transformers."""
    texts = [PROMPT.format(language=language) for language in languages]
    tokens = tokenizer(texts, padding="longest", truncation=True, return_tensors="pt")
    return Prompt(tokens["input_ids"], tokens["attention_mask"])


def pad_clips(clips: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Clips of (T_i, 69, 3) as one batch (B, T, 69, 3), and which frames are true (B, T).

    A shorter clip holds its last frame, as in the authors' training.
    """
    if not clips or any(len(clip) == 0 for clip in clips):
        raise ValueError("a batch needs clips, and each clip at least one frame")
    longest = max(len(clip) for clip in clips)
    filled = [torch.cat([c, c[-1:].expand(longest - len(c), *c.shape[1:])]) for c in clips]
    lengths = torch.tensor([len(clip) for clip in clips])
    return torch.stack(filled), (torch.arange(longest) < lengths[:, None]).long()


def _check_kind(model_type: str | None) -> None:
    if model_type not in LANGUAGE_MODELS:
        raise ValueError(
            f"a language model of type {model_type!r} cannot read poses; "
            f"give one of type {' or '.join(LANGUAGE_MODELS)}"
        )


def _language_model(config: UniSignConfig) -> Any:
    """With random weights."""
    _check_kind(config.language_model.get("model_type"))
    return new_language_model(config.language_model, config.tied)
