"""``fingerpost export``: from a checkpoint to packs for devices.

Part of the front door (``cli.py``): rooms are imported inside the subcommand that needs them.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from fingerpost.app.cli_options import Json

MISSED = 1  # exit code where a format gave no pack
FOR_DEVICES = ("tflite", "executorch", "coreml")


def export(
    checkpoint: Annotated[
        Path,
        typer.Argument(help="A checkpoint, or a training's folder.", metavar="CHECKPOINT"),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="Where to write, or one FILE.fpk."),
    ],
    format: Annotated[
        list[str] | None,
        typer.Option(help="tflite, executorch, coreml or onnx; repeatable. [the first three]"),
    ] = None,
    quantization: Annotated[
        str,
        typer.Option(help="none, fp16, int8, int8-static, int4; auto: what keeps the budget."),
    ] = "auto",
    corpus: Annotated[
        list[Path] | None,
        typer.Option("--corpus", metavar="SHARDS", help="Clips to measure on; repeatable."),
    ] = None,
    split: Annotated[str, typer.Option(help="Of the corpus.")] = "val",
    n_clips: Annotated[
        int, typer.Option("--clips", min=1, help="So many of them, evenly chosen.")
    ] = 200,
    recipe: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A .toml file; [budget] says what it may cost."),
    ] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(metavar="CHECKPOINT", help="Whose figures go into the packs too."),
    ] = None,
    sample: Annotated[
        Path | None,
        typer.Option(metavar="FILE.npz", help="Windows of a recogniser to compare on."),
    ] = None,
    name: Annotated[str, typer.Option(help="Of the packs, in lower case.")] = "mine",
    pack_version: Annotated[str, typer.Option(help="Of the packs.")] = "1",
    data: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="What it learned from, with the licence; repeatable."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=NUMBER", help="How the pack decodes; repeatable."),
    ] = None,
    delegate: Annotated[
        str, typer.Option(help="Of executorch: xnnpack, coreml or vulkan.")
    ] = "xnnpack",
    stateful: Annotated[
        bool, typer.Option("--stateful", help="Core ML keeps the states itself: iOS 18.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Even if the delegate runs under 95 %.")
    ] = False,
    json: Json = False,
) -> None:
    """Make packs for devices of a checkpoint, each verified and measured."""
    from fingerpost.app.cli_trainer import quiet_imports

    quiet_imports()
    from fingerpost.app.commands_export import show_exported
    from fingerpost.app.terminal import tell
    from fingerpost.distill.budget import budget_in
    from fingerpost.distill.export_formats import ExportOptions, export_formats

    formats = tuple(dict.fromkeys(format or FOR_DEVICES))
    of_format: dict[str, dict[str, Any]] = {"executorch": {"delegate": delegate}}
    if stateful:
        of_format["coreml"] = {"stateful": True}
    options = ExportOptions(
        quantization=quantization,
        corpus=tuple(str(folder) for folder in corpus or ()),
        split=split,
        n_clips=n_clips,
        budget=budget_in(recipe) if recipe else None,
        teacher=teacher,
        sample=sample,
        name=name,
        version=pack_version,
        data=tuple(data or ()),
        settings=dict(setting_of(text) for text in settings or ()),
        force=force,
        of_format=of_format,
    )
    records = export_formats(checkpoint, output, formats, options, tell)
    show_exported(records, json)
    raise typer.Exit(0 if len(records) == len(formats) else MISSED)


def export_adapter(
    checkpoint: Annotated[
        Path,
        typer.Argument(help="A SIGNET's checkpoint, or its folder.", metavar="CHECKPOINT"),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The adapter file, .fpa.")
    ],
    writes: Annotated[str, typer.Option(help="Code of the language that it writes, such as fr.")],
    signing: Annotated[
        list[str] | None,
        typer.Option(metavar="CODE", help="Of the sign language, such as fsl; repeatable."),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(help="What it was trained on, with its licence; repeatable."),
    ] = None,
    json: Json = False,
) -> None:
    """Write what a SIGNET learned beside its experts, to add to a pack with the same experts."""
    from fingerpost.app.cli_trainer import quiet_imports

    quiet_imports()
    from fingerpost.app.commands_export import show_adapter
    from fingerpost.distill.export_experts import export_adapter as write

    about = write(checkpoint, output, tuple(signing or ()), writes, tuple(data or ()))
    show_adapter(str(output), about.question, tuple(about.experts), output.stat().st_size, json)


def quantise(
    checkpoint: Annotated[
        Path,
        typer.Argument(help="A checkpoint, or a training's folder.", metavar="CHECKPOINT"),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where the training lives.")
    ],
    quantization: Annotated[
        str, typer.Option(help="What its numbers will be: int8, int8-static or int4.")
    ] = "int8",
    steps: Annotated[int, typer.Option(min=1, help="Of training.")] = 500,
    lr: Annotated[float, typer.Option(min=0, help="0: a tenth of what it was trained at.")] = 0.0,
    corpus: Annotated[
        list[Path] | None,
        typer.Option("--corpus", metavar="SHARDS", help="By default, those of its recipe."),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="LAYER", help="One that stays in float32; repeatable."),
    ] = None,
) -> None:
    """Fine-tune a checkpoint with its numbers rounded, where rounding them costs too much."""
    from fingerpost.app.cli_trainer import quiet_imports

    quiet_imports()
    from fingerpost.app.commands_train import TrainingProgress, show_best
    from fingerpost.distill.export import graphs_of_kind
    from fingerpost.distill.qat import recipe_for, train_quantised
    from fingerpost.distill.scheme import Scheme
    from fingerpost.trainer.checkpoint import resolve_checkpoint

    shards = [str(folder) for folder in corpus or ()]
    scheme = Scheme(quantization, frozenset(keep or ()))
    recipe = recipe_for(checkpoint, scheme, steps, lr, shards)
    with TrainingProgress() as progress:
        best = train_quantised(recipe, output, graphs_of_kind(checkpoint), report=progress.step)
    show_best(best, str(resolve_checkpoint(output)))


def setting_of(text: str) -> tuple[str, float]:
    """KEY=NUMBER; ValueError for anything else."""
    key, _, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        raise ValueError(f"--set {text}: write it like min_probability=0.5") from None
    return key, int(number) if number.is_integer() and "." not in value else number


def add_to(app: typer.Typer) -> None:
    """The subcommands of this file."""
    app.command()(export)
    app.command()(export_adapter)
    app.command()(quantise)
