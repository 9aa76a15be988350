"""Glosses at once: what each frame shows, as a row of glosses that only ever grows.

The answer of connectionist temporal classification (Graves et al., 2006, Sec. 3.2), best path: of
each frame the likeliest label; a gloss begins where the label changes, and the blank is none.
"""

import numpy as np

BLANK = 0  # the label of a frame that shows no gloss


class LiveGlosses:
    """Push the scores of the next frames; out come the labels that begin in them."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets the last frame; the next one begins a sentence."""
        self._last = BLANK

    def push(self, scores: np.ndarray) -> list[int]:
        """scores : shape (T, V), of any scale; returns labels from 1 to V - 1, without blanks."""
        begun = []
        for label in np.argmax(scores, axis=1).tolist():
            if label not in (self._last, BLANK):
                begun.append(label)
            self._last = label
        return begun
