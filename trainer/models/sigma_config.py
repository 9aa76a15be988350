"""The settings of ``sigma``, and what its network is given and gives.

Every switch of the paper's tables is a field here or a key of a recipe; docs/sigma.md lists them.
"""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from fingerpost.trainer.models.sigma_alignment import ROWS, SCORINGS
from fingerpost.trainer.models.uni_sign import UniSignConfig

LOSSES = ("alignment", "matching", "language")
FUSED = (*LOSSES, "pairs")


@dataclass(frozen=True)
class SigmaConfig(UniSignConfig):
    """What is needed to build the network; the fields of Uni-Sign's, and these.

    pretraining : whether it has what only the pre-training needs; the task says so
    fusion_layers : N of SignEF, 2 for rows of glosses and sentences, 5 for single signs; 0 = none
    fused : of ``LOSSES``, those that see a clip fused with its own text; or "pairs" in place of
        "matching": each clip fused with the text that it is judged with (see ``sigma``)
    alpha : share of the local loss in the alignment's, Eq. 4
    beta : share of the language loss in the SGT encoder's, Eq. 5
    row, scoring : of ``ROWS`` (Table 16) and ``SCORINGS`` (Tables 17 and 18)
    grounded_in : sign or text, whose features the SGT encoder attends to (Table 20)
    embed_width : of the features that are compared, E
    """

    pretraining: bool = False
    fusion_layers: int = 2
    fused: tuple[str, ...] = LOSSES
    alpha: float = 0.5
    beta: float = 0.5
    row: str = "max"
    scoring: str = "softmax"
    grounded_in: str = "sign"
    embed_width: int = 256


class Texts(NamedTuple):
    """The texts of B clips, to be compared with their signing.

    ids, mask : shape (B, L); words : (B, L), of ``words_of_tokens``
    same : shape (B, B), bool, which of them are the same text
    """

    ids: Tensor
    mask: Tensor
    words: Tensor
    same: Tensor


class Features(NamedTuple):
    """What clips or texts are compared by, all of length 1.

    whole : shape (B, E), of the class token
    parts : shape (B, N, E), of frames or words; mask : (B, N), bool, those that there are
    """

    whole: Tensor
    parts: Tensor
    mask: Tensor


class SigmaLosses(NamedTuple):
    """The terms of the pre-training's loss, weighted: their sum is L_HAL + L_SGT.

    whole, local : of Eq. 4; matching, language : of Eq. 5
    """

    whole: Tensor
    local: Tensor
    matching: Tensor
    language: Tensor


def check_config(config: SigmaConfig) -> None:
    """ValueError, in one line, for settings that cannot be."""
    known = {"row": ROWS, "scoring": SCORINGS, "grounded_in": ("sign", "text")}
    for name, names in known.items():
        if getattr(config, name) not in names:
            raise ValueError(f"model.{name}: {getattr(config, name)!r}; known: {', '.join(names)}")
    unknown = [name for name in config.fused if name not in FUSED]
    if unknown:
        raise ValueError(f"model.fused: {unknown[0]!r}; known: {', '.join(FUSED)}")
    if {"matching", "pairs"} <= set(config.fused):
        raise ValueError("model.fused: matching and pairs are two ways of one; name one of them")
    for name in ("alpha", "beta"):
        if not 0 <= getattr(config, name) <= 1:
            raise ValueError(f"model.{name}: {getattr(config, name)!r} is not from 0 to 1")
    if config.embed_width < 1:
        raise ValueError(f"model.embed_width: {config.embed_width!r} is below 1")
    if config.rgb:
        raise ValueError("model.rgb: Sigma reads keypoints alone; leave it out")
