"""The models that recipes and checkpoints name: a config and a network for each."""

from typing import Any

from fingerpost.trainer.models.pocket import Pocket, PocketConfig

MODELS: dict[str, tuple[Any, Any]] = {"pocket": (PocketConfig, Pocket)}
