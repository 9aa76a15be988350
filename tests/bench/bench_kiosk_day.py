"""A kiosk's day in its real window, in fast motion, with the bundled pack: is its memory flat?

    python tests/bench/bench_kiosk_day.py [--visitors 200] [--hours 24] [--without-window] [--json]

Off screen. Keypoints are those of the pack's own test clips, so no landmarker runs; the worker, the
captioner with its graphs, the window and /metrics are the real ones. Each visitor steps in, signs
two sentences, gets a typed reply in another language, and leaves; they come over so many hours of a
clock that runs as fast as the window draws. Every third time something goes wrong while somebody is
there: the camera is gone, the worker crashes, the pack is replaced, the disk is full, a database is
locked, in turn. Printed is what /metrics says after each of them, and what /healthz said during it.
"""

import argparse
import json
import os
import sqlite3
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from fingerpost.app.commands_caption import make_captioner
from fingerpost.app.kiosk import RUNNING, TALK, Finished, Kiosk, KioskTimes, LanguageChosen
from fingerpost.app.kiosk_health import Health, HealthServer
from fingerpost.app.kiosk_log import KioskLog
from fingerpost.app.kiosk_pack import PackWatch
from fingerpost.app.kiosk_pin import PinFile
from fingerpost.app.kiosk_runner import KioskRunner
from fingerpost.app.observer import Sight
from fingerpost.app.screen import settle_kivy
from fingerpost.app.session import Session
from fingerpost.app.settings import Settings
from fingerpost.app.terminal import print_columns
from fingerpost.edge_runtime.keypoints import SIGN69, KeypointFrame
from fingerpost.edge_runtime.pack import bundled_pack, open_pack, pack_to_fpk
from fingerpost.edge_runtime.pack_check import GOLDEN, read_golden

STEP_MS = 200  # of the kiosk's clock, for each picture that the window draws
FRAME_MS = 40
PICTURES_PER_S = 20  # that are drawn, at the most
# The clock runs away from a camera whose thread has to wait for a busy processor: no hang is meant.
PATIENT = KioskTimes(silent_ms=24 * 3_600_000, starting_ms=24 * 3_600_000)
STILL_FRAMES = 40  # nothing moves: a sentence ends
EVERY = 3  # visitors: then something goes wrong, and a row is told
FAULTS = ("camera", "crash", "pack", "disk", "database")
AWAY = 20  # pictures of the window until the next one comes
COLUMNS = {  # of /metrics: what is printed
    "process_resident_memory_bytes": "MB",
    "process_open_fds": "files",
    "fingerpost_visitors_total": "visitors",
    "fingerpost_lines_total": "captions",
    "fingerpost_pipeline_starts_total": "starts",
    "fingerpost_log_lines_lost_total": "log lines lost",
    "fingerpost_up": "up",
}


class World:
    """What the camera sees next, what goes wrong, and what time it is."""

    now_ms = 1_000_000
    frames: list[np.ndarray] = []  # (69, 4), of who signs
    stands: np.ndarray | None = None  # (69, 4), of who stands there without signing
    gone = crash = False


class Camera:
    name, fps, live, schema, problem, extractor = "camera 0", 25.0, True, SIGN69, "gone", "none"
    size, aspect = (640, 480), 4 / 3

    def __iter__(self) -> Iterator[Sight]:
        nobody, time_ms = np.zeros((69, 4), np.float32), 0
        picture = np.full((480, 640, 3), 90, np.uint8)
        while not World.gone:
            signing = bool(World.frames)
            still = nobody if World.stands is None else World.stands
            frame = World.frames.pop(0) if signing else still
            time_ms += FRAME_MS
            yield Sight(time_ms, picture, KeypointFrame(time_ms, frame[:, :3], frame[:, 3]))
            if not signing:
                time.sleep(0.02)  # who signs is read as fast as the pack can


@contextmanager
def session(pack_path: Path) -> Iterator[Session]:
    if World.gone:
        raise ValueError("camera 0 does not open")
    captioner: Any = make_captioner(open_pack(pack_path), Camera())  # type: ignore[arg-type]
    push = captioner.push

    def crashing(frame: KeypointFrame) -> Any:
        if World.crash:
            World.crash = False
            raise RuntimeError("made up")
        return push(frame)

    captioner.push = crashing
    try:
        yield Session(Camera(), captioner)  # type: ignore[arg-type]
    finally:
        captioner.close()


def visit(clips: list[np.ndarray], number: int) -> list[np.ndarray]:
    """The frames of somebody who signs two sentences, each followed by stillness."""
    frames: list[np.ndarray] = []
    for clip in (clips[number % len(clips)], clips[(number + 1) % len(clips)]):
        frames += [*clip, *[clip[-1]] * STILL_FRAMES]
    return frames


def day(shell: Any, pack: Path, n_visitors: int, hours: float, port: int) -> Iterator[None]:
    """One yield is one picture of the window."""
    runner, machine = shell.runner, shell.runner.machine
    golden = read_golden(open_pack(pack).read(GOLDEN))
    clips = [golden[f"clip_{i}/keypoints"].astype(np.float32) for i in range(2)]
    began_s, began_ms = time.monotonic(), World.now_ms
    for number in range(n_visitors):
        while machine.pipeline != RUNNING:
            yield
        while machine.view != TALK:  # stands there, until the clip gives way to the picture
            World.stands = clips[0][0]
            yield
        World.frames = visit(clips, number)
        runner.push(LanguageChosen(("de", "es", "en")[number % 3]), World.now_ms)
        while World.frames and machine.view == TALK:
            yield
        runner.reply("What colour is it?", World.now_ms)
        for _ in range(10):
            yield
        kind, health = "", ""
        if number % EVERY == EVERY - 1:
            kind = FAULTS[number // EVERY % len(FAULTS)]
            for _ in fault(kind, runner, pack):
                health = health or ask_health(port)  # what it said first, before it was over
                yield
        World.stands = None
        runner.push(Finished(), World.now_ms)
        left_ms = began_ms + hours * 3_600_000 * (number + 1) / n_visitors - World.now_ms
        for _ in range(AWAY):  # nobody comes
            World.now_ms += max(0, round(left_ms / AWAY) - STEP_MS)
            yield
        if kind:
            while machine.pipeline != RUNNING:
                yield
            tell_metrics(port, time.monotonic() - began_s, kind, health)
    runner.exit_code = 0


def fault(kind: str, runner: KioskRunner, pack: Path) -> Iterator[None]:
    """Something goes wrong, and is over again. Its first yield is when it is seen."""
    machine = runner.machine
    if kind == "camera":
        World.gone = True
        while not machine.trouble:
            runner.tick(World.now_ms)
            time.sleep(0.01)
        yield
        World.gone = False
    elif kind == "crash":
        World.crash = True
        while not machine.trouble:
            runner.tick(World.now_ms)
            time.sleep(0.01)
        yield
    elif kind == "pack":
        pack.write_bytes(pack.read_bytes())
        os.utime(pack, ns=(World.now_ms, World.now_ms))
        yield
    elif kind == "database":
        held = sqlite3.connect(pack.with_name("history.db"), isolation_level=None)
        held.execute("BEGIN EXCLUSIVE")
        yield
        held.close()
    else:
        file: Any = runner.log._file
        kept, file.stream = file.stream, open("/dev/full", "w")
        runner.log.tell("a line that goes nowhere")
        yield
        with suppress(OSError):
            file.stream.close()
        file.stream = kept


def ask_health(port: int) -> str:
    """The status of /healthz, and the problem that it names."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
            return f"{answer.status} {json.load(answer)['problem']}".strip()
    except urllib.error.HTTPError as error:
        return f"{error.code} {json.load(error)['problem']}"


def tell_metrics(port: int, seconds: float, kind: str, health: str) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        rows = answer.read().decode().splitlines()
    told = {name: float(v) for name, v in (r.rsplit(" ", 1) for r in rows if r[0] != "#")}
    scale = {"MB": 1e6}
    row = [f"{told[name] / scale.get(words, 1):.0f}" for name, words in COLUMNS.items()]
    ROWS.append([f"{World.now_ms / 3_600_000:.1f}", *row, kind, health])
    told_now = ", ".join(f"{w} {v}" for w, v in zip(COLUMNS.values(), row, strict=True))
    # Kivy has taken sys.stderr by now.
    print(f"after {seconds:.0f} s: {told_now}; {kind}: {health}", file=sys.__stderr__, flush=True)


ROWS: list[list[str]] = []
HEAD = ["hours", *COLUMNS.values(), "fault", "healthz"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--visitors", type=int, default=200)
    parser.add_argument("--hours", type=float, default=24, help="of the kiosk's clock")
    parser.add_argument("--json", type=Path, help="write the table there too")
    parser.add_argument("--without-window", action="store_true", help="the worker alone")
    given = parser.parse_args()
    os.environ.setdefault("SDL_VIDEODRIVER", "offscreen")
    with tempfile.TemporaryDirectory() as folder:
        run_day(Path(folder), given.visitors, given.hours, not given.without_window)
    print_columns([HEAD, *ROWS])
    if given.json is not None:
        given.json.write_text(json.dumps([dict(zip(HEAD, row, strict=True)) for row in ROWS]))


def run_day(home: Path, n_visitors: int, hours: float, has_window: bool) -> None:
    pack = home / "mine.fpk"
    bundled = bundled_pack()
    assert bundled is not None, "built without its pack"
    pack_to_fpk(open_pack(bundled), pack)
    health = Health(lambda: World.now_ms)
    server = HealthServer(health, 0)
    pin, log = PinFile(home / "pin.json"), KioskLog(home / "kiosk.log")
    pin.set("2468")
    watch = PackWatch(lambda: pack)
    machine = Kiosk(True, PATIENT)
    runner = KioskRunner(machine, lambda: session(pack), pin, log, health, watch, "mine")

    def walk(shell: Any) -> Iterator[None]:
        return day(shell, pack, n_visitors, hours, server.port)

    if has_window:
        in_window(home, runner, walk)
    else:
        without_window(runner, walk)
    server.close()


def without_window(runner: KioskRunner, walk: Callable[[Any], Iterator[None]]) -> None:
    steps = walk(SimpleNamespace(runner=runner))
    while runner.exit_code is None:
        World.now_ms += STEP_MS
        runner.tick(World.now_ms)
        next(steps, None)
        time.sleep(1 / PICTURES_PER_S / 5)
    runner.close()


def in_window(home: Path, runner: KioskRunner, walk: Callable[[Any], Iterator[None]]) -> None:
    settle_kivy(home / "kivy")
    from kivy.config import Config

    from fingerpost.app.ui.kiosk_open import open_kiosk_window

    Config.set("graphics", "maxfps", PICTURES_PER_S)
    open_kiosk_window(windowed=False)
    from kivy.clock import Clock

    from fingerpost.app.ui.kiosk_window import run_kiosk

    def begin(shell: Any) -> None:
        steps = walk(shell)

        def step(_dt: float) -> None:
            World.now_ms += STEP_MS
            next(steps, None)

        Clock.schedule_interval(step, 0)

    run_kiosk(runner, Settings(language="en"), lambda: World.now_ms, begin)


if __name__ == "__main__":
    main()
