"""``fingerpost distill``: from a teacher to something smaller.

Part of the front door (``cli.py``): rooms are imported inside the subcommand that needs them.
"""

from pathlib import Path
from typing import Annotated

import typer

from fingerpost.app.cli_options import Json


def distill(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            help="The teacher: a checkpoint, or a training's folder.", metavar="CHECKPOINT"
        ),
    ],
    corpus: Annotated[
        list[Path], typer.Option("--corpus", metavar="SHARDS", help="Shards; repeatable.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The folder to write.")
    ],
    trim_only: Annotated[
        bool, typer.Option("--trim-only", help="Cut it to the vocabulary of the corpus.")
    ] = False,
    cache_only: Annotated[
        bool, typer.Option("--cache-only", help="Keep what it says of each clip; goes on.")
    ] = False,
    recipe: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A .toml file; [teacher] says what is kept of it."),
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option(help="Of the corpus: to trim, all, and repeatable; to cache, train."),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="A text that it must be able to write; repeatable."),
    ] = None,
    check: Annotated[
        int, typer.Option(min=0, help="Clips that are answered before and after.")
    ] = 16,
    hands: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Pictures of hands, for an RGB model.")
    ] = None,
    json: Json = False,
) -> None:
    """Make a teacher ready for a student. Exit code 1: trimmed, it gave another answer."""
    from fingerpost.app.cli_trainer import quiet_imports

    quiet_imports()
    if trim_only == cache_only:
        raise ValueError("say what to make: --trim-only or --cache-only, one of the two")
    folders = [str(folder) for folder in corpus]
    splits = tuple(split or ())
    changes = {"hands": str(hands)} if hands is not None else {}
    if trim_only:
        trim(checkpoint, folders, output, splits, tuple(keep or ()), check, changes, json)
    else:
        cache(checkpoint, folders, output, splits, recipe, changes, json)


def trim(
    checkpoint: Path,
    folders: list[str],
    output: Path,
    splits: tuple[str, ...],
    keep: tuple[str, ...],
    n_clips: int,
    changes: dict[str, str],
    as_json: bool,
) -> None:
    """``--trim-only``."""
    import dataclasses

    from fingerpost.app.commands_distill import show_trimmed
    from fingerpost.distill.trim import trim_checkpoint

    report = trim_checkpoint(checkpoint, folders, output, splits, keep, n_clips, changes)
    show_trimmed(dataclasses.asdict(report), str(output), as_json)
    raise typer.Exit(0 if report.n_same == report.n_checked else 1)


def cache(
    checkpoint: Path,
    folders: list[str],
    output: Path,
    splits: tuple[str, ...],
    recipe: Path | None,
    changes: dict[str, str],
    as_json: bool,
) -> None:
    """``--cache-only``."""
    from fingerpost.app.commands_distill import show_cache
    from fingerpost.app.terminal import CountedBar
    from fingerpost.distill.teacher import TeacherSettings, open_teacher, read_settings
    from fingerpost.distill.teacher_cache import make_teacher_cache
    from fingerpost.trainer.feed import Clips

    if len(splits) > 1:
        raise ValueError("--cache-only takes one split; make a cache for each")
    settings = TeacherSettings() if recipe is None else read_settings(recipe)
    clips = Clips(folders, splits[0] if splits else "train")
    teacher = open_teacher(checkpoint, changes)
    with CountedBar("clips") as bar:
        made = make_teacher_cache(
            output, teacher, clips, settings, lambda n: bar.show("clips", n, len(clips))
        )
    show_cache(made.summary(), as_json)


def add_to(app: typer.Typer) -> None:
    """Puts this subcommand behind the front door."""
    app.command()(distill)
