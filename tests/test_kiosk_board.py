"""Temperature, clocks and power of a Jetson in a kiosk's metrics; jetson-stats is stood in for."""

import json
import threading
import time

import pytest

from fingerpost.app import commands_kiosk
from fingerpost.app.kiosk import Kiosk
from fingerpost.app.kiosk_board import EVERY_MS, STALE_MS, BoardWatch
from fingerpost.app.kiosk_health import Health
from fingerpost.app.kiosk_log import KioskLog
from fingerpost.app.kiosk_pin import PinFile
from fingerpost.app.kiosk_runner import KioskRunner
from fingerpost.app.platforms.jetson import BoardHealth
from fingerpost.app.settings import Settings

WARM = BoardHealth({"cpu": 48.5, "tj": 51.25}, {"cpu0": 1190.4, "ga10b": 305.999}, 6.512)


class Board:
    """What jetson-stats answers. go : a service that hangs lets nobody through"""

    def __init__(self):
        self.answer = (WARM, "")
        self.n_asked = 0
        self.go = threading.Event()
        self.go.set()

    def read(self):
        self.n_asked += 1
        self.go.wait(20)
        return self.answer


def answered(watch, now_ms):
    """Ticks until the open question is answered."""
    while watch._asking is not None and not watch._asking.ended:
        time.sleep(0.001)
    watch.tick(now_ms)


def test_it_is_asked_every_ten_seconds_and_remembered_meanwhile():
    board = Board()
    watch = BoardWatch(board.read)
    assert watch.health(0) is None
    watch.tick(0)
    answered(watch, 100)
    assert watch.health(100) == WARM and watch.problem == ""
    watch.tick(EVERY_MS)
    assert board.n_asked == 1
    watch.tick(EVERY_MS + 100)
    answered(watch, EVERY_MS + 200)
    assert board.n_asked == 2


def test_a_service_that_hangs_is_waited_for_by_nobody_and_asked_once():
    board = Board()
    watch = BoardWatch(board.read)
    watch.tick(0)
    answered(watch, 0)
    board.go.clear()
    for now_ms in range(EVERY_MS, EVERY_MS + STALE_MS + 5_000, 1_000):
        watch.tick(now_ms)
    assert board.n_asked == 2
    assert watch.health(STALE_MS) == WARM and watch.health(STALE_MS + 1) is None  # old: none
    board.go.set()
    answered(watch, 200_000)
    assert watch.health(200_000) == WARM


def test_a_service_that_stops_is_said_and_its_last_answer_ages():
    board = Board()
    watch = BoardWatch(board.read)
    watch.tick(0)
    answered(watch, 0)
    board.answer = (None, "jetson-stats has stopped")
    watch.tick(EVERY_MS)
    answered(watch, EVERY_MS)
    assert watch.problem == "jetson-stats has stopped"
    assert watch.health(EVERY_MS) == WARM and watch.health(STALE_MS + 1) is None


@pytest.fixture
def kiosk(tmp_path):
    """A runner with a board, its log, and what it tells of its health."""
    board, now = Board(), [0]
    health, log = Health(lambda: now[0]), KioskLog(tmp_path / "kiosk.log")

    def no_session():
        raise ValueError("camera 0 does not open")

    runner = KioskRunner(
        Kiosk(True),
        no_session,
        PinFile(tmp_path / "pin"),
        log,
        health,
        board=BoardWatch(board.read),
    )

    def tick(now_ms):
        now[0] = now_ms
        runner.tick(now_ms)
        watch = runner._board
        while watch._asking is not None and not watch._asking.ended:
            time.sleep(0.001)
        runner.tick(now_ms)

    yield board, tick, health, tmp_path / "kiosk.log"
    runner.close()


def metrics(health):
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(health)
    rows = generate_latest(registry).decode().splitlines()
    return {name: float(v) for name, v in (r.rsplit(" ", 1) for r in rows if r[0] != "#")}


def test_the_metrics_have_the_board_in_base_units(kiosk):
    _board, tick, health, _log = kiosk
    assert not [name for name in metrics(health) if "board" in name]
    tick(1_000)
    told = metrics(health)
    assert told['fingerpost_board_celsius{sensor="tj"}'] == 51.25
    assert told['fingerpost_board_hertz{part="cpu0"}'] == 1.1904e9
    assert told["fingerpost_board_watts"] == 6.512
    assert json.loads(health.report()[1])["board"]["celsius"] == {"cpu": 48.5, "tj": 51.25}


def test_a_window_that_stands_still_says_nothing_of_the_board(kiosk):
    _board, tick, health, _log = kiosk
    tick(1_000)
    health._now_ms = lambda: 20_000
    assert not [name for name in metrics(health) if "board" in name]


def test_a_board_without_a_power_sensor_has_no_watts(kiosk):
    board, tick, health, _log = kiosk
    board.answer = (BoardHealth({"cpu": 40.0}, {}, None), "")
    tick(1_000)
    told = metrics(health)
    assert told['fingerpost_board_celsius{sensor="cpu"}'] == 40
    assert "fingerpost_board_watts" not in told


def test_why_nothing_is_known_is_logged_once(kiosk):
    board, tick, health, log = kiosk
    board.answer = (None, "jetson-stats says The jtop.service is not active")
    for now_ms in (1_000, 20_000, 40_000):
        tick(now_ms)
    assert board.n_asked == 3 and log.read_text().count("jtop.service is not active") == 1
    assert "board" not in json.loads(health.report()[1])


@pytest.mark.parametrize("board", [True, False])
def test_off_a_jetson_nothing_is_asked(tmp_path, monkeypatch, board):
    monkeypatch.setattr(commands_kiosk, "is_jetson", lambda: board)
    runner = commands_kiosk.new_runner(
        commands_kiosk.KioskOptions(),
        Settings(),
        PinFile(tmp_path / "pin"),
        KioskLog(tmp_path / "log"),
        Health(lambda: 0),
    )
    assert (runner._board is not None) == board
    runner.log.close()
