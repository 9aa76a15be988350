"""``fingerpost shards``: keypoints of a corpus, ready for training.

Part of the front door (``cli.py``): rooms are imported inside the subcommand that needs them.
"""

from pathlib import Path
from typing import Annotated

import typer

from fingerpost.app.cli_options import Json

shards = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Keypoints of a corpus, ready for training."
)

ShardsFolder = Annotated[Path, typer.Argument(help="A folder of shards.", metavar="DIR")]


@shards.command("show")
def shards_show(
    folder: ShardsFolder,
    sheet: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Draw skeletons and labels (.png)."),
    ] = None,
    clips: Annotated[int, typer.Option(min=1, max=400, help="How many to draw.")] = 16,
    split: Annotated[str, typer.Option(help="Only the clips of a split.")] = "",
    verify: Annotated[
        bool, typer.Option("--verify", help="Read everything, and compare it with its hash.")
    ] = False,
    json: Json = False,
) -> None:
    """Show what is in shards: clips, hours, signers, labels; and draw some of them."""
    from fingerpost.app.commands_shards import show_summary, tell_sheet
    from fingerpost.app.output_files import check_destinations
    from fingerpost.trainer.shards import open_shards
    from fingerpost.trainer.shards_summary import summarise

    check_destinations(str(folder), sheet)
    shown = open_shards(folder)
    if verify:
        shown.verify()
    if split:
        shown = shown.in_split(split)
    if sheet is not None:
        from fingerpost.trainer.contact_sheet import draw_contact_sheet

        tell_sheet(str(sheet), draw_contact_sheet(shown, sheet, clips))
    show_summary(summarise(shown), json)


@shards.command("import")
def shards_import(
    source: Annotated[
        Path, typer.Argument(help="A folder of .npz or .pose files, or a corpus of keypoints.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The folder of shards to make.")
    ],
    corpus: Annotated[
        str, typer.Option(help="own_folder, wlasl_hands, wlasl50_holistic or webcam.")
    ] = "own_folder",
    glosses: Annotated[
        int | None, typer.Option(help="The first so many of WLASL: 100, 300, 1000 or 2000.")
    ] = None,
    view: Annotated[
        str, typer.Option(help="Keep only the keypoints of a view, such as sign69.")
    ] = "",
    json: Json = False,
) -> None:
    """Make shards of keypoints that are there already. Goes on where it was stopped."""
    from fingerpost.app.commands_shards import counted, show_summary, tell_written
    from fingerpost.trainer.corpora.keypoint_sets import import_clips, read_keypoint_set
    from fingerpost.trainer.shards_summary import summarise

    name = source.resolve().name if corpus == "own_folder" else corpus
    name += f"-{glosses}" if glosses else ""
    clips = counted(read_keypoint_set(corpus, source, glosses), "clips")
    made = import_clips(clips, output, name, view)
    tell_written(len(made), str(output))
    show_summary(summarise(made), json)


@shards.command("make-signer")
def shards_make_signer(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The folder of shards to make.")
    ],
    train: Annotated[int, typer.Option(min=0, help="Sentences to train on.")] = 12000,
    val: Annotated[int, typer.Option(min=0, help="Sentences to validate on.")] = 300,
    test: Annotated[int, typer.Option(min=0, help="Sentences to test on.")] = 500,
    signs: Annotated[
        int, typer.Option(min=0, help="Clips of one sign each, to train on as well.")
    ] = 3220,
    idle: Annotated[
        int, typer.Option(min=0, help="Clips of hands that move and say nothing, to train on.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Another number makes another corpus.")] = 0,
    fps: Annotated[float, typer.Option(help="Frames a second.")] = 25.0,
    workers: Annotated[int, typer.Option(min=1, help="Processes on this machine.")] = 1,
    json: Json = False,
) -> None:
    """Make a translation corpus of the rendered signer. Goes on where it was stopped."""
    from fingerpost.app.commands_shards import counted, show_summary, tell_written
    from fingerpost.trainer.shards import open_shards
    from fingerpost.trainer.shards_summary import summarise
    from fingerpost.trainer.signer_corpus import write_signer_corpus

    counts = {"train": train, "val": val, "test": test, "signs": signs, "idle": idle}
    clips = write_signer_corpus(output, counts, seed, fps, workers)
    written = sum(1 for _ in counted(clips, "clips", sum(counts.values())))
    tell_written(written, str(output))
    show_summary(summarise(open_shards(output)), json)


@shards.command("make-sentences")
def shards_make_sentences(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Gets folders signer and real.")
    ],
    signs: Annotated[
        Path,
        typer.Option(
            metavar="SHARDS", help="Real clips of single signs, with split train and val."
        ),
    ],
    train: Annotated[int, typer.Option(min=1, help="Sentences of each kind to train on.")] = 12000,
    val: Annotated[int, typer.Option(min=1, help="Sentences of each kind to validate on.")] = 200,
    test: Annotated[int, typer.Option(min=1, help="Sentences of each kind to test on.")] = 500,
    idle: Annotated[
        int, typer.Option(min=0, help="Clips of hands that move and say nothing, to train on.")
    ] = 3000,
    seed: Annotated[int, typer.Option(min=0, help="Another number makes another corpus.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes on this machine.")] = 1,
    json: Json = False,
) -> None:
    """Make everyday sentences, by the rendered signer and in real motion, to translate live.

    Goes on where it was stopped.
    """
    from fingerpost.app.commands_shards import counted, show_summary, tell_written
    from fingerpost.trainer.sentences.real_signs import read_real_signs, write_real_sentences
    from fingerpost.trainer.shards import open_shards
    from fingerpost.trainer.shards_summary import summarise
    from fingerpost.trainer.signer_corpus import write_signer_corpus

    clips_of_signs = open_shards(signs)
    real_signs = read_real_signs(clips_of_signs)
    counts = {"train": train, "val": val, "test": test}
    rendered = {**counts, "signs": train // 4, "idle": idle}
    corpus = clips_of_signs.about.corpus
    for name, clips, total in (
        (
            "signer",
            write_signer_corpus(output / "signer", rendered, seed, workers=workers),
            rendered,
        ),
        ("real", write_real_sentences(output / "real", real_signs, counts, corpus, seed), counts),
    ):
        written = sum(1 for _ in counted(clips, f"{name} clips", sum(total.values())))
        tell_written(written, str(output / name))
        show_summary(summarise(open_shards(output / name)), json)


@shards.command("make-phoenix")
def shards_make_phoenix(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The folder of shards to make.")
    ],
    annotations: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Of phoenix14t: its glosses and its German.")
    ],
    signs: Annotated[int, typer.Option(min=1, help="Its most frequent glosses.")] = 100,
    clips: Annotated[int, typer.Option(min=1, help="Of each sentence to train on.")] = 4,
    idle: Annotated[
        int, typer.Option(min=0, help="Clips of hands that move and say nothing, to train on.")
    ] = 500,
    seed: Annotated[int, typer.Option(min=0, help="Another number makes another corpus.")] = 0,
    json: Json = False,
) -> None:
    """Make German sentences of a weather forecast in invented signs, to show another language.

    None of the signs is of German Sign Language. Goes on where it was stopped.
    """
    from fingerpost.app.commands_shards import counted, show_summary, tell_written
    from fingerpost.trainer.sentences.phoenix_signer import (
        n_clips,
        read_sentences,
        write_phoenix_signer,
    )
    from fingerpost.trainer.shards import open_shards
    from fingerpost.trainer.shards_summary import summarise

    samples = read_sentences(annotations, signs)
    made = write_phoenix_signer(output, samples, clips, idle, seed)
    written = sum(1 for _ in counted(made, "clips", n_clips(samples, clips, idle)))
    tell_written(written, str(output))
    show_summary(summarise(open_shards(output)), json)


@shards.command("export")
def shards_export(
    folder: ShardsFolder,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The new folder to write.")
    ],
    kind: Annotated[
        str, typer.Option("--format", help="npz, or pose (MediaPipe's keypoints only).")
    ] = "npz",
    split: Annotated[str, typer.Option(help="Only the clips of a split.")] = "",
) -> None:
    """Write shards as keypoint files with a labels.csv."""
    from fingerpost.app.commands_shards import counted, tell_written
    from fingerpost.trainer.corpora.keypoint_sets import export_clips
    from fingerpost.trainer.shards import open_shards

    clips = open_shards(folder).in_split(split) if split else open_shards(folder)
    written = sum(1 for _ in counted(export_clips(clips, output, kind), "clips", len(clips)))
    tell_written(written, str(output))


@shards.command("hands")
def shards_hands(
    folder: ShardsFolder,
    corpus: Annotated[
        str, typer.Argument(help="Its name; left out, MEDIA has your own clips.", metavar="CORPUS")
    ],
    media: Annotated[
        Path | None,
        typer.Argument(help="The folder they were made of.", metavar="MEDIA", show_default=False),
    ] = None,
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The folder of hands to make.")
    ],
    share: Annotated[
        float, typer.Option(min=0, max=1, help="Of the frames that show a hand.")
    ] = 0.1,
    seed: Annotated[int, typer.Option(min=0, help="Another number draws other frames.")] = 0,
    folder_fps: Annotated[
        float, typer.Option(help="Frames a second of clips that are folders of frames.")
    ] = 25.0,
    retry: Annotated[
        bool, typer.Option("--retry", help="Of finished shards, look again at what was dropped.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit code 1 where media could not be read.")
    ] = False,
) -> None:
    """Cut pictures of the hands out of the clips of shards. Goes on where it was stopped."""
    from fingerpost.app.commands_extract import ExtractProgress
    from fingerpost.app.commands_hands import tell_hands
    from fingerpost.trainer.corpora import read_corpus
    from fingerpost.trainer.hand_store import cut_hands_of
    from fingerpost.trainer.shards import open_shards

    name, where = ("own_folder", Path(corpus)) if media is None else (corpus, media)
    clips, samples = open_shards(folder), read_corpus(name, where)
    with ExtractProgress() as progress:
        made = cut_hands_of(
            clips,
            samples,
            output,
            share,
            seed,
            folder_fps,
            lambda done: progress.show("clips", done, len(clips)),
        )
    tell_hands(len(made), made.problems, str(output))
    raise typer.Exit(1 if strict and made.problems else 0)


@shards.command("push")
def shards_push(
    folder: ShardsFolder,
    name: Annotated[
        str, typer.Argument(help="A data set of huggingface.co, such as me/my-corpus.")
    ],
    public: Annotated[
        bool, typer.Option("--public", help="Everybody may read it: mind the signers' consent.")
    ] = False,
) -> None:
    """Upload shards to the Hugging Face hub; log in with `hf auth login` first."""
    from fingerpost.app.commands_shards import tell_written
    from fingerpost.trainer.shards import open_shards
    from fingerpost.trainer.shards_hub import push_to_hub

    clips = open_shards(folder)
    push_to_hub(clips, name, private=not public)
    tell_written(len(clips), f"https://huggingface.co/datasets/{name}")


def add_to(app: typer.Typer) -> None:
    """Puts these subcommands behind the front door."""
    app.add_typer(shards, name="shards")
