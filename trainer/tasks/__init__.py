"""The tasks that recipes and checkpoints name: one file each, and one row here."""

from typing import Any

from fingerpost.trainer.tasks.found import FoundTask
from fingerpost.trainer.tasks.found_signs import FoundSignsTask
from fingerpost.trainer.tasks.isolated import Isolated
from fingerpost.trainer.tasks.ms_mae import MsMaePretraining
from fingerpost.trainer.tasks.ms_mae_translation import MsMaeTranslation
from fingerpost.trainer.tasks.pocket_translation import PocketTranslation
from fingerpost.trainer.tasks.sigma import SigmaPretraining, SigmaTranslation
from fingerpost.trainer.tasks.signet import SignetTranslation
from fingerpost.trainer.tasks.signet_alignment import SignetAlignment
from fingerpost.trainer.tasks.translation import Translation

TASKS: dict[str, Any] = {
    "found": FoundTask,
    "found_signs": FoundSignsTask,
    "isolated": Isolated,
    "ms_mae": MsMaePretraining,
    "ms_mae_translation": MsMaeTranslation,
    "pocket_translation": PocketTranslation,
    "sigma": SigmaTranslation,
    "sigma_pretraining": SigmaPretraining,
    "signet": SignetTranslation,
    "signet_alignment": SignetAlignment,
    "translation": Translation,
}


def find_task(name: str) -> Any:
    """The class of a task of ``TASKS``."""
    if name not in TASKS:
        raise ValueError(f"unknown task {name!r}; known: {', '.join(TASKS)}")
    return TASKS[name]
