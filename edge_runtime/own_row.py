"""The own signs of a sentence, among its glosses: which frames are theirs.

The gloss head has never seen an own sign, and calls it by whatever it knows that is nearest. So a
gloss in an own sign's frames is not shown, and one that may still turn out to be in them waits. An
own sign is a ``Sign`` like any other, with a label after those of the pack.
"""

from collections.abc import Sequence

import numpy as np

from fingerpost.edge_runtime.gloss_row import Sign
from fingerpost.edge_runtime.sign_spotter import Spotted, Spotter, Taught

SAME = 8  # frames; a sign that comes back after no more is the same one, made twice
COVERED = 0.5  # of a gloss's frames in an own sign


class OwnRow:
    """Push the states of a sentence's next frames.

    first_label : of the own signs; they are numbered as they come in ``taught``
    signs : the own signs that are over, in order of time
    """

    def __init__(self, taught: Sequence[Taught], first_label: int) -> None:
        self.names = tuple(one.name for one in taught)
        self._first_label = first_label
        self._spotter = Spotter(taught)
        self.reset()

    def reset(self) -> None:
        """The next frame begins a sentence."""
        self._spotter.reset()
        self.signs: list[Sign] = []
        self._begun: int | None = None  # the first frame of what may be an own sign
        self._shown: list[Sign] = []  # only ever grows

    def push(self, states: Sequence[np.ndarray]) -> None:
        """states : (D,) of each of the next frames"""
        self._take(self._spotter.push(np.stack(states)))
        self._begun = self._spotter.begun

    def flush(self) -> None:
        """No frame comes any more."""
        self._take(self._spotter.flush())
        self._begun = None

    def is_own(self, sign: Sign) -> bool:
        return sign.label >= self._first_label

    def among(self, glosses: Sequence[Sign]) -> list[Sign]:
        """What is sure by now, in the order in which it became so: it only ever grows.

        glosses : of a row that only grows; those that are an own sign's are left out
        """
        if not self.names:
            return list(glosses)
        self._shown += [own for own in self.signs if _is_new(own, self._shown)]
        for gloss in glosses:
            if _is_new(gloss, self._shown) and not self._covers(gloss):
                if self._begun is not None and gloss.frames[-1] >= self._begun:
                    break  # it may be part of an own sign; those after it wait too
                self._shown.append(gloss)
        return list(self._shown)

    def others(self, n_frames: int) -> list[int]:
        """The frames of a sentence that are of no own sign."""
        own = {t for sign in self.signs for t in sign.frames}
        return [t for t in range(n_frames) if t not in own]

    def _covers(self, gloss: Sign) -> bool:
        others = self.others(gloss.frames[-1] + 1)
        n_inside = len(set(gloss.frames).difference(others))
        return n_inside >= COVERED * len(gloss.frames)

    def _take(self, found: Sequence[Spotted]) -> None:
        for one in found:
            label = self._first_label + self.names.index(one.name)
            frames = list(range(one.first, one.last + 1))
            last = self.signs[-1] if self.signs else None
            if last is not None and last.label == label and one.first - last.frames[-1] <= SAME:
                last.frames += range(last.frames[-1] + 1, one.last + 1)
            else:
                # No chance can be told of it: 1 is an example's twin, half is as far as may be.
                self.signs.append(Sign(label, frames, [1 - one.distance / 2]))


def with_names(text: str, before: Sequence[str], after: Sequence[str]) -> str:
    """A sentence with the own signs that were made before and after its other signs.

    In brackets, for nobody can say where a name belongs in a sentence that was read without it.
    Without a sentence, the names alone.
    """
    if not text:
        return ", ".join((*before, *after))
    return " ".join((*(f"[{name}]" for name in before), text, *(f"[{name}]" for name in after)))


def _is_new(sign: Sign, signs: Sequence[Sign]) -> bool:
    return all(sign is not other for other in signs)  # equal ones are two signs
