"""``fingerpost align``: the subtitles of a signed video, each at the time at which it is signed.

Part of the front door (``cli.py``): rooms are imported inside the subcommand that needs them.
"""

from pathlib import Path
from typing import Annotated

import typer

from fingerpost.app.cli_options import Json, LandmarkerFile, Mirrored


def align(
    source: Annotated[
        str, typer.Argument(help="A video, .npz keypoints or a .pose file.", metavar="SOURCE")
    ],
    subtitles: Annotated[Path, typer.Argument(help=".vtt or .srt.", metavar="SUBTITLES")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="The subtitles with their new times."),
    ],
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN", help="A training of the task found. [without: by motion alone]"
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw the subtitles before and after (.png)."),
    ] = None,
    reach: Annotated[
        float,
        typer.Option(
            min=0, max=600, metavar="SECONDS", help="They are at most so much too early or late."
        ),
    ] = 30.0,
    landmarker: LandmarkerFile = None,
    mirrored: Mirrored = False,
    json: Json = False,
) -> None:
    """Move the subtitles of a signed video to where they are signed. It can be wrong."""
    from fingerpost.app.cli_trainer import quiet_imports
    from fingerpost.app.commands_align import Moved, read_view, show_moved
    from fingerpost.app.commands_segment import check_picture
    from fingerpost.app.output_files import check_destinations, write_text
    from fingerpost.app.terminal import CountedBar, tell
    from fingerpost.edge_runtime.keypoints import SIGN69

    quiet_imports()
    from fingerpost.trainer.subtitles.aligner import align_subtitles
    from fingerpost.trainer.subtitles.files import check_subtitles, read_subtitles
    from fingerpost.trainer.subtitles.runs import PlacingSettings

    check_destinations(source, output, report)
    check_destinations(str(subtitles), output, report)
    check_picture(report)
    check_subtitles(output)
    file = read_subtitles(subtitles)
    if output.suffix.lower() != file.kind:
        raise ValueError(f"{output} must end in {file.kind}, as {subtitles} does")
    reader = None
    if checkpoint is not None:
        from fingerpost.trainer.subtitles.found_reader import open_reader

        reader = open_reader(checkpoint)
    sequence = read_view(source, reader.view if reader else SIGN69, landmarker, mirrored)
    settings = PlacingSettings(reach_ms=round(reach * 1000))
    with CountedBar("subtitles") as bar:
        aligned = align_subtitles(
            *(file.cues, sequence, reader, settings),
            tell=lambda done, total: bar.show("subtitles", done, total),
        )
    placements = aligned.placements
    write_text(output, file.retimed([placement.span for placement in placements]))
    if report is not None:
        from fingerpost.trainer.subtitles.picture import Line, draw_timeline

        lines = [
            Line(cue.text, (cue.start_ms, cue.end_ms), placement.span, placement.how == "found")
            for cue, placement in zip(file.cues, placements, strict=True)
        ]
        draw_timeline(report, lines, aligned.signed, f"{subtitles.name}: before and after")
    moved = [Moved(cue, p.span, p.how) for cue, p in zip(file.cues, placements, strict=True)]
    if not aligned.signed:
        tell("Nobody signs in it: no hand was seen to go up and move.")
    show_moved(moved, [path for path in (output, report) if path is not None], json)


def add_to(app: typer.Typer) -> None:
    """Puts this subcommand behind the front door."""
    app.command()(align)
