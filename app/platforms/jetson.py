"""NVIDIA's Jetson: which board this is, how hot, fast and hungry it is. Not yet run on a board.

What jetson-stats gives is read as its own documentation has it (``jtop.jtop``, of 7.2).
"""

import importlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

RELEASE = Path("/etc/nv_tegra_release")  # "# R36 (release), REVISION: 4.3, GCID: …"
MODEL = Path("/proc/device-tree/model")  # "NVIDIA Jetson Orin Nano Developer Kit", ends with \0
JETPACK = {36: 6, 38: 7}  # by L4T's first number
INTERVAL_S = 0.5  # between two samples of jetson-stats


@dataclass(frozen=True)
class BoardHealth:
    """One sample. celsius : by sensor; megahertz : by part, cpu0, cpu1 …, gpu; watts : in all, or
    None where the board cannot measure them.
    """

    celsius: dict[str, float] = field(default_factory=dict)
    megahertz: dict[str, float] = field(default_factory=dict)
    watts: float | None = None


def is_jetson() -> bool:
    """By what NVIDIA's system has and others do not."""
    return RELEASE.is_file() or "Jetson" in _text(MODEL)


def about_board() -> str:
    """ "NVIDIA Jetson Orin Nano, L4T 36.4.3, JetPack 6", as far as it is known."""
    parts = [_text(MODEL) or "Jetson"]
    told = re.search(r"R(\d+) \(release\), REVISION: ([\d.]+)", _text(RELEASE))
    if told is not None:
        parts.append(f"L4T {told[1]}.{told[2]}")
        if int(told[1]) in JETPACK:
            parts.append(f"JetPack {JETPACK[int(told[1])]}")
    return ", ".join(parts)


def has_gstreamer(cv2: ModuleType) -> bool:
    """Whether this OpenCV opens GStreamer's pipelines; those from PyPI do not."""
    return bool(cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER))


def read_health() -> tuple[BoardHealth | None, str]:
    """A sample of jetson-stats, within half a second; or None, and one line on why there is none.

    No reason where jetson-stats is not installed.
    """
    try:
        jetson_stats = importlib.import_module("jtop")
    except ImportError:
        return None, ""
    try:
        with jetson_stats.jtop(INTERVAL_S) as board:
            if not board.ok():  # waits for a sample
                return None, "jetson-stats has stopped"
            return _health(board), ""
    except (jetson_stats.JtopException, ValueError, OSError) as error:
        return None, f"jetson-stats says {' '.join(str(error).split())}"
    except (AttributeError, KeyError, TypeError) as error:  # another version's words for all this
        return None, f"jetson-stats answers in a way not known here ({error}); 7.2 is"


def _health(board: Any) -> BoardHealth:
    celsius = {
        name: float(sensor["temp"])
        for name, sensor in board.temperature.items()
        if sensor.get("online", True)  # -256 degrees where it is not
    }
    megahertz = {
        f"cpu{i}": core["freq"]["cur"] / 1000  # it gives kilohertz
        for i, core in enumerate(board.cpu["cpu"])
        if core.get("online") and "cur" in core.get("freq", {})
    }
    for name, gpu in board.gpu.items():
        if "cur" in gpu.get("freq", {}):
            megahertz[name] = gpu["freq"]["cur"] / 1000
    total = board.power.get("tot", {})
    watts = total["power"] / 1000 if "power" in total else None  # it gives milliwatts
    return BoardHealth(celsius, megahertz, watts)


def _text(path: Path) -> str:
    """Of a small file of the system; empty where there is none."""
    try:
        return path.read_text(errors="replace").strip("\0\n ")
    except OSError:
        return ""
