"""A picture of what is in shards: skeletons of some clips, each with its labels.

Every clip is a strip of frames, from left to right, in which a hand was seen (where there are
enough). What no font of this machine can write is shown as "?" and said to be so, in the picture
and to the caller: an empty box would look like a fault of the data.
"""

import unicodedata
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path

import numpy as np
from matplotlib import font_manager, ft2font
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fingerpost.edge_runtime.keypoints import HANDS, KeypointSchema, PoseSequence
from fingerpost.trainer.clip_tables import Clip
from fingerpost.trainer.shards import Shards

CLIPS = 16
COLUMNS = 2  # of clips
FRAMES = 6  # of a clip
FRAME = 1.05  # inches: the side of a frame
LABEL = 0.46  # inches: two lines over a strip
GAP = 0.22  # inches: between clips
TITLE = 0.72  # inches: two lines
DPI = 110
MARGIN = 0.08  # round the keypoints of a clip, in sides of their square
LETTERS = 70, 96  # of each line over a strip; Chinese ones count twice
COLOURS = {"body": "#8d99ae", "left_hand": "#e07b00", "right_hand": "#1f6fd0"}  # as in overlays
FACE, PANEL, RULE, INK, FAINT = "#9aa5b8", "#f4f6f9", "#dfe4ec", "#1f2733", "#6b7686"
FONT = "DejaVu Sans"  # comes with matplotlib; others are added for letters that it has not
UNKNOWN = "?"


def draw_contact_sheet(shards: Shards, path: Path, n_clips: int = CLIPS) -> str:
    """Writes a PNG of up to n_clips clips, spread evenly over the shards; whole or not at all.

    Returns the letters that no font of this machine has; "" where all could be written.
    """
    if len(shards) == 0 or n_clips < 1:
        raise ValueError(f"{shards.folder}: there is no clip to draw")
    chosen = np.linspace(0, len(shards) - 1, min(n_clips, len(shards))).round().astype(int)
    clips = [shards[i] for i in chosen]
    about = shards.about
    title = f"{about.corpus}: {len(clips)} of {len(shards):,} clips   {about.schema}, "
    figure, missing = contact_sheet(clips, title + about.extractor)
    partial = path.with_name(f".{path.name}.partial")
    try:
        figure.savefig(partial, format="png", dpi=DPI)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return missing


def contact_sheet(clips: Sequence[Clip], title: str) -> tuple[Figure, str]:
    """The picture, and the letters that no font of this machine has."""
    lines = [_lines(clip) for clip in clips]
    fonts, missing = _fonts_for("".join([title, *(text for pair in lines for text in pair)]))
    columns = min(COLUMNS, len(clips))
    rows = -(-len(clips) // columns)
    strip, height = FRAMES * FRAME, LABEL + FRAME
    size = columns * (strip + GAP) + GAP, TITLE + rows * (height + GAP) + GAP
    figure = Figure(size)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))  # in inches, y down as in a picture
    axes.set_xlim(0, size[0])
    axes.set_ylim(size[1], 0)
    axes.axis("off")

    def write(x: float, y: float, text: str, points: float, colour: str) -> None:
        shown = "".join(UNKNOWN if letter in missing else letter for letter in text)
        drawn = axes.text(x, y, shown, fontsize=points, color=colour, va="baseline")
        drawn.set_fontfamily(fonts)
        drawn.set_parse_math(False)  # "$" is a letter

    write(GAP, 0.3, title, 11, INK)
    write(GAP, 0.53, "right hand", 8, COLOURS["right_hand"])
    write(GAP + 0.8, 0.53, "left hand (the signer's own)", 8, COLOURS["left_hand"])
    if missing:
        note = f'"{UNKNOWN}" stands for {len(missing)} letters that no font here has'
        write(size[0] / 2, 0.53, note, 8, COLOURS["left_hand"])
    for number, (clip, (labels, facts)) in enumerate(zip(clips, lines, strict=True)):
        x = GAP + number % columns * (strip + GAP)
        y = TITLE + number // columns * (height + GAP)
        write(x, y + 0.17, labels, 9.5, INK)
        write(x, y + 0.36, facts, 7, FAINT)
        corner = (x, y + LABEL)
        axes.add_patch(Rectangle(corner, strip, FRAME, facecolor=PANEL, edgecolor=RULE, lw=0.6))
        _draw_strip(axes, clip.sequence, corner)
    return figure, missing


def frames_to_show(sequence: PoseSequence, n: int = FRAMES) -> np.ndarray:
    """Up to n frame numbers, evenly spread over those in which a hand was seen."""
    groups = sequence.schema.groups
    hands = [sequence.confidence[:, groups[h]].max(axis=1) > 0 for h in HANDS]
    frames = np.flatnonzero(hands[0] | hands[1])
    if len(frames) < n:
        frames = np.arange(len(sequence))
    return frames[np.linspace(0, len(frames) - 1, min(n, len(frames))).round().astype(int)]


def _draw_strip(axes: Axes, sequence: PoseSequence, corner: tuple[float, float]) -> None:
    """Frames of a clip side by side, the first one's corner given in inches."""
    frames = frames_to_show(sequence)
    places = _placed(sequence.xyz[frames], sequence.confidence[frames], sequence.aspect)
    places += np.arange(len(frames))[:, None, None] * [FRAME, 0] + corner  # (frames, K, 2), inches
    starts, ends = np.array(sequence.schema.edges).T
    colours = np.array([_edge_colour(sequence.schema, a) for a in ends])
    lines = np.stack([places[:, starts], places[:, ends]], axis=2)  # (frames, edges, 2, 2)
    seen = np.isfinite(lines).all(axis=(2, 3))
    every = np.broadcast_to(colours, seen.shape)[seen].tolist()
    axes.add_collection(LineCollection(lines[seen].tolist(), colors=every, linewidths=1.1))
    loose = np.setdiff1d(np.arange(places.shape[1]), sequence.schema.edges)  # the face, and ears
    x, y = places[:, loose].reshape(-1, 2).T
    axes.scatter(x, y, s=1.2, color=FACE, linewidths=0)
    for number in range(1, FRAMES):
        edge = corner[0] + number * FRAME
        axes.plot([edge, edge], [corner[1], corner[1] + FRAME], color=RULE, lw=0.6)


def _placed(xyz: np.ndarray, confidence: np.ndarray, aspect: float) -> np.ndarray:
    """Shape (frames, K, 2), inches within a frame; NaN = not seen, or far from all that was.

    One square holds the keypoints of all frames that are within the picture: hips and knees that
    an extractor only guesses, below the picture, would make the signer small.
    """
    places = xyz[..., :2] * [aspect, 1]
    places[confidence == 0] = np.nan
    within = (confidence > 0) & (xyz[..., :2] >= 0).all(axis=-1) & (xyz[..., :2] <= 1).all(axis=-1)
    held = places[within] if within.any() else places[confidence > 0]
    if len(held) == 0:
        return places
    low, high = held.min(axis=0), held.max(axis=0)
    side = max((high - low).max(), 1e-6) * (1 + 2 * MARGIN)
    places = ((places - (low + high) / 2) / side + 0.5) * FRAME
    places[((places < 0) | (places > FRAME)).any(axis=-1)] = np.nan
    return places


def _edge_colour(schema: KeypointSchema, point: int) -> str:
    for hand in HANDS:
        if schema.groups[hand].start <= point < schema.groups[hand].stop:
            return COLOURS[hand]
    return COLOURS["body"]


def _lines(clip: Clip) -> tuple[str, str]:
    """What is written over a clip: its labels, and the rest."""
    quoted = f"“{clip.text}”" if clip.text else ""
    labels = " ".join([*clip.glosses, quoted])
    seconds = f"{clip.sequence.duration_ms / 1000:.1f} s"
    signer = f"signer {clip.signer}" if clip.signer else ""
    facts = [part for part in (clip.id, signer, clip.split, clip.language, seconds) if part]
    labels = labels if labels.strip() else "(no label)"
    return _shortened(labels, LETTERS[0]), _shortened(" · ".join(facts), LETTERS[1])


def _shortened(text: str, letters: int) -> str:
    """On one line, without letters that only control, cut to a width in Latin letters."""
    text = " ".join(text.split())
    text = "".join(letter for letter in text if unicodedata.category(letter) not in ("Cc", "Cf"))
    widths = [1 + (unicodedata.east_asian_width(letter) in "WF") for letter in text]
    if sum(widths) <= letters:
        return text
    return text[: sum(width < letters for width in accumulate(widths))] + "…"


def _fonts_for(text: str) -> tuple[list[str], str]:
    """Names of fonts that together have the letters of a text, and the letters that none has."""
    fonts, missing = [FONT], set(text) - {" "}
    missing -= _letters(font_manager.findfont(FONT))
    candidates = sorted(font_manager.findSystemFonts()) if missing else []
    while missing and candidates:
        best = max(candidates, key=lambda path: len(missing & _letters(path)))
        if not missing & _letters(best):
            break
        missing -= _letters(best)
        font_manager.fontManager.addfont(best)
        fonts.append(font_manager.FontProperties(fname=best).get_name())
    return fonts, "".join(sorted(missing))


@cache
def _letters(path: str) -> frozenset[str]:
    """What a font file can write; nothing where it is of a kind that matplotlib cannot read."""
    try:
        return frozenset(map(chr, ft2font.FT2Font(path).get_charmap()))
    except (RuntimeError, OSError):
        return frozenset()
