"""``fingerpost app``: the window for people who talk with each other."""

from typing import Annotated

import typer

from fingerpost.app.cli_options import LandmarkerFile


def add_to(app: typer.Typer) -> None:
    """Adds the subcommand."""
    app.command("app")(open_app)


def open_app(
    source: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="For this run: a camera's number, csi (Jetson), demo, or a file.",
        ),
    ] = None,
    pack: Annotated[
        str | None, typer.Option(help="For this run: a pack, by its name or its path.")
    ] = None,
    landmarker: LandmarkerFile = None,
    private: Annotated[
        bool, typer.Option("--private", help="Keep nothing of what is said.")
    ] = False,
) -> None:
    """Open the app: live captions, replies, history. Everything stays on this device."""
    from fingerpost.app.commands_app import open_app_window

    open_app_window(source, pack, landmarker, private)
