"""Checkpoints: a folder with model.safetensors, config.json and metrics.json, and nothing guessed.

config.json names the model of ``MODELS`` and the fields of its config, beside what a user of the
weights must know (vocabulary, licence of the data); metrics.json says what was measured, and how.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from fingerpost.trainer.models import MODELS

WEIGHTS, CONFIG, METRICS = "model.safetensors", "config.json", "metrics.json"


def save_checkpoint(
    folder: Path, model: Any, info: dict[str, Any], metrics: dict[str, Any]
) -> None:
    """Writes the three files, each whole or not at all; config.json last, for it makes them valid.

    info : what goes into config.json beside the model's name and its own config
    """
    name = next((n for n, (_, kind) in MODELS.items() if type(model) is kind), None)
    if name is None:
        raise ValueError(f"{type(model).__name__} is no model of {', '.join(MODELS)}")
    folder.mkdir(parents=True, exist_ok=True)
    weights = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    partial = folder / (WEIGHTS + ".partial")
    save_file(weights, partial)
    partial.replace(folder / WEIGHTS)
    _write_json(folder / METRICS, metrics)
    _write_json(folder / CONFIG, {"model": name, "config": asdict(model.config), **info})


def load_checkpoint(folder: Path) -> tuple[nn.Module, dict[str, Any], dict[str, Any]]:
    """The model in eval mode, config.json and metrics.json.

    ValueError where a file is missing or damaged, or the weights are not those of the config.
    """
    for file in (WEIGHTS, CONFIG, METRICS):
        if not (folder / file).is_file():
            raise ValueError(f"{folder} is no checkpoint: it has no {file}")
    info, metrics = _read_json(folder / CONFIG), _read_json(folder / METRICS)
    name = info.get("model")
    if name not in MODELS:
        raise ValueError(f"{folder}: unknown model {name!r}; known: {', '.join(MODELS)}")
    config_type, model_type = MODELS[name]
    try:
        model = model_type(config_type(**info["config"]))
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ValueError(
            f"{folder}: {WEIGHTS} is damaged or not of the {name} that {CONFIG} describes; "
            "train it again"
        ) from error
    return model.eval(), info, metrics


def resolve_checkpoint(folder: Path) -> Path:
    """The checkpoint in a folder: itself, or in that of a training the best, else the last one."""
    if (folder / CONFIG).is_file():
        return folder
    for kind in ("best", "last"):
        found = sorted(folder.glob(f"{kind}-[0-9]*"), key=lambda path: int(path.name[5:]))
        if found:
            return found[-1]
    return folder


def push_checkpoint(folder: Path, name: str, private: bool = True) -> str:
    """Uploads a checkpoint to huggingface.co, as ``owner/name``; returns its address.

    private : nobody else can see it, until its owner says so there
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    load_checkpoint(folder)  # what cannot be loaded is not shared
    api = HfApi()
    try:
        address = api.create_repo(name, private=private, exist_ok=True)
        api.upload_folder(repo_id=name, folder_path=folder)
    except HfHubHTTPError as error:
        raise ValueError(
            f"huggingface.co did not take {name}: {str(error).splitlines()[0]}; log in with "
            "`hf auth login`"
        ) from error
    return str(address)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is not a JSON object")
    return content


def _write_json(path: Path, content: dict[str, Any]) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)
