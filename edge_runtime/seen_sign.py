"""A sign that was seen: the frames that show it, and how usual it is after the one before."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

EDGE = 0  # of an order of glosses: before the first one, after the last; what frames call BLANK


@dataclass
class Sign:
    """label : 1 and up; frames : numbers of those that show it; shares : its share in each"""

    label: int
    frames: list[int] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)

    @property
    def share(self) -> float:
        return sum(self.shares) / len(self.shares)


def log_chances(signs: Iterable[Sign], order: np.ndarray | None) -> list[float]:
    """Of each sign that it follows the one before, in order of time; the first the beginning.

    order : shape (V, V), log-probabilities of what follows what; None, where nobody knows, is []
    """
    if order is None:
        return []
    labels = [sign.label for sign in sorted(signs, key=lambda sign: sign.frames[0])]
    return [float(order[pair]) for pair in pairwise([EDGE, *labels])]
