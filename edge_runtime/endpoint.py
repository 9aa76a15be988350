"""Where a sentence begins and ends, for a translator: the rules of the best speech recognisers.

A hand is *down* when it is not seen or below the rest line, and *still* when it is up and stays
where it is, however much a landmarker makes it tremble. Both hands down end a sentence; hands that
rest in view end it later, and later still while nobody knows what it says.

``Segmenter`` is for single signs: it finds the boundaries between them, and its speeds are those of
one frame to the next.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from fingerpost.edge_runtime.keypoints import HANDS, SIGN69, KeypointFrame
from fingerpost.edge_runtime.preprocess import NOMINAL_SHOULDERS, SHOULDERS_PER_PALM
from fingerpost.edge_runtime.segment import NARROWEST

TIPS = [0, 4, 8, 12, 20]  # of a hand: wrist and fingertips
PALM = (0, 9)  # wrist and middle knuckle
FOLLOW = 0.05  # share of the shoulders that each frame renews
HIGH = 0.5  # shoulder widths above the rest line; a hand on its way down is seen lower than that
LOW = 0.8  # of the picture's height; what is lost below it has left the picture
N_MEDIAN = 3  # frames; a hand that jumps for one frame has not moved


@dataclass(frozen=True)
class EndpointSettings:
    """Lengths are in shoulder widths.

    rest_line : a wrist lower than this under the shoulders is down
    reach : a hand that stays within this of one place is still
    lowered_ms : hands down for this long end the sentence: a landmarker may lose both for a moment
    lost_ms : a hand that was last seen high up is not down before it is missed for this long
    rest_ms : hands at rest, up or down, for this long end one of which something was read
    settled_ms : and for this long, where the last sign was seen rest_ms ago: the way to where hands
        rest is part of the rest
    unread_rest_ms : and one of which nothing was
    longest_ms : no sentence is longer; a pack may read less
    """

    rest_line: float = 1.15
    reach: float = 0.18
    lowered_ms: int = 400
    lost_ms: int = 1000
    rest_ms: int = 1200
    settled_ms: int = 800
    unread_rest_ms: int = 2400
    longest_ms: int = 20_000


class Endpoint:
    """Push frames of view sign69; it knows whether hands move, rest, or were lowered.

    moves : a hand is up, and has moved with this frame
    rest_ms : since when all hands are still or down, up to this frame; 0 while one moves
    down_ms : since when all hands are down
    """

    def __init__(self, aspect: float, settings: EndpointSettings | None = None) -> None:
        self.settings = settings or EndpointSettings()
        self._to_square = np.array([aspect, 1.0])
        self.reset()

    def reset(self) -> None:
        """Forgets everything, the signer's proportions too."""
        self._middle: np.ndarray | None = None  # of the shoulders (2,), picture heights
        self._width = NARROWEST
        self._hands = [_Hand(), _Hand()]
        self.moves = False
        self.rest_ms = self.down_ms = 0

    def push(self, frame: KeypointFrame) -> None:
        """frame : of view sign69"""
        xy, seen = frame.xyz[:, :2] * self._to_square, frame.confidence > 0
        self._measure_body(xy, seen)
        groups = [SIGN69.groups[hand] for hand in HANDS]
        now, settings = frame.time_ms, self.settings
        self.moves = False
        for hand, points in zip(self._hands, groups, strict=True):
            if not seen[points].any():
                hand.lose(now, settings.lost_ms)
                continue
            wrist, middle = self._place(xy[points])
            below = float(wrist[1]) - settings.rest_line
            low = below >= -HIGH or float(frame.xyz[points.start, 1]) > LOW
            moved = hand.see(now, middle, below >= 0, low, settings.reach)
            self.moves = self.moves or moved
        self.rest_ms = min(_since(hand.rests_since, now) for hand in self._hands)
        self.down_ms = min(_since(hand.down_since, now) for hand in self._hands)

    def ended(self, something_read: bool, quiet_ms: int = 0) -> bool:
        """Whether the hands have rested for so long that a sentence is over.

        quiet_ms : since the last sign was seen
        """
        settings = self.settings
        enough = settings.rest_ms if something_read else settings.unread_rest_ms
        if something_read and quiet_ms >= settings.rest_ms:
            enough = min(enough, settings.settled_ms)
        return self.down_ms >= settings.lowered_ms or self.rest_ms >= enough

    def _place(self, hand: np.ndarray) -> np.ndarray:
        """Wrist and middle of a hand (21, 2), from the shoulders, in their widths, (2, 2)."""
        if self._middle is None:
            width = float(np.linalg.norm(hand[PALM[1]] - hand[PALM[0]])) * SHOULDERS_PER_PALM
            middle, width = np.array(NOMINAL_SHOULDERS) * self._to_square, max(width, 0.2)
        else:
            middle, width = self._middle, self._width
        return (np.stack([hand[0], hand[TIPS].mean(axis=0)]) - middle) / width

    def _measure_body(self, xy: np.ndarray, seen: np.ndarray) -> None:
        """Follows the shoulders slowly: they give the unit of length and the rest line."""
        left, right = (SIGN69.index(f"{side}_shoulder") for side in ("left", "right"))
        if not (seen[left] and seen[right]):
            return
        middle, width = (xy[left] + xy[right]) / 2, float(np.linalg.norm(xy[left] - xy[right]))
        if self._middle is None:
            self._middle, self._width = middle, max(width, NARROWEST)
        else:
            self._middle = (1 - FOLLOW) * self._middle + FOLLOW * middle
            self._width = (1 - FOLLOW) * self._width + FOLLOW * max(width, NARROWEST)


class _Hand:
    """One hand's rest.

    rests_since : when it came to where it is; one that is not seen is where it was
    down_since : None while it is up
    """

    def __init__(self) -> None:
        self.rests_since: int | None = None
        self.down_since: int | None = None
        self._lost_since: int | None = None
        self._low = True  # where it was last seen
        self._anchor: np.ndarray | None = None
        self._recent: deque[np.ndarray] = deque(maxlen=N_MEDIAN)

    def lose(self, now: int, lost_ms: int) -> None:
        """It is not seen; high up, it was lost by a landmarker, and is not down at once."""
        self.rests_since = _first(self.rests_since, now)
        self._lost_since = _first(self._lost_since, now)
        if self._low or now - self._lost_since >= lost_ms:
            self.down_since = _first(self.down_since, self._lost_since)

    def see(self, now: int, place: np.ndarray, down: bool, low: bool, reach: float) -> bool:
        """Whether it is up and has moved.

        place : its middle, (2,); down : below the rest line; low : where hands leave the picture
        """
        was_away = self.rests_since is not None and self._anchor is None
        self._low, self._lost_since = low, None
        self.down_since = _first(self.down_since, now) if down else None
        self._recent.append(place)
        middle = np.median(np.stack(self._recent), axis=0)
        if self._anchor is not None and np.linalg.norm(middle - self._anchor) <= reach:
            return False
        # Where it is in the first frame it may have been for long, folded.
        moved = self._anchor is not None or was_away
        self._anchor, self.rests_since = middle, now
        return moved and not down


def _first(since: int | None, now: int) -> int:
    """When something began that goes on now."""
    return now if since is None else since


def _since(then: int | None, now: int) -> int:
    return 0 if then is None else now - then
