"""What a screen is drawn with: a theme, a text size, a typeface."""

from dataclasses import dataclass

from kivy.metrics import pt

from fingerpost.app.ui.theme import Theme, ui_pt


@dataclass(frozen=True)
class Look:
    """What a screen is drawn with. text_pt : of captions; font : Kivy's ``font_name``"""

    theme: Theme
    text_pt: int
    font: str

    @property
    def ui_px(self) -> float:
        """The text size of buttons."""
        return pt(ui_pt(self.text_pt))

    @property
    def text_px(self) -> float:
        """The text size of captions."""
        return pt(self.text_pt)
