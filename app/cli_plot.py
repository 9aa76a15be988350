"""``fingerpost plot``: pictures of what a checkpoint has learned.

Part of the front door (``cli.py``): rooms are imported inside the subcommand that needs them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from fingerpost.app.cli_options import Json

TSNE, WORDS = "tsne.png", "words.png"

plots = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Pictures of what a checkpoint has learned."
)


@plots.callback()
def common() -> None:
    """Pictures of what a checkpoint has learned."""


@plots.command()
def alignment(
    checkpoint: Annotated[
        Path, typer.Argument(help="Of sigma or translation.", metavar="CHECKPOINT")
    ],
    corpus: Annotated[list[Path], typer.Argument(help="Folders of shards.", metavar="SHARDS...")],
    beside: Annotated[
        list[Path] | None,
        typer.Option(metavar="CHECKPOINT", help="Another one, such as one without pre-training."),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where the pictures go.")
    ] = Path("alignment"),
    split: Annotated[str, typer.Option(help='Of the shards; "" for all clips.')] = "test",
    clips: Annotated[int, typer.Option(min=3, help="Clips to sample, for t-SNE.")] = 80,
    maps: Annotated[int, typer.Option(min=1, help="Clips to draw word by word.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Of the sample and of t-SNE.")] = 0,
    json: Json = False,
) -> None:
    """Draw how near signs and words are: t-SNE of both, and heat maps of words and frames."""
    folders = [str(folder) for folder in corpus]
    checkpoints = [checkpoint, *(beside or [])]
    _run_alignment(checkpoints, folders, output, split, (clips, maps, seed), json)


def add_to(app: typer.Typer) -> None:
    """Puts these subcommands behind the front door."""
    app.add_typer(plots, name="plot")


def _run_alignment(
    checkpoints: Sequence[Path],
    shards: Sequence[str],
    output: Path,
    split: str,
    sample: tuple[int, int, int],
    as_json: bool,
) -> None:
    """checkpoints : the first one's words are drawn; sample : clips, heat maps and a seed"""
    from fingerpost.app.terminal import CountedBar, print_json, tell
    from fingerpost.trainer.alignment import gap, read_pairs, tsne
    from fingerpost.trainer.alignment_pictures import draw_tsne, draw_words

    n, n_maps, seed = sample
    panels = []
    with CountedBar("checkpoints") as bar:
        for i, folder in enumerate(checkpoints):
            bar.show(folder.name, i, len(checkpoints))
            pairs = read_pairs(folder, shards, split, n, n_maps, seed)
            panels.append((folder.name, pairs, tsne(pairs, seed)))
    output.mkdir(parents=True, exist_ok=True)
    draw_tsne(output / TSNE, panels)
    note = draw_words(output / WORDS, panels[0][1])
    if as_json:
        found = {str(c): gap(p[1]) for c, p in zip(checkpoints, panels, strict=True)}
        print_json({"tsne": str(output / TSNE), "words": str(output / WORDS), "gap": found})
        return
    tell(f"{output / TSNE}, {output / WORDS}")
    if note:
        tell(note)
