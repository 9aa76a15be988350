"""Label pickles as Uni-Sign publishes them: name -> {name, gloss, text, video_path}.

A pickle is a program. Here it may build dicts, lists, texts and numbers and nothing else.
"""

import gzip
import io
import pickle
import pickletools
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.corpora.tables import Row

MAX_BYTES = 1 << 30  # a gzip file of a few kB can hold far more than a machine has
PLAIN = set(
    "PROTO FRAME STOP MARK POP POP_MARK DUP MEMOIZE PUT BINPUT LONG_BINPUT GET BINGET LONG_BINGET "
    "NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT "
    "STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 "
    "LIST EMPTY_LIST APPEND APPENDS DICT EMPTY_DICT SETITEM SETITEMS "
    "TUPLE EMPTY_TUPLE TUPLE1 TUPLE2 TUPLE3".split()
)
BROKEN = (  # what an unpickler raises for a pickle that makes no sense
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    OverflowError,
)


class _PlainUnpickler(pickle.Unpickler):
    """The second lock: nothing that has a name can be found."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def _expect_plain(data: bytes) -> None:
    """ValueError for a pickle with an instruction that builds more than plain things.

    Also for one that reserves memory by a number: there are fewer things in it than it has bytes.
    """
    for instruction, argument, _ in pickletools.genops(data):
        if instruction.name not in PLAIN:
            wanted = f" {argument}" if isinstance(argument, str) else ""
            raise ValueError(f"it has the instruction {instruction.name}{wanted}")
        if instruction.name.endswith("PUT"):
            if isinstance(argument, int) and argument > len(data):
                raise ValueError(f"it reserves {argument} places")


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
        _expect_plain(data)
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
