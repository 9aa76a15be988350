"""What a training writes as it goes: its state, and the checkpoint with the best validation."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from torch import nn
from torch.optim.swa_utils import AveragedModel

from fingerpost.trainer.checkpoint import save_checkpoint
from fingerpost.trainer.evaluation import LOWER_IS_BETTER
from fingerpost.trainer.network import bare, merged
from fingerpost.trainer.recipe import Recipe, as_tables
from fingerpost.trainer.tasks.task import Task
from fingerpost.trainer.train_state import (
    BEST,
    LAST,
    STATE,
    begin_folder,
    finish_folder,
    newest,
    step_of,
)


@dataclass
class Keeper:
    """Writes states and checkpoints, and knows which validation was the best.

    holder : the model, or its running mean
    """

    recipe: Recipe
    out: Path
    task: Task
    hashes: dict[str, str]
    accelerator: Accelerator
    holder: nn.Module

    def __post_init__(self) -> None:
        self.best: dict[str, float] = {}
        self.accelerator.register_for_checkpointing(self)

    @property
    def weights(self) -> Any:
        """The network that is validated and kept."""
        if isinstance(self.holder, AveragedModel):
            return bare(self.holder.module)
        return bare(self.accelerator.unwrap_model(self.holder))

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "data": self.hashes}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if state["data"] != self.hashes:
            raise ValueError(
                f"{self.out} was begun with other clips: the shards have changed since; give a new "
                "folder with -o"
            )
        self.best = state["best"]

    def resume(self) -> int:
        """The step of the state that was loaded; 0 where there was none."""
        state = newest(self.out, STATE)
        if state is None:
            return 0
        self.accelerator.load_state(str(state))
        return step_of(state)

    def save_state(self, step: int) -> None:
        """All processes write to one folder, which the main one makes and names."""
        partial = self.out / f"{STATE}.partial"
        if self.accelerator.is_main_process:
            begin_folder(self.out, STATE)
        self.accelerator.wait_for_everyone()
        self.accelerator.save_state(str(partial))
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            finish_folder(self.out, STATE, step)

    def keep_best(self, step: int, measured: dict[str, float]) -> None:
        """Writes a checkpoint if this validation is the best so far."""
        name = self.recipe.training.best or self.task.best
        if name not in measured:
            raise ValueError(f"training.best: no figure {name!r}; there are {', '.join(measured)}")
        sign = -1 if name.rpartition(".")[2] in LOWER_IS_BETTER else 1
        if self.best and sign * measured[name] <= sign * self.best[name]:
            return
        self.best = {**measured, "step": step}
        self._write(BEST, step, self.best)

    def keep_last(self, step: int, measured: dict[str, float]) -> None:
        self.best = measured
        self._write(LAST, step, measured)

    def _write(self, kind: str, step: int, metrics: dict[str, float]) -> None:
        if not self.accelerator.is_main_process:
            return
        folder = begin_folder(self.out, kind)
        info = {"task": self.recipe.task, **self.task.save(folder), "data": self.hashes}
        info["recipe"] = as_tables(self.recipe)
        save_checkpoint(folder, merged(self.weights), info, {"validation": metrics})
        finish_folder(self.out, kind, step)
