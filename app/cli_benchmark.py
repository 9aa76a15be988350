"""``fingerpost benchmark``: what packs cost on this machine, and how right they are.

Part of the front door (``cli.py``): rooms are imported inside the subcommand that needs them.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fingerpost.app.cli_options import Json

if TYPE_CHECKING:
    from fingerpost.app.commands_benchmark import Judge
    from fingerpost.app.commands_stream import MeasureLive, Progress
    from fingerpost.edge_runtime.pack import Pack


def benchmark(
    packs: Annotated[list[str], typer.Argument(help="Packs: names or paths.", metavar="PACK...")],
    corpus: Annotated[
        list[Path] | None,
        typer.Option("--corpus", metavar="SHARDS", help="Ask them about its clips; repeatable."),
    ] = None,
    split: Annotated[str, typer.Option(help='Of the corpus; "" for all clips.')] = "val",
    clips: Annotated[
        int, typer.Option(min=0, help="So many, evenly chosen; 0 for all of the split.")
    ] = 0,
    calls: Annotated[int, typer.Option(min=1, help="Of each graph in a process.")] = 100,
    rounds: Annotated[int, typer.Option(min=1, help="Processes of each pack.")] = 3,
    threads: Annotated[int, typer.Option(min=1, help="Of a pack's backend.")] = 1,
    markdown: Annotated[bool, typer.Option("--markdown", help="A table for a page.")] = False,
    stream: Annotated[
        bool, typer.Option("--stream", help="How they translate a signer live, instead.")
    ] = False,
    minutes: Annotated[float, typer.Option(help="Of --stream.")] = 10.0,
    seed: Annotated[int, typer.Option(min=0, help="Of --stream: other signers say more.")] = 0,
    json: Json = False,
) -> None:
    """Measure packs side by side: size, time, memory, delegates, accuracy.

    With --stream: word errors, false lines and delays of live translation, on a rendered signer.

    Exit code 1: a pack cannot be measured here, or runs without the delegate it was made for.
    """
    from fingerpost.app.commands_benchmark import BenchmarkOptions, run_benchmark

    if markdown and json:
        raise ValueError("--markdown or --json, one of the two")
    if stream:
        from fingerpost.app.commands_stream import run_stream

        if markdown or corpus:
            raise ValueError("--stream goes with --minutes, --seed and --json alone")
        raise typer.Exit(run_stream(packs, live_on(minutes, seed), "json" if json else "table"))
    style = "json" if json else "markdown" if markdown else "table"
    options = BenchmarkOptions(calls, rounds, threads)
    judge = judge_on([str(folder) for folder in corpus], split, clips) if corpus else None
    raise typer.Exit(run_benchmark(packs, options, judge, style))


def judge_on(folders: list[str], split: str, n_clips: int) -> "Judge":
    """What says how right a pack is about these clips. ValueError where there are none."""
    from fingerpost.app.cli_trainer import quiet_imports

    quiet_imports()
    from fingerpost.distill.judge_pack import judge_pack
    from fingerpost.trainer.feed import Clips

    clips = Clips(folders, split)
    return lambda pack: judge_pack(pack, clips, n_clips)


def live_on(minutes: float, seed: int) -> "MeasureLive":
    """What says how a pack translates streams of so long. ValueError for no such streams."""
    from fingerpost.app.cli_trainer import quiet_imports

    quiet_imports()
    from fingerpost.trainer.evaluate_live import figures_of, replay_pack
    from fingerpost.trainer.live_scores import score_replays
    from fingerpost.trainer.streams import make_streams

    streams = make_streams(minutes, seed)

    def measure(pack: "Pack", progress: "Progress") -> dict[str, Any]:
        replays = []
        for replayed in replay_pack(pack, streams):
            replays.append(replayed)
            progress(len(replays), len(streams))
        return figures_of(score_replays(replays))

    return measure


def add_to(app: typer.Typer) -> None:
    """Puts this subcommand behind the front door."""
    app.command()(benchmark)
