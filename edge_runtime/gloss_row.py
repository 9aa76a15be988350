"""The glosses of a line while it is signed: a row that only grows, of signs that are sure enough.

``LiveGlosses`` counts every frame. Somebody who scratches their head shows a frame of this and a
frame of that, and a hard sign flickers between two. Here a gloss counts once it was the likeliest
for some frames, a label that comes back at once is the same sign, and a line begins with one gloss
beyond doubt, or with two that are surer than those after them.
"""

from dataclasses import dataclass, field

import numpy as np

from fingerpost.edge_runtime.live_glosses import BLANK


@dataclass(frozen=True)
class RowSettings:
    """Times are sums over the frames in which a gloss is the likeliest; shares 0 to 1, means over
    them, as probabilities.

    min_gloss_ms, min_share : of a gloss
    begin_ms, begin_share : of the two glosses that begin a line; until then no gloss is given
    alone_share : of a gloss that begins a line alone, as long as begin_ms too
    begin_gap_ms : after so long without a gloss, those that have begun no line are forgotten
    same_sign_ms : a label that comes back after no more than this is the same sign
    """

    min_gloss_ms: int = 80
    min_share: float = 0.5
    begin_ms: int = 200
    begin_share: float = 0.6
    alone_share: float = 0.9
    begin_gap_ms: int = 1000
    same_sign_ms: int = 200


@dataclass
class Sign:
    """label : 1 and up; frames : numbers of those that show it; shares : its share in each"""

    label: int
    frames: list[int] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)

    @property
    def share(self) -> float:
        return sum(self.shares) / len(self.shares)


class GlossRow:
    """Push the scores of the next frames; ``signs`` are those that are sure enough."""

    def __init__(self, fps: float, settings: RowSettings | None = None) -> None:
        self._settings = settings or RowSettings()
        self._frame_ms = 1000 / fps
        self.reset()

    def reset(self) -> None:
        """The next frame begins a sentence."""
        self._n_frames = 0
        self._begun = False
        self._sure: list[Sign] = []  # only ever grows, in the order in which they became sure
        self._open: list[Sign] = []  # that may go on

    @property
    def signs(self) -> list[Sign]:
        """In the order in which they became sure enough; none before a line begins."""
        return self._sure if self._begun else []

    def push(self, scores: np.ndarray) -> None:
        """scores : shape (T, V), logits"""
        for row in scores:
            label = int(row.argmax())
            if label != BLANK:
                self._see(label, float(1 / np.exp(row - row.max()).sum()))
            self._n_frames += 1

    def _see(self, label: int, share: float) -> None:
        settings, now = self._settings, self._n_frames
        n_between = settings.same_sign_ms / self._frame_ms
        self._open = [sign for sign in self._open if now - sign.frames[-1] - 1 <= n_between]
        sign = next((sign for sign in self._open if sign.label == label), None)
        if sign is None:
            last = max((sign.frames[-1] for sign in self._sure), default=now)
            if not self._begun and (now - last - 1) * self._frame_ms > settings.begin_gap_ms:
                self._sure.clear()
            sign = Sign(label)
            self._open.append(sign)
        sign.frames.append(now)
        sign.shares.append(share)
        lasted_ms = len(sign.frames) * self._frame_ms
        is_new = all(sign is not other for other in self._sure)  # equal ones are two signs
        if is_new and lasted_ms >= settings.min_gloss_ms and sign.share >= settings.min_share:
            self._sure.append(sign)
        self._begun = self._begun or self._begins()

    def _begins(self) -> bool:
        """Whether the glosses so far are enough to begin a line."""
        settings = self._settings
        least = settings.begin_ms / self._frame_ms
        shares = [sign.share for sign in self._sure if len(sign.frames) >= least]
        n_likely = sum(share >= settings.begin_share for share in shares)
        return n_likely >= 2 or max(shares, default=0.0) >= settings.alone_share
