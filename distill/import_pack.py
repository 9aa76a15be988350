"""A pack's pose encoder as a checkpoint, to train on from: what a translator knows of signing.

    write_imported_pack(open_pack(path), Path("runs/demo"))

The pose encoder and the gloss head of a pocket translator are read out of its LiteRT file. They are
what takes long to learn, and what another language's signs have use for. What reads sentences is
left behind: it is of the pack's own language, and its tokenizer cannot be had back from its pieces.

The numbers are those of the pack: int8 weights, made float. A norm before a linear layer is gone,
for the converter has multiplied it into that layer: here it does nothing, and the layer the rest.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import nn

from fingerpost.distill.recipes.tflite_file import (
    DEPTHWISE_CONV_2D,
    FULLY_CONNECTED,
    Constants,
    constants_of,
    read,
)
from fingerpost.edge_runtime.pack import Pack
from fingerpost.edge_runtime.translator import Translator
from fingerpost.trainer.checkpoint import save_checkpoint
from fingerpost.trainer.models.pocket_encoder import KEPT, CausalConv
from fingerpost.trainer.models.pocket_sizes import SIZES, STRIDE, PocketTranslatorConfig
from fingerpost.trainer.models.pocket_translator import PocketTranslator
from fingerpost.trainer.signer_corpus import make_clip
from fingerpost.trainer.tasks.pocket_translation import Settings

ENCODE = "encode"
BACKEND = "tflite"
N_CHECKED = 2  # sentences of the rendered signer, on which pack and network must agree
LEAST_AGREEMENT = 0.98  # share of their frames with the same likeliest gloss


def write_imported_pack(pack: Pack, out: Path) -> PocketTranslator:
    """Writes the checkpoint and returns its network, whose reader is new.

    ValueError, and nothing written, where the pack is no pocket translator for LiteRT, or the
    network made of it does not see what the pack sees.
    """
    network = import_pack(pack)
    agreement = agreement_of(pack, network)
    if agreement < LEAST_AGREEMENT:
        raise ValueError(
            f"{pack.path}: with the weights that were read, {1 - agreement:.0%} of frames have "
            "another gloss than with the pack: this Fingerpost cannot read such a file"
        )
    info = {
        "task": "pocket_translation",
        "settings": msgspec.to_builtins(Settings(language=0.0)),
        "view": "sign69",
        "preprocess": "live",
        "glosses": list(pack.vocabulary),
        "questions": list(network.config.questions),
        "gloss_pairs": [],
        "from_pack": f"{pack.manifest.name} {pack.manifest.version}",
    }
    save_checkpoint(out, network, info, {"same_gloss_as_the_pack": agreement})
    return network


def import_pack(pack: Pack) -> PocketTranslator:
    """The network in eval mode; ValueError where the file is not one of its kind."""
    config = config_of(pack)
    network = PocketTranslator(config).eval()
    spec = pack.manifest.graphs[ENCODE]
    operators = constants_of(read(pack.read(spec.file)), spec.signature or ENCODE)
    try:
        _fill(network, operators)
    except (StopIteration, IndexError, RuntimeError, ValueError) as error:
        raise ValueError(
            f"{pack.path}: {spec.file} is not laid out as this Fingerpost exports it"
        ) from error
    return network


def config_of(pack: Pack) -> PocketTranslatorConfig:
    """Of the size that has the pack's width; ValueError for a pack that has none."""
    manifest = pack.manifest
    spec = manifest.graphs.get(ENCODE)
    if manifest.translation is None or spec is None or spec.backend != BACKEND:
        raise ValueError(
            f"pack {manifest.name} is no pocket translator for LiteRT: nothing to train on from"
        )
    width = next(output.shape[-1] for output in spec.outputs if output.name == "states")
    for size in SIZES:
        config = PocketTranslatorConfig.of_size(
            size,
            n_pieces=3,  # of a tokenizer that is not there
            n_glosses=len(pack.vocabulary),
            questions=tuple(manifest.translation.questions),
        )
        if config.width == width:
            return config
    raise ValueError(
        f"pack {manifest.name} has a width of {width}, which is no size of {', '.join(SIZES)}"
    )


def agreement_of(pack: Pack, network: PocketTranslator) -> float:
    """The share of frames of some sentences whose likeliest gloss is the same."""
    translator = Translator(pack)
    same: list[np.ndarray] = []
    try:
        for number in range(N_CHECKED):
            keypoints = translator.keypoints_of(make_clip("test", number).sequence)
            sentence = translator.begin()
            sentence.push_keypoints(keypoints)
            sentence.end()
            seen = _scores(network, np.asarray(keypoints))
            pairs = zip(sentence.scores, seen, strict=False)  # of whole steps there may be more
            same.append(np.array([np.argmax(a) == np.argmax(b) for a, b in pairs]))
    finally:
        translator.close()
    return float(np.concatenate(same).mean())


def _scores(network: PocketTranslator, keypoints: np.ndarray) -> np.ndarray:
    """(T, 69, 4) to the scores (T, V) of each frame's glosses."""
    n = len(keypoints)
    more = -n % STRIDE
    frames = torch.from_numpy(np.pad(keypoints, ((0, more), (0, 0), (0, 0)))).float()[None]
    mask = (torch.arange(n + more) < n).float()[None]
    with torch.no_grad():
        states = network.poses(frames, mask).states[:, KEPT:]
        return network.gloss_head(states)[0, :n].numpy()


def _fill(network: PocketTranslator, operators: list[Constants]) -> None:
    """Gives the pose encoder and the gloss head the numbers of the graph, in its order."""
    poses = network.poses
    linear = ((i, one.values) for i, one in _of_sort(operators, FULLY_CONNECTED))
    over_time = (one.values for _, one in _of_sort(operators, DEPTHWISE_CONV_2D))
    _set(poses.hand[0], next(linear)[1])
    next(linear)  # the other hand, by the same weights
    for layer in (poses.body, poses.face, poses.join):
        _set(layer, next(linear)[1])
    for layer in poses.layers:
        _set(layer.norm, (np.ones(poses.width), np.zeros(poses.width)))
        if isinstance(layer, CausalConv):
            weight, bias = next(over_time)  # (1, 1, kernel, D)
            _set(layer.depthwise, (weight[0].transpose(2, 0, 1), bias))
            parts = (layer.mlp[0], layer.mlp[2])
        else:
            parts = (layer.qkv, layer.out)
        for part in parts:
            _set(part, next(linear)[1])
    at, values = next(linear)
    _set(network.gloss_head, values)
    _set(poses.norm, [_last(operators[:at], sort, poses.width) for sort in ("MUL", "ADD")])


def _of_sort(operators: list[Constants], sort: str) -> Iterator[tuple[int, Constants]]:
    return ((i, one) for i, one in enumerate(operators) if one.sort == sort and one.values)


def _last(operators: list[Constants], sort: str, width: int) -> np.ndarray:
    """The numbers of the last operator of a sort that has one for each of the width."""
    rows = [value for _, one in _of_sort(operators, sort) for value in one.values]
    return [row for row in rows if row.size == width][-1].reshape(width)


def _set(layer: nn.Module, values: Sequence[np.ndarray]) -> None:
    """RuntimeError where they have other shapes."""
    weight, bias = (torch.from_numpy(np.array(value, np.float32)) for value in values)
    layer.load_state_dict({"weight": weight, "bias": bias})
