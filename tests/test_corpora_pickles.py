"""Label pickles come from strangers: they may build plain things, and nothing of theirs may run."""

import gzip
import pickle
import re
from collections import OrderedDict
from pathlib import Path

import pytest

from fingerpost.trainer.corpora import label_pickles
from fingerpost.trainer.corpora.label_pickles import load_plain_pickle, read_labels


def expect_error(path: Path, *words: str) -> None:
    with pytest.raises(ValueError) as caught:
        list(read_labels(path, "train", path.parent, "csl", "zh"))
    message = str(caught.value)
    assert "\n" not in message
    for word in (str(path), *words):
        assert word in message, f"{word!r} is not in {message!r}"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_plain_things_are_read(tmp_path, protocol, pack):
    content = {"a": [1, 2.5, -(10**30), "你好", None, True, {"b": ()}], "c": "x" * 300}
    path = tmp_path / "labels.train"
    path.write_bytes(pack(pickle.dumps(content, protocol)))
    assert load_plain_pickle(path) == content


class Malicious:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.path,)  # what a thief would do is worse


def test_pickle_cannot_run_code(tmp_path):
    path, touched = tmp_path / "labels.train", tmp_path / "touched"
    path.write_bytes(pickle.dumps({"a": Malicious(touched)}))
    expect_error(path, "labels.train: refused", "the instruction STACK_GLOBAL")
    assert not touched.exists()
    path.write_bytes(b"cos\nsystem\n(S'touch " + str(touched).encode() + b"'\ntR.")
    expect_error(path, "refused", "the instruction GLOBAL os system")
    assert not touched.exists()


@pytest.mark.parametrize("thing", [OrderedDict(a=1), {1, 2}, b"bytes", range(3), complex(1, 2)])
def test_nothing_but_plain_things(tmp_path, thing):
    path = tmp_path / "labels.train"
    path.write_bytes(pickle.dumps({"a": thing}))
    with pytest.raises(ValueError, match="labels.train: refused, only dicts, lists, texts and num"):
        load_plain_pickle(path)


def test_pickle_cannot_fill_the_memory(tmp_path, monkeypatch):
    path = tmp_path / "labels.train"
    path.write_bytes(b"\x80\x02Nr\xff\xff\xff\x7f.")  # "keep this as thing 2,147,483,647"
    expect_error(path, "it reserves 2147483647 places")
    monkeypatch.setattr(label_pickles, "MAX_BYTES", 1000)
    path.write_bytes(gzip.compress(pickle.dumps("x" * 2000)))
    expect_error(path, "over 1000 bytes")


@pytest.mark.parametrize(
    "content",
    [b"", b"not a pickle", pickle.dumps({"a": 1})[:-3], b"\x1f\x8bgarbage", b"\x80\x04]R."],
)
def test_broken_pickle_is_one_line(tmp_path, content):
    path = tmp_path / "labels.train"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(str(path))) as caught:
        load_plain_pickle(path)
    assert "\n" not in str(caught.value)


def test_label_pickle_with_other_content(tmp_path):
    path = tmp_path / "labels.train"
    path.write_bytes(pickle.dumps(["a"]))
    expect_error(path, "expected a dict of labels, got list")
    label = {"name": "a", "gloss": [1], "text": "x"}
    path.write_bytes(pickle.dumps({"a": label}))
    expect_error(path, "labels.train, entry 'a'", "no field 'video_path'")
    path.write_bytes(pickle.dumps({"a": {**label, "video_path": "a.mp4"}}))
    expect_error(path, "entry 'a'", "gloss is [1]")
