"""A corpus to shards: the same bytes whatever the workers and the kills; what is dropped, is told.

The media are keypoint files: they need no extractor, and go the same way as videos.
"""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from fingerpost.app.cli import app
from fingerpost.edge_runtime.keypoint_files import save_npz
from fingerpost.edge_runtime.keypoints import COCO_WHOLEBODY, PoseSequence
from fingerpost.trainer.extraction import jobs as extract_jobs
from fingerpost.trainer.extraction import workers as extract_workers
from fingerpost.trainer.extraction.extract import Settings
from fingerpost.trainer.extraction.folder import Extraction
from fingerpost.trainer.extraction.jobs import do_job, make_plan
from fingerpost.trainer.extraction.run import extract_corpus
from fingerpost.trainer.shards import open_shards

SETTINGS = Settings(view="sign69")


def make_corpus(folder, n_clips, frames=8):
    """Clips c0.npz, c1.npz, ... of random keypoints, each with a gloss; returns the sequences."""
    (folder / "clips").mkdir(parents=True)
    rng = np.random.default_rng(n_clips)
    rows, sequences = ["file,gloss,signer,split"], []
    for i in range(n_clips):
        shape = (frames, len(COCO_WHOLEBODY))
        xyz = rng.random((*shape, 3)).astype(np.float32) * [1, 1, 0]
        confidence = (rng.integers(1, 256, shape) / 255).astype(np.float32)
        sequences.append(PoseSequence(xyz.astype(np.float32), confidence, 25.0, COCO_WHOLEBODY))
        save_npz(folder / "clips" / f"c{i}.npz", sequences[-1])
        rows.append(f"c{i}.npz,G{i % 7},s{i % 3},train")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return sequences


def contents(folder):
    """Every file of a folder by its name: all that can differ."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """24 clips, and the shards that one uninterrupted run in this process makes of them."""
    folder = tmp_path_factory.mktemp("corpus")
    make_corpus(folder / "corpus", 24)
    done_by_hand(make_plan("own_folder", folder / "corpus", SETTINGS), folder / "expected")
    return folder


def done_by_hand(plan, output, order=1, retry=False):
    """All jobs in this process, one after the other; backwards with order -1."""
    with Extraction(plan, output, retry) as extraction:
        for job in extraction.open_jobs()[::order]:
            assert list(do_job(job, extraction.task)) == list(range(len(job.samples)))
        return extraction.finish()


def test_the_shards_hold_the_corpus(tmp_path):
    sequences = make_corpus(tmp_path / "corpus", 5)
    plan = make_plan("own_folder", tmp_path / "corpus", Settings(extractor="rtmpose"), job_clips=2)
    report = done_by_hand(plan, tmp_path / "shards")
    shards = open_shards(tmp_path / "shards")
    assert shards.column("id") == [f"c{i}.npz" for i in range(5)]
    assert shards.column("signer") == ["s0", "s1", "s2", "s0", "s1"]
    assert [clip.glosses for clip in shards] == [(f"G{i}",) for i in range(5)]
    for clip, expected in zip(shards, sequences, strict=True):
        np.testing.assert_allclose(clip.sequence.xyz, expected.xyz, atol=5e-4)  # float16
    assert (report.n_clips, report.n_frames, report.duration_ms) == (5, 40, 1600)
    assert report.dropped == ()
    assert not (tmp_path / "shards.part").exists()


def test_order_and_size_of_the_jobs_do_not_show(corpus, tmp_path):
    for job_clips, order in ((1, 1), (5, -1), (24, 1), (100, 1)):
        plan = make_plan("own_folder", corpus / "corpus", SETTINGS, job_clips)
        done_by_hand(plan, tmp_path / f"{job_clips}", order)
        assert contents(tmp_path / f"{job_clips}") == contents(corpus / "expected")


def test_two_processes_make_what_one_makes(corpus, tmp_path):
    plan = make_plan("own_folder", corpus / "corpus", SETTINGS)
    told = []
    report = extract_corpus(plan, tmp_path / "shards", 2, progress=lambda *said: told.append(said))
    assert contents(tmp_path / "shards") == contents(corpus / "expected")
    assert told[0] == ("extracting", 0, 24)
    assert ("extracting", 24, 24) in told
    assert told == sorted(told)  # it only goes forward, and joining comes after
    assert told[-1] == ("joining", 24, 24)
    again = extract_corpus(plan, tmp_path / "shards")  # nothing to do
    assert again == report


def test_what_a_finished_job_left_is_not_done_again(corpus, tmp_path, monkeypatch):
    plan = make_plan("own_folder", corpus / "corpus", SETTINGS, job_clips=4)
    with Extraction(plan, tmp_path / "shards") as extraction:
        for job in extraction.open_jobs()[1:4]:
            list(do_job(job, extraction.task))
        half = do_job(extraction.open_jobs()[0], extraction.task)
        next(half)
        half.close()
        with pytest.raises(ValueError, match="3 jobs are not done"):
            extraction.finish()
    (tmp_path / "shards.part" / "jobs" / ".000000.killed").mkdir()
    looked_at = []
    true_extract = extract_jobs.extract_clip
    monkeypatch.setattr(
        extract_jobs, "extract_clip", lambda s, *a: looked_at.append(s.id) or true_extract(s, *a)
    )
    done_by_hand(plan, tmp_path / "shards")
    assert looked_at == [f"c{i}.npz" for i in (*range(4), *range(16, 24))]
    assert contents(tmp_path / "shards") == contents(corpus / "expected")


def test_a_job_that_two_processes_do_at_once_is_there_once(corpus, tmp_path):
    plan = make_plan("own_folder", corpus / "corpus", SETTINGS, job_clips=12)
    with Extraction(plan, tmp_path / "shards") as extraction:
        first, second = extraction.open_jobs()
        slow, fast = do_job(first, extraction.task), do_job(first, extraction.task)
        next(slow)
        list(fast)
        list(slow)
        assert sorted(p.name for p in extraction.task.folder.iterdir()) == ["000000"]
        list(do_job(second, extraction.task))
        extraction.finish()
    assert contents(tmp_path / "shards") == contents(corpus / "expected")


def extract_command(folder, *more):
    command = [sys.executable, "-m", "fingerpost.app", "extract", str(folder / "corpus")]
    return [*command, "-o", str(folder / "shards"), "--view", "sign69", *more]


def wait_for_jobs(process, folder, n_jobs):
    """Returns once so many jobs are in place, and the process is still at work."""
    while process.poll() is None and len(finished_jobs(folder)) < n_jobs:
        time.sleep(0.002)
    assert process.poll() is None, "it ended before it could be killed"


def finished_jobs(folder):
    return list(folder.glob("shards.part/jobs/[0-9]*"))


def test_kill_9_loses_and_doubles_nothing(tmp_path):
    """Only the parent is killed: its worker ends by itself, and clears up what it was at."""
    make_corpus(tmp_path / "corpus", 40, frames=60)
    done_by_hand(make_plan("own_folder", tmp_path / "corpus", SETTINGS), tmp_path / "expected")
    with subprocess.Popen(extract_command(tmp_path), stderr=subprocess.PIPE) as process:
        wait_for_jobs(process, tmp_path, 2)
        process.kill()
        process.stderr.read()  # to its end: nobody has it open any more, so the worker is gone
    assert not (tmp_path / "shards").exists()
    assert not list(tmp_path.glob("shards.part/jobs/.*"))
    kept = len(finished_jobs(tmp_path))
    assert 2 <= kept < 40
    ran = subprocess.run(extract_command(tmp_path), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert f"Going on: {kept} of 40" in ran.stderr
    assert contents(tmp_path / "shards") == contents(tmp_path / "expected")


@pytest.mark.slow
def test_kill_9_of_all_processes_again_and_again(tmp_path):
    make_corpus(tmp_path / "corpus", 60, frames=200)
    done_by_hand(make_plan("own_folder", tmp_path / "corpus", SETTINGS), tmp_path / "expected")
    kept = 0
    for kill_after in (3, 10, 20, 30):
        command = extract_command(tmp_path, "--workers", "2")
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        wait_for_jobs(process, tmp_path, kill_after)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert not (tmp_path / "shards").exists()
        assert kept <= kill_after <= len(finished_jobs(tmp_path)) < 60
        kept = len(finished_jobs(tmp_path))
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert contents(tmp_path / "shards") == contents(tmp_path / "expected")


def crash_at(name):
    """A stand-in for the worker that dies without a word at one sample, as a decoder would."""

    def do_job_and_crash(job, task, given_up=frozenset()):
        for number in do_job(job, task, given_up):
            yield number
            if job.samples[number].id == name and number not in given_up:
                os._exit(139)

    return do_job_and_crash


def crashing_worker(pipe, task):
    extract_workers.do_job = crash_at("c5.npz")
    TRUE_WORK(pipe, task)


TRUE_WORK = extract_workers._work


@pytest.mark.slow
def test_a_sample_that_crashes_the_extractor_is_dropped_and_the_rest_is_there(
    tmp_path, monkeypatch
):
    make_corpus(tmp_path / "corpus", 12)
    monkeypatch.setattr(extract_workers, "_work", crashing_worker)
    monkeypatch.setattr(extract_workers, "DEATHS", 1)  # each death costs a start
    plan = make_plan("own_folder", tmp_path / "corpus", SETTINGS, job_clips=4)
    told = []
    report = extract_corpus(plan, tmp_path / "shards", 1, progress=lambda *said: told.append(said))
    assert [(d.id, d.reason) for d in report.dropped] == [("c5.npz", "extractor crashed")]
    ids = open_shards(tmp_path / "shards").column("id")
    assert ids == [f"c{i}.npz" for i in range(12) if i != 5]
    assert ("extracting", 12, 12) in told


def dying_worker(pipe, task):
    os._exit(1)


def failing_worker(pipe, task):
    def no_space(job, task, given_up):
        yield 0
        raise OSError(28, "No space left on device")

    extract_workers.do_job = no_space
    TRUE_WORK(pipe, task)


@pytest.mark.parametrize(
    ("worker", "message"),
    [
        pytest.param(dying_worker, "workers die as they start", marks=pytest.mark.slow),
        (failing_worker, "No space left"),
    ],
)
def test_workers_that_cannot_work_end_in_one_line(tmp_path, monkeypatch, worker, message):
    make_corpus(tmp_path / "corpus", 3)
    monkeypatch.setattr(extract_workers, "_work", worker)
    plan = make_plan("own_folder", tmp_path / "corpus", SETTINGS)
    with pytest.raises(ValueError, match=message) as error:
        extract_corpus(plan, tmp_path / "shards", 1)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "shards").exists()


def test_another_plan_may_not_go_on(tmp_path):
    make_corpus(tmp_path / "corpus", 4)
    plan = make_plan("own_folder", tmp_path / "corpus", SETTINGS)
    with Extraction(plan, tmp_path / "shards") as extraction:
        list(do_job(extraction.open_jobs()[0], extraction.task))
        with pytest.raises(ValueError, match="another `fingerpost extract` is working"):
            Extraction(plan, tmp_path / "shards").__enter__()
    other_view = make_plan("own_folder", tmp_path / "corpus", Settings(view="msmae"))
    with pytest.raises(ValueError, match=r"view was 'sign69', now 'msmae'\); repeat"):
        Extraction(other_view, tmp_path / "shards").__enter__()
    done_by_hand(plan, tmp_path / "shards")
    with pytest.raises(ValueError, match=r"view was 'sign69', now 'msmae'\); name a new"):
        Extraction(other_view, tmp_path / "shards").__enter__()
    labels = tmp_path / "corpus" / "labels.csv"
    labels.write_text(labels.read_text().replace("G1", "OTHER"))
    with pytest.raises(ValueError, match="samples was"):
        Extraction(
            make_plan("own_folder", tmp_path / "corpus", SETTINGS), tmp_path / "shards"
        ).__enter__()


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    make_corpus(tmp_path / "corpus", 2)
    plan = make_plan("own_folder", tmp_path / "corpus", SETTINGS)
    with pytest.raises(ValueError, match="holds something else"):
        Extraction(plan, tmp_path / "corpus").__enter__()
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        Extraction(plan, tmp_path / "absent" / "shards").__enter__()
    (tmp_path / "new").mkdir()
    assert done_by_hand(plan, tmp_path / "new").n_clips == 2  # an empty folder is as good as none


def make_faulty_corpus(folder):
    """Four good clips, and one of each fault that needs no video."""
    make_corpus(folder, 4)
    (folder / "clips" / "broken.npz").write_bytes(b"junk")
    nobody = PoseSequence(np.zeros((8, 133, 3)), np.zeros((8, 133)), 25.0, COCO_WHOLEBODY)
    save_npz(folder / "clips" / "nobody.npz", nobody)
    with (folder / "labels.csv").open("a") as file:
        file.write("absent.npz,G,s,train\nbroken.npz,G,s,train\nnobody.npz,G,s,train\n")
        file.write("c0.npz,SECOND,s,train\nunlabelled.npz,,s,train\n")


def test_every_dropped_sample_is_in_the_report(tmp_path):
    make_faulty_corpus(tmp_path / "corpus")
    command = ["extract", str(tmp_path / "corpus"), "-o", str(tmp_path / "shards")]
    command += ["--view", "sign69", "--json"]
    ran = CliRunner().invoke(app, command)
    assert ran.exit_code == 0, ran.output
    report = json.loads(ran.stdout)
    assert report == json.loads((tmp_path / "shards" / "report.json").read_text())
    assert (report["samples"], report["clips"], report["frames"]) == (9, 4, 32)
    assert {
        reason: [d["id"] for d in dropped] for reason, dropped in report["dropped"].items()
    } == {
        "no label": ["unlabelled.npz"],
        "duplicate id": ["c0.npz"],
        "missing media": ["absent.npz"],
        "unreadable media": ["broken.npz"],
        "nobody seen": ["nobody.npz"],
    }
    assert CliRunner().invoke(app, [*command, "--strict"]).exit_code == 1
    table = CliRunner().invoke(app, command[:-1])
    assert "missing media     1        absent.npz" in table.output


def test_nothing_left_is_an_error_and_the_next_run_looks_again(tmp_path):
    sequences = make_corpus(tmp_path / "corpus", 1)
    clip = tmp_path / "corpus" / "clips" / "c0.npz"
    clip.unlink()
    plan = make_plan("own_folder", tmp_path / "corpus", SETTINGS)
    with pytest.raises(ValueError, match="none of the 1 samples became a clip.*missing media"):
        done_by_hand(plan, tmp_path / "shards")
    report = json.loads((tmp_path / "shards.part" / "report.json").read_text())
    assert list(report["dropped"]) == ["missing media"]
    save_npz(clip, sequences[0])
    assert done_by_hand(plan, tmp_path / "shards").n_clips == 1


def test_a_retry_looks_at_the_dropped_samples_alone(tmp_path, monkeypatch):
    make_faulty_corpus(tmp_path / "corpus")
    plan = make_plan("own_folder", tmp_path / "corpus", SETTINGS, job_clips=3)
    done_by_hand(plan, tmp_path / "shards")
    clips = tmp_path / "corpus" / "clips"
    (clips / "absent.npz").write_bytes((clips / "c3.npz").read_bytes())  # it was fetched
    unchanged = contents(tmp_path / "shards")
    assert done_by_hand(plan, tmp_path / "shards").n_clips == 4
    assert contents(tmp_path / "shards") == unchanged

    looked_at = []
    true_extract = extract_jobs.extract_clip
    monkeypatch.setattr(
        extract_jobs, "extract_clip", lambda s, *a: looked_at.append(s.id) or true_extract(s, *a)
    )
    with Extraction(plan, tmp_path / "shards", retry=True) as extraction:
        list(do_job(extraction.open_jobs()[0], extraction.task))  # and then it is killed
    with pytest.raises(ValueError, match="beginning of a retry; add --retry"):
        done_by_hand(plan, tmp_path / "shards")
    report = done_by_hand(plan, tmp_path / "shards", retry=True)
    assert looked_at == ["absent.npz", "broken.npz", "nobody.npz"]
    assert report.n_clips == 5
    assert [d.id for d in report.dropped] == [
        *("c0.npz", "unlabelled.npz"),
        *("broken.npz", "nobody.npz"),
    ]
    done_by_hand(plan, tmp_path / "afresh")
    assert contents(tmp_path / "shards") == contents(tmp_path / "afresh")
    assert not (tmp_path / "shards.part").exists()


def test_a_job_that_a_power_cut_damaged_is_done_anew(corpus, tmp_path):
    plan = make_plan("own_folder", corpus / "corpus", SETTINGS, job_clips=8)
    for name in ("part-00000.arrow", "dropped.json"):
        with Extraction(plan, tmp_path / "shards") as extraction:
            for job in extraction.open_jobs():
                list(do_job(job, extraction.task))
            (extraction.task.place(1) / name).write_bytes(b"")
            with pytest.raises(ValueError, match="damaged.*run the same command again") as error:
                extraction.finish()
            assert "\n" not in str(error.value)
            assert [job.number for job in extraction.open_jobs()] == [1]
    done_by_hand(plan, tmp_path / "shards")
    assert contents(tmp_path / "shards") == contents(corpus / "expected")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{corpus}"], "-o DIR"),
        (["nobodys_corpus", "{corpus}", "-o", "{new}"], "no corpus 'nobodys_corpus'; known are"),
        (["{absent}", "-o", "{new}"], "no folder"),
        (["{corpus}", "-o", "{new}", "--view", "no"], "no view 'no'; known are sign69"),
        (["{video}", "-o", "{new}", "--extractor", "rtmpose"], "needs --detector-model FILE.onnx"),
        (["{empty}", "-o", "{new}"], "has no samples"),
    ],
)
def test_a_users_mistakes_are_one_line_and_leave_no_shards(tmp_path, arguments, message):
    make_corpus(tmp_path / "corpus", 1)
    make_corpus(tmp_path / "empty", 0)
    make_corpus(tmp_path / "video", 0)
    (tmp_path / "video" / "labels.csv").write_text("file,gloss\na.mp4,HELLO\n")
    places = {name: tmp_path / name for name in ("corpus", "empty", "video", "absent", "new")}
    ran = CliRunner().invoke(app, ["extract", *(a.format(**places) for a in arguments)])
    assert ran.exit_code == 2
    assert message in ran.output
    assert ran.output.count("\n") == 1
    assert not (tmp_path / "new").exists()
