"""The app on the demo clip, over and over: when its picture is there, how smooth its window is
while the worker is busy, and whether its memory grows.

    SDL_VIDEODRIVER=offscreen python tests/bench/bench_app.py [--minutes 3 | --smooth 30]
        [--fast [--remembered]]

Prints the seconds from the start of the process to the first picture, and the computing of all its
threads in that time. Then, for each minute, the pictures of the window and the sights a second, and
resident memory. --fast does not keep to the clip's own pace: the worker looks at pictures as fast
as it can, so it is never idle, and an hour of clip takes less than an hour; with --remembered, much
less: what the landmarker found in a picture is remembered when the clip comes round again, and the
window draws a few times a second, so that all but these two is gone through as often as in that
hour. --smooth draws the window anew at every tick, for so many seconds with the worker busy and for
as many with the camera off, and compares what was drawn, and what was computed for each picture, by
the window's own thread and by all: on a machine that is busy with other things, only the latter
says much. Each picture is drawn to its end before the next one is begun. Off screen
the processor draws the window, beside all the rest, so its rate is the least that can be expected;
a window of a small --size costs it little. Linux only: memory is read from /proc.
"""

import argparse
import os
import tempfile
import time
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from fingerpost.app.screen import settle_kivy
from fingerpost.edge_runtime.keypoints import KeypointFrame
from fingerpost.edge_runtime.landmarks import Landmarker

FEW_FPS = 4  # pictures of the window, where it is not what is looked at
BEGAN_S = os.stat("/proc/self").st_ctime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=3.0, help="of clip where it is --fast")
    parser.add_argument("--pack", default="demo")
    parser.add_argument("--fast", action="store_true", help="as fast as it can be looked at")
    parser.add_argument("--remembered", action="store_true", help="do not look at a picture twice")
    parser.add_argument("--size", default="", metavar="WxH", help="of the window")
    parser.add_argument("--smooth", type=float, default=0.0, metavar="SECONDS")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), given)


def run(folder: Path, given: argparse.Namespace) -> None:
    """The app in a folder of its own, as after its first run."""
    settle_kivy(folder / "kivy")
    from fingerpost.app.ui import open_window

    if given.size:
        open_window.WIDTH, open_window.HEIGHT = (int(side) for side in given.size.split("x"))
    open_window.open_window()
    from kivy.clock import Clock

    from fingerpost.app.platforms import here
    from fingerpost.app.session_worker import SessionWorker
    from fingerpost.app.ui.app_state import AppState
    from fingerpost.app.ui.run import run_app

    if given.remembered:
        here.landmarker_class = lambda: RememberingLandmarker
        Clock._max_fps = FEW_FPS
    if given.fast or given.smooth:
        SessionWorker._wait_until = lambda self, moment_s: None
    state = AppState(folder, "demo", given.pack)
    state.change(welcomed=True)
    run_app(state, Watch(given.minutes, given.smooth, by_clip=given.fast).begin)


class RememberingLandmarker(Landmarker):
    """Looks at each picture of a clip once, however often it comes."""

    def __init__(self, *given) -> None:
        super().__init__(*given)
        self.found: dict[int, KeypointFrame] = {}

    def detect(self, rgb: np.ndarray, time_ms: int) -> KeypointFrame:
        key = zlib.crc32(np.ascontiguousarray(rgb[::4, ::4]))
        if key not in self.found:
            self.found[key] = super().detect(rgb, time_ms)
        return replace(self.found[key], time_ms=time_ms)


class Watch:
    """Looks at the app from its own clock."""

    def __init__(self, minutes: float, smooth_s: float, by_clip: bool) -> None:
        self.minutes, self.smooth_s, self.by_clip = minutes, smooth_s, by_clip
        self.first_mb = 0.0

    def begin(self, shell) -> None:
        from kivy.clock import Clock

        self.shell, self.clock = shell, Clock
        self.waiting = Clock.schedule_interval(self.look_for_picture, 0)

    def look_for_picture(self, _dt: float) -> None:
        if self.shell.state.problem:
            raise SystemExit(self.shell.state.problem)
        if self.shell.screen.picture.time_ms < 0:
            return
        self.waiting.cancel()
        computed_s = time.process_time()
        waited_s = time.time() - BEGAN_S
        print(f"first picture after {waited_s:.1f} s, {computed_s:.1f} of computing", flush=True)
        if self.smooth_s:
            self.compare()
        elif self.minutes:
            self.n_minutes = 0
            self.mark()
            self.clock.schedule_interval(self.minute, 60)
        else:
            self.stop()

    # ---- how smooth ------------------------------------------------------------------------

    def compare(self) -> None:
        """Busy, then idle."""
        from kivy.graphics.opengl import glFinish

        self.finish = glFinish
        self.clock.schedule_interval(self.draw, 0)
        self.slowest_s = 0.0
        self.clock.schedule_interval(self.note, 0)
        self.mark()
        self.clock.schedule_once(self.was_busy, self.smooth_s)

    def draw(self, _dt: float) -> None:
        """Once the picture before is drawn to its end: off screen nothing else waits for it."""
        self.finish()
        self.shell.canvas.ask_update()

    def note(self, dt: float) -> None:
        self.slowest_s = max(self.slowest_s, dt)

    def was_busy(self, _dt: float) -> None:
        pace = self.shell.state.worker.pace()
        self.busy = self.rate()
        print(
            f"worker busy: {self.busy:.1f} drawn a second, slowest {self.slowest_s * 1000:.0f} ms, "
            f"{self.computed_ms():.1f} ms of computing each; {pace.sights_per_s:.1f} sights a "
            f"second, keypoints {pace.found_ms:.0f} ms, model {pace.model_ms:.1f} ms a sight",
            flush=True,
        )
        self.shell.state.fail("The camera is off.", again=False)
        self.slowest_s = 0.0
        self.mark()
        self.clock.schedule_once(self.was_idle, self.smooth_s)

    def was_idle(self, _dt: float) -> None:
        idle = self.rate()
        print(
            f"camera off:  {idle:.1f} drawn a second, slowest {self.slowest_s * 1000:.0f} ms, "
            f"{self.computed_ms():.1f} ms of computing each, {self.all_computed_ms():.1f} ms with "
            f"the threads that draw; busy to off: {self.busy / idle:.2f}"
        )
        self.stop()

    def mark(self) -> None:
        self.frames, self.since_s = self.clock.frames_displayed, time.monotonic()
        self.computed_s, self.all_computed_s = time.thread_time(), time.process_time()

    def computed_ms(self) -> float:
        """Of this thread, for each picture of the window since the mark."""
        n_drawn = self.clock.frames_displayed - self.frames
        return 1000 * (time.thread_time() - self.computed_s) / max(n_drawn, 1)

    def all_computed_ms(self) -> float:
        """Of the whole process, for each picture of the window since the mark."""
        n_drawn = self.clock.frames_displayed - self.frames
        return 1000 * (time.process_time() - self.all_computed_s) / max(n_drawn, 1)

    def rate(self) -> float:
        """Pictures of the window that were drawn since the mark, a second."""
        return (self.clock.frames_displayed - self.frames) / (time.monotonic() - self.since_s)

    # ---- memory ----------------------------------------------------------------------------

    def minute(self, _dt: float) -> None:
        rate = self.rate()
        self.mark()
        self.n_minutes += 1
        megabytes = resident_mb()
        self.first_mb = self.first_mb or megabytes
        clip_minutes = self.shell.screen.picture.time_ms / 60_000
        print(
            f"minute {self.n_minutes}, {clip_minutes:.1f} of clip: window {rate:.1f}, "
            f"sights {self.shell.state.worker.pace().sights_per_s:.1f} a second; "
            f"{megabytes:.0f} MB, {megabytes / self.first_mb - 1:+.1%} since the first; "
            f"{len(self.shell.state.conversation.entries)} lines",
            flush=True,
        )
        if max(self.n_minutes, clip_minutes if self.by_clip else 0) >= self.minutes:
            self.stop()

    def stop(self) -> None:
        from kivy.app import App

        App.get_running_app().stop()


def resident_mb() -> float:
    """Resident memory of this process, MB of 10^6 bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
