"""How true a pack's scores are: of the lines with a score of 0.8, are four in five right?

    scored = [Scored(0.93, True), Scored(0.41, False), ...]
    reliability(scored, unsure_below=0.5).calibration_error
    draw_reliability(Path("reliability.png"), {"before": scored, "after": others}, 0.5)

Right is what is right to the letter.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

N_BINS = 10  # of scores, all as wide
RED, GREY = "#c0392b", "#8a8f98"
LEAST_DRAWN = 5  # lines in a bin: what fewer have in common says nothing


class Scored(NamedTuple):
    """A line that was judged. score : 0 to 1; right : to the letter"""

    score: float
    right: bool


class Bin(NamedTuple):
    """Lines of nearly the same score. score : their mean; right : the part that is, 0 to 1"""

    score: float
    right: float
    n: int


@dataclass(frozen=True)
class Reliability:
    """Shares are 0 to 1; NaN where there is nothing to have a share of.

    right, mean_score : of all n lines; a pack that knows itself has the same for both
    calibration_error : how far scores are from the part that is right, the mean over all lines, bin
        by bin (Guo et al. 2017, Sec. 2: the expected calibration error)
    auc : the chance that a right line has a higher score than a wrong one; ties count half
    unsure : lines below the threshold; right_unsure : of these; right_sure : of the others
    """

    n: int
    right: float
    mean_score: float
    calibration_error: float
    auc: float
    unsure: float
    right_unsure: float
    right_sure: float


def reliability(scored: Sequence[Scored], unsure_below: float) -> Reliability:
    """The figures of some lines; ValueError for none."""
    if not scored:
        raise ValueError("no line was scored: give clips with texts")
    scores, right = _arrays(scored)
    sure = scores >= unsure_below
    return Reliability(
        n=len(scored),
        right=_mean(right),
        mean_score=_mean(scores),
        calibration_error=sum(abs(b.score - b.right) * b.n for b in bins(scored)) / len(scored),
        auc=_auc(scores[right], scores[~right]),
        unsure=_mean(~sure),
        right_unsure=_mean(right[~sure]),
        right_sure=_mean(right[sure]),
    )


def bins(scored: Sequence[Scored]) -> list[Bin]:
    """The bins that hold a line, the lowest scores first; a score of 1 is in the last."""
    scores, right = _arrays(scored)
    numbers = np.minimum((scores * N_BINS).astype(int), N_BINS - 1)
    found = []
    for number in np.unique(numbers):
        inside = numbers == number
        found.append(Bin(_mean(scores[inside]), _mean(right[inside]), int(inside.sum())))
    return found


def draw_reliability(
    path: Path, sets: Mapping[str, Sequence[Scored]], unsure_below: float, title: str = ""
) -> None:
    """Writes a PNG, whole or not at all: the part that is right against the score, a line for each
    set, and below how many lines have such a score."""
    from matplotlib.figure import Figure

    figure = Figure((5.6, 6.2), layout="constrained", dpi=100)
    above, below = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    above.plot((0, 1), (0, 1), color=GREY, linestyle="--", linewidth=1, label="as it should be")
    width = 1 / N_BINS / (len(sets) + 1)
    for number, (name, scored) in enumerate(sets.items()):
        found, color = bins(scored), f"C{number}"
        error = reliability(scored, unsure_below).calibration_error
        drawn = [b for b in found if b.n >= LEAST_DRAWN]
        places, heights = [b.score for b in drawn], [b.right for b in drawn]
        above.plot(places, heights, "o-", color=color, label=f"{name} (error {error:.1%})")
        counts, edges = np.histogram(_arrays(scored)[0], N_BINS, (0, 1))
        starts = edges[:-1] + width * (number + 0.5)
        below.bar(starts, counts / len(scored), width, align="edge", color=color)
    for axes in (above, below):
        axes.axvline(unsure_below, color=RED, linewidth=1)
        axes.grid(alpha=0.3)
        axes.set_axisbelow(True)
    below.text(unsure_below - 0.01, below.get_ylim()[1], "unsure", ha="right", va="top", color=RED)
    above.set(xlim=(0, 1), ylim=(0, 1), ylabel="lines that are right to the letter")
    above.set_title(title, parse_math=False)
    above.legend(loc="lower right")
    below.set(xlabel="score of a line", ylabel="share of lines")
    partial = path.with_name(f".{path.name}.partial")
    try:
        figure.savefig(partial, format="png")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _arrays(scored: Sequence[Scored]) -> tuple[np.ndarray, np.ndarray]:
    """Scores (n,) float64 and right (n,) bool."""
    return np.array([s.score for s in scored]), np.array([s.right for s in scored], bool)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else math.nan


def _auc(of_right: np.ndarray, of_wrong: np.ndarray) -> float:
    if not of_right.size or not of_wrong.size:
        return math.nan
    wrong = np.sort(of_wrong)
    lower = np.searchsorted(wrong, of_right, "left")
    not_higher = np.searchsorted(wrong, of_right, "right")
    return float((lower + not_higher).mean() / 2 / len(wrong))
