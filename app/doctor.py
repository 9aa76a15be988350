"""``fingerpost doctor``: what works on this machine, and a hint for each thing that does not."""

import dataclasses
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from fingerpost.app.platforms.jetson import about_board, has_gstreamer, is_jetson, read_health
from fingerpost.app.screen import has_screen
from fingerpost.app.terminal import print_json, stdout_console, tell
from fingerpost.edge_runtime.pack import BUNDLED, SIGNS

OK, LATER, MISSING = "ok", "later", "missing"
PACKAGES = ("numpy", "opencv-contrib-python", "mediapipe", "ai-edge-litert", "kivy", "pose-format")
NOT_OK = 1  # exit code where something is missing that captions cannot do without


@dataclass(frozen=True)
class Check:
    """One finding. state : ok, missing, or later (it will be made when it is first needed)."""

    name: str
    state: str
    detail: str
    hint: str = ""
    needed: bool = True  # without it there are no captions at all


def run_doctor(as_json: bool, camera: int = 0) -> int:
    """Prints all checks; returns 1 where something needed is missing."""
    looks: tuple[Callable[[], Check], ...] = (
        check_versions,
        check_packages,
        check_landmarker,
        check_backends,
        check_pack,
        check_dictionary,
        lambda: check_camera(camera),
        *((check_board, check_ribbon_camera) if is_jetson() else ()),
        check_display,
    )
    checks = [look() for look in looks]
    if as_json:
        print_json([dataclasses.asdict(check) for check in checks])
    else:
        _print(checks)
    return NOT_OK if any(c.needed and c.state == MISSING for c in checks) else 0


def check_versions() -> Check:
    machine = f"{platform.system()} {platform.machine()}"
    detail = f"fingerpost {metadata.version('fingerpost')}, {machine}, Python"
    return Check("versions", OK, f"{detail} {platform.python_version()}")


def check_packages() -> Check:
    found, missing = [], []
    for package in PACKAGES:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            missing.append(package)
    if missing:
        hint = f'{", ".join(missing)} missing: pip install "fingerpost[app]"'
        return Check("packages", MISSING, ", ".join(found), hint, needed=False)
    return Check("packages", OK, ", ".join(found))


def check_landmarker() -> Check:
    """Runs the landmarker on an empty picture, if its bundle was built already."""
    import numpy as np

    from fingerpost.edge_runtime.landmarker_bundle import bundle_path
    from fingerpost.edge_runtime.landmarks import Landmarker

    bundle = bundle_path()
    if not bundle.is_file():
        detail = "built at the first use (downloads 35 MB once)"
        return Check(
            "landmarker", LATER, detail, "fingerpost landmarks VIDEO -o FILE.npz builds it"
        )
    started = time.perf_counter()
    try:
        with Landmarker(256, 256, bundle) as landmarker:
            landmarker.detect(np.zeros((256, 256, 3), np.uint8), 0)
    except (ValueError, OSError, RuntimeError) as error:
        hint = f"delete {bundle} to have it built anew, or give --landmarker FILE"
        return Check("landmarker", MISSING, str(error), hint)
    return Check("landmarker", OK, f"starts in {time.perf_counter() - started:.1f} s: {bundle}")


def check_backends() -> Check:
    """Which of the inference backends that packs may ask for can be loaded."""
    found = [name for name in ("ai_edge_litert", "tflite_runtime") if util.find_spec(name)]
    if not found:
        return Check("backends", MISSING, "no TFLite runtime", "pip install ai-edge-litert")
    tflite = f"tflite ({', '.join(found)})"
    if util.find_spec("executorch") and util.find_spec("torch"):
        return Check("backends", OK, f"{tflite}, executorch")
    if util.find_spec("executorch") or is_jetson():
        hint = "packs for ExecuTorch do not run here: its Python runtime cannot load without torch"
        return Check("backends", OK, tflite, f"{hint}; take packs for LiteRT (tflite)")
    return Check("backends", OK, tflite)


def check_pack() -> Check:
    """The bundled pack, without which there are no captions."""
    hint = "fingerpost packs add PATH, then --pack NAME; or install Fingerpost again"
    return _check_bundled(BUNDLED, "pack", hint)


def check_dictionary() -> Check:
    """The bundled pack of single signs."""
    found = _check_bundled(SIGNS, "lookup", "install Fingerpost again; captions do without")
    return dataclasses.replace(found, needed=False)


def _check_bundled(pack_name: str, name: str, hint: str) -> Check:
    """Opens a bundled pack and runs its own test inputs."""
    from fingerpost.app.commands_caption import load_pack, verified

    try:
        pack = load_pack(pack_name)
        failed = [row for row in verified(pack) if not row.passed]
    except (ValueError, OSError) as error:
        return Check(name, MISSING, str(error), hint)
    if failed:
        detail = f"its {failed[0].measure} is {failed[0].value:.4f}, not {failed[0].limit}"
        return Check(name, MISSING, detail, "report this machine: what it reads would be off")
    return Check(name, OK, f"{pack.manifest.name} {pack.manifest.version}, verified here")


def check_camera(number: int) -> Check:
    """Opens a camera and takes one picture."""
    from fingerpost.edge_runtime.video import open_camera

    try:
        with open_camera(number) as video:
            size = f"{video.info.width}x{video.info.height}"
            return Check("camera", OK, f"camera {number}: {size} at {video.info.fps:g} fps")
    except ValueError:
        return Check("camera", MISSING, f"camera {number} does not open", _camera_hint(), False)


def check_board() -> Check:
    """A Jetson: which, and how warm it is."""
    health, problem = read_health()
    if health is None:
        hint = problem or (
            "temperature, clocks and power: sudo pip3 install -U jetson-stats, and the same again "
            "by the pip beside fingerpost"
        )
        return Check("board", LATER, about_board(), hint, needed=False)
    measured = [f"{max(health.celsius.values()):.0f} °C"] if health.celsius else []
    measured += [f"{health.watts:.1f} W"] if health.watts is not None else []
    return Check("board", OK, ", ".join([about_board(), *measured]), needed=False)


def check_ribbon_camera() -> Check:
    """Could OpenCV open a Jetson's ribbon-cable camera? It is not tried."""
    from fingerpost.edge_runtime.video import import_cv2

    try:
        if has_gstreamer(import_cv2()):
            return Check("ribbon camera", OK, "OpenCV has GStreamer", needed=False)
    except ValueError as error:
        return Check("ribbon camera", MISSING, "no OpenCV", str(error), needed=False)
    hint = "only for a camera on a ribbon cable (csi); docs/jetson.md says how to get one that has"
    return Check("ribbon camera", MISSING, "OpenCV has no GStreamer", hint, needed=False)


def check_display() -> Check:
    if has_screen():
        return Check("display", OK, "a window can be opened", needed=False)
    hint = "captions go to the terminal; over ssh, try `export DISPLAY=:0`"
    return Check("display", MISSING, "no DISPLAY or WAYLAND_DISPLAY", hint, needed=False)


def _camera_hint() -> str:
    devices = sorted(str(path) for path in Path("/dev").glob("video*"))
    if platform.system() == "Darwin":
        return "allow the terminal to use the camera: System Settings, Privacy, Camera"
    if platform.system() != "Linux":
        return "is another program using it?"
    if not devices:
        return "plug one in: there is no /dev/video*; videos can be captioned without"
    return f"there are {', '.join(devices)}: is your user in the group `video`?"


def _print(checks: list[Check]) -> None:
    from rich.table import Table
    from rich.text import Text

    colours = {OK: "green", LATER: "yellow", MISSING: "red"}
    table = Table(box=None, pad_edge=False, show_header=False)
    for check in checks:
        state = Text(check.state, colours[check.state])
        table.add_row(Text(check.name), state, Text(check.detail))
        if check.hint:
            table.add_row("", "", Text(f"hint: {check.hint}", "dim"))
    stdout_console().print(table)
    if any(check.needed and check.state == MISSING for check in checks):
        tell("Captions will not work here until what is missing is there.")
