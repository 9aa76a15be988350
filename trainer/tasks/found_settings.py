"""What a training of translation and subtitle alignment can set, and the words of its prompts.

The task is ``tasks/found.py``, after "Lost in Translation, Found in Embeddings: Sign Language
Translation and Alignment", Sec. 3.2 and 4.2. The paper's prompts are not in the text that we have;
these words are ours.
"""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor

from fingerpost.trainer.augment import AugmentSettings
from fingerpost.trainer.models.found_poses import VIEWS
from fingerpost.trainer.subtitles.digits import LARGEST, span_text

KINDS = {"text": "text.bleu4", "spans": "spans.f1_50"}  # and how each is judged
CUE = "<cue>"  # the gloss of a clip of which only the subtitle's times are known
SPOKEN_CUE = "<spoken cue>"  # a second one, whose span is when the subtitle was spoken
WHEN = "In which frames is this signed: {text}"
SPOKEN = " It was spoken in {prior}."
DIGITS = "0123456789-"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """asks : text, spans (of subtitles) or both; the first says by which figure weights are chosen
    spans_share : of the samples to learn from, where both are asked
    view : of the keypoints, as in [model.poses]
    fps, window_s : of the windows
    shift_s : how far off a prior is at most, where one has to be drawn
    tells_prior : how often the prompt says when a subtitle was spoken
    align : weight of the term that asks latents for glosses; 0 = none
    poses_from : a training whose pose backbone is taken and does not learn; what it makes of a clip
        is worked out once (``found_features``). Name ``poses.`` in the recipe's frozen
    lips : folder of lip features, <clip id>.npy of (T, W), a row for each frame at ``fps``
    tokenizer, pieces, beams, max_tokens : as for the task translation
    augment : changes to ``AugmentSettings``; none = windows are left as they are
    """

    asks: tuple[str, ...] = ("text", "spans")
    spans_share: float = 0.2
    view: str = "found203"
    fps: float = 25.0
    window_s: float = 20.0
    shift_s: float = 5.0
    tells_prior: float = 0.5
    align: float = 0.0
    poses_from: str = ""
    lips: str = ""
    tokenizer: str = ""
    pieces: int = 2000
    beams: int = 5
    max_tokens: int = 100
    augment: dict[str, float] | None = None


def prompt_for_span(text: str, prior: tuple[int, int] | None) -> str:
    """What is asked of a window in which a subtitle is to be placed. prior : frames of it"""
    spoken = SPOKEN.format(prior=span_text(*prior)) if prior else ""
    return WHEN.format(text=text) + spoken


def augment_of(settings: Settings) -> AugmentSettings | None:
    """None where windows are left as they are; ValueError that lists the names that there are."""
    if settings.augment is None:
        return None
    try:
        return AugmentSettings(**settings.augment)
    except TypeError as error:
        known = ", ".join(AugmentSettings.__dataclass_fields__)
        raise ValueError(f"settings.augment: {error}; known: {known}") from error


def read_lips(folder: str, clip_id: str, n_frames: int) -> np.ndarray | None:
    """Features of a clip's lips, (T, W) float16; None where no folder is named.

    ValueError, in one line, where there are none of this clip, or of another number of frames.
    """
    if not folder:
        return None
    path = Path(folder) / f"{clip_id}.npy"
    if not path.is_file():
        raise ValueError(f"settings.lips: no {path}; make the features of all clips")
    lips = np.load(path, allow_pickle=False)
    if lips.ndim != 2 or len(lips) != n_frames:
        raise ValueError(
            f"{path}: expected a row of lips for each of {n_frames} frames, got {lips.shape}"
        )
    return lips.astype(np.float16)


def digit_tokens(tokenizer: Any) -> Tensor:
    """Shape (11,): the tokens of the digits 0 to 9, and of the dash between start and end."""
    tokens = tokenizer.convert_tokens_to_ids(list(DIGITS))
    if None in tokens or tokenizer.unk_token_id in tokens or len(set(tokens)) < len(DIGITS):
        raise ValueError(
            "the tokenizer has no piece of its own for each digit and for '-'; give Flan-T5's, or "
            "set settings.tokenizer=learned"
        )
    return torch.tensor(tokens)


def check_settings(settings: Settings) -> None:
    """ValueError, in one line, for what cannot be."""
    unknown = [kind for kind in settings.asks if kind not in KINDS]
    if unknown or not settings.asks:
        raise ValueError(f"settings.asks: {list(settings.asks)}; known: {', '.join(KINDS)}")
    if settings.poses_from and settings.augment is not None:
        raise ValueError(
            "settings.augment changes keypoints, and settings.poses_from looks at each clip once; "
            "leave one of them out"
        )
    if settings.view not in VIEWS:
        raise ValueError(f"settings.view: {settings.view!r}; known: {', '.join(VIEWS)}")
    limits = {
        "spans_share": 0 <= settings.spans_share <= 1,
        "tells_prior": 0 <= settings.tells_prior <= 1,
        "fps": 1 <= settings.fps <= 120,
        "window_s": 1 <= settings.fps * settings.window_s <= LARGEST,
        "shift_s": settings.shift_s >= 0,
        "align": settings.align >= 0,
    }
    for name, sound in limits.items():
        if not sound:
            raise ValueError(
                f"settings.{name} cannot be {getattr(settings, name)!r}: shares are from 0 to 1, "
                "and a window has at most 999 frames"
            )
