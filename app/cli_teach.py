"""``fingerpost teach``: signs of one's own.

Part of the front door (``cli.py``): rooms are imported inside the subcommand that needs them.
"""

from pathlib import Path
from typing import Annotated

import typer

from fingerpost.app.cli_options import Json, LandmarkerFile, Mirrored


def teach(
    name: Annotated[str, typer.Argument(help="What the sign means.", metavar="NAME")] = "",
    clips: Annotated[
        list[str] | None,
        typer.Argument(
            help="Videos, .npz or .pose files that show it; without any, a camera is watched.",
            metavar="[CLIP...]",
        ),
    ] = None,
    camera: Annotated[int, typer.Option(help="The number of the camera.")] = 0,
    examples: Annotated[int, typer.Option(help="To record with it, 3 to 5.")] = 3,
    replace: Annotated[
        bool, typer.Option("--replace", help="A sign of the same name gives way.")
    ] = False,
    list_: Annotated[bool, typer.Option("--list", help="Show the signs that were taught.")] = False,
    remove: Annotated[str, typer.Option(metavar="NAME", help="Delete a sign.")] = "",
    export: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all signs into one file.")
    ] = None,
    import_: Annotated[
        Path | None, typer.Option("--import", metavar="FILE", help="Take the signs of a file.")
    ] = None,
    pack: Annotated[str, typer.Option("--pack", help="To check the sign with.")] = "demo",
    landmarker: LandmarkerFile = None,
    mirrored: Mirrored = False,
    dominant_hand: Annotated[str, typer.Option(help="Of the signer: auto, left, right.")] = "auto",
    json: Json = False,
) -> None:
    """Teach a sign of your own by 3 to 5 examples; captions show it at once.

    Kept on this machine alone, as keypoints, without pictures. No training.
    """
    from fingerpost.app import commands_teach as commands

    wanted = [bool(name), list_, bool(remove), export is not None, import_ is not None]
    if sum(wanted) != 1:
        raise ValueError("give a NAME, or one of --list, --remove, --export and --import")
    if list_:
        commands.list_signs(json)
    elif remove:
        commands.remove_sign(remove)
    elif export is not None:
        commands.export_signs(export)
    elif import_ is not None:
        commands.import_signs(import_, replace)
    else:
        options = commands.TeachOptions(
            camera, examples, replace, pack, landmarker, mirrored, dominant_hand, json
        )
        commands.teach(name, clips or [], options)


def add_to(app: typer.Typer) -> None:
    """Puts this subcommand behind the front door."""
    app.command()(teach)
