"""The session: order, overlap, errors out of threads, nobody in the picture, dropped pictures."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from fingerpost.app import session as sessions
from fingerpost.app.observer import KeypointObserver
from fingerpost.app.session import Channel, Filling, Session, VideoObserver, observe
from fingerpost.edge_runtime import landmarker_bundle, landmarks
from fingerpost.edge_runtime.captions import Line, LineCompleted
from fingerpost.edge_runtime.keypoints import MEDIAPIPE_HOLISTIC, KeypointFrame, PoseSequence

N = len(MEDIAPIPE_HOLISTIC)


class FakeVideo:
    """Pictures whose value is their number; ``fail_at`` raises instead of that picture."""

    def __init__(self, frames=10, fail_at=None):
        self.info = SimpleNamespace(width=64, height=48, fps=25.0, frames=frames)
        self.problem = ""
        self.closed = False
        self.fail_at = fail_at

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.closed = True

    def __iter__(self):
        for t in range(self.info.frames):
            if t == self.fail_at:
                raise ValueError("the disk is gone")
            yield t * 40, np.full((48, 64, 3), t, np.uint8)


class FakeLandmarker:
    """Sees somebody in every picture; x of point 0 is the picture's value."""

    schema, extractor, sees = MEDIAPIPE_HOLISTIC, "fake 1", 1.0

    def __init__(self, width, height, bundle=None, mirrored=False):
        self.aspect = width / height

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def detect(self, rgb, time_ms):
        xyz = np.zeros((N, 3), np.float32)
        xyz[0, 0] = rgb[0, 0, 0]
        return KeypointFrame(time_ms, xyz, np.full(N, self.sees, np.float32))


class FakeCaptioner:
    """Completes one line, when it is flushed: the times that it saw."""

    def __init__(self):
        self.times = []

    def push(self, frame):
        self.times.append(frame.time_ms)
        return []

    def flush(self):
        text = " ".join(map(str, self.times))
        return [LineCompleted(0, Line(text, (), (), 0, 0, 1.0))]


@pytest.fixture(autouse=True)
def fake_landmarker(monkeypatch):
    monkeypatch.setattr(landmarks, "Landmarker", FakeLandmarker)
    monkeypatch.setattr(landmarker_bundle, "landmarker_bundle", lambda tell=None: None)


def watch(video, **options):
    return VideoObserver("clip", lambda: video, **options)


def our_threads():
    return [t for t in threading.enumerate() if t.name in ("reader", "landmarks")]


def test_a_file_loses_no_picture_and_keeps_their_order():
    video, captioner = FakeVideo(frames=50), FakeCaptioner()
    with watch(video, keep_pictures=True) as observer:
        steps = list(Session(observer, captioner))
    assert captioner.times == [40 * t for t in range(50)]
    assert [s.sight.rgb[0, 0, 0] for s in steps[:-1]] == list(range(50))
    assert steps[-1].sight is None and len(steps[-1].events) == 1
    assert observer.extractor == "fake 1"
    assert video.closed and not our_threads()


def test_polling_gives_the_same_as_iterating():
    captioner = FakeCaptioner()
    with watch(FakeVideo(frames=12)) as observer:
        session, steps = Session(observer, captioner), []
        while not session.ended:
            if (step := session.poll()) is not None:
                steps.append(step)
            else:
                threading.Event().wait(0.001)
        assert session.poll() is None
    assert captioner.times == [40 * t for t in range(12)]
    assert steps[-1].sight is None


def test_pictures_are_kept_only_where_wanted_and_as_others_see_the_signer():
    with watch(FakeVideo()) as observer:
        assert all(sight.rgb is None for sight in observer)
    video = FakeVideo(frames=1)
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, :32] = 200
    video.__class__ = type("Half", (FakeVideo,), {"__iter__": lambda self: iter([(0, picture)])})
    with watch(video, keep_pictures=True, mirrored=True) as observer:
        (sight,) = observer
    assert sight.rgb[0, 0, 0] == 0 and sight.rgb[0, -1, 0] == 200


def test_an_error_in_the_reader_is_raised_in_the_caller_after_what_was_read():
    seen = []
    with pytest.raises(ValueError, match="the disk is gone"), watch(FakeVideo(fail_at=4)) as source:
        for sight in source:
            seen.append(sight.time_ms)
    assert seen == [0, 40, 80, 120]
    assert not our_threads()


def test_an_error_in_the_landmarker_is_raised_in_the_caller(monkeypatch):
    def broken(self, rgb, time_ms):
        raise RuntimeError("graph broke")

    monkeypatch.setattr(FakeLandmarker, "detect", broken)
    with pytest.raises(RuntimeError, match="graph broke"), watch(FakeVideo()) as observer:
        list(observer)
    with pytest.raises(RuntimeError, match="graph broke"), watch(FakeVideo()) as observer:
        while not observer.ended():
            observer.poll()


def test_leaving_early_stops_the_threads():
    video = FakeVideo(frames=10_000)
    with watch(video) as observer:
        next(iter(observer))
    assert video.closed and not our_threads()


def test_nobody_in_a_file_is_an_error_and_nobody_before_a_camera_is_not(monkeypatch):
    monkeypatch.setattr(FakeLandmarker, "sees", 0.0)
    with pytest.raises(ValueError, match="nobody was seen in clip"), watch(FakeVideo()) as observer:
        list(observer)
    with watch(FakeVideo(), live=True) as observer:
        list(observer)


def test_a_camera_drops_the_oldest_pictures_rather_than_wait():
    channel = Channel(2, drop_oldest=True)
    for item in range(5):
        assert channel.put(item)
    channel.finish()
    assert list(channel) == [3, 4]
    assert channel.n_dropped == 3


def test_a_full_channel_makes_its_filler_wait_and_cancelling_frees_it():
    channel = Channel(2)
    results = []
    filler = threading.Thread(target=lambda: results.extend(channel.put(n) for n in range(9)))
    filler.start()
    assert [channel.get(), channel.get()] == [0, 1]
    channel.cancel()
    filler.join(5)
    assert not filler.is_alive()
    assert results[:2] == [True, True] and results[-1] is False


def test_filling_hands_its_error_over_after_the_items():
    channel = Channel(3)
    with Filling(channel):
        channel.put("a")
        raise KeyError("lost")
    assert channel.get() == "a"
    with pytest.raises(KeyError, match="lost"):
        channel.get()


def test_keypoint_files_are_watched_without_threads():
    xyz, confidence = np.zeros((3, N, 3), np.float32), np.ones((3, N), np.float32)
    sequence = PoseSequence(xyz, confidence, 25, MEDIAPIPE_HOLISTIC, aspect=4 / 3)
    with KeypointObserver("signing.npz", sequence) as observer:
        assert observer.size == (640, 480)
        assert [sight.time_ms for sight in observer] == [0, 40, 80]
    empty = PoseSequence(xyz, np.zeros_like(confidence), 25, MEDIAPIPE_HOLISTIC)
    with pytest.raises(ValueError, match="nobody was seen"):
        list(KeypointObserver("signing.npz", empty))


def test_what_a_source_is_told_from_its_name(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="no such file"):
        observe(str(tmp_path / "gone.mp4"))
    with pytest.raises(ValueError, match="is a folder"):
        observe(str(tmp_path))
    (tmp_path / "a.npz").write_text("no zip")
    with pytest.raises(ValueError, match="not an .npz file"):
        observe(str(tmp_path / "a.npz"))
    with pytest.raises(ValueError, match="--mirrored"):
        observe(str(tmp_path / "a.npz"), mirrored=True)
    assert observe("7").live
    assert sessions.observe("7").name == "camera 7"


@pytest.mark.parametrize(
    ("most_fps", "seen"),
    [(0.0, range(8)), (12.5, [0, 2, 4, 6]), (10.0, [0, 3, 5]), (60.0, range(8))],
)
def test_no_more_pictures_are_looked_at_than_are_wanted(most_fps, seen):
    observer = watch(FakeVideo(frames=8), keep_pictures=True)  # 25 a second
    observer.most_fps = most_fps
    with observer:
        found = [int(sight.rgb[0, 0, 0]) for sight in observer]
    assert found == list(seen) and observer.n_dropped == 0


def test_what_a_camera_missed_while_it_hung_is_not_made_up_for():
    class Hung(FakeVideo):
        def __iter__(self):
            for time_ms in (0, 40, 80, 4000, 4040, 4080, 4120, 4160):
                yield time_ms, np.zeros((48, 64, 3), np.uint8)

    observer = watch(Hung())
    observer.most_fps = 12.5
    with observer:
        times = [sight.time_ms for sight in observer]
    assert times == [0, 80, 4000, 4080, 4160]


def test_a_sight_says_how_long_it_took_and_the_observer_how_long_pictures_do():
    with watch(FakeVideo(frames=3)) as observer:
        assert all(sight.found_ms > 0 for sight in observer)
        assert observer.read_ms > 0
