"""What a model is trained to do: how clips become batches, batches a loss, and answers figures.

The loop (``train.py``) and the evaluation know no model and no paper: all that differs between them
is behind these methods.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from fingerpost.trainer.predictions import Prediction
from fingerpost.trainer.shards import Clip


@dataclass
class Batch:
    """inputs : what the network is called with
    weight : how many labels or tokens the loss is the mean of
    clips : what ``Task.prepare`` made of each clip, for the answers
    figures : what ``Task.losses`` found that a log should say, beside the terms of the loss
    """

    inputs: dict[str, Any]
    weight: int
    clips: list[Any] = field(default_factory=list)
    figures: dict[str, Tensor] = field(default_factory=dict)

    def to(self, device: Any) -> "Batch":
        moved = {k: _to(v, device) for k, v in self.inputs.items()}
        return Batch(moved, self.weight, self.clips)


class Task(Protocol):
    """best : the figure of validation by which weights are chosen, such as ``text.bleu4``."""

    best: str

    @classmethod
    def from_data(cls, settings: dict[str, Any], clips: Any, start: Path | None) -> "Task":
        """Learns what it must know of the training clips: a vocabulary, a tokenizer.

        start : the checkpoint that the training starts from
        """

    @classmethod
    def from_checkpoint(cls, folder: Path, info: dict[str, Any]) -> "Task":
        """As it was when the checkpoint was made."""

    def save(self, folder: Path) -> dict[str, Any]:
        """Writes its files, and returns what belongs into config.json."""

    def new_model(self, fields: dict[str, Any]) -> nn.Module:
        """A network with random weights, or those that ``fields`` name."""

    def prepare(self, clip: Clip) -> Any:
        """What is the same in each epoch. ValueError for a clip that cannot be used."""

    def batch(self, clips: Sequence[Any], draws: Sequence[int] | None, at_least: int) -> Batch:
        """Prepared clips as tensors.

        draws : a seed for each clip's augmentation; None = unchanged
        at_least : frames that the batch must have, so that all processes fill up alike
        """

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """The terms of the loss, each weighted: their sum is what is learned from."""

    def predict(self, model: nn.Module, batch: Batch) -> dict[str, list[Prediction]]:
        """Answers by kind: ``isolated``, ``glosses`` or ``text``."""


def _to(value: Any, device: Any) -> Any:
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, tuple) and hasattr(value, "_fields"):  # a NamedTuple of tensors
        return type(value)(*(_to(part, device) for part in value))
    return value
