"""What is drawn under and around widgets: grounds, edges, the ring of what has the keyboard.

Cheap also where no graphics card draws but the processor (a virtual machine, a board without its
driver, the tests): there each pixel under another one and each corner of a line is paid for in
every picture of the window. What that comes to is in docs/app.md, "What was measured".
"""

from typing import Any

from kivy.graphics import Color, InstructionGroup, Line, Rectangle, RoundedRectangle
from kivy.metrics import dp
from kivy.uix.widget import Widget

from fingerpost.app.ui.theme import RADIUS, RGB, RING, rgba

# Steps of half a circle. Kivy's own 45, each joint with an arc of its own, make some thousand
# triangles of a ring; at RADIUS nobody sees the difference.
CORNER_STEPS = 12


def draw_flat_colours_cheaply() -> None:
    """Once there is a window. A flat colour is drawn by a white picture of Kivy's; that is looked
    up at four points for each pixel, and all four are white: one will do."""
    white: Any = Rectangle().texture
    white.mag_filter = white.min_filter = "nearest"


def fill(widget: Widget, colour: RGB, radius: float = 0.0, alpha: float = 1.0) -> None:
    """Draws a ground under a widget, which stays under it as it moves."""
    place = {"pos": widget.pos, "size": widget.size}
    with widget.canvas.before:
        Color(*rgba(colour, alpha))
        ground = RoundedRectangle(**place, radius=[dp(radius)]) if radius else Rectangle(**place)

    def follow(*_: object) -> None:
        ground.pos, ground.size = widget.pos, widget.size

    widget.bind(pos=follow, size=follow)


def round_corners(widget: Widget, inset: float = 0.0) -> tuple[float, ...]:
    """The box of a widget as ``Line.rounded_rectangle`` wants it. inset : so much smaller, px"""
    width, height = widget.width - 2 * inset, widget.height - 2 * inset
    return widget.x + inset, widget.y + inset, width, height, dp(RADIUS), CORNER_STEPS


class Ring:
    """The ring around what has the keyboard. Drawn only while it has: one that cannot be seen
    costs as much as one that can."""

    def __init__(self, widget: Widget, colour: RGB) -> None:
        self._widget = widget
        self._line = Line(width=dp(RING) / 2, joint="miter")
        self._drawn = InstructionGroup()
        self._drawn.add(Color(*rgba(colour)))
        self._drawn.add(self._line)
        self.on = False
        widget.bind(pos=self._follow, size=self._follow)

    def show(self, on: bool) -> None:
        if on == self.on:
            return
        self.on = on
        if on:
            self._follow()
            self._widget.canvas.after.add(self._drawn)
        else:
            self._widget.canvas.after.remove(self._drawn)

    def _follow(self, *_: object) -> None:
        if self.on:
            self._line.rounded_rectangle = round_corners(self._widget, dp(RING) / 2)
