"""The command ``fingerpost``: the one front door. Subcommands import their rooms when they run.

What a user got wrong ends in one line on stderr and exit code 2; FINGERPOST_DEBUG=1 shows where it
came from. Ctrl-C and SIGTERM end in exit code 130.
"""

import io
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

from fingerpost.app import (
    cli_align,
    cli_app,
    cli_artificial,
    cli_benchmark,
    cli_calibrate,
    cli_corpora,
    cli_distill,
    cli_experts,
    cli_export,
    cli_found,
    cli_kiosk,
    cli_lookup,
    cli_plot,
    cli_segment,
    cli_shards,
    cli_teach,
    cli_trainer,
)
from fingerpost.app.cli_options import Json, LandmarkerFile, Mirrored

USER_ERROR = 2
INTERRUPTED = 130
# That bring a package; all others come with `train`.
EXTRAS = {"ray": "ray", "rtmlib": "rtmpose", "prometheus_client": "kiosk"}


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
packs = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The packs on this machine.")
app.add_typer(packs, name="packs")

Source = Annotated[
    str,
    typer.Argument(
        help="A video, .npz keypoints, a .pose file, or a camera's number.", metavar="SOURCE"
    ),
]
PackName = Annotated[str, typer.Option("--pack", help="A pack: its name or its path.")]
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
    dominant_hand: Annotated[
        str,
        typer.Option(metavar="auto|left|right", help="The signer's own; auto: the one that moves."),
    ] = "auto",
    language: Annotated[
        str,
        typer.Option(help="Of the sentences, such as German. [the first that the pack writes]"),
    ] = "",
) -> None:
    """Caption a video, a keypoint file or a camera."""
    from fingerpost.app.commands_caption import CaptionOutputs, run_caption

    outputs = CaptionOutputs(json, srt, vtt, overlay)
    how = (landmarker, mirrored, seconds, dominant_hand, language)
    raise typer.Exit(run_caption(source, outputs, pack, *how))


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


@packs.command("add-adapter")
def packs_add_adapter(
    pack: Name,
    file: Annotated[str, typer.Argument(help="An adapter file, .fpa.", metavar="FILE")],
    json: Json = False,
) -> None:
    """Add a sign language to an installed pack with experts."""
    from fingerpost.app.commands_packs import add_adapter

    add_adapter(pack, file, json)


@packs.command("remove-adapter")
def packs_remove_adapter(
    pack: Name,
    language: Annotated[str, typer.Argument(help="That it writes, such as French.")],
    json: Json = False,
) -> None:
    """Undo add-adapter."""
    from fingerpost.app.commands_packs import remove_adapter

    remove_adapter(pack, language, json)


for part in (
    cli_app,
    cli_corpora,
    cli_shards,
    cli_artificial,
    cli_found,
    cli_trainer,
    cli_segment,
    cli_align,
    cli_distill,
    cli_experts,
    cli_export,
    cli_calibrate,
    cli_benchmark,
    cli_teach,
    cli_lookup,
    cli_kiosk,
    cli_plot,
):
    part.add_to(app)


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


def write_utf_8() -> None:
    """Into a pipe or a file goes UTF-8 on every system. A terminal keeps its own encoding, and
    letters that it does not have become question marks: a caption is no reason to stop."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            own = stream.isatty() or "PYTHONIOENCODING" in os.environ
            stream.reconfigure(encoding=stream.encoding if own else "utf-8", errors="replace")


def main() -> None:
    """The console script."""
    open_standard_streams()
    write_utf_8()
    # Who stops a kiosk's service, or a `timeout`, wants it as tidy as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    app(prog_name="fingerpost")
