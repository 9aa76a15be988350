"""``fingerpost experts``: which experts a SIGNET listens to, corpus by corpus.

Part of the front door (``cli.py``): rooms are imported inside the subcommand that needs them.
"""

from pathlib import Path
from typing import Annotated

import typer

from fingerpost.app.cli_options import Json


def experts(
    checkpoint: Annotated[
        Path, typer.Argument(help="A SIGNET, or a training's folder.", metavar="CHECKPOINT")
    ],
    corpora: Annotated[list[Path], typer.Argument(help="Folders of shards.", metavar="SHARDS...")],
    split: Annotated[str, typer.Option(help='Of the shards; "" for all clips.')] = "test",
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a picture of it, a PNG.")
    ] = None,
    json: Json = False,
) -> None:
    """Say which experts a SIGNET listens to, corpus by corpus."""
    from fingerpost.app.cli_trainer import quiet_imports
    from fingerpost.app.output_files import check_destinations

    check_destinations("", plot)
    quiet_imports()
    from fingerpost.app.terminal import print_columns, print_json, tell
    from fingerpost.trainer.experts_chosen import chosen_experts, draw_chosen

    found = chosen_experts(checkpoint, [str(folder) for folder in corpora], split)
    if plot is not None:
        draw_chosen(plot, found)
        tell(f"{plot}: a picture of it")
    if json:
        print_json({"split": split, "corpora": [one.as_json() for one in found]})
        return
    rows = [("corpus", "experts", "clips", "")]
    for one in found:
        for names, count in one.sets.items():
            rows.append((one.corpus, " + ".join(names), str(count), f"{count / one.n_clips:.0%}"))
        shares = ", ".join(f"{name} {share:.0%}" for name, share in one.shares.items())
        rows.append((one.corpus, f"shares: {shares}", "", f"{one.entropy:.2f} nats"))
    print_columns(rows)


def add_to(app: typer.Typer) -> None:
    """Puts this subcommand behind the front door."""
    app.command()(experts)
