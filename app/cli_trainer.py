"""The subcommands that train and evaluate, and take over weights that others published.

Part of the front door (``cli.py``): rooms are imported inside the subcommand that needs them.
"""

import logging
from pathlib import Path
from typing import Annotated

import typer

from fingerpost.app.cli_options import Json

imports = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Published weights, as checkpoints of ours."
)


def train(
    recipe: Annotated[
        Path,
        typer.Argument(help="A .toml file, or the name of a bundled recipe.", metavar="RECIPE"),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Where the training lives; by default runs/RECIPE.",
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a line of it; repeatable."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Shapes, parameters, memory and steps; then stop.")
    ] = False,
    push_to_hub: Annotated[
        str | None, typer.Option(metavar="NAME", help="Upload the checkpoint to huggingface.co.")
    ] = None,
    json: Json = False,
) -> None:
    """Train by a recipe; the same command again goes on where it was stopped.

    More processes: torchrun --nproc-per-node 2 --no-python fingerpost train RECIPE
    """
    quiet_imports()
    from fingerpost.app.commands_train import TrainingProgress, show_best, show_plan
    from fingerpost.app.terminal import print_json, tell
    from fingerpost.trainer.checkpoint import push_checkpoint, resolve_checkpoint
    from fingerpost.trainer.recipe import read_recipe

    chosen = read_recipe(recipe, changes or ())
    if dry_run:
        from fingerpost.trainer.dry_run import dry_run as plan

        show_plan(plan(chosen), json)
        return
    from fingerpost.trainer.freed_memory import keep_freed_memory
    from fingerpost.trainer.train import train as run

    keep_freed_memory()  # here, for it changes the whole process
    folder = output or Path("runs") / recipe.stem
    try:
        with TrainingProgress() as progress:
            best = run(chosen, folder, progress.step)
    except KeyboardInterrupt:
        tell("Stopped. The same command goes on from the last state.")
        raise
    checkpoint = resolve_checkpoint(folder)
    if json:
        print_json({"checkpoint": str(checkpoint), **best})
    else:
        show_best(best, str(checkpoint))
    if push_to_hub:
        push_checkpoint(checkpoint, push_to_hub)


def evaluate(
    checkpoint: Annotated[
        Path | None,
        typer.Argument(help="A checkpoint, or a training's folder.", metavar="[CHECKPOINT]"),
    ] = None,
    corpus: Annotated[
        list[Path] | None, typer.Argument(help="Folders of shards.", metavar="[SHARDS]...")
    ] = None,
    split: Annotated[str, typer.Option(help='Of the shards; "" for all clips.')] = "test",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Figures, predictions and a picture."),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Judge a predictions.csv instead; no model is run."),
    ] = None,
    kind: Annotated[
        str, typer.Option(help="Of these predictions: isolated, glosses or text.")
    ] = "text",
    text_language: Annotated[str, typer.Option(help="Of their texts, such as zh or en.")] = "",
    resamples: Annotated[int, typer.Option(help="For the 95 % intervals; 0 for none.")] = 1000,
    batch: Annotated[int, typer.Option(min=1, help="Clips at once.")] = 32,
    hands: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Pictures of hands, for an RGB model.")
    ] = None,
    json: Json = False,
) -> None:
    """Say how right a checkpoint is: errors, BLEU, accuracy, signer by signer."""
    quiet_imports()
    from fingerpost.app.commands_train import show_evaluation
    from fingerpost.app.terminal import print_json, tell
    from fingerpost.trainer.evaluation import (
        evaluate_file,
        signer_rows,
        table_rows,
        write_evaluation,
    )

    if predictions is not None:
        found = {kind: evaluate_file(predictions, kind, text_language, n_resamples=resamples)}
    elif checkpoint is None or not corpus:
        raise ValueError(
            "give a checkpoint and a folder of shards, or --predictions FILE with its --kind"
        )
    else:
        from fingerpost.trainer.evaluate import evaluate_checkpoint

        folders = [str(folder) for folder in corpus]
        changes = {"hands": str(hands)} if hands is not None else {}
        found = evaluate_checkpoint(checkpoint, folders, split, batch, resamples, changes)
    for name, (evaluation, said) in found.items():
        if output is not None:
            folder = output / name if len(found) > 1 else output
            evaluation = write_evaluation(folder, evaluation, said)
            tell(f"{folder}: metrics.json, predictions.csv")
        if json:
            print_json(evaluation.as_json())
            continue
        errors = ", ".join(f"{n} {what}" for what, n in evaluation.errors.items())
        facts = [errors] if errors else []
        title = f"{name}, {evaluation.n_clips} clips"
        rows, signers = table_rows(evaluation), signer_rows(evaluation)
        show_evaluation(title, rows, signers, facts + list(evaluation.notes))


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


@imports.command("pack")
def import_pack(
    pack: Annotated[str, typer.Argument(help="A pack: its name or its path.", metavar="PACK")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The checkpoint to write.")
    ],
) -> None:
    """Turn a translator's pack into a checkpoint to train on from: how it sees signing."""
    quiet_imports()
    from fingerpost.distill.import_pack import write_imported_pack
    from fingerpost.edge_runtime.pack import PackStore, open_pack

    network = write_imported_pack(open_pack(PackStore().find(pack)), output)
    n = sum(p.numel() for p in network.poses.parameters())
    print(f"{output}: pose encoder, {n:,} parameters, and {network.config.n_glosses} glosses")


def quiet_imports() -> None:
    """torchao's CUDA parts cannot load everywhere, and it warns of that although nobody uses it."""
    for name in ("torchao", "torch.utils._pytree"):
        logging.getLogger(name).setLevel(logging.ERROR)


def add_to(app: typer.Typer) -> None:
    """Puts these subcommands behind the front door."""
    app.command()(train)
    app.command()(evaluate)
    app.add_typer(imports, name="import")
