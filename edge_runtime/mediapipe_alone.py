"""MediaPipe by itself: without the network, without its log lines, without matplotlib.

MediaPipe 1.2.2 sends usage reports to play.googleapis.com from a thread of its own, and has no
switch to turn that off (google-ai-edge/mediapipe#6291). Nothing may leave a Fingerpost device, so
two locks are put on it: a proxy that does not exist (``keep_offline``), and a certificate store
that is empty (``offline_options``).
"""

import atexit
import ctypes
import os
import sys
import weakref
from pathlib import Path
from types import ModuleType
from typing import Any

from fingerpost.edge_runtime.video import import_cv2

NOWHERE_PROXY = "http://127.0.0.1:9"  # the "discard" port of this machine: nothing listens there

_running: weakref.WeakSet[Any] = weakref.WeakSet()


def import_mediapipe() -> ModuleType:
    """The mediapipe package, without matplotlib and sounddevice.

    It imports both at start-up, for drawing and recording that nobody here calls: left out, the
    import takes 0.2 s and 60 MB instead of 0.8 s and 97 MB.
    """
    import_cv2()  # MediaPipe imports it too: here it learns to be quiet first
    stand_ins: dict[str, Any] = {"sounddevice": None}  # None makes its import fail, as it may
    if "matplotlib" not in sys.modules:
        pyplot = ModuleType("matplotlib.pyplot")
        stand_ins |= {"matplotlib": ModuleType("matplotlib"), "matplotlib.pyplot": pyplot}
        stand_ins["matplotlib"].pyplot = pyplot
    stand_ins = {name: module for name, module in stand_ins.items() if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        import mediapipe
        import mediapipe.tasks.python
    except ModuleNotFoundError as error:
        raise ValueError(
            f"finding hands in pictures needs MediaPipe ({error.name} is not installed): "
            'pip install "fingerpost[app]"'
        ) from error
    finally:
        for name in stand_ins:
            sys.modules.pop(name, None)
    return mediapipe


def keep_offline() -> None:
    """Keeps MediaPipe's usage reports on this machine, for the rest of the process.

    Its uploader honours the proxy variables and reads them anew for each upload: sent to a port
    where nothing listens, it gives up before it looks up a name (seen with strace: without this,
    a DNS query for play.googleapis.com some seconds after the first detection; with it, none).
    """
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        os.environ[name] = NOWHERE_PROXY
    for name in ("no_proxy", "NO_PROXY"):
        os.environ.pop(name, None)


def offline_options(mediapipe: ModuleType, bundle: Path) -> Any:
    """MediaPipe's BaseOptions for a model file, with no certificates: no upload can succeed."""

    class OfflineOptions(mediapipe.tasks.BaseOptions):  # type: ignore[name-defined]
        def to_ctypes(self) -> Any:
            options = super().to_ctypes()
            options.ca_bundle_path = os.devnull.encode()
            return options

    return OfflineOptions(model_asset_path=str(bundle))


def leave_quietly(graph: Any) -> None:
    """Spares a landmarker that is not closed its ``__del__`` when the process ends.

    By then MediaPipe's own modules are gone, and it would print a TypeError.
    """
    _running.add(graph)


@atexit.register
def _outlive_the_interpreter() -> None:
    for graph in _running:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(graph))
