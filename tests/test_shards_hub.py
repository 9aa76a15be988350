"""Shards are data sets of Hugging Face: the same clips by stream, by parquet and from the hub."""

import datasets
import numpy as np
import pytest

from fingerpost.edge_runtime.keypoints import MSMAE, PoseSequence
from fingerpost.trainer.shards import Clip, Shards, ShardsAbout, ShardWriter, open_shards
from fingerpost.trainer.shards_hub import as_dataset, push_to_hub, stream_clips


def some_clip(number: int, split: str) -> Clip:
    rng = np.random.default_rng(number)
    confidence = rng.uniform(0.1, 1, (2 + number, len(MSMAE))).astype(np.float32)
    xyz = rng.random((*confidence.shape, 3)).astype(np.float32)
    xyz[..., 2] *= number % 2  # every second one has no depth
    sequence = PoseSequence(xyz, confidence, 25.0, MSMAE, 40, 1.5, "by hand 1.0")
    glosses = ("你", "SCHÖN")[: number % 3]
    return Clip(f"clip {number}", "", split, glosses, "你好, schön.", "csl", "zh", sequence)


@pytest.fixture
def shards(tmp_path, monkeypatch) -> Shards:
    """Seven clips in three parts; whatever `datasets` caches goes beside them."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()
    with ShardWriter(tmp_path / "s", ShardsAbout("made up", "msmae")) as writer:
        for number in range(7):
            writer.add(some_clip(number, "val" if number in (1, 4) else "train"))
            if number in (2, 3):
                writer.flush()
    return open_shards(tmp_path / "s")


def assert_equal(ones: list[Clip], others: list[Clip]) -> None:
    assert len(ones) == len(others) > 0
    for one, other in zip(ones, others, strict=True):
        for name in ("id", "signer", "split", "glosses", "text", "language", "text_language"):
            assert getattr(one, name) == getattr(other, name)
        for name in ("fps", "schema", "start_ms", "aspect", "extractor"):
            assert getattr(one.sequence, name) == getattr(other.sequence, name)
        np.testing.assert_array_equal(one.sequence.xyz, other.sequence.xyz)
        np.testing.assert_array_equal(one.sequence.confidence, other.sequence.confidence)


def test_the_files_are_those_of_a_dataset(shards):
    rows = as_dataset(shards)
    assert rows.features["coordinates"] == datasets.List(datasets.Value("float16"))
    assert list(rows["id"]) == shards.column("id")
    assert {file["filename"] for file in rows.cache_files} == {str(f) for f in shards.files}
    np.testing.assert_array_equal(
        np.array(rows[1]["coordinates"], np.float16).reshape(3, len(MSMAE), 3),
        shards[1].sequence.xyz,
    )
    assert list(as_dataset(shards.only([5, 0]))["id"]) == ["clip 5", "clip 0"]


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_a_stream_of_the_files_gives_the_same_clips(shards, rows):
    files = [str(path) for path in shards.files]
    stream = datasets.load_dataset("arrow", data_files=files, streaming=True, split="train")
    assert isinstance(stream, datasets.IterableDataset)
    assert_equal(list(stream_clips(stream, rows)), list(shards))


def test_what_is_put_on_the_hub_comes_back(shards, tmp_path, monkeypatch):
    """The hub keeps parquet: here the same calls write it into a folder."""
    hub = tmp_path / "hub"

    def push(self: datasets.DatasetDict, name: str, private: bool) -> None:
        assert private
        for split, rows in self.items():
            assert type(rows) is datasets.Dataset
            (hub / name).mkdir(parents=True, exist_ok=True)
            rows.to_parquet(hub / name / f"{split}.parquet")

    monkeypatch.setattr(datasets.DatasetDict, "push_to_hub", push)
    push_to_hub(shards, "me/my-corpus")
    assert {path.name for path in hub.rglob("*.parquet")} == {"train.parquet", "val.parquet"}
    for split in ("train", "val"):
        file = str(hub / "me" / "my-corpus" / f"{split}.parquet")
        for streaming in (True, False):
            rows = datasets.load_dataset(
                "parquet", data_files=file, split="train", streaming=streaming
            )
            assert_equal(list(stream_clips(rows)), list(shards.in_split(split)))


def test_a_data_set_of_something_else(shards):
    with pytest.raises(ValueError, match="no column aspect.*it is no shards"):
        next(stream_clips(datasets.Dataset.from_dict({"id": ["a"]})))
