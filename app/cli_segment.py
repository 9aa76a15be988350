"""``fingerpost segment``: where in a source one sign ends and the next begins.

Part of the front door (``cli.py``): rooms are imported inside the subcommand that needs them.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fingerpost.app.cli_options import Json, LandmarkerFile, Mirrored
from fingerpost.app.cli_shards import shards

if TYPE_CHECKING:
    from fingerpost.edge_runtime.keypoints import PoseSequence


def segment(
    source: Annotated[
        str,
        typer.Argument(
            help="A video, .npz keypoints, a .pose file, or a folder of shards with --clip.",
            metavar="SOURCE",
        ),
    ],
    weights: Annotated[
        Path,
        typer.Option(
            "--weights", metavar="CHECKPOINT", help="Of MS-MAE: a checkpoint, or a training."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write spans: .srt, .vtt or .eaf."),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the attention and the signs (.png).")
    ] = None,
    clip: Annotated[str, typer.Option(help="Of shards: the id of a clip.")] = "",
    landmarker: LandmarkerFile = None,
    mirrored: Mirrored = False,
    json: Json = False,
) -> None:
    """Say when each sign of a source was signed, but not which it was. It can be wrong."""
    from fingerpost.app.cli_trainer import quiet_imports
    from fingerpost.app.commands_caption import read_source
    from fingerpost.app.commands_segment import check_picture, show_spans
    from fingerpost.app.output_files import check_destinations

    quiet_imports()
    from fingerpost.trainer.segmentation.attention import open_reader
    from fingerpost.trainer.segmentation.segmenter import segment_by_attention
    from fingerpost.trainer.segmentation.span_files import check_span_file, write_spans
    from fingerpost.trainer.segmentation.spans import Span

    check_destinations(source, output, picture)
    check_picture(picture)
    if output is not None:
        check_span_file(output)
    reader = open_reader(weights)
    truth: list[Span] = []
    if Path(source).is_dir():
        sequence, known = _clip_of(Path(source), clip)
        truth = [Span(sequence.start_ms + a, sequence.start_ms + b) for a, b in known]
    elif clip:
        raise ValueError(f"--clip is for shards, and {source} is no folder")
    else:
        sequence = read_source(source, landmarker, mirrored)
    segmented = segment_by_attention(reader, sequence)
    media = Path(source) if Path(source).is_file() else None
    if output is not None:
        write_spans(output, segmented.spans, media, "Found by a machine; can be wrong.")
    if picture is not None:
        from fingerpost.trainer.segmentation.picture import draw_segmented

        name = Path(source).name + (f": {clip}" if clip else "")
        draw_segmented(picture, segmented, f"{name}: attention of MS-MAE", truth)
    spans = [(span.start_ms, span.end_ms) for span in segmented.spans]
    show_spans(spans, [path for path in (output, picture) if path is not None], json)


@shards.command("splice")
def shards_splice(
    folder: Annotated[
        Path, typer.Argument(help="Shards of single signs of known signers.", metavar="DIR")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The folder of shards to make.")
    ],
    split: Annotated[str, typer.Option(help="Only the clips of a split.")] = "",
    sentences: Annotated[int, typer.Option(min=1, help="How many to make.")] = 300,
    signs: Annotated[
        tuple[int, int], typer.Option(metavar="FEWEST MOST", help="Signs of a sentence.")
    ] = (3, 7),
    seed: Annotated[int, typer.Option(min=0, help="Another number makes other sentences.")] = 0,
    json: Json = False,
) -> None:
    """Splice clips of single signs into sentences, with the span of each sign."""
    from fingerpost.app.commands_shards import counted, show_summary, tell_written
    from fingerpost.trainer.segmentation.spliced_corpus import SentenceSettings, write_spliced
    from fingerpost.trainer.shards import open_shards
    from fingerpost.trainer.shards_summary import summarise

    single = open_shards(folder).in_split(split) if split else open_shards(folder)
    clips = write_spliced(output, single, sentences, seed, SentenceSettings(signs))
    written = sum(1 for _ in counted(clips, "sentences", sentences))
    tell_written(written, str(output))
    show_summary(summarise(open_shards(output)), json)


def _clip_of(folder: Path, name: str) -> "tuple[PoseSequence, tuple[tuple[int, int], ...]]":
    """The keypoints of a clip of shards, and its spans; ValueError where there is none such."""
    from fingerpost.trainer.shards import open_shards

    clips = open_shards(folder)
    names = clips.column("id")
    if name not in names:
        some = ", ".join(names[:3])
        raise ValueError(f"{folder} has no clip {name!r}; name one with --clip, such as {some}")
    found = clips[names.index(name)]
    return found.sequence, found.spans


def add_to(app: typer.Typer) -> None:
    """Puts these subcommands behind the front door; ``shards splice`` is in ``shards`` already."""
    app.command()(segment)
