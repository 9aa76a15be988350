"""``fingerpost lookup``: single signs by name.

Part of the front door (``cli.py``): rooms are imported inside the subcommand that needs them.
"""

from typing import Annotated

import typer

from fingerpost.app.cli_options import Json, LandmarkerFile, Mirrored


def lookup(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Videos, .npz or .pose files that show single signs, or a camera's number.",
            metavar="SOURCE...",
        ),
    ],
    candidates: Annotated[int, typer.Option(help="How many glosses to name of each.")] = 5,
    pack: Annotated[str, typer.Option("--pack", help="A pack of single signs.")] = "signs",
    landmarker: LandmarkerFile = None,
    mirrored: Mirrored = False,
    json: Json = False,
) -> None:
    """Look up single signs: the likeliest of 2,000 ASL signs for each, best first.

    A file of up to 4 s is one sign; else each is from rest to rest. A list to choose from, not an
    answer: the first is wrong more often than right.
    """
    from fingerpost.app.commands_lookup import look_up
    from fingerpost.app.watched_signs import Watching

    how = Watching(landmarker, mirrored, lookup=True)
    look_up(sources, how, pack, candidates, json)


def add_to(app: typer.Typer) -> None:
    """Puts this subcommand behind the front door."""
    app.command()(lookup)
