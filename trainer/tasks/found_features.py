"""What a pose backbone that does not learn makes of clips, worked out once for each of them.

The first stage of "Lost in Translation, Found in Embeddings" (Sec. 3.2) and its Table 3 train with
a frozen visual backbone. Ours, for machines without a GPU: a stretch of signing goes through it
once, whole, and windows are cut out of what comes. The network's own backbone reads each window
alone, so features near a window's ends differ a little: here they know what comes before and after.
A training's windows begin at a feature.
"""

import functools
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.trainer.checkpoint import load_checkpoint, resolve_checkpoint
from fingerpost.trainer.models.found_poses import PoseBackbone

Key = tuple[str, int]  # of a clip: its id, and a sum over its keypoints
ROUND_FRAMES = 64  # lengths are filled up to so many: torch prepares anew for every new shape


class KeptFeatures:
    """Features of clips by a backbone, by key: each (ceil(T / step), W) float16 of T frames."""

    def __init__(self, backbone: PoseBackbone) -> None:
        self.backbone = backbone.eval()
        self.rows: dict[Key, np.ndarray] = {}

    def add(self, keypoints: Mapping[Key, np.ndarray]) -> None:
        """Works out those that are not there. keypoints : (T, K, 4), as the backbone reads them"""
        new = {key: frames for key, frames in keypoints.items() if key not in self.rows}
        if not new:
            return
        longest = max(len(frames) for frames in new.values())
        longest += -longest % ROUND_FRAMES
        n_points = len(self.backbone.view)
        filled, mask = torch.zeros(len(new), longest, n_points, 4), torch.zeros(len(new), longest)
        for row, frames in enumerate(new.values()):
            filled[row, : len(frames)] = torch.from_numpy(frames.astype(np.float32))
            mask[row, : len(frames)] = 1
        with torch.no_grad():
            features = self.backbone(filled, mask).numpy().astype(np.float16)
        for row, (key, frames) in enumerate(new.items()):
            self.rows[key] = features[row, : -(-len(frames) // self.backbone.config.step)].copy()


def key_of(clip_id: str, sequence: PoseSequence) -> Key:
    """Clips of other shards may have the same name."""
    return clip_id, zlib.crc32(sequence.xyz.tobytes())


@functools.lru_cache(maxsize=1)
def open_features(folder: str) -> KeptFeatures:
    """By the pose backbone of a checkpoint or training; the same one again for the same folder.

    ValueError where it has none.
    """
    network: Any = load_checkpoint(resolve_checkpoint(Path(folder)))[0]
    backbone = getattr(network, "poses", None)
    if not isinstance(backbone, PoseBackbone):
        raise ValueError(
            f"settings.poses_from: {folder} has no pose backbone of found; give a training of "
            "found_signs or found"
        )
    return KeptFeatures(backbone)
