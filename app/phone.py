"""What starts on a phone: ``main.py`` of the source tree calls ``main``.

Not yet run on a phone. The tree (.ci/phone_tree.py) has what a download would bring elsewhere: the
landmarker's bundle in ``models``, beside the pack.
"""

import os
from pathlib import Path


def main(tree: Path) -> None:
    """Opens the app. tree : the folder that main.py is in"""
    prepare(tree)
    from fingerpost.app.screen import settle_kivy
    from fingerpost.app.settings import app_folder

    settle_kivy(app_folder() / "kivy")
    from fingerpost.app.ui.open_window import open_window

    open_window()
    from fingerpost.app.ui.app_state import AppState
    from fingerpost.app.ui.run import run_app

    run_app(AppState(app_folder(), None, None, None, private=False))


def prepare(tree: Path) -> None:
    """Tells the rest where things are here, and who runs packs."""
    from fingerpost.app.platforms.here import load_java_classes, use_phone_backends

    os.environ.setdefault("FINGERPOST_CACHE", str(tree / "models"))
    if "FINGERPOST_HOME" not in os.environ and "ANDROID_PRIVATE" in os.environ:
        os.environ["FINGERPOST_HOME"] = str(Path(os.environ["ANDROID_PRIVATE"]) / "fingerpost")
    if "FINGERPOST_HOME" in os.environ:
        packs = Path(os.environ["FINGERPOST_HOME"]) / "packs"
        os.environ.setdefault("FINGERPOST_PACKS", str(packs))
    use_phone_backends()
    load_java_classes()
