"""``fingerpost shards cut-subtitles``: a video with subtitles as clips that alignment learns from.

Part of the front door (``cli.py``): rooms are imported inside the subcommand that needs them.
"""

from pathlib import Path
from typing import Annotated

import typer

from fingerpost.app.cli_options import Json
from fingerpost.app.cli_shards import shards


@shards.command("cut-subtitles")
def shards_cut_subtitles(
    keypoints: Annotated[
        Path, typer.Argument(help="Keypoints of the video (.npz or .pose).", metavar="KEYPOINTS")
    ],
    subtitles: Annotated[
        Path,
        typer.Argument(help="When each subtitle is signed (.vtt or .srt).", metavar="SUBTITLES"),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The folder of shards.")
    ],
    spoken: Annotated[
        Path | None,
        typer.Option(help="The same subtitles, when they are spoken.", metavar="SUBTITLES"),
    ] = None,
    split: Annotated[str, typer.Option(help="Of the clips: train, val or test.")] = "train",
    name: Annotated[str, typer.Option(help="Of the video; its folder's, unless given.")] = "",
    view: Annotated[
        str, typer.Option(help="Keep only the keypoints of a view: sign69 or found203.")
    ] = "sign69",
    text_language: Annotated[str, typer.Option(help="Of the subtitles, such as en.")] = "en",
    around: Annotated[
        float, typer.Option(help="Seconds on both sides of a subtitle's middle.", min=1)
    ] = 15.0,
    json: Json = False,
) -> None:
    """Cut a clip around each subtitle, to train found on. Call it once for each video.

    A video that is in the shards already is not cut again.
    """
    from fingerpost.app.commands_shards import counted, show_summary
    from fingerpost.edge_runtime.keypoint_files import load_keypoints
    from fingerpost.trainer.corpora.cues import read_cues
    from fingerpost.trainer.found_clips import Subtitled, write_cue_clips
    from fingerpost.trainer.shards import open_shards
    from fingerpost.trainer.shards_summary import summarise

    video = Subtitled(
        name or keypoints.resolve().parent.name,
        load_keypoints(keypoints),
        read_cues(subtitles),
        split,
        () if spoken is None else read_cues(spoken),
        text_language=text_language,
    )
    clips = write_cue_clips(output, [video], "subtitled videos", view, around)
    for _ in counted(clips, "clips"):
        pass
    show_summary(summarise(open_shards(output)), json)


def add_to(app: typer.Typer) -> None:
    """The command is part of ``fingerpost shards``, which is there already."""
