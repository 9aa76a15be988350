"""The worker: the newest sight and every event, errors, requests, an end when it is asked for."""

import threading
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest

from fingerpost.app import tape as tapes
from fingerpost.app.observer import Sight
from fingerpost.app.platforms import sources
from fingerpost.app.platforms.sources import LoopedVideo, known_sources, watch
from fingerpost.app.session import Session
from fingerpost.app.session_worker import Cancelled, Errand, SessionWorker
from fingerpost.app.tape import Tape
from fingerpost.edge_runtime.captions import Line, LineCompleted
from fingerpost.edge_runtime.keypoints import SIGN69, KeypointFrame


class Observer:
    """Sights 0, 1, 2 …; before the sight ``hold_at`` it waits to be let go."""

    name, fps, live, schema, size, problem = "fake", 25.0, True, SIGN69, (64, 48), ""

    def __init__(self, n=6, hold_at=None, fail_at=None, pictures=False):
        self.n, self.hold_at, self.fail_at, self.pictures = n, hold_at, fail_at, pictures
        self.held, self.go = threading.Event(), threading.Event()

    def __iter__(self):
        for t in range(self.n):
            if t == self.hold_at:
                self.held.set()
                self.go.wait(20)
            if t == self.fail_at:
                raise ValueError("the camera is gone")
            unseen = KeypointFrame(t, np.zeros((69, 3), np.float32), np.zeros(69, np.float32))
            picture = np.full((48, 64, 3), 20 * t, np.uint8) if self.pictures else None
            yield Sight(t, picture, unseen, found_ms=float(t))


class Captioner:
    """A line for every sight."""

    def push(self, frame):
        return [LineCompleted(frame.time_ms, Line(f"line {frame.time_ms}", (), (), 0, 0, 1.0))]

    def flush(self):
        return [LineCompleted(99, Line("the end", (), (), 0, 0, 1.0))]


def worker_of(observer):
    @contextmanager
    def opening():
        yield Session(observer, Captioner())

    worker = SessionWorker(opening)
    worker.start()
    return worker


def ended(worker):
    """All news until the end."""
    news = []
    while not news or not news[-1].ended:
        news.append(worker.take())
        threading.Event().wait(0.002)
    return news


def test_of_sights_only_the_newest_is_kept_and_of_events_all():
    observer = Observer(n=6, hold_at=4)
    worker = worker_of(observer)
    assert observer.held.wait(20)
    first = worker.take()
    assert first.sight.time_ms == 3
    assert [event.line_id for event in first.events] == [0, 1, 2, 3]
    assert worker.take() == worker.take() == type(first)()  # nothing new
    assert worker.pace().n_replaced == 3
    observer.go.set()
    rest = ended(worker)
    assert [e.line_id for news in rest for e in news.events] == [4, 5, 99]
    assert worker.observer is observer


def test_what_goes_wrong_in_the_worker_is_raised_once_by_take():
    worker = worker_of(Observer(fail_at=2))
    with pytest.raises(ValueError, match="the camera is gone"):
        ended(worker)
    assert worker.take().ended


def test_what_goes_wrong_while_opening_is_raised_too():
    @contextmanager
    def opening():
        raise OSError("no such camera")
        yield

    worker = SessionWorker(opening)
    worker.start()
    with pytest.raises(OSError, match="no such camera"):
        ended(worker)


def test_requests_are_answered_in_the_worker_before_the_next_sight():
    observer = Observer(n=4, hold_at=2)
    worker = worker_of(observer)
    assert observer.held.wait(20)
    threads = []

    def request(session):
        threads.append(threading.current_thread().name)
        return [LineCompleted(50, Line("asked", (), (), 0, 0, 1.0))]

    worker.ask(request)
    observer.go.set()
    ids = [e.line_id for news in ended(worker) for e in news.events]
    assert threads == ["worker"] and ids == [0, 1, 2, 50, 3, 99]


def test_a_stopped_worker_is_gone():
    observer = Observer(n=10**9)
    worker = worker_of(observer)
    worker.stop()
    assert not [t for t in threading.enumerate() if t.name == "worker"]


def test_a_camera_is_opened_once_the_worker_before_has_let_go_of_it():
    log, go = [], threading.Event()

    @contextmanager
    def opening(name):
        log.append(f"{name} opens")
        yield Session(Observer(n=10**9 if name == "first" else 1), Captioner())
        go.wait(20)
        log.append(f"{name} closes")

    first = SessionWorker(partial(opening, "first"))
    first.start()
    while first.observer is None:
        threading.Event().wait(0.002)
    first.abandon()  # returns at once
    second = SessionWorker(partial(opening, "second"), after=first)
    second.start()
    threading.Event().wait(0.05)
    assert log == ["first opens"] and second.observer is None
    go.set()
    ended(second)
    assert log == ["first opens", "first closes", "second opens", "second closes"]


def wait_for(errand):
    while not errand.ended:
        threading.Event().wait(0.002)
    return errand


def test_an_errand_tells_how_far_it_is_and_what_came_of_it():
    told = []

    def work(tell):
        tell(0.5)
        tell(7)
        told.append(threading.current_thread().name)
        return "done"

    errand = wait_for(Errand(work))
    assert errand.result() == "done" and errand.progress == 1.0 and told == ["errand"]
    failing = wait_for(Errand(lambda tell: int("x")))
    with pytest.raises(ValueError, match="invalid literal"):
        failing.result()


def test_a_cancelled_errand_ends_at_its_next_word():
    begun, go = threading.Event(), threading.Event()

    def work(tell):
        begun.set()
        go.wait(20)
        tell(0.1)
        return "not reached"

    errand = Errand(work)
    assert begun.wait(20)
    with pytest.raises(ValueError, match="not done yet"):
        errand.result()
    errand.cancel()
    go.set()
    with pytest.raises(Cancelled):
        wait_for(errand).result()


def test_a_looped_video_begins_again_and_its_time_goes_on(tmp_path):
    from fingerpost.edge_runtime.video import write_video

    path = tmp_path / "clip.mp4"
    with write_video(path, 25, (64, 64)) as writer:
        for value in (0, 120, 240):
            writer.write(np.full((64, 64, 3), value, np.uint8))
    with LoopedVideo(path) as video:
        pictures = iter(video)
        taken = [next(pictures) for _ in range(7)]
    assert [time_ms for time_ms, _ in taken] == [0, 40, 80, 120, 160, 200, 240]
    assert [round(rgb.mean() / 120) for _, rgb in taken] == [0, 1, 2, 0, 1, 2, 0]


def test_sources_by_name(tmp_path):
    assert watch("3").live and watch("csi1").name == "csi1" and watch("csi").live
    with pytest.raises(FileNotFoundError, match="no such file"):
        watch(str(tmp_path / "gone.mp4"))
    assert known_sources()[-1] == sources.DEMO


@pytest.mark.parametrize("pictures", [False, True])
def test_a_tape_has_every_sight_and_pictures_only_where_they_are_wanted(pictures):
    observer = Observer(n=8, hold_at=2, pictures=True)
    worker = worker_of(observer)
    assert observer.held.wait(20) and len(worker.end_tape()) == 0
    worker.begin_tape(pictures)
    observer.go.set()
    ended(worker)
    assert worker.taped() == 6
    tape = worker.end_tape()
    assert [sight.time_ms for sight in tape.sights] == [2, 3, 4, 5, 6, 7]
    assert all(sight.rgb is None for sight in tape.sights)
    assert tape.has_pictures == pictures
    if pictures:
        assert [round(tape.picture(t).mean() / 20) for t in range(6)] == [2, 3, 4, 5, 6, 7]
    else:
        with pytest.raises(ValueError, match="gives no pictures"):
            tape.picture(0)
    assert len(worker.end_tape()) == 0 and worker.taped() == 0


def test_a_tape_is_no_longer_and_its_pictures_no_larger_than_they_may_be(monkeypatch):
    monkeypatch.setattr(tapes, "MOST_ON_TAPE", 2)
    tape = Tape(with_pictures=True)
    assert not tape.has_pictures
    for t in range(3):
        unseen = KeypointFrame(t, np.zeros((69, 3), np.float32), np.zeros(69, np.float32))
        tape.push(Sight(t, np.zeros((1080, 1920, 3), np.uint8), unseen))
    assert len(tape) == 2 and tape.picture(1).shape == (540, 960, 3)


def test_the_pace_knows_what_finding_keypoints_took():
    worker = worker_of(Observer(n=4))
    ended(worker)
    pace = worker.pace()
    assert (pace.found_ms, pace.most_found_ms) == (1.5, 3.0)  # 0, 1, 2, 3
