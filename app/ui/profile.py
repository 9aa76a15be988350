"""The profiling overlay, for developers: F1, or a long press on the picture."""

import time

from kivy.clock import Clock
from kivy.metrics import dp
from kivy.uix.floatlayout import FloatLayout

from fingerpost.app.translations import _
from fingerpost.app.ui.app_state import AppState
from fingerpost.app.ui.layouts import Panel
from fingerpost.app.ui.look import Look
from fingerpost.app.ui.theme import NARROW, S
from fingerpost.app.ui.widgets import small
from fingerpost.edge_runtime.benchmark import peak_memory_mb

EVERY_S = 0.5  # the figures change


class ProfileOverlay(FloatLayout):
    """A small table in the corner; lets touches through, and draws nothing while it is off."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look = look
        self.on = False
        self._since_s = self._slowest_s = 0.0
        self._n_drawn, self._computed_s = 0, time.thread_time()

    def turn(self) -> None:
        """On, or off."""
        self.on = not self.on
        self._since_s = EVERY_S
        if not self.on:
            self.clear_widgets()

    def tick(self, state: AppState, dt: float) -> None:
        """dt : since the picture before, in seconds"""
        self._slowest_s = max(self._slowest_s, dt)
        self._since_s += dt
        self._n_drawn += 1
        if not self.on or self._since_s < EVERY_S:
            return
        now_s = time.thread_time()
        each_s, self._computed_s = (now_s - self._computed_s) / self._n_drawn, now_s
        words = small(self.look, "\n".join(figures(state, each_s, self._slowest_s)))
        panel = Panel(self.look, words, size_hint_x=None, padding=dp(S))
        panel.width = dp(320)
        # Over the conversation, not over hands and face; in a narrow window over the buttons.
        wide = self.width >= dp(NARROW)
        panel.pos_hint = {"right": 0.995, "top": 0.9} if wide else {"right": 1, "y": 0}
        self.clear_widgets()
        self.add_widget(panel)
        self._since_s = self._slowest_s = 0.0
        self._n_drawn = 0

    def on_touch_down(self, touch: object) -> bool:
        return False  # the screen below gets it


def figures(state: AppState, each_s: float, slowest_s: float) -> list[str]:
    """What there is to say, a line each.

    each_s : that the window's thread computes for a picture of it
    slowest_s : the longest time between two pictures
    """
    lines = [
        _("window: {fps:.0f} pictures a second, {ms:.1f} ms each, slowest {most:.0f} ms").format(
            fps=Clock.get_fps(), ms=each_s * 1000, most=slowest_s * 1000
        )
    ]
    worker = state.worker
    if worker is not None and worker.observer is not None:
        pace, observer = worker.pace(), worker.observer
        lines += [
            _("source: {width}x{height}, {fps:.0f} a second, {ms:.0f} ms each").format(
                width=observer.size[0],
                height=observer.size[1],
                fps=observer.fps,
                ms=getattr(observer, "read_ms", 0.0),
            ),
            _("landmarks: {fps:.1f} a second, {ms:.0f} ms, at most {most:.0f} ms ({name})").format(
                fps=pace.sights_per_s,
                ms=pace.found_ms,
                most=pace.most_found_ms,
                name=observer.extractor,
            ),
            _("model: {ms:.1f} ms, at most {most:.0f} ms").format(
                ms=pace.model_ms, most=pace.most_model_ms
            ),
            _("pictures dropped: {n}").format(n=getattr(observer, "n_dropped", 0)),
            _("pictures not shown: {n}").format(n=pace.n_replaced),
        ]
    memory = peak_memory_mb()
    if memory is not None:
        lines.append(_("memory, at most: {mb:.0f} MB").format(mb=memory))
    return lines + of_pack(state)


def of_pack(state: AppState) -> list[str]:
    """What runs the pack, and how much of it the accelerator does."""
    try:
        manifest = state.open_pack().manifest
    except (ValueError, OSError):
        return []
    backends = ", ".join(sorted({graph.backend for graph in manifest.graphs.values()}))
    lines = [_("pack: {name}, by {backends}").format(name=manifest.name, backends=backends)]
    if manifest.delegated:
        share = min(manifest.delegated.values())
        lines.append(_("delegated: {share:.0%}").format(share=share))
    return lines
