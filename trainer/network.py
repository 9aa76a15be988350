"""The network of a recipe: its first weights, what of it learns, and adapters (LoRA, DoRA)."""

import copy
from pathlib import Path
from typing import Any

from torch import nn

from fingerpost.trainer.checkpoint import load_checkpoint, resolve_checkpoint
from fingerpost.trainer.recipe import Lora, Recipe
from fingerpost.trainer.tasks.task import Task


def new_network(recipe: Recipe, task: Task) -> nn.Module:
    """Random weights, those of ``start_from``, or those that the model's fields name."""
    network = task.new_model(recipe.model)
    if recipe.start_from:
        take_weights(network, Path(recipe.start_from), recipe.fresh)
    if recipe.lora.rank:
        add_adapters(network, recipe.lora)
    for prefix in recipe.frozen:
        _freeze(network, prefix)
    return network


class Scaffold(nn.Module):
    """A network inside another one that helps it to learn: only ``inner`` is validated and kept."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner


class PlainScaffold(Scaffold):
    """One that adds nothing."""

    def forward(self, *inputs: Any, **named: Any) -> Any:
        return self.inner(*inputs, **named)


def bare(network: nn.Module) -> nn.Module:
    """The network without its scaffold; itself where it has none."""
    return network.inner if isinstance(network, Scaffold) else network


def take_weights(network: nn.Module, folder: Path, fresh: tuple[str, ...] = ()) -> None:
    """The weights of a checkpoint, but for parameters whose names start with one of ``fresh``.

    ValueError, in one line, where the others are not the network's.
    """
    other, _, _ = load_checkpoint(resolve_checkpoint(folder))
    there = {k: v for k, v in other.state_dict().items() if not k.startswith(fresh or ("\0",))}
    here = network.state_dict()
    wanted = {name for name in here if not name.startswith(fresh or ("\0",))}
    wrong = sorted(wanted ^ set(there))
    wrong += [name for name in wanted & set(there) if here[name].shape != there[name].shape]
    if wrong:
        raise ValueError(
            f"start_from: {wrong[0]} of {folder} does not fit the recipe's model"
            f"{f', nor {len(wrong) - 1} more' if len(wrong) > 1 else ''}; make the model the "
            "same, or name in `fresh` what is to be learned anew"
        )
    network.load_state_dict({**here, **there})
    took_weights: Any = getattr(network, "took_weights", None)
    if took_weights is not None:  # a part of it may start as another part, which is known now
        took_weights(fresh)


def add_adapters(network: nn.Module, lora: Lora) -> None:
    """Puts adapters on the linear layers named; but for them, only ``lora.train`` learns."""
    from peft import LoraConfig, inject_adapter_in_model

    learns = [n for n, _ in network.named_parameters() if n.startswith(lora.train or ("\0",))]
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        use_dora=lora.dora,
        target_modules=_layers(network, lora),
    )
    try:
        inject_adapter_in_model(config, network)
    except ValueError as error:
        raise ValueError(f"lora.modules: {str(error).splitlines()[0]}") from error
    for name, parameter in network.named_parameters():
        parameter.requires_grad = "lora_" in name or name in learns


def merged(network: nn.Module) -> nn.Module:
    """The network with its adapters added into the matrices; itself where it has none."""
    from peft.tuners.lora import LoraLayer

    if not any(isinstance(module, LoraLayer) for module in network.modules()):
        return network
    plain = copy.deepcopy(network)
    for name, module in list(plain.named_modules()):
        if isinstance(module, LoraLayer):
            layer: Any = module
            layer.merge()
            parent, _, own = name.rpartition(".")
            setattr(plain.get_submodule(parent), own, layer.get_base_layer())
    return plain


def _layers(network: nn.Module, lora: Lora) -> list[str]:
    """Names of the layers that get an adapter, or how these names end."""
    if not lora.within:
        return list(lora.modules)
    names = [name for name, _ in network.named_modules() if name.startswith(lora.within)]
    chosen = [name for name in names if name.rpartition(".")[2] in lora.modules]
    if not chosen:
        raise ValueError(
            f"lora.within: no layer {' or '.join(lora.modules)} in {' or '.join(lora.within)}"
        )
    return chosen


def to_learn(network: nn.Module) -> None:
    """Like ``train()``, but the running averages of what is frozen stay as they are, too."""
    network.train()
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.weight is not None:
            module.train(module.weight.requires_grad)


def _freeze(network: nn.Module, prefix: str) -> None:
    chosen = [p for name, p in network.named_parameters() if name.startswith(prefix)]
    if not chosen:
        raise ValueError(f"frozen: no parameter starts with {prefix!r}")
    for parameter in chosen:
        parameter.requires_grad = False
