"""What a phone's source tree does; a program for test_phone, run by ``python -S`` with stand-ins.

    python -S tests/phone_smoke.py TREE android|ios
    python -S tests/phone_smoke.py TREE window

Prints a line of JSON. Only the tree, numpy and the stand-ins can be imported, and for the window
what Kivy needs. The window is this machine's: Kivy for Android is another build.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np


def main(tree: Path, system: str) -> None:
    os.environ["KIVY_BUILD"] = system
    from fingerpost.app.phone import prepare
    from fingerpost.app.platforms.here import landmarker_class
    from fingerpost.edge_runtime.backends import BACKENDS, runs_here
    from fingerpost.edge_runtime.pack import bundled_pack, open_pack

    prepare(tree)
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[..., 0] = 200  # red
    with landmarker_class()(64, 48) as landmarker:
        frame = landmarker.detect(picture, 40)
    pack = open_pack(bundled_pack())
    said, seen_by_camera = "", None
    if system == "android":  # Kivy's camera, which iOS has, comes with Kivy
        seen_by_camera = look_through_camera()
        from fingerpost.edge_runtime.translator import Translator

        sentence = Translator(pack).begin()
        sentence.push_keypoints(np.zeros((30, 69, 4), np.float32))
        said = sentence.answer("English").text
    print(
        json.dumps(
            {
                "backends": {name: module for name, module in BACKENDS.items() if runs_here(name)},
                "seen": int((frame.confidence > 0).sum()),
                "pack": pack.manifest.name,
                "said": said,
                "camera": seen_by_camera,
                "loaded": sorted({name.partition(".")[0] for name in sys.modules}),
            }
        )
    )


def look_through_camera() -> list[int]:
    """The shape of a picture of the stand-in's camera, after its owner has said yes."""
    import jnius
    from android import permissions

    from fingerpost.app.platforms.here import open_phone_camera

    permissions.ANSWERS.append([True])
    jnius.PICTURES.append(np.zeros((48, 64, 4), np.uint8))
    with open_phone_camera(1) as camera:
        _time_ms, rgb = next(iter(camera))
    return list(rgb.shape)


SCREENS = ("talk", "history", "packs", "settings")


def window(tree: Path) -> None:
    """Opens the app, goes through its screens, ends; talk finds no camera, for there is no cv2."""
    from fingerpost.app import phone
    from fingerpost.app.ui import run

    shown: list[str] = []

    def walk(shell) -> None:
        from kivy.app import App
        from kivy.clock import Clock

        def step(_dt: float) -> None:
            shown.append(shell.name)
            if len(shown) > len(SCREENS):
                App.get_running_app().stop()
                return
            shell.state.change(welcomed=True)
            shell.go(SCREENS[len(shown) - 1])
            Clock.schedule_once(step, 0.2)

        step(0)

    started = run.run_app
    run.run_app = lambda state: started(state, walk)
    phone.main(tree)
    print(json.dumps({"shown": shown, "cv2": "cv2" in sys.modules}))


if __name__ == "__main__":
    if sys.argv[2] == "window":
        window(Path(sys.argv[1]))
    else:
        main(Path(sys.argv[1]), sys.argv[2])
