"""From a recording to the examples of a sign, and from these to what a pack can look for.

    cutter = ExampleCutter(schema, aspect)
    for frame in recording:
        examples += cutter.push(frame)     # each from rest to rest
    examples += cutter.flush()
    taught = learn(translator, [OwnSign("Anna", tuple(examples))], limit=0.18)

An example is what was signed between two rests. Its middle is the sign: on the way up and down the
hands are nowhere yet, and within a sentence they come from elsewhere.
"""

from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from fingerpost.edge_runtime.dominant_hand import UP, DominantHand
from fingerpost.edge_runtime.endpoint import Endpoint
from fingerpost.edge_runtime.keypoints import (
    HANDS,
    SIGN69,
    KeypointFrame,
    KeypointSchema,
    PoseSequence,
    mirrored,
)
from fingerpost.edge_runtime.live_glosses import BLANK
from fingerpost.edge_runtime.own_signs import FPS, OwnSign, OwnSigns
from fingerpost.edge_runtime.pack import Pack
from fingerpost.edge_runtime.preprocess import trim
from fingerpost.edge_runtime.preprocess_live import preprocess_live
from fingerpost.edge_runtime.resample import resample
from fingerpost.edge_runtime.sign_spotter import OwnSignSettings, Taught, nearest
from fingerpost.edge_runtime.stage_settings import read_settings
from fingerpost.edge_runtime.steady import Steady
from fingerpost.edge_runtime.translator import Sentence, Translator

WAY = 0.2  # share of the time with a hand up that is the way up, and of the way down
LEAST_FRAMES = 5  # of a sign without its ways: 200 ms
LONGEST_MS = 6000  # with a hand up; nobody makes one sign for so long
LEAD_MS = 240  # before the hands move, as a live translator reads it
KNOWN = 0.8  # of an example's frames a known gloss has this share: the pack reads the sign as that
SHORT_MS = 4000  # a file that is no longer is one sign
_HAND_GROUPS = [SIGN69.groups[hand] for hand in HANDS]
_WRISTS = [hand.start for hand in _HAND_GROUPS]


class ExampleCutter:
    """Push a recording's frames; out come the examples in it, each from rest to rest.

    dominant_hand : of who signs: left, right, or auto; a left hand's examples are mirrored
    """

    def __init__(self, schema: KeypointSchema, aspect: float, dominant_hand: str = "auto") -> None:
        self._steady = Steady(FPS, schema, aspect)
        self._endpoint = Endpoint(aspect)
        self._hand = DominantHand(dominant_hand)
        self._aspect = aspect
        self._lead: deque[KeypointFrame] = deque(maxlen=round(LEAD_MS * FPS / 1000))
        self._frames: list[KeypointFrame] = []  # of the example that is being made

    def push(self, frame: KeypointFrame) -> list[PoseSequence]:
        """The examples that are over with a frame; ValueError for one that is none."""
        return [found for one in self._steady.push(frame) for found in self.push_even(one)]

    def push_even(self, frame: KeypointFrame) -> list[PoseSequence]:
        """The same for a frame that ``Steady`` has given."""
        self._endpoint.push(frame)
        self._hand.push(_sequence([frame], self._aspect))
        if not self._frames and not self._endpoint.moves:
            self._lead.append(frame)
            return []
        self._frames += [*self._lead, frame]
        self._lead.clear()
        return self.flush() if self._endpoint.ended(something_read=True) else []

    def flush(self) -> list[PoseSequence]:
        """The example that was not over yet, if there is one."""
        frames, self._frames = self._frames, []
        if not frames:
            return []
        example = _sequence(frames, self._aspect)
        up = frames_up(example)
        if len(up) * 1000 / FPS > LONGEST_MS:
            raise ValueError(
                f"hands were up for {len(up) / FPS:.0f} s: sign one sign, and lower the hands"
            )
        if len(sign_frames(example)) < LEAST_FRAMES:
            return []  # somebody moved in the chair
        return [mirrored(example) if self._hand.left else example]


class ClipCutter:
    """Push the frames of a file: a short one is one sign as it is, of a longer one each is cut out.

    Most files with one sign have been cut to it already, and may have no rest at either end.
    """

    def __init__(self, schema: KeypointSchema, aspect: float) -> None:
        self._steady = Steady(FPS, schema, aspect)
        self._cutter = ExampleCutter(schema, aspect)
        self._aspect = aspect
        self._frames: list[KeypointFrame] = []  # of a file that is short so far
        self._cut: list[PoseSequence] = []  # in case that it is not
        self._is_short = True

    def push(self, frame: KeypointFrame) -> list[PoseSequence]:
        """The signs that are over with a frame; ValueError for one that is none."""
        for one in self._steady.push(frame):
            if self._is_short:
                self._frames.append(one)
                self._is_short = len(self._frames) * 1000 / FPS <= SHORT_MS
            self._cut += self._cutter.push_even(one)
        if self._is_short:
            return []
        found, self._cut = self._cut, []
        return found

    def flush(self) -> list[PoseSequence]:
        """The sign of a short file, or the last of a long one."""
        if not self._is_short:
            return self._cut + self._cutter.flush()
        frames, self._frames = self._frames, []
        shows_hands = any(frame.confidence[hand].any() for frame in frames for hand in _HAND_GROUPS)
        return [trim(_sequence(frames, self._aspect))] if shows_hands else []


def frames_up(example: PoseSequence) -> range:
    """The frames from the first to the last with a hand up."""
    keypoints = preprocess_live(example)[:, _WRISTS]  # (T, 2, 4)
    up = ((keypoints[..., 1] < UP) & (keypoints[..., 3] > 0)).any(axis=1)
    there = np.flatnonzero(up)
    return range(int(there[0]), int(there[-1]) + 1) if len(there) else range(0)


def sign_frames(example: PoseSequence) -> range:
    """The frames of the sign, without the way up and the way down."""
    up = frames_up(example)
    way = int(len(up) * WAY)
    return up[way : len(up) - way]


def limit_of(pack: Pack) -> float:
    """How far a stretch of signing may be from an example, for a pack."""
    return read_settings(OwnSignSettings, pack.manifest.settings).own_limit


def taught_signs(pack: Pack, translator: Translator) -> list[Taught]:
    """What this machine's user has taught, for ``LiveTranslator``. translator : of the pack"""
    limit = limit_of(pack)
    return learn(translator, OwnSigns().list(), limit) if limit > 0 else []


def learn(translator: Translator, signs: Sequence[OwnSign], limit: float) -> list[Taught]:
    """The signs as a pack's encoder sees them."""
    return [Taught(sign.name, tuple(_states(translator, sign)), limit) for sign in signs]


def remarks_on(
    translator: Translator, sign: OwnSign, others: Sequence[OwnSign], limit: float
) -> list[str]:
    """What a user should know of a sign, a line each; none where all is well.

    Whether its examples are alike, and whether the pack will take it for something else.
    """
    examples = _states(translator, sign)
    remarks = []
    for i, example in enumerate(examples):
        rest = [other for k, other in enumerate(examples) if k != i]
        if rest and min(nearest(example, other) for other in rest) > limit:
            remarks.append(
                f"example {i + 1} is unlike the others: teach {sign.name} again if it is missed"
            )
    known = _known_gloss(translator, sign)
    if known:
        remarks.append(
            f"this pack knows {sign.name} as {known.upper()}, and will show {sign.name} for it"
        )
    for other in others:
        if other.key == sign.key:
            continue
        of_other = _states(translator, other)
        if min(nearest(mine, theirs) for mine in examples for theirs in of_other) <= limit:
            remarks.append(f"{sign.name} is much like your sign {other.name}: they may be confused")
    return remarks


def _sequence(frames: list[KeypointFrame], aspect: float) -> PoseSequence:
    return PoseSequence(
        np.stack([frame.xyz for frame in frames]),
        np.stack([frame.confidence for frame in frames]),
        FPS,
        SIGN69,
        frames[0].time_ms,
        aspect,
    )


def _states(translator: Translator, sign: OwnSign) -> list[np.ndarray]:
    """Of each example the encoder's states (T, D) in the frames of the sign."""
    return [np.stack(sentence.states[frames]) for sentence, frames in _read(translator, sign)]


def _known_gloss(translator: Translator, sign: OwnSign) -> str:
    """The gloss that the pack sees in nearly all frames of the sign, if there is one."""
    rows = [row for sentence, frames in _read(translator, sign) for row in sentence.scores[frames]]
    labels = np.argmax(np.stack(rows), axis=1)
    label = int(np.bincount(labels).argmax())
    often = float(np.mean(labels == label)) >= KNOWN
    return translator.glosses[label - 1 - BLANK] if often and label != BLANK else ""


def _read(translator: Translator, sign: OwnSign) -> Iterator[tuple[Sentence, slice]]:
    """Each example as a sentence, with the frames of the sign in it."""
    for example in sign.examples:
        if example.fps != translator.fps:
            example = resample(example, translator.fps)
        sentence, frames = translator.begin(), sign_frames(example)
        sentence.push(example)
        sentence.end()
        yield sentence, slice(frames.start, frames.stop)
