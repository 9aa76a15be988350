"""The segmenter on the rendered signer: sentences are found, and cut where signs touch."""

import numpy as np
import pytest

from fingerpost.edge_runtime.keypoints import SIGN69, KeypointFrame
from fingerpost.edge_runtime.segment import (
    LOOK_AHEAD_MS,
    Boundary,
    Segmenter,
    SegmentSettings,
    SigningEnded,
    SigningStarted,
)
from fingerpost.trainer.signer import LEXICON, concatenate, random_signer, sign_sentence

FPS = 25


def segment(sequence):
    """(event, time at which it was known) for each event of a sequence."""
    segmenter = Segmenter(SIGN69, sequence.fps, sequence.aspect)
    known = [(e, f.time_ms) for f in sequence.frames() for e in segmenter.push(f)]
    return known + [(e, sequence.time_ms(len(sequence))) for e in segmenter.flush()]


def session(seed, n_sentences=3):
    """Sentences of one signer, standing, with pauses of 1.2 s."""
    rng = np.random.default_rng(seed)
    signer = random_signer(rng)
    glosses = list(LEXICON)
    sentences = [
        sign_sentence([glosses[i] for i in rng.integers(len(glosses), size=3)], signer, rng)
        for _ in range(n_sentences)
    ]
    performance = concatenate(sentences, pause_ms=1200)
    return performance, performance.keypoints(fps=FPS, noise=rng)


@pytest.mark.parametrize("seed", range(6))
def test_every_sign_lies_inside_a_sentence(seed):
    performance, sequence = session(seed)
    events = [e for e, _ in segment(sequence)]
    starts = [e.time_ms for e in events if isinstance(e, SigningStarted)]
    ends = [e.time_ms for e in events if isinstance(e, SigningEnded)]
    assert len(starts) == len(ends)
    inside = [
        any(a <= (start + end) / 2 <= b for a, b in zip(starts, ends, strict=True))
        for _, start, end in performance.spans
    ]
    assert np.mean(inside) >= 8 / 9


def test_most_signs_begin_and_end_near_a_boundary():
    near = []
    for seed in range(8):
        performance, sequence = session(seed)
        times = np.array([e.time_ms for e, _ in segment(sequence)])
        for _, start, end in performance.spans:
            near += [np.abs(times - start).min() <= 200, np.abs(times - end).min() <= 200]
    assert np.mean(near) >= 0.8


def test_boundaries_are_known_within_the_look_ahead():
    _, sequence = session(1)
    waits = [known - e.time_ms for e, known in segment(sequence) if isinstance(e, Boundary)]
    assert waits and max(waits) <= LOOK_AHEAD_MS <= 300


def test_events_come_in_order_and_boundaries_are_apart():
    _, sequence = session(2)
    times = [e.time_ms for e, _ in segment(sequence)]
    assert times == sorted(times)
    inner = [e.time_ms for e, _ in segment(sequence) if isinstance(e, Boundary)]
    assert min(np.diff(inner)) >= SegmentSettings().min_sign_ms


def test_replay_after_reset_gives_the_same():
    _, sequence = session(3)
    segmenter = Segmenter(SIGN69, sequence.fps, sequence.aspect)
    runs = []
    for _ in range(2):
        runs.append([e for f in sequence.frames() for e in segmenter.push(f)] + segmenter.flush())
        segmenter.reset()
    assert runs[0] == runs[1] != []


def test_hands_at_rest_start_nothing():
    performance, sequence = session(4, n_sentences=1)
    first = performance.spans[0][1]
    still = [e for e, known in segment(sequence) if known < first - 900]
    assert still == []


def test_signing_after_folded_hands_starts_when_they_move():
    """Hands up and still for three seconds, as if folded on a table; then they move."""
    segmenter = Segmenter(SIGN69, FPS, 4 / 3)
    right = SIGN69.groups["right_hand"]
    events = []
    for n in range(120):
        xyz, confidence = np.zeros((69, 3), np.float32), np.zeros(69, np.float32)
        for name, x in (("left_shoulder", 0.62), ("right_shoulder", 0.38)):
            xyz[SIGN69.index(name)], confidence[SIGN69.index(name)] = (x, 0.5, 0), 1
        xyz[right] = (0.4 + 0.012 * max(0, n - 75), 0.6, 0)
        confidence[right] = 1
        events += segmenter.push(KeypointFrame(n * 40, xyz, confidence))
    starts = [e.time_ms for e in events if isinstance(e, SigningStarted)]
    assert len(starts) == 1 and abs(starts[0] - 76 * 40) <= 40
