"""Sigma: Uni-Sign's translator, after a pre-training that ties what is signed to what it means.

"Sigma: Semantically Informative Pre-training for Skeleton-based Sign Language Understanding", Sec.
3 (Fig. 1) and Appendices D, E and I. The sign encoder is Uni-Sign's pose encoder and the language
model's own encoder, with a class token in front; the sign-grounded text (SGT) encoder is its
decoder. What only the pre-training needs, is under ``pretraining``: a text encoder, early fusion
(``sigma_fusion``), alignment (``sigma_alignment``) and matching (``sigma_text``). Fine-tuning is
conditional language modelling, and leaves all that behind: ``fresh = ["pretraining."]``.

What the paper leaves open, or where we differ:
- Eq. 1 lets the sign encoder hear the very text that it is to be matched with, and then to say.
  Read so, all three losses can be had without looking at the signing, and at a small size they are:
  docs/sigma.md has the figures. ``fused`` says which losses see fused features; the others see
  those of two encoders that do not hear each other, as in fine-tuning and in a search, where there
  is no text to hear. The default is Eq. 1, as printed. "pairs" is ours: the matching path judges a
  clip that was fused with the text that it is judged with, be it the right one or not.
- Uni-Sign's prompt stands between the class token and the frames, in both stages: it tells
  translating from recognising.
- The matching path's negatives are one other text for each clip and one other clip for each text,
  by the similarities of Eq. 3, as in BLIP. Alignment and negatives are within a batch of one
  process.
- Eq. 3's temperature starts at 0.07 and stays within 0.01 and 0.5; features have 256 numbers, as
  in BLIP. The loss of words is smoothed by 0.2, as Uni-Sign's.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fingerpost.trainer.models.fast_linear import fast_linears
from fingerpost.trainer.models.gloss_alignment import Glosses
from fingerpost.trainer.models.language_model import answers_loss
from fingerpost.trainer.models.sigma_alignment import (
    contrastive_loss,
    hard_negatives,
    local_similarity,
    whole_similarity,
)
from fingerpost.trainer.models.sigma_clusters import pool_words
from fingerpost.trainer.models.sigma_config import (
    LOSSES,
    Features,
    SigmaConfig,
    SigmaLosses,
    Texts,
    check_config,
)
from fingerpost.trainer.models.sigma_fusion import SignEF, Walk, walk_together
from fingerpost.trainer.models.sigma_text import (
    MatchingPath,
    TextEncoder,
    after_token,
    like_a_token,
)
from fingerpost.trainer.models.uni_sign import Losses, Prompt, UniSign, after_words
from fingerpost.trainer.models.uni_sign_rgb import HandPictures

FIRST_TEMPERATURE, TEMPERATURES = 0.07, (0.01, 0.5)


class Pretraining(nn.Module):
    """What only the pre-training needs. model : with the language model that is shared."""

    def __init__(self, config: SigmaConfig, model: UniSign) -> None:
        super().__init__()
        encoder, decoder = model.language_model.get_encoder(), model.language_model.get_decoder()
        deepest = min(len(encoder.block), len(decoder.block))
        if not 0 <= config.fusion_layers <= deepest:
            raise ValueError(
                f"model.fusion_layers: this language model can fuse 0 to {deepest} layers, not "
                f"{config.fusion_layers}"
            )
        width = encoder.config.d_model
        self.text_encoder = TextEncoder(encoder)
        self.matching = MatchingPath(encoder, decoder)
        self.fusion = nn.ModuleList(SignEF(encoder.config) for _ in range(config.fusion_layers))
        self.sign_head = nn.Linear(width, config.embed_width)
        self.text_head = nn.Linear(width, config.embed_width)
        self.log_temperature = nn.Parameter(torch.tensor(math.log(FIRST_TEMPERATURE)))

    @property
    def temperature(self) -> Tensor:
        lowest, highest = TEMPERATURES
        return self.log_temperature.clamp(math.log(lowest), math.log(highest)).exp()


class Sigma(UniSign):
    """Uni-Sign with a class token. The prompt's first token is a place for it, and not read."""

    config_type = SigmaConfig
    config: SigmaConfig

    def __init__(self, config: SigmaConfig, language_model: nn.Module | None = None) -> None:
        check_config(config)
        super().__init__(config, language_model)
        self.class_token = nn.Parameter(like_a_token(self.language_model.get_encoder()))
        self.pretraining = Pretraining(config, self) if config.pretraining else None
        fast_linears(self)

    def took_weights(self, fresh: tuple[str, ...]) -> None:
        """After weights were taken of a checkpoint: what it had none of starts as its encoder.

        fresh : names that parameters start with which were not in the checkpoint
        """
        if self.pretraining is None:
            return
        encoder = self.language_model.get_encoder()
        parts: dict[str, TextEncoder | MatchingPath] = {
            "text_encoder": self.pretraining.text_encoder,
            "matching": self.pretraining.matching,
        }
        for name, part in parts.items():
            if f"pretraining.{name}.".startswith(fresh or ("\0",)):
                part.take_over(encoder)

    def prompt_words(self, ids: Tensor, for_loss: bool = False) -> Tensor:
        """The class token in the place of the first token, then the words."""
        words = super().prompt_words(ids[:, 1:], for_loss)
        first = self.class_token.expand(len(ids), 1, -1).to(words.dtype)
        return torch.cat([first, words], dim=1)

    def forward(  # type: ignore[override]  # with texts, there are more terms than Uni-Sign's
        self,
        keypoints: Tensor,
        frame_mask: Tensor,
        prompt: Prompt,
        labels: Tensor | None,
        hands: HandPictures | None = None,
        glosses: Glosses | None = None,
        texts: Texts | None = None,
    ) -> "Tensor | Losses | SigmaLosses":
        """Uni-Sign's loss, which is fine-tuning's too (Sec. 3.3); with texts, pre-training's.

        labels : with texts, shape (B, L), the same texts as the decoder's answers
        """
        if texts is None:
            return super().forward(keypoints, frame_mask, prompt, labels, hands, glosses)
        if labels is None:
            raise ValueError("pre-training needs the texts as labels too")
        return self._pretrain(
            self._read_frames(keypoints, hands), frame_mask, prompt, labels, texts
        )

    def sign_features(self, keypoints: Tensor, frame_mask: Tensor, prompt: Prompt) -> Features:
        """Of clips alone, with no text heard; arguments as for ``forward``."""
        sign = self._sign_walk(self._read_frames(keypoints, None), frame_mask, prompt)
        sign.layers(0, len(sign.stack.block))
        return self._sign_features(sign.end(), sign.mask, prompt)

    def text_features(self, texts: Texts) -> Features:
        """Of texts alone."""
        text = self._text_walk(texts)
        text.layers(0, len(text.stack.block))
        return self._text_features(text.end(), texts)

    def similarities(self, sign: Features, text: Features) -> tuple[Tensor, Tensor]:
        """Sign to text (B, C) and text to sign (C, B): both levels, weighed as by Eq. 4.

        The paper names none for retrieval. Both are without the temperature, so that with the
        default scoring they are of one scale, -1 to 1.
        """
        alpha = self.config.alpha
        whole = (1 - alpha) * whole_similarity(sign.whole, text.whole)
        return (
            whole + alpha * self._local(sign, text),
            whole.T + alpha * self._local(text, sign),
        )

    @property
    def can_retrieve(self) -> bool:
        """Whether it still has the text encoder of its pre-training."""
        return self.pretraining is not None

    @property
    def _tells(self) -> bool:
        """Whether there is a loss of the answers' tokens, as ``read_tokens`` needs it."""
        return self.training and self.config.beta > 0

    @property
    def _pretrained(self) -> Pretraining:
        if self.pretraining is None:
            raise ValueError(
                "this Sigma has no text encoder: give the checkpoint of its pre-training"
            )
        return self.pretraining

    def _pretrain(
        self, poses: Tensor, frame_mask: Tensor, prompt: Prompt, labels: Tensor, texts: Texts
    ) -> SigmaLosses:
        """Eq. 4 and 5. poses : shape (B, T, D)."""
        sign, text = self._sign_walk(poses, frame_mask, prompt), self._text_walk(texts)
        for walk in (sign, text):  # to where the fusion begins
            walk.layers(0, len(walk.stack.block) - self.config.fusion_layers)
        states = self._encoded(sign, text)
        alpha, beta = self.config.alpha, self.config.beta
        of_sign, of_text = states["alignment"]
        sign_features = self._sign_features(of_sign, sign.mask, prompt)
        text_features = self._text_features(of_text, texts)
        whole_scores = whole_similarity(sign_features.whole, text_features.whole)
        whole_scores = whole_scores / self._pretrained.temperature
        nothing = poses.new_zeros(())
        whole = local = matching = language = nothing
        scores = (1 - alpha) * whole_scores, (1 - alpha) * whole_scores.T
        if alpha < 1:
            whole = (1 - alpha) * contrastive_loss(whole_scores, whole_scores.T, texts.same)
        if alpha > 0:
            local_scores = (
                self._local(sign_features, text_features),
                self._local(text_features, sign_features),
            )
            local = alpha * contrastive_loss(*local_scores, texts.same)
            scores = scores[0] + alpha * local_scores[0], scores[1] + alpha * local_scores[1]
        if beta < 1:
            pairs = self._pairs(texts, scores)
            matching = (1 - beta) * self._matching(sign, text, states["matching"], texts, pairs)
        if beta > 0:
            read, mask = self._grounds(states["language"], sign.mask, text.mask)
            logits = self._say(read, mask, labels).logits
            language = beta * answers_loss(logits, labels, self.config.label_smoothing)
        return SigmaLosses(whole, local, matching, language)

    def _sign_walk(self, poses: Tensor, frame_mask: Tensor, prompt: Prompt) -> Walk:
        words = self.prompt_words(prompt.ids, self._tells)
        embeds, mask = after_words(words, poses, frame_mask, prompt)
        encoder = self.language_model.get_encoder()
        return Walk(encoder, encoder.config, embeds, mask)

    def _text_walk(self, texts: Texts) -> Walk:
        encoder = self._pretrained.text_encoder
        words = super().prompt_words(texts.ids, self._tells)
        embeds, mask = after_token(encoder.class_token, words, texts.mask)
        return Walk(encoder, self.language_model.get_encoder().config, embeds, mask)

    def _encoded(self, sign: Walk, text: Walk) -> dict[str, tuple[Tensor, Tensor]]:
        """The last states of both encoders that each of ``LOSSES`` sees.

        sign, text : where the fusion begins; they stay there
        """
        fused = self.config.fused if self.config.fusion_layers else ()
        apart = together = (sign.states, text.states)
        if not set(LOSSES) <= set(fused):
            alone = sign.branch(), text.branch()
            for walk in alone:
                n_blocks = len(walk.stack.block)
                walk.layers(n_blocks - self.config.fusion_layers, n_blocks)
            apart = alone[0].end(), alone[1].end()
        if set(LOSSES) & set(fused):
            together = self._together(sign.branch(), text.branch())
        return {name: together if name in fused else apart for name in LOSSES}

    def _together(self, sign: Walk, text: Walk) -> tuple[Tensor, Tensor]:
        """The last states of both, each hearing the other; the walks end."""
        blocks = self.language_model.get_decoder().block
        first = len(blocks) - self.config.fusion_layers
        shared = [block.layer[1].EncDecAttention for block in blocks[first:]]
        return walk_together(sign, text, self._pretrained.fusion, shared)

    def _sign_features(self, states: Tensor, mask: Tensor, prompt: Prompt) -> Features:
        """states : shape (B, P + T, D), the class token's first; the prompt's do not count."""
        embedded = F.normalize(self._pretrained.sign_head(states), dim=-1)
        n_words = prompt.ids.shape[1]
        return Features(embedded[:, 0], embedded[:, n_words:], mask[:, n_words:].bool())

    def _text_features(self, states: Tensor, texts: Texts) -> Features:
        """states : shape (B, 1 + L, D), the class token's first."""
        head = self._pretrained.text_head
        pooled, there = pool_words(states[:, 1:], texts.words)
        whole = F.normalize(head(states[:, 0]), dim=-1)
        return Features(whole, F.normalize(head(pooled), dim=-1), there)

    def _local(self, of: Features, to: Features) -> Tensor:
        """Eq. 2.2 by Algorithm 1, (B, C)."""
        how = self.config.row, self.config.scoring
        return local_similarity(of.parts, of.mask, to.parts, to.mask, *how)

    def _grounds(
        self, states: tuple[Tensor, Tensor], sign_mask: Tensor, text_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What the SGT encoder attends to (Table 20), and which of it counts."""
        sign, text = states
        return (sign, sign_mask) if self.config.grounded_in == "sign" else (text, text_mask)

    def _pairs(self, texts: Texts, scores: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Clips and texts to be judged, (P,) both: the B true pairs first, then hard false ones.

        scores : sign to text, and text to sign, (B, B)
        """
        other_text, other_clip = (hard_negatives(s, texts.same, self.training) for s in scores)
        own = torch.arange(len(texts.same), device=texts.same.device)
        clips = torch.cat([own, own[other_text >= 0], other_clip[other_clip >= 0]])
        return clips, torch.cat([own, other_text[other_text >= 0], own[other_clip >= 0]])

    def _matching(
        self,
        sign: Walk,
        text: Walk,
        states: tuple[Tensor, Tensor],
        texts: Texts,
        pairs: tuple[Tensor, Tensor],
    ) -> Tensor:
        """The mean over pairs of the binary cross-entropy.

        sign, text : where the fusion begins; states : the last ones, of each clip with its own text
        pairs : of ``_pairs``
        """
        clips, rows = pairs
        if "pairs" in self.config.fused and self.config.fusion_layers:
            sign, text = sign.rows(clips), text.rows(rows)
            read, mask = self._grounds(self._together(sign, text), sign.mask, text.mask)
        else:
            read, mask = self._grounds(states, sign.mask, text.mask)
            read, mask = read[clips], mask[clips]
        words = super().prompt_words(texts.ids, self._tells)[rows]
        decoder = self.language_model.get_decoder()
        logits = self._pretrained.matching(decoder, words, texts.mask[rows], read, mask)
        n_true = len(texts.same)
        belongs = (torch.arange(len(rows), device=rows.device) < n_true).to(logits.dtype)
        return F.binary_cross_entropy_with_logits(logits, belongs)
