"""The authors' published Uni-Sign weights, pose-only, as a checkpoint of ours.

python -m fingerpost.trainer.import_uni_sign FILE.pth -o FOLDER --language Chinese

Every entry of their file is accounted for, or the import fails; the file is opened as plain
tensors, so nothing in it can run.
"""

import argparse
import hashlib
import pickle
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fingerpost.trainer.checkpoint import save_checkpoint
from fingerpost.trainer.models.uni_sign import UniSign, UniSignConfig

ORIGIN = "https://github.com/ZechengLi19/Uni-Sign"

_PARTS = {"body": "body", "right": "hand", "face_all": "face"}
_THEIR_LANGUAGE_MODEL = "mt5_model."
_OF_THE_RGB_BRANCH = ("rgb_", "fusion_pose_rgb", "fusion_gate")
_BLOCK_NAMES = {  # of ST-GCN layers, theirs to ours
    "gcn.A": "graph.adjacency",
    "gcn.conv": "graph",
    "gcn.bn": "graph.norm",
    "tcn.0": "temporal",
    "tcn.1": "temporal_norm",
    "residual.0": "residual",
    "residual.1": "residual_norm",
}


def import_uni_sign(file: Path, label_smoothing: float = 0.2) -> UniSign:
    """The model of one of the authors' pose-only checkpoint files, in eval mode, float32.

    ValueError, in one line, where the file holds anything else.
    """
    try:
        return uni_sign_from(_read(file), label_smoothing)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def uni_sign_from(theirs: dict[str, Tensor], label_smoothing: float = 0.2) -> UniSign:
    """The model of the authors' state dict, float32."""
    rgb = [name for name in theirs if name.startswith(_OF_THE_RGB_BRANCH)]
    if rgb:
        raise ValueError(
            f"an RGB-pose checkpoint ({len(rgb)} entries such as {rgb[0]}); give a pose-only one"
        )
    _check_left_is_right(theirs)
    ours, unknown = {}, []
    for name, tensor in theirs.items():
        if name.startswith(_THEIR_LANGUAGE_MODEL):
            ours["language_model." + name.removeprefix(_THEIR_LANGUAGE_MODEL)] = tensor
        elif (our_name := our_name_of(name)) is not None:
            ours[our_name] = _reshaped(our_name, tensor)
        elif ".left." not in name:  # that is the right hand again
            unknown.append(name)
    if unknown:
        raise ValueError(f"entries that Uni-Sign does not have: {', '.join(unknown[:3])}")

    language_model = language_model_of(ours)
    tied = _equal(ours, "language_model.shared.weight", "language_model.lm_head.weight")
    model = UniSign(UniSignConfig(language_model, tied=tied, label_smoothing=label_smoothing))
    try:
        model.load_state_dict(ours, strict=True)
    except RuntimeError as error:  # torch's own list of what is missing, one entry a line
        reason = " ".join(line.strip() for line in str(error).splitlines())
        raise ValueError(f"not all of Uni-Sign, or of another shape: {reason[:400]}") from error
    return model.eval()


def our_name_of(name: str) -> str | None:
    """What an entry of the authors' pose encoder is called here; None where it is not one."""
    whole = {
        "part_para": "poses.part_vector",
        "pose_proj.weight": "poses.projection.weight",
        "pose_proj.bias": "poses.projection.bias",
    }
    if name in whole:
        return whole[name]
    if found := re.fullmatch(r"proj_linear\.(\w+)\.(weight|bias)", name):
        part, kind = found.groups()
        return f"poses.parts.{_PARTS[part]}.embedding.{kind}" if part in _PARTS else None
    found = re.fullmatch(r"(gcn|fusion_gcn)_modules\.(\w+)\.layer(\d)_(\d)\.(.+)", name)
    if not found or found[2] not in _PARTS:
        return None
    chain, part, stage, depth, rest = found.groups()
    stem, _, kind = rest.rpartition(".")
    block = _BLOCK_NAMES.get(rest) or (
        f"{_BLOCK_NAMES[stem]}.{kind}" if stem in _BLOCK_NAMES else ""
    )
    if not block:
        return None
    level = "spatial" if chain == "gcn" else "temporal"  # one of the two numbers is always 0
    return f"poses.parts.{_PARTS[part]}.{level}.{int(stage) + int(depth)}.{block}"


def language_model_of(state: dict[str, Tensor]) -> dict[str, Any]:
    """The configuration of the mT5 that weights belong to, read off their shapes."""
    prefix = "language_model."
    first = prefix + "encoder.block.0.layer."
    needed = {
        "shared": prefix + "shared.weight",
        "query": first + "0.SelfAttention.q.weight",
        "bias": first + "0.SelfAttention.relative_attention_bias.weight",
        "gate": first + "1.DenseReluDense.wi_0.weight",
    }
    missing = [name for name in needed.values() if name not in state]
    if missing:
        raise ValueError(f"no mT5 in it: {missing[0]} is missing")
    shapes = {key: state[name].shape for key, name in needed.items()}
    n_buckets, n_heads = shapes["bias"]
    return {
        "model_type": "mt5",
        "vocab_size": shapes["shared"][0],
        "d_model": shapes["shared"][1],
        "d_kv": shapes["query"][0] // n_heads,
        "d_ff": shapes["gate"][0],
        "num_heads": n_heads,
        "num_layers": _count(state, prefix + "encoder.block."),
        "num_decoder_layers": _count(state, prefix + "decoder.block."),
        "relative_attention_num_buckets": n_buckets,
        "feed_forward_proj": "gated-gelu",
    }


def _read(file: Path) -> dict[str, Tensor]:
    if not file.is_file():
        raise FileNotFoundError(f"no file {file}")
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError) as error:
        raise ValueError("does not open as plain tensors; nothing of it was run") from error
    state = content.get("model", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise ValueError('no checkpoint: expected {"model": names to tensors}')
    return {name: v.float() if v.is_floating_point() else v for name, v in state.items()}


def _check_left_is_right(state: dict[str, Tensor]) -> None:
    """The authors' two hands are one module, stored twice."""
    for name in state:
        if ".left." in name and not _equal(state, name, name.replace(".left.", ".right.")):
            raise ValueError(f"{name} is not that of the right hand, as Uni-Sign's are")


def _reshaped(our_name: str, tensor: Tensor) -> Tensor:
    """Their 1x1 convolutions are matrices here, and their (5, 1) kernels (1, 5) ones."""
    if our_name.endswith(("graph.weight", "graph.bias")):  # (2 D, C, 1, 1), (2 D,)
        return tensor.reshape(2, -1, *tensor.shape[1:2])
    if our_name.endswith("temporal.weight") and tensor.dim() == 4:
        return tensor.transpose(2, 3).contiguous()
    if our_name.endswith("residual.weight"):
        return tensor.flatten(1)
    return tensor


def _equal(state: dict[str, Tensor], one: str, other: str) -> bool:
    return one in state and other in state and torch.equal(state[one], state[other])


def _count(state: dict[str, Tensor], prefix: str) -> int:
    found = {name.removeprefix(prefix).split(".")[0] for name in state if name.startswith(prefix)}
    return len(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("file", type=Path, help="the authors' .pth")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--language", required=True, help="of its texts, as its prompt names it")
    given = parser.parse_args()
    try:
        model = import_uni_sign(given.file)
    except (ValueError, FileNotFoundError) as error:
        parser.error(str(error))
    sha256 = hashlib.sha256(given.file.read_bytes()).hexdigest()
    info = {"language": given.language, "preprocess": "uni_sign", "origin": ORIGIN}
    save_checkpoint(given.output, model, info, {"imported": {"sha256": sha256}})
    print(f"{given.output}: {sum(p.numel() for p in model.parameters()):,} parameters")


if __name__ == "__main__":
    main()
