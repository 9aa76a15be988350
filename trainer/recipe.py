"""Recipes: a TOML file that says all of a training, and ``--set`` that changes a line of it.

The tables of the file are the classes below, key by key. A key that is not there, or of the wrong
kind, is an error in one line.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

RECIPES = Path(__file__).parent / "recipes"  # those that come with Fingerpost


class Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which clips, and who loads them.

    train, val : folders of shards; val is empty = those of train
    longest : clips of more frames are not trained on; 0 = all are
    workers : processes that prepare clips; 0 = the training itself
    cache : keep prepared clips in memory after their first use
    buckets : steps are made of clips of like length, sorted within so many steps; 0 = never
    max_val_clips : validate on the first so many; 0 = on all
    """

    train: tuple[str, ...]
    val: tuple[str, ...] = ()
    train_split: str = "train"
    val_split: str = "val"
    longest: int = 0
    workers: int = 0
    cache: bool = False
    buckets: int = 32
    max_val_clips: int = 0


class Training(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Steps, learning rate, and what is kept.

    steps, epochs : how long; one of the two
    batch : clips that a process takes at once; one step is of batch * accumulation * processes
    lr : the highest, after ``warmup`` (a share of all steps); from there by ``schedule`` (cosine,
        linear, constant, one_cycle) to 0; one_cycle climbs along a cosine, too
    lr_of : factors for the parameters whose names start so
    decay_vectors : whether biases and norms are pulled to 0 too
    clip_norm : the gradient's length is cut to this; 0 = never
    ema : decay of the running mean of the weights, which then is what is kept; 0 = none
    precision : fp32, bf16 or fp16 (CUDA alone)
    validate_every, save_every : steps; 0 = each epoch
    best : the figure of validation that says which weights are best; empty = the task's own
    """

    lr: float
    batch: int
    steps: int = 0
    epochs: float = 0
    accumulation: int = 1
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 1e-4
    decay_vectors: bool = True
    lr_of: dict[str, float] = {}
    warmup: float = 0.0
    schedule: str = "cosine"
    clip_norm: float = 1.0
    ema: float = 0.0
    precision: str = "fp32"
    compile: bool = False
    validate_every: int = 0
    save_every: int = 0
    best: str = ""


class Lora(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Low-rank adapters instead of full matrices (LoRA, or DoRA), by ``peft``.

    rank : 0 = none
    modules : names of the linear layers that get one
    within : only layers of the network's parts whose names start so; empty = anywhere
    train : names that parameters start with which are trained whole all the same
    """

    rank: int = 0
    alpha: int = 32
    dropout: float = 0.0
    dora: bool = False
    modules: tuple[str, ...] = ("q", "v")
    within: tuple[str, ...] = ()
    train: tuple[str, ...] = ("poses.",)


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole training.

    task : a name of ``TASKS``, with its settings in the table [settings]
    model : fields of the model's config, beside those that the task knows from the data
    start_from : a checkpoint; fresh : its parameters that start so are not taken
    frozen : parameters that start so do not learn
    """

    task: str
    data: Data
    training: Training
    model: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    lora: Lora = Lora()
    seed: int = 0
    start_from: str = ""
    fresh: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()


R = TypeVar("R", bound=Recipe)


def read_recipe(path: Path, changes: Sequence[str] = ()) -> Recipe:
    """A recipe's file, with lines like ``training.lr=1e-3`` put in place of its own.

    path : a file, or the name of one of ``RECIPES``. ValueError for whatever is wrong with it.
    """
    return read_recipe_as(Recipe, path, changes)


def read_recipe_as(kind: type[R], path: Path, changes: Sequence[str] = ()) -> R:
    """The same, with more tables than a training has. kind : a ``Recipe`` that knows them"""
    tables = read_tables(path, changes)
    if "distil" in tables and kind is Recipe:
        raise ValueError(f"{path} learns from a teacher: give it to `fingerpost distill`")
    recipe: R = convert(tables, kind, str(path))
    _check(recipe, path)
    return recipe


def read_tables(path: Path, changes: Sequence[str] = ()) -> dict[str, Any]:
    """A recipe's tables as they are written; path and changes as in ``read_recipe``."""
    try:
        tables = tomllib.loads(_find(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not TOML: {error}") from error
    for change in changes:
        _put(tables, change)
    return tables


def convert(tables: dict[str, Any], kind: Any, where: str) -> Any:
    """Plain tables as a class; ValueError that names the key, and the keys that there are."""
    try:
        return msgspec.convert(tables, kind)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at ")
        place = place.strip("`").removeprefix("$").lstrip(".")
        known = "" if "unknown field" not in what else f"; known: {', '.join(_keys(kind, place))}"
        what = what.replace("Object", f"[{place}]" if place else "it").replace("field", "key")
        at = f" for {place}" if place and "key" not in what else ""
        raise ValueError(f"{where}: {what}{at}{known}") from error


def as_tables(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain tables, every default written out; what ``convert`` reads."""
    return msgspec.to_builtins(recipe)


def _find(path: Path) -> Path:
    bundled = RECIPES / f"{path.name.removesuffix('.toml')}.toml"
    if path.is_file():
        return path
    if len(path.parts) == 1 and bundled.is_file():
        return bundled
    names = ", ".join(sorted(file.stem for file in RECIPES.glob("*.toml")))
    raise FileNotFoundError(f"no recipe {path}: give a .toml file, or one of {names}")


def _put(tables: dict[str, Any], change: str) -> None:
    name, equals, text = change.partition("=")
    *parents, last = (part.strip() for part in name.split("."))
    if not equals or not last:
        raise ValueError(f"expected key=value, such as training.lr=1e-3, got {change!r}")
    table = tables
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise ValueError(f"{change!r}: {parent} is a value, and has no keys")
    value = _value(text.strip())
    wants_list = last in ("train", "val") and parents == ["data"]
    table[last] = [value] if wants_list and isinstance(value, str) else value


def _value(text: str) -> Any:
    """As TOML reads it; what is not TOML is a text without its quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _keys(kind: Any, place: str) -> list[str]:
    for part in filter(None, place.split(".")):
        kind = {f.name: f.type for f in msgspec.structs.fields(kind)}[part]
    return [f.name for f in msgspec.structs.fields(kind)]


def _check(recipe: Recipe, path: Path) -> None:
    training = recipe.training
    if (training.steps > 0) == (training.epochs > 0):
        raise ValueError(f"{path}: give training.steps or training.epochs, one of the two")
    if not recipe.data.train:
        raise ValueError(f"{path}: data.train names no folder of shards")
    limits = {
        "batch": training.batch >= 1,
        "accumulation": training.accumulation >= 1,
        "lr": training.lr > 0,
        # one_cycle has to climb before it falls
        "warmup": (0 if training.schedule != "one_cycle" else 1e-9) <= training.warmup < 1,
        "ema": 0 <= training.ema < 1,
        "precision": training.precision in ("fp32", "bf16", "fp16"),
        "schedule": training.schedule in ("cosine", "linear", "constant", "one_cycle"),
    }
    for name, sound in limits.items():
        if not sound:
            raise ValueError(f"{path}: training.{name} cannot be {getattr(training, name)!r}")
