"""The authors' published Uni-Sign weights, pose-only or RGB-pose, as a checkpoint of ours.

fingerpost import uni-sign FILE.pth -o FOLDER --language Chinese

    model = import_uni_sign(Path("FILE.pth"))  # in eval mode
    embeds, mask = model.embed(keypoints, frame_mask, prompt)  # pose-only
    embeds, mask = model.embed(keypoints, frame_mask, prompt, hands_of_batch(batch))  # RGB-pose

Every entry of their file is accounted for, or the import fails; the file is opened as plain
tensors, so nothing in it can run.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fingerpost.trainer.checkpoint import save_checkpoint
from fingerpost.trainer.models.uni_sign import UniSign, UniSignConfig
from fingerpost.trainer.models.uni_sign_rgb import WIDTH, HandCrops, HandPictures
from fingerpost.trainer.plain_tensors import read_plain_tensors, sha256_of
from fingerpost.trainer.tasks.translation import KINDS, Settings, Translation
from fingerpost.trainer.text_tokenizer import check_pieces, load_tokenizer

ORIGIN = "https://github.com/ZechengLi19/Uni-Sign"

_PARTS = {"body": "body", "right": "hand", "face_all": "face"}
_THEIR_LANGUAGE_MODEL = "mt5_model."
_BLOCK_NAMES = {  # of ST-GCN layers, theirs to ours
    "gcn.A": "graph.adjacency",
    "gcn.conv": "graph",
    "gcn.bn": "graph.norm",
    "tcn.0": "temporal",
    "tcn.1": "temporal_norm",
    "residual.0": "residual",
    "residual.1": "residual_norm",
}
_ATTENTION = "fusion_pose_rgb_DA"
_RGB_NAMES = {  # how entries of the RGB branch begin, theirs to ours
    "rgb_support_backbone.0": "backbone",
    "rgb_proj": "project",
    f"{_ATTENTION}.to_q": "attention.query",
    f"{_ATTENTION}.to_k": "attention.key",
    f"{_ATTENTION}.to_v": "attention.value",
    f"{_ATTENTION}.to_out": "attention.out",
    f"{_ATTENTION}.to_offsets": "attention.offset",
    f"{_ATTENTION}.rel_pos_bias.mlp.0.0": "attention.distance.0",
    f"{_ATTENTION}.rel_pos_bias.mlp.1.0": "attention.distance.2",
    f"{_ATTENTION}.rel_pos_bias.mlp.2": "attention.distance.4",
    f"{_ATTENTION}.cross_attn": "attention.whole",
    f"{_ATTENTION}.pe_layer.positional_encoding_gaussian_matrix": "attention.frequencies",
    "fusion_gate": "gate.layers",
}
_NEVER_USED = {  # a layer that their code makes and saves, and nothing calls
    "fusion_pose_rgb_linear.weight": (WIDTH, WIDTH),
    "fusion_pose_rgb_linear.bias": (WIDTH,),
}


def write_imported(
    file: Path, folder: Path, language: str = "", tokenizer: str = "", asks: str = "text"
) -> UniSign:
    """Writes the checkpoint of one of the authors' files, and returns its model.

    language : of its texts, as its prompt names it ("Chinese"); "" = as each clip says
    tokenizer : of mT5, a name or folder of ``transformers``. With it the checkpoint can be
        evaluated; without, it is weights alone
    asks : of ``translation.KINDS``, what it was trained to answer
    """
    if asks not in KINDS:
        raise ValueError(f"unknown kind of answer {asks!r}; known: {', '.join(KINDS)}")
    model = import_uni_sign(file)
    info: dict[str, Any] = {"language": language, "preprocess": "uni_sign", "origin": ORIGIN}
    if tokenizer:
        prompts = {kind: language for kind in KINDS} if language else {}
        task = Translation(Settings(asks=(asks,), prompts=prompts), load_tokenizer(tokenizer))
        check_pieces(task.tokenizer, model.language_model.config.vocab_size)
        info |= {"task": "translation", **task.save(folder)}
    save_checkpoint(folder, model, info, {"imported": {"sha256": sha256_of(file)}})
    return model


def import_uni_sign(file: Path, label_smoothing: float = 0.2) -> UniSign:
    """The model of one of the authors' checkpoint files, in eval mode, float32.

    ValueError, in one line, where the file holds anything else.
    """
    theirs = read_plain_tensors(file)
    try:
        return uni_sign_from(theirs, label_smoothing)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def uni_sign_from(theirs: dict[str, Tensor], label_smoothing: float = 0.2) -> UniSign:
    """The model of the authors' state dict, float32."""
    _check_left_is_right(theirs)
    ours, unknown = {}, []
    for name, tensor in theirs.items():
        if name.startswith(_THEIR_LANGUAGE_MODEL):
            ours["language_model." + name.removeprefix(_THEIR_LANGUAGE_MODEL)] = tensor
        elif (our_name := our_name_of(name)) is not None:
            ours[our_name] = _reshaped(our_name, tensor)
        elif ".left." not in name and tuple(tensor.shape) != _NEVER_USED.get(name):
            unknown.append(name)  # .left. is the right hand again
    if unknown:
        raise ValueError(f"entries that Uni-Sign does not have: {', '.join(unknown[:3])}")

    language_model = language_model_of(ours)
    tied = _equal(ours, "language_model.shared.weight", "language_model.lm_head.weight")
    rgb = any(name.startswith("poses.fusion.") for name in ours)
    model = UniSign(UniSignConfig(language_model, tied, label_smoothing, rgb))
    try:
        model.load_state_dict(ours, strict=True)
    except RuntimeError as error:  # torch's own list of what is missing, one entry a line
        reason = " ".join(line.strip() for line in str(error).splitlines())
        raise ValueError(f"not all of Uni-Sign, or of another shape: {reason[:400]}") from error
    return model.eval()


def our_name_of(name: str) -> str | None:
    """What an entry of the authors' encoder is called here; None where it is not one."""
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
    for theirs, ours in _RGB_NAMES.items():
        if name == theirs or name.startswith(theirs + "."):
            return f"poses.fusion.{ours}{name.removeprefix(theirs)}"
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


def hands_of_batch(batch: Mapping[str, Any]) -> HandPictures:
    """The pictures of hands in a batch as the authors' ``collate_fn`` makes it.

    batch : for each side ``{side}_hands`` (N, 3, 112, 112), ``{side}_skeletons_norm`` (N, 21, 2),
        ``{side}_sampled_indices`` (N,) and ``{side}_rgb_len``, how many of the N each clip has.
        A clip without pictures has one of zeros, with the index -1; it is left out.
    """
    return HandPictures(_crops_of_batch(batch, "left"), _crops_of_batch(batch, "right"))


def _crops_of_batch(batch: Mapping[str, Any], side: str) -> HandCrops:
    names = [f"{side}_{name}" for name in ("hands", "skeletons_norm", "sampled_indices", "rgb_len")]
    missing = [name for name in names if name not in batch]
    if missing:
        raise ValueError(f"no batch of an RGB-pose data set: it has no {', '.join(missing)}")
    pictures, points, frame, lengths = (batch[name] for name in names)
    counts = torch.as_tensor(lengths)
    clip = torch.arange(len(counts)).repeat_interleave(counts)
    kept = frame >= 0
    points = points[kept].to(pictures.dtype)
    return HandCrops(pictures[kept], points, clip.to(frame.device)[kept], frame[kept].long())


def _check_left_is_right(state: dict[str, Tensor]) -> None:
    """The authors' two hands are one module, stored twice."""
    for name in state:
        if ".left." in name and not _equal(state, name, name.replace(".left.", ".right.")):
            raise ValueError(f"{name} is not that of the right hand, as Uni-Sign's are")


def _reshaped(our_name: str, tensor: Tensor) -> Tensor:
    """Their 1x1 convolutions are matrices here, and their (5, 1) kernels (1, 5) ones."""
    if our_name.endswith(("attention.key.weight", "attention.value.weight")):
        return tensor.flatten(2)  # over one row of keypoints: (D, C, 1, 1) as (D, C, 1)
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
