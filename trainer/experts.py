"""Experts of SIGNET: pose encoders out of checkpoints, each with the spoken language it learned by.

    experts = open_experts({"ase": "runs/signet_ase", "csl": "imported/uni_sign"})
    reader = reader_for("de", experts, {"ase": "en", "csl": "zh"})  # a name, and whether it is seen

"SIGNET: Motion-Level Knowledge Transfer for Cross-Language Sign Language Translation", Sec. 3.3 and
3.7. A checkpoint of Stage I is one of the task ``translation``; an imported Uni-Sign is one too.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fingerpost.trainer.checkpoint import CONFIG, load_checkpoint, resolve_checkpoint
from fingerpost.trainer.models.common import PoseEncoder
from fingerpost.trainer.models.signet import Signet
from fingerpost.trainer.models.uni_sign import UniSign


def without(folders: Mapping[str, str], leave_out: Sequence[str]) -> dict[str, str]:
    """The folders of experts, by name, but for some. ValueError for a name that is no expert's."""
    unknown = [name for name in leave_out if name not in folders]
    if unknown:
        raise ValueError(
            f"settings.leave_out: no expert {unknown[0]!r}; there are {', '.join(folders)}"
        )
    kept = {name: folder for name, folder in folders.items() if name not in leave_out}
    if not kept:
        raise ValueError(
            'settings.experts: give checkpoints of Stage I, such as {ase = "runs/signet_ase"}, '
            "and do not leave all of them out"
        )
    return kept


def open_experts(folders: Mapping[str, str], reader: str = "") -> dict[str, UniSign]:
    """The checkpoints of Stage I, by the names of experts, in the order given.

    folders : a checkpoint, or a training's folder, for each name
    reader : whose language model goes on: the others' are let go, for each of them may be 2.3 GB;
        "" = all are kept

    ValueError, in one line, where a folder is no checkpoint of the sort.
    """
    experts = {}
    for name, folder in folders.items():
        experts[name] = _expert(name, Path(folder))
        if reader and name != reader:
            experts[name].language_model = None
    return experts


def open_signet(folder: Path) -> Signet | None:
    """The network of a checkpoint, where it is a SIGNET; None where it is another model's."""
    checkpoint = resolve_checkpoint(folder)
    if not (checkpoint / CONFIG).is_file():
        raise ValueError(f"{folder} is no checkpoint: train it first, or name another")
    network, _, _ = load_checkpoint(checkpoint)
    return network if isinstance(network, Signet) else None


def reader_for(
    text_language: str,
    names: Sequence[str],
    spoken: Mapping[str, str],
    chosen: str = "",
    draw: int = 0,
) -> tuple[str, bool]:
    """Whose language model goes on, and whether it has learned the language (Sec. 3.7).

    text_language : code of the corpus's texts, such as de
    names : of the experts
    spoken : the code that each learned by; one that is not named is not known to have seen any
    chosen : a name, to be asked whatever it has seen; "" = the first expert that has seen the
        language, or else one drawn at random
    draw : a seed

    ValueError for a name that is no expert's.
    """
    unknown = [name for name in (*spoken, chosen) if name and name not in names]
    if unknown:
        raise ValueError(
            f"settings: no expert {unknown[0]!r} in spoken or reader; there are {', '.join(names)}"
        )
    seen = [name for name in names if text_language and spoken.get(name) == text_language]
    if chosen:
        return chosen, chosen in seen
    if seen:
        return seen[0], True
    return names[int(np.random.default_rng(draw).integers(len(names)))], False


def hash_of_expert(encoder: PoseEncoder) -> str:
    """Of its weights, running averages and form; hexadecimal. Wherever the weights are kept."""
    made = hashlib.sha256(repr(encoder.placed).encode())
    for name, tensor in sorted(encoder.state_dict().items()):
        made.update(f"{name} {tuple(tensor.shape)}".encode())
        made.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return made.hexdigest()


def _expert(name: str, folder: Path) -> UniSign:
    checkpoint = resolve_checkpoint(folder)
    if not (checkpoint / CONFIG).is_file():
        raise ValueError(
            f"settings.experts: {folder} of {name} is no checkpoint; train it by signet_stage1, or "
            "import a Uni-Sign"
        )
    network: Any = load_checkpoint(checkpoint)[0]
    if type(network) is not UniSign:
        raise ValueError(
            f"settings.experts: {folder} of {name} is a {type(network).__name__}; an expert is a "
            "Uni-Sign, such as signet_stage1 trains"
        )
    return network
