"""A whole corpus to shards, in jobs that can be done in any order, anywhere, and only once.

    plan = make_plan("own_folder", Path("my_signs"), Settings())
    with Extraction(plan, Path("my_shards")) as extraction:
        for job in extraction.open_jobs():
            do_job(job, extraction.task)
        report = extraction.finish()

While it is at work there is a folder beside the one that will be:

    my_shards.part/plan.json             what is being made; another plan may not go on with it
    my_shards.part/jobs/000003/          the clips of job 3 as shards, and what it dropped
    my_shards.part/jobs/.000004.x1y2/    a job at work, or one that was killed: begun afresh

A job is renamed into its place when it is whole, and a job that is in its place is never done
again: whatever is killed, and when, nothing is lost but the jobs at work, and nothing is there
twice. At the end the jobs' clips are copied in the corpus's order into parts of an even size, and
that folder is renamed to ``my_shards``. So the bytes depend neither on who did which job, nor on
how often it was interrupted.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from fingerpost.trainer.clip_tables import Clip
from fingerpost.trainer.corpora import read_corpus
from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.extract import (
    CRASHED,
    DUPLICATE,
    EXTRACTORS,
    UNLABELLED,
    Dropped,
    LazyFinders,
    Settings,
    extract_clip,
)
from fingerpost.trainer.extract_media import KEYPOINT_SUFFIXES
from fingerpost.trainer.extract_report import (
    REPORT,
    ExtractionReport,
    read_dropped,
    read_report,
    report_of,
    write_dropped,
    write_json,
)
from fingerpost.trainer.shards import ABOUT, ShardsAbout, ShardWriter, open_shards, write_shards

PLAN = "plan.json"
JOBS = "jobs"
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
    """What every job has to know; small, and it can be pickled. folder : where jobs are kept."""

    corpus: str
    settings: Settings
    folder: Path

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
        clips: list[Clip] = []
        dropped: list[Dropped] = []
        for number, sample in enumerate(job.samples):
            yield number  # before the look, so that who listens knows where it crashed
            if number in given_up:
                dropped.append(Dropped(sample.id, CRASHED, str(sample.media)))
                continue
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


class Extraction:
    """The work on one folder of shards. In its ``with`` block no other process can work on it.

    is_finished : the folder was there already, made by the same plan
    ValueError where there is something else than what the plan makes.
    """

    def __init__(self, plan: Plan, output: Path) -> None:
        self.plan, self.output = plan, output
        self.work = output.with_name(output.name + ".part")
        self.task = Task(plan.corpus, plan.settings, (self.work / JOBS).absolute())
        self.is_finished = False
        self._lock: IO[str] | None = None

    def __enter__(self) -> "Extraction":
        self.is_finished = self._check_output()
        if self.is_finished:
            shutil.rmtree(self.work, ignore_errors=True)  # a kill came between the last two steps
            return self
        self.task.folder.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(self.work)
        try:
            self._check_plan()
        except ValueError:
            self._lock.close()
            raise
        for left in self.task.folder.glob(".*"):  # by those who were killed
            shutil.rmtree(left, ignore_errors=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._lock is not None:
            self._lock.close()

    def open_jobs(self) -> list[Job]:
        """The jobs that are not done, in order."""
        samples, n = self.plan.samples, self.plan.job_clips
        return [
            Job(number, samples[number * n : (number + 1) * n])
            for number in range(0 if self.is_finished else self.plan.n_jobs)
            if not self.task.place(number).is_dir()
        ]

    def finish(self, progress: Callable[[int], None] = lambda joined: None) -> ExtractionReport:
        """Puts the jobs together once all are done; the folder appears whole.

        progress : is told how many jobs are in
        ValueError where no clip is left; ``report.json`` is in the working folder then.
        """
        if self.is_finished:
            return read_report(self.output / REPORT)
        if undone := self.open_jobs():
            raise ValueError(f"{len(undone)} jobs are not done; run the same command again")
        shards = self.work / "shards"
        shutil.rmtree(shards, ignore_errors=True)
        dropped = list(self.plan.dropped)
        for number in range(self.plan.n_jobs):
            dropped += read_dropped(self.task.place(number) / DROPPED)
        if len(dropped) == len(self.plan.samples) + len(self.plan.dropped):
            report_of(self.plan.identity(), None, 0, dropped).write(self.work / REPORT)
            shutil.rmtree(self.task.folder)  # else the next run would believe them
            raise ValueError(
                f"none of the {len(dropped)} samples became a clip ({dropped[-1].reason}: "
                f"{dropped[-1].detail}); {self.work / REPORT} lists why"
            )
        duration_ms = self._join(shards, progress)
        about = open_shards(shards).about
        report = report_of(self.plan.identity(), about, duration_ms, dropped)
        report.write(shards / REPORT)
        shards.rename(self.output)
        shutil.rmtree(self.work)
        return report

    def _join(self, shards: Path, progress: Callable[[int], None]) -> int:
        """Copies the clips of all jobs, in order; returns how long they are together, in ms."""
        duration_ms = 0
        about = ShardsAbout(self.plan.corpus, self.plan.settings.schema.name)
        with ShardWriter(shards, about) as writer:
            for number in range(self.plan.n_jobs):
                if (self.task.place(number) / ABOUT).is_file():  # else all were dropped
                    for clip in open_shards(self.task.place(number)):
                        writer.add(clip)
                        duration_ms += clip.sequence.duration_ms
                progress(number + 1)
        return duration_ms

    def _check_output(self) -> bool:
        """Is the result there already? ValueError where something else is."""
        if not self.output.parent.is_dir():
            raise FileNotFoundError(
                f"there is no folder {self.output.parent} to make {self.output.name} in"
            )
        if not self.output.exists() or (self.output.is_dir() and not any(self.output.iterdir())):
            return False
        if not (self.output / REPORT).is_file():
            raise ValueError(f"{self.output} holds something else; name a new folder")
        if changed := _changes(read_report(self.output / REPORT).plan, self.plan.identity()):
            raise ValueError(
                f"{self.output} was made otherwise ({changed}); name a new folder, or delete it"
            )
        return True

    def _check_plan(self) -> None:
        """ValueError where the working folder was begun with another plan."""
        path = self.work / PLAN
        plan = self.plan.identity() | {"clips_of_a_job": self.plan.job_clips}
        if not path.is_file():
            write_json(path, plan)
            return
        if changed := _changes(json.loads(path.read_text(encoding="utf-8")), plan):
            raise ValueError(
                f"{self.work} was begun otherwise ({changed}); repeat the first command to go on, "
                "or delete that folder to start again"
            )


def _changes(before: dict[str, Any], now: dict[str, Any]) -> str:
    """What two plans differ in, in words; "" where they are the same."""
    return "; ".join(
        f"{name.replace('_', ' ')} was {before.get(name)!r}, now {now.get(name)!r}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    )


def _rename_unless_there(folder: Path, place: Path) -> None:
    """Another process may have done the same job meanwhile: its folder is as good."""
    try:
        folder.rename(place)
    except OSError:
        if not place.is_dir():
            raise


def _locked(folder: Path) -> IO[str]:
    """A lock that ends with the process, however it ends. ValueError where another has it."""
    file = (folder / "lock").open("w")
    if os.name != "posix":  # two at once would waste work there, not harm it
        return file
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise ValueError(
            f"another `fingerpost extract` is working on {folder}; wait for it, or stop it"
        ) from error
    return file
