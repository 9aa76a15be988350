"""How near a hand that was lost for 200 ms is filled in to where it was, on three real webcams.

    python tests/bench/bench_lost_hands.py [--data ../shared/data] [--lost-ms 200]

From every run of frames in which a hand is seen and goes fast, it is taken out in the middle, and
filled in again; not where it is so near the picture's edge that ``LostHands`` takes it for one that
has left. Errors are means over its points, in palm lengths:

stays   the hand stays where it was last seen
arm     ``LostHands``: it goes along with the body's wrist
line    a straight line to where it is seen again; nobody knows it before that, so it costs a delay

Also counted: frames in which ``OnePerson`` sees somebody else, where there is nobody else.
"""

import argparse
from collections import defaultdict
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np

from fingerpost.app.terminal import print_columns
from fingerpost.edge_runtime.keypoints import HANDS, SIGN69, PoseSequence, to_view
from fingerpost.edge_runtime.lost_hands import LostHands, LostHandSettings
from fingerpost.edge_runtime.one_person import OnePerson
from fingerpost.trainer.corpora.keypoint_sets import read_webcam

FAST = 3.0  # palm lengths a second
LONGEST_MS = 10_000  # whatever --lost-ms is, all of it is filled in
Errors = dict[str, list[float]]


def fill_errors(sequence: PoseSequence, hand: str, lost_ms: int, errors: Errors) -> None:
    """Adds the errors of each place where a fast hand can be taken out."""
    points, n_lost = SIGN69.groups[hand], round(lost_ms * sequence.fps / 1000)
    xy = sequence.xyz[:, points, :2] * [sequence.aspect, 1]  # (T, 21, 2), picture heights
    seen = sequence.confidence[:, points.start] > 0
    for first in range(1, len(sequence) - n_lost, n_lost):
        last = first + n_lost  # the first frame that shows it again
        before, after = xy[first - 1], xy[last]
        palm = float(np.linalg.norm(before[9] - before[0]))
        speed = np.linalg.norm(after[0] - before[0]) * sequence.fps / (n_lost + 1)
        if not seen[first - 1 : last + 1].all() or palm == 0 or speed / palm < FAST:
            continue
        filled = without(sequence, points, first, last)
        if not filled.any():  # it was so near the picture's edge that it may have left
            continue
        for t in range(first, last):
            share = (t - first + 1) / (n_lost + 1)
            guesses = {
                "stays": before,
                "arm": filled[t - first] * [sequence.aspect, 1],
                "line": before + share * (after - before),
            }
            for name, guess in guesses.items():
                error = np.linalg.norm(guess - xy[t], axis=-1).mean() / palm
                errors[name].append(float(error))


def without(sequence: PoseSequence, points: slice, first: int, last: int) -> np.ndarray:
    """(last - first, 21, 2): a hand that is not seen from one frame to another, filled in."""
    xyz, confidence = sequence.xyz.copy(), sequence.confidence.copy()
    xyz[first:last, points], confidence[first:last, points] = 0, 0
    frames = replace(sequence, xyz=xyz, confidence=confidence).frames()[first - 1 : last]
    hands = LostHands(LostHandSettings(fill_ms=LONGEST_MS))
    filled = [hands.push(frame) for frame in frames]
    return np.stack([frame.xyz[points, :2] for frame in filled[1:]])


def strangers(sequence: PoseSequence) -> tuple[int, int]:
    """Frames in which somebody was seen who is not followed, and of all."""
    one = OnePerson(sequence.aspect)
    pairs = [(frame, one.push(frame)) for frame in sequence.frames()]
    wrong = sum(seen.confidence.any() and not out.confidence.any() for seen, out in pairs)
    return int(wrong), len(pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--lost-ms", type=int, default=200)
    given = parser.parse_args()
    rows = [["", "places", "stays", "arm", "line", "strangers", "frames"]]
    for name, clips in groupby(read_webcam(given.data / "webcam"), lambda clip: clip.signer):
        errors: Errors = defaultdict(list)
        n_wrong = n_frames = 0
        for clip in clips:
            sequence = to_view(clip.sequence, SIGN69)
            for hand in HANDS:
                fill_errors(sequence, hand, given.lost_ms, errors)
            wrong, frames = strangers(sequence)
            n_wrong, n_frames = n_wrong + wrong, n_frames + frames
        medians = [f"{np.median(errors[kind]):.2f}" for kind in ("stays", "arm", "line")]
        rows.append([name, str(len(errors["arm"])), *medians, str(n_wrong), str(n_frames)])
    print_columns(rows)


if __name__ == "__main__":
    main()
