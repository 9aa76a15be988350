"""``fingerpost shards make-languages`` and ``make-streams``: data whose truth is known, to try out
what real data would be scarce for.

Part of the front door (``cli.py``): rooms are imported inside the subcommand that needs them.
"""

from pathlib import Path
from typing import Annotated

import typer

from fingerpost.app.cli_options import Json
from fingerpost.app.cli_shards import shards


@shards.command("make-languages")
def shards_make_languages(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Gets folders a, b, c and d.")
    ],
    train: Annotated[int, typer.Option(min=0, help="Of a, b and c, to train on.")] = 3000,
    few: Annotated[int, typer.Option(min=0, help="Of d, to train on.")] = 300,
    val: Annotated[int, typer.Option(min=0, help="Of each, to validate on.")] = 200,
    test: Annotated[int, typer.Option(min=0, help="Of each, to test on.")] = 200,
    match: Annotated[str, typer.Option(help="The language that d is like: a, b, c or none.")] = "b",
    share: Annotated[
        float, typer.Option(min=0, max=1, help="Of d's signs that are those of its match.")
    ] = 0.6,
    seed: Annotated[int, typer.Option(min=0, help="Another number makes other languages.")] = 0,
    fps: Annotated[float, typer.Option(help="Frames a second.")] = 25.0,
    json: Json = False,
) -> None:
    """Make sentences of four artificial sign languages, to learn one from the others.

    None of the signs is of any language of deaf people. Goes on where it was stopped.
    """
    from fingerpost.app.commands_shards import counted, show_summary, tell_written
    from fingerpost.trainer.sentences.languages import LANGUAGES, Design, write_languages
    from fingerpost.trainer.shards import open_shards
    from fingerpost.trainer.shards_summary import summarise

    design = Design(train, few, val, test, match, share, seed, fps)
    written = dict.fromkeys(LANGUAGES, 0)
    for language, _ in counted(write_languages(output, design), "clips", design.n_clips):
        written[language] += 1
    for language, n_clips in written.items():
        tell_written(n_clips, str(output / language))
        show_summary(summarise(open_shards(output / language)), json)


@shards.command("make-streams")
def shards_make_streams(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Gets a folder for each stream.")
    ],
    streams: Annotated[int, typer.Option(min=1, help="How many to make.")] = 3,
    minutes: Annotated[float, typer.Option(help="Of each, at least.")] = 60.0,
    split: Annotated[
        str, typer.Option(help="Whose sentences and signers: train, val or test.")
    ] = "test",
    seed: Annotated[int, typer.Option(min=0, help="Another number makes other streams.")] = 0,
    fps: Annotated[float, typer.Option(help="Frames a second.")] = 25.0,
    json: Json = False,
) -> None:
    """Make long streams of the rendered signer, with subtitles at the true and at wrong times.

    Each folder gets keypoints.npz, TRUE.vtt and SHIFTED.vtt. Goes on where it was stopped.
    """
    from fingerpost.app.commands_shards import counted, tell_streams
    from fingerpost.trainer.sentences.subtitle_streams import write_subtitle_streams

    made = write_subtitle_streams(output, streams, minutes, split, seed, fps)
    rows = [
        {"name": s.name, "minutes": s.sequence.duration_ms / 60_000, "cues": len(s.cues)}
        for s in counted(made, "streams", streams)
    ]
    tell_streams(rows, str(output), json)


def add_to(app: typer.Typer) -> None:
    """These subcommands are in ``shards`` already."""
