"""How a kiosk is, told to monitoring on this machine: /healthz and /metrics on loopback.

The window publishes a ``Snapshot`` at every tick; a thread of its own answers with the last one. So
a window that stands still is found out: its snapshot grows old.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from typing import TYPE_CHECKING

from fingerpost.app.kiosk import CHOOSE_PIN, RUNNING
from fingerpost.app.platforms.jetson import BoardHealth
from fingerpost.app.session_worker import Errand

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

LOOPBACK = "127.0.0.1"
STALE_MS = 5_000  # a window that has not ticked for so long stands still
REQUEST_S = 2.0  # a client that asks more slowly is left
KIND_OF_TEXT = "text/plain; version=0.0.4; charset=utf-8"
GAUGES = {  # name: (field of Snapshot, what it is)
    "fingerpost_sights_per_second": ("sights_per_s", "Pictures looked at a second"),
    "fingerpost_model_milliseconds": ("model_ms", "Captioning of one picture, mean"),
}
COUNTERS = {
    "fingerpost_visitors": ("n_visitors", "People who stepped in"),
    "fingerpost_wipes": ("n_wipes", "People who were forgotten again"),
    "fingerpost_lines": ("n_lines", "Captions completed"),
    "fingerpost_pipeline_starts": ("n_starts", "Starts of camera and captions"),
    "fingerpost_pipeline_losses": ("n_losses", "Ends of camera and captions that nobody wanted"),
    "fingerpost_pipeline_hangs": ("n_hangs", "Of these, those without a word"),
    "fingerpost_log_lines_lost": ("n_lost", "Lines that the log file did not take"),
}


@dataclass(frozen=True)
class Snapshot:
    """A kiosk at one moment. time_ms : of the clock that ``Health`` reads

    pack_trouble : why a replaced pack is not used, one line
    board : how warm, fast and hungry a Jetson is; None on anything else
    """

    time_ms: int
    view: str = ""
    pipeline: str = ""
    trouble: str = ""
    pack: str = ""
    pack_trouble: str = ""
    sights_per_s: float = 0.0
    model_ms: float = 0.0
    n_visitors: int = 0
    n_wipes: int = 0
    n_lines: int = 0
    n_starts: int = 0
    n_losses: int = 0
    n_hangs: int = 0
    n_lost: int = 0
    board: BoardHealth | None = None


def monotonic_ms() -> int:
    """The clock of a kiosk: it goes on when the time of day is set."""
    return time.monotonic_ns() // 1_000_000


class Health:
    """Knows the last snapshot. now_ms : the clock; both threads may ask"""

    def __init__(self, now_ms: Callable[[], int] = monotonic_ms) -> None:
        self._now_ms = now_ms
        self._snapshot = Snapshot(now_ms())

    def publish(self, snapshot: Snapshot) -> None:
        """From the window's thread, at every tick."""
        self._snapshot = snapshot

    def problem(self) -> str:
        """Why this kiosk does not caption, one line; "" while it does."""
        last = self._snapshot
        silent_ms = self._stands_still_ms()
        if silent_ms:
            return f"the window has stood still for {silent_ms / 1000:.0f} s"
        if last.view == CHOOSE_PIN:
            return "it waits for its first PIN: fingerpost kiosk --set-pin, or on the screen"
        if last.pipeline != RUNNING:
            return last.trouble or "the camera has not started yet"
        return ""

    def _stands_still_ms(self) -> int:
        """For how long the window has not ticked; 0 while it does."""
        silent_ms = self._now_ms() - self._snapshot.time_ms
        return silent_ms if silent_ms > STALE_MS else 0

    def report(self) -> tuple[HTTPStatus, str]:
        """What /healthz answers: 200, or 503 with the problem; JSON."""
        problem = self.problem()
        said = {"ok": not problem, "problem": problem} | asdict(self._snapshot)
        if said["board"] is None:
            del said["board"]
        status = HTTPStatus.SERVICE_UNAVAILABLE if problem else HTTPStatus.OK
        return status, json.dumps(said, ensure_ascii=False) + "\n"

    def collect(self) -> "Iterator[Metric]":
        """What /metrics answers, for prometheus_client."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        last, up = self._snapshot, float(not self.problem())
        yield GaugeMetricFamily("fingerpost_up", "1 while it captions", up)
        for name, (field, words) in GAUGES.items():
            running = last.pipeline == RUNNING
            yield GaugeMetricFamily(name, words, getattr(last, field) if running else 0.0)
        for name, (field, words) in COUNTERS.items():
            yield CounterMetricFamily(name, words, getattr(last, field))
        view = GaugeMetricFamily("fingerpost_view", "1 for what is to be seen", labels=["view"])
        view.add_metric([last.view], 1.0)
        yield view
        if last.board is not None and not self._stands_still_ms():
            yield from _of_board(last.board)


def _of_board(board: BoardHealth) -> "Iterator[Metric]":
    """In Prometheus's own units: degrees Celsius, hertz, watts."""
    from prometheus_client.core import GaugeMetricFamily

    celsius = GaugeMetricFamily(
        "fingerpost_board_celsius", "Temperature of the board", labels=["sensor"]
    )
    for sensor, degrees in board.celsius.items():
        celsius.add_metric([sensor], degrees)
    hertz = GaugeMetricFamily("fingerpost_board_hertz", "Clocks of the board", labels=["part"])
    for part, megahertz in board.megahertz.items():
        hertz.add_metric([part], megahertz * 1e6)
    yield from (celsius, hertz)
    if board.watts is not None:
        yield GaugeMetricFamily("fingerpost_board_watts", "Power of the whole board", board.watts)


class HealthServer:
    """Answers on loopback until it is closed. port : 0 takes a free one; see ``port``

    OSError where the port is taken; ModuleNotFoundError without prometheus_client.
    """

    def __init__(self, health: Health, port: int) -> None:
        from prometheus_client import CollectorRegistry, ProcessCollector

        registry = CollectorRegistry()
        ProcessCollector(registry=registry)  # memory, processor time, open files
        registry.register(health)
        try:
            self._server = _Server((LOOPBACK, port), _Answers)
        except OSError as error:
            raise OSError(
                f"port {port} on {LOOPBACK} cannot be had ({error.strerror}); "
                "is a kiosk running already? else choose another with --port"
            ) from error
        self._server.health, self._server.registry = health, registry
        self.port: int = self._server.server_address[1]
        self._errand = Errand(lambda _tell: self._server.serve_forever(poll_interval=0.2))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(TCPServer):  # http.server's own asks the name service for the name of this machine
    allow_reuse_address = True
    health: Health
    registry: "CollectorRegistry"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that breaks off is no news."""


class _Answers(BaseHTTPRequestHandler):
    server: _Server
    timeout = REQUEST_S

    def do_GET(self) -> None:
        from prometheus_client import generate_latest

        if self.path == "/healthz":
            status, body = self.server.health.report()
            self._answer(status, body.encode(), "application/json")
        elif self.path == "/metrics":
            metrics = generate_latest(self.server.registry)
            self._answer(HTTPStatus.OK, metrics, KIND_OF_TEXT)
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"try /healthz or /metrics\n", KIND_OF_TEXT)

    def _answer(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Monitoring asks every few seconds: no log is wanted of that."""
