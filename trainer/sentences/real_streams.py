"""Continuous streams of real motion with their truth: spliced sentences, and idle hands.

    streams = make_real_streams(read_real_signs(shards), minutes=10)
    idle = make_idle_stream([clip.sequence for clip in shards_of_idle_clips], minutes=5)

As ``streams.make_streams``, but nobody's body is seen where the clips are of hands alone. Between
two parts no hand is seen: there the signer has lowered them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import cycle

import numpy as np

from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence, to_view
from fingerpost.edge_runtime.preprocess import hands_alone
from fingerpost.edge_runtime.resample import resample
from fingerpost.trainer.sentences.real_signs import (
    SPLITS,
    RealSigns,
    in_one_picture,
    make_sentence,
)
from fingerpost.trainer.signer import concatenate, fidget, random_signer
from fingerpost.trainer.signer_corpus import FPS
from fingerpost.trainer.streams import (
    BETWEEN_MS,
    FIDGETS,
    IDLE_SHARE,
    LEAD_MS,
    STREAM_S,
    TAIL_MS,
    SignedSentence,
    Stream,
    check_minutes,
)

_SEED = 7  # apart from the other streams' random numbers


@dataclass(frozen=True)
class Part:
    """What is done between two pauses. signs : (gloss, start_ms, end_ms) from its first frame"""

    sequence: PoseSequence
    text: str = ""
    signs: tuple[tuple[str, int, int], ...] = ()


def make_real_streams(
    signs: RealSigns, minutes: float, seed: int = 0, split: str = "test"
) -> list[Stream]:
    """Streams of spliced sentences that are so long together, at least, seeded one by one.

    split : whose clips and sentences they are of: val or test; train shows what is known by heart
    """
    check_minutes(minutes, seed, split)
    streams: list[Stream] = []
    left_ms = minutes * 60_000
    while left_ms > 0:
        rng = np.random.default_rng([_SEED, seed, SPLITS.index(split), len(streams)])
        parts = _parts(signs, split, min(left_ms, STREAM_S * 1000), rng)
        streams.append(join_parts(parts, rng))
        left_ms -= streams[-1].duration_ms
    return streams


def make_idle_stream(sequences: Sequence[PoseSequence], minutes: float, seed: int = 0) -> Stream:
    """Clips in which nobody says anything, one after the other, again and again.

    Their bodies stay, for a webcam sees them. ValueError where there is no clip.
    """
    if not sequences:
        raise ValueError("there is no clip in which nobody signs; give some shards with such clips")
    check_minutes(minutes, seed, "test")
    parts: list[Part] = []
    left_ms = minutes * 60_000
    for sequence in cycle(sequences):
        view = to_view(sequence, SIGN69)
        parts.append(Part(view if view.fps == FPS else resample(view, FPS)))
        left_ms -= parts[-1].sequence.duration_ms
        if left_ms <= 0:
            break
    return join_parts(parts, np.random.default_rng([_SEED, seed]), pauses=False)


def join_parts(parts: Sequence[Part], rng: np.random.Generator, pauses: bool = True) -> Stream:
    """One stream of parts at ``FPS`` frames a second. pauses : in which no hand is seen"""
    step_ms = 1000 / FPS
    frames: list[np.ndarray] = []  # (n, 69, 4)
    sentences, idle, done = [], [], 0
    for part in parts:
        if pauses:
            ms = int(rng.integers(*LEAD_MS)) + int(rng.integers(*TAIL_MS)) + BETWEEN_MS
            frames.append(np.zeros((round(ms / step_ms), len(SIGN69), 4), np.float32))
            done += len(frames[-1])
        start_ms = round(done * step_ms)
        sequence = part.sequence
        frames.append(np.concatenate([sequence.xyz, sequence.confidence[..., None]], axis=-1))
        done += len(sequence)
        if part.signs:
            signs = tuple((g, a + start_ms, b + start_ms) for g, a, b in part.signs)
            sentences.append(SignedSentence(part.text, signs))
        else:
            idle.append((start_ms, round(done * step_ms)))
    if pauses:
        frames.append(np.zeros((round(TAIL_MS[1] / step_ms), len(SIGN69), 4), np.float32))
    values = np.concatenate(frames)
    whole = replace(
        parts[0].sequence,
        xyz=np.ascontiguousarray(values[..., :3]),
        confidence=np.ascontiguousarray(values[..., 3]),
        fps=FPS,
        start_ms=0,
    )
    return Stream(
        tuple(whole.frames()), SIGN69, whole.aspect, tuple(sentences), tuple(idle), tempo=1.0
    )


def _parts(
    signs: RealSigns, split: str, at_least_ms: float, rng: np.random.Generator
) -> list[Part]:
    parts: list[Part] = []
    while sum(part.sequence.duration_ms + BETWEEN_MS for part in parts) <= at_least_ms:
        idle = bool(parts) and rng.random() < IDLE_SHARE
        parts.append(_idle_part(rng) if idle else _sentence_part(signs, split, rng))
    return parts


def _sentence_part(signs: RealSigns, split: str, rng: np.random.Generator) -> Part:
    clip = make_sentence(signs, split, rng)
    named = zip(clip.glosses, clip.spans, strict=True)
    return Part(clip.sequence, clip.text, tuple((g, a, b) for g, (a, b) in named))


def _idle_part(rng: np.random.Generator) -> Part:
    """The rendered signer's hands, for real clips of hands show signs alone."""
    signer = random_signer(rng)
    fidgets = [fidget(None, signer, rng) for _ in range(int(rng.integers(*FIDGETS)))]
    sequence = concatenate(fidgets, BETWEEN_MS).keypoints(FPS, noise=rng)
    return Part(hands_alone(in_one_picture(sequence)))
