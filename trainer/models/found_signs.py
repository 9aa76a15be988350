"""Pre-training of the backbones on single signs (ISLR): three losses, and masked articulators.

"Lost in Translation, Found in Embeddings: Sign Language Translation and Alignment", Sec. 3.3, 4.2,
A.2 to A.4. A network has the pose backbone or the lip backbone; they are trained apart, and their
logits are added up 0.7 to 0.3 (``found_lips.fused``). Losses: cross-entropy; for poses that of each
articulator by itself through an auxiliary Conformer and the same classifier; contrastive against
the language model's words. Each has a switch, for Table 2.

The text that we have has lost the equations. Ours:
- the auxiliary loss is the mean over articulators; one that is not seen in a clip does not count;
- contrastive: with s_ij the cosine of clip i and the word of clip j over the temperature, and w_j
  one over how many clips of the batch show that sign, the loss is
  sum_i w_i (log sum_j w_j exp s_ij - s_ii) / sum_i w_i: each sign counts once on both sides;
- the total is the plain sum of the three;
- articulators are masked for the classifier's and the contrastive loss, not for the auxiliary one.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fingerpost.edge_runtime.keypoints import GROUPS
from fingerpost.trainer.models.fast_linear import fast_linears
from fingerpost.trainer.models.found_conformer import Conformer
from fingerpost.trainer.models.found_lips import LipBackbone
from fingerpost.trainer.models.found_poses import PoseBackbone, masked_articulators, pose_config

TEMPERATURE = 0.1  # Sec. 4.2
SHARED_WIDTH = 256  # of the space in which clips and words are compared; the paper's is lost


@dataclass(frozen=True)
class FoundSignsConfig:
    """n_labels : glosses
    poses : fields of ``PoseBackboneConfig``; the lip backbone has its Conformer's sizes too
    lips : numbers that a frame's lips are given as; above 0 it is a lip backbone, else one of poses
    word_width : of the language model's embeddings; 0 = no contrastive loss
    auxiliary, masking : the other two switches of Table 2; joint_aggregation is one of ``poses``
    """

    n_labels: int
    poses: dict[str, Any] = field(default_factory=dict)
    lips: int = 0
    word_width: int = 0
    auxiliary: bool = True
    masking: bool = True
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        pose_config(self.poses)
        if self.n_labels < 1 or self.lips < 0 or self.word_width < 0:
            raise ValueError("[model] labels are at least 1; lips and word_width 0 or more")


class SignLosses(NamedTuple):
    """Each a scalar; 0 where it is switched off."""

    classification: Tensor
    auxiliary: Tensor
    contrastive: Tensor


class FoundSigns(nn.Module):
    """(B, T, K, 4) keypoints, or (B, T, W) features of lips, to (B, n_labels) or to losses."""

    words: Tensor

    def __init__(self, config: FoundSignsConfig) -> None:
        super().__init__()
        self.config = config
        sizes = pose_config(config.poses)
        self.poses = None if config.lips else PoseBackbone(sizes)
        self.lips = LipBackbone(config.lips, sizes) if config.lips else None
        self.head = nn.Linear(sizes.width, config.n_labels)
        self.auxiliary: Conformer | None = None
        if config.auxiliary and not config.lips:
            self.auxiliary = Conformer(sizes.articulator_width, sizes.conformer)
        self.register_buffer("words", torch.zeros(config.n_labels, config.word_width))
        if config.word_width:  # Table A.3
            self.of_clip = _projector(sizes.width)
            self.of_word = _projector(config.word_width)
        fast_linears(self)

    def forward(
        self,
        keypoints: Tensor,
        labels: Tensor | None = None,
        lips: Tensor | None = None,
    ) -> "Tensor | SignLosses":
        """Logits (B, n_labels); with labels (B,), the losses.

        keypoints : shape (B, T, K, 4) of ``preprocess_found``, all clips of T frames; a lip
            backbone does not look at them
        lips : shape (B, T, W)
        """
        streams, features = None, None
        if self.poses is not None:
            there = keypoints.new_ones(keypoints.shape[:2])
            streams = self.poses.articulators(keypoints, there)  # (B, T, 4, D)
            hidden = self.training and self.config.masking and labels is not None
            features = self.poses.pool(masked_articulators(streams) if hidden else streams, there)
        elif self.lips is not None:
            if lips is None:
                raise ValueError("a lip backbone needs features of lips; give settings.lips")
            features = self.lips.pool(lips, lips.new_ones(lips.shape[:2]))
        assert features is not None
        logits = self.head(features)
        if labels is None:
            return logits
        nothing = logits.new_zeros(())
        auxiliary = contrastive = nothing
        if self.auxiliary is not None and streams is not None and self.poses is not None:
            seen = self._seen(keypoints)
            auxiliary = self._auxiliary(streams, seen, labels)
        if self.config.word_width:
            texts = self.of_word(self.words[labels])
            contrastive = contrastive_loss(self.of_clip(features), texts, labels)
        smoothing = self.config.label_smoothing
        classified = F.cross_entropy(logits.float(), labels, label_smoothing=smoothing)
        return SignLosses(classified, auxiliary, contrastive)

    def _seen(self, keypoints: Tensor) -> Tensor:
        """Which articulators are seen in each clip, (B, 4) of 0 and 1."""
        assert self.poses is not None
        groups = self.poses.view.groups
        seen = [(keypoints[:, :, groups[name], 3] > 0).flatten(1).any(dim=1) for name in GROUPS]
        return torch.stack(seen, dim=1).to(keypoints.dtype)

    def _auxiliary(self, streams: Tensor, seen: Tensor, labels: Tensor) -> Tensor:
        """Each articulator's cross-entropy by itself, the mean over those that are seen."""
        assert self.auxiliary is not None
        b, t, n, d = streams.shape
        alone = streams.transpose(1, 2).reshape(b * n, t, d)
        features = self.auxiliary.pool(alone, alone.new_ones(b * n, t))
        logits = self.head(features).float()
        each = F.cross_entropy(logits, labels.repeat_interleave(n), reduction="none").view(b, n)
        return (each * seen).sum() / seen.sum().clamp(min=1)


def contrastive_loss(
    clips: Tensor, words: Tensor, labels: Tensor, temperature: float = TEMPERATURE
) -> Tensor:
    """The equation above, a scalar; clips, words : shape (B, E); labels : (B,)."""
    scores = F.normalize(clips.float(), dim=-1) @ F.normalize(words.float(), dim=-1).T / temperature
    same = labels[:, None] == labels
    weights = 1 / same.sum(dim=1).to(scores.dtype)  # (B,)
    others = (scores + weights.log()).logsumexp(dim=1)
    return (weights * (others - scores.diagonal())).sum() / weights.sum()


def _projector(n_in: int) -> nn.Sequential:
    """Two linear layers with ReLU between them, Table A.3."""
    return nn.Sequential(
        nn.Linear(n_in, SHARED_WIDTH), nn.ReLU(), nn.Linear(SHARED_WIDTH, SHARED_WIDTH)
    )
