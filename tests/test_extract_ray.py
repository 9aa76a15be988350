"""The same jobs on Ray: the same shards, also when a machine of the cluster is lost midway."""

import logging
import pickle
import sys

import numpy as np
import pytest

from fingerpost.edge_runtime.keypoint_files import save_npz
from fingerpost.edge_runtime.keypoints import COCO_WHOLEBODY, PoseSequence
from fingerpost.trainer.extraction.extract import Settings
from fingerpost.trainer.extraction.folder import Extraction
from fingerpost.trainer.extraction.jobs import do_job, make_plan
from fingerpost.trainer.extraction.ray_data import _do_jobs, run_on_ray
from fingerpost.trainer.extraction.run import extract_corpus

SETTINGS = Settings(view="sign69")
STORE_BYTES = 100 * 2**20  # of memory that a node may take for what it hands about


def make_plan_of(folder, n_clips, frames=8, job_clips=4):
    """A corpus of keypoint files of random numbers, and a missing one."""
    (folder / "clips").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(n_clips - 1):
        shape = (frames, len(COCO_WHOLEBODY))
        xyz, confidence = rng.random((*shape, 3)), rng.random(shape)
        sequence = PoseSequence(
            xyz.astype(np.float32), confidence.astype(np.float32), 25.0, COCO_WHOLEBODY
        )
        save_npz(folder / "clips" / f"c{i}.npz", sequence)
    rows = [f"c{i}.npz,G{i % 7},train" for i in range(n_clips)]
    (folder / "labels.csv").write_text("\n".join(["file,gloss,split", *rows]) + "\n")
    return make_plan("own_folder", folder, SETTINGS, job_clips)


def done_here(plan, output):
    with Extraction(plan, output) as extraction:
        for job in extraction.open_jobs():
            list(do_job(job, extraction.task))
        return extraction.finish()


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_runs_on_the_cluster_does_jobs_and_tells_of_problems(tmp_path):
    plan = make_plan_of(tmp_path / "corpus", 6)
    done_here(plan, tmp_path / "expected")
    with Extraction(plan, tmp_path / "shards") as extraction:
        batch = {"job": np.array([pickle.dumps(job) for job in extraction.open_jobs()], object)}
        told = _do_jobs(batch, extraction.task)
        assert told == {"samples": [4, 2], "problem": ["", ""]}
        extraction.finish()
    assert contents(tmp_path / "shards") == contents(tmp_path / "expected")
    told = _do_jobs(batch, extraction.task)  # its folder is gone, as on a machine without the drive
    assert told["samples"] == [4, 2]
    assert "a machine of the cluster does not see" in told["problem"][0]


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r"pip install \"fingerpost\[ray\]\""):
        next(run_on_ray([], None, "local"))


@pytest.fixture
def two_nodes():
    """A Ray cluster of two nodes on this machine, each with one CPU; yields it and the second."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    settings = {"num_cpus": 1, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=settings)
    try:
        second = cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
        ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
        yield cluster, second
    finally:
        ray.shutdown()
        cluster.shutdown()


@pytest.mark.slow
def test_two_nodes_make_what_one_process_makes_and_losing_one_loses_nothing(two_nodes, tmp_path):
    import ray

    cluster, second = two_nodes
    plan = make_plan_of(tmp_path / "corpus", 240)
    expected = done_here(plan, tmp_path / "expected")
    assert [d.id for d in expected.dropped] == ["c239.npz"]

    free_cpus = []
    report = extract_corpus(
        plan,
        tmp_path / "both",
        ray_address="in the fixture",
        progress=lambda *_: free_cpus.append(ray.available_resources().get("CPU", 0)),
    )
    assert min(free_cpus) == 0  # both nodes were at work
    assert report == expected
    assert contents(tmp_path / "both") == contents(tmp_path / "expected")

    done_at_the_kill = []

    def lose_a_node(what, done, total):
        if what == "extracting" and not done_at_the_kill and done >= 60:
            done_at_the_kill.append(done)
            cluster.remove_node(second, allow_graceful=False)

    report = extract_corpus(
        plan, tmp_path / "one", ray_address="in the fixture", progress=lose_a_node
    )
    assert 60 <= done_at_the_kill[0] < 240
    assert report == expected
    assert contents(tmp_path / "one") == contents(tmp_path / "expected")
