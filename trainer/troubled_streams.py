"""What bad cameras do: streams of the rendered signer, each with one trouble and its truth.

    troubled_streams("lost hands", minutes=10)

Seeded like ``make_streams``: the same sentences and signers in each trouble, so that what differs
between two of them is the trouble.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fingerpost.edge_runtime.keypoints import (
    HANDS,
    KeypointFrame,
    KeypointSchema,
    PoseSequence,
    mirrored,
)
from fingerpost.trainer.streams import SignedSentence, Stream, make_streams

Change = Callable[[Sequence[Stream], int, np.random.Generator], Stream]

UNEVEN_MS = (33, 125)  # between two frames of a camera that has no even rate: 8 to 30 a second
LOSS_MS = 200  # a hand that is too fast for a landmarker
LOSS_EVERY_MS = 1200  # at most one loss of a hand in so long, where it is fastest
FAST = 0.5  # picture heights a second; slower hands are not lost
INTRUSION_MS = (200, 1500)  # for so long a landmarker looks at somebody in the background ...
INTRUSION_EVERY_MS = (2500, 7500)  # ... so often
FAR = 0.4  # size of somebody in the background
NEAR, FACE_Y = 1.35, 0.3  # times as large as it was, around the middle and this height
WALK_MS, AWAY_MS = 800, 2000  # out of the picture or into it; nobody there
WALK_FRAME_MS = 40
_SEED = 16  # apart from the streams' own random numbers


@dataclass(frozen=True)
class Trouble:
    """fps, dropped : of ``make_streams``; change : of stream i of them all"""

    fps: float = 25.0
    dropped: float = 0.0
    change: Change | None = None


def troubled_streams(name: str, minutes: float, seed: int = 0, split: str = "test") -> list[Stream]:
    """Streams with a trouble of ``TROUBLES``; ValueError for one that is not known."""
    if name not in TROUBLES:
        raise ValueError(f"unknown trouble {name!r}; known: {', '.join(TROUBLES)}")
    trouble = TROUBLES[name]
    streams = make_streams(minutes, seed, split, trouble.fps, trouble.dropped)
    if trouble.change is None:
        return streams
    return [
        trouble.change(streams, i, np.random.default_rng([_SEED, seed, i]))
        for i in range(len(streams))
    ]


def other_handed(streams: Sequence[Stream], i: int, rng: np.random.Generator) -> Stream:
    """As a mirror shows it: nine of ten signers are left-handed now."""
    stream = streams[i]
    xyz = np.stack([frame.xyz for frame in stream.frames])
    confidence = np.stack([frame.confidence for frame in stream.frames])
    flipped = mirrored(PoseSequence(xyz, confidence, 25.0, stream.schema))
    times = [frame.time_ms for frame in stream.frames]
    frames = map(KeypointFrame, times, flipped.xyz, flipped.confidence)
    return replace(stream, frames=tuple(frames))


def uneven(streams: Sequence[Stream], i: int, rng: np.random.Generator) -> Stream:
    """Frames at uneven times, out of those of a fast camera."""
    stream, next_ms = streams[i], -1.0
    kept = []
    for frame in stream.frames:
        if frame.time_ms >= next_ms:
            kept.append(frame)
            next_ms = frame.time_ms + rng.uniform(*UNEVEN_MS)
    return replace(stream, frames=tuple(kept))


def lost_hands(streams: Sequence[Stream], i: int, rng: np.random.Generator) -> Stream:
    """A hand is not seen for a moment where it is fastest."""
    stream = streams[i]
    times = np.array([frame.time_ms for frame in stream.frames])
    xyz = np.stack([frame.xyz for frame in stream.frames])
    confidence = np.stack([frame.confidence for frame in stream.frames])
    for name in HANDS:
        hand = stream.schema.groups[name]
        speed = _speed(times, xyz[:, hand.start, :2] * [stream.aspect, 1])
        speed[confidence[:, hand.start] == 0] = 0  # from a place that was not seen
        for start_ms in range(int(times[0]), int(times[-1]), LOSS_EVERY_MS):
            near = np.flatnonzero((times >= start_ms) & (times < start_ms + LOSS_EVERY_MS))
            if len(near) and speed[near].max() >= FAST:
                middle_ms = times[near[speed[near].argmax()]]
                confidence[np.abs(times - middle_ms) <= LOSS_MS / 2, hand] = 0
    xyz[confidence == 0] = 0
    return replace(stream, frames=tuple(map(KeypointFrame, times.tolist(), xyz, confidence)))


def too_near(streams: Sequence[Stream], i: int, rng: np.random.Generator) -> Stream:
    """The camera shows less: hands that are low or far out are outside the picture."""
    stream = streams[i]
    frames = []
    for frame in stream.frames:
        seen = frame.confidence > 0
        xyz = np.where(seen[:, None], frame.xyz * NEAR, 0)
        xyz[:, :2] += np.where(seen[:, None], (1 - NEAR) * np.array([0.5, FACE_Y]), 0)
        inside = np.logical_and.reduce((xyz[:, :2] > 0) & (xyz[:, :2] < 1), axis=1)
        for name in HANDS:  # a landmarker finds a hand or does not
            hand = stream.schema.groups[name]
            inside[hand] = inside[hand].mean() > 0.6
        xyz[~inside] = 0
        confidence = np.where(inside, frame.confidence, 0).astype(np.float32)
        frames.append(KeypointFrame(frame.time_ms, xyz.astype(np.float32), confidence))
    return replace(stream, frames=tuple(frames))


def somebody_behind(streams: Sequence[Stream], i: int, rng: np.random.Generator) -> Stream:
    """Every now and then the landmarker finds somebody in the background, who signs too."""
    stream, other = streams[i], streams[(i + 1) % len(streams)].frames
    middle_x = float(rng.choice([0.2, 0.8]))
    start_ms, end_ms, frames = 0, -1, []
    for k, frame in enumerate(stream.frames):
        if frame.time_ms > end_ms:
            start_ms = frame.time_ms + int(rng.integers(*INTRUSION_EVERY_MS))
            start_ms = start_ms if end_ms >= start_ms or end_ms < 0 else start_ms
            end_ms = start_ms + int(rng.integers(*INTRUSION_MS))
        if start_ms <= frame.time_ms <= end_ms:
            behind = other[k % len(other)]
            small = np.where(behind.confidence[:, None] > 0, behind.xyz * FAR, 0)
            small[:, 0] += np.where(behind.confidence > 0, middle_x - FAR / 2, 0)
            small[:, 1] += np.where(behind.confidence > 0, 0.2, 0)
            frame = KeypointFrame(frame.time_ms, small.astype(np.float32), behind.confidence)
        frames.append(frame)
    return replace(stream, frames=tuple(frames))


def walks_out(streams: Sequence[Stream], i: int, rng: np.random.Generator) -> Stream:
    """Between two parts of the stream the signer walks out of the picture, and comes back."""
    stream = streams[i]
    parts = sorted([(s.start_ms, s.end_ms) for s in stream.sentences] + list(stream.idle))
    if len(parts) < 2:
        return stream
    gaps = [(end + start) // 2 for (_, end), (start, _) in zip(parts, parts[1:], strict=False)]
    leaves_ms = gaps[int(rng.integers(len(gaps)))]
    before, after = _cut(stream, leaves_ms)
    return _joined(before, after)


def another_comes(streams: Sequence[Stream], i: int, rng: np.random.Generator) -> Stream:
    """The signer of the next stream takes the place of this one's."""
    return _joined(streams[i], streams[(i + 1) % len(streams)])


def _joined(one: Stream, other: Stream) -> Stream:
    """Walks out, nobody for a while, walks in. Both have the same schema and aspect."""
    last, first = one.frames[-1], other.frames[0]
    leaving = _walk(last, one.schema, last.time_ms, leaves=True)
    empty_ms = range(leaving[-1].time_ms + WALK_FRAME_MS, leaving[-1].time_ms + AWAY_MS, 40)
    empty = [
        KeypointFrame(ms, np.zeros_like(last.xyz), np.zeros_like(last.confidence))
        for ms in empty_ms
    ]
    coming = _walk(first, other.schema, empty[-1].time_ms, leaves=False)
    late_ms = coming[-1].time_ms + WALK_FRAME_MS - first.time_ms
    frames = (
        *(*one.frames, *leaving, *empty, *coming),
        *(replace(frame, time_ms=frame.time_ms + late_ms) for frame in other.frames),
    )
    sentences = (*one.sentences, *(_later(s, late_ms) for s in other.sentences))
    idle = (*one.idle, *((start + late_ms, end + late_ms) for start, end in other.idle))
    return replace(one, frames=frames, sentences=sentences, idle=idle)


def _walk(
    pose: KeypointFrame, schema: KeypointSchema, after_ms: int, leaves: bool
) -> list[KeypointFrame]:
    """Somebody who stands like that goes sideways; what is outside the picture is not seen."""
    steps = range(WALK_FRAME_MS, WALK_MS + 1, WALK_FRAME_MS)
    frames = []
    for ms in steps:
        share = ms / WALK_MS if leaves else 1 - ms / WALK_MS
        xyz = np.where(pose.confidence[:, None] > 0, pose.xyz + [1.2 * share, 0, 0], 0)
        inside = (xyz[:, 0] > 0) & (xyz[:, 0] < 1)
        confidence = np.where(inside, pose.confidence, 0)
        xyz[~inside] = 0
        frames.append(
            KeypointFrame(after_ms + ms, xyz.astype(np.float32), confidence.astype(np.float32))
        )
    return frames


def _cut(stream: Stream, at_ms: int) -> tuple[Stream, Stream]:
    """The stream before and from a time at which no sentence and no idle part is going on."""
    halves = []
    for keep in (lambda ms: ms < at_ms, lambda ms: ms >= at_ms):
        frames = tuple(frame for frame in stream.frames if keep(frame.time_ms))
        sentences = tuple(s for s in stream.sentences if keep(s.start_ms))
        idle = tuple(span for span in stream.idle if keep(span[0]))
        halves.append(replace(stream, frames=frames, sentences=sentences, idle=idle))
    return halves[0], halves[1]


def _later(sentence: SignedSentence, by_ms: int) -> SignedSentence:
    signs = tuple((gloss, start + by_ms, end + by_ms) for gloss, start, end in sentence.signs)
    return replace(sentence, signs=signs)


def _speed(times: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(T,) units a second. places : (T, 2)"""
    moved = np.linalg.norm(np.diff(places, axis=0, prepend=places[:1]), axis=-1)
    return moved * 1000 / np.diff(times, prepend=times[0] - 40)


def trouble_names(given: Iterable[str] = ()) -> list[str]:
    """Those given, or all; ValueError where one is not known."""
    names = list(given) or list(TROUBLES)
    if unknown := [name for name in names if name not in TROUBLES]:
        raise ValueError(f"unknown trouble {unknown[0]!r}; known: {', '.join(TROUBLES)}")
    return names


TROUBLES: dict[str, Trouble] = {
    "none": Trouble(),
    "8 fps": Trouble(fps=8),
    "12 fps": Trouble(fps=12),
    "15 fps": Trouble(fps=15),
    "30 fps": Trouble(fps=30),
    "60 fps": Trouble(fps=60),
    "uneven": Trouble(fps=60, change=uneven),
    "dropped": Trouble(dropped=0.2),
    "lost hands": Trouble(change=lost_hands),
    "too near": Trouble(change=too_near),
    "left-handed": Trouble(change=other_handed),
    "somebody behind": Trouble(change=somebody_behind),
    "walks out": Trouble(change=walks_out),
    "another comes": Trouble(change=another_comes),
}
