"""The folder of shards that an extraction makes, and the one beside it while it is at work.

    my_shards.part/plan.json             what is being made; another plan may not go on with it
    my_shards.part/jobs/000003/          the clips of job 3 as shards, and what it dropped
    my_shards.part/jobs/.000004.x1y2/    a job at work, or one that was killed: begun afresh

A job is renamed into its place when it is whole, and a job that is in its place is never done
again: whatever is killed, and when, nothing is lost but the jobs at work, and nothing is there
twice. At the end the jobs' clips are copied in the corpus's order into parts of an even size, and
that folder is renamed to ``my_shards``. So the bytes depend neither on who did which job, nor on
how often it was interrupted.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from fingerpost.trainer.clip_tables import Clip
from fingerpost.trainer.extraction.extract import Dropped
from fingerpost.trainer.extraction.jobs import DROPPED, Job, Plan, Task
from fingerpost.trainer.extraction.report import (
    REPORT,
    ExtractionReport,
    read_dropped,
    read_report,
    report_of,
    write_json,
)
from fingerpost.trainer.shards import ABOUT, ShardsAbout, ShardWriter, open_shards

PLAN = "plan.json"
JOBS = "jobs"


class Extraction:
    """The work on one folder of shards. In its ``with`` block no other process can work on it.

    retry : if the folder is there already, look again at the samples that it dropped
    is_finished : the folder was there already, made by the same plan
    ValueError where there is something else than what the plan makes.
    """

    def __init__(self, plan: Plan, output: Path, retry: bool = False) -> None:
        self.plan, self.output, self.retry = plan, output, retry
        self.work = output.with_name(output.name + ".part")
        self.task = Task(plan.corpus, plan.settings, (self.work / JOBS).absolute())
        self.is_finished = False
        self._lock: IO[str] | None = None

    def __enter__(self) -> "Extraction":
        is_there = self._check_output()
        if is_there and not self.retry:
            self._clear_up()
            self.is_finished = True
            return self
        if is_there:
            self.task = replace(self.task, reuse=self.output.absolute())
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
            dropped += self._open_job(number)[0]
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
        if self.output.exists():
            self.output.rename(self.work / "before")
        shards.rename(self.output)
        shutil.rmtree(self.work)
        return report

    def _join(self, shards: Path, progress: Callable[[int], None]) -> int:
        """Copies the clips of all jobs, in order; returns how long they are together, in ms."""
        duration_ms = 0
        about = ShardsAbout(self.plan.corpus, self.plan.settings.schema.name)
        with ShardWriter(shards, about) as writer:
            for number in range(self.plan.n_jobs):
                for clip in self._open_job(number)[1]:
                    writer.add(clip)
                    duration_ms += clip.sequence.duration_ms
                progress(number + 1)
        return duration_ms

    def _open_job(self, number: int) -> tuple[list[Dropped], Iterable[Clip]]:
        """What a finished job dropped, and its clips. ValueError where its files are damaged."""
        place = self.task.place(number)
        try:
            dropped = read_dropped(place / DROPPED)
            return dropped, open_shards(place) if (place / ABOUT).is_file() else []
        except (ValueError, OSError) as error:
            shutil.rmtree(place)
            raise ValueError(
                f"a finished job was damaged ({error}), as by a power cut, and is deleted; run the "
                "same command again to do it anew"
            ) from error

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

    def _clear_up(self) -> None:
        """Deletes what a kill between the last two steps left, unless it is a retry's."""
        if (self.work / PLAN).is_file() and _read_plan(self.work)["retry"]:
            raise ValueError(
                f"{self.work} holds the beginning of a retry; add --retry to go on, or delete it"
            )
        shutil.rmtree(self.work, ignore_errors=True)

    def _check_plan(self) -> None:
        """ValueError where the working folder was begun with another plan."""
        path = self.work / PLAN
        plan = self.plan.identity() | {"retry": self.retry}
        plan |= {"clips_of_a_job": self.plan.job_clips}
        if not path.is_file():
            write_json(path, plan)
            return
        if changed := _changes(_read_plan(self.work), plan):
            raise ValueError(
                f"{self.work} was begun otherwise ({changed}); repeat the first command to go on, "
                "or delete that folder to start again"
            )


def _read_plan(work: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((work / PLAN).read_text(encoding="utf-8")))
    except ValueError as error:
        raise ValueError(f"{work / PLAN} is damaged; delete {work} to start again") from error


def _changes(before: dict[str, Any], now: dict[str, Any]) -> str:
    """What two plans differ in, in words; "" where they are the same."""
    return "; ".join(
        f"{name.replace('_', ' ')} was {before.get(name)!r}, now {now.get(name)!r}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    )


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
