"""Shards as Hugging Face data sets: mapped from the same files, read as a stream, put on the hub.

    push_to_hub(open_shards(folder), "me/my-corpus")
    rows = datasets.load_dataset("me/my-corpus", split="train", streaming=True)
    for clip in stream_clips(rows): ...

A stream of the files in a folder: ``load_dataset("arrow", data_files=..., streaming=True)``.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fingerpost.trainer.clip_tables import ROW, Clip, ClipTable, with_newer_columns
from fingerpost.trainer.shards import Shards

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

NO_SPLIT = "train"  # what the hub calls clips that are in no split: it has to call them something


def as_dataset(shards: Shards) -> "Dataset":
    """The clips as a Hugging Face Dataset, a row each, that maps the files of the shards."""
    from datasets import Dataset, concatenate_datasets

    whole = concatenate_datasets([Dataset.from_file(str(path)) for path in shards.files])
    return whole.select(shards.numbers)


def push_to_hub(shards: Shards, name: str, private: bool = True) -> None:
    """Uploads the clips as a data set of the hub, its splits those of the clips.

    name : as in "me/my-corpus"; who is logged in with ``hf auth login`` must own it

    OSError where the hub cannot be reached, or refuses.
    """
    from datasets import DatasetDict
    from huggingface_hub.errors import HTTPError

    names = set(shards.column("split"))
    if {"", NO_SPLIT} <= names:
        raise ValueError(
            f"{shards.folder} has clips in split {NO_SPLIT!r} and clips in none, which the hub "
            f"would call {NO_SPLIT!r} too; give every clip a split"
        )
    sets = {split or NO_SPLIT: as_dataset(shards.in_split(split)) for split in sorted(names)}
    try:
        DatasetDict(sets).push_to_hub(name, private=private)
    except HTTPError as error:
        reason = str(error).strip().partition("\n")[0]
        raise OSError(f"could not upload to {name} ({reason}); see `hf auth whoami`") from error


def stream_clips(dataset: "Dataset | IterableDataset", rows: int = 16) -> Iterator[Clip]:
    """The clips of shards that are read as a stream, from files or from the hub.

    dataset : of ``datasets.load_dataset(..., streaming=True)``
    rows : how many to hold in memory at once

    ValueError where it has not the columns that clips have.
    """
    for table in dataset.with_format("arrow").iter(batch_size=rows):
        table = with_newer_columns(table)
        missing = sorted(set(ROW.names) - set(table.column_names))
        if missing:
            raise ValueError(f"the data set has no column {', '.join(missing)}: it is no shards")
        for batch in table.select(ROW.names).cast(ROW).combine_chunks().to_batches():
            clips = ClipTable(batch)
            yield from (clips.clip(i) for i in range(len(clips)))
