"""A timeline of subtitles before and after they were aligned, beside when somebody signs.

Above, by how much each subtitle was moved, over all of the video. Below, row by row of a minute,
the subtitles as they were and as they are, with a line from the one to the other. The colours are
those of Okabe and Ito (Color Universal Design, 2008), which colour-blind people tell apart.
"""

import functools
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter

ROW_MS = 60_000
MAX_ROWS = 8
WIDTH = 14.0  # inches
ABOVE, TOP, ROW, MARGIN = 1.9, 1.1, 1.35, 1.15  # inches: overview, title, a row, at the left
DPI = 100
POINTS = 7.5  # of a subtitle's text
LETTER = 0.54 * POINTS / 72  # inches: about the width of a letter
BEFORE, AFTER, GUESSED, SIGNING = "#E69F00", "#0072B2", "#56B4E9", "#8c8c8c"
INK_ON = {BEFORE: "black", AFTER: "white", GUESSED: "black"}
LANES = {"before": 1.85, "after": 0.65, "signing": 0.0}  # bottoms, in a row from 0 to 3
BAR, THIN = 0.8, 0.35  # heights
# Asked for the letters that matplotlib's own font lacks, where they are installed
FONTS = ("DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "Noto Sans")

Span = tuple[int, int]


@dataclass(frozen=True)
class Line:
    """One subtitle: its text; when it was shown, and is now, ms; whether its signs were found."""

    text: str
    before: Span
    after: Span | None
    found: bool


def draw_timeline(path: Path, lines: Sequence[Line], signed: Sequence[Span], title: str) -> None:
    """Writes a PNG, whole or not at all. signed : stretches of signing, ms"""
    figure = timeline(lines, signed, title)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph")  # a box is drawn in its place
            figure.savefig(partial, format="png", dpi=DPI)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def timeline(lines: Sequence[Line], signed: Sequence[Span], title: str) -> Figure:
    """The picture; of a long video the first ``MAX_ROWS`` minutes are drawn as rows."""
    ends = [end for line in lines for _, end in (line.before, line.after or line.before)]
    last_ms = max([1, *ends, *(end for _, end in signed)])
    rows = min(MAX_ROWS, math.ceil(last_ms / ROW_MS))
    height = TOP + ABOVE + 0.55 + rows * ROW + 0.35
    figure = Figure((WIDTH, height))
    FigureCanvasAgg(figure)
    _write(figure, 0.25, height - 0.35, title, 12)
    _legend(figure, height - 0.72)
    inner = (WIDTH - MARGIN - 0.3) / WIDTH
    box = (MARGIN / WIDTH, (height - TOP - ABOVE + 0.35) / height, inner, (ABOVE - 0.35) / height)
    _overview(figure.add_axes(box), lines, last_ms)
    if rows * ROW_MS < last_ms:
        note = f"The first {rows} of {math.ceil(last_ms / ROW_MS)} minutes:"
        _write(figure, 0.25, height - TOP - ABOVE - 0.4, note, 9)
    for number in range(rows):
        bottom = 0.35 + (rows - 1 - number) * ROW
        box = (MARGIN / WIDTH, (bottom + 0.2) / height, inner, (ROW - 0.3) / height)
        start_ms = number * ROW_MS
        end_ms = max(start_ms + ROW_MS if last_ms > ROW_MS else last_ms, 1000)
        _row(figure.add_axes(box), lines, signed, start_ms, end_ms)
    return figure


def _overview(axes: Axes, lines: Sequence[Line], last_ms: int) -> None:
    """By how much each subtitle was moved, seconds, over the time that it had."""
    for found, colour, marker in ((True, AFTER, "o"), (False, GUESSED, "^")):
        placed = [line for line in lines if line.after is not None and line.found == found]
        times = [sum(line.before) / 120_000 for line in placed]
        moves = [(sum(line.after or ()) - sum(line.before)) / 2000 for line in placed]
        axes.scatter(times, moves, s=9, color=colour, marker=marker, linewidths=0)
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set_xlim(0, last_ms / 60_000)
    axes.set_ylabel("moved by (s)", fontsize=9)
    axes.set_xlabel("minutes", fontsize=9, labelpad=1)
    axes.tick_params(labelsize=8)
    axes.grid(linewidth=0.3)


def _row(
    axes: Axes, lines: Sequence[Line], signed: Sequence[Span], start_ms: int, end_ms: int
) -> None:
    per_ms = (WIDTH - MARGIN - 0.3) / (end_ms - start_ms)  # inches
    axes.set_xlim(start_ms, end_ms)
    axes.set_ylim(-0.1, 2.75)
    for start, end in signed:
        if start < end_ms and end > start_ms:
            axes.add_patch(
                Rectangle((start, LANES["signing"]), end - start, THIN, color=SIGNING, linewidth=0)
            )
    for line in lines:
        bars = [("before", line.before, BEFORE)]
        if line.after is not None:
            bars.append(("after", line.after, AFTER if line.found else GUESSED))
            if any(start < end_ms and end > start_ms for _, (start, end), _ in bars):
                _join(axes, line.before, line.after)
        for lane, (start, end), colour in bars:
            if start < end_ms and end > start_ms:
                bar = Rectangle((start, LANES[lane]), end - start, BAR, facecolor=colour)
                bar.set(edgecolor="white", linewidth=0.8)
                axes.add_patch(bar)
                visible = max(start, start_ms), min(end, end_ms)
                _say(axes, line.text, visible, LANES[lane] + BAR / 2, per_ms, INK_ON[colour])
    middles = [LANES["before"] + BAR / 2, LANES["after"] + BAR / 2, LANES["signing"] + THIN / 2]
    axes.set_yticks(middles, ["before", "after", "signing"], fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda ms, _: _clock(ms)))
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _join(axes: Axes, before: Span, after: Span) -> None:
    """A line from the middle of what was to the middle of what is."""
    axes.plot(
        [sum(before) / 2, sum(after) / 2],
        [LANES["before"], LANES["after"] + BAR],
        color="black",
        linewidth=0.5,
        alpha=0.6,
        clip_on=True,
    )


def _say(axes: Axes, text: str, span: Span, y: float, per_ms: float, ink: str) -> None:
    """As much of a text as its bar has room for."""
    room = int(((span[1] - span[0]) * per_ms - 0.06) / LETTER)
    short = shortened(text, room)
    if short:
        said = axes.text(sum(span) / 2, y, short, fontsize=POINTS, color=ink, family=_fonts())
        said.set(horizontalalignment="center", verticalalignment="center", clip_on=True)
        said.set_parse_math(False)  # "$" is a letter


def shortened(text: str, room: int) -> str:
    """A text in at most ``room`` letters, cut with an ellipsis; "" where it would say nothing."""
    text = " ".join(text.split())
    if len(text) <= room:
        return text
    return text[: room - 1].rstrip() + "…" if room >= 4 else ""


def _legend(figure: Figure, y: float) -> None:
    width, height = figure.get_size_inches()
    x = 0.25
    names = ("subtitles before", "after", "after, put between neighbours", "somebody signs")
    for name, colour in zip(names, (BEFORE, AFTER, GUESSED, SIGNING), strict=True):
        box = Rectangle((x / width, y / height), 0.2 / width, 0.13 / height, color=colour)
        box.set_transform(figure.transFigure)
        figure.add_artist(box)
        _write(figure, x + 0.27, y, name, 9)
        x += 0.55 + 0.075 * len(name)


def _write(figure: Figure, x: float, y: float, text: str, points: float) -> None:
    """Text at a place in inches."""
    width, height = figure.get_size_inches()
    drawn = figure.text(x / width, y / height, text, fontsize=points, family=_fonts())
    drawn.set_parse_math(False)


@functools.cache
def _fonts() -> list[str]:
    there = set(font_manager.get_font_names())
    return [font for font in FONTS if font in there]


def _clock(ms: float) -> str:
    minutes, seconds = divmod(round(ms / 1000), 60)
    return f"{minutes}:{seconds:02}"
