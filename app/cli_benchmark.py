"""``fingerpost benchmark``: what packs cost on this machine, and how right they are.

Part of the front door (``cli.py``): rooms are imported inside the subcommand that needs them.
"""

from collections.abc import Sequence
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
        typer.Option(
            "--corpus",
            metavar="SHARDS",
            help="Ask them about its clips; with --stream, each of them live. Repeatable.",
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help='Of the corpus, "" for all clips; or of --stream\'s sentences.',
            show_default="val of the corpus; test of --stream's own sentences",
        ),
    ] = None,
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
    signs: Annotated[
        Path | None,
        typer.Option(metavar="SHARDS", help="Of --stream: splice real signs, of its split val."),
    ] = None,
    idle: Annotated[
        Path | None,
        typer.Option(metavar="SHARDS", help="Of --stream: clips in which nobody signs, looped."),
    ] = None,
    idle_gloss: Annotated[
        str, typer.Option(help="Of --idle: only the clips with this label, such as none.")
    ] = "",
    json: Json = False,
) -> None:
    """Measure packs side by side: size, time, memory, delegates, accuracy.

    With --stream: word errors, false lines and delays of live translation, on a rendered signer,
    on clips of yours (--corpus), on real --signs, or where nobody signs (--idle). Its sentences are
    of the split --split.

    Exit code 1: a pack cannot be measured here, or runs without the delegate it was made for.
    """
    from fingerpost.app.commands_benchmark import BenchmarkOptions, run_benchmark

    if markdown and json:
        raise ValueError("--markdown or --json, one of the two")
    if stream:
        from fingerpost.app.commands_stream import GOALS_OF_REAL_SIGNS, run_stream

        if markdown or sum(map(bool, (corpus, signs, idle))) > 1:
            raise ValueError(
                "--stream goes with --minutes, --seed, --split, --json, and one of --corpus, "
                "--signs and --idle"
            )
        measure = live_on(minutes, seed, split, corpus or (), signs, idle, idle_gloss)
        goals = GOALS_OF_REAL_SIGNS if signs else None
        raise typer.Exit(run_stream(packs, measure, "json" if json else "table", goals))
    if signs or idle:
        raise ValueError("--signs and --idle go with --stream")
    style = "json" if json else "markdown" if markdown else "table"
    options = BenchmarkOptions(calls, rounds, threads)
    of_split = "val" if split is None else split
    judge = judge_on([str(folder) for folder in corpus], of_split, clips) if corpus else None
    raise typer.Exit(run_benchmark(packs, options, judge, style))


def judge_on(folders: list[str], split: str, n_clips: int) -> "Judge":
    """What says how right a pack is about these clips. ValueError where there are none."""
    from fingerpost.app.cli_trainer import quiet_imports

    quiet_imports()
    from fingerpost.distill.judge_pack import judge_pack
    from fingerpost.trainer.feed import Clips

    clips = Clips(folders, split)
    return lambda pack: judge_pack(pack, clips, n_clips)


def live_on(
    minutes: float,
    seed: int,
    split: str | None = None,
    corpus: Sequence[Path] = (),
    signs: Path | None = None,
    idle: Path | None = None,
    idle_gloss: str = "",
) -> "MeasureLive":
    """What says how a pack translates streams of so long. ValueError for no such streams.

    corpus : shards with sentences; signs : shards of real signs to splice; idle : shards with clips
        in which nobody signs, those of idle_gloss; none of them: a rendered signer
    """
    from fingerpost.app.cli_trainer import quiet_imports

    quiet_imports()
    from fingerpost.trainer.clip_streams import make_clip_streams
    from fingerpost.trainer.evaluate_live import figures_of, replay_pack
    from fingerpost.trainer.feed import Clips
    from fingerpost.trainer.live_scores import score_replays
    from fingerpost.trainer.sentences.real_signs import read_real_signs
    from fingerpost.trainer.sentences.real_streams import make_idle_stream, make_real_streams
    from fingerpost.trainer.shards import open_shards
    from fingerpost.trainer.streams import make_streams

    of_split = split or "test"
    if corpus:
        of_corpus = Clips([str(folder) for folder in corpus], "val" if split is None else split)
        streams = make_clip_streams(of_corpus, minutes, seed)
    elif signs is not None:
        streams = make_real_streams(read_real_signs(open_shards(signs)), minutes, seed, of_split)
    elif idle is not None:
        clips = [c for c in open_shards(idle) if not idle_gloss or c.glosses == (idle_gloss,)]
        streams = [make_idle_stream([clip.sequence for clip in clips], minutes, seed)]
    else:
        streams = make_streams(minutes, seed, of_split)

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
