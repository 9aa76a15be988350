"""How well subtitles are placed: frame accuracy, class-balanced accuracy, F1 at three overlaps.

"Lost in Translation, Found in Embeddings", section 4.1 and appendix A.8, which follow Bull et al.
(Aligning Subtitles in Sign Language Videos, 2021) and their published evaluation code. Every frame
of a video carries the number of the subtitle that is shown in it, or none; where subtitles overlap,
the later one of the file has the frame. Scored is until ten seconds after the last true subtitle:
so every way of aligning is scored on the same frames, and one that places too late is punished.

* Frame accuracy: the share of frames whose number is right; no subtitle is a number, too.
* CB-Acc: the mean over subtitles, and "no subtitle" as one more, of the share of its true frames
  that were found.
* F1@t: a run of frames of one number is found if its overlap with the true run of that number is at
  least t of their union; F1 of precision and recall over all runs.

Over several videos frames, classes and runs are put together, "no subtitle" of each video being a
class of its own. The paper does not say how it does this for CB-Acc. All figures are in percent.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fingerpost.trainer.metrics import accuracy, accuracy_per_class

FPS = 25.0
OVERLAPS = (0.10, 0.25, 0.50)
AFTER_MS = 10_000  # after the last true subtitle
NOTHING = -1  # the number of frames without subtitle

Times = Sequence[tuple[int, int]]  # start and end in ms of each subtitle
Placed = Sequence[tuple[int, int] | None]  # None: not placed


@dataclass(frozen=True)
class AlignmentScore:
    """In percent. f1 : by overlap; n_cues : subtitles that were to be placed"""

    accuracy: float
    balanced_accuracy: float
    f1: dict[float, float]
    n_cues: int

    def record(self) -> dict[str, float]:
        """Plain data, for JSON."""
        shares = {"accuracy": self.accuracy, "balanced_accuracy": self.balanced_accuracy}
        shares |= {f"f1_{overlap:.2f}": value for overlap, value in self.f1.items()}
        return {name: round(value, 2) for name, value in shares.items()} | {"cues": self.n_cues}


def score_alignments(videos: Sequence[tuple[Times, Placed]]) -> AlignmentScore:
    """The score of several videos together.

    videos : of each the true times of its subtitles, and where they were placed, in the same order
    ValueError for no subtitle at all, for other numbers of them, and for times that cannot be.
    """
    if not any(len(truth) for truth, _ in videos):
        raise ValueError("no true subtitles to compare with")
    true_labels, hits = [], []
    counts = np.zeros((len(OVERLAPS), 3), int)  # runs found, said, true
    first = 0  # class number of a video's "no subtitle"
    for truth, placed in videos:
        if len(truth) != len(placed):
            raise ValueError(
                f"there are {len(truth)} true subtitles and {len(placed)} placed ones; give both "
                "files of the same subtitles in the same order"
            )
        if not truth:
            continue
        n_frames = round((max(end for _, end in truth) + AFTER_MS) * FPS / 1000)
        true, said = frame_labels(truth, n_frames), frame_labels(placed, n_frames)
        true_labels.append(true + 1 + first)
        hits.append(true == said)
        counts += run_counts(true, said)
        first += len(truth) + 1
    labels, right = np.concatenate(true_labels), np.concatenate(hits)
    return AlignmentScore(
        accuracy(right).value,
        accuracy_per_class(right, labels.tolist()).value,
        {
            overlap: 200 * found / max(said + true, 1)
            for overlap, (found, said, true) in zip(OVERLAPS, counts.tolist(), strict=True)
        },
        sum(len(truth) for truth, _ in videos),
    )


def frame_labels(times: Placed, n_frames: int) -> np.ndarray:
    """The number of the subtitle shown in each frame, ``NOTHING`` where there is none: (T,) int.

    Of overlapping ones the later in the list has the frame.
    """
    labels = np.full(n_frames, NOTHING)
    for number, time in enumerate(times):
        if time is None:
            continue
        start_ms, end_ms = time
        if end_ms < start_ms:
            raise ValueError(f"subtitle {number + 1} ends at {end_ms} ms, before {start_ms} ms")
        labels[max(round(start_ms * FPS / 1000), 0) : max(round(end_ms * FPS / 1000), 0)] = number
    return labels


def run_counts(true: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Runs that were found, said runs and true runs, at each of ``OVERLAPS``: (3, 3) int.

    true, said : numbers of frames (T,), see ``frame_labels``
    A true run is found once; as in the published code, a said run that has its best overlap with
    one that is found already counts as wrong.
    """
    true_runs, said_runs = _runs(true), _runs(said)
    of_number: dict[int, list[int]] = {}
    for i, (number, _, _) in enumerate(true_runs):
        of_number.setdefault(number, []).append(i)
    found = np.zeros((len(OVERLAPS), len(true_runs)), bool)
    for number, start, end in said_runs:
        ratios = [(_overlap(start, end, *true_runs[i][1:]), -i) for i in of_number.get(number, ())]
        if ratios:
            ratio, i = max(ratios)
            found[:, -i] |= ratio >= np.array(OVERLAPS)
    counts = [(int(row.sum()), len(said_runs), len(true_runs)) for row in found]
    return np.array(counts)


def _runs(labels: np.ndarray) -> list[tuple[int, int, int]]:
    """(number, first frame, the one after the last) of each run of a subtitle's frames."""
    edges = np.flatnonzero(np.diff(labels)) + 1
    bounds = [0, *edges.tolist(), len(labels)]
    pairs = zip(bounds, bounds[1:], strict=False)
    runs = [(int(labels[start]), start, end) for start, end in pairs if start < end]
    return [run for run in runs if run[0] != NOTHING]


def _overlap(start: int, end: int, other_start: int, other_end: int) -> float:
    """Intersection over union of two spans of frames; 0 or less where they are apart."""
    shared = min(end, other_end) - max(start, other_start)
    return shared / (max(end, other_end) - min(start, other_start))
