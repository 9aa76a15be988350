"""Options that many subcommands have."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Machine-readable, on stdout.")]
LandmarkerFile = Annotated[
    Path | None,
    typer.Option("--landmarker", metavar="FILE", help="A holistic .task bundle to use instead."),
]
Mirrored = Annotated[
    bool,
    typer.Option(
        "--mirrored", "--mirror", help="The picture is a mirror image, as of a selfie camera."
    ),
]
