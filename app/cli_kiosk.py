"""``fingerpost kiosk``: the app where nobody looks after it."""

from typing import Annotated

import typer

from fingerpost.app.cli_options import LandmarkerFile


def add_to(app: typer.Typer) -> None:
    """Adds the subcommand."""
    app.command("kiosk")(kiosk)


def kiosk(
    source: Annotated[
        str | None,
        typer.Option(metavar="SOURCE", help="A camera's number, csi (Jetson), demo, or a file."),
    ] = None,
    pack: Annotated[str | None, typer.Option(help="A pack, by its name or its path.")] = None,
    landmarker: LandmarkerFile = None,
    absent: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="Nobody there so long: forget all.")
    ] = 30.0,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of /healthz and /metrics on loopback; 0: none.")
    ] = 8808,
    windowed: Annotated[
        bool, typer.Option("--windowed", help="In a window, to try it out.")
    ] = False,
    set_pin: Annotated[
        bool, typer.Option("--set-pin", help="Set the PIN that ends the kiosk, and exit.")
    ] = False,
    unit: Annotated[
        bool, typer.Option("--unit", help="Print a unit file for systemd, and exit.")
    ] = False,
) -> None:
    """Captions that run alone: full screen, nothing kept, no way out without a PIN."""
    from fingerpost.app import commands_kiosk

    if set_pin:
        commands_kiosk.set_pin()
        return
    if unit:
        print(commands_kiosk.unit_of(source, pack, absent, port), end="")
        return
    options = commands_kiosk.KioskOptions(source, pack, landmarker, absent, port, windowed)
    raise typer.Exit(commands_kiosk.run_kiosk(options))
