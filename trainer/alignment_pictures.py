"""Pictures of ``alignment``: t-SNE of signs and texts, and heat maps of words and frames."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fingerpost.trainer.alignment import Pairs, gap
from fingerpost.trainer.confusion import fonts_for

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIGN, TEXT = "#0072b2", "#d55e00"  # told apart by who sees no red, too
PANEL = 4.6  # inches
ROW, LONGEST = 0.24, 40  # inches of a word; words of a heat map


def draw_tsne(
    path: Path, panels: Sequence[tuple[str, Pairs, np.ndarray]], joined: bool = True
) -> None:
    """Writes a PNG, a panel for each checkpoint.

    panels : a title, what was read, and its points (2, N, 2)
    joined : whether a thin line joins a sign and its text
    """
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

    figure = Figure(figsize=(PANEL * len(panels), PANEL + 0.3), layout="constrained", dpi=130)
    for axes, (title, pairs, points) in zip(
        np.atleast_1d(figure.subplots(1, len(panels))), panels, strict=True
    ):
        if joined:
            lines = points.transpose(1, 0, 2)  # (N, 2, 2)
            axes.add_collection(LineCollection(list(lines), colors="0.8", linewidths=0.6, zorder=1))
        axes.scatter(*points[0].T, s=16, c=SIGN, marker="o", label="sign", zorder=2)
        axes.scatter(*points[1].T, s=18, c=TEXT, marker="^", label="text", zorder=2)
        axes.set_title(f"{title}\n{points.shape[1]} pairs, gap {gap(pairs):.2f}", fontsize=9)
        axes.set(xticks=[], yticks=[])
        axes.legend(fontsize=8, loc="best")
    _save(figure, path)


def draw_words(path: Path, pairs: Pairs) -> str:
    """Writes a PNG, a heat map for each clip of ``pairs.maps``; rows are words, columns frames.

    Returns what its reader should know in one sentence; "" where all is well.
    """
    from matplotlib.figure import Figure

    maps = pairs.maps
    heights = [0.9 + ROW * min(len(one.words), LONGEST) for one in maps]
    figure = Figure(figsize=(8.0, sum(heights)), layout="constrained", dpi=130)
    grid: Any = figure.subplots(len(maps), 1, height_ratios=heights, squeeze=False)
    for axes, one in zip(grid[:, 0], maps, strict=True):
        picture = axes.imshow(
            one.values[:LONGEST], aspect="auto", cmap="viridis", interpolation="nearest"
        )
        axes.set_yticks(range(min(len(one.words), LONGEST)), one.words[:LONGEST], fontsize=8)
        axes.set_xlabel("frame", fontsize=8)
        axes.set_title(f"{one.id}: {pairs.how}", fontsize=9)
        axes.tick_params(axis="x", labelsize=8)
        figure.colorbar(picture, ax=axes).ax.tick_params(labelsize=7)
    missing = _save(figure, path, "".join(word for one in maps for word in one.words))
    return f"No installed font has {missing}: boxes stand for them." if missing else ""


def _save(figure: "Figure", path: Path, text: str = "") -> str:
    """Writes the picture whole or not at all; returns the letters that no font has."""
    from matplotlib.text import Text

    families, missing = fonts_for(text)
    for found in figure.findobj(match=Text):
        assert isinstance(found, Text)
        found.set_fontfamily(families)
        found.set_parse_math(False)  # a word may hold a dollar sign
    partial = path.with_name(path.name + ".partial")
    with warnings.catch_warnings():
        if missing:  # the caller says so
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(partial, format="png")
    partial.replace(path)
    return missing
