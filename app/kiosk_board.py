"""How warm, fast and hungry a kiosk's board is, looked at now and then beside all else.

jetson-stats takes half a second for an answer, and its service may hang: so an errand asks, and
neither window nor health endpoint ever waits for it. Off a Jetson nothing is asked at all.
"""

from collections.abc import Callable

from fingerpost.app.platforms.jetson import BoardHealth, read_health
from fingerpost.app.session_worker import Errand

EVERY_MS = 10_000  # from one answer to the next question; Prometheus asks every 15 s or so
STALE_MS = 60_000  # an answer so old is none any more

ReadHealth = Callable[[], tuple[BoardHealth | None, str]]


class BoardWatch:
    """``tick`` it from the window's clock, take ``health``.

    read : asks the board, see ``platforms.jetson.read_health``; in a thread of its own
    problem : one line on why there is no answer, "" while there is one, or no jetson-stats
    """

    def __init__(self, read: ReadHealth = read_health) -> None:
        self._read = read
        self._asking: Errand[tuple[BoardHealth | None, str]] | None = None
        self._next_ms: int | None = None
        self._last: BoardHealth | None = None
        self._last_ms = 0
        self.problem = ""

    def tick(self, now_ms: int) -> None:
        """Takes an answer, or asks anew; at most one question is open, however long that is."""
        if self._asking is not None:
            if not self._asking.ended:
                return
            self._take(self._asking, now_ms)
            self._asking, self._next_ms = None, now_ms + EVERY_MS
        elif self._next_ms is None or now_ms >= self._next_ms:
            self._asking = Errand(lambda _tell: self._read())

    def health(self, now_ms: int) -> BoardHealth | None:
        """The last answer; None where there is none, or it is too old to be true."""
        return self._last if now_ms - self._last_ms <= STALE_MS else None

    def _take(self, asked: "Errand[tuple[BoardHealth | None, str]]", now_ms: int) -> None:
        health, self.problem = asked.result()
        if health is not None:
            self._last, self._last_ms = health, now_ms
