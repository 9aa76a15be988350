"""Which glosses are taken for which: the most frequent pairs, and a picture of them.

For isolated signs every clip counts; for sequences of glosses, the substitutions of the alignment
that WER is computed from. Sentences have no classes that could be confused.
"""

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fingerpost.trainer import metrics
from fingerpost.trainer.predictions import Prediction

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_GLOSSES = 25  # rows of the matrix: more cannot be read
MAX_PAIRS = 25  # bars beside it
MAX_LETTERS = 18  # of a gloss in the picture
# Asked for by name where they are installed; matplotlib's own font has no Chinese, Arabic or Hindi.
FONTS = (
    "DejaVu Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "WenQuanYi Zen Hei",
    "Noto Sans Arabic",
    "Noto Sans Devanagari",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
)


@dataclass(frozen=True)
class Confusion:
    """A gloss that was taken for another. count : how often, of n_true times that it was signed."""

    truth: str
    said: str
    count: int
    n_true: int


def count_pairs(kind: str, predictions: Sequence[Prediction]) -> Counter[tuple[str, str]]:
    """How often each true gloss was answered by each said one, the right answers included."""
    if kind == "isolated":
        return Counter((p.truth, p.said) for p in predictions)
    if kind not in ("glosses", "live_glosses"):
        return Counter()
    alignment = metrics.align(
        [p.truth.split() for p in predictions], [p.said.split() for p in predictions]
    )
    pairs: Counter[tuple[str, str]] = Counter()
    for truth, said, chunks in zip(
        alignment.references, alignment.hypotheses, alignment.alignments, strict=True
    ):
        for chunk in chunks:
            if chunk.type in ("equal", "substitute"):
                true_part = truth[chunk.ref_start_idx : chunk.ref_end_idx]
                said_part = said[chunk.hyp_start_idx : chunk.hyp_end_idx]
                pairs.update(zip(true_part, said_part, strict=True))
    return pairs


def most_confused(kind: str, predictions: Sequence[Prediction]) -> list[Confusion]:
    """All pairs of a gloss and another that it was taken for, the most frequent first."""
    return _ranked(count_pairs(kind, predictions), _times_signed(kind, predictions))


def draw_confusions(path: Path, kind: str, predictions: Sequence[Prediction]) -> str:
    """Writes a PNG: a matrix of the worst glosses, and the worst pairs.

    Returns what its reader should know in one sentence: "" where all is well. Where there is
    nothing to draw, no file is written, an old one is removed, and the sentence says why.
    """
    pairs, n_true = count_pairs(kind, predictions), _times_signed(kind, predictions)
    ranked = _ranked(pairs, n_true)
    if not ranked:
        path.unlink(missing_ok=True)
        if kind in ("text", "sign_to_text", "text_to_sign"):
            return "No confusion picture: sentences have no classes to confuse."
        return "No confusion picture: no gloss was taken for another."

    from matplotlib.figure import Figure
    from matplotlib.text import Text

    glosses = worst_glosses(ranked)
    size = max(4.5, 2.0 + 0.36 * len(glosses))  # inches
    figure = Figure(figsize=(size + 6.0, size), layout="constrained", dpi=130)
    matrix, bars = figure.subplots(1, 2, width_ratios=(size, 6.0))
    _draw_matrix(matrix, pairs, n_true, glosses)
    _draw_pairs(bars, ranked[:MAX_PAIRS], len(ranked))
    families, missing = fonts_for("".join(glosses))
    for text in figure.findobj(match=Text):
        assert isinstance(text, Text)
        text.set_fontfamily(families)
        text.set_parse_math(False)  # a gloss may hold a dollar sign
    partial = path.with_name(path.name + ".partial")
    with warnings.catch_warnings():
        if missing:  # the sentence below says so
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(partial, format="png")
    partial.replace(path)
    if missing:
        return f"No installed font has {missing[:10]}; install fonts-noto-cjk or the like."
    return ""


def worst_glosses(ranked: Iterable[Confusion], limit: int = MAX_GLOSSES) -> list[str]:
    """The glosses of the most frequent pairs, both of a pair or none, in the order met."""
    glosses: dict[str, None] = {}
    for pair in ranked:
        both = glosses | {pair.truth: None, pair.said: None}
        if len(both) <= limit:
            glosses = both
    return list(glosses)


def _times_signed(kind: str, predictions: Sequence[Prediction]) -> Counter[str]:
    if kind == "isolated":
        return Counter(p.truth for p in predictions)
    return Counter(gloss for p in predictions for gloss in p.truth.split())


def _ranked(pairs: Counter[tuple[str, str]], n_true: Counter[str]) -> list[Confusion]:
    """By count, then by share, then by name, so that equal data gives equal lists."""
    wrong = [
        Confusion(truth, said, count, n_true[truth])
        for (truth, said), count in pairs.items()
        if truth != said
    ]
    return sorted(wrong, key=lambda c: (-c.count, c.n_true, c.truth, c.said))


def _draw_matrix(
    axes: "Axes", pairs: Counter[tuple[str, str]], n_true: Counter[str], glosses: list[str]
) -> None:
    """Rows are true, columns are said; a cell is the share of the row's signs, with its count."""
    counts = np.array([[pairs[truth, said] for said in glosses] for truth in glosses])  # (G, G)
    share = counts / np.array([max(1, n_true[gloss]) for gloss in glosses])[:, None]
    right = np.eye(len(glosses), dtype=bool)
    for hidden, colours in ((~right, "Greys"), (right | (counts == 0), "Reds")):
        axes.imshow(np.ma.masked_where(hidden, share), cmap=colours, vmin=0.0, vmax=1.0, zorder=1)
    axes.grid(color="0.9", linewidth=0.5)  # under the cells, which leads the eye to the names
    axes.set_axisbelow(True)
    for row, column in zip(*np.nonzero(counts), strict=True):
        dark = share[row, column] > 0.55
        axes.text(
            column,
            row,
            str(counts[row, column]),
            ha="center",
            va="center",
            fontsize=7,
            color="white" if dark else "black",
        )
    names = [_short(gloss) for gloss in glosses]
    axes.set_xticks(range(len(glosses)), names, rotation=90, fontsize=8)
    axes.set_yticks(range(len(glosses)), names, fontsize=8)
    axes.tick_params(length=0)
    axes.set_xlabel("said")
    axes.set_ylabel("true")
    axes.set_title("How often; colour: share of the row (grey: right, red: wrong)", fontsize=10)


def _draw_pairs(axes: "Axes", ranked: list[Confusion], n_pairs: int) -> None:
    names = [f"{_short(pair.truth)} → {_short(pair.said)}" for pair in ranked]
    bars = axes.barh(range(len(ranked)), [pair.count for pair in ranked], color="firebrick")
    axes.bar_label(bars, [f"{p.count} of {p.n_true}" for p in ranked], padding=3, fontsize=8)
    axes.set_yticks(range(len(ranked)), names, fontsize=8)
    axes.set_ylim(max(len(ranked), 8) - 0.4, -0.6)  # the worst on top; few bars stay thin
    axes.set_xlim(0, 1.2 * ranked[0].count)  # room for the numbers
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    of_all = f"the first {len(ranked)} of {n_pairs}" if n_pairs > len(ranked) else "all"
    axes.set_title(f"true → said: pairs ({of_all})", fontsize=10)


def fonts_for(text: str) -> tuple[list[str], str]:
    """The installed fonts of ``FONTS``, and the characters that none of them has."""
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    installed = {entry.name: entry.fname for entry in font_manager.fontManager.ttflist}
    families = [name for name in FONTS if name in installed]
    fonts = [FT2Font(installed[name]) for name in families]
    letters = dict.fromkeys(c for c in text if not c.isspace())
    missing = [c for c in letters if not any(font.get_char_index(ord(c)) for font in fonts)]
    return families, "".join(missing)


def _short(gloss: str) -> str:
    gloss = gloss or "(nothing)"
    return gloss if len(gloss) <= MAX_LETTERS else gloss[: MAX_LETTERS - 1] + "…"
