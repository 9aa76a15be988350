"""Signs that a user has taught, found in a stream by a few examples of each: no training.

An example is the row of the encoder's states while the sign is made. Each is warped along the
stream and may begin at any frame (Sakurai et al., "Stream Monitoring under the Time Warping
Distance", 2007: SPRING). What differs: a step of the stream goes 0, 1 or 2 frames on in the
example, so all examples advance at once; frames are compared by the cosine of their states.

    spotter = Spotter([Taught("ANNA", examples, limit=0.1)])
    for states in stream:          # (T, D)
        spotter.push(states)       # Spotted(name, first, last, distance), ...
    spotter.flush()
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

SETTLE = 6  # frames without a better end until a sign is over
LIKELY = 0.5  # of an example gone through within the limit: it may well be this sign
FAR = 1e9


@dataclass(frozen=True)
class OwnSignSettings:
    """own_limit : how far a stretch of signing may be from an example of an own sign and still be
    it: a mean of 1 - cosine of the encoder's states. 0 = own signs are not looked for"""

    own_limit: float = 0.18


@dataclass(frozen=True)
class Taught:
    """name : what is shown; examples : states (T, D) of each
    limit : a stretch of the stream whose distance to an example is no more is this sign
    """

    name: str
    examples: tuple[np.ndarray, ...]
    limit: float


class Spotted(NamedTuple):
    """first, last : numbers of the frames in which it was seen
    distance : to the nearest example, as a share of the limit; 0 to 1
    """

    name: str
    first: int
    last: int
    distance: float


class Spotter:
    """Push the states of the next frames; out come the signs that are over.

    No two of them overlap: of several that could be meant, the one that is nearest to an example.
    """

    def __init__(self, taught: Sequence[Taught]) -> None:
        rows = [(one, example) for one in taught for example in one.examples]
        if any(len(example) < 1 for _, example in rows):
            raise ValueError("an example without frames cannot be looked for")
        self._names = [one.name for one, _ in rows]
        self._limits = np.array([one.limit for one, _ in rows])
        self._lengths = np.array([len(example) for _, example in rows], int)
        longest = int(self._lengths.max(initial=1))
        width = rows[0][1].shape[1] if rows else 1
        self._examples = np.zeros((len(rows), longest, width), np.float32)
        for row, (_, example) in enumerate(rows):
            self._examples[row, : len(example)] = unit(example)
        self.reset()

    def reset(self) -> None:
        """The next frame begins a stream."""
        self._n_frames = 0
        self._after = 0  # no sign may begin before this frame
        self._best: Spotted | None = None
        self._cost = np.full(self._examples.shape[:2], FAR)  # of the best way to each frame
        self._first = np.zeros(self._examples.shape[:2], int)  # frame that this way began at

    def push(self, states: np.ndarray) -> list[Spotted]:
        """states : (T, D) of the next frames; returns the signs that are over with them."""
        found = []
        for state in states if len(self._names) else ():
            self._advance(unit(state[None])[0])
            self._look()
            best = self._best
            if best is not None and self._n_frames - best.last > SETTLE:
                found.append(best)
                self._forget(best.last + 1)
            self._n_frames += 1
        return found

    def flush(self) -> list[Spotted]:
        """The sign that was not over yet, if there is one; the stream ends here."""
        found = [] if self._best is None else [self._best]
        self._best = None
        self._cost[:] = FAR
        return found

    @property
    def begun(self) -> int | None:
        """The first frame of what may be a sign that is not over yet; None where nothing is."""
        places = np.arange(1, self._examples.shape[1] + 1)
        gone = (places >= LIKELY * self._lengths[:, None]) & (places <= self._lengths[:, None])
        likely = gone & (self._cost / places <= self._limits[:, None])
        best = [] if self._best is None else [self._best.first]
        return min([*self._first[likely].tolist(), *best], default=None)

    def _advance(self, state: np.ndarray) -> None:
        """Every way one frame on. state : (D,), of length 1"""
        step = 1 - self._examples @ state  # (examples, frames of them)
        start = np.zeros((len(step), 1))
        here = np.full((len(step), 1), self._n_frames)
        on, on_first = _shifted(self._cost, start, 1), _shifted(self._first, here, 1)
        skip, skip_first = _shifted(self._cost, start + FAR, 2), _shifted(self._first, here, 2)
        ways = np.stack([on + step, self._cost + step, skip + 2 * step])
        firsts = np.stack([on_first, self._first, skip_first])
        # A way that began before a sign that was found goes on no more.
        ways[firsts < self._after] = FAR
        best = ways.argmin(axis=0)[None]
        self._cost = np.take_along_axis(ways, best, axis=0)[0]
        self._first = np.take_along_axis(firsts, best, axis=0)[0]

    def _look(self) -> None:
        """Whether a sign ends here that is nearer than the best so far."""
        rows, ends = np.arange(len(self._lengths)), self._lengths - 1
        shares = self._cost[rows, ends] / self._lengths / self._limits
        row = int(shares.argmin())
        if shares[row] <= 1 and (self._best is None or shares[row] < self._best.distance):
            first = int(self._first[row, ends[row]])
            self._best = Spotted(self._names[row], first, self._n_frames, float(shares[row]))

    def _forget(self, after: int) -> None:
        """No sign begins before a frame."""
        self._after, self._best = after, None
        self._cost[self._first < after] = FAR


def nearest(example: np.ndarray, stream: np.ndarray) -> float:
    """The least distance of an example (T, D) to any stretch of a stream (T', D)."""
    spotter = Spotter([Taught("", (example,), 1.0)])
    least = FAR
    for state in stream:
        spotter._advance(unit(state[None])[0])
        spotter._n_frames += 1
        least = min(least, float(spotter._cost[0, -1]) / len(example))
    return least


def unit(states: np.ndarray) -> np.ndarray:
    """Each row (T, D) with the length 1."""
    return states / np.maximum(np.linalg.norm(states, axis=1, keepdims=True), 1e-9)


def _shifted(values: np.ndarray, first: np.ndarray, by: int) -> np.ndarray:
    """Columns moved to the right; those that come in are ``first`` (rows, 1)."""
    head = np.repeat(first, min(by, values.shape[1]), axis=1)
    return np.concatenate([head, values[:, : max(values.shape[1] - by, 0)]], axis=1)
