"""From possible sign boundaries to glosses: the best way to cut a sentence into signs.

Between any two boundaries, a sign may lie; the recogniser gives each such span a distribution over
glosses, a reject class ("no sign": a transition, half a sign, two signs, a scratched nose) among
them. The best cut is the path through the boundaries with the highest confidence per time, found
by dynamic programming and kept up to date while boundaries come in.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

N_ALTERNATIVES = 3


@dataclass(frozen=True)
class DecodeSettings:
    """How long a sign may be, and how sure the recogniser must be of it."""

    min_sign_ms: int = 200
    max_sign_ms: int = 2400
    min_probability: float = 0.5  # of a gloss; below it nothing is shown
    reject_worth: float = 0.55  # what a millisecond of "no sign" is worth beside one of a sign
    sign_cost_ms: int = 120  # what each further sign must win: one long sign beats two halves of it
    settle_ms: int = 1600  # a gloss that ended so long before the newest boundary is settled


@dataclass(frozen=True)
class Sign:
    """A gloss with its time, probability, and the runners-up as (gloss, probability)."""

    gloss: str
    start_ms: int
    end_ms: int
    probability: float
    alternatives: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class _Span:
    """The best reading of the stretch between two boundaries; sign None = no sign."""

    sign: Sign | None
    worth: float  # confidence times milliseconds


@dataclass(frozen=True)
class _Path:
    """The best cut up to a boundary."""

    worth: float
    signs: tuple[Sign, ...]


class Decoder:
    """Cuts one sentence at a time.

    recognise : (start_ms, end_ms) to probabilities (V,) for what was signed in that span
    vocabulary : V names, the reject class under ``reject``
    """

    def __init__(
        self,
        recognise: Callable[[int, int], np.ndarray],
        vocabulary: tuple[str, ...],
        reject: str,
        settings: DecodeSettings | None = None,
    ) -> None:
        if reject not in vocabulary:
            raise ValueError(f"the vocabulary has no reject class {reject!r}")
        self.settings = settings or DecodeSettings()
        self._recognise = recognise
        self._vocabulary = vocabulary
        self._reject = vocabulary.index(reject)
        self.reset()

    def reset(self) -> None:
        """Forgets the sentence."""
        self._paths: dict[int, _Path] = {}  # boundary to the best cut up to it
        self._settled: tuple[Sign, ...] = ()

    def start(self, time_ms: int) -> None:
        """A sentence begins at its first boundary."""
        self.reset()
        self._paths[time_ms] = _Path(0.0, ())

    def boundary(self, time_ms: int) -> None:
        """Takes in the next boundary: the best cut up to it, from all the earlier ones."""
        longest = self.settings.max_sign_ms
        best: _Path | None = None
        for start, path in self._paths.items():
            # What is too long for a sign is none: a stretch without boundaries forgets no signs.
            span = _Span(None, 0.0)
            if time_ms - start <= longest:
                span = self._read(start, time_ms)
            worth = path.worth + span.worth
            if best is None or worth > best.worth:
                best = _Path(worth, path.signs + ((span.sign,) if span.sign else ()))
        if best is None:
            raise ValueError("boundary() before start()")
        self._paths[time_ms] = best
        self._settle(time_ms)

    def signs(self) -> tuple[tuple[Sign, ...], int]:
        """The best cut up to the newest boundary, and how many of its signs are settled."""
        if not self._paths:
            return (), 0
        newest = self._paths[max(self._paths)]
        return newest.signs, len(self._settled)

    def _settle(self, now: int) -> None:
        """Fixes the signs that ended long ago: paths that disagree with them are dropped."""
        signs = self._paths[now].signs
        settled = tuple(s for s in signs if s.end_ms <= now - self.settings.settle_ms)
        if len(settled) > len(self._settled):
            self._settled = settled
        n = len(self._settled)
        oldest = now - self.settings.max_sign_ms
        self._paths = {
            t: p
            for t, p in self._paths.items()
            if p.signs[:n] == self._settled and (t >= oldest or t == now)
        }

    def _read(self, start: int, end: int) -> _Span:
        length = end - start
        if length < self.settings.min_sign_ms:
            return _Span(None, length * self.settings.reject_worth)
        probabilities = self._recognise(start, end)
        rejected = _Span(
            None, length * self.settings.reject_worth * float(probabilities[self._reject])
        )
        order = [k for k in np.argsort(-probabilities) if k != self._reject]
        best = float(probabilities[order[0]])
        worth = length * best - self.settings.sign_cost_ms
        if best < self.settings.min_probability or worth <= rejected.worth:
            return rejected
        others = [
            (self._vocabulary[k], float(probabilities[k])) for k in order[1 : 1 + N_ALTERNATIVES]
        ]
        sign = Sign(self._vocabulary[order[0]], start, end, best, tuple(others))
        return _Span(sign, worth)
