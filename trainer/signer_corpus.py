"""A translation corpus of the rendered signer: sentences of its grammar, as keypoints, in shards.

Its splits share nothing that a model could know by heart: each has signers of its own, and a
sentence belongs to one split alone, by a hash of its text. Every clip has a camera of its own, and
a landmarker's errors.

Seeded clip by clip: clip 17 of a split is the same whatever the number of clips and processes.
"""

import multiprocessing
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fingerpost.edge_runtime.keypoints import SIGN69
from fingerpost.trainer.clip_tables import Clip
from fingerpost.trainer.shards import Shards, ShardsAbout, ShardWriter, open_shards
from fingerpost.trainer.signer import (
    LEXICON,
    Performance,
    Signer,
    concatenate,
    fidget,
    random_camera,
    random_signer,
    sign_sentence,
)
from fingerpost.trainer.signer.phrases import Phrase, random_phrase
from fingerpost.trainer.signer.phrases_everyday import FORMULAS

N_SIGNERS = {"train": 300, "val": 50, "test": 50}
SHARE_PERCENT = {"val": 10, "test": 10}  # of all sentences; the others are for training
SIGNS = "signs"  # clips of one sign each, for the beginning of a training; of the split train
IDLE = "idle"  # clips of hands that move and say nothing; of the split train
NO_SIGN = "<no sign>"  # the gloss of such a clip
LANGUAGE, TEXT_LANGUAGE = "mis", "en"  # "mis": a language without a code, for it only resembles ASL
FPS = 25.0
REST_MS = (80, 400)  # rest before and after a sentence
FIDGET_SHARE = 0.15  # of the sentences to train on: somebody moves before or after it
FIDGETS = (1, 4)  # of a clip of IDLE, one after the other; the second is not reached
BETWEEN_MS = (80, 400)  # at rest, between a fidget and what comes next
_STREAMS = ("signers", "train", "val", "test", SIGNS, IDLE)  # each has random numbers of its own
_AT_ONCE = 64  # clips that a process makes before it hands them over


@dataclass(frozen=True)
class _Job:
    """Clip `number` of a stream."""

    stream: str
    number: int
    seed: int
    fps: float

    @property
    def id(self) -> str:
        return f"{self.stream}-{self.number:06d}"


def write_signer_corpus(
    folder: Path, counts: Mapping[str, int], seed: int = 0, fps: float = FPS, workers: int = 1
) -> Iterator[Clip]:
    """Writes shards, and yields each clip that was made and was not there before.

    counts : clips by split (train, val, test), and by SIGNS and IDLE
    workers : processes

    Goes on where it was stopped. ValueError for a folder with other shards or another seed.
    """
    _check(counts, fps, workers)
    about = ShardsAbout(corpus=f"fingerpost signer, seed {seed}, {fps:g} fps", schema=SIGN69.name)
    jobs = [_Job(s, k, seed, fps) for s in _STREAMS if s in counts for k in range(counts[s])]
    with ShardWriter(folder, about, resume=True) as writer:
        missing = [job for job in jobs if job.id not in writer.ids]
        for clip in _make_all(missing, workers):
            writer.add(clip)
            yield clip


def make_signer_corpus(
    folder: Path, counts: Mapping[str, int], seed: int = 0, fps: float = FPS, workers: int = 1
) -> Shards:
    """``write_signer_corpus`` to its end, opened."""
    for _ in write_signer_corpus(folder, counts, seed, fps, workers):
        pass
    return open_shards(folder)


def split_of(text: str) -> str:
    """The one split that a sentence may be in.

    A formula, such as "Nice to meet you.", is to train on: no other sentence says what it means.
    """
    if text in FORMULAS:
        return "train"
    place = zlib.crc32(text.encode()) % 100
    for split, percent in SHARE_PERCENT.items():
        if place < percent:
            return split
        place -= percent
    return "train"


def make_clip(stream: str, number: int, seed: int = 0, fps: float = FPS) -> Clip:
    """One clip: of the split train, val or test, or of SIGNS or IDLE (one gloss, no text)."""
    rng = np.random.default_rng([seed, _STREAMS.index(stream), number])
    split = stream if stream in N_SIGNERS else "train"
    who = int(rng.integers(N_SIGNERS[split]))
    signer = random_signer(np.random.default_rng([seed, 0, _STREAMS.index(split), who]))
    if stream == IDLE:
        phrase, performance = Phrase((NO_SIGN,), ""), _fidgets(signer, rng)
    else:
        phrase = _sign(number) if stream == SIGNS else random_sentence(split, rng)
        performance = _sentence(phrase, signer, rng, fidgets=stream == "train")
    return Clip(
        id=_Job(stream, number, seed, fps).id,
        signer=f"{split}-{who:03d}",
        split=split,
        glosses=phrase.glosses,
        text=phrase.text,
        language=LANGUAGE,
        text_language=TEXT_LANGUAGE if phrase.text else "",
        sequence=performance.keypoints(fps, random_camera(rng), noise=rng),
        spans=tuple((start_ms, end_ms) for _, start_ms, end_ms in performance.spans)
        or ((0, performance.duration_ms),),
    )


def is_idle(glosses: Sequence[str]) -> bool:
    """Whether a clip's label says that nothing is signed in it."""
    return tuple(glosses) == (NO_SIGN,)


def random_sentence(split: str, rng: np.random.Generator) -> Phrase:
    """A sentence that is in this split, and so in no other."""
    while True:
        phrase = random_phrase(rng)
        if split_of(phrase.text) == split:
            return phrase


def _sentence(
    phrase: Phrase, signer: Signer, rng: np.random.Generator, fidgets: bool
) -> Performance:
    """From rest to rest; where there may be fidgets, now and then with one before it or after."""
    before_ms, after_ms = rng.integers(*REST_MS, size=2).tolist()
    sentence = sign_sentence(phrase.glosses, signer, rng, before_ms, after_ms)
    if not fidgets or rng.random() >= FIDGET_SHARE:
        return sentence
    parts = [sentence, fidget(None, signer, rng)]
    return concatenate(parts[:: rng.choice((1, -1))], int(rng.integers(*BETWEEN_MS)))


def _fidgets(signer: Signer, rng: np.random.Generator) -> Performance:
    n_fidgets = int(rng.integers(*FIDGETS))
    parts = [fidget(None, signer, rng) for _ in range(n_fidgets)]
    return concatenate(parts, int(rng.integers(*BETWEEN_MS)))


def _sign(number: int) -> Phrase:
    """Every sign of the lexicon in turn."""
    return Phrase((list(LEXICON)[number % len(LEXICON)],), "")


def _make_all(jobs: Sequence[_Job], workers: int) -> Iterator[Clip]:
    """The clips of all jobs, in their order."""
    if workers == 1 or len(jobs) <= _AT_ONCE:
        yield from map(_make, jobs)
        return
    # A fork would copy the threads of torch and Arrow. Rounds, or finished clips would pile up.
    context = multiprocessing.get_context("spawn")
    per_round = workers * _AT_ONCE * 2
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        for start in range(0, len(jobs), per_round):
            chosen = jobs[start : start + per_round]
            yield from pool.map(_make, chosen, chunksize=_AT_ONCE)


def _make(job: _Job) -> Clip:
    return make_clip(job.stream, job.number, job.seed, job.fps)


def _check(counts: Mapping[str, int], fps: float, workers: int) -> None:
    known = [*N_SIGNERS, SIGNS, IDLE]
    unknown = [name for name in counts if name not in known]
    if unknown:
        raise ValueError(f"unknown split {', '.join(unknown)}; known: {', '.join(known)}")
    if min(counts.values(), default=0) < 0 or sum(counts.values()) == 0:
        raise ValueError(f"give how many clips to make: {', '.join(known)}; got {dict(counts)}")
    if not 1 <= fps <= 1000:
        raise ValueError(f"fps is frames a second, from 1 to 1000, got {fps:g}")
    if workers < 1:
        raise ValueError(f"workers are at least 1, got {workers}")
