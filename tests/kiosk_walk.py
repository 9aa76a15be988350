"""A kiosk's day in its window, off screen and in fast motion; a program for ``test_kiosk_window``.

    python tests/kiosk_walk.py FOLDER

writes FOLDER/STEP.png and .json (every word in the window, see ``app_tour.py``) for each step, and
FOLDER/day.json: what /healthz said at each step, and the exit code. The clock goes on by STEP_MS
with each picture of the window; camera and captions are made up, in a worker as real as ever.
"""

import gc
import json
import os
import sqlite3
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import app_tour  # beside this program; it takes the folder from the command line too
import numpy as np

from fingerpost.app.kiosk import ATTRACT, TALK, Finished, Kiosk, Touched
from fingerpost.app.kiosk_health import Health, HealthServer
from fingerpost.app.kiosk_log import KioskLog
from fingerpost.app.kiosk_pack import PackWatch
from fingerpost.app.kiosk_pin import PinFile
from fingerpost.app.kiosk_runner import KioskRunner
from fingerpost.app.observer import Sight
from fingerpost.app.screen import settle_kivy
from fingerpost.app.session import Session
from fingerpost.app.settings import Settings
from fingerpost.edge_runtime.captions import Line, LineChanged, LineCompleted
from fingerpost.edge_runtime.keypoints import SIGN69, KeypointFrame
from fingerpost.edge_runtime.pack import bundled_pack, open_pack, pack_to_fpk

HOME = Path(sys.argv[1])
STEP_MS = 100
MOST_PICTURES = 1500  # of one step: then it will never come to pass
SETTLED = 6
PACK = HOME / "mine.fpk"
FEW, MANY = 4, 10  # visitors, one after the other
LISTENERS = ("method", "tuple", "ReferenceType", "BoundCallback")


class World:
    """What the camera sees, and what goes wrong."""

    now_ms = 1_000_000
    somebody = crash = gone = False
    says: list = []
    objects: list = []  # how many there were after FEW visitors, and after MANY


class Camera(app_tour.Camera):
    """The demo clip's signer, who is there or not."""

    aspect, problem = 4 / 3, "camera 0 stopped giving pictures"

    def __iter__(self) -> Iterator[Sight]:
        xyz, nothing = np.zeros((69, 3), np.float32), np.zeros(69, np.float32)
        for name, x in (("left_shoulder", 0.6), ("right_shoulder", 0.4)):
            xyz[SIGN69.index(name), :2] = x, 0.55
        seen = (xyz[:, 0] > 0).astype(np.float32)
        for t in range(10**6):
            if World.gone:
                return
            time.sleep(0.005)
            confidence = seen if World.somebody else nothing
            yield Sight(t * 40, self.picture, KeypointFrame(t * 40, xyz, confidence))


class Captioner:
    def push(self, frame: KeypointFrame) -> list:
        if World.crash:
            World.crash = False
            raise RuntimeError("made up")
        said, World.says = World.says, []
        return said

    def flush(self) -> list:
        return []


@contextmanager
def session() -> Iterator[Session]:
    if World.gone:
        raise ValueError("camera 0 does not open")
    yield Session(Camera(), Captioner())


def sign() -> None:
    """Somebody signs a line, and begins another."""
    World.says = [
        LineCompleted(0, Line("MY SECRET", ("my", "secret"), ((), ()), 0, 0, 0.9)),
        LineChanged(1, Line("MORE SECRET", ("more", "secret"), ((), ()), 0, 0, 0.9), 1),
    ]


def main() -> None:
    settle_kivy(HOME / "kivy")
    from fingerpost.app.ui.kiosk_open import open_kiosk_window

    open_kiosk_window(windowed=False)
    from fingerpost.app.ui.kiosk_window import run_kiosk

    health = Health(lambda: World.now_ms)
    server = HealthServer(health, 0)
    pin, log = PinFile(HOME / "pin.json"), KioskLog(HOME / "kiosk.log")
    pack_to_fpk(open_pack(bundled_pack()), PACK)
    lock_database()
    watch = PackWatch(lambda: PACK)
    runner = KioskRunner(Kiosk(pin.is_set), session, pin, log, health, watch, "mine")
    told: dict = {}

    def walk(shell) -> None:
        steps = day(shell)
        next_step(shell, steps, lambda step: told.update({step: asked(server.port)}))

    told["objects"] = World.objects
    told["exit code"] = run_kiosk(runner, Settings(language="en"), clock, walk)
    server.close()
    (HOME / "day.json").write_text(json.dumps(told))


def lock_database() -> None:
    """As another program would, all day; the app's own history has this name."""
    held = sqlite3.connect(HOME / "history.db", isolation_level=None)
    held.execute("CREATE TABLE t (x)")
    held.execute("BEGIN EXCLUSIVE")
    World.held = held


def clock() -> int:
    return World.now_ms


def asked(port: int) -> list:
    """[status, what is said] of /healthz"""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
            return [answer.status, json.load(answer)]
    except urllib.error.HTTPError as error:
        return [error.code, json.load(error)]


def day(shell) -> Iterator[tuple[str, Callable[[], bool]]]:
    """Does something, then yields (name of the step, whether it has come to pass)."""
    from kivy.core.window import Window

    machine, pad = shell.runner.machine, lambda: shell.pad or shell.screen.pad
    whole = tuple(Window.size)
    yield "choose", lambda: machine.last_sight_ms is not None
    keys("1 1 1 1 enter")
    yield "refused", lambda: pad()._said.text != " "
    keys("2 4 6 8 enter")
    yield "repeat", lambda: pad()._head.text == "The same PIN once more"
    keys("2 4 6 8 enter")
    yield "attract", lambda: machine.view == ATTRACT and shell.screen.picture.time_ms > 0
    yield from replace_pack(shell)
    yield from fill_disk(shell)
    Window.size = 560, 760
    yield "portrait", lambda: True
    Window.size = whole
    World.gone = True
    yield "gone", lambda: bool(machine.trouble)
    World.gone = False
    yield "back", lambda: not machine.trouble
    World.somebody = True
    yield "arrived", lambda: machine.view == TALK and shell.screen.picture.time_ms > 0
    sign()
    yield "talk", lambda: bool(shell.runner.conversation.open_line)
    press(shell, "Type a reply")
    yield "letters", lambda: shell.screen.pad is not None
    for letter in "Is it ab":
        keys("spacebar") if letter == " " else press(shell, letter)
    press(shell, "Erase")
    keys("l l spacebar r e d")  # a keyboard that is plugged in
    yield "typed", lambda: shell.screen.pad.text == "Is it all red"
    press(shell, "Show")
    yield "replied", lambda: shell.runner.last_reply is not None and shell.screen.pad is None
    press(shell, "Deutsch")
    yield "german", lambda: shell.runner.machine.language == "de"
    press(shell, "Antwort tippen")
    yield "umlauts", lambda: shell.screen.pad is not None
    Window.size = 560, 760
    yield "narrow", lambda: True
    Window.size = whole
    keys("escape")
    yield "cancelled", lambda: shell.screen.pad is None
    World.crash = True
    yield "crash", lambda: bool(machine.trouble)
    yield "restarted", lambda: not machine.trouble
    World.somebody = False
    yield "left", lambda: machine.view == ATTRACT
    yield "crowd", crowd(shell)
    World.somebody = True
    yield "next", lambda: machine.view == TALK and shell.screen.picture.time_ms > 0
    keys("escape f1 ctrl+q alt+f4 ctrl+w")
    yield "still", lambda: True
    corner = hold_corner(shell)
    yield "corner", lambda: machine.asking
    corner.touch_up()
    press(shell, "Cancel")
    yield "put_away", lambda: not machine.asking
    keys("ctrl+alt+q")
    yield "by_keys", lambda: machine.asking
    keys("escape")
    Window.dispatch("on_request_close")
    yield "asked", lambda: machine.asking
    keys("1 3 5 7 enter")
    yield "wrong", lambda: True
    keys("2 4 6 8 enter")
    yield "ended", lambda: True


def replace_pack(shell) -> Iterator[tuple[str, Callable[[], bool]]]:
    """By a copy that breaks off, and then by a whole one."""
    runner, whole = shell.runner, PACK.read_bytes()
    n_starts = runner.machine.n_starts
    PACK.write_bytes(whole[: len(whole) // 2])
    yield "half_pack", lambda: bool(runner._pack.problem)
    PACK.write_bytes(whole)
    os.utime(PACK, ns=(1, 1))
    yield "new_pack", lambda: runner.machine.n_starts > n_starts and runner.sight is not None


def fill_disk(shell) -> Iterator[tuple[str, Callable[[], bool]]]:
    """The log's file takes nothing while somebody comes."""
    file = shell.runner.log._file
    kept, file.stream = file.stream, open("/dev/full", "w")
    shell.runner.push(Touched(), World.now_ms)
    yield "disk_full", lambda: shell.runner.log.n_lost > 0
    file.stream = kept
    shell.runner.push(Finished(), World.now_ms)
    yield "disk_back", lambda: shell.runner.machine.view == ATTRACT


def crowd(shell) -> Callable[[], bool]:
    """Many visitors, a line each, and how many objects there are after the first and the last."""
    runner, n_pictures, done = shell.runner, 0, 0

    def has_come() -> bool:
        nonlocal n_pictures, done
        n_pictures += 1
        turn = n_pictures % 6
        if done >= MANY:
            return True
        if turn == 0:
            runner.push(Touched(), World.now_ms)
        elif turn == 2:
            sign()
            runner.reply("all red", World.now_ms)
        elif turn == 4:
            runner.push(Finished(), World.now_ms)
        elif turn == 5 and n_pictures > 6:
            done += 1
            if done in (FEW, MANY):
                World.objects.append(count_objects())
        return False

    return has_come


def count_objects() -> int:
    """Without Kivy's lists of who listens to what, which it sweeps when it likes: they grow for two
    dozen visitors, and stay as they are from then on."""
    gc.collect()
    return sum(type(one).__name__ not in LISTENERS for one in gc.get_objects())


def hold_corner(shell):
    """A finger on the upper right corner, as long as it takes; to be lifted."""
    from kivy.tests.common import UnitTestTouch

    from fingerpost.app.ui import kiosk_window

    kiosk_window.HOLD_S = 0.05
    finger = UnitTestTouch(shell.right - 20, shell.top - 20)
    finger.touch_down()
    return finger


def press(shell, words: str) -> None:
    app_tour.find(shell, words).trigger_action(0)


def keys(names: str) -> None:
    for name in names.split():
        app_tour.send_key(name)


def next_step(shell, steps: Iterator, told: Callable[[str], None]) -> None:
    """Lets time pass until the step has come to pass and is drawn; writes it down; goes on."""
    from kivy.app import App
    from kivy.clock import Clock

    step = next(steps, None)
    if step is None:
        return
    name, has_come = step
    drawn, since = 0, 0

    def pass_time(_dt: float) -> None:
        nonlocal drawn, since
        drawn += 1
        World.now_ms += STEP_MS
        since = since + 1 if has_come() else 0
        if drawn > MOST_PICTURES:
            told(f"{name} never came")
            App.get_running_app().stop()
        elif since < SETTLED:
            Clock.schedule_once(pass_time, 0)
        else:
            write_down(shell, name, told)
            next_step(shell, steps, told)

    Clock.schedule_once(pass_time, 0)


def write_down(shell, name: str, told: Callable[[str], None]) -> None:
    told(name)
    shell.name = shell.runner.machine.view
    app_tour.write_down(shell, name)


if __name__ == "__main__":
    main()
