"""Jobs in processes of their own on this machine.

Each worker gets one job at a time through a pipe, and tells through it which sample it looks at.
A worker that dies (some videos crash the decoders) is replaced; a sample that was looked at in two
deaths is dropped and listed. A worker whose parent is gone finds its pipe closed, and ends.
"""

import multiprocessing
import signal
import threading
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from fingerpost.edge_runtime.video import import_cv2
from fingerpost.trainer.extraction.jobs import Job, Task, do_job

DEATHS = 2  # of workers at one sample, until it is given up
JOIN_S = 10.0


@dataclass
class _Worker:
    """A process and what it is doing. sample : the number of the one it looks at, -1 = none yet."""

    process: SpawnProcess
    pipe: Connection
    job: Job | None = None
    sample: int = -1


def run_in_processes(jobs: Sequence[Job], task: Task, n_workers: int) -> Iterator[int]:
    """Does the jobs; yields, as it goes on, by how many samples it is further.

    ValueError: what a worker could not do (no MediaPipe, a full disk), in its words. Leaving the
    iterator stops the workers; what they were at is lost, what they had finished is not.
    """
    if n_workers < 1:
        raise ValueError(f"expected 1 or more workers, got {n_workers}")
    waiting = deque(jobs)
    deaths: Counter[tuple[int, int]] = Counter()  # of (job, sample)
    workers: list[_Worker] = []
    try:
        while waiting or any(worker.job for worker in workers):
            n_busy = sum(worker.job is not None for worker in workers)
            while len(workers) < min(n_workers, n_busy + len(waiting)):
                workers.append(_start(task))
            for worker in workers:
                if worker.job is None and waiting:
                    _give(worker, waiting.popleft(), deaths)
            ready = wait([worker.pipe for worker in workers if worker.job])
            for worker in [worker for worker in workers if worker.pipe in ready]:
                try:
                    said = worker.pipe.recv()
                except (EOFError, ConnectionError):
                    workers.remove(worker)
                    yield from _bury(worker, waiting, deaths)
                    continue
                yield from _hear(worker, said)
    finally:
        _stop(workers)


def _start(task: Task) -> _Worker:
    context = multiprocessing.get_context("spawn")  # a fork would copy MediaPipe's threads
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, task), daemon=True)
    with _ignoring_ctrl_c():  # the child inherits that, before its first line of Python
        process.start()
    theirs.close()  # so that its end is the pipe's end
    return _Worker(process, ours)


@contextmanager
def _ignoring_ctrl_c() -> Iterator[None]:
    """Ctrl-C reaches every process of a terminal; here the parent alone answers it."""
    if threading.current_thread() is not threading.main_thread():  # others may not set signals
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _give(worker: _Worker, job: Job, deaths: Counter[tuple[int, int]]) -> None:
    given_up = {n for (number, n), k in deaths.items() if number == job.number and k >= DEATHS}
    worker.job, worker.sample = job, -1
    with suppress(ConnectionError):  # it died before it had anything to do: recv finds out
        worker.pipe.send((job, frozenset(given_up)))


def _hear(worker: _Worker, said: int | str | None) -> Iterator[int]:
    """A sample's number: looks at it now; None: the job is done; a text: it cannot go on."""
    if isinstance(said, str):
        raise ValueError(said)
    assert worker.job is not None
    if said is None:
        yield len(worker.job.samples) - max(worker.sample, 0)
        worker.job = None
    else:
        yield said - max(worker.sample, 0)
        worker.sample = said


def _bury(worker: _Worker, waiting: deque[Job], deaths: Counter[tuple[int, int]]) -> Iterator[int]:
    """Takes note of a worker's death and puts its job first in the queue."""
    worker.process.join()
    assert worker.job is not None
    deaths[worker.job.number, worker.sample] += 1
    if worker.sample < 0 and deaths[worker.job.number, -1] >= DEATHS:
        raise ValueError(
            f"workers die as they start (exit code {worker.process.exitcode}); is there memory for "
            "so many? Try --workers 1"
        )
    yield -max(worker.sample, 0)
    waiting.appendleft(worker.job)


def _stop(workers: list[_Worker]) -> None:
    for worker in workers:
        worker.pipe.close()
        if worker.job:
            worker.process.terminate()
    for worker in workers:
        worker.process.join(JOIN_S)
        if worker.process.is_alive():
            worker.process.kill()


def _work(pipe: Connection, task: Task) -> None:
    """The worker process."""
    with suppress(ValueError):  # no OpenCV: keypoint files need none, and a video will say so
        import_cv2().setNumThreads(1)  # workers are the parallelism
    while True:
        try:
            job, given_up = pipe.recv()
            try:
                for number in do_job(job, task, given_up):
                    pipe.send(number)
                pipe.send(None)
            except (ValueError, OSError) as error:
                if isinstance(error, ConnectionError):
                    raise
                pipe.send(" ".join(str(error).split()) or type(error).__name__)
        except (EOFError, ConnectionError):
            return  # the parent is gone
