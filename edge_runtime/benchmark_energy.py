"""Energy of a computation on a Jetson, by jetson-stats. Not yet run on a Jetson.

jetson-stats is a service of the board with a Python module, ``jtop``; it is installed there once
for all (``sudo pip3 install -U jetson-stats``) and is no dependency of ours.
"""

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

INTERVAL_S = 0.5  # between two samples of the board's power
N_SAMPLES = 10  # of the idle board, and as many of the busy one
IDLE_S = 0.05  # what an idle call sleeps


@dataclass(frozen=True)
class Energy:
    """idle_w, busy_w : watts of the whole board, before and during the calls
    call_mj : millijoules that one call takes more than an idle board does in its time
    """

    idle_w: float
    busy_w: float
    call_mj: float


def measure_energy(call: Callable[[], object]) -> tuple[Energy | None, str]:
    """The energy of a call, or None and why not; no reason where this is no Jetson."""
    try:
        jetson_stats = importlib.import_module("jtop")
    except ImportError:
        return None, ""
    try:
        with jetson_stats.jtop(INTERVAL_S) as board:
            idle_w, _ = _watts(board, lambda: time.sleep(IDLE_S))
            busy_w, call_s = _watts(board, call)
    except (jetson_stats.JtopException, ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        return None, f"energy is not measured: jetson-stats says {reason}"
    return Energy(idle_w, busy_w, (busy_w - idle_w) * call_s * 1000), ""


def _watts(board: Any, call: Callable[[], object]) -> tuple[float, float]:
    """Mean watts of the board while a call is made again and again, and seconds of a call."""
    watts, n_calls, seconds = [], 0, 0.0
    for _ in range(N_SAMPLES + 1):
        start = time.perf_counter()
        while (passed := time.perf_counter() - start) < INTERVAL_S:
            call()
            n_calls += 1
        seconds += passed
        if not board.ok():  # waits for a sample, and says whether the service is still there
            raise ValueError("that it has stopped")
        if "tot" not in board.power:
            raise ValueError("that this board has no sensor of its power")
        watts.append(board.power["tot"]["power"] / 1000)  # it gives milliwatts
    del watts[0]  # of a time in part before the calls
    return sum(watts) / len(watts), seconds / n_calls
