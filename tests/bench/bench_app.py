"""The app on the demo clip, over and over: when its picture is there, how smooth its window is, and
whether its memory grows.

    SDL_VIDEODRIVER=offscreen python tests/bench/bench_app.py [--minutes 3] [--pack demo]

Prints the seconds from the start of the process to the first picture, and the computing of all its
threads in that time. Then, for each minute, the pictures of the window and the sights a second, and
resident memory. Off screen the processor draws the window, so its rate is the least that can be
expected. Linux only: memory is read from /proc.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from fingerpost.app.screen import settle_kivy

BEGAN_S = os.stat("/proc/self").st_ctime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--pack", default="demo")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), given.minutes, given.pack)


def run(folder: Path, minutes: float, pack: str) -> None:
    """The app in a folder of its own, as after its first run."""
    settle_kivy(folder / "kivy")
    from fingerpost.app.ui.open_window import open_window

    open_window()
    from fingerpost.app.ui.app_state import AppState
    from fingerpost.app.ui.run import run_app

    state = AppState(folder, "demo", pack)
    state.change(welcomed=True)
    run_app(state, Watch(minutes).begin)


class Watch:
    """Looks at the app from its own clock."""

    def __init__(self, minutes: float) -> None:
        self.minutes = minutes
        self.first_mb = 0.0

    def begin(self, shell) -> None:
        from kivy.clock import Clock

        self.shell, self.clock = shell, Clock
        self.waiting = Clock.schedule_interval(self.look_for_picture, 0)

    def look_for_picture(self, _dt: float) -> None:
        if self.shell.state.problem:
            raise SystemExit(self.shell.state.problem)
        if self.shell.screen.picture.time_ms >= 0:
            self.waiting.cancel()
            computed_s = time.process_time()
            waited_s = time.time() - BEGAN_S
            print(f"first picture after {waited_s:.1f} s, {computed_s:.1f} of computing")
            if not self.minutes:
                self.stop()
            self.n_minutes, self.frames, self.since_s = 0, self.clock.frames, time.monotonic()
            self.clock.schedule_interval(self.minute, 60)

    def minute(self, _dt: float) -> None:
        now_s = time.monotonic()
        rate = (self.clock.frames - self.frames) / (now_s - self.since_s)
        self.frames, self.since_s = self.clock.frames, now_s
        self.n_minutes += 1
        megabytes = resident_mb()
        self.first_mb = self.first_mb or megabytes
        print(
            f"minute {self.n_minutes}: window {rate:.1f}, "
            f"sights {self.shell.state.worker.pace().sights_per_s:.1f} a second; "
            f"{megabytes:.0f} MB, {megabytes / self.first_mb - 1:+.1%} since the first; "
            f"{len(self.shell.state.conversation.entries)} lines",
            flush=True,
        )
        if self.n_minutes >= self.minutes:
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
