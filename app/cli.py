"""The command ``fingerpost``: the one front door. Subcommands import their rooms when they run.

What a user got wrong ends in one line on stderr and exit code 2; FINGERPOST_DEBUG=1 shows where it
came from. Ctrl-C and SIGTERM end in exit code 130.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

try:
    import typer
    from typer.core import TyperGroup
except ModuleNotFoundError as error:  # the core alone is installed, for use as a library
    raise SystemExit(
        f'fingerpost: {error.name} is not installed: pip install "fingerpost[app]"'
    ) from error

from fingerpost.app import cli_trainer

USER_ERROR = 2
INTERRUPTED = 130
EXTRAS = {"ray": "ray", "rtmlib": "rtmpose"}  # that bring a package; all others come with `train`


class OneLineErrors(TyperGroup):
    """Runs a subcommand and turns what a user got wrong into one line."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # whoever read our output has left: `fingerpost … | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python flushes stdout as it ends
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except (ValueError, OSError, ModuleNotFoundError) as error:
            if os.environ.get("FINGERPOST_DEBUG"):
                raise
            print(f"fingerpost: {one_line(error)}", file=sys.stderr)
            raise typer.Exit(USER_ERROR) from None


def one_line(error: Exception) -> str:
    """What an error says, without line breaks and error numbers."""
    text = str(error)
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        text = (
            f'{package} is not installed: pip install "fingerpost[{EXTRAS.get(package, "train")}]"'
        )
    if isinstance(error, OSError) and error.strerror:
        text = ": ".join(str(part) for part in (error.filename, error.strerror) if part)
    return " ".join(text.split()) or type(error).__name__


app = typer.Typer(
    cls=OneLineErrors,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Sign language in front of a camera becomes captions, on this device, offline. "
    "Captions can be wrong.",
)
packs = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The packs that caption.")
app.add_typer(packs, name="packs")
imports = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Published weights, as checkpoints of ours."
)
app.add_typer(imports, name="import")
corpora = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="The sign language corpora to train on."
)
app.add_typer(corpora, name="corpora")
shards = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Keypoints of a corpus, ready for training."
)
app.add_typer(shards, name="shards")

Source = Annotated[
    str,
    typer.Argument(
        help="A video, .npz keypoints, a .pose file, or a camera's number.", metavar="SOURCE"
    ),
]
PackName = Annotated[str, typer.Option("--pack", help="A pack: its name or its path.")]
LandmarkerFile = Annotated[
    Path | None,
    typer.Option("--landmarker", metavar="FILE", help="A holistic .task bundle to use instead."),
]
Mirrored = Annotated[
    bool, typer.Option("--mirrored", help="The picture is a mirror image, as of a selfie camera.")
]
ShardsFolder = Annotated[Path, typer.Argument(help="A folder of shards.", metavar="DIR")]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable, on stdout.")]
CorpusName = Annotated[
    str, typer.Argument(help="Its name; see: fingerpost corpora list", metavar="NAME")
]
Name = Annotated[str, typer.Argument(help="A pack: its name or its path.", metavar="PACK")]


def show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"fingerpost {version('fingerpost')}")
        raise typer.Exit()


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="And exit.")
    ] = False,
) -> None:
    """Options before the subcommand."""


@app.command()
def demo(
    window: Annotated[
        bool | None,
        typer.Option("--window/--terminal", help="Where to show it; by default: what there is."),
    ] = None,
    pack: PackName = "demo",
    landmarker: LandmarkerFile = None,
    screenshot: Annotated[
        Path | None, typer.Option(hidden=True, help="Save a picture of the window (.png).")
    ] = None,
) -> None:
    """Caption the bundled clip, in a window if there is a screen. Ends by itself."""
    from fingerpost.app.demo import run_demo

    run_demo(window, pack, landmarker, screenshot)


@app.command()
def caption(
    source: Source,
    json: Annotated[
        bool, typer.Option("--json", help="Every caption event as a line of JSON on stdout.")
    ] = False,
    srt: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write SubRip subtitles.")
    ] = None,
    vtt: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write WebVTT subtitles.")
    ] = None,
    overlay: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the video with skeleton and captions (.mp4)."),
    ] = None,
    pack: PackName = "demo",
    landmarker: LandmarkerFile = None,
    mirrored: Mirrored = False,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="Stop after so many seconds of the source.")
    ] = None,
) -> None:
    """Caption a video, a keypoint file or a camera."""
    from fingerpost.app.commands_caption import CaptionOutputs, run_caption

    outputs = CaptionOutputs(json, srt, vtt, overlay)
    raise typer.Exit(run_caption(source, outputs, pack, landmarker, mirrored, seconds))


@app.command()
def landmarks(
    source: Source,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The .npz file to write.")
    ],
    landmarker: LandmarkerFile = None,
    mirrored: Mirrored = False,
) -> None:
    """Write the keypoints of a video as an .npz file."""
    from fingerpost.app.commands_caption import run_landmarks

    run_landmarks(source, output, landmarker, mirrored)


@app.command()
def doctor(
    json: Json = False,
    camera: Annotated[int, typer.Option(help="The number of the camera to try.")] = 0,
) -> None:
    """Check what works on this machine, with a hint for what does not."""
    from fingerpost.app.doctor import run_doctor

    raise typer.Exit(run_doctor(json, camera))


@packs.command("list")
def packs_list(json: Json = False) -> None:
    """List the packs on this machine."""
    from fingerpost.app.commands_packs import list_packs

    list_packs(json)


@packs.command("show")
def packs_show(pack: Name, json: Json = False) -> None:
    """Show what a pack says of itself: signs, accuracy, licences."""
    from fingerpost.app.commands_packs import show_pack

    show_pack(pack, json)


@packs.command("verify")
def packs_verify(pack: Name, json: Json = False) -> None:
    """Check a pack's files, and that it computes here what it did where it was made."""
    from fingerpost.app.commands_packs import verify

    verify(pack, json)


@packs.command("add")
def packs_add(
    source: Annotated[str, typer.Argument(help="A folder or .fpk file.", metavar="PATH")],
    json: Json = False,
) -> None:
    """Install a pack."""
    from fingerpost.app.commands_packs import add

    add(source, json)


@packs.command("remove")
def packs_remove(
    name: Annotated[str, typer.Argument(help="The name of an installed pack.", metavar="NAME")],
) -> None:
    """Delete an installed pack."""
    from fingerpost.app.commands_packs import remove

    remove(name)


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


@app.command()
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


@app.command()
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
    from fingerpost.trainer.extract import Settings
    from fingerpost.trainer.extract_jobs import make_plan
    from fingerpost.trainer.extract_run import extract_corpus

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


@imports.command("uni-sign")
def import_uni_sign(
    file: Annotated[Path, typer.Argument(help="The authors' file, .pth.", metavar="FILE")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="DIR", help="The checkpoint to write; else beside FILE."
        ),
    ] = None,
    language: Annotated[
        str, typer.Option(help="Of its texts, as its prompt names it: Chinese, English.")
    ] = "",
    tokenizer: Annotated[
        str, typer.Option(help="Of mT5, a folder or google/mt5-base; evaluate needs it.")
    ] = "",
    asks: Annotated[
        str, typer.Option(help="What it was trained to answer: text, glosses, isolated.")
    ] = "text",
) -> None:
    """Turn published Uni-Sign weights, pose-only or RGB-pose, into a checkpoint."""
    from fingerpost.trainer.import_uni_sign import write_imported

    folder = output or file.with_suffix("")
    model = write_imported(file, folder, language, tokenizer, asks)
    kind = "RGB-pose" if model.config.rgb else "pose-only"
    print(f"{folder}: {kind}, {sum(p.numel() for p in model.parameters()):,} parameters")


@app.command()
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
        ClipProgress,
        crop_of,
        open_landmarker,
        show_record,
    )
    from fingerpost.trainer.curate import Settings
    from fingerpost.trainer.curate import curate as run
    from fingerpost.trainer.curate_crop import find_signer
    from fingerpost.trainer.curate_records import as_plain
    from fingerpost.trainer.curate_words import SENTENCE_ENDS

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
    with ClipProgress() as progress:
        record = run(video, captions, output, settings, progress.show, find)
    show_record(as_plain(record), record.counts(), str(output), json)


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
    ] = 2580,
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

    counts = {"train": train, "val": val, "test": test, "signs": signs}
    clips = write_signer_corpus(output, counts, seed, fps, workers)
    written = sum(1 for _ in counted(clips, "clips", sum(counts.values())))
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


cli_trainer.add_to(app)


def open_standard_streams() -> None:
    """Gives stdin, stdout and stderr that the caller has closed (``>&-``) to nowhere.

    Else the next file that is opened takes their number, and what is printed goes into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
            setattr(sys, name, open(nowhere, "w" if number else "r"))


def main() -> None:
    """The console script."""
    open_standard_streams()
    # Who stops a kiosk's service, or a `timeout`, wants it as tidy as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    app(prog_name="fingerpost")
