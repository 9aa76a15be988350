"""What every corpus becomes: samples, and what is wrong with them, counted and listed."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SPLITS = {  # what the corpora call their parts
    "train": "train",
    "training": "train",
    "dev": "val",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "": "",
}


@dataclass(frozen=True)
class Sample:
    """One clip and what is signed in it. A clip without a label has neither glosses nor text.

    id : unique within its corpus
    media : a video, or a folder of frames
    signer : "" where the corpus does not say
    split : train, val or test; "" where the corpus has no parts
    glosses : the signs in order, as the corpus writes them; () where it has none
    text : the sentence; "" where the corpus has none
    language : ISO 639-3 code of the sign language (ase, csl, gsg, ...)
    start_ms, end_ms : the part of the media; None = from its first, to its last frame
    text_language : code of the text's language (en, zh, de, ...)
    source : where the media came from, if other media of the corpus can have the same source
    """

    id: str
    media: Path
    signer: str
    split: str
    glosses: tuple[str, ...]
    text: str
    language: str
    start_ms: int | None = None
    end_ms: int | None = None
    text_language: str = ""
    source: str = ""


MAX_SHOWN = 10  # ids of a problem, where a report is printed


@dataclass(frozen=True)
class Report:
    """What check() found; each list holds the ids, in the corpus's order.

    splits : how many samples each split has
    missing_media : no such video or folder
    empty : neither a text nor a gloss
    duplicate_ids : used by more than one sample
    split_leaks : the same id, or the same part of the same video, is in another split too
    """

    n_samples: int
    splits: dict[str, int]
    missing_media: tuple[str, ...]
    empty: tuple[str, ...]
    duplicate_ids: tuple[str, ...]
    split_leaks: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not (self.missing_media or self.empty or self.duplicate_ids or self.split_leaks)

    def __str__(self) -> str:
        """One line for the whole, one for each kind of problem: its count and the first ids."""
        parts = ", ".join(f"{split or 'no split'} {n}" for split, n in self.splits.items())
        problems = {
            "missing media": self.missing_media,
            "no text and no gloss": self.empty,
            "duplicate ids": self.duplicate_ids,
            "in two splits": self.split_leaks,
        }
        lines = [f"{self.n_samples} samples ({parts})"]
        for what, ids in problems.items():
            more = f", and {len(ids) - MAX_SHOWN} more" if len(ids) > MAX_SHOWN else ""
            if ids:
                lines.append(f"{what}: {len(ids)}: {', '.join(ids[:MAX_SHOWN])}{more}")
        return "\n".join(lines)


def check(samples: Iterable[Sample], media: bool = True) -> Report:
    """Looks for missing media, empty labels, duplicate ids, and clips that are in two splits.

    media : False where only the annotations are at hand
    """
    samples = list(samples)
    splits: dict[str, int] = {}
    of_id: dict[str, list[Sample]] = {}
    of_media: dict[Path, list[Sample]] = {}
    of_source: dict[str, list[Sample]] = {}
    for sample in samples:
        splits[sample.split] = splits.get(sample.split, 0) + 1
        of_id.setdefault(sample.id, []).append(sample)
        of_media.setdefault(sample.media, []).append(sample)
        of_source.setdefault(sample.source or str(sample.media), []).append(sample)
    absent = {path for path in of_media if media and not os.path.exists(path)}
    leaks = {s.id for group in of_source.values() for s in _leaks(group)}
    leaks |= {i for i, group in of_id.items() if len({s.split for s in group}) > 1}
    return Report(
        n_samples=len(samples),
        splits=splits,
        missing_media=tuple(s.id for s in samples if s.media in absent),
        empty=tuple(s.id for s in samples if not s.text.strip() and not any(s.glosses)),
        duplicate_ids=tuple(i for i, group in of_id.items() if len(group) > 1),
        split_leaks=tuple(i for i in of_id if i in leaks),
    )


def _leaks(group: list[Sample]) -> list[Sample]:
    """The samples of one source that share frames with a sample of another split."""
    if len({s.split for s in group}) < 2:
        return []
    group = sorted(group, key=_start)
    leaking = []
    last_end: dict[str, float] = {}  # of each split, among the samples that start no later
    for sample in group:
        if any(end > _start(sample) for s, end in last_end.items() if s != sample.split):
            leaking.append(sample)
        last_end[sample.split] = max(_end(sample), last_end.get(sample.split, 0))
    next_start: dict[str, float] = {}  # of each split, among the samples that start no earlier
    for sample in reversed(group):
        if any(start < _end(sample) for s, start in next_start.items() if s != sample.split):
            leaking.append(sample)
        next_start[sample.split] = _start(sample)
    return leaking


def _start(sample: Sample) -> float:
    return 0 if sample.start_ms is None else sample.start_ms


def _end(sample: Sample) -> float:
    return float("inf") if sample.end_ms is None else sample.end_ms
