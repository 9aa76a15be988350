"""Label pickles as Uni-Sign publishes them: name -> {name, gloss, text, video_path}.

A pickle is a program. Here it may build dicts, lists, texts and numbers and nothing else.
"""

import gzip
import io
import pickle
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.corpora.tables import Row

MAX_BYTES = 1 << 30  # a gzip file of a few kB can hold far more than a machine has
BROKEN = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    TypeError,
    OverflowError,
)


class _PlainUnpickler(pickle.Unpickler):
    """Without classes and functions, a pickle can neither run nor build anything special."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def load_plain_pickle(path: Path) -> Any:
    """The plain dicts, lists, texts and numbers of a pickle, which may be gzip'd."""
    if not path.is_file():
        raise FileNotFoundError(f"no annotations at {path}")
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        try:
            with gzip.open(io.BytesIO(data)) as stream:
                data = stream.read(MAX_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{path}: the gzip file is damaged ({error})") from None
    if len(data) > MAX_BYTES:
        raise ValueError(f"{path}: over {MAX_BYTES} bytes, too large for labels")
    try:
        return _PlainUnpickler(io.BytesIO(data)).load()
    except BROKEN as error:
        raise ValueError(
            f"{path}: refused, only dicts, lists, texts and numbers may be in it ({error})"
        ) from None


def read_labels(
    path: Path, split: str, videos: Path, language: str, text_language: str
) -> Iterator[Sample]:
    """Samples of one label file. Signers and times are not in it."""
    labels = load_plain_pickle(path)
    if not isinstance(labels, dict):
        raise ValueError(f"{path}: expected a dict of labels, got {type(labels).__name__}")
    for key, fields in labels.items():
        row = Row(f"{path}, entry {key!r}", fields)
        yield Sample(
            id=row.name("name").removesuffix(".mp4"),
            media=videos / row.name("video_path"),
            signer="",
            split=split,
            glosses=row.words("gloss"),
            text=row.text("text"),
            language=language,
            text_language=text_language,
        )
