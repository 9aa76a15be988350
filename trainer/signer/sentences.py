"""Sentences: signs one after the other as one movement, from rest and back to rest; and fidgets.

Between two strokes each hand goes the minimum-jerk way, its shape ahead of its place, so that
neighbouring signs colour each other (co-articulation). A hand with no part in a sign stays where
it was, or goes to rest when it has long nothing to do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from fingerpost.trainer.signer.fidgets import FIDGETS, nonsense
from fingerpost.trainer.signer.lexicon import LEXICON
from fingerpost.trainer.signer.motion import (
    STEP_MS,
    Motion,
    ease,
    join,
    mix_rotations,
    same_sign,
)
from fingerpost.trainer.signer.phonology import Face, Posture, Sign
from fingerpost.trainer.signer.stroke import Stroke, Track, make_stroke, place_hand
from fingerpost.trainer.signer.variation import Camera, Signer

if TYPE_CHECKING:
    from fingerpost.edge_runtime.keypoints import PoseSequence

_REST_AFTER_MS = 1400  # a hand that has nothing to do for so long goes to rest
_RESTS = {
    "hang": Posture("relaxed", "hang", "6down+fwd", "in", "wrist"),
    "lap": Posture("relaxed", "lap", "2in+down+fwd", "back+down", "wrist"),
    "low": Posture("relaxed", "waist 6 2 6", "4in+down", "back", "wrist"),
}


@dataclass(frozen=True)
class Performance:
    """A movement and what it says.

    motion : what a renderer needs
    spans : (gloss, start_ms, end_ms) of each sign: stroke and hold, without the ways between
    """

    motion: Motion
    spans: list[tuple[str, int, int]]

    @property
    def duration_ms(self) -> int:
        return self.motion.duration_ms

    def keypoints(
        self,
        fps: float = 25,
        camera: Camera | None = None,
        noise: np.random.Generator | None = None,
    ) -> "PoseSequence":
        """The keypoints of view sign69 that a landmarker would give.

        camera : None is the signer's own
        noise : None gives the true joints; a generator adds a landmarker's errors and drop-outs
        """
        from fingerpost.trainer.signer.keypoints import project_keypoints

        return project_keypoints(self.motion, fps, camera or self.motion.signer.camera, noise)


def sign_sentence(
    glosses: Sequence[str],
    signer: Signer,
    rng: np.random.Generator,
    lead_ms: int = 600,
    tail_ms: int = 600,
    lexicon: Mapping[str, Sign] = LEXICON,
) -> Performance:
    """The glosses signed as one sentence, from rest (lead_ms) to rest (tail_ms)."""
    unknown = [gloss for gloss in glosses if gloss not in lexicon]
    if unknown or not glosses:
        raise ValueError(
            f"the lexicon has no sign for {', '.join(unknown) or 'an empty sentence'}; "
            f"it knows: {', '.join(sorted(lexicon))}"
        )
    signs = [lexicon[gloss] for gloss in glosses]
    strokes = [make_stroke(sign, signer, rng) for sign in signs]
    starts, total = _starts(strokes, signer, rng, lead_ms, tail_ms)
    faces = [(starts[k], len(strokes[k]), sign.face) for k, sign in enumerate(signs)]
    motion = _assemble(strokes, starts, total, faces, signer, rng)
    spans = [
        (gloss, start * STEP_MS, (start + len(stroke)) * STEP_MS)
        for gloss, start, stroke in zip(glosses, starts, strokes, strict=True)
    ]
    return Performance(motion, spans)


def fidget(kind: str | None, signer: Signer, rng: np.random.Generator) -> Performance:
    """Movement that says nothing, from rest to rest: a kind of FIDGETS, or any (None)."""
    kinds = (*FIDGETS, "still", "nonsense")
    if kind is None:
        kind = str(rng.choice(kinds))
    if kind not in kinds:
        raise ValueError(f"unknown fidget {kind!r}; known: {', '.join(kinds)}")
    lead_ms, tail_ms = rng.uniform(200, 700, 2)
    if kind == "still":
        total = round(rng.uniform(1500, 4000) / STEP_MS)
        return Performance(_assemble([], [], total, [], signer, rng), [])
    sign = nonsense(rng) if kind == "nonsense" else FIDGETS[kind]
    slow = replace(signer, style=replace(signer.style, tempo=float(rng.uniform(0.6, 1.1))))
    stroke = make_stroke(sign, slow, rng, hold_ms=float(rng.uniform(150, 1400)))
    starts, total = _starts([stroke], slow, rng, int(lead_ms), int(tail_ms))
    return Performance(_assemble([stroke], starts, total, [], signer, rng), [])


def concatenate(performances: Sequence[Performance], pause_ms: int = 800) -> Performance:
    """One long session of one signer, with pause_ms at rest after each performance."""
    if not performances:
        raise ValueError("nothing to concatenate: give at least one performance")
    pause_ms = pause_ms // STEP_MS * STEP_MS
    spans, offset = [], 0
    for performance in performances:
        spans += [(g, start + offset, end + offset) for g, start, end in performance.spans]
        offset += performance.duration_ms + pause_ms
    return Performance(join([p.motion for p in performances], pause_ms), spans)


def _starts(
    strokes: list[Stroke], signer: Signer, rng: np.random.Generator, lead_ms: int, tail_ms: int
) -> tuple[list[int], int]:
    """The step at which each stroke starts, and the number of steps in all."""
    rest = rest_track(signer)
    step = lead_ms // STEP_MS
    starts: list[int] = []
    strong = other = rest
    for stroke in strokes:
        way_ms = _way_ms(strong, stroke.strong, slow=not starts)
        if stroke.other is not None:
            way_ms = max(way_ms, _way_ms(other, stroke.other, slow=not starts))
            other = stroke.other
        step += round(way_ms * rng.lognormal(0, 0.1) / signer.style.tempo / STEP_MS)
        starts.append(step)
        step += len(stroke)
        strong = stroke.strong
    down_ms = max(_way_ms(strong, rest, slow=True), _way_ms(other, rest, slow=True))
    step += round(down_ms / signer.style.tempo / STEP_MS)
    return starts, step + tail_ms // STEP_MS


def _way_ms(a: Track, b: Track, slow: bool) -> float:
    distance = float(np.linalg.norm(b.wrists[0] - a.wrists[-1]))
    return 130 + (700 if slow else 620) * distance


def rest_track(signer: Signer) -> Track:
    """A hand at rest, one step."""
    wrist, rotation, shape = place_hand(_RESTS[signer.style.rest], signer)
    return Track(wrist[None], Rotation.from_matrix(rotation[None]).as_quat(), shape[None])


def _assemble(
    strokes: list[Stroke],
    starts: list[int],
    total: int,
    faces: list[tuple[int, int, Face]],
    signer: Signer,
    rng: np.random.Generator,
) -> Motion:
    rest = rest_track(signer)
    strong = [(start, stroke.strong) for start, stroke in zip(starts, strokes, strict=True)]
    other = [
        (start, stroke.other)
        for start, stroke in zip(starts, strokes, strict=True)
        if stroke.other is not None
    ]
    tracks = [_fill(parts, rest, total, signer) for parts in (strong, other)]
    seconds = np.arange(total) * STEP_MS / 1000
    tremor = 0.0016 * _drift(seconds, rng, 6, low=0.4, high=3.0).reshape(total, 2, 3)
    head, face = _head_and_face(faces, seconds, signer, rng, bool(strokes))
    return Motion(
        signer,
        wrists=np.stack([track.wrists for track in tracks], axis=1) + tremor,
        rotations=same_sign(np.stack([track.rotations for track in tracks], axis=1)),
        shapes=np.stack([track.shapes for track in tracks], axis=1),
        head=head,
        face=face,
        sway=_drift(seconds, rng, 3, low=0.05, high=0.5) * [0.007, 0.0025, 0.006],
    )


def _fill(parts: list[tuple[int, Track]], rest: Track, total: int, signer: Signer) -> Track:
    """One hand's track over all steps: rest, ways, strokes."""
    lift = round(480 / signer.style.tempo / STEP_MS)
    stops: list[tuple[int, Track]] = [(0, rest)]
    for start, track in parts:
        ended = stops[-1][0] + len(stops[-1][1])
        free = (start - ended) * STEP_MS
        first = len(stops) == 1
        if first:
            way = min(round(_way_ms(rest, track, True) / signer.style.tempo / STEP_MS), start - 1)
            stops.append((max(start - way, 1), rest))
        elif free > _REST_AFTER_MS and free * 0.4 > lift * STEP_MS:
            stops += [(ended + lift, rest), (start - lift, rest)]
        stops.append((start, track))
    if parts:
        ended = stops[-1][0] + len(stops[-1][1])
        way = round(_way_ms(parts[-1][1], rest, True) / signer.style.tempo / STEP_MS)
        stops.append((min(ended + way, total - 1), rest))
    stops.append((total, rest))
    pieces = []
    for (start, track), (after, following) in zip(stops, stops[1:], strict=False):
        pieces += [track, _way(track, following, after - start - len(track))]
    return Track(*(np.concatenate([getattr(p, name) for p in pieces]) for name in _FIELDS))


_FIELDS = ("wrists", "rotations", "shapes")


def _way(a: Track, b: Track, steps: int) -> Track:
    """From a's end to b's beginning: bent a little to the front, the shape ahead of the place."""
    if steps <= 0:
        return a[:0]
    u = (np.arange(steps) + 1) / (steps + 1)
    place, early = ease(u), ease(np.clip(u / 0.8, 0, 1))[:, None]
    start, end = a.wrists[-1], b.wrists[0]
    bow = np.sin(np.pi * place)[:, None] * [0, 0, 0.12 * np.linalg.norm(end - start)]
    rotations = mix_rotations(a.rotations[-1:], b.rotations[:1], ease(np.clip(u / 0.9, 0, 1)))
    w = place[:, None]
    return Track(
        (1 - w) * start + w * end + bow,
        rotations,
        (1 - early) * a.shapes[-1] + early * b.shapes[0],
    )


def _head_and_face(
    faces: list[tuple[int, int, Face]],
    seconds: np.ndarray,
    signer: Signer,
    rng: np.random.Generator,
    signing: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Head angles (T, 3) and brows, mouth, eyes (T, 3)."""
    total = len(seconds)
    head = _drift(seconds, rng, 3, low=0.08, high=0.6) * [2.5, 1.8, 1.2]
    face = np.zeros((total, 3))
    face[:, 2] = 1.0
    for blink in np.cumsum(rng.uniform(1.5, 4.5, int(seconds[-1] / 1.5) + 1)):
        face[:, 2] -= 0.9 * np.exp(-(((seconds - blink) / 0.06) ** 2))
    for start, length, kind in faces:
        t = np.arange(total) - start
        window = ease(np.clip((t + 10) / 12, 0, 1)) * ease(np.clip((length + 10 - t) / 12, 0, 1))
        wave = window * np.sin(t * STEP_MS / 1000 * 2 * np.pi * 1.9)
        head += {
            "nod": wave[:, None] * [0, 5, 0],
            "shake": wave[:, None] * [7, 0, 0],
            "ask": window[:, None] * [0, 5, -2],
            "wh": window[:, None] * [0, 4, 4],
            "down": window[:, None] * [0, 9, 0],
        }.get(kind, np.zeros(3))
        face[:, 0] += window * {"ask": 0.006, "wh": -0.005, "smile": 0.002}.get(kind, 0.0)
        talk = np.maximum(np.sin(t * STEP_MS / 1000 * 2 * np.pi * 2.3), 0)
        face[:, 1] += 0.007 * signer.style.mouthing * window * talk
    face[:, 2] = np.clip(face[:, 2], 0.08, 1)
    return head, face


def _drift(
    seconds: np.ndarray, rng: np.random.Generator, n: int, low: float, high: float
) -> np.ndarray:
    """Slow, smooth noise (T, n) of about unit size: five sines of low to high Hz."""
    rates = rng.uniform(low, high, (5, n))
    phases = rng.uniform(0, 2 * np.pi, (5, n))
    waves = np.sin(2 * np.pi * seconds[:, None, None] * rates + phases)
    return waves.sum(axis=1) * np.sqrt(2 / 5)
