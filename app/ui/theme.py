"""The look of the app, all in one place: colours, space, type. Imports no Kivy.

Colours are (red, green, blue), 0 to 255. Every text colour has a contrast of at least 7 to 1 on
every ground that it stands on (WCAG 2.2, 1.4.6), which a test holds; lines and rings have 3 to 1.
"""

from dataclasses import dataclass

RGB = tuple[int, int, int]

# Space, in density-independent pixels.
XS, S, M, L, XL = 4, 8, 12, 16, 24
RADIUS = 10
TOUCH = 48  # the smallest thing to press
RING = 3  # the frame around what has the keyboard
COLUMN = 880  # the widest column of text that is pleasant to read
NARROW = 760  # a window less wide stacks what would stand side by side

# Type, in points. Captions have a size of their own: settings.text_pt.
UI_PT = 13
TITLE_SCALE, SMALL_SCALE = 1.6, 0.85
UNSURE_SCALE = 0.55  # of the caption that it stands behind
ROW_HEIGHT = 1.32  # of the text size


@dataclass(frozen=True)
class Theme:
    """ground, raised, pressed : what text stands on; band : what captions stand on
    text, dim : final and small print; partial : a line in the making, dimmer than final
    accent : what invites a press, as a ground with ``on_accent`` on it
    warn : unsure; danger : deletes; live : the camera is on
    """

    ground: RGB
    raised: RGB
    pressed: RGB
    band: RGB
    line: RGB
    ring: RGB
    text: RGB
    dim: RGB
    final: RGB
    partial: RGB
    accent: RGB
    on_accent: RGB
    warn: RGB
    danger: RGB
    live: RGB


THEMES = {
    "black": Theme(
        ground=(10, 11, 14),
        raised=(26, 29, 35),
        pressed=(48, 53, 63),
        band=(0, 0, 0),
        line=(104, 112, 126),
        ring=(255, 214, 74),
        text=(247, 248, 250),
        dim=(190, 196, 206),
        final=(255, 255, 255),
        partial=(168, 175, 187),
        accent=(126, 200, 255),
        on_accent=(4, 20, 34),
        warn=(255, 200, 92),
        danger=(255, 170, 160),
        live=(255, 170, 160),
    ),
    "yellow": Theme(
        ground=(0, 0, 0),
        raised=(20, 19, 0),
        pressed=(64, 60, 0),
        band=(0, 0, 0),
        line=(150, 138, 0),
        ring=(255, 255, 255),
        text=(255, 234, 0),
        dim=(226, 210, 60),
        final=(255, 234, 0),
        partial=(196, 181, 30),
        accent=(255, 234, 0),
        on_accent=(0, 0, 0),
        warn=(255, 255, 255),
        danger=(255, 190, 120),
        live=(255, 255, 255),
    ),
    "light": Theme(
        ground=(246, 247, 249),
        raised=(255, 255, 255),
        pressed=(222, 227, 235),
        band=(255, 255, 255),
        line=(112, 120, 134),
        ring=(0, 84, 168),
        text=(16, 19, 24),
        dim=(62, 69, 82),
        final=(0, 0, 0),
        partial=(78, 85, 98),
        accent=(0, 68, 140),
        on_accent=(255, 255, 255),
        warn=(110, 56, 0),
        danger=(140, 16, 22),
        live=(140, 16, 22),
    ),
}


def theme(name: str) -> Theme:
    """A theme by name; ValueError lists the known ones."""
    if name not in THEMES:
        raise ValueError(f"unknown theme {name!r}; known: {', '.join(THEMES)}")
    return THEMES[name]


def ui_pt(text_pt: int) -> float:
    """The size of buttons and small print, for captions of so many points: it grows along, but
    slower, so that 72 points leave room for a picture."""
    return UI_PT + max(0.0, text_pt - 28) * 0.1


def contrast(one: RGB, other: RGB) -> float:
    """The contrast of two colours, 1 to 21, as WCAG 2.2 defines it."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: RGB) -> float:
    """Relative luminance, 0 to 1 (WCAG 2.2)."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (part / 255 for part in colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def rgba(colour: RGB, alpha: float = 1.0) -> tuple[float, float, float, float]:
    """As Kivy has it."""
    return colour[0] / 255, colour[1] / 255, colour[2] / 255, alpha


def markup(colour: RGB) -> str:
    """As Kivy's markup has it: ``ffcc00``."""
    return "{:02x}{:02x}{:02x}".format(*colour)
