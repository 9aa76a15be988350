"""``fingerpost app``: opens the window, told what to show."""

from pathlib import Path

from fingerpost.app.demo import NO_SCREEN
from fingerpost.app.screen import has_screen, settle_kivy
from fingerpost.app.settings import app_folder


def open_app_window(
    source: str | None, pack: str | None, landmarker: Path | None, private: bool
) -> None:
    """Returns when the window has closed. ValueError where there is no screen or no Kivy."""
    if not has_screen():
        raise ValueError(NO_SCREEN.partition(";")[0] + "; `fingerpost caption` needs none")
    from fingerpost.edge_runtime.landmarker_bundle import cache_folder

    settle_kivy(cache_folder() / "kivy")
    try:
        from fingerpost.app.ui.open_window import open_window
    except ImportError as error:
        raise ValueError(f"the app needs Kivy, which does not load: {error}") from error
    open_window()
    from fingerpost.app.ui.app_state import AppState
    from fingerpost.app.ui.run import run_app

    run_app(AppState(app_folder(), source, pack, landmarker, private=private))
