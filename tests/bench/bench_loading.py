"""Loading clips: our shards against one pickle per clip, as the code of the papers has it.

    python tests/bench/bench_loading.py [--clips 400] [--rounds 7] [--step-ms 100]

The same made-up clips of 133 keypoints are written both ways: as shards, and as Uni-Sign's code
keeps them, a pickle with a list of (1, 133, 2) places and a list of (1, 133) scores, an array for
each frame (float64 and float32: what rtmlib's RTMPose gives). Both are then read in the same random
order, in turn, so that a busy machine slows both alike; medians are printed.

Then a training whose every step takes so long takes batches of 8 from a loader with two workers,
as ours does (``feed.ahead``). What it waits for clips that lie ready in memory is the floor.
"""

import argparse
import os
import pickle
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from fingerpost.edge_runtime.keypoints import COCO_WHOLEBODY, SIGN69, PoseSequence
from fingerpost.edge_runtime.preprocess_uni_sign import preprocess_uni_sign
from fingerpost.trainer.feed import ahead
from fingerpost.trainer.shards import Clip, Shards, ShardsAbout, open_shards, write_shards

FRAMES = 110  # the median clip: about what CSL-Daily and How2Sign have
BATCH = 8
WORKERS = 2
Loader = Callable[[int], object]


def some_clips(n: int) -> Iterator[Clip]:
    """Keypoints that wander about; half of the sizes are within 70 and 175 frames."""
    rng = np.random.default_rng(0)
    for number in range(n):
        frames = int(np.clip(rng.lognormal(np.log(FRAMES), 0.6), 16, 512))
        steps = rng.normal(0, 0.004, (frames, len(COCO_WHOLEBODY), 3)).cumsum(axis=0)
        xyz = (rng.random((1, len(COCO_WHOLEBODY), 3)) + steps).astype(np.float32)
        xyz[..., 2] = 0
        confidence = rng.uniform(0.2, 1, xyz.shape[:2]).astype(np.float32)
        sequence = PoseSequence(xyz, confidence, 25.0, COCO_WHOLEBODY, extractor="made up")
        text = "Tomorrow there will be rain in the south."
        yield Clip(f"{number:05d}", "Ann", "train", (), text, "ase", "en", sequence)


class Pickles:
    """The same clips, each in a file of its own."""

    def __init__(self, folder: Path, clips: Sequence[Clip]) -> None:
        folder.mkdir()
        self.files = []
        for clip in clips:
            places = clip.sequence.xyz[:, None, :, :2].astype(np.float64)
            scores = clip.sequence.confidence[:, None]
            content = {"keypoints": list(places.copy()), "scores": list(scores.copy())}
            self.files.append(folder / f"{clip.id}.pkl")
            self.files[-1].write_bytes(pickle.dumps(content))

    def __len__(self) -> int:
        return len(self.files)

    def load(self, i: int) -> dict[str, list[np.ndarray]]:
        with self.files[i].open("rb") as file:
            return pickle.load(file)

    def __getitem__(self, i: int) -> PoseSequence:
        """As whole arrays, which is the least that anything after it needs."""
        content = self.load(i)
        places = np.stack(content["keypoints"])[:, 0].astype(np.float32)  # (T, 133, 2)
        confidence = np.stack(content["scores"])[:, 0]
        xyz = np.zeros((*confidence.shape, 3), np.float32)
        xyz[..., :2] = places
        return PoseSequence(xyz, confidence, 25.0, COCO_WHOLEBODY)


def clips_per_second(load: Loader, order: np.ndarray) -> float:
    start = time.perf_counter()
    for i in order:
        load(int(i))
    return len(order) / (time.perf_counter() - start)


def forget(files: Sequence[Path]) -> None:
    """Takes files out of the system's cache, as if there were no room for them."""
    for path in files:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def compare(what: str, ours: Loader, theirs: Loader, n: int, rounds: int, goal: float = 0) -> None:
    rng = np.random.default_rng(1)
    speeds, ratios = [], []
    for _ in range(rounds + 1):  # the first, which finds nothing in memory, is not counted
        order = rng.permutation(n)
        pair = clips_per_second(theirs, order), clips_per_second(ours, order)
        speeds.append(pair)
        ratios.append(pair[1] / pair[0])
    slow, fast = (statistics.median(column) for column in zip(*speeds[1:], strict=True))
    print_row(what, slow, fast, statistics.median(ratios[1:]), goal)


def compare_from_disk(shards: Shards, pickles: Pickles, rounds: int) -> None:
    """Every round maps the shards anew: what is mapped is not forgotten."""
    rng = np.random.default_rng(2)
    speeds = []
    for _ in range(rounds):
        order = rng.permutation(len(pickles))
        forget(pickles.files)
        slow = clips_per_second(pickles.__getitem__, order)
        files = shards.files
        del shards
        forget(files)
        shards = open_shards(files[0].parent)
        speeds.append((slow, clips_per_second(shards.__getitem__, order)))
    slow, fast = (statistics.median(column) for column in zip(*speeds, strict=True))
    print_row("from the disk", slow, fast, statistics.median(b / a for a, b in speeds))


def print_row(what: str, slow: float, fast: float, ratio: float, goal: float = 0) -> None:
    aim = f"  (goal: at least {goal:g})" if goal else ""
    print(f"{what:32} {slow:9,.0f} {fast:9,.0f} {ratio:7.1f}{aim}")


class Prepared(Dataset):
    """What a worker does for a training step: load, and make of it what the model eats."""

    def __init__(self, clips: Shards | Pickles) -> None:
        self.clips = clips

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, i: int) -> torch.Tensor:
        clip = self.clips[i]
        sequence = clip.sequence if isinstance(clip, Clip) else clip
        return torch.from_numpy(preprocess_uni_sign(sequence))


class Ready(Dataset):
    """Clips that need nothing done."""

    def __init__(self, n_frames: np.ndarray) -> None:
        self.clips = [torch.zeros(frames, len(SIGN69), 3) for frames in n_frames.tolist()]

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, i: int) -> torch.Tensor:
        return self.clips[i]


def padded(clips: list[torch.Tensor]) -> torch.Tensor:
    """(B, T, 69, 3) of clips of different lengths."""
    return torch.nn.utils.rnn.pad_sequence(clips, batch_first=True)


def share_waited(clips: Dataset, step_s: float) -> float:
    """Of the time of a training, what it stood still for want of a batch. Start-up is left out.

    The step itself sleeps, as a CPU does while a GPU works.
    """
    generator = torch.Generator().manual_seed(0)
    loader = DataLoader(
        clips, BATCH, True, num_workers=WORKERS, collate_fn=padded, generator=generator
    )
    batches, waited = ahead(iter(loader)), 0.0
    next(batches)
    begin = start = time.perf_counter()
    while next(batches, None) is not None:
        waited += time.perf_counter() - start
        time.sleep(step_s)
        start = time.perf_counter()
    return waited / (start - begin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--clips", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--step-ms", type=float, nargs="+", default=[25, 100])
    given = parser.parse_args()
    torch.set_num_threads(1)  # as in a worker of a loader
    with tempfile.TemporaryDirectory() as folder:
        clips = list(some_clips(given.clips))
        shards = write_shards(Path(folder, "s"), clips, ShardsAbout("made up", "coco_wholebody"))
        view = write_shards(Path(folder, "v"), clips, ShardsAbout("made up", SIGN69.name))
        pickles = Pickles(Path(folder, "p"), clips)
        clips.clear()
        n, rounds = given.clips, given.rounds
        sizes = [sum(f.stat().st_size for f in x.files) / 1e6 for x in (pickles, shards, view)]
        print(f"{n} clips, {shards.about.n_frames:,} frames of {len(COCO_WHOLEBODY)} keypoints")
        print(f"pickles {sizes[0]:.1f} MB, shards {sizes[1]:.1f} MB: ", end="")
        print(f"{sizes[1] / sizes[0]:.3f} of the bytes (goal: at most 0.25);", end=" ")
        print(f"as view {SIGN69.name} {sizes[2] / sizes[0]:.3f}\n")
        print(f"{'clips a second':32} {'pickles':>9} {'shards':>9} {'ratio':>7}")
        compare("to arrays", shards.__getitem__, pickles.__getitem__, n, rounds, 10)
        compare("pickle.load and no more", shards.__getitem__, pickles.load, n, rounds)
        compare("to arrays, shards of sign69", view.__getitem__, pickles.__getitem__, n, rounds)
        prepared = Prepared(shards).__getitem__, Prepared(pickles).__getitem__
        compare("to what the model eats", *prepared, n, rounds)
        compare_from_disk(shards, pickles, max(1, rounds // 2))
        print(f"\n{WORKERS} workers, batches of {BATCH}: of its time, a training stood still")
        sources = Ready(shards.n_frames), Prepared(shards), Prepared(pickles)
        for step_ms in given.step_ms:
            rows = [[share_waited(x, step_ms / 1000) for x in sources] for _ in range(3)]
            floor, ours, theirs = (statistics.median(column) for column in zip(*rows, strict=True))
            print(f"  steps of {step_ms:g} ms: shards {ours:.1%}, pickles {theirs:.1%} ", end="")
            print(f"(floor: {floor:.1%})")


if __name__ == "__main__":
    main()
