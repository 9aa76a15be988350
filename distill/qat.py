"""Fine-tuning a network for the numbers a device will keep, where rounding them costs too much.

    recipe = recipe_for(Path("runs/pocket"), Scheme("int4"), steps=1000)
    train_quantised(recipe, Path("runs/pocket_int4"), graphs_of)

"Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference"
(Jacob et al., 2018), Sec. 3: the forward pass rounds as the device will, the weights stay float and
take the gradients as they come. The trainer's own loop does it, so a checkpoint comes out like any
other: its weights are float32, and rounding them costs less. What is validated is the rounded
network.

torchao's pt2e (``prepare_qat_pt2e``) cannot serve here: it trains one exported graph, and
``torch.export`` of the pocket translator stops where its losses choose clips by what is known of
them (``gloss_losses``); nor could an exported graph be asked for answers. torchao's other way,
modules of its own in the place of the network's, knows no convolutions. So the layers are those of
``fake_quant``.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from torch import nn

from fingerpost.distill.fake_quant import Ranges, kinds_of, layers_of, quantise
from fingerpost.distill.scheme import Scheme
from fingerpost.trainer.checkpoint import load_checkpoint, resolve_checkpoint
from fingerpost.trainer.models.pocket_graphs import Graph
from fingerpost.trainer.network import PlainScaffold, Scaffold
from fingerpost.trainer.recipe import Recipe, convert
from fingerpost.trainer.tasks.task import Task
from fingerpost.trainer.train import Report, say_nothing, train

LR_SHARE = 0.1  # of the learning rate that the network was trained at
WARMUP = 0.05
N_VALIDATIONS = 5


class Quantise(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """kind : of ``KINDS``; keep : layers that stay float32, of ``Scheme.keep``"""

    kind: str
    keep: tuple[str, ...] = ()


class QuantisedRecipe(Recipe, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A training of a network whose numbers are rounded."""

    quantise: Quantise

    @property
    def scheme(self) -> Scheme:
        return Scheme(self.quantise.kind, frozenset(self.quantise.keep))


def recipe_for(
    checkpoint: Path,
    scheme: Scheme,
    steps: int,
    lr: float = 0.0,
    shards: Sequence[str] = (),
) -> QuantisedRecipe:
    """How a checkpoint was trained, for so many steps more with its numbers rounded.

    checkpoint : its folder, or that of a training
    lr : 0 = ``LR_SHARE`` of what it was
    shards : () = those that it was trained on

    ValueError for a checkpoint that no recipe made.
    """
    checkpoint = resolve_checkpoint(checkpoint)
    _, info, _ = load_checkpoint(checkpoint)
    if "recipe" not in info:
        raise ValueError(
            f"{checkpoint} was not made by `fingerpost train`: its config.json has no recipe"
        )
    if steps < 1:
        raise ValueError(f"steps are at least 1, got {steps}")
    # One of a distillation has tables of its own: nobody teaches here.
    own = {field.name for field in msgspec.structs.fields(Recipe)}
    tables = {name: value for name, value in info["recipe"].items() if name in own}
    before = convert(tables, Recipe, str(checkpoint))
    training = msgspec.structs.replace(
        before.training,
        **{"steps": steps, "epochs": 0, "lr": lr or LR_SHARE * before.training.lr},
        **{"warmup": WARMUP, "schedule": "cosine"},
        **{"validate_every": max(1, steps // N_VALIDATIONS), "save_every": 0},
    )
    data = before.data
    if shards:
        data = msgspec.structs.replace(data, train=tuple(shards), val=())
    # The checkpoint has its tokenizer with it; where the recipe's lay, there may be none now.
    settings = {name: value for name, value in before.settings.items() if name != "tokenizer"}
    changed: dict[str, Any] = {
        **{"training": training, "data": data, "settings": settings},
        **{"start_from": str(checkpoint), "fresh": (), "lora": type(before.lora)()},
        "quantise": Quantise(kind=scheme.kind, keep=tuple(sorted(scheme.keep))),
    }
    unchanged = {name: getattr(before, name) for name in own - changed.keys()}
    return QuantisedRecipe(**unchanged, **changed)


def train_quantised(
    recipe: QuantisedRecipe,
    out: Path,
    graphs_of: Callable[[Any], Mapping[str, Graph]],
    ranges: Ranges | None = None,
    report: Report = say_nothing,
) -> dict[str, float]:
    """Trains, or goes on from where ``out`` stands; returns the figures of the best validation.

    graphs_of : what a device runs of the network, which names its layers
    ranges : for int8-static, of ``input_ranges``; without them each batch has its own

    ValueError for whatever a user can put right.
    """
    return train(recipe, out, report, _Rounded(recipe.scheme, graphs_of, ranges))


class _Rounded:
    """An ``Around``: the network's layers are made to round, and nothing else is changed."""

    def __init__(
        self,
        scheme: Scheme,
        graphs_of: Callable[[Any], Mapping[str, Graph]],
        ranges: Ranges | None,
    ) -> None:
        self._scheme, self._graphs_of, self._ranges = scheme, graphs_of, ranges

    def task(self, task: Task) -> Task:
        return task

    def network(self, network: nn.Module) -> Scaffold:
        layers = layers_of(self._graphs_of(network))
        if set(kinds_of(layers, self._scheme).values()) <= {"none"}:
            raise ValueError("nothing of the network would be rounded: give a scheme that does")
        quantise(layers, self._scheme, self._ranges)
        return PlainScaffold(network)
