"""Whether a source is too slow to read signs from, and what its user can do about it.

Pure: times of sights go in, a line comes out.
"""

from collections import deque
from itertools import pairwise

import numpy as np

LEAST_FPS = 8.0  # a quick sign takes a quarter of a second: two frames
ENOUGH_FPS = (
    9.0  # from here on a source that was too slow is not, so that the line does not flicker
)
N_SIGHTS = 25  # that are looked at; a camera that hangs once is not slow
HINT = f"below {LEAST_FPS:g} quick signs are missed"


class FrameRate:
    """Push the time of each sight. name : of the source; live : it is a camera"""

    def __init__(self, name: str, live: bool) -> None:
        self._name, self._live = name, live
        self._times: deque[int] = deque(maxlen=N_SIGHTS)
        self._dropped: deque[int] = deque(maxlen=N_SIGHTS)
        self._slow = False

    def push(self, time_ms: int, n_dropped: int = 0) -> str:
        """One line while there are too few sights a second, else "".

        n_dropped : pictures so far for which there was no time
        """
        self._times.append(time_ms)
        self._dropped.append(n_dropped)
        if len(self._times) < N_SIGHTS:
            return ""
        step_ms = float(np.median([after - before for before, after in pairwise(self._times)]))
        fps = 1000 / max(step_ms, 1.0)
        self._slow = fps < (ENOUGH_FPS if self._slow else LEAST_FPS)
        return self._line(fps) if self._slow else ""

    def _line(self, fps: float) -> str:
        if self._dropped[-1] > self._dropped[0]:
            return (
                f"this machine looks at {fps:.1f} pictures a second, and {HINT}; close other "
                "programs, or use a faster machine"
            )
        given = f"{self._name} gives {fps:.1f} pictures a second, and {HINT}"
        return f"{given}; more light helps: in the dark, cameras are slow" if self._live else given
