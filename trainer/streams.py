"""Continuous streams of the rendered signer, as a live translator meets them, with their truth.

Sentences that training never saw, pauses between them, and parts in which the hands move and say
nothing. Each stream is one person before one camera; a test has many of them. Seeded stream by
stream: stream 3 is the same whatever the number of streams.
"""

from dataclasses import dataclass

import numpy as np

from fingerpost.edge_runtime.keypoints import KeypointFrame, KeypointSchema
from fingerpost.trainer.signer import (
    Performance,
    Signer,
    concatenate,
    fidget,
    random_camera,
    random_signer,
    sign_sentence,
)
from fingerpost.trainer.signer_corpus import FPS, TEXT_LANGUAGE, random_sentence

STREAM_S = 25  # a stream ends with the part that comes to this length
LEAD_MS = (300, 900)  # at rest before a sentence ...
TAIL_MS = (600, 2400)  # ... and after it
BETWEEN_MS = 400  # more, between any two parts
IDLE_SHARE = 0.3  # chance that a part is idle; the first never is
FIDGETS = (2, 5)  # of an idle part, one after the other
_SEED = 6  # apart from the corpora's random numbers


@dataclass(frozen=True)
class SignedSentence:
    """text : what it means; signs : (gloss, start_ms, end_ms), without the ways between

    timed : whether these are the times of the signs; else they are those of the whole sentence
    """

    text: str
    signs: tuple[tuple[str, int, int], ...]
    timed: bool = True

    @property
    def glosses(self) -> tuple[str, ...]:
        return tuple(gloss for gloss, _, _ in self.signs)

    @property
    def start_ms(self) -> int:
        """Of its first sign."""
        return self.signs[0][1]

    @property
    def end_ms(self) -> int:
        """Of its last sign, the hold included: then the hands go to rest."""
        return self.signs[-1][2]


@dataclass(frozen=True)
class Stream:
    """One person before one camera.

    frames : as a landmarker gives them, of `schema`
    aspect : width over height of the picture
    sentences : in order of time
    idle : (start_ms, end_ms) in which hands move and say nothing, in order of time
    tempo : of the signer; 1 is unhurried, larger is faster
    """

    frames: tuple[KeypointFrame, ...]
    schema: KeypointSchema
    aspect: float
    sentences: tuple[SignedSentence, ...]
    idle: tuple[tuple[int, int], ...]
    tempo: float
    text_language: str = TEXT_LANGUAGE

    @property
    def duration_ms(self) -> int:
        return self.frames[-1].time_ms - self.frames[0].time_ms

    @property
    def idle_ms(self) -> int:
        return sum(end - start for start, end in self.idle)


def make_streams(
    minutes: float,
    seed: int = 0,
    split: str = "test",
    fps: float = FPS,
    dropped: float = 0.0,
    idle: float = IDLE_SHARE,
) -> list[Stream]:
    """Streams that are so long together, at least; each has a signer and a camera of its own.

    split : that its sentences are of: val or test; train shows what a model knows by heart
    dropped : share of the frames that are lost, 0 to 0.9, so that the others come unevenly
    idle : chance that a part but the first is idle, 0 to 1
    """
    check_minutes(minutes, seed, split)
    if not 0 <= dropped <= 0.9:
        raise ValueError(f"the share of dropped frames is from 0 to 0.9, got {dropped:g}")
    if not 1 <= fps <= 120:
        raise ValueError(f"fps is frames a second, from 1 to 120, got {fps:g}")
    streams: list[Stream] = []
    left_ms = minutes * 60_000
    while left_ms > 0:
        rng = np.random.default_rng([_SEED, seed, len(streams)])
        at_least_ms = min(left_ms, STREAM_S * 1000)
        streams.append(_make_stream(at_least_ms, split, fps, dropped, idle, rng))
        left_ms -= streams[-1].duration_ms
    return streams


def check_minutes(minutes: float, seed: int, split: str) -> None:
    """ValueError, in one line, for what no stream can be made of."""
    if not 0 < minutes <= 600:
        raise ValueError(f"minutes of stream are above 0 and at most 600, got {minutes:g}")
    if split not in ("train", "val", "test"):
        raise ValueError(f"unknown split {split!r}; known: train, val, test")
    if seed < 0:
        raise ValueError(f"a seed is 0 or above, got {seed}")


def _make_stream(
    at_least_ms: float,
    split: str,
    fps: float,
    dropped: float,
    idle_share: float,
    rng: np.random.Generator,
) -> Stream:
    """Parts of one signer until they are long enough."""
    signer = random_signer(rng)
    parts: list[Performance] = []
    texts: list[str] = []
    while sum(part.duration_ms + BETWEEN_MS for part in parts) <= at_least_ms + BETWEEN_MS:
        if parts and rng.random() < idle_share:
            part, text = _idle_part(signer, rng), ""
        else:
            part, text = _sentence_part(signer, split, rng)
        parts.append(part)
        texts.append(text)
    sentences, idle = _truth(parts, texts)
    sequence = concatenate(parts, BETWEEN_MS).keypoints(fps, random_camera(rng), noise=rng)
    kept = rng.random(len(sequence)) >= dropped
    kept[[0, -1]] = True
    return Stream(
        tuple(frame for frame, keep in zip(sequence.frames(), kept, strict=True) if keep),
        sequence.schema,
        sequence.aspect,
        sentences,
        idle,
        signer.style.tempo,
    )


def _idle_part(signer: Signer, rng: np.random.Generator) -> Performance:
    n_fidgets = int(rng.integers(*FIDGETS))
    return concatenate([fidget(None, signer, rng) for _ in range(n_fidgets)], BETWEEN_MS)


def _sentence_part(signer: Signer, split: str, rng: np.random.Generator) -> tuple[Performance, str]:
    phrase = random_sentence(split, rng)
    lead_ms, tail_ms = int(rng.integers(*LEAD_MS)), int(rng.integers(*TAIL_MS))
    return sign_sentence(phrase.glosses, signer, rng, lead_ms, tail_ms), phrase.text


def _truth(
    parts: list[Performance], texts: list[str]
) -> tuple[tuple[SignedSentence, ...], tuple[tuple[int, int], ...]]:
    """Sentences and idle spans of parts as ``concatenate`` joins them."""
    sentences, idle, start = [], [], 0
    for part, text in zip(parts, texts, strict=True):
        end = start + part.duration_ms
        if part.spans:
            signs = tuple((gloss, a + start, b + start) for gloss, a, b in part.spans)
            sentences.append(SignedSentence(text, signs))
        else:
            idle.append((start, end))
        start = end + BETWEEN_MS
    return tuple(sentences), tuple(idle)
