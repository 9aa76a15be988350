"""What a recipe would do, before it does it: shapes, parameters, memory, steps."""

import resource
import sys
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fingerpost.trainer.feed import Order, PreparedClips, training_batches
from fingerpost.trainer.recipe import Recipe
from fingerpost.trainer.train import build, load_data, start, steps_of, take_step

FLOAT_BYTES = 4


def dry_run(recipe: Recipe) -> dict[str, Any]:
    """Takes one step, with the longest clips, and keeps nothing of it.

    Returns counts, shapes, bytes and seconds. Memory is what weights, gradients, the optimiser's
    two means and the running mean of the weights need, and what was measured in that step.
    """
    accelerator = start(recipe)
    task, clips, val = load_data(recipe)
    before = _resident_bytes()
    model, optimizer, _, order = build(recipe, task, clips, accelerator)
    n_steps = steps_of(recipe.training, order)
    longest = np.argsort(clips.n_frames)[::-1][: recipe.training.batch].copy()
    one_step = Order(clips.n_frames[longest], len(longest), 1, recipe.seed)
    prepared = PreparedClips(_Chosen(clips, longest), task, cache=False)  # type: ignore[arg-type]
    batch = next(training_batches(prepared, one_step, 1, 1, workers=0))
    begun = time.perf_counter()
    figures = take_step(accelerator, task, model, optimizer, recipe.training, [batch])
    seconds = time.perf_counter() - begun
    network: Any = accelerator.unwrap_model(model)
    learned = sum(p.numel() for p in network.parameters() if p.requires_grad)
    whole = sum(p.numel() for p in network.parameters())
    copies = 1 + (1 if recipe.training.ema else 0)
    return {
        "task": recipe.task,
        "model": type(network).__name__,
        "clips": {"train": len(clips), "val": len(val) if val is not None else 0},
        "parameters": whole,
        "parameters_that_learn": learned,
        "parts": _parts(network),
        "batch": _shapes(batch.inputs),
        "clips_of_a_step": order.batch * order.accumulation * order.n_processes,
        "steps": n_steps,
        "epochs": round(n_steps / order.steps_per_epoch, 2),
        "processes": order.n_processes,
        "device": str(accelerator.device),
        "weights_bytes": FLOAT_BYTES * (copies * whole + 3 * learned),
        "peak_bytes": _peak_bytes(before, accelerator.device),
        "seconds_of_first_step": seconds,
        "first_loss": figures["loss"],
    }


class _Chosen:
    """Some clips of a split, by their numbers."""

    def __init__(self, clips: Any, numbers: np.ndarray) -> None:
        self._clips, self._numbers = clips, numbers

    def __getitem__(self, i: int) -> Any:
        return self._clips[int(self._numbers[i])]


def _parts(network: nn.Module) -> dict[str, int]:
    sizes = {name: sum(p.numel() for p in part.parameters()) for name, part in _children(network)}
    return {name: size for name, size in sizes.items() if size}


def _children(network: nn.Module) -> list[tuple[str, nn.Module]]:
    return list(network.named_children())


def _shapes(inputs: Mapping[str, Any]) -> dict[str, Any]:
    shapes: dict[str, Any] = {}
    for name, value in inputs.items():
        if isinstance(value, Tensor):
            shapes[name] = list(value.shape)
        elif hasattr(value, "_asdict"):
            shapes |= {f"{name}.{k}": v for k, v in _shapes(value._asdict()).items()}
    return shapes


def _resident_bytes() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _peak_bytes(before: int, device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return _resident_bytes() - before
