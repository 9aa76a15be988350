"""Jobs on a Ray cluster, through Ray Data: for corpora that one machine would take weeks for.

Every machine sees the corpus and the output at the same path (a network drive), and has Fingerpost
installed. A job writes its own folder there, whole or not at all. So it does no harm that Ray does
a job again when a machine is lost, or twice; what Ray carries about is only which job is done.
"""

import logging
import pickle
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from fingerpost.trainer.extraction.jobs import Job, Task, do_job

if TYPE_CHECKING:
    from ray.data import Dataset

LOCAL = "local"


def run_on_ray(jobs: Sequence[Job], task: Task, address: str) -> Iterator[int]:
    """Does the jobs; yields, as each one is done, how many samples it had.

    address : of a running cluster ("auto" finds the one that this machine is in), or ``LOCAL``.
        Where this process is connected to Ray already, that connection is used.
    ValueError: Ray is missing or cannot be reached, or what a job could not do, in its words.
    """
    try:
        import ray
    except ModuleNotFoundError as error:
        raise ValueError(
            f'--ray needs Ray ({error.name} is not installed): pip install "fingerpost[ray]"'
        ) from error
    connected_here = not ray.is_initialized()
    if connected_here:
        try:
            ray.init(
                address=address, log_to_driver=False, logging_level=logging.ERROR,
                include_dashboard=False if address == LOCAL else None,
            )  # fmt: skip
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ValueError(
                f"no Ray cluster at {address!r}; start one with `ray start --head` and give its "
                f"address, or use --ray {LOCAL}"
            ) from error
    try:
        for row in _done(jobs, task).iter_rows():
            if row["problem"]:
                raise ValueError(row["problem"])
            yield int(row["samples"])
    finally:
        if connected_here:
            ray.shutdown()


def _done(jobs: Sequence[Job], task: Task) -> "Dataset":
    """A row for each job: how many samples, and what went wrong or ""."""
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False  # our own counts samples
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    rows = [{"job": pickle.dumps(job)} for job in jobs]
    # A block for each job: a block is what Ray hands out, and what it does again.
    blocks = ray.data.from_items(rows, override_num_blocks=len(rows))
    return blocks.map_batches(partial(_do_jobs, task=task), batch_size=1, num_cpus=1)


def _do_jobs(batch: dict[str, Any], task: Task) -> dict[str, Any]:
    """Runs on the cluster. A user's mistake comes back as a row: Ray would make it a traceback."""
    n_samples, problems = [], []
    for pickled in batch["job"]:
        job = pickle.loads(pickled)
        problem = ""
        try:
            if not task.folder.is_dir():
                raise FileNotFoundError(
                    f"a machine of the cluster does not see {task.folder}; put corpus and output "
                    "on a drive that all machines have at the same path"
                )
            for _ in do_job(job, task):
                pass
        except (ValueError, OSError) as error:
            problem = " ".join(str(error).split()) or type(error).__name__
        n_samples.append(len(job.samples))
        problems.append(problem)
    return {"samples": n_samples, "problem": problems}
