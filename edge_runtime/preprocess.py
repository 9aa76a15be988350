"""The one normalisation: what a model eats is made here, in training and on the device alike.

A change of anything that alters the numbers bumps ``PREPROCESS_VERSION``; packs of another version
refuse to load.
"""

from dataclasses import replace

import numpy as np

from fingerpost.edge_runtime.keypoints import HAND_POINTS, HANDS, PoseSequence, mirrored

PREPROCESS_VERSION = 1

N_CHANNELS = 4  # x, y, z in shoulder widths, confidence
MAX_GAP_MS = 320  # a hand lost for no longer than this is filled in
FILLED_CONFIDENCE = 0.3  # of what was filled in
SHOULDERS_PER_PALM = 3.2  # shoulder width over palm length: median of four real webcam data sets
NOMINAL_SHOULDERS = (0.5, 0.55)  # where their middle usually is in the picture, as fractions

_WRIST, _MIDDLE_MCP = HAND_POINTS.index("wrist"), HAND_POINTS.index("middle_mcp")


def preprocess(sequence: PoseSequence, window: int) -> np.ndarray:
    """One sign, as the recogniser eats it.

    sequence : the span of one sign in a model's view, any length and rate
    window : number of frames T that the model takes

    Returns shape (1, T, K, 4), float32: x, y, z relative to the middle of the shoulders in shoulder
    widths, and confidence. The dominant hand is the right one: a sequence in which the left hand
    does more is mirrored, so that left-handed signers are read like right-handed ones.
    """
    sequence = fill_gaps(trim(sequence))
    sequence = right_handed(sequence)
    return resample_window(normalise(sequence), window)[None]


def trim(sequence: PoseSequence) -> PoseSequence:
    """The part from the first to the last frame with a hand; unchanged where there is no hand."""
    seen = np.flatnonzero(_hands_seen(sequence).any(axis=1))
    if len(seen) == 0:
        return sequence
    part = slice(int(seen[0]), int(seen[-1]) + 1)
    return replace(
        sequence,
        xyz=sequence.xyz[part],
        confidence=sequence.confidence[part],
        start_ms=sequence.time_ms(part.start),
    )


def hands_alone(sequence: PoseSequence) -> PoseSequence:
    """The sequence, of which nothing but the hands was seen."""
    kept = np.zeros(len(sequence.schema), bool)
    for hand in HANDS:
        kept[sequence.schema.groups[hand]] = True
    return replace(
        sequence,
        xyz=np.where(kept[:, None], sequence.xyz, 0).astype(np.float32),
        confidence=np.where(kept, sequence.confidence, 0).astype(np.float32),
    )


def fill_gaps(sequence: PoseSequence, max_gap_ms: int = MAX_GAP_MS) -> PoseSequence:
    """Straight lines through the short gaps in which a hand was lost (motion blur, mostly)."""
    xyz, confidence = sequence.xyz.copy(), sequence.confidence.copy()
    max_gap = round(max_gap_ms * sequence.fps / 1000)  # frames
    for hand in HANDS:
        points = sequence.schema.groups[hand]
        seen = np.flatnonzero(confidence[:, points].any(axis=1))
        for before, after in zip(seen[:-1], seen[1:], strict=True):
            if not 1 < after - before <= max_gap + 1:
                continue
            share = (np.arange(before + 1, after) - before) / (after - before)
            start, end = xyz[before, points], xyz[after, points]
            xyz[before + 1 : after, points] = start + share[:, None, None] * (end - start)
            confidence[before + 1 : after, points] = FILLED_CONFIDENCE
    return replace(sequence, xyz=xyz, confidence=confidence)


def right_handed(sequence: PoseSequence) -> PoseSequence:
    """The sequence, mirrored if its left hand moves more than its right one."""
    return (
        mirrored(sequence)
        if _travel(sequence, "left_hand") > _travel(sequence, "right_hand")
        else sequence
    )


def normalise(sequence: PoseSequence) -> np.ndarray:
    """Shape (T, K, 4): x, y, z relative to the shoulders in shoulder widths, and confidence.

    Where the shoulders were not seen (hand landmarks alone), they are put where they usually are,
    with a width guessed from the size of the palms.
    """
    to_square = np.array([sequence.aspect, 1, sequence.aspect], np.float32)
    square = sequence.xyz * to_square  # units of the picture's height
    origin, scale = _shoulders(sequence, square)
    seen = sequence.confidence > 0
    xyz = np.where(seen[..., None], (square - origin) / scale, 0)
    return np.concatenate([xyz, sequence.confidence[..., None]], axis=-1).astype(np.float32)


def resample_window(frames: np.ndarray, window: int) -> np.ndarray:
    """Shape (T, K, 4) to (window, K, 4), evenly in time; a lost point is never averaged in."""
    at = np.linspace(0, len(frames) - 1, window)
    before = np.floor(at).astype(int)
    after = np.minimum(before + 1, len(frames) - 1)
    share = (at - before).astype(np.float32)[:, None]
    weight_before = np.where(frames[before, :, 3] > 0, 1 - share, 0)  # (window, K)
    weight_after = np.where(frames[after, :, 3] > 0, share, 0)
    total = weight_before + weight_after
    mixed = weight_before[..., None] * frames[before] + weight_after[..., None] * frames[after]
    return np.where(total[..., None] > 0, mixed / np.maximum(total, 1e-6)[..., None], 0).astype(
        np.float32
    )


def palm_lengths(sequence: PoseSequence, hand: str) -> np.ndarray:
    """Wrist to middle knuckle in picture heights, for the frames in which the hand is seen."""
    points = sequence.schema.groups[hand]
    seen = sequence.confidence[:, points.start] > 0
    hands = sequence.xyz[seen, points, :2] * (sequence.aspect, 1)
    return np.linalg.norm(hands[:, _MIDDLE_MCP] - hands[:, _WRIST], axis=-1)


def _shoulders(sequence: PoseSequence, square: np.ndarray) -> tuple[np.ndarray, float]:
    """The middle of the shoulders (3,) and their width, in picture heights."""
    left, right = (sequence.schema.index(f"{side}_shoulder") for side in ("left", "right"))
    seen = (sequence.confidence[:, [left, right]] > 0).all(axis=1)
    if seen.any():
        middle = np.median((square[seen, left] + square[seen, right]) / 2, axis=0)
        width = np.median(
            np.linalg.norm((square[seen, left] - square[seen, right])[:, :2], axis=-1)
        )
    else:
        palms = np.concatenate([palm_lengths(sequence, h) for h in HANDS])
        middle = np.array([NOMINAL_SHOULDERS[0] * sequence.aspect, NOMINAL_SHOULDERS[1], 0])
        width = np.percentile(palms, 90) * SHOULDERS_PER_PALM if len(palms) else 0
    middle[2] = 0  # a hand's z is relative to its own wrist, not to the body
    return middle, max(float(width), 0.02)


def _hands_seen(sequence: PoseSequence) -> np.ndarray:
    """Shape (T, 2): is the left, the right hand there?"""
    hands = [sequence.schema.groups[hand] for hand in HANDS]
    return np.stack([sequence.confidence[:, hand].any(axis=1) for hand in hands], axis=1)


def _travel(sequence: PoseSequence, hand: str) -> float:
    """How much a hand does: frames in which it is seen, each counted by how far it moved."""
    points = sequence.schema.groups[hand]
    seen = sequence.confidence[:, points.start] > 0
    if not seen.any():
        return 0.0
    wrist = sequence.xyz[seen, points.start, :2] * (sequence.aspect, 1)
    moved = np.linalg.norm(np.diff(wrist, axis=0), axis=-1)
    return float(seen.sum() * 0.005 + np.minimum(moved, 0.1).sum())
