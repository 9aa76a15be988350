"""What stands in the band under the picture: whole lines, in rows that fit.

Pure: how wide a text is comes in as a function, so that a window and a test can both ask.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fingerpost.app.caption_board import ShownLine
from fingerpost.app.overlay import wrap

SCALES = (1.0, 0.85, 0.7, 0.55, 0.45, 0.35, 0.25)  # of the text size that was set
SMALLEST = 0.55  # unless a line would still be read at a smaller one


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
    lines: Sequence[ShownLine],
    width: float,
    n_rows: int,
    measure: Callable[[str], float],
    mark_width: float = 0.0,
    smallest: float = SMALLEST,
) -> BandText:
    """The newest line, and those before it that fit beside it, whole.

    width : of a row, in the unit of ``measure``, which is asked at full text size
    mark_width : that is left free in the rows of an unsure line
    smallest : of SCALES, that is still read

    The newest line becomes smaller until no word of it is broken and, once it is finished, until
    it fits. Of a line in the making that is longer than the band, the end is shown, as it grows;
    the rest of a finished one that never fits is cut, and "…" says so.
    """
    if n_rows < 1:
        raise ValueError(f"a band needs at least one row, got {n_rows}")
    if not lines:
        return BandText(())
    *older, newest = lines
    for scale in (1.0, *(scale for scale in SCALES[1:] if scale >= smallest)):
        room = int(n_rows / scale)
        rows = _rows(newest, width / scale, measure, mark_width)
        whole = max(map(measure, newest.text.split()), default=0.0) <= width / scale
        if whole and (newest.partial or len(rows) <= room):
            break
    if len(rows) > room and newest.partial:
        rows = rows[-room:]
    elif len(rows) > room:
        rows = [*rows[: room - 1], Row(rows[room - 1].text + " …", False, newest.unsure)]
    for line in reversed(older if scale == 1.0 else ()):
        above = _rows(line, width, measure, mark_width)
        if len(above) + len(rows) > n_rows:
            break
        rows = above + rows
    return BandText(tuple(rows), scale)


def _rows(
    line: ShownLine, width: float, measure: Callable[[str], float], mark_width: float
) -> list[Row]:
    marked = line.unsure and not line.partial
    room = max(1, int(width - mark_width if marked else width))
    rows = [Row(text, line.partial) for text in wrap(line.text, room, lambda t: int(measure(t)))]
    if rows and marked:
        rows[-1] = Row(rows[-1].text, False, unsure=True)
    return rows
