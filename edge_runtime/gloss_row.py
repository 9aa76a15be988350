"""The glosses of a line while it is signed: a row that only grows, of signs that are sure enough.

``LiveGlosses`` counts every frame. Somebody who scratches their head shows a frame of this and a
frame of that, and a hard sign flickers between two. Here a gloss counts once it was the likeliest
for some frames, a label that comes back at once is the same sign, and a line begins with one gloss
that was sure, is over and did not last for too long, as that of a hand that lies on a face does; or
with two that are surer than those after them. Where a pack knows the order of glosses, what often
begins a sentence or follows is believed sooner, and what hardly ever does, later. Where it can tell
signing from idle hands (``signing_judge.py``), signing begins a line at once, and idle hands none.
"""

import math
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from fingerpost.edge_runtime.live_glosses import BLANK

EDGE = 0  # of an order of glosses: before the first one, after the last; what frames call BLANK


@dataclass(frozen=True)
class RowSettings:
    """Times are sums over the frames in which a gloss is the likeliest; shares 0 to 1, means over
    them, as probabilities.

    min_gloss_ms, min_share : of a gloss
    begin_ms, begin_share : of the two glosses that begin a line; until then no gloss is given
    alone_ms, alone_share, longest_alone_ms : of a gloss that begins a line alone, once it is over;
        the last is the time from its first frame to its last
    usual_first, usual_ms, usual_share : of one that does so at once: the logarithm of the chance
        that a sentence begins with it is above the first, if the pack knows the order of glosses
    usual_pair : logarithm of the chance that a gloss follows the one before; two of which the
        second is likelier than this begin a line too
    odd_start : likewise, the mean of two: that the first of them begins a sentence, and that the
        second follows it; two less likely than this begin no line, a third has to come
    odd_pair : likewise; a gloss less likely than this has to last odd_ms at odd_share
    signing_ms, signing_share, signing_from : of one that does so at once, where the pack can judge
        whether hands sign; the last is the chance that they do
    signing_seldom, signing_first : where the logarithm of the chance that a sentence begins with it
        is below the second, the chance that the hands sign has to be above the first
    idle_below : glosses of which none has this chance begin no line, however long and many
    begin_gap_ms : after so long without a gloss, those that have begun no line are forgotten
    same_sign_ms : a label that comes back after no more than this is the same sign
    """

    min_gloss_ms: int = 80
    min_share: float = 0.5
    begin_ms: int = 200
    begin_share: float = 0.6
    alone_ms: int = 320
    alone_share: float = 0.92
    longest_alone_ms: int = 1700
    usual_first: float = -4.5
    usual_ms: int = 280
    usual_share: float = 0.95
    usual_pair: float = -5.0
    odd_start: float = -7.0
    odd_pair: float = -6.0
    odd_ms: int = 160
    odd_share: float = 0.8
    signing_ms: int = 240
    signing_share: float = 0.6
    signing_from: float = 0.85
    signing_seldom: float = 0.998
    signing_first: float = -5.0
    idle_below: float = 0.2
    begin_gap_ms: int = 1000
    same_sign_ms: int = 200


@dataclass
class Sign:
    """label : 1 and up; frames : numbers of those that show it; shares : its share in each

    signing : of each, how sure it is that the hands sign, logits; [] where nobody judges that
    """

    label: int
    frames: list[int] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    signing: list[float] = field(default_factory=list)

    @property
    def share(self) -> float:
        return sum(self.shares) / len(self.shares)

    @property
    def signing_chance(self) -> float:
        """0 to 1; 1/2 where nobody judges it."""
        logit = sum(self.signing) / max(1, len(self.signing))
        return 0.5 + 0.5 * math.tanh(logit / 2)


class GlossRow:
    """Push the scores of the next frames; ``signs`` are those that are sure enough.

    order : shape (V, V), log-probabilities of what follows what, of ``gloss_search.read_order``
    """

    def __init__(
        self, fps: float, settings: RowSettings | None = None, order: np.ndarray | None = None
    ) -> None:
        self._settings = settings or RowSettings()
        self._order = order
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

    def push(self, scores: np.ndarray, signing: np.ndarray | None = None) -> None:
        """scores : shape (T, V), logits; signing : (T,), of a ``SigningJudge``, if there is one"""
        for t, row in enumerate(scores):
            label = int(row.argmax())
            if label != BLANK:
                logits = [] if signing is None else [float(signing[t])]
                self._see(label, float(1 / np.exp(row - row.max()).sum()), logits)
            self._n_frames += 1
            self._begun = self._begun or self._begins()

    def end(self) -> None:
        """No frame comes any more: the last sign is over."""
        self._n_frames += 1
        self._begun = self._begun or self._begins()

    def _see(self, label: int, share: float, signing: list[float]) -> None:
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
        sign.signing += signing
        is_new = all(sign is not other for other in self._sure)  # equal ones are two signs
        if is_new and self._is_sure(sign):
            self._sure.append(sign)

    def _is_sure(self, sign: Sign) -> bool:
        settings = self._settings
        least_ms, least_share = settings.min_gloss_ms, settings.min_share
        before = self._sure[-1].label if self._sure else EDGE
        if self._order is not None and self._order[before, sign.label] < settings.odd_pair:
            least_ms, least_share = settings.odd_ms, settings.odd_share
        return len(sign.frames) * self._frame_ms >= least_ms and sign.share >= least_share

    def _begins(self) -> bool:
        """Whether the glosses so far are enough to begin a line."""
        settings = self._settings
        judged = [sign for sign in self._sure if sign.signing]
        if any(self._is_signed(sign) for sign in judged):
            return True
        if judged and max(sign.signing_chance for sign in judged) < settings.idle_below:
            return False
        n_likely = n_alone = 0
        for sign in self._sure:
            lasted_ms, share = len(sign.frames) * self._frame_ms, sign.share
            n_likely += lasted_ms >= settings.begin_ms and share >= settings.begin_share
            n_alone += self._begins_alone(sign, lasted_ms, share)
        chances = self._chances()
        if n_alone >= 1 or any(chance > settings.usual_pair for chance in chances[1:]):
            return True  # hands that say nothing show no gloss for so long, and no such pair
        is_odd = len(chances) == 2 and sum(chances) / 2 < settings.odd_start
        return n_likely >= 2 and not is_odd

    def _is_signed(self, sign: Sign) -> bool:
        settings = self._settings
        lasted_ms = len(sign.frames) * self._frame_ms
        likely = lasted_ms >= settings.signing_ms and sign.share >= settings.signing_share
        seldom = self._order is not None and self._order[EDGE, sign.label] < settings.signing_first
        least = settings.signing_seldom if seldom else settings.signing_from
        return likely and sign.signing_chance >= least

    def _begins_alone(self, sign: Sign, lasted_ms: float, share: float) -> bool:
        settings = self._settings
        if self._order is not None and self._order[EDGE, sign.label] > settings.usual_first:
            if lasted_ms >= settings.usual_ms and share >= settings.usual_share:
                return True
        is_over = sign.frames[-1] < self._n_frames - 1
        from_to_ms = (sign.frames[-1] - sign.frames[0] + 1) * self._frame_ms
        sure = lasted_ms >= settings.alone_ms and share >= settings.alone_share
        return sure and is_over and from_to_ms <= settings.longest_alone_ms

    def _chances(self) -> list[float]:
        """Of each gloss so far that it follows the one before, the first the beginning."""
        if self._order is None:
            return []
        labels = [sign.label for sign in sorted(self._sure, key=lambda sign: sign.frames[0])]
        return [float(self._order[pair]) for pair in pairwise([EDGE, *labels])]
