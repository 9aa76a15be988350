"""``fingerpost calibrate``: scores of sentences that can be believed.

Part of the front door (``cli.py``): rooms are imported inside the subcommand that needs them.
"""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fingerpost.app.cli_options import Json

if TYPE_CHECKING:
    from fingerpost.distill.reliability import Scored
    from fingerpost.edge_runtime.pack import Pack


def calibrate(
    pack: Annotated[str, typer.Argument(help="A pack: its name or its path.", metavar="PACK")],
    corpus: Annotated[
        list[Path], typer.Option("--corpus", metavar="SHARDS", help="Clips; repeatable.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE.fpk", help="Where to write the pack."),
    ] = None,
    split: Annotated[str, typer.Option(help="Of the corpus: what it is fitted on.")] = "val",
    check: Annotated[str, typer.Option(help="Of the corpus: what it is measured on.")] = "test",
    minutes: Annotated[
        float, typer.Option(min=0, help="Of live translation to measure it on too.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Of --minutes.")] = 0,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw how true the scores are.")
    ] = None,
    json: Json = False,
) -> None:
    """Fit the temperature of a translation pack on held-back clips, and measure its scores.

    `fingerpost export` does it by itself; this is for packs from elsewhere, and for the figures.
    """
    from fingerpost.app.cli_trainer import quiet_imports

    quiet_imports()
    from fingerpost.app.commands_calibrate import show_calibrated
    from fingerpost.app.output_files import check_destinations
    from fingerpost.app.terminal import CountedBar
    from fingerpost.distill.calibrate import unsure_below, with_temperature, write_calibrated
    from fingerpost.distill.reliability import draw_reliability, reliability
    from fingerpost.edge_runtime.pack import PackStore, open_pack

    check_destinations("", plot)
    opened = open_pack(PackStore().find(pack))
    folders = [str(folder) for folder in corpus]
    with CountedBar("clips") as bar:
        temperature = fitted(opened, folders, split, bar)
        packs = {"before": with_temperature(opened, 1.0)}
        packs["after"] = with_temperature(opened, temperature)
        scored = {name: judged(one, folders, check, 0, seed, bar) for name, one in packs.items()}
        if minutes:
            scored["live"] = judged(packs["after"], folders, "", minutes, seed, bar)
    below = unsure_below(opened)
    if plot is not None:
        draw_reliability(plot, scored, below, f"{opened.manifest.name}: split {check}")
    record: dict[str, Any] = {"pack": opened.manifest.name, "temperature": temperature}
    record |= {"split": split, "check": check, "unsure_below": below}
    record["figures"] = {
        name: dataclasses.asdict(reliability(lines, below)) for name, lines in scored.items()
    }
    show_calibrated(record, json)
    if output is not None:
        write_calibrated(opened, output, temperature)


def fitted(pack: "Pack", folders: list[str], split: str, bar: Any) -> float:
    """The temperature of a pack; ValueError where the clips cannot tell it."""
    from fingerpost.distill.calibrate import LEAST, fit_temperature
    from fingerpost.edge_runtime.translator import Translator
    from fingerpost.trainer.feed import Clips

    clips = Clips(folders, split)
    translator = Translator(pack)
    try:
        found = fit_temperature(translator, clips, lambda i, n: bar.show("fit", i, n))
    finally:
        translator.close()
    if found is None:
        raise ValueError(
            f"{len(clips)} clips of the split {split!r} are too few: at least {LEAST} sentences "
            f"must be right and {LEAST} wrong; give more clips"
        )
    return found


def judged(
    pack: "Pack", folders: list[str], split: str, minutes: float, seed: int, bar: Any
) -> "list[Scored]":
    """Lines with their scores: of so many minutes of live translation, or else of a split."""
    from fingerpost.distill.calibrate import scored_clips, scored_lines
    from fingerpost.trainer.feed import Clips

    if not minutes:
        clips = Clips(folders, split)
        return scored_clips(pack, clips, lambda i, n: bar.show(f"clips of {split}", i, n))
    from fingerpost.trainer.streams import make_streams

    streams = make_streams(minutes, seed)
    return scored_lines(pack, streams, lambda i, n: bar.show("streams", i, n))


def add_to(app: typer.Typer) -> None:
    """Puts this subcommand behind the front door."""
    app.command()(calibrate)
