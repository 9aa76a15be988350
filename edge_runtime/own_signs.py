"""Signs that a user has taught, kept on this machine as keypoints: no pictures, no models.

    store = OwnSigns()
    store.add(OwnSign("Anna", (clip_1, clip_2, clip_3)))
    store.write(Path("mine.zip"))     # to another machine
    store.read(Path("mine.zip"))

A file of signs is a zip: ``signs.json``, and of each sign one keypoint file, its examples one after
the other. The store holds one such file for each sign, named by a hash of the sign's name, for a
name may hold what no file's name can. What a pack makes of the keypoints is made when it is opened,
so signs are taught once, for every pack.
"""

import hashlib
import json
import os
import tempfile
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fingerpost.edge_runtime.keypoint_files import load_npz, save_npz
from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence
from fingerpost.edge_runtime.pack_files import pack_files, write_zip

FORMAT_VERSION = 1
INDEX = "signs.json"
SUFFIX = ".signs"
FPS = 25.0  # of every example
LONGEST_NAME = 40  # characters
MOST_SIGNS = 200  # in one file
MOST_BYTES = 64 * 2**20  # of a file, unpacked


@dataclass(frozen=True)
class OwnSign:
    """name : as ``sign_name`` gives it
    examples : of view sign69 at ``FPS``, from before the hands go up until they are down
    """

    name: str
    examples: tuple[PoseSequence, ...]

    def __post_init__(self) -> None:
        if self.name != sign_name(self.name):
            raise ValueError(f"{self.name!r} is not written as the name of a sign")
        if not self.examples:
            raise ValueError(f"{self.name} has no examples: record it, or give clips of it")
        for example in self.examples:
            if example.schema.name != SIGN69.name or example.fps != FPS or not len(example):
                raise ValueError(f"an example of {self.name} is not of view sign69 at {FPS:g} fps")

    @property
    def key(self) -> str:
        """The same for names that differ in capitals alone."""
        return self.name.casefold()


class OwnSigns:
    """The signs of this machine's user.

    root : by default $FINGERPOST_SIGNS, or the user's data folder
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or _default_root()

    def list(self) -> tuple[OwnSign, ...]:
        """All signs by name; ValueError for a file that is damaged, with what to do about it."""
        signs: tuple[OwnSign, ...] = ()
        for path in sorted(self.root.glob(f"[!.]*{SUFFIX}")):
            try:
                signs += read_signs(path)
            except ValueError as error:
                raise ValueError(f"{error}; delete {path}, and teach its sign again") from error
        return tuple(sorted(signs, key=lambda sign: sign.key))

    def add(self, sign: OwnSign, replacing: bool = False) -> None:
        """Keeps a sign. ValueError where there is one of the name, unless it is to be replaced."""
        path = self._path(sign.name)
        if path.exists() and not replacing:
            raise ValueError(
                f"there is a sign {sign.name!r} already: give another name, or --replace"
            )
        write_signs(path, [sign])

    def remove(self, name: str) -> None:
        """Deletes a sign, also one whose file is damaged."""
        path = self._path(sign_name(name))
        if not path.exists():
            known = ", ".join(sign.name for sign in self.list()) or "none"
            raise ValueError(f"there is no sign {name!r}; taught: {known}")
        path.unlink()

    def read(self, path: Path, replacing: bool = False) -> tuple[OwnSign, ...]:
        """Keeps all signs of a file, or none where one is there already; returns them."""
        signs = read_signs(path)
        there = [sign.name for sign in signs if self._path(sign.name).exists()]
        if there and not replacing:
            raise ValueError(f"there are signs {', '.join(there)} already: --replace takes the new")
        for sign in signs:
            self.add(sign, replacing=True)
        return signs

    def write(self, path: Path) -> tuple[OwnSign, ...]:
        """Writes all signs as one file; returns them. ValueError where none was taught."""
        signs = self.list()
        if not signs:
            raise ValueError("no sign was taught yet: fingerpost teach NAME")
        write_signs(path, signs)
        return signs

    def _path(self, name: str) -> Path:
        digest = hashlib.sha256(name.casefold().encode()).hexdigest()
        return self.root / (digest[:16] + SUFFIX)


def sign_name(text: str) -> str:
    """A name as it is kept and shown; ValueError for what cannot be one."""
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not name or len(name) > LONGEST_NAME:
        raise ValueError(f"a sign's name has 1 to {LONGEST_NAME} characters, got {len(name)}")
    if not name.isprintable():
        raise ValueError(f"a sign's name holds only what can be printed, got {text!r}")
    return name


def write_signs(path: Path, signs: Sequence[OwnSign]) -> None:
    """Writes a file of signs, whole or not at all; the same bytes for the same signs."""
    if len(signs) > MOST_SIGNS:
        raise ValueError(f"a file holds at most {MOST_SIGNS} signs, got {len(signs)}")
    files, listed = {}, []
    with tempfile.TemporaryDirectory() as folder:
        for number, sign in enumerate(signs):
            name = f"{number}.npz"
            squares = [_square(example) for example in sign.examples]
            joined = replace(
                squares[0],
                xyz=np.concatenate([one.xyz for one in squares]),
                confidence=np.concatenate([one.confidence for one in squares]),
            )
            save_npz(Path(folder) / name, joined)
            files[name] = (Path(folder) / name).read_bytes()
            lengths = [len(example) for example in sign.examples]
            listed.append({"name": sign.name, "file": name, "lengths": lengths})
    index = {"format_version": FORMAT_VERSION, "signs": listed}
    files[INDEX] = json.dumps(index, indent=1, ensure_ascii=False).encode()
    write_zip(path, files)


def read_signs(path: Path) -> tuple[OwnSign, ...]:
    """The signs of a file; ValueError, in one line, where it is no such file, or a damaged one."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    files = pack_files(path)
    if INDEX not in files.sizes or sum(files.sizes.values()) > MOST_BYTES:
        raise ValueError(f"{path} is no file of signs: fingerpost teach --export writes one")
    signs: list[OwnSign] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, file, lengths in _listed(path, files.read(INDEX)):
            if file not in files.sizes:
                raise ValueError(f"{path} is damaged: it lacks {file}")
            (Path(folder) / "sign.npz").write_bytes(files.read(file))
            try:
                joined = load_npz(Path(folder) / "sign.npz")
                signs.append(OwnSign(sign_name(name), _parts(joined, lengths)))
            except ValueError as error:
                raise ValueError(f"{path} is damaged: {file} holds no sign") from error
    if len({sign.key for sign in signs}) < len(signs):
        raise ValueError(f"{path} is damaged: a sign is in it twice")
    return tuple(signs)


def _listed(path: Path, content: bytes) -> list[tuple[str, str, list[int]]]:
    """Name, file and lengths of each sign, of the index."""
    try:
        index: Any = json.loads(content)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {INDEX} is not JSON") from error
    version = index.get("format_version") if isinstance(index, dict) else None
    if version != FORMAT_VERSION:
        raise ValueError(f"{path} has format version {version}, this reads {FORMAT_VERSION}")
    signs = index.get("signs")
    found: list[tuple[str, str, list[int]]] = []
    for sign in signs if isinstance(signs, list) else [None]:
        match sign:
            case {"name": str(name), "file": str(file), "lengths": [*lengths]} if _count(lengths):
                found.append((name, file, lengths))
            case _:
                raise ValueError(f"{path} is damaged: {INDEX} does not list its signs")
    return found


def _count(lengths: list[Any]) -> bool:
    """Whether these are numbers of frames."""
    return all(type(n) is int and n > 0 for n in lengths)


def _parts(joined: PoseSequence, lengths: list[int]) -> tuple[PoseSequence, ...]:
    """The examples that were joined."""
    if sum(lengths) != len(joined):
        raise ValueError(f"{len(joined)} frames are not {sum(lengths)}")
    parts, start = [], 0
    for n in lengths:
        frames = slice(start, start + n)
        parts.append(replace(joined, xyz=joined.xyz[frames], confidence=joined.confidence[frames]))
        start += n
    return tuple(parts)


def _square(example: PoseSequence) -> PoseSequence:
    """The same in a picture as wide as it is high, so that examples of any cameras can be joined.

    The middle stays in the middle.
    """
    if example.aspect == 1:  # read and written again, it stays what it is
        return replace(example, start_ms=0)
    xyz = example.xyz.copy()
    xyz[..., 0] = (xyz[..., 0] - 0.5) * example.aspect + 0.5
    xyz[..., 2] *= example.aspect
    xyz = np.where(example.confidence[..., None] > 0, xyz, 0).astype(np.float32)
    return replace(example, xyz=xyz, aspect=1.0, start_ms=0)


def _default_root() -> Path:
    given = os.environ.get("FINGERPOST_SIGNS")
    if given:
        return Path(given)
    try:
        import platformdirs
    except ImportError as error:
        raise ValueError(
            'to keep signs: pip install "fingerpost[app]", or set FINGERPOST_SIGNS to a folder'
        ) from error
    return Path(platformdirs.user_data_dir("fingerpost")) / "signs"
