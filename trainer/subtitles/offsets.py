"""How much later than its subtitles a video is signed, where that changes slowly: no network.

Subtitles follow speech; an interpreter signs some seconds later, a cut or another frame rate adds a
drift. Where subtitles are shown and where hands move have the same gaps, but for this *offset*. So
both are made signals of 0 and 1, and their correlation is worked out around every half minute for
every offset. The path through these windows that has most correlation and moves little is found by
dynamic programming (Viterbi). Jitter of single subtitles does it little harm.
"""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter1d

STEP_MS = 200  # of both signals, and of offsets
SMOOTH_MS = 600  # standard deviation, of both signals: single subtitles are off by as much
WINDOW_MS = 60_000  # standard deviation of the Gaussian window that correlation is over
EVERY_MS = 30_000  # between two windows
WORTH = 20.0  # what a correlation of 1 in a window is worth ...
MOVES = 1.5  # ... against one second of another offset than in the window before

Times = Sequence[tuple[int, int]]  # start and end in ms


def slow_offsets(subtitles: Times, signed: Times, reach_ms: int) -> np.ndarray:
    """The offset at the middle of each subtitle, ms, shape (N,): what to add to its times.

    subtitles : when each is shown; signed : stretches of signing; both in order of time
    reach_ms : offsets are looked for from -reach_ms to reach_ms
    All 0 where there is no subtitle or no signing.
    """
    if not subtitles or not signed:
        return np.zeros(len(subtitles))
    reach = max(0, reach_ms // STEP_MS)
    last_ms = max(max(end for _, end in subtitles), max(end for _, end in signed))
    n = last_ms // STEP_MS + 1
    shown, moved = (_signal(times, n) for times in (subtitles, signed))
    scores = _correlations(shown, moved, reach)  # (windows, offsets)
    path = _smooth_path(scores) - reach
    middles = np.array([(start + end) / 2 for start, end in subtitles])
    centres = (np.arange(len(path)) + 0.5) * EVERY_MS
    return np.interp(middles, centres, path * STEP_MS)


def _signal(times: Times, n: int) -> np.ndarray:
    """How much of the time around each step is covered, 0 to 1: (n,)."""
    covered = np.zeros(n)
    for start, end in times:
        covered[max(start, 0) // STEP_MS : max(end, 0) // STEP_MS + 1] = 1
    return gaussian_filter1d(covered, SMOOTH_MS / STEP_MS, mode="constant")


def _correlations(shown: np.ndarray, moved: np.ndarray, reach: int) -> np.ndarray:
    """The correlation of two signals (n,) in each window, at each offset: (windows, offsets).

    The second signal is read ``offset`` steps later, offset from -reach to reach.
    """
    n = len(shown)
    per_bin = EVERY_MS // STEP_MS

    def local(values: np.ndarray) -> np.ndarray:
        """Sums over bins, smoothed: of what a window's mean is made."""
        bins = np.add.reduceat(values, np.arange(0, n, per_bin))
        return gaussian_filter1d(bins, WINDOW_MS / EVERY_MS, mode="constant")

    total = np.maximum(local(np.ones(n)), 1e-9)
    padded = np.pad(moved, reach)
    mean_shown = local(shown) / total
    spread_shown = local(shown**2) / total - mean_shown**2
    rows = []
    for offset in range(2 * reach + 1):
        later = padded[offset : offset + n]
        mean = local(later) / total
        spread = local(later**2) / total - mean**2
        together = local(shown * later) / total - mean_shown * mean
        rows.append(together / np.sqrt(np.maximum(spread_shown * spread, 1e-6)))
    return np.stack(rows, axis=1)


def _smooth_path(scores: np.ndarray) -> np.ndarray:
    """Of each window an offset's number, so that scores less moves are the most: (W, O) to (W,)."""
    n_windows, n_offsets = scores.shape
    apart = np.abs(np.subtract.outer(np.arange(n_offsets), np.arange(n_offsets)))
    moves = MOVES * apart * STEP_MS / 1000
    best = WORTH * scores[0]
    came_from = np.zeros((n_windows, n_offsets), int)
    for window in range(1, n_windows):
        ways = best[None, :] - moves  # (here, before)
        came_from[window] = ways.argmax(axis=1)
        best = ways.max(axis=1) + WORTH * scores[window]
    path = [int(best.argmax())]
    for window in range(n_windows - 1, 0, -1):
        path.append(int(came_from[window, path[-1]]))
    return np.array(path[::-1])
