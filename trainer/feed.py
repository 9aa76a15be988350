"""Feeding a training: which clips make up each step, and the clips themselves.

The order is a pure function of the seed: a training that goes on after a crash, or with other
loading processes, sees the very clips that it would have seen.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from fingerpost.trainer.shards import Clip, Shards, open_shards
from fingerpost.trainer.tasks.task import Batch, Task

AHEAD = 2  # batches that lie ready while a step is taken
T = TypeVar("T")


class Clips(Sequence[Clip]):
    """The clips of one split of several folders of shards, one after the other.

    longest : those with more frames are left out; 0 = none are
    """

    def __init__(self, folders: Sequence[str], split: str, longest: int = 0) -> None:
        self.shards = [_chosen(open_shards(Path(folder)), split, longest) for folder in folders]
        self.n_frames = np.concatenate([shards.n_frames for shards in self.shards])
        self._starts = np.cumsum([0, *map(len, self.shards)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, i: int) -> Clip:  # type: ignore[override]
        number = int(np.searchsorted(self._starts, i, side="right")) - 1
        return self.shards[number][i - int(self._starts[number])]

    def column(self, name: str) -> list[Any]:
        return [value for shards in self.shards for value in shards.column(name)]

    @property
    def text_language(self) -> str:
        """Of the first clip that has a text."""
        pairs = zip(self.column("text"), self.column("text_language"), strict=True)
        return next((language for text, language in pairs if text), "")

    @property
    def hashes(self) -> dict[str, str]:
        """The folder's name, and the hash of what is in it; a second one of that name is name-2."""
        names = [shards.folder.name for shards in self.shards]
        again = [names[:i].count(name) for i, name in enumerate(names)]
        unique = [f"{name}-{n + 1}" if n else name for name, n in zip(names, again, strict=True)]
        hashes = (shards.about.content_hash for shards in self.shards)
        return dict(zip(unique, hashes, strict=True))


class Ask(NamedTuple):
    """One place of a batch.

    clip : its number
    draw : the seed of its augmentation
    n_frames : of the longest clip of the batch, over all processes
    """

    clip: int
    draw: int
    n_frames: int


@dataclass(frozen=True)
class Order:
    """Which clips each process takes, batch by batch.

    n_frames : of each clip
    batch : clips that one process takes at once
    accumulation : batches of a step
    buckets : steps are of clips of like length, sorted within so many steps; 0 = never
    """

    n_frames: np.ndarray
    batch: int
    accumulation: int
    seed: int
    buckets: int = 32
    n_processes: int = 1
    process: int = 0

    @property
    def steps_per_epoch(self) -> int:
        """In the last step of an epoch, clips of its beginning come a second time."""
        of_step = self.batch * self.n_processes * self.accumulation
        return -(-len(self.n_frames) // of_step)

    def batches(self, first_step: int, last_step: int) -> Iterator[list[Ask]]:
        """Of the steps from ``first_step`` (1 is the first) to ``last_step``, with both."""
        epoch, shuffled = -1, np.empty(0)
        for step in range(first_step, last_step + 1):
            if (step - 1) // self.steps_per_epoch != epoch:
                epoch = (step - 1) // self.steps_per_epoch
                shuffled = self._epoch(epoch)
            of_step = shuffled[(step - 1) % self.steps_per_epoch]
            for batch in of_step.reshape(self.accumulation, -1):
                longest = int(self.n_frames[batch].max())
                for_this = batch[self.process :: self.n_processes]
                yield [Ask(int(i), self._draw(epoch, int(i)), longest) for i in for_this]

    def _epoch(self, epoch: int) -> np.ndarray:
        """Shape (steps, clips of a step); where there are buckets, a step's clips by length."""
        rng = np.random.default_rng([self.seed, epoch])
        of_step = self.batch * self.n_processes * self.accumulation
        order = np.resize(rng.permutation(len(self.n_frames)), self.steps_per_epoch * of_step)
        for start in range(0, len(order), of_step * self.buckets) if self.buckets else ():
            bucket = order[start : start + of_step * self.buckets]
            bucket[:] = bucket[np.argsort(self.n_frames[bucket], kind="stable")]
        return rng.permutation(order.reshape(-1, of_step))

    def _draw(self, epoch: int, clip: int) -> int:
        state = np.random.SeedSequence([self.seed, epoch, clip]).generate_state(1, np.uint64)
        return int(state[0] >> np.uint64(1))  # torch takes 63 bits


class PreparedClips(Dataset):
    """What the task makes of each clip; kept in memory after the first time, where asked to."""

    def __init__(self, clips: Clips, task: Task, cache: bool) -> None:
        self.clips, self.task = clips, task
        self._kept: dict[int, Any] | None = {} if cache else None

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, ask: Ask) -> tuple[Any, Ask]:
        if self._kept is None:
            return self.task.prepare(self.clips[ask.clip]), ask
        if ask.clip not in self._kept:
            self._kept[ask.clip] = self.task.prepare(self.clips[ask.clip])
        return self._kept[ask.clip], ask

    def __getitems__(self, asks: list[Ask]) -> list[tuple[Any, Ask]]:
        return [self[ask] for ask in asks]


def training_batches(
    prepared: PreparedClips, order: Order, first_step: int, last_step: int, workers: int
) -> Iterator[Batch]:
    """The batches of this process, in order, augmented."""

    def batch_of(items: list[tuple[Any, Ask]]) -> Batch:
        clips, asks = zip(*items, strict=True)
        at_least = asks[0].n_frames if order.n_processes > 1 else 0
        return prepared.task.batch(clips, [ask.draw for ask in asks], at_least)

    asks = list(order.batches(first_step, last_step))
    return ahead(_load(prepared, asks, batch_of, workers))


def plain_batches(
    prepared: PreparedClips, numbers: Sequence[int], batch: int, workers: int = 0
) -> Iterator[Batch]:
    """The clips of these numbers as they are, those of like length together."""

    def batch_of(items: list[tuple[Any, Ask]]) -> Batch:
        return prepared.task.batch([clip for clip, _ in items], None, 0)

    lengths = prepared.clips.n_frames
    ordered = sorted(numbers, key=lambda i: (lengths[i], i))
    asks = [[Ask(i, 0, 0) for i in ordered[a : a + batch]] for a in range(0, len(ordered), batch)]
    return _load(prepared, asks, batch_of, workers)


def ahead(made: Iterator[T]) -> Iterator[T]:
    """The same, each made by a thread of its own while the ones before it are in use.

    A loader's processes hand over a batch in some milliseconds, for which a step would wait.
    """
    thread = ThreadPoolExecutor(1)
    try:
        waiting = deque(thread.submit(next, made, None) for _ in range(AHEAD))
        while (one := waiting.popleft().result()) is not None:
            waiting.append(thread.submit(next, made, None))
            yield one
    finally:
        thread.shutdown(cancel_futures=True)


def _load(
    prepared: PreparedClips, asks: list[list[Ask]], batch_of: Any, workers: int
) -> Iterator[Batch]:
    own = torch.Generator()  # else the loader would draw from the training's own
    own.manual_seed(0)
    return iter(
        DataLoader(
            prepared, batch_sampler=asks, collate_fn=batch_of, num_workers=workers, generator=own
        )
    )


def _chosen(shards: Shards, split: str, longest: int) -> Shards:
    if split:
        shards = shards.in_split(split)
    if not longest:
        return shards
    short = np.flatnonzero(shards.n_frames <= longest)
    if len(short) == 0:
        raise ValueError(f"data.longest: all clips of {shards.folder} have more frames than that")
    return shards.only(short)
