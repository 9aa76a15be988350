"""The models that recipes and checkpoints name: a config and a network for each."""

from typing import Any

from fingerpost.trainer.models.pocket import Pocket, PocketConfig
from fingerpost.trainer.models.uni_sign import UniSign, UniSignConfig

MODELS: dict[str, tuple[Any, Any]] = {
    "pocket": (PocketConfig, Pocket),
    "uni_sign": (UniSignConfig, UniSign),
}
