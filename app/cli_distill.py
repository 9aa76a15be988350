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
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The folder to write.")
    ],
    corpus: Annotated[
        list[Path] | None,
        typer.Option("--corpus", metavar="SHARDS", help="Shards; repeatable. Else the recipe's."),
    ] = None,
    trim_only: Annotated[
        bool, typer.Option("--trim-only", help="Cut it to the vocabulary of the corpus.")
    ] = False,
    cache_only: Annotated[
        bool, typer.Option("--cache-only", help="Keep what it says of each clip; goes on.")
    ] = False,
    recipe: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A .toml file, or the name of a bundled recipe."),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a line of it; repeatable."),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="What the teacher says, kept; by default DIR.teacher."),
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
    """Train a student by what a teacher says; the same command goes on where it was stopped.

    With --trim-only or --cache-only, make the teacher ready for it. Exit code 1: trimmed, it gave
    another answer.
    """
    from fingerpost.app.cli_trainer import quiet_imports

    quiet_imports()
    if trim_only and cache_only:
        raise ValueError("say what to make: --trim-only or --cache-only, one of the two")
    folders = [str(folder) for folder in corpus or ()]
    if not folders and (trim_only or cache_only):
        raise ValueError("give a folder of shards with --corpus")
    splits = tuple(split or ())
    of_task = {"hands": str(hands)} if hands is not None else {}
    if trim_only:
        trim(checkpoint, folders, output, splits, tuple(keep or ()), check, of_task, json)
    elif cache_only:
        ask(checkpoint, folders, output, splits, recipe, changes or [], of_task, json)
    else:
        if splits:
            raise ValueError("--split is for --trim-only and --cache-only; set data.train_split")
        train(checkpoint, folders, output, recipe, changes or [], cache, of_task, json)


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


def ask(
    checkpoint: Path,
    folders: list[str],
    output: Path,
    splits: tuple[str, ...],
    recipe: Path | None,
    lines: list[str],
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
    settings = TeacherSettings() if recipe is None else read_settings(recipe, lines)
    clips = Clips(folders, splits[0] if splits else "train")
    teacher = open_teacher(checkpoint, changes)
    with CountedBar("clips") as bar:
        made = make_teacher_cache(
            output, teacher, clips, settings, lambda n: bar.show("clips", n, len(clips))
        )
    show_cache(made.summary(), as_json)


def train(
    checkpoint: Path,
    folders: list[str],
    output: Path,
    recipe: Path | None,
    lines: list[str],
    cache: Path | None,
    changes: dict[str, str],
    as_json: bool,
) -> None:
    """Without either: the student's training."""
    from fingerpost.app.commands_train import TrainingProgress, show_best
    from fingerpost.app.terminal import print_json, tell
    from fingerpost.distill.distil import distil
    from fingerpost.distill.distil_recipe import DistilRecipe, with_clips
    from fingerpost.trainer.checkpoint import resolve_checkpoint
    from fingerpost.trainer.freed_memory import keep_freed_memory
    from fingerpost.trainer.recipe import read_recipe_as

    chosen = read_recipe_as(DistilRecipe, recipe or Path("distil_pocket"), lines)
    chosen = with_clips(chosen, folders) if folders else chosen
    keep_freed_memory()  # here, for it changes the whole process
    folder = cache or output.with_name(f"{output.name}.teacher")
    try:
        with TrainingProgress() as progress:
            best = distil(
                *(checkpoint, chosen, output, folder, progress.step, tell),
                *(lambda n, of: progress.show("asking the teacher", n, of), changes),
            )
    except KeyboardInterrupt:
        tell("Stopped. The same command goes on from the last state.")
        raise
    made = resolve_checkpoint(output)
    if as_json:
        print_json({"checkpoint": str(made), **best})
    else:
        show_best(best, str(made))


def add_to(app: typer.Typer) -> None:
    """Puts this subcommand behind the front door."""
    app.command()(distill)
