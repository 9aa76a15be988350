"""What differs from one source of keypoints to another, done to a training clip before all else.

WLASL's hand landmarks, a webcam's holistic ones and the rendered signer's differ in ways that have
nothing to do with signing: the picture's shape is not stored, the frame rate is another, hands
change places in the middle of a clip, the first frames show a hand of the clip before, hands are
lost, and one signer in ten is left-handed. Here each of these is a pure function of a sequence, of
any schema with hands; ``augment_source`` draws from all of them. ``augment.py`` and
``augment_clips.py`` change what the preprocessing has made; this comes before it, so that gaps are
filled, hands chosen and sizes measured as they would be on a bad clip.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from fingerpost.edge_runtime.keypoints import HANDS, KeypointSchema, PoseSequence, mirrored, to_view
from fingerpost.trainer.augment import sample_times
from fingerpost.trainer.clip_tables import Clip

FPS = (15.0, 60.0)  # of the cameras that there are
GHOST_FRAMES = (1, 4)  # at the start of a clip: as many as WLASL's reader looks for
LOST_RUN = 0.5  # at most, share of the clip for which a hand is lost in one piece
N_GHOSTS = 64  # clips of a corpus whose hands may haunt another
LOST_FRAMES = 0.3  # at most, share of the other frames in which it is lost


@dataclass(frozen=True)
class SourceAugment:
    """Probability of each, and 0, as all are by default, is never; of aspect, how much."""

    aspect: float = 0.0  # half-width of the change's natural logarithm: ln(4/3) = 0.29
    frame_rate: float = 0.0  # another rate, 15 to 60 frames a second
    swap: float = 0.0  # the hands change places in the middle of the clip
    ghost: float = 0.0  # the first frames hold another clip's hand
    drop: float = 0.0  # for each hand: it is lost in some of the frames
    left_handed: float = 0.0  # a mirror's picture, left and right exchanged

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value <= 1:
                raise ValueError(f"settings.sources.{name} is from 0 to 1, got {value}")

    @classmethod
    def from_table(cls, table: Mapping[str, float]) -> "SourceAugment":
        """Of a recipe's [settings.sources]; ValueError lists the names that there are."""
        unknown = sorted(set(table) - set(cls.__dataclass_fields__))
        if unknown:
            known = ", ".join(cls.__dataclass_fields__)
            raise ValueError(f"settings.sources has no {unknown[0]!r}; known: {known}")
        return cls(**table)


ALL = SourceAugment(aspect=0.29, frame_rate=0.5, swap=0.2, ghost=0.2, drop=0.3, left_handed=0.15)
NAMES = tuple(field.name for field in fields(SourceAugment))


def augment_source(
    sequence: PoseSequence,
    rng: np.random.Generator,
    settings: SourceAugment,
    ghosts: Sequence[PoseSequence] = (),
) -> PoseSequence:
    """A clip as another source might have given it; the same for the same state of ``rng``.

    ghosts : clips whose hands may haunt this one, of its schema; without any there are no ghosts
    """
    if len(sequence) == 0:
        raise ValueError("a clip without frames cannot be augmented; leave it out")
    wider = math.exp(rng.uniform(-1, 1) * settings.aspect)
    sequence = replace(sequence, aspect=sequence.aspect * wider)
    if rng.random() < settings.frame_rate:
        fps = float(np.exp(rng.uniform(*np.log(FPS))))
        sequence = at_frame_rate(sequence, fps, rng.random())
    if rng.random() < settings.swap:
        start, end = np.sort(rng.integers(0, len(sequence) + 1, 2))
        sequence = swap_hands(sequence, int(start), int(end))
    if ghosts and rng.random() < settings.ghost:
        other = ghosts[int(rng.integers(len(ghosts)))]
        n_frames = int(rng.integers(GHOST_FRAMES[0], GHOST_FRAMES[1] + 1))
        sequence = with_ghost(sequence, other, HANDS[rng.integers(2)], n_frames)
    for hand in HANDS:
        if rng.random() < settings.drop:
            sequence = lose_hand(sequence, hand, _lost(len(sequence), rng))
    return mirrored(sequence) if rng.random() < settings.left_handed else sequence


def ghosts_of(clips: Sequence[Clip], view: KeypointSchema) -> list[PoseSequence]:
    """Some clips, evenly out of all, whose hands may haunt others: the same for all processes."""
    chosen = np.unique(np.linspace(0, len(clips) - 1, N_GHOSTS).round().astype(int))
    return [to_view(clips[int(i)].sequence, view) for i in chosen]


def at_frame_rate(sequence: PoseSequence, fps: float, phase: float = 0.0) -> PoseSequence:
    """The clip as a camera of another rate sees it, by straight lines between its frames.

    fps : frames a second
    phase : 0 to 1, the time of the first frame in steps of the new rate

    A point that one of two frames has not seen is taken from the other. The last frame is kept
    where the new rate meets it, and at least one frame always is.
    """
    if not fps > 0:
        raise ValueError(f"expected a frame rate above 0, got {fps}")
    step, last = sequence.fps / fps, len(sequence) - 1  # frames
    at = np.arange(min(phase * step, last), last + 1e-6, step).clip(max=last)
    stored = np.concatenate([sequence.xyz, sequence.confidence[..., None]], axis=-1)
    frames = sample_times(torch.from_numpy(stored)[None], torch.from_numpy(at)[None])[0]
    even = frames.numpy().astype(np.float32)
    start_ms = sequence.start_ms + round(float(at[0]) * 1000 / sequence.fps)
    return replace(sequence, xyz=even[..., :3], confidence=even[..., 3], fps=fps, start_ms=start_ms)


def swap_hands(sequence: PoseSequence, start: int, end: int) -> PoseSequence:
    """The hands in each other's place from frame ``start`` to before ``end``, nothing mirrored.

    So does a detector whose hands come in the order in which they were found.
    """
    left, right = (sequence.schema.groups[hand] for hand in HANDS)
    xyz, confidence = sequence.xyz.copy(), sequence.confidence.copy()
    for changed, before in ((xyz, sequence.xyz), (confidence, sequence.confidence)):
        changed[start:end, left] = before[start:end, right]
        changed[start:end, right] = before[start:end, left]
    return replace(sequence, xyz=xyz, confidence=confidence)


def with_ghost(
    sequence: PoseSequence, other: PoseSequence, hand: str, n_frames: int
) -> PoseSequence:
    """The first frames with the hand that was seen last in another clip, standing still.

    A tracker that was not reset goes on looking where the hand was. The clip is unchanged where
    the other one has no hand.
    """
    if other.schema.name != sequence.schema.name:
        raise ValueError(
            f"a ghost of schema {other.schema.name} cannot be in a clip of {sequence.schema.name}"
        )
    points = [sequence.schema.groups[name] for name in (hand, *HANDS)]
    seen = next((p for p in points if other.confidence[:, p].any()), None)
    if seen is None:
        return sequence
    last = int(np.flatnonzero(other.confidence[:, seen].any(axis=1))[-1])
    xyz, confidence = sequence.xyz.copy(), sequence.confidence.copy()
    xyz[:n_frames, points[0]] = other.xyz[last, seen]
    confidence[:n_frames, points[0]] = other.confidence[last, seen]
    return replace(sequence, xyz=xyz, confidence=confidence)


def lose_hand(sequence: PoseSequence, hand: str, lost: np.ndarray) -> PoseSequence:
    """A hand not seen in some frames. lost : shape (T,), bool"""
    points = sequence.schema.groups[hand]
    xyz, confidence = sequence.xyz.copy(), sequence.confidence.copy()
    xyz[lost, points] = 0
    confidence[lost, points] = 0
    return replace(sequence, xyz=xyz, confidence=confidence)


def _lost(n_frames: int, rng: np.random.Generator) -> np.ndarray:
    """Shape (T,), bool: single frames, and one run."""
    lost = rng.random(n_frames) < rng.uniform(0, LOST_FRAMES)
    start = rng.integers(n_frames)
    lost[start : start + round(rng.uniform(0, LOST_RUN) * n_frames)] = True
    return lost
