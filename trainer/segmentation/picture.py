"""A picture of the attention that signs were found in, with the signs as squares on its diagonal.

As figure 3 of the paper, but for the squares, which nobody chose by hand. Both axes are time; a
cell is two moments, the brighter the more they look at each other.
A long clip is drawn in panels of ``PANEL_MS``.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fingerpost.trainer.segmentation.boundaries import contrast, matrix_of
from fingerpost.trainer.segmentation.segmenter import Segmented
from fingerpost.trainer.segmentation.spans import Span

PANEL_MS = 12_000
MAX_PANELS = 9
COLUMNS = 3
SIDE = 5.6  # inches of a panel
TOP = 0.85  # inches: title and legend
DPI = 100
FOUND, TRUE, NOTHING = "#ff3b30", "#30d5ff", "#c9ced6"
BRIGHTEST = 2.5  # standard deviations


def draw_segmented(
    path: Path, segmented: Segmented, title: str, truth: Sequence[Span] = ()
) -> None:
    """Writes a PNG, whole or not at all. truth : spans to draw beside those that were found."""
    figure = segmented_figure(segmented, title, truth)
    partial = path.with_name(f".{path.name}.partial")
    try:
        figure.savefig(partial, format="png", dpi=DPI)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def segmented_figure(segmented: Segmented, title: str, truth: Sequence[Span] = ()) -> Figure:
    """The picture, with at most ``MAX_PANELS`` panels: what is later is not drawn, and said so."""
    band = segmented.band
    length_ms = len(band.band) * 1000 / band.fps
    panel_ms = max(1.0, min(PANEL_MS, length_ms))
    wanted = max(1, math.ceil(length_ms / PANEL_MS))
    panels = min(MAX_PANELS, wanted)
    columns, rows = min(COLUMNS, panels), math.ceil(panels / COLUMNS)
    figure = Figure((columns * SIDE, TOP + rows * SIDE))
    FigureCanvasAgg(figure)
    width, height = figure.get_size_inches()
    if panels < wanted:
        title += f" (its first {panels * PANEL_MS // 1000} s)"
    _write(figure, 0.25, height - 0.35, title, 12, "black")
    _write(figure, 0.25, height - 0.65, "signs that were found", 9, FOUND)
    if truth:
        _write(figure, 2.0, height - 0.65, "signs as they are known to be", 9, "#0090b5")
    likeness = contrast(band.band)
    step = max(1, round(panel_ms * band.fps / 1000))
    for number in range(panels):
        x, y = number % COLUMNS * SIDE, (rows - 1 - number // COLUMNS) * SIDE
        box = (x + 0.6) / width, (y + 0.55) / height, (SIDE - 0.8) / width, (SIDE - 0.8) / height
        first = number * step
        matrix = matrix_of(likeness[first : first + step])
        start_s = band.time_ms(first) / 1000
        _draw_panel(figure.add_axes(box), matrix, start_s, band.fps, segmented.spans, truth)
    return figure


def _draw_panel(
    axes: Axes,
    matrix: np.ndarray,
    start_s: float,
    fps: float,
    found: Sequence[Span],
    truth: Sequence[Span],
) -> None:
    end_s = start_s + len(matrix) / fps
    axes.set_facecolor(NOTHING)  # moments that are too far apart to be compared
    extent = (start_s, end_s, end_s, start_s)
    axes.imshow(matrix, cmap="viridis", vmin=-BRIGHTEST, vmax=BRIGHTEST, extent=extent)
    for spans, colour, width, style in ((truth, TRUE, 1.3, "--"), (found, FOUND, 1.6, "-")):
        for span in spans:
            begin, end = span.start_ms / 1000, span.end_ms / 1000
            square = Rectangle((begin, begin), end - begin, end - begin, fill=False)
            square.set(edgecolor=colour, linewidth=width, linestyle=style)
            axes.add_patch(square)
    axes.set_xlim(start_s, end_s)
    axes.set_ylim(end_s, start_s)
    axes.set_xlabel("seconds", fontsize=9)
    axes.set_ylabel("seconds", fontsize=9)
    axes.tick_params(labelsize=8)


def _write(figure: Figure, x: float, y: float, text: str, points: float, colour: str) -> None:
    """Text at a place in inches."""
    width, height = figure.get_size_inches()
    drawn = figure.text(x / width, y / height, text, fontsize=points, color=colour)
    drawn.set_parse_math(False)  # "$" is a letter
