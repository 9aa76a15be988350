"""Single signs from a pretrained MS-MAE: the encoder, a [CLS] token, and a linear layer.

"Improving Sign Language Understanding with a Multi-Stream Masked Autoencoder Trained on ASL
Videos", Sec. 4.2: fine-tuning reads the gloss off the learned [CLS] token that is put before all
others. The frozen probe of Sec. 4.2.2 reads it off the mean of all states instead (``pool``); the
recipe then holds the encoder still.

What the paper does not say: dropout before the linear layer.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from fingerpost.edge_runtime.keypoints import SIGN69, view_indices
from fingerpost.edge_runtime.preprocess_ms_mae import N_WITHOUT_FACE
from fingerpost.trainer.models.ms_mae import INIT_STD, MsMaeConfig, MsMaeEncoder, pack

POOLS = ("cls", "mean")
# Where the body's and the hands' points of msmae are in sign69.
OF_SIGN69 = tuple(view_indices("msmae", "sign69")[:N_WITHOUT_FACE].tolist())


@dataclass(frozen=True)
class MsMaeClassifierConfig:
    """n_labels : glosses; window : frames of a clip
    encoder : fields of ``MsMaeConfig``
    pool : cls = by the [CLS] token; mean = by the mean of all states
    dropout : before the linear layer
    """

    n_labels: int
    window: int = 32
    encoder: dict[str, Any] = field(default_factory=dict)
    pool: str = "cls"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.pool not in POOLS:
            raise ValueError(f"[model] pool {self.pool!r}; known: {', '.join(POOLS)}")


class MsMaeClassifier(nn.Module):
    """Keypoints (B, T, K, 4) to (B, V) logits.

    They are those of ``preprocess_ms_mae``, K = 48; or view sign69 as ``preprocess`` makes it, of
    which the same 48 points are taken. Both have the same numbers.
    """

    def __init__(self, config: MsMaeClassifierConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = MsMaeEncoder(encoder_config(config.encoder))
        if self.encoder.config.face:
            raise ValueError(
                "[model.encoder] face: single signs are read without a face (Sec. 4.2)"
            )
        width = self.encoder.config.width
        if config.pool == "cls":
            self.cls = nn.Parameter(torch.randn(width) * INIT_STD)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(width, config.n_labels)

    def train(self, mode: bool = True) -> "MsMaeClassifier":
        """As always; but an encoder that is held still is not disturbed by dropout either."""
        super().train(mode)
        if not any(parameter.requires_grad for parameter in self.encoder.parameters()):
            self.encoder.eval()
        return self

    def forward(self, keypoints: Tensor) -> Tensor:
        return self.head(self.dropout(self.features(keypoints)))

    def features(self, keypoints: Tensor) -> Tensor:
        """What the linear layer sees of each clip, (B, D)."""
        if keypoints.shape[2] == len(SIGN69):
            keypoints = keypoints[:, :, list(OF_SIGN69)]
        tokens = self.encoder.embed(keypoints).flatten(1, 2)  # (B, S N, D)
        packed = pack(tokens, self.encoder.seen(keypoints).flatten(1))
        if self.config.pool == "mean":
            states = self.encoder.encode(packed.tokens, packed.mask)
            if packed.real is None:
                return states.mean(dim=1)
            real = packed.real[..., None].to(states.dtype)
            return (states * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)
        first = self.cls.to(tokens.dtype).expand(len(tokens), 1, -1)
        mask = packed.real
        if mask is not None:
            mask = torch.cat([mask.new_ones(len(mask), 1), mask], dim=1)
        return self.encoder.encode(torch.cat([first, packed.tokens], dim=1), mask)[:, 0]


def encoder_config(fields: dict[str, Any]) -> MsMaeConfig:
    """Of a recipe's [model.encoder]; ValueError lists the fields that there are."""
    unknown = [name for name in fields if name not in MsMaeConfig.__dataclass_fields__]
    if unknown:
        known = ", ".join(MsMaeConfig.__dataclass_fields__)
        raise ValueError(f"[model.encoder] has no {', '.join(unknown)}; known: {known}")
    return MsMaeConfig(**fields)
