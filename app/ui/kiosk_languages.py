"""The languages of a kiosk's screen, each by its own name, to touch."""

from collections.abc import Callable
from functools import partial

from kivy.metrics import dp

from fingerpost.app.translations import LANGUAGES
from fingerpost.app.ui.fonts import cjk_font, font_for, needs_cjk
from fingerpost.app.ui.layouts import Flow
from fingerpost.app.ui.look import Look
from fingerpost.app.ui.theme import L, S
from fingerpost.app.ui.widgets import Press


def offered_languages() -> dict[str, str]:
    """Code and own name of each that this machine has the letters for."""
    return {
        code: name for code, name in LANGUAGES.items() if not needs_cjk(name) or bool(cjk_font())
    }


class LanguageBar(Flow):
    """One press for each. chosen : the code of the one in use"""

    def __init__(self, look: Look, chosen: str, choose: Callable[[str], object]) -> None:
        presses = (
            Press(
                look, name, partial(choose, code), "tab", code == chosen, font_name=font_for(name)
            )
            for code, name in offered_languages().items()
        )
        super().__init__(*presses, padding=(dp(L), dp(S)))
