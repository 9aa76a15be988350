"""What stands in the band under the picture: whole lines, in rows that fit.

Pure: how wide a text is comes in as a function, so that a window and a test can both ask.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fingerpost.app.caption_board import ShownLine
from fingerpost.app.overlay import wrap

SMALLER = (0.85, 0.7)  # of the text size, for a finished line that is longer than the band


@dataclass(frozen=True)
class Row:
    """One row of text. unsure : the mark stands at the end of this row"""

    text: str
    partial: bool
    unsure: bool = False


@dataclass(frozen=True)
class BandText:
    """rows : from the top; scale : of the text size that was set"""

    rows: tuple[Row, ...]
    scale: float = 1.0


def lay_out(
    lines: Sequence[ShownLine], width: float, n_rows: int, measure: Callable[[str], float]
) -> BandText:
    """The newest line, and those before it that fit beside it, whole.

    width : of a row, in the unit of ``measure``, which is asked at full text size

    Of a line in the making that is longer than the band, the end is shown, as it grows. A finished
    one is made smaller until it fits; the rest of one that never does is cut, and "…" says so.
    """
    if n_rows < 1:
        raise ValueError(f"a band needs at least one row, got {n_rows}")
    if not lines:
        return BandText(())
    *older, newest = lines
    rows = _rows(newest, width, measure)
    if len(rows) > n_rows:
        return (
            BandText(tuple(rows[-n_rows:]))
            if newest.partial
            else _smaller(newest, width, n_rows, measure)
        )
    for line in reversed(older):
        above = _rows(line, width, measure)
        if len(above) + len(rows) > n_rows:
            break
        rows = above + rows
    return BandText(tuple(rows))


def _smaller(
    line: ShownLine, width: float, n_rows: int, measure: Callable[[str], float]
) -> BandText:
    """A finished line, as large as it fits."""
    for scale in SMALLER:
        rows, room = _rows(line, width / scale, measure), int(n_rows / scale)
        if len(rows) <= room:
            return BandText(tuple(rows), scale)
    cut = rows[:room]
    cut[-1] = Row(cut[-1].text + " …", False, line.unsure)
    return BandText(tuple(cut), scale)


def _rows(line: ShownLine, width: float, measure: Callable[[str], float]) -> list[Row]:
    texts = wrap(line.text, int(width), lambda text: int(measure(text)))
    rows = [Row(text, line.partial) for text in texts]
    if rows and line.unsure and not line.partial:
        rows[-1] = Row(rows[-1].text, False, unsure=True)
    return rows
