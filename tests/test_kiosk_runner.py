"""The kiosk at work without a window: faults injected into a real worker, a PIN, a log, a pack."""

import gc
import os
import sqlite3
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from fingerpost.app import session_worker
from fingerpost.app.kiosk import (
    ATTRACT,
    DOWN,
    RUNNING,
    TALK,
    Finished,
    Kiosk,
    LanguageChosen,
    Touched,
)
from fingerpost.app.kiosk_health import Health
from fingerpost.app.kiosk_log import KioskLog
from fingerpost.app.kiosk_pack import PackWatch
from fingerpost.app.kiosk_pin import PinFile
from fingerpost.app.kiosk_runner import GAVE_UP, KioskRunner, what_happened
from fingerpost.app.observer import Sight
from fingerpost.app.session import Session, VideoObserver
from fingerpost.app.session_worker import SessionWorker
from fingerpost.edge_runtime.captions import Line, LineChanged, LineCompleted
from fingerpost.edge_runtime.keypoints import SIGN69, KeypointFrame
from fingerpost.edge_runtime.pack import bundled_pack

SECRET = "MY SECRET"  # what the visitor signs


def frame(time_ms, somebody):
    xyz, confidence = np.zeros((69, 3), np.float32), np.zeros(69, np.float32)
    if somebody:
        for name, x in (("left_shoulder", 0.65), ("right_shoulder", 0.35)):
            xyz[SIGN69.index(name), :2] = x, 0.5
            confidence[SIGN69.index(name)] = 1
    return KeypointFrame(time_ms, xyz, confidence)


class World:
    """The kiosk's surroundings, with a clock of their own. Each ``step`` is one picture, which the
    worker has looked at when it returns."""

    def __init__(self, folder, pack=None):
        self.now_ms = 1_000_000
        self.somebody = False
        self.gone = self.crash = self.unplug = False
        self.says = []  # events of the next picture
        self.n_resets = self.n_opened = 0
        self.written = []  # the languages that captions were to be in
        self.cameras = []
        self.pin = PinFile(folder / "pin.json")
        if not self.pin.is_set:
            self.pin.set("2468")
        self.log = KioskLog(folder / "kiosk.log")
        self.health = Health(lambda: self.now_ms)
        self.runner = KioskRunner(
            *(Kiosk(True), self.session, self.pin, self.log, self.health, pack, "a-pack"),
            language="en",
        )

    @contextmanager
    def session(self):
        if self.gone:
            raise ValueError("camera 0 does not open")
        self.n_opened += 1
        self.cameras.append(Camera(self))
        yield Session(self.cameras[-1], Captioner(self))

    def step(self, step_ms=40):
        self.now_ms += step_ms
        worker = self.runner._worker
        while worker is not None and worker.observer is None and worker._thread.is_alive():
            time.sleep(0.001)
        if worker is not None and worker.observer is not None:
            worker.observer.turn.release()
            while worker._thread.is_alive() and not worker.observer.done.acquire(timeout=0.01):
                pass
        self.runner.tick(self.now_ms)

    def run(self, seconds, step_ms=40):
        for _ in range(round(seconds * 1000 / step_ms)):
            self.step(step_ms)
        return self.runner

    def close(self):
        self.unplug = True
        for camera in self.cameras:
            camera.turn.release()
        self.runner.close()


class Camera:
    name, fps, live, schema, size, aspect = "camera 0", 25.0, True, SIGN69, (64, 48), 4 / 3
    problem = "camera 0 stopped giving pictures"

    def __init__(self, world):
        self.world = world
        self.turn, self.done = threading.Semaphore(0), threading.Semaphore(0)

    def __iter__(self):
        world = self.world
        while True:
            self.turn.acquire()
            if world.unplug:
                return
            picture = np.full((48, 64, 3), world.now_ms % 251, np.uint8)
            yield Sight(world.now_ms, picture, frame(world.now_ms, world.somebody))
            self.done.release()


class Captioner:
    def __init__(self, world):
        self.world = world

    def push(self, one):
        if self.world.crash:
            raise KeyError(SECRET)
        said, self.world.says = self.world.says, []
        return said

    def flush(self):
        return [LineCompleted(7, line(SECRET))]  # of what was being signed

    def reset(self):
        self.world.n_resets += 1

    languages = ("English", "German")

    def write_in(self, language):
        self.world.written.append(language)


def line(text):
    return Line(text, (text,), ((),), 0, 0, 1.0)


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    world.run(0.4)
    assert world.runner.machine.pipeline == RUNNING
    yield world
    world.close()


def visit(world, *texts):
    """Somebody steps in and signs."""
    world.somebody = True
    world.run(1)
    assert world.runner.machine.view == TALK
    for number, text in enumerate(texts):
        world.says = [LineCompleted(number, line(text))]
        world.step()
        world.step()


def said(world):
    return [entry.text for entry in world.runner.conversation.entries]


def test_a_visitor_is_captioned_and_then_nothing_is_left(world):
    visit(world, "HELLO", SECRET)
    world.says = [LineChanged(9, line("MORE SECR"), 1)]
    world.run(0.2)
    assert said(world) == ["HELLO", SECRET] and world.runner.conversation.open_line
    assert world.runner.sight is not None
    world.somebody = False
    world.run(30.5)
    runner = world.runner
    assert runner.machine.view == ATTRACT and world.n_resets == 2  # on the way in and out
    assert said(world) == [] and runner.conversation.shown() == ()
    assert not runner.conversation.can_put_back and runner.conversation.keeper is None
    visit(world)
    assert said(world) == [] and runner.conversation.shown() == ()


def test_what_the_worker_still_says_of_the_last_visitor_is_not_the_next_ones(world):
    visit(world)
    world.says = [LineCompleted(3, line(SECRET))]  # lies in the worker when all is forgotten
    world.runner.push(Finished(), world.now_ms)
    world.runner.push(Touched(), world.now_ms)  # the next one is here at once
    world.run(1)
    assert world.runner.machine.view == TALK and said(world) == []
    visit(world, "NEW")
    assert said(world) == ["NEW"]


def test_captions_are_in_the_visitors_language_where_the_pack_writes_it(world):
    visit(world, "HELLO")
    world.runner.push(LanguageChosen("de"), world.now_ms)
    world.run(0.2)
    assert world.written == ["English", "German"]
    world.crash = True
    world.run(0.2)
    world.crash = False
    world.run(2)  # a new worker, and the visitor is still here
    assert world.written[2:] == ["German"]
    world.runner.push(LanguageChosen("es"), world.now_ms)  # the pack's own, then
    world.run(0.2)
    world.runner.push(Finished(), world.now_ms)
    world.run(0.2)
    assert world.written[3:] == ["", "English"]  # the next one's


def test_sign_again_drops_the_last_line_and_the_open_one_and_nothing_else(world):
    visit(world, "HELLO", "WRONG")
    world.says = [LineChanged(9, line("WRONG T"), 1)]
    world.run(0.2)
    world.runner.sign_again()
    world.run(0.2)
    assert said(world) == ["HELLO"] and world.runner.conversation.open_line is None
    visit(world, "RIGHT")
    assert said(world) == ["HELLO", "RIGHT"]


def test_a_reply_is_shown_kept_nowhere_and_forgotten(world, tmp_path):
    runner = world.runner
    runner.reply("  nobody is here  ", world.now_ms)
    assert runner.last_reply is None
    visit(world, "HELLO")
    runner.reply("   ", world.now_ms)
    assert runner.last_reply is None
    runner.reply("  what  colour? ", world.now_ms)
    runner.reply("red?", world.now_ms)
    assert said(world) == ["HELLO", "what colour?", "red?"] and runner.last_reply.text == "red?"
    assert [line.text for line in runner.conversation.shown()] == ["HELLO"]  # the captions
    runner.push(Finished(), world.now_ms)
    assert said(world) == [] and runner.last_reply is None
    assert "red" not in (tmp_path / "kiosk.log").read_text()


def test_sign_again_leaves_a_line_that_was_replied_to(world):
    visit(world, "HELLO")
    world.runner.reply("hello", world.now_ms)
    world.runner.sign_again()
    assert said(world) == ["HELLO", "hello"]
    visit(world, "WRONG")
    world.runner.sign_again()
    assert said(world) == ["HELLO", "hello"]


def test_nobody_signs_while_nobody_is_here(world):
    world.says = [LineCompleted(0, line("FROM AFAR"))]
    world.run(0.2)
    assert said(world) == []


def test_a_crash_of_the_worker_is_shown_and_over_within_five_seconds(world):
    visit(world, "HELLO")
    world.crash = True
    world.step()
    crashed_ms = world.now_ms
    world.step()
    machine = world.runner.machine
    assert (
        machine.pipeline == DOWN and "crashed: KeyError in test_kiosk_runner.py" in machine.trouble
    )
    assert SECRET not in machine.trouble
    assert world.health.problem() == machine.trouble
    world.crash = False
    while machine.pipeline != RUNNING:
        world.step()
    assert world.now_ms - crashed_ms < 5_000 and machine.trouble == ""
    assert said(world) == ["HELLO"] and machine.view == TALK  # who is here goes on
    visit(world, "AGAIN")
    assert said(world) == ["HELLO", "AGAIN"]
    assert world.health.problem() == ""


def test_a_camera_unplugged_and_back(world):
    world.unplug = world.gone = True
    world.run(10)
    machine = world.runner.machine
    assert "camera 0 does not open" in machine.trouble and machine.n_losses >= 5
    world.unplug = world.gone = False
    world.run(3)
    assert machine.trouble == "" and machine.pipeline == RUNNING


def test_the_log_knows_when_and_never_what(world, tmp_path):
    visit(world, SECRET)
    world.crash = True
    world.run(0.1)
    world.crash = False
    world.somebody = False
    world.run(35)
    written = (tmp_path / "kiosk.log").read_text()
    assert "crashed" in written and "nobody is here: forgotten" in written
    assert SECRET not in written


def test_a_locked_database_is_no_matter(tmp_path):
    with sqlite3.connect(tmp_path / "history.db", isolation_level=None) as other:
        other.execute("CREATE TABLE t (x)")
        other.execute("BEGIN EXCLUSIVE")
        world = World(tmp_path)
        world.run(0.4)
        visit(world, "HELLO")
        assert said(world) == ["HELLO"]
        world.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "history.db",
        "kiosk.log",
        "pin.json",
    ]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has /dev/full")
def test_a_full_disk_costs_lines_of_the_log_and_nothing_else(tmp_path, capfd):
    (tmp_path / "kiosk.log").symlink_to("/dev/full")
    world = World(tmp_path)
    world.run(0.4)
    visit(world, "HELLO")
    assert said(world) == ["HELLO"] and world.log.n_lost >= 2
    assert world.health.report()[0] == 200
    world.close()
    assert "Traceback" not in capfd.readouterr().err


def test_the_right_pin_ends_it_and_a_wrong_one_does_not(world):
    from fingerpost.app.kiosk import AskedToLeave

    assert not world.runner.try_pin("2468", world.now_ms)  # nobody asked
    world.runner.push(AskedToLeave(), world.now_ms)
    assert not world.runner.try_pin("1357", world.now_ms) and world.runner.exit_code is None
    assert world.runner.try_pin("2468", world.now_ms) and world.runner.exit_code == 0


def test_a_hanging_camera_gives_up_in_the_end_and_the_window_never_waits(tmp_path):
    go = threading.Event()

    @contextmanager
    def hanging():
        go.wait(60)
        raise ValueError("the camera hung")
        yield

    log = KioskLog(tmp_path / "kiosk.log")
    runner = KioskRunner(Kiosk(True), hanging, PinFile(tmp_path / "p"), log, Health(lambda: 0))
    began_s = time.monotonic()
    now_ms = 0
    while runner.exit_code is None:
        now_ms += 1000
        runner.tick(now_ms)
        assert now_ms < 600_000
    assert runner.exit_code == GAVE_UP
    assert time.monotonic() - began_s < 60  # it did not wait for threads, 5 s each
    go.set()
    log.close()


def test_a_worker_whose_camera_hangs_ends_once_it_is_abandoned():
    observer = VideoObserver("camera 0", lambda: None, live=True)  # no thread ever fills it

    @contextmanager
    def opening():
        yield Session(observer, Captioner(None))

    worker = SessionWorker(opening)
    worker.start()
    while worker.observer is None:
        time.sleep(0.001)
    assert worker._thread.is_alive()
    worker.abandon()
    worker._thread.join(20)
    assert not worker._thread.is_alive() and worker.look()[1] is None


def test_what_happened_in_one_line():
    assert what_happened(OSError("no\n such  camera")) == "no such camera"
    assert what_happened(ValueError()) == "ValueError"
    assert what_happened(MemoryError()) == "the captions crashed: MemoryError"


@pytest.mark.skipif(bundled_pack() is None, reason="built without its pack")
def test_a_pack_replaced_under_it(tmp_path):
    from fingerpost.edge_runtime.pack import open_pack, pack_to_fpk

    path = tmp_path / "mine.fpk"
    pack_to_fpk(open_pack(bundled_pack()), path)
    whole = path.read_bytes()
    watch = PackWatch(lambda: path)
    world = World(tmp_path, watch)
    world.run(5, step_ms=500)
    assert world.n_opened == 1

    path.write_bytes(whole[: len(whole) // 2])  # a copy that breaks off
    world.run(10, step_ms=500)
    assert world.n_opened == 1 and "mine.fpk" in watch.problem
    assert world.health.problem() == ""  # the old one goes on
    assert '"pack_trouble": ""' not in world.health.report()[1]

    path.unlink()
    world.run(10, step_ms=500)
    assert world.n_opened == 1

    visit(world)
    path.write_bytes(whole)
    os.utime(path, ns=(1, 1))
    world.run(10, step_ms=500)
    assert world.n_opened == 1 and watch.problem == ""  # somebody is here
    world.somebody = False
    world.run(40, step_ms=500)
    assert world.n_opened == 2 and world.runner.machine.pipeline == RUNNING
    world.run(20, step_ms=500)
    assert world.n_opened == 2
    world.close()


def test_a_pipeline_that_ends_gives_its_memory_back(tmp_path, monkeypatch):
    for thread in threading.enumerate():  # of the tests before: they give back too
        if thread.name == "worker":
            thread.join(20)
    given = []
    monkeypatch.setattr(session_worker, "give_back_freed_memory", lambda: given.append(1))
    world = World(tmp_path)
    world.run(0.2)
    assert not given
    world.crash = True
    world.run(0.2)
    while not given:  # the worker's thread may still be at it
        time.sleep(0.005)
    assert given == [1]
    world.close()


def test_nothing_grows_from_visitor_to_visitor(world):
    """After the first visitors there are as many objects as after many more."""

    def visits(n):
        for _ in range(n):
            visit(world, "HELLO", "AGAIN")
            world.somebody = False
            world.run(32, step_ms=250)
        gc.collect()
        return len(gc.get_objects())

    few = visits(4)
    assert abs(visits(12) - few) < 200
