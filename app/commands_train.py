"""``fingerpost train`` and ``fingerpost evaluate``: progress, and what came out of it."""

import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from fingerpost.app.terminal import CountedBar, print_json, stdout_console, tell

LINE_EVERY_S = 10  # where there is no terminal to draw a bar on


class TrainingProgress(CountedBar):
    """A bar with the loss, or without a terminal a line now and then. Use it in a ``with``."""

    def __init__(self) -> None:
        super().__init__("training")
        self._told = time.monotonic()

    def step(self, step: int, n_steps: int, figures: Mapping[str, float]) -> None:
        """Called after every step."""
        loss = f"loss {figures['loss']:.3f}"
        self.show(loss, step, n_steps)
        validated = {k[4:]: v for k, v in figures.items() if k.startswith("val.")}
        due = not self.is_seen and time.monotonic() - self._told > LINE_EVERY_S
        if validated or due or step == n_steps:
            self._told = time.monotonic()
            tell(f"step {step}/{n_steps}  {loss}  {_in_a_row(validated)}".rstrip())


def show_plan(plan: Mapping[str, Any], as_json: bool) -> None:
    """plan : the figures of ``fingerpost.trainer.dry_run.dry_run``"""
    if as_json:
        print_json(plan)
        return
    table = _facts()
    whole, learn = plan["parameters"], plan["parameters_that_learn"]
    parts = ", ".join(f"{name} {size / 1e6:.2f} M" for name, size in plan["parts"].items())
    for name, value in {
        "task": f"{plan['task']}, model {plan['model']}",
        "clips": ", ".join(f"{split} {n:,}" for split, n in plan["clips"].items()),
        "parameters": f"{whole / 1e6:.2f} M, of which {learn / 1e6:.2f} M learn ({parts})",
        "longest batch": ", ".join(f"{k} {tuple(v)}" for k, v in plan["batch"].items()),
        "steps": f"{plan['steps']:,} of {plan['clips_of_a_step']} clips, {plan['epochs']:g} epochs",
        "memory": f"{plan['weights_bytes'] / 1e9:.2f} GB of weights, gradients and their means; "
        f"{plan['peak_bytes'] / 1e9:.2f} GB more at the peak of a step",
        "device": f"{plan['device']}, {plan['processes']} process(es)",
        "first step": f"{plan['seconds_of_first_step']:.1f} s, loss {plan['first_loss']:.3f}",
    }.items():
        table.add_row(name, Text(value))
    stdout_console().print(table)


def show_best(best: Mapping[str, float], where: str) -> None:
    """What a training ended with."""
    tell(f"{where}: {_in_a_row(best)}")


def show_evaluation(
    kind: str, rows: Iterable[tuple[str, ...]], signers: list[tuple[str, ...]], facts: list[str]
) -> None:
    """rows, signers : texts of ``table_rows`` and ``signer_rows``; facts : lines below them"""
    table = Table(box=None, pad_edge=False, title=kind, title_justify="left")
    table.add_column("")
    table.add_column("%", justify="right")
    table.add_column("95 % interval")
    for row in rows:
        table.add_row(*map(Text, row))
    console = stdout_console()
    console.print(table)
    if len(signers) > 2:  # a heading and more than one signer
        heading, *shown = signers
        by_signer = Table(*heading, box=None, pad_edge=False)
        for column in by_signer.columns[1:]:
            column.justify = "right"
        for row in shown[:MAX_SIGNERS]:
            by_signer.add_row(*map(Text, row))
        console.print(by_signer)
        if len(shown) > MAX_SIGNERS:
            facts = [f"{len(shown) - MAX_SIGNERS} better signers are not shown", *facts]
    for fact in facts:
        console.print(Text(fact))
    sys.stdout.flush()


MAX_SIGNERS = 10


def _facts() -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    return table


def _in_a_row(figures: Mapping[str, float]) -> str:
    return "  ".join(
        f"{name} {value:.0f}" if name in ("step", "steps") else f"{name} {value:.2f}"
        for name, value in figures.items()
    )
