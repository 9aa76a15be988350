"""Clips of single signs, spliced into sentences of which it is known when each sign is signed.

    sentence = splice(clips, np.random.default_rng(0))  # a Clip with spans

Of every clip the *active part* is kept, without the hands' way up and down; each is signed faster
than in a dictionary, and a hand goes from the end of one sign to the start of the next on the
trajectory of least jerk, which is what human hands do (Flash & Hogan, The coordination of arm
movements, J. Neurosci. 5, 1985). The first clip's way up and the last one's way down stay.

What it is not: signs do not change with their neighbours as in real signing, and nobody's face says
anything. It is real motion, of a sentence that nobody signed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fingerpost.edge_runtime.keypoints import HANDS, PoseSequence
from fingerpost.edge_runtime.preprocess import SHOULDERS_PER_PALM, fill_gaps, palm_lengths, trim
from fingerpost.edge_runtime.resample import resample
from fingerpost.trainer.clip_tables import Clip

SPEED_FRAMES = 3  # the speed at a sign's end is measured over so many steps: one is too noisy


@dataclass(frozen=True)
class SpliceSettings:
    """What a spliced sentence is like. Pairs are ranges to draw from evenly.

    fps : frames a second of the sentence
    tempo : signs of a dictionary are signed slower than those of a sentence, by about this factor
    risen : a hand is at its sign once it has come so much of its way up, as a share
    min_rise : shoulder widths; a shorter way up is part of the sign
    way_ms, way_ms_a_width : a transition lasts so long, and so much longer for every shoulder width
    way_spread : standard deviation of the logarithm of that time
    max_way_ms : and no longer
    """

    fps: float = 25.0
    tempo: tuple[float, float] = (1.2, 2.4)
    risen: float = 0.7
    min_rise: float = 0.25
    way_ms: float = 120.0
    way_ms_a_width: float = 160.0
    way_spread: float = 0.2
    max_way_ms: float = 600.0

    def __post_init__(self) -> None:
        if not 1 <= self.fps <= 1000:
            raise ValueError(f"fps is frames a second, from 1 to 1000, got {self.fps:g}")
        if not 0.1 <= self.tempo[0] <= self.tempo[1] <= 10:
            raise ValueError(f"tempo is from 0.1 to 10, the lower one first, got {self.tempo}")
        if not 0 <= self.risen <= 1:
            raise ValueError(f"risen is a share from 0 to 1, got {self.risen:g}")
        times = self.min_rise, self.way_ms, self.way_ms_a_width, self.way_spread, self.max_way_ms
        if min(times) < 0:
            raise ValueError("min_rise, way_... and max_way_ms are 0 or more")


def splice(
    clips: Sequence[Clip],
    rng: np.random.Generator,
    settings: SpliceSettings | None = None,
    name: str = "spliced",
) -> Clip:
    """One sentence of clips of one sign each, in their order, with the span of each.

    clips : of one schema, with hands; best of one signer and camera, for nothing is moved or scaled
    name : id of the sentence

    The first clip says signer, split, languages and extractor. ValueError where there is no clip,
    or one has no hand, not exactly one gloss or another schema.
    """
    settings = settings or SpliceSettings()
    _check(clips)
    like = clips[0].sequence
    frames: list[np.ndarray] = []  # each (n, K, 4): x, y, z, confidence
    spans: list[tuple[int, int]] = []
    done = 0  # frames
    for number, clip in enumerate(clips):
        tempo = rng.uniform(*settings.tempo)
        signed = _prepared(clip.sequence, like.aspect, tempo, settings.fps)
        first, last = active_part(signed, settings)
        values = np.concatenate([signed.xyz, signed.confidence[..., None]], axis=-1)
        begin = first if number else 0
        end = last if number + 1 < len(clips) else len(values) - 1
        part = values[begin : end + 1]
        if frames:
            way = _way(frames[-1], part, signed, rng, settings)
            frames.append(way)
            done += len(way)
        spans.append((done + first - begin, done + last + 1 - begin))
        frames.append(part)
        done += len(part)
    values = np.concatenate(frames).astype(np.float32)
    step_ms = 1000 / settings.fps
    return replace(
        clips[0],
        id=name,
        glosses=tuple(clip.glosses[0] for clip in clips),
        text="",
        text_language="",
        sequence=replace(
            like,
            xyz=np.ascontiguousarray(values[..., :3]),
            confidence=np.ascontiguousarray(values[..., 3]),
            fps=settings.fps,
            start_ms=0,
        ),
        spans=tuple((round(a * step_ms), round(b * step_ms)) for a, b in spans),
    )


def active_part(sequence: PoseSequence, settings: SpliceSettings) -> tuple[int, int]:
    """First and last frame of a sign: without the way up from rest, and the way down to it.

    The height of the higher wrist tells. The way up is over once it has come ``risen`` of the way
    from where it is first seen to its median height in the middle half of the clip. A sign that is
    low has no way up, and keeps its ends. ValueError where no hand is seen.
    """
    height = _wrist_heights(sequence)  # (T,), shoulder widths
    seen = np.flatnonzero(np.isfinite(height))
    if len(seen) == 0:
        raise ValueError("no hand is seen in it; leave it out")
    quarter = len(seen) // 4
    usual = float(np.median(height[seen[quarter : len(seen) - quarter]]))
    ends = []
    for frames in (seen, seen[::-1]):
        low = float(height[frames[0]])
        there = low if usual - low < settings.min_rise else low + settings.risen * (usual - low)
        ends.append(int(frames[np.argmax(height[frames] >= there)]))
    return min(ends), max(ends)


def minimum_jerk(
    start: np.ndarray,
    end: np.ndarray,
    start_speed: np.ndarray,
    end_speed: np.ndarray,
    n: int,
) -> np.ndarray:
    """The n places between two, of the quintic of least jerk with these speeds at its ends.

    start, end : shape (..., C); speeds : the same, per step, there being n + 1 steps
    Returns shape (n, ..., C). Accelerations at the ends are 0, as in Flash & Hogan (1985), eq. 3.
    """
    steps = n + 1
    u = (np.arange(1, n + 1) / steps).reshape(-1, *[1] * np.ndim(start))
    ease = u**3 * (10 - 15 * u + 6 * u**2)
    # Hermite quintics: slope 1 at one end, place, slope and bend 0 at all others.
    leave = u - u**3 * (6 - 8 * u + 3 * u**2)
    arrive = -(u**3) * (4 - 7 * u + 3 * u**2)
    way = start + ease * (end - start)
    return way + steps * (leave * start_speed + arrive * end_speed)


def _check(clips: Sequence[Clip]) -> None:
    if not clips:
        raise ValueError("there is no clip to splice; give at least one")
    for clip in clips:
        if len(clip.glosses) != 1:
            raise ValueError(f"clip {clip.id!r} has {len(clip.glosses)} glosses; give single signs")
        if clip.sequence.schema.name != clips[0].sequence.schema.name:
            raise ValueError(
                f"clip {clip.id!r} has keypoints of {clip.sequence.schema.name}, the first one of "
                f"{clips[0].sequence.schema.name}; import both with the same --view"
            )
        hands = [clip.sequence.schema.groups[hand] for hand in HANDS]
        if not any(clip.sequence.confidence[:, hand].any() for hand in hands):
            raise ValueError(f"no hand is seen in clip {clip.id!r}; leave it out")


def _prepared(sequence: PoseSequence, aspect: float, tempo: float, fps: float) -> PoseSequence:
    """From the first to the last frame with a hand, in a picture of this aspect, faster, at fps."""
    sequence = fill_gaps(trim(sequence))
    if sequence.aspect != aspect:
        seen = sequence.confidence[..., None] > 0
        ratio = np.float32(sequence.aspect / aspect)
        xyz = (sequence.xyz - [0.5, 0, 0]) * [ratio, 1, ratio] + [0.5, 0, 0]
        sequence = replace(sequence, xyz=np.where(seen, xyz, 0).astype(np.float32), aspect=aspect)
    return resample(replace(sequence, fps=sequence.fps * tempo, start_ms=0), fps)


def _width(sequence: PoseSequence) -> float:
    """Shoulder width in picture heights, guessed from the palms, for hands may be all there is."""
    palms = np.concatenate([palm_lengths(sequence, hand) for hand in HANDS])
    return max(float(np.percentile(palms, 90)) * SHOULDERS_PER_PALM, 0.02) if len(palms) else 0.3


def _wrist_heights(sequence: PoseSequence) -> np.ndarray:
    """Of the higher wrist, up, in shoulder widths; shape (T,), NaN where no hand is seen."""
    width = _width(sequence)
    heights = []
    for hand in HANDS:
        wrist = sequence.schema.groups[hand].start
        up = -sequence.xyz[:, wrist, 1] / width
        heights.append(np.where(sequence.confidence[:, wrist] > 0, up, -np.inf))
    height = np.maximum(*heights)
    return np.where(np.isfinite(height), height, np.nan)


def _way(
    before: np.ndarray,
    after: np.ndarray,
    like: PoseSequence,
    rng: np.random.Generator,
    settings: SpliceSettings,
) -> np.ndarray:
    """The frames between two signs, (n, K, 4); before and after are the signs' own, (T, K, 4).

    A hand's wrist goes on the way of least jerk and its fingers change with it; a point that is not
    seen at both ends is not seen between them.
    """
    here, there = before[-1], after[0]
    seen = (here[:, 3] > 0) & (there[:, 3] > 0)
    n = _way_frames(here, there, seen, like, rng, settings)
    if n == 0:
        return np.zeros((0, *here.shape), np.float32)
    leaving = _speed(before[-SPEED_FRAMES - 1 :])
    arriving = -_speed(after[: SPEED_FRAMES + 1][::-1])
    far = np.abs(there[:, :3] - here[:, :3])
    leaving, arriving = (_bounded(speed, far, n) for speed in (leaving, arriving))
    for hand in HANDS:  # the fingers go with the wrist
        points = like.schema.groups[hand]
        leaving[points], arriving[points] = leaving[points.start], arriving[points.start]
    way = minimum_jerk(here[:, :3], there[:, :3], leaving, arriving, n)
    confidence = np.broadcast_to(np.minimum(here[:, 3], there[:, 3]), way.shape[:2])
    values = np.concatenate([way, confidence[..., None]], axis=-1)
    return np.where(seen[:, None], values, 0)


def _way_frames(
    here: np.ndarray,
    there: np.ndarray,
    seen: np.ndarray,
    like: PoseSequence,
    rng: np.random.Generator,
    settings: SpliceSettings,
) -> int:
    """How many frames a transition takes: by the longer way of the two wrists."""
    wrists = [like.schema.groups[hand].start for hand in HANDS]
    steps = (there[wrists, :2] - here[wrists, :2]) * [like.aspect, 1]
    lengths = np.linalg.norm(steps, axis=-1)[seen[wrists]] / _width(like)
    usual = settings.way_ms + settings.way_ms_a_width * max(lengths, default=1.0)
    ms = min(usual * math.exp(rng.normal(0, settings.way_spread)), settings.max_way_ms)
    return round(ms * settings.fps / 1000)


def _speed(frames: np.ndarray) -> np.ndarray:
    """Mean step up to the last frame, (K, 3), over the frames in which a point is seen in a row."""
    seen = (frames[1:, :, 3] > 0) & (frames[:-1, :, 3] > 0)
    steps = np.where(seen[..., None], np.diff(frames[..., :3], axis=0), 0)
    return steps.sum(axis=0) / np.maximum(seen.sum(axis=0), 1)[:, None]


def _bounded(speed: np.ndarray, far: np.ndarray, n: int) -> np.ndarray:
    """A speed that would not carry a point further than twice its way: else it would loop."""
    most = 2 * far.max(axis=-1, keepdims=True) / (n + 1)
    size = np.linalg.norm(speed, axis=-1, keepdims=True)
    return speed * np.minimum(1, most / np.maximum(size, 1e-9))
