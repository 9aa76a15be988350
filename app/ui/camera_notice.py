"""The notice in the corner of every screen: is the camera on, and where do its pictures go?"""

from kivy.graphics import Color, Ellipse
from kivy.metrics import dp
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from fingerpost.app.translations import _
from fingerpost.app.ui.theme import M, S, rgba
from fingerpost.app.ui.widgets import Look, small


class CameraNotice(BoxLayout):
    """A dot and words: is the camera on, and where do its pictures go?"""

    def __init__(self, look: Look) -> None:
        super().__init__(size_hint=(None, None), height=dp(48), spacing=dp(S), padding=(dp(M), 0))
        self.pos_hint = {"center_y": 0.5}
        self.look = look
        self._shown: tuple[bool, bool] | None = None
        self._dot_place = Widget(size_hint_x=None, width=dp(12))
        with self._dot_place.canvas:
            self._colour = Color(*rgba(look.theme.dim))
            self._dot = Ellipse(size=(dp(12), dp(12)))
        self._dot_place.bind(pos=self._place, size=self._place)
        self._words = small(look, "")
        self._words.size_hint_x, self._words.pos_hint = None, {"center_y": 0.5}
        self.add_widget(self._dot_place)
        self.add_widget(self._words)
        self.show(False, False)

    def show(self, camera_on: bool, private: bool) -> None:
        if self._shown == (camera_on, private):
            return
        self._shown = (camera_on, private)
        theme = self.look.theme
        self._colour.rgba = rgba(theme.live if camera_on else theme.dim)
        words = _("Camera on, on this device only") if camera_on else _("Camera off")
        if private:
            words += " · " + _("private: nothing is kept")
        self._words.text = words
        self._words.text_size = (None, None)
        self._words.texture_update()
        self._words.width = self._words.texture_size[0]
        self.width = self._words.width + dp(12) + dp(S) + 2 * dp(M)

    def _place(self, *_: object) -> None:
        place = self._dot_place
        self._dot.pos = (place.x, place.y + place.height / 2 - dp(6))
