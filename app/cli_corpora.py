"""The subcommands for corpora: what can be read, its words, its clips, its keypoints.

Part of the front door (``cli.py``): rooms are imported inside the subcommand that needs them.
"""

from pathlib import Path
from typing import Annotated

import typer

from fingerpost.app.cli_options import Json, LandmarkerFile

corpora = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="The sign language corpora to train on."
)

CorpusName = Annotated[
    str, typer.Argument(help="Its name; see: fingerpost corpora list", metavar="NAME")
]


@corpora.command("list")
def corpora_list(json: Json = False) -> None:
    """List the corpora that can be read, by the names that commands know them by."""
    from fingerpost.app.commands_corpora import show_corpora
    from fingerpost.trainer.corpora import CORPORA, corpus_title

    show_corpora({name: corpus_title(name) for name in CORPORA}, json)


@corpora.command("check")
def corpora_check(
    name: CorpusName,
    folder: Annotated[Path, typer.Argument(help="As its authors publish it.", metavar="FOLDER")],
    media: Annotated[
        bool, typer.Option("--media/--no-media", help="Whether the videos are to be there.")
    ] = True,
    json: Json = False,
) -> None:
    """Count a corpus's samples, and list what is missing, empty, twice or in two splits."""
    import dataclasses

    from fingerpost.app.commands_corpora import show_check
    from fingerpost.trainer.corpora import read_corpus
    from fingerpost.trainer.corpora.sample import check

    report = check(read_corpus(name, folder), media)
    findings = dataclasses.asdict(report) | {"ok": report.ok}
    raise typer.Exit(show_check(str(report), findings, json))


def vocabulary(
    corpus: Annotated[
        str,
        typer.Argument(help="A corpus, or a text file, a sentence a line.", metavar="CORPUS"),
    ],
    folder: Annotated[
        Path | None, typer.Argument(help="The corpus's folder.", metavar="FOLDER")
    ] = None,
    *,
    tokenizer: Annotated[
        str, typer.Option(metavar="NAME", help="A name at huggingface.co, or a folder.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The folder to write.")
    ],
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="A T5 or mT5 to cut to match.")
    ] = None,
    keep: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="A text to keep too; repeatable.")
    ] = None,
    split: Annotated[
        list[str] | None, typer.Option(help="Only these splits of the corpus; repeatable.")
    ] = None,
    json: Json = False,
) -> None:
    """Cut a tokenizer, and a T5 or mT5, to the pieces that a corpus and its language need."""
    import dataclasses

    from fingerpost.app.commands_corpora import show_savings
    from fingerpost.trainer.trimmed_vocabulary import trim
    from fingerpost.trainer.vocabulary import corpus_sentences, prompts

    sentences, languages = corpus_sentences(corpus, folder, split or ())
    savings = trim(sentences, tokenizer, output, [*prompts(languages), *(keep or ())], model)
    show_savings(str(savings), dataclasses.asdict(savings), json)


def extract(
    corpus: Annotated[
        str, typer.Argument(help="Its name; left out, FOLDER has your own clips.", metavar="CORPUS")
    ],
    folder: Annotated[
        Path | None, typer.Argument(help="Where it is.", metavar="FOLDER", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="The folder of shards to make."),
    ] = None,
    extractor: Annotated[str, typer.Option(help="mediapipe or rtmpose.")] = "mediapipe",
    view: Annotated[
        str, typer.Option(help="Keep only the keypoints of a view, such as sign69.")
    ] = "",
    workers: Annotated[int, typer.Option(min=1, help="Processes on this machine.")] = 1,
    ray: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Use a Ray cluster; local: one started here.")
    ] = "",
    folder_fps: Annotated[
        float, typer.Option(help="Frames a second of clips that are folders of frames.")
    ] = 25.0,
    min_frames: Annotated[int, typer.Option(help="Drop clips with fewer frames.")] = 4,
    keep_unlabelled: Annotated[
        bool, typer.Option("--keep-unlabelled", help="Keep clips without gloss and text.")
    ] = False,
    landmarker: LandmarkerFile = None,
    rtmpose_model: Annotated[
        Path | None, typer.Option(metavar="FILE", help="RTMPose whole-body, .onnx.")
    ] = None,
    detector_model: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YOLOX person detector, .onnx.")
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Of finished shards, look again at what was dropped.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit code 1 where a sample was dropped.")
    ] = False,
    json: Json = False,
) -> None:
    """Find the keypoints of a corpus and write them as shards. Goes on where it was stopped."""
    from fingerpost.app.commands_extract import ExtractProgress, show_report
    from fingerpost.app.terminal import tell
    from fingerpost.trainer.extraction.extract import Settings
    from fingerpost.trainer.extraction.jobs import make_plan
    from fingerpost.trainer.extraction.run import extract_corpus

    if output is None:
        raise ValueError("name the folder to make: -o DIR")
    name, where = ("own_folder", Path(corpus)) if folder is None else (corpus, folder)
    models = landmarker, rtmpose_model, detector_model
    settings = Settings(extractor, view, folder_fps, min_frames, keep_unlabelled, *models)
    with ExtractProgress() as progress:
        plan = make_plan(name, where, settings)
        report = extract_corpus(plan, output, workers, ray, retry, progress.show, tell)
    show_report(report.as_json(), str(output), json)
    raise typer.Exit(1 if strict and report.dropped else 0)


def curate(
    video: Annotated[Path, typer.Argument(help="A long video with signing.", metavar="VIDEO")],
    captions: Annotated[
        Path,
        typer.Argument(help=".vtt, .srt, or a speech recogniser's .json.", metavar="CAPTIONS"),
    ],
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The corpus to write or add to.")
    ],
    crop: Annotated[
        str | None,
        typer.Option(metavar="X,Y,W,H", help="Where the signer is; pixels or fractions."),
    ] = None,
    no_crop: Annotated[bool, typer.Option("--no-crop", help="Keep the whole picture.")] = False,
    cut_at: Annotated[
        str | None, typer.Option(metavar="MARKS", help="Where sentences end.", show_default=False)
    ] = None,
    shift_ms: Annotated[int, typer.Option(help="Added to the captions' times.")] = 0,
    max_frames: Annotated[int, typer.Option(help="Longer clips are dropped.")] = 512,
    fps: Annotated[
        float | None, typer.Option(help="Of the clips; by default the video's own.")
    ] = None,
    signer: Annotated[str, typer.Option(help="Who signs, for the table.")] = "",
    split: Annotated[str, typer.Option(help="train, val or test, for the table.")] = "",
    language: Annotated[str, typer.Option(help="Of the signing, such as csl or ase.")] = "",
    text_language: Annotated[str, typer.Option(help="Of the captions, such as zh or en.")] = "",
    landmarker: LandmarkerFile = None,
    json: Json = False,
) -> None:
    """Cut a long captioned video into a corpus: a clip a sentence, of the signer alone."""
    from functools import partial

    from fingerpost.app.commands_curate import (
        crop_of,
        open_landmarker,
        show_record,
    )
    from fingerpost.app.terminal import CountedBar
    from fingerpost.trainer.curation.crop import find_signer
    from fingerpost.trainer.curation.curate import Settings
    from fingerpost.trainer.curation.curate import curate as run
    from fingerpost.trainer.curation.records import as_plain
    from fingerpost.trainer.curation.words import SENTENCE_ENDS

    settings = Settings(
        crop=crop_of(crop, no_crop),
        ends=SENTENCE_ENDS if cut_at is None else cut_at,
        shift_ms=shift_ms,
        max_frames=max_frames,
        fps=fps,
        signer=signer,
        split=split,
        language=language,
        text_language=text_language,
    )
    find = partial(find_signer, make_landmarker=partial(open_landmarker, bundle=landmarker))
    with CountedBar("looking for the signer") as bar:
        record = run(video, captions, output, settings, partial(bar.show, "cutting"), find)
    show_record(as_plain(record), record.counts(), str(output), json)


def add_to(app: typer.Typer) -> None:
    """Puts these subcommands behind the front door."""
    app.add_typer(corpora, name="corpora")
    for command in (vocabulary, extract, curate):
        app.command()(command)
