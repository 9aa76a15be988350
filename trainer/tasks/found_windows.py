"""Windows of signing around a subtitle, and where it was said to be before anybody aligned it.

"Lost in Translation, Found in Embeddings: Sign Language Translation and Alignment", Sec. 4.2
(inference): to translate, the window is centred on the sentence; to align, on the middle of the
time that the subtitle had before, here called its prior.

The paper takes priors from subtitles that are in time with a voice. Where a corpus has none, a
prior is drawn: the true times, shifted by up to ``shift_s`` and made longer or shorter by up to a
half, so that the middle of the window says little. At the ends of a clip the window moves
inwards, as in ``subtitles/windows.py``.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from fingerpost.trainer.shards import Clip
from fingerpost.trainer.subtitles.digits import LARGEST
from fingerpost.trainer.tasks.found_features import Key
from fingerpost.trainer.tasks.found_settings import CUE, SPOKEN_CUE

Frames = tuple[float, float] | None  # the first, and the one after the last; fractions allowed
STRETCH = 0.4  # natural logarithm: a prior is up to 1.5 times as long, or as short


@dataclass(frozen=True)
class Question:
    """kind : text or spans; truth : the sentence, or nothing where it is drawn with a window"""

    kind: str
    truth: str = ""


@dataclass(frozen=True)
class PreparedStretch:
    """A sentence with what is signed before and after it.

    keypoints : (T, K, 4) float16 of ``preprocess_found``; (0, K, 4) where features are known
    n_frames : T
    span : frames, first and the one after the last, fractions allowed; None where nobody knows
    spoken : likewise, when the subtitle was spoken; it may be before the first frame
    lips : (T, W) float16; None where there are none
    glosses : (N,) tokens
    of_frame : (T,) the token that each frame shows; (0,) where nobody knows
    key : of its features by a backbone that does not learn; None where there is none such
    step : frames from one of them to the next; windows begin at one
    """

    id: str
    signer: str
    text: str
    text_language: str
    keypoints: np.ndarray
    n_frames: int
    span: tuple[float, float] | None
    spoken: tuple[float, float] | None
    questions: tuple[Question, ...]
    lips: np.ndarray | None
    glosses: np.ndarray
    of_frame: np.ndarray
    key: Key | None = None
    step: int = 1


class Asked(NamedTuple):
    """A question about a window of a stretch.

    window : its frames
    span : of the subtitle in the window, whole frames; None where the question is another
    prior : likewise; None where it is not told
    """

    stretch: PreparedStretch
    kind: str
    window: slice
    span: tuple[int, int] | None = None
    prior: tuple[int, int] | None = None


def times_of(clip: Clip, fps: float, n_frames: int) -> tuple[Frames, Frames]:
    """When a clip's sentence is signed, and was spoken, in frames; None where nobody knows.

    A sentence that is not signed within the clip's n_frames is nowhere.
    """
    times = [(start * fps / 1000, end * fps / 1000) for start, end in clip.spans]
    if not times:
        return None, None
    known = clip.glosses == (CUE, SPOKEN_CUE)
    span = times[0] if known else (times[0][0], times[-1][1])
    inside = within(*span, slice(0, n_frames)) is not None
    return (span if inside else None), (times[1] if known else None)


def ask_for_text(stretch: PreparedStretch, n_window: int) -> Asked:
    """The window is centred on the sentence, or on the stretch where its times are not known."""
    start, end = stretch.span or (0, stretch.n_frames)
    return Asked(stretch, "text", _window(stretch, (start + end) / 2, n_window))


def ask_for_span(
    stretch: PreparedStretch,
    n_window: int,
    shift: float,
    draw: np.random.Generator,
    tells_prior: float,
) -> Asked | None:
    """The window is centred on the prior; None where the sentence's times are not known.

    shift : the middle of a prior that is drawn is at most so many frames off
    tells_prior : probability that the prompt says where the prior is
    """
    if stretch.span is None:
        return None
    start, end = stretch.span
    middle = (start + end) / 2 + draw.uniform(-shift, shift)
    half = (end - start) / 2 * np.exp(draw.uniform(-STRETCH, STRETCH))
    if stretch.spoken is not None:
        middle, half = sum(stretch.spoken) / 2, (stretch.spoken[1] - stretch.spoken[0]) / 2
    window = _window(stretch, middle, n_window)
    span = within(start, end, window)
    if span is None:  # the prior was a whole window off, or the clip has too little around it
        window = _window(stretch, (start + end) / 2, n_window)
        span = within(start, end, window)
    if span is None:
        return None
    told = draw.random() < tells_prior
    prior = within(middle - half, middle + half, window) if told else None
    return Asked(stretch, "spans", window, span, prior)


def _window(stretch: PreparedStretch, middle: float, n_window: int) -> slice:
    return window_at(middle, stretch.n_frames, n_window, stretch.step)


def window_at(middle: float, n_frames: int, n_window: int, step: int = 1) -> slice:
    """So many frames around the middle, inside the clip: fewer where the clip is shorter.

    step : it begins at a multiple of this
    """
    first = min(max(round(middle - n_window / 2), 0), max(n_frames - n_window, 0))
    first -= first % step
    return slice(first, min(first + n_window, n_frames))


def within(start: float, end: float, window: slice) -> tuple[int, int] | None:
    """Times in frames of the clip as whole frames of a window; None where none is inside."""
    n = min(window.stop - window.start, LARGEST)
    first, last = (min(max(round(at - window.start), 0), n) for at in (start, end))
    return (first, last) if first < last else None


def features_of(asked: Sequence[Asked], kept: Mapping[Key, np.ndarray]) -> Tensor:
    """Of each row the features of its window, (R, N, W) float32, zeros after the last."""
    cut = []
    for one in asked:
        assert one.stretch.key is not None
        features, step = kept[one.stretch.key], one.stretch.step
        part = features[one.window.start // step : -(-one.window.stop // step)]
        cut.append(torch.from_numpy(part.astype(np.float32)))
    return pad_sequence(cut, batch_first=True)


def same_draw(clip_id: str) -> np.random.Generator:
    """What is drawn for a clip of validation: the same each time."""
    return np.random.default_rng(zlib.crc32(clip_id.encode()))
