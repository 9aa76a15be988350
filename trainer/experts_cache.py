"""What frozen experts see of each clip, kept as shards: no epoch runs a backbone a second time.

    cache = cache_features(folder, {"ase": encoder}, shards, frames_of, about)
    cache.features("clip_7")  # ClipFeatures

    folder/ase-1f0c…/features.json         of which expert, clips and frames; written last
    folder/ase-1f0c…/part-00000.arrow      Arrow streams: a clip a row

"SIGNET: Motion-Level Knowledge Transfer for Cross-Language Sign Language Translation", Sec. 4.1:
"backbone features can be pre-computed and cached". There is a folder for each expert and each
folder of shards, named after a hash of all that its numbers depend on, so another set of experts,
or one left out, needs nothing made again, and what is outdated is never read. Clips are seen one by
one, so no clip's features depend on those that happened to be in its batch.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from fingerpost.edge_runtime.keypoints import GROUPS
from fingerpost.trainer.clip_rows import ClipRows, read_rows
from fingerpost.trainer.experts import hash_of_expert
from fingerpost.trainer.models.common import PoseEncoder
from fingerpost.trainer.models.signet import features_of
from fingerpost.trainer.shards import Clip, Shards

FORMAT_VERSION = 2  # 2: a clip holds its last frame after its end
ABOUT = "features.json"
PARTS = "part-*.arrow"
PART_BYTES = 64 * 2**20  # 64 MiB of frames: what is lost when it is killed
FLOAT16_MAX = float(np.finfo(np.float16).max)
ROW = pa.schema(  # T frames of E numbers; G regions of C numbers
    {
        "id": pa.string(),
        "n_frames": pa.int32(),  # T
        "frames": pa.list_(pa.float16()),  # (T, E)
        "regions": pa.list_(pa.float32()),  # (G, C)
    }
)
FramesOf = Callable[[Clip], Tensor]  # a clip to its keypoints, (T, 69, 3)
Tell = Callable[[str, int, int], None]  # expert, clips done, clips in all


@dataclass(frozen=True)
class ClipFeatures:
    """What N experts see of a clip. frames : (N, T, E) float16; regions : (N, G, C) float32"""

    frames: np.ndarray
    regions: np.ndarray


class ExpertCache(ClipRows):
    """One expert's features of one folder of shards, mapped; cheap to fork and to pickle."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, [_read(path) for path in sorted(folder.glob(PARTS))])

    def __reduce__(self) -> tuple:
        return ExpertCache, (self.folder,)  # a worker process maps the files itself

    def features(self, clip_id: str) -> tuple[np.ndarray, np.ndarray]:
        """(T, E) float16 and (G, C) float32: views into the file, not to be written to."""
        b, row = self._places[clip_id]
        batch = self._batches[b]
        frames, regions = (_list(batch.column(name), row) for name in ("frames", "regions"))
        n_frames = batch.column("n_frames")[row].as_py()
        return frames.reshape(n_frames, -1), regions.reshape(len(GROUPS), -1)


class FeatureCache:
    """All experts' features, by the ids of clips. of_folders : for each folder, each expert's."""

    def __init__(self, of_folders: Sequence[Sequence[ExpertCache]]) -> None:
        self._of_folders = [list(experts) for experts in of_folders]

    def __contains__(self, clip_id: str) -> bool:
        return any(clip_id in experts[0] for experts in self._of_folders)

    def features(self, clip_id: str) -> ClipFeatures:
        """ValueError for a clip that is not in here."""
        for experts in self._of_folders:
            if clip_id in experts[0]:
                frames, regions = zip(*(one.features(clip_id) for one in experts), strict=True)
                return ClipFeatures(np.stack(frames), np.stack(regions))
        raise ValueError(f"no expert's features of clip {clip_id!r} are kept; make them anew")


def cache_features(
    folder: Path,
    experts: Mapping[str, PoseEncoder],
    shards: Sequence[Shards],
    frames_of: FramesOf,
    about: Mapping[str, Any],
    tell: Tell = lambda name, done, n_clips: None,
) -> FeatureCache:
    """Runs each expert on each clip that it has not seen, and maps what was made.

    shards : whole folders, all splits of them; no two clips may have one id
    frames_of : the very keypoints that the network is given of a clip
    about : what else ``frames_of`` depends on, such as the frame rate

    ValueError where two clips have one id, or several processes would write at once.
    """
    ids = [name for one in shards for name in one.column("id")]
    if len(set(ids)) < len(ids):
        raise ValueError("two clips have one id; give folders of shards that share none")
    return FeatureCache(
        [
            [
                _of_expert(folder, name, encoder, one, frames_of, about, tell)
                for name, encoder in experts.items()
            ]
            for one in shards
        ]
    )


def _of_expert(
    folder: Path,
    name: str,
    encoder: PoseEncoder,
    shards: Shards,
    frames_of: FramesOf,
    about: Mapping[str, Any],
    tell: Tell,
) -> ExpertCache:
    key = {
        "format_version": FORMAT_VERSION,
        "expert": hash_of_expert(encoder),
        "clips": shards.about.content_hash,
        **about,
    }
    made_of = json.dumps(key, sort_keys=True)
    own = folder / f"{name}-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}"
    if (own / ABOUT).is_file():
        cache = ExpertCache(own)
        if len(cache) == len(shards):
            return cache
        raise ValueError(f"{own} holds {len(cache)} clips of {len(shards)}; delete it")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ValueError(
            f"{own} is not there yet, and several processes cannot make it at once: make it first "
            "with `fingerpost train RECIPE --dry-run`, in one process"
        )
    own.mkdir(parents=True, exist_ok=True)
    for path in own.glob("*.partial"):  # of one that was killed
        path.unlink()
    done = set(ExpertCache(own).ids)
    left = (shards[i] for i, clip_id in enumerate(shards.column("id")) if clip_id not in done)
    _write_parts(own, encoder, left, frames_of, lambda n: tell(name, len(done) + n, len(shards)))
    _write_text(own / ABOUT, json.dumps({**key, "name": name}, indent=2) + "\n")
    return ExpertCache(own)


@torch.no_grad()
def _write_parts(
    folder: Path,
    encoder: PoseEncoder,
    clips: Iterable[Clip],
    frames_of: FramesOf,
    tell: Callable[[int], None],
) -> None:
    """Part by part, each whole or not at all."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    was_on = next(encoder.parameters()).device
    encoder.to(device).eval()
    rows: list[dict[str, Any]] = []
    n_bytes = n_done = 0
    for clip in clips:
        keypoints = frames_of(clip).float()[None].to(device)
        mask = torch.ones(keypoints.shape[:2], device=device)
        frames, regions = (part[0].cpu().numpy() for part in features_of(encoder, keypoints, mask))
        kept = frames.clip(-FLOAT16_MAX, FLOAT16_MAX).astype(np.float16).reshape(-1)
        row = {"id": clip.id, "n_frames": len(frames), "frames": kept}
        rows.append({**row, "regions": regions.reshape(-1)})
        n_bytes += kept.nbytes
        tell(n_done := n_done + 1)
        if n_bytes >= PART_BYTES:
            _write_part(folder, rows)
            rows, n_bytes = [], 0
    if rows:
        _write_part(folder, rows)
    encoder.to(was_on)


def _write_part(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path = folder / f"part-{len(list(folder.glob(PARTS))):05d}.arrow"
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    columns = [pa.array([row[name] for row in rows], ROW.field(name).type) for name in ROW.names]
    batch = pa.RecordBatch.from_arrays(columns, schema=ROW)
    with pa.OSFile(str(partial), "wb") as file, pa.ipc.new_stream(file, ROW) as out:
        out.write_batch(batch)
    partial.replace(path)


def _read(path: Path) -> pa.RecordBatch:
    try:
        batch = read_rows(path)
    except (pa.ArrowException, OSError, StopIteration) as error:
        raise ValueError(f"{path} is damaged: delete its folder, and train again") from error
    if not batch.schema.equals(ROW):
        raise ValueError(f"{path} holds no features of an expert: delete its folder")
    return batch


def _list(column: pa.ListArray, row: int) -> np.ndarray:
    start, end = (column.offsets[row + i].as_py() for i in range(2))
    return column.values[start:end].to_numpy(zero_copy_only=True)


def _write_text(path: Path, text: str) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
