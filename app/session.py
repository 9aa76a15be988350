"""From a source to caption events: reads pictures, finds landmarks and captions, overlapped.

::

    thread "reader"      decodes pictures          -> at most 3 pictures wait, 1 of a camera
    thread "landmarks"   runs the landmarker       -> at most 4 sights wait
    the caller's thread  runs the captioner, draws, prints

A file loses nothing: where a queue is full, the thread that fills it waits. A camera is live: the
landmarker takes the newest picture, and those that came while it was busy are dropped, so captions
stay on time. Sights are never dropped: captioning one costs a hundredth of what finding it did.
What goes wrong in a thread is raised in the caller's thread. This file and ``session_worker.py``
are the ones of the project with threads in them.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np

from fingerpost.app.frame_rate import FrameRate
from fingerpost.app.observer import KeypointObserver, Observer, PeopleSeen, Sight
from fingerpost.edge_runtime.captions import CaptionEvent
from fingerpost.edge_runtime.keypoints import MEDIAPIPE_HOLISTIC, KeypointFrame

if TYPE_CHECKING:
    from fingerpost.edge_runtime.video import Video

PICTURES_WAITING = 3  # decoded, not yet landmarked: 18 MB at 1080p
PICTURES_WAITING_LIVE = 1  # of a camera: the newest
SIGHTS_WAITING = 4  # landmarked, not yet captioned
RECENT = 50  # pictures that their time is averaged over
JOIN_S = 5.0  # how long to wait for a thread to end; a landmarker takes 0.1 s at worst
KEYPOINT_SUFFIXES = (".npz", ".pose")

T = TypeVar("T")


@dataclass(frozen=True)
class Step:
    """A sight and what the captioner said to it. The last step of a session has no sight."""

    sight: Sight | None
    events: tuple[CaptionEvent, ...]


class StreamingCaptioner(Protocol):
    """What a session wants of a captioner (edge_runtime.captioner.Captioner is one)."""

    def push(self, frame: KeypointFrame) -> list[CaptionEvent]: ...
    def flush(self) -> list[CaptionEvent]: ...


def observe(
    source: str,
    bundle: Path | None = None,
    mirrored: bool = False,
    keep_pictures: bool = False,
    tell: Callable[[str], None] | None = None,
) -> Observer:
    """Watches a source: a camera's number, a ``.npz`` or ``.pose`` file, or else a video file.

    Use it as a context manager; the threads start on entering it.

    bundle : the landmarker's ``.task`` file; None finds or builds the usual one
    mirrored : the picture is a mirror image, as selfie cameras show it
    keep_pictures : whether sights carry their picture, for drawing
    tell : is given a line of text before each slow step of building the landmarker's file
    """
    if source.isdecimal():
        from fingerpost.edge_runtime.video import open_camera

        number, name = int(source), f"camera {source}"
        opener = partial(open_camera, number)
        return VideoObserver(name, opener, bundle, mirrored, keep_pictures, live=True, tell=tell)
    path = Path(source)
    if path.is_dir():
        raise ValueError(f"{source} is a folder; name a video, a .npz or .pose file, or a camera")
    if not path.exists():
        raise FileNotFoundError(f"{source}: there is no such file")
    if path.suffix.lower() in KEYPOINT_SUFFIXES:
        if mirrored:
            raise ValueError("--mirrored is for pictures; the keypoints in a file are as they are")
        from fingerpost.edge_runtime.keypoint_files import load_keypoints

        return KeypointObserver(source, load_keypoints(path))
    from fingerpost.edge_runtime.video import open_video

    opener = partial(open_video, path)
    return VideoObserver(path.name, opener, bundle, mirrored, keep_pictures, tell=tell)


class Session:
    """An observer and a captioner, joined: iterate over its steps, or poll it from a clock.

    The captioner runs in the caller's thread. After the last sight comes one step without one,
    that holds what the captioner gives when it is flushed.
    """

    def __init__(self, observer: Observer, captioner: StreamingCaptioner) -> None:
        self.observer = observer
        self.captioner = captioner
        self.ended = False

    def __iter__(self) -> Iterator[Step]:
        for sight in self.observer:
            yield Step(sight, tuple(self.captioner.push(sight.keypoints)))
        yield self.finish()

    def poll(self) -> Step | None:
        """The next step if there is one, without waiting for it; see ``ended``."""
        if self.ended:
            return None
        sight = self.observer.poll()
        if sight is not None:
            return Step(sight, tuple(self.captioner.push(sight.keypoints)))
        return self.finish() if self.observer.ended() else None

    def finish(self) -> Step:
        """Completes the line that is open, here and now: at the end, or when a user stops it."""
        self.ended = True
        return Step(None, tuple(self.captioner.flush()))


class VideoObserver:
    """Watches a video or a camera in two threads.

    open_source : opens the video; called in the caller's thread, on entering
    live : a camera: drop pictures rather than fall behind, and it is fine to see nobody
    """

    schema = MEDIAPIPE_HOLISTIC  # of every landmarker; a captioner is made while it still starts

    def __init__(
        self,
        name: str,
        open_source: "Callable[[], AbstractContextManager[Video]]",
        bundle: Path | None = None,
        mirrored: bool = False,
        keep_pictures: bool = False,
        live: bool = False,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self.name = name
        self.live = live
        self._open_source = open_source
        self._bundle = bundle
        self._tell = tell
        self._mirrored = mirrored
        self._keep_pictures = keep_pictures
        n_waiting = PICTURES_WAITING_LIVE if live else PICTURES_WAITING
        self._pictures: Channel[tuple[int, np.ndarray]] = Channel(n_waiting, drop_oldest=live)
        self._sights: Channel[Sight] = Channel(SIGHTS_WAITING)
        self._extractor = "unknown"
        self._people = PeopleSeen(name)
        self._rate = FrameRate(name, live)
        self.most_fps = 0.0  # pictures a second that are looked at; 0: all. May change meanwhile
        self.read_ms = 0.0  # a picture takes to be there, lately; of a camera, waiting for it too

    def __enter__(self) -> "VideoObserver":
        from fingerpost.edge_runtime.landmarker_bundle import landmarker_bundle

        with ExitStack() as opening:
            self._video = opening.enter_context(self._open_source())
            # Before the threads start: an error here is raised before anything runs.
            self._bundle = self._bundle or landmarker_bundle(self._tell)
            self._opened = opening.pop_all()
        info = self._video.info
        self.size = (info.width, info.height)
        self.aspect = info.width / info.height
        self.fps = info.fps
        self.n_frames = None if self.live else info.frames or None
        self._threads = [
            threading.Thread(target=self._read, name="reader", daemon=True),
            threading.Thread(target=self._find_landmarks, name="landmarks", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.cancel()
        for thread in self._threads:
            thread.join(JOIN_S)
        if not self._threads[0].is_alive():  # a camera that hangs in a read cannot be released
            self._opened.close()

    def cancel(self) -> None:
        """No sight comes any more, even where the camera hangs in a read. From any thread."""
        for channel in (self._pictures, self._sights):
            channel.cancel()

    # ---- thread "reader" -------------------------------------------------------------------

    def _read(self) -> None:
        with Filling(self._pictures):
            due_ms, began_s = 0.0, time.perf_counter()
            for time_ms, rgb in self._video:
                took_ms = (time.perf_counter() - began_s) * 1000
                self.read_ms += (took_ms - self.read_ms) / RECENT
                if time_ms >= due_ms:
                    step_ms = 1000 / self.most_fps if self.most_fps else 0.0
                    # What a camera missed while it hung is not made up for.
                    due_ms = (due_ms if time_ms - due_ms < step_ms else time_ms) + step_ms
                    if not self._pictures.put((time_ms, rgb)):
                        return
                began_s = time.perf_counter()

    # ---- thread "landmarks" ----------------------------------------------------------------

    def _find_landmarks(self) -> None:
        with Filling(self._sights):
            from fingerpost.app.platforms.here import landmarker_class

            width, height = self.size
            with landmarker_class()(width, height, self._bundle, self._mirrored) as landmarker:
                self._extractor = landmarker.extractor
                for time_ms, rgb in self._pictures:
                    began_s = time.perf_counter()
                    keypoints = landmarker.detect(rgb, time_ms)
                    found_ms = (time.perf_counter() - began_s) * 1000
                    picture = self._kept(rgb)
                    slow = self._rate.push(time_ms, self._pictures.n_dropped)
                    if not self._sights.put(Sight(time_ms, picture, keypoints, slow, found_ms)):
                        return

    def _kept(self, rgb: np.ndarray) -> np.ndarray | None:
        """The picture that goes with its keypoints: they belong to it when it is not mirrored."""
        if not self._keep_pictures:
            return None
        return rgb[:, ::-1] if self._mirrored else rgb

    # ---- the caller's thread ---------------------------------------------------------------

    @property
    def extractor(self) -> str:
        """What finds the landmarks; known once the first sight is out."""
        return self._extractor

    @property
    def problem(self) -> str:
        """One line on why the video ended before its time; "" when it did not."""
        return self._video.problem

    @property
    def n_dropped(self) -> int:
        """Pictures of a camera for which there was no time; not those that ``most_fps`` leaves."""
        return self._pictures.n_dropped

    def poll(self) -> Sight | None:
        sight = self._sights.poll()
        if sight is not None:
            self._people.look(sight.keypoints, self.schema)
        return sight

    def ended(self) -> bool:
        """Whether all was seen. Raises ValueError where a whole file showed nobody."""
        if self._sights.ended and not self.live:
            self._people.require()
        return self._sights.ended

    def __iter__(self) -> Iterator[Sight]:
        for sight in self._sights:
            self._people.look(sight.keypoints, self.schema)
            yield sight
        self.ended()


class Channel(Generic[T]):
    """A bounded queue between two threads that ends, fails and can be cancelled.

    size : how many items may wait
    drop_oldest : make room by dropping the item that waited longest, instead of waiting for room
    """

    def __init__(self, size: int, drop_oldest: bool = False) -> None:
        self._items: deque[T] = deque()
        self._size = size
        self._drop_oldest = drop_oldest
        self._changed = threading.Condition()
        self._finished = False
        self._error: BaseException | None = None
        self.n_dropped = 0

    def put(self, item: T) -> bool:
        """Adds an item, waiting for room; False, and no item added, once cancelled."""
        with self._changed:
            while len(self._items) >= self._size and not self._finished:
                if self._drop_oldest:
                    self._items.popleft()
                    self.n_dropped += 1
                else:
                    self._changed.wait()
            if self._finished:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def get(self) -> T | None:
        """The oldest item, waiting for one; None at the end. Raises what the filler raised."""
        with self._changed:
            while not self._items and not self._finished:
                self._changed.wait()
            return self._take()

    def poll(self) -> T | None:
        """The oldest item; None where none is waiting. Raises what the filler raised."""
        with self._changed:
            return self._take()

    def _take(self) -> T | None:
        if self._items:
            self._changed.notify_all()
            return self._items.popleft()
        if self._error is not None:
            raise self._error
        return None

    @property
    def ended(self) -> bool:
        """Whether nothing waits and nothing more will come. Raises what the filler raised."""
        with self._changed:
            if self._finished and not self._items and self._error is not None:
                raise self._error
            return self._finished and not self._items

    def __iter__(self) -> Iterator[T]:
        while (item := self.get()) is not None:
            yield item

    def finish(self, error: BaseException | None = None) -> None:
        """The filler says: no more items; those that wait are still given out, then the error."""
        with self._changed:
            self._finished = True
            self._error = self._error or error
            self._changed.notify_all()

    def cancel(self) -> None:
        """The reader says: enough. What waits is thrown away, and ``put`` returns False."""
        with self._changed:
            self._finished = True
            self._items.clear()
            self._changed.notify_all()


class Filling:
    """What a filling thread runs in: finishes its channels on leaving, with the error if one came.

    The error does not go on in the thread, where it would only be printed: it is handed over.
    """

    def __init__(self, *channels: Channel) -> None:
        self._channels = channels

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        for channel in self._channels:
            channel.finish(error)
        return error is not None
