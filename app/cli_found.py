"""``fingerpost shards cut-subtitles``, ``cut-signs``, ``lips``: what found learns from.

Part of the front door (``cli.py``): rooms are imported inside the subcommand that needs them.
"""

from pathlib import Path
from typing import Annotated

import typer

from fingerpost.app.cli_options import Json
from fingerpost.app.cli_shards import ShardsFolder, shards


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


@shards.command("cut-signs")
def shards_cut_signs(
    source: ShardsFolder,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The folder of shards to make.")
    ],
    most: Annotated[
        int, typer.Option(min=0, help="Of a gloss in a split, the first so many; 0 = all.")
    ] = 0,
    json: Json = False,
) -> None:
    """Cut single signs out of sentences whose glosses have times, to train found_signs on.

    Goes on where it was stopped.
    """
    from fingerpost.app.commands_shards import counted, show_summary
    from fingerpost.trainer.found_clips import write_sign_clips
    from fingerpost.trainer.shards import open_shards
    from fingerpost.trainer.shards_summary import summarise

    for _ in counted(write_sign_clips(output, open_shards(source), most), "clips"):
        pass
    show_summary(summarise(open_shards(output)), json)


@shards.command("lips")
def shards_lips(
    folder: ShardsFolder,
    corpus: Annotated[
        str, typer.Argument(help="Its name; left out, MEDIA has your own clips.", metavar="CORPUS")
    ],
    media: Annotated[
        Path | None,
        typer.Argument(help="The folder they were made of.", metavar="MEDIA", show_default=False),
    ] = None,
    *,
    reader: Annotated[
        Path, typer.Option(metavar="FILE", help="Weights of a lip reader, as Auto-AVSR's.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Gets a file for each clip.")
    ],
    folder_fps: Annotated[
        float, typer.Option(help="Frames a second of clips that are folders of frames.")
    ] = 25.0,
) -> None:
    """Read the lips of each clip of shards. Goes on where it was stopped; no picture is kept."""
    from fingerpost.app.commands_shards import counted
    from fingerpost.app.terminal import tell
    from fingerpost.trainer.corpora import read_corpus
    from fingerpost.trainer.lip_store import write_lips
    from fingerpost.trainer.models.found_lips import LipReader
    from fingerpost.trainer.shards import open_shards

    name, where = ("own_folder", Path(corpus)) if media is None else (corpus, media)
    clips, samples = open_shards(folder), read_corpus(name, where)
    made = write_lips(clips, samples, output, LipReader.load(reader), folder_fps)
    problems = 0
    for clip_id, problem in counted(made, "clips"):
        if problem:
            tell(f"{clip_id}: {problem}")
            problems += 1
    tell(f"{output}: lips of {len(clips) - problems:,} of {len(clips):,} clips")


def add_to(app: typer.Typer) -> None:
    """The commands are part of ``fingerpost shards``, which is there already."""
