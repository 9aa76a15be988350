"""The notice in the corner of every screen: is the camera on, and where do its pictures go?"""

from kivy.core.text import Label as CoreLabel
from kivy.graphics import Color, Ellipse
from kivy.metrics import dp
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from fingerpost.app.translations import _
from fingerpost.app.ui.look import Look
from fingerpost.app.ui.theme import XS, M, S, rgba
from fingerpost.app.ui.widgets import small

DOT = 12  # how large it is


class CameraNotice(BoxLayout):
    """A dot and words. What everybody who reads captions must know stands here too."""

    def __init__(self, look: Look) -> None:
        super().__init__(size_hint=(None, None), spacing=dp(S), padding=(dp(M), dp(XS)))
        self.pos_hint = {"center_y": 0.5}
        self.bind(minimum_height=self.setter("height"))
        self.look = look
        self._shown: tuple[bool, bool] | None = None
        self._widest = 0.0
        self._dot_place = Widget(size_hint_x=None, width=dp(DOT))
        with self._dot_place.canvas:
            self._colour = Color(*rgba(look.theme.dim))
            self._dot = Ellipse(size=(dp(DOT), dp(DOT)))
        self._dot_place.bind(pos=self._place, size=self._place)
        self._words = small(look, "")
        self._words.size_hint_x, self._words.pos_hint = None, {"center_y": 0.5}
        self.add_widget(self._dot_place)
        self.add_widget(self._words)
        self.show(False, False)

    def show(self, camera_on: bool, private: bool) -> None:
        """What is true now."""
        if self._shown == (camera_on, private):
            return
        self._shown = (camera_on, private)
        theme = self.look.theme
        self._colour.rgba = rgba(theme.live if camera_on else theme.dim)
        words = [_("Camera on, on this device only") if camera_on else _("Camera off")]
        if private:
            words.append(_("private: nothing is kept"))
        if camera_on:
            words.append(_("Captions can be wrong"))
        self._words.text = " · ".join(words)
        self.fit(self._widest)

    def fit(self, widest: float) -> None:
        """Takes the room that the words need on one row, or so much and more rows."""
        self._widest = widest
        beside = dp(DOT) + dp(S) + 2 * dp(M)
        label = CoreLabel(font_name=self.look.font, font_size=self._words.font_size)
        wanted = label.get_extents(self._words.text)[0] + 1
        self._words.width = min(wanted, widest - beside) if widest > beside else wanted
        self.width = self._words.width + beside

    def _place(self, *_: object) -> None:
        place = self._dot_place
        self._dot.pos = (place.x, place.y + (place.height - dp(DOT)) / 2)
