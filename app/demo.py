"""``fingerpost demo``: the bundled clip, in a window where there is a screen, else as text."""

from pathlib import Path

from fingerpost.app.commands_caption import (
    CaptionOutputs,
    load_pack,
    make_captioner,
    notice,
    run_caption,
)
from fingerpost.app.screen import NoWindow, has_screen, settle_kivy
from fingerpost.app.session import Session, observe
from fingerpost.app.terminal import tell

NO_SCREEN = (
    "there is no screen for a window (no DISPLAY or WAYLAND_DISPLAY); leave --window out "
    "to read the captions here"
)


def run_demo(
    window: bool | None,
    pack_name: str,
    landmarker: Path | None = None,
    screenshot: Path | None = None,
) -> None:
    """Captions the demo clip. window : whether in a window; None where one can be opened"""
    clip = demo_clip()
    if window and not has_screen():
        raise ValueError(NO_SCREEN)
    if window or (window is None and has_screen()):
        try:
            show_in_window(str(clip), pack_name, landmarker, "Demo clip", screenshot)
            return
        except ImportError as error:
            if window:
                raise ValueError(f"the window needs Kivy, which does not load: {error}") from error
            tell(f"No window, captions as text instead: Kivy does not load ({error})")
        except NoWindow as error:
            if window:
                raise
            tell(f"No window, captions as text instead: {error}")
    run_caption(str(clip), CaptionOutputs(), pack_name, landmarker)


def show_in_window(
    source: str,
    pack_name: str,
    landmarker: Path | None,
    title: str,
    screenshot: Path | None = None,
) -> None:
    """Captions a source in the window; the landmarker starts while the window opens."""
    from fingerpost.edge_runtime.landmarker_bundle import cache_folder

    pack = load_pack(pack_name)
    tell(notice(pack.manifest))
    settle_kivy(cache_folder() / "kivy")
    with observe(source, landmarker, keep_pictures=True, tell=tell) as observer:
        from fingerpost.app import window

        session = Session(observer, make_captioner(pack, observer))
        window.run_window(session, title, screenshot)


def demo_clip() -> Path:
    """The signing video that comes with Fingerpost."""
    import importlib.resources

    clip = Path(str(importlib.resources.files("fingerpost.assets") / "demo" / "demo.mp4"))
    if not clip.is_file():
        raise FileNotFoundError(
            "this copy of Fingerpost was built without its demo clip; "
            "try: fingerpost caption YOUR_VIDEO"
        )
    return clip
