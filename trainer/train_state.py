"""What a training leaves behind: its state, to go on from; its log; and the best weights.

    runs/mine/recipe.toml           the recipe with every default written out
    runs/mine/state-000500/         to go on from, bit for bit: weights, optimiser, random numbers
    runs/mine/best-000500/          a checkpoint: model.safetensors, config.json, metrics.json
    runs/mine/log.jsonl             a line for every step
    runs/mine/tensorboard/

Folders appear whole or not at all, under the number of their step; older ones go only then.
"""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

from fingerpost.trainer.recipe import Recipe, as_tables, read_recipe_as

RECIPE, LOG, BOARD = "recipe.toml", "log.jsonl", "tensorboard"
STATE, BEST, LAST = "state", "best", "last"


def claim(out: Path, recipe: Recipe) -> None:
    """Makes the folder this recipe's; ValueError where it is another's, naming what differs."""
    path = out / RECIPE
    if not path.is_file():
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise ValueError(f"{out} holds something else: give a new folder with -o")
        out.mkdir(parents=True, exist_ok=True)
        _write(path, tomli_w.dumps(as_tables(recipe)))
        return
    there, wanted = _flat(as_tables(read_recipe_as(type(recipe), path))), _flat(as_tables(recipe))
    differ = [key for key in sorted({*there, *wanted}) if there.get(key) != wanted.get(key)]
    if differ:
        raise ValueError(
            f"{out} holds a training by another recipe ({', '.join(differ[:5])}): "
            "give a new folder with -o, or the recipe that is in it"
        )


def newest(out: Path, kind: str) -> Path | None:
    """The folder of a kind (STATE, BEST, LAST) with the highest step."""
    found = [path for path in out.glob(f"{kind}-*") if re.fullmatch(kind + r"-\d+", path.name)]
    return max(found, key=step_of, default=None)


def step_of(folder: Path) -> int:
    return int(folder.name.rpartition("-")[2])


def begin_folder(out: Path, kind: str) -> Path:
    """An empty folder to fill, which ``finish_folder`` makes valid."""
    partial = out / f"{kind}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    return partial


def finish_folder(out: Path, kind: str, step: int) -> Path:
    """Names what was filled after its step; then those of other steps go."""
    whole = out / f"{kind}-{step:06d}"
    shutil.rmtree(whole, ignore_errors=True)  # of this very step, by a training that was killed
    (out / f"{kind}.partial").rename(whole)
    for older in out.glob(f"{kind}-*"):
        if older != whole:
            shutil.rmtree(older)
    return whole


class Log:
    """log.jsonl and TensorBoard; lines after ``last_step`` are of a training that was killed."""

    def __init__(self, out: Path, last_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        path = out / LOG
        if path.is_file():
            lines = path.read_text(encoding="utf-8").splitlines()
            _write(path, "".join(line + "\n" for line in lines if _step(line) <= last_step))
        self._file = path.open("a", encoding="utf-8")
        self._board = SummaryWriter(str(out / BOARD), purge_step=last_step + 1)

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        self._file.write(json.dumps({"step": step, **figures}) + "\n")
        self._file.flush()
        for name, value in figures.items():
            self._board.add_scalar(name.replace(".", "/"), value, step)

    def close(self) -> None:
        self._file.close()
        self._board.close()


def _step(line: str) -> float:
    """A line that was half written counts as one of the future."""
    try:
        return json.loads(line)["step"]
    except json.JSONDecodeError:
        return float("inf")


def _flat(tables: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tables.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = list(value) if isinstance(value, tuple) else value
    return flat


def _write(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
