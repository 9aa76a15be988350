"""Other people's weights, opened so that nothing in the file can run."""

import hashlib
import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

_CHUNK = 1 << 24  # bytes; weights may be larger than memory has room for twice


def read_plain_tensors(file: Path) -> dict[str, Tensor]:
    """Names to tensors, floating point as float32.

    file : .safetensors, or what ``torch.save`` wrote: a state dict, or one under "model"

    FileNotFoundError, or ValueError in one line where the file holds anything else.
    """
    if not file.is_file():
        raise FileNotFoundError(f"no file {file}")
    content = _open(file)
    state = content.get("model", content) if isinstance(content, dict) else None
    if not state or not isinstance(state, dict):
        raise ValueError(f'{file} is no checkpoint: expected names to tensors, or {{"model": …}}')
    if wrong := [name for name, value in state.items() if not isinstance(value, Tensor)]:
        raise ValueError(f"{file} is no checkpoint: {wrong[0]} in it is not a tensor")
    return {name: v.float() if v.is_floating_point() else v for name, v in state.items()}


def sha256_of(file: Path) -> str:
    """The hash of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _open(file: Path) -> Any:
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        return torch.load(file, map_location="cpu", weights_only=True)
    except (  # the last two: what the unpickler makes of bytes that are no pickle at all
        *(pickle.UnpicklingError, RuntimeError, EOFError, SafetensorError),
        *(LookupError, ValueError),
    ) as error:
        raise ValueError(f"{file} does not open as plain tensors; nothing of it was run") from error
