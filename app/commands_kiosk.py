"""``fingerpost kiosk``: the window that runs alone, its PIN, its unit file."""

import shlex
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fingerpost.app.demo import NO_SCREEN
from fingerpost.app.kiosk import Kiosk, KioskTimes
from fingerpost.app.kiosk_board import BoardWatch
from fingerpost.app.kiosk_health import Health, HealthServer, monotonic_ms
from fingerpost.app.kiosk_log import KioskLog
from fingerpost.app.kiosk_pack import PackWatch
from fingerpost.app.kiosk_pin import PinFile
from fingerpost.app.kiosk_runner import KioskRunner
from fingerpost.app.kiosk_systemd import Beat, unit
from fingerpost.app.platforms.jetson import is_jetson
from fingerpost.app.platforms.sources import live_session
from fingerpost.app.screen import has_screen, settle_kivy
from fingerpost.app.settings import Settings, SettingsFile, app_folder
from fingerpost.app.terminal import tell
from fingerpost.edge_runtime.pack import PackStore

PIN_FILE, LOG_FILE, SETTINGS_FILE = "kiosk_pin.json", "kiosk.log", "settings.json"


@dataclass(frozen=True)
class KioskOptions:
    """source, pack : None as the settings have it; port : of the health endpoint, 0 for none
    windowed : in a window with a pointer, to try it out
    """

    source: str | None = None
    pack: str | None = None
    landmarker: Path | None = None
    absent_s: float = 30.0
    port: int = 8808
    windowed: bool = False


def set_pin() -> None:
    """Asks for a PIN twice on the terminal, or takes a line of stdin, and keeps its hash."""
    if sys.stdin.isatty():
        import getpass

        pin = getpass.getpass("PIN: ")
        if getpass.getpass("The same PIN once more: ") != pin:
            raise ValueError("these were two different PINs; nothing was changed")
    else:
        pin = sys.stdin.readline().strip()
    path = app_folder() / PIN_FILE
    broken = path.with_suffix(".broken")
    try:
        file = PinFile(path)
    except ValueError:
        path.replace(broken)
        file = PinFile(path)
    file.set(pin)
    tell(f"The PIN is set; its hash is in {path}")


def unit_of(source: str | None, pack: str | None, absent_s: float, port: int) -> str:
    """The unit file of systemd that starts a kiosk with these options."""
    given = {"--source": source, "--pack": pack, "--absent": f"{absent_s:g}", "--port": str(port)}
    words = [word for name, value in given.items() if value for word in (name, value)]
    return unit(shlex.join(words))


def run_kiosk(options: KioskOptions) -> int:
    """Returns the exit code once the PIN has ended it. ValueError or OSError: it cannot begin."""
    if not has_screen():
        raise ValueError(NO_SCREEN.partition(";")[0] + "; on a console, set SDL_VIDEODRIVER=kmsdrm")
    from fingerpost.edge_runtime.landmarker_bundle import cache_folder

    folder = app_folder()
    pin = PinFile(folder / PIN_FILE)
    file = SettingsFile(folder / SETTINGS_FILE)
    health = Health()
    server = HealthServer(health, options.port) if options.port else None
    log = KioskLog(folder / LOG_FILE)
    if file.problem:
        log.tell(file.problem, warn=True)
    settle_kivy(cache_folder() / "kivy")
    try:
        from fingerpost.app.ui.kiosk_open import open_kiosk_window
    except ImportError as error:
        raise ValueError(f"the kiosk needs Kivy, which does not load: {error}") from error
    open_kiosk_window(options.windowed)
    from fingerpost.app.ui import kiosk_window as window

    runner = new_runner(options, file.settings, pin, log, health)
    log.tell("the kiosk begins" + (f", health on port {server.port}" if server else ""))
    try:
        return window.run_kiosk(runner, file.settings, monotonic_ms)
    finally:
        if server is not None:
            server.close()


def new_runner(
    options: KioskOptions, settings: Settings, pin: PinFile, log: KioskLog, health: Health
) -> KioskRunner:
    """The kiosk without its window."""
    source, pack = options.source or settings.source, options.pack or settings.pack
    opening = partial(
        live_session,
        source,
        pack,
        settings.mirrored,
        options.landmarker,
        settings.dominant_hand,
    )
    return KioskRunner(
        Kiosk(pin.is_set, KioskTimes(absent_ms=round(options.absent_s * 1000))),
        opening,
        pin,
        log,
        health,
        PackWatch(lambda: PackStore().find(pack)),
        pack,
        Beat(),
        BoardWatch() if is_jetson() else None,
        settings.language,
    )
