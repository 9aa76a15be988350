"""Caption events: what a captioner tells the screen, the terminal or a file.

A line is started, changed any number of times, and completed; its ``line_id`` stays the same. A
completed line never changes. Of a changing line, the first ``stable`` glosses are settled: later
events for the line may add to them but never alter them.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class ScoreSettings:
    """unsure_below : a line with a lower score is little more than a guess, and shown as one"""

    unsure_below: float = 0.5


@dataclass(frozen=True)
class Line:
    """One caption.

    text : what to show
    glosses : the signs that were recognised, in order
    alternatives : for each gloss, other candidates as (gloss, probability), best first
    start_ms, end_ms : when it was signed
    score : 0 to 1. Of a sentence, the chance that its text is right to the letter; else the mean
        probability of its glosses
    spans : for each gloss, the (start_ms, end_ms) in which it was signed
    others : what the whole line may be instead, as (text, score), best first
    unsure : whether the score is below the pack's ``unsure_below``
    """

    text: str
    glosses: tuple[str, ...]
    alternatives: tuple[tuple[tuple[str, float], ...], ...]
    start_ms: int
    end_ms: int
    score: float
    spans: tuple[tuple[int, int], ...] = ()
    others: tuple[tuple[str, float], ...] = ()
    unsure: bool = False


@dataclass(frozen=True)
class LineStarted:
    """A new line, first words known. stable : how many of its glosses are settled."""

    line_id: int
    line: Line
    stable: int = 0


@dataclass(frozen=True)
class LineChanged:
    """A line's text as it is now known. stable : how many of its glosses are settled."""

    line_id: int
    line: Line
    stable: int = 0


@dataclass(frozen=True)
class LineCompleted:
    """The final form of a line."""

    line_id: int
    line: Line


CaptionEvent = LineStarted | LineChanged | LineCompleted
