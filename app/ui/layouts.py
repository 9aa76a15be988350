"""Where things stand: panels, columns, rows that wrap, pages that scroll."""

from typing import Any

from kivy.effects.scroll import ScrollEffect
from kivy.metrics import dp
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.scrollview import ScrollView
from kivy.uix.stacklayout import StackLayout
from kivy.uix.widget import Widget

from fingerpost.app.ui.look import Look
from fingerpost.app.ui.shapes import fill
from fingerpost.app.ui.theme import COLUMN, NARROW, RADIUS, RGB, L, M, S, rgba


class Panel(BoxLayout):
    """A column on a ground of its own, as high as what is in it."""

    def __init__(self, look: Look, *children: Widget, ground: RGB | None = None, **options: Any):
        options = {"orientation": "vertical", "padding": dp(L), "spacing": dp(M)} | options
        super().__init__(size_hint_y=None, **options)
        self.bind(minimum_height=self.setter("height"))
        fill(self, ground or look.theme.raised, RADIUS)
        for child in children:
            self.add_widget(child)


class Column(BoxLayout):
    """Things below each other, as high as they are together."""

    def __init__(self, *children: Widget, **options: Any) -> None:
        super().__init__(orientation="vertical", size_hint_y=None, **{"spacing": dp(M)} | options)
        self.bind(minimum_height=self.setter("height"))
        for child in children:
            self.add_widget(child)


class Stacking(BoxLayout):
    """Two things beside each other, or below each other where that is too narrow.

    first_share : of the width, beside each other; None where one of them has a width of its own
    """

    def __init__(self, first: Widget, second: Widget, first_share: float | None = None) -> None:
        super().__init__(size_hint_y=None, spacing=dp(S))
        self._first, self._second, self._share = first, second, first_share
        self.bind(minimum_height=self.setter("height"), width=self._turn)
        self.add_widget(first)
        self.add_widget(second)

    def _turn(self, *_: object) -> None:
        wide = self.width >= dp(NARROW) / 2
        self.orientation = "horizontal" if wide else "vertical"
        if self._share is not None:
            self.spacing = dp(S) if wide else 0  # a name stands close to its value
            self._first.size_hint_x = self._share if wide else 1
            self._second.size_hint_x = 1 - self._share if wide else 1


class Flow(StackLayout):
    """Things beside each other, in as many rows as they need; as high as those are.

    What can be no wider than the flow, and has more words than that, has a method ``limit``.
    """

    def __init__(self, *children: Widget, **options: Any) -> None:
        super().__init__(size_hint_y=None, **{"spacing": dp(S)} | options)
        self.bind(minimum_height=self.setter("height"), width=self._limit, children=self._limit)
        for child in children:
            self.add_widget(child)

    def _limit(self, *_: object) -> None:
        for child in self.children:
            if hasattr(child, "limit"):
                child.limit(self.width - self.padding[0] - self.padding[2])


class Scroller(ScrollView):
    """Scrolls up and down, and stops at the ends.

    Kivy's own way is a spring at the ends. Where a window draws less than two pictures a second its
    steps overshoot, each more than the last, and what is in it is never seen again.
    """

    def __init__(self, look: Look) -> None:
        super().__init__(
            do_scroll_x=False,
            effect_cls=ScrollEffect,
            always_overscroll=False,
            bar_width=dp(S),
            bar_color=rgba(look.theme.line),
            bar_inactive_color=rgba(look.theme.line, 0.6),
            scroll_type=["bars", "content"],
        )


class Page(Scroller):
    """A screen that scrolls: one column, no wider than is pleasant to read."""

    def __init__(self, look: Look, *children: Widget, widest: float = COLUMN) -> None:
        super().__init__(look)
        self._widest = widest
        self.column = Column(*children, padding=(dp(L), dp(L)), spacing=dp(L))
        self.add_widget(self.column)
        self.bind(width=self._narrow)

    def _narrow(self, *_: object) -> None:
        side = max(dp(L), (self.width - dp(self._widest)) / 2)
        self.column.padding = (side, dp(L), side, dp(L))
