"""Hour-long streams of the rendered signer with subtitles that come at the wrong time.

    for stream in write_subtitle_streams(Path("streams"), n_streams=3): ...

    streams/test-00/keypoints.npz    what is signed, view sign69
    streams/test-00/TRUE.vtt         each sentence from its first sign to its last
    streams/test-00/SHIFTED.vtt      the same sentences as subtitles of the spoken sound come

People sign one after the other, each for ten minutes before a camera of their own. They sign a few
sentences without a rest between them, rest, and now and then move their hands and say nothing.

Subtitles of interpreted television are those of the sound: early, for an interpreter follows the
speech; as long as speech is, not as signing is; and the lag wanders. So a shifted cue is its true
one minus a lag that is the stream's, drifts slowly and differs from cue to cue, and lasts as long
as its text is read. All sizes are chosen here, not measured on television. Their order stays, and
no two overlap. Seeded stream by stream.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fingerpost.edge_runtime.keypoint_files import load_npz, save_npz
from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.edge_runtime.timed_text import Cue, vtt
from fingerpost.trainer.corpora.cues import read_cues
from fingerpost.trainer.signer import (
    Performance,
    Signer,
    concatenate,
    fidget,
    random_camera,
    random_signer,
    sign_sentence,
)
from fingerpost.trainer.signer_corpus import FPS, random_sentence
from fingerpost.trainer.streams import SignedSentence, check_minutes

KEYPOINTS, TRUE, SHIFTED = "keypoints.npz", "TRUE.vtt", "SHIFTED.vtt"
MINUTES = 60.0
TURN_MS = 600_000  # then somebody else signs
RUN = (1, 5)  # sentences without a rest between them; the second number is not reached
LEAD_MS, TAIL_MS = (100, 600), (100, 1500)  # at rest before such a run, and after it
BETWEEN_MS = 300  # more, between any two parts of a turn
IDLE_SHARE = 0.12  # chance that a part is hands that move and say nothing
_SEED = 8  # apart from the other streams' random numbers


@dataclass(frozen=True)
class Shift:
    """How subtitles come at the wrong time, ms unless said otherwise.

    lag : from and to, of a whole stream; the subtitles are so much early
    drift, period : the lag wanders by so much, up and down, in so long
    jitter : standard deviation of each cue's own
    letters_per_second : how fast speech is; a cue lasts as long as its text is said
    hurry : standard deviation of the logarithm of a cue's duration
    shortest : that a cue may last
    """

    lag: tuple[float, float] = (1500.0, 3000.0)
    drift: float = 600.0
    period: float = 900_000.0
    jitter: float = 500.0
    letters_per_second: float = 10.0
    hurry: float = 0.2
    shortest: int = 400

    def __post_init__(self) -> None:
        if self.period <= 0 or self.letters_per_second <= 0 or self.shortest < 1:
            raise ValueError("a shift's period, letters per second and shortest cue are above 0")
        if min(self.drift, self.jitter, self.hurry) < 0 or self.lag[0] > self.lag[1]:
            raise ValueError("a shift's drift, jitter and hurry are 0 or above, its lag goes up")


@dataclass(frozen=True)
class SubtitleStream:
    """cues, shifted : the same texts in the same order, at the true times and at the wrong ones"""

    name: str
    sequence: PoseSequence
    cues: tuple[Cue, ...]
    shifted: tuple[Cue, ...]


def write_subtitle_streams(
    folder: Path,
    n_streams: int,
    minutes: float = MINUTES,
    split: str = "test",
    seed: int = 0,
    fps: float = FPS,
    shift: Shift | None = None,
) -> Iterator[SubtitleStream]:
    """Writes a folder for each stream, and yields each that was not there before.

    A folder is there when its SHIFTED.vtt is, which is written last. ValueError for numbers that
    cannot be.
    """
    _check(n_streams, minutes, split, seed, fps)
    for number in range(n_streams):
        where = folder / _name(split, number)
        if (where / SHIFTED).is_file():
            continue
        stream = make_subtitle_stream(number, minutes, split, seed, fps, shift)
        where.mkdir(parents=True, exist_ok=True)
        save_npz(where / KEYPOINTS, stream.sequence)
        note = f"Fingerpost's rendered signer, split {split}, seed {seed}, stream {number}"
        for name, cues in ((TRUE, stream.cues), (SHIFTED, stream.shifted)):
            partial = where / f"{name}.partial"
            partial.write_text(vtt(cues, note), encoding="utf-8")
            partial.replace(where / name)
        yield stream


def read_subtitle_stream(folder: Path) -> SubtitleStream:
    """One stream's folder. ValueError or OSError where a file is missing, damaged, or another's."""
    cues, shifted = (tuple(read_cues(folder / name)) for name in (TRUE, SHIFTED))
    if [cue.text for cue in cues] != [cue.text for cue in shifted]:
        raise ValueError(f"{folder}: {TRUE} and {SHIFTED} have other texts; make the stream again")
    return SubtitleStream(folder.name, load_npz(folder / KEYPOINTS), cues, shifted)


def make_subtitle_stream(
    number: int,
    minutes: float = MINUTES,
    split: str = "test",
    seed: int = 0,
    fps: float = FPS,
    shift: Shift | None = None,
) -> SubtitleStream:
    """Stream `number`: the same whatever the number of streams. At least so many minutes long.

    split : that its sentences are of, and so of no other. Its signers are nobody else's.
    """
    _check(1, minutes, split, seed, fps)
    rng = np.random.default_rng([_SEED, seed, ("train", "val", "test").index(split), number])
    sequences: list[PoseSequence] = []
    cues: list[Cue] = []
    frames, wanted = 0, round(minutes * 60 * fps)
    while frames < wanted:
        left_ms = min(TURN_MS, round((wanted - frames) * 1000 / fps))
        performance, sentences = _turn(left_ms, split, rng)
        sequence = performance.keypoints(fps, random_camera(rng), noise=rng)
        start = round(frames * 1000 / fps)
        cues += [Cue(start + s.start_ms, start + s.end_ms, s.text) for s in sentences]
        sequences.append(sequence)
        frames += len(sequence)
    whole = replace(
        sequences[0],
        xyz=np.concatenate([sequence.xyz for sequence in sequences]),
        confidence=np.concatenate([sequence.confidence for sequence in sequences]),
    )
    shifted = shifted_cues(cues, rng, shift or Shift(), round(frames * 1000 / fps))
    return SubtitleStream(_name(split, number), whole, tuple(cues), tuple(shifted))


def shifted_cues(
    cues: Sequence[Cue], rng: np.random.Generator, shift: Shift, duration_ms: int
) -> list[Cue]:
    """The cues as subtitles of the sound come: in their order, apart, from 0 to duration_ms.

    cues : in order of time. ValueError where they are too many for so long.
    """
    if len(cues) * shift.shortest > duration_ms:
        raise ValueError(f"{len(cues)} cues do not fit into {duration_ms} ms")
    lag, phase = rng.uniform(*shift.lag), rng.uniform(0, 2 * np.pi)
    starts: list[int] = []
    lengths: list[int] = []
    for cue in cues:
        wander = shift.drift * np.sin(2 * np.pi * cue.start_ms / shift.period + phase)
        starts.append(round(cue.start_ms - lag - wander + rng.normal(0, shift.jitter)))
        read_ms = 1000 * len(cue.text) / shift.letters_per_second
        lengths.append(max(round(read_ms * rng.lognormal(0, shift.hurry)), shift.shortest))
    for k in range(len(starts)):  # there is room for those before it, and for itself
        earliest = starts[k - 1] + shift.shortest if k else 0
        latest = duration_ms - (len(starts) - k) * shift.shortest
        starts[k] = min(max(starts[k], earliest), latest)
    ends = [*starts, duration_ms][1:]
    return [
        Cue(start, min(start + length, end), cue.text)
        for cue, start, length, end in zip(cues, starts, lengths, ends, strict=True)
    ]


def _turn(
    at_least_ms: int, split: str, rng: np.random.Generator
) -> tuple[Performance, list[SignedSentence]]:
    """What one person signs, from rest to rest, and the sentences of it."""
    signer = random_signer(rng)
    parts: list[Performance] = []
    sentences: list[SignedSentence] = []
    start = 0
    while start < at_least_ms:
        if rng.random() < IDLE_SHARE:
            part = fidget(None, signer, rng)
        else:
            part, said = _run(signer, split, rng)
            for one in said:
                signs = tuple((gloss, a + start, b + start) for gloss, a, b in one.signs)
                sentences.append(replace(one, signs=signs))
        parts.append(part)
        start += part.duration_ms + BETWEEN_MS
    return concatenate(parts, BETWEEN_MS), sentences


def _run(
    signer: Signer, split: str, rng: np.random.Generator
) -> tuple[Performance, list[SignedSentence]]:
    """A few sentences as one movement, from rest to rest."""
    phrases = [random_sentence(split, rng) for _ in range(int(rng.integers(*RUN)))]
    glosses = [gloss for phrase in phrases for gloss in phrase.glosses]
    lead_ms, tail_ms = int(rng.integers(*LEAD_MS)), int(rng.integers(*TAIL_MS))
    performance = sign_sentence(glosses, signer, rng, lead_ms, tail_ms)
    said, first = [], 0
    for phrase in phrases:
        signs = performance.spans[first : first + len(phrase.glosses)]
        said.append(SignedSentence(phrase.text, tuple(signs)))
        first += len(phrase.glosses)
    return performance, said


def _name(split: str, number: int) -> str:
    return f"{split}-{number:02d}"


def _check(n_streams: int, minutes: float, split: str, seed: int, fps: float) -> None:
    check_minutes(minutes, seed, split)
    if n_streams < 1:
        raise ValueError(f"streams are at least 1, got {n_streams}")
    if not 1 <= fps <= 120:
        raise ValueError(f"fps is frames a second, from 1 to 120, got {fps:g}")
