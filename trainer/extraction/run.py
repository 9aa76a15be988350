"""``fingerpost extract``: a corpus becomes shards, on this machine or on many."""

from collections.abc import Callable
from pathlib import Path

from fingerpost.trainer.extraction.extract import EXTRACTORS, Tell
from fingerpost.trainer.extraction.folder import Extraction
from fingerpost.trainer.extraction.jobs import Plan
from fingerpost.trainer.extraction.report import ExtractionReport
from fingerpost.trainer.extraction.workers import run_in_processes

Progress = Callable[[str, int, int], None]  # what is being done, how far, of how much


def extract_corpus(
    plan: Plan,
    output: Path,
    n_workers: int = 1,
    ray_address: str = "",
    retry: bool = False,
    progress: Progress = lambda what, done, total: None,
    tell: Tell = lambda line: None,
) -> ExtractionReport:
    """Makes the shards that a plan describes, going on where an earlier run was stopped.

    output : a new folder; it appears when it is whole
    n_workers : processes on this machine
    ray_address : do the jobs on a Ray cluster instead; "local" starts one here
    retry : where the shards are there, look again at the samples that they dropped
    progress : is told how many samples are done ("extracting", those of earlier runs included),
        and then how many jobs are put together ("joining")
    tell : is given a line of text before models are fetched
    ValueError or OSError: what the user can put right.
    """
    with Extraction(plan, output, retry) as extraction:
        jobs, total = extraction.open_jobs(), len(plan.samples)
        if jobs and plan.needs_extractor:
            EXTRACTORS[plan.settings.extractor].load(plan.settings, tell)  # or fails: here, early
        done = total - sum(len(job.samples) for job in jobs)
        progress("extracting", done, total)
        if ray_address and jobs:
            from fingerpost.trainer.extraction.ray_data import run_on_ray

            steps = run_on_ray(jobs, extraction.task, ray_address)
        else:
            steps = run_in_processes(jobs, extraction.task, n_workers)
        for step in steps:
            done += step
            progress("extracting", done, total)
        return extraction.finish(lambda joined: progress("joining", joined, plan.n_jobs))
