"""A whole corpus, cut into jobs that can be done in any order, anywhere, and only once.

plan = make_plan("own_folder", Path("my_signs"), Settings())
with Extraction(plan, Path("my_shards")) as extraction:  # folder.py
    for job in extraction.open_jobs():
        for number in do_job(job, extraction.task):
            print(job.number, number)
    report = extraction.finish()
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from fingerpost.trainer.clip_tables import Clip
from fingerpost.trainer.corpora import read_corpus
from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.extraction.extract import (
    CRASHED,
    DUPLICATE,
    EXTRACTORS,
    UNLABELLED,
    Dropped,
    LazyFinders,
    Settings,
    extract_clip,
)
from fingerpost.trainer.extraction.media import KEYPOINT_SUFFIXES
from fingerpost.trainer.extraction.report import write_dropped
from fingerpost.trainer.shards import ABOUT, Shards, ShardsAbout, open_shards, write_shards

DROPPED = "dropped.json"
MODELS = ("landmarker", "rtmpose_model", "detector_model")  # settings that are paths
JOB_CLIPS = 16  # what a kill costs at most, for each worker: about two minutes
FEW_JOBS = 64  # a small corpus has smaller jobs, so that all workers have something to do
PLAN_VERSION = 1


@dataclass(frozen=True)
class Plan:
    """What is to be made of which samples.

    samples : those worth a look, in the corpus's order
    dropped : those without a label, and those whose id another one has
    """

    corpus: str
    folder: Path
    settings: Settings
    samples: tuple[Sample, ...]
    dropped: tuple[Dropped, ...]
    job_clips: int

    @property
    def n_jobs(self) -> int:
        return -(-len(self.samples) // self.job_clips)

    @property
    def needs_extractor(self) -> bool:
        """False where all media are keypoint files already."""
        return any(s.media.suffix.lower() not in KEYPOINT_SUFFIXES for s in self.samples)

    def identity(self) -> dict[str, Any]:
        """All that decides about the result, as JSON data; paths relative to the corpus."""
        extractor = EXTRACTORS[self.settings.extractor].version(self.settings)
        told = asdict(self.settings)
        for model in MODELS:  # the extractor's version tells their content
            told.pop(model)
        return {
            "plan_version": PLAN_VERSION,
            "corpus": self.corpus,
            **told,
            "extractor": extractor,
            "samples": f"{len(self.samples)}, SHA-256 {self._digest()}",
        }

    def _digest(self) -> str:
        hashed = hashlib.sha256()
        for sample in self.samples:
            fields = asdict(sample) | {"media": os.path.relpath(sample.media, self.folder)}
            hashed.update(json.dumps(fields, sort_keys=True).encode() + b"\n")
        return hashed.hexdigest()[:16]


@dataclass(frozen=True)
class Job:
    """Some samples in a row. number : counts from 0, in the corpus's order."""

    number: int
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class Task:
    """What every job has to know; small, and it can be pickled.

    folder : where jobs are kept
    reuse : shards of the same plan, whose clips are taken as they are; None where there are none
    """

    corpus: str
    settings: Settings
    folder: Path
    reuse: Path | None = None

    def place(self, number: int) -> Path:
        """Where a job is once it is whole."""
        return self.folder / f"{number:06}"


def make_plan(corpus: str, folder: Path, settings: Settings, job_clips: int = 0) -> Plan:
    """Reads a corpus. ValueError or OSError: no such corpus or folder, broken annotations.

    job_clips : samples of a job; 0 chooses, by the number of samples alone
    """
    folder = folder.absolute()  # jobs may be done elsewhere
    models = {name: getattr(settings, name) for name in MODELS}
    settings = replace(settings, **{k: path.absolute() for k, path in models.items() if path})
    samples: list[Sample] = []
    dropped: list[Dropped] = []
    ids: set[str] = set()
    for sample in read_corpus(corpus, folder):
        if sample.id in ids:
            dropped.append(Dropped(sample.id, DUPLICATE, str(sample.media)))
            continue
        ids.add(sample.id)
        if not (settings.keep_unlabelled or sample.text.strip() or any(sample.glosses)):
            dropped.append(Dropped(sample.id, UNLABELLED, str(sample.media)))
        else:
            samples.append(sample)
    if not samples and not dropped:
        raise ValueError(f"the corpus {corpus} in {folder} has no samples; is it the right folder?")
    job_clips = job_clips or max(1, min(JOB_CLIPS, len(samples) // FEW_JOBS))
    return Plan(corpus, folder, settings, tuple(samples), tuple(dropped), job_clips)


def do_job(job: Job, task: Task, given_up: frozenset[int] = frozenset()) -> Iterator[int]:
    """Extracts the samples of a job and puts its folder into place; yields each one's number.

    given_up : numbers of samples that have crashed the extractor; they are dropped
    Harmless where the job is done already, even by another process at the same moment.
    """
    if task.place(job.number).is_dir():
        yield from range(len(job.samples))
        return
    partial = Path(tempfile.mkdtemp(prefix=f".{job.number:06}.", dir=task.folder))
    try:
        open_finder = LazyFinders(task.settings)
        made = _made_before(task)
        clips: list[Clip] = []
        dropped: list[Dropped] = []
        for number, sample in enumerate(job.samples):
            yield number  # before the look, so that who listens knows where it crashed
            if sample.id in made:
                clips.append(made[sample.id])
            elif number in given_up:
                dropped.append(Dropped(sample.id, CRASHED, str(sample.media)))
            else:
                found = extract_clip(sample, open_finder, task.settings)
                if isinstance(found, Dropped):
                    dropped.append(found)
                else:
                    clips.append(found)
        if clips:
            write_shards(partial, clips, ShardsAbout(task.corpus, task.settings.schema.name))
        write_dropped(partial / DROPPED, dropped)
        _rename_unless_there(partial, task.place(job.number))
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _rename_unless_there(folder: Path, place: Path) -> None:
    """Another process may have done the same job meanwhile: its folder is as good."""
    try:
        folder.rename(place)
    except OSError:
        if not place.is_dir():
            raise


class _ClipsById(Mapping[str, Clip]):
    """Shards as a mapping from ids to clips."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards
        self._number = {name: number for number, name in enumerate(shards.column("id"))}

    def __getitem__(self, name: str) -> Clip:
        return self._shards[self._number[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._number)

    def __len__(self) -> int:
        return len(self._number)


def _made_before(task: Task) -> Mapping[str, Clip]:
    if task.reuse is None:
        return {}
    return _open_once(task.reuse, (task.reuse / ABOUT).stat().st_mtime_ns)


@cache
def _open_once(folder: Path, time_ns: int) -> Mapping[str, Clip]:
    """Opened once for all jobs of a process. time_ns : when the shards were made"""
    return _ClipsById(open_shards(folder))
