"""The files of a pack, in a folder or in a zip, read and written with suspicion.

A pack may come from anywhere: nothing here is extracted to a path that the zip chose, and nothing
is read before its size is known. Written zips are the same bytes for the same files.
"""

import hashlib
import io
import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

from fingerpost.edge_runtime.manifest import is_file_name

MANIFEST = "manifest.json"
MAX_FILES = 256
MAX_BYTES = 512 * 2**20  # of all files together, unpacked: no phone wants more
_CHUNK = 2**20
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError)


class PackFiles(Protocol):
    """Names, sizes and bytes of a pack's files."""

    sizes: dict[str, int]

    def read(self, name: str) -> bytes: ...
    def sha256(self, name: str) -> str: ...


def pack_files(path: Path) -> PackFiles:
    """The files at a path: a folder or a zip; ValueError for what is neither, or not to be trusted.

    Names are plain relative paths, each there once, and all of them together of a bearable size.
    """
    if path.is_dir():
        files: PackFiles = _FolderFiles(path)
    elif path.is_file():
        files = _ZipFiles(path)
    else:
        raise FileNotFoundError(f"no pack at {path}: expected a folder or an .fpk file")
    if len(files.sizes) > MAX_FILES or sum(files.sizes.values()) > MAX_BYTES:
        raise ValueError(
            f"{path} is too big for a pack: at most {MAX_FILES} files and {MAX_BYTES // 2**20} MB"
        )
    return files


class _FolderFiles:
    def __init__(self, path: Path) -> None:
        self._path = path
        self.sizes: dict[str, int] = {}
        for parent, folders, names in os.walk(path):
            for name in (*folders, *names):
                file = Path(parent) / name
                inside = file.relative_to(path).as_posix()
                if file.is_symlink():
                    raise ValueError(f"{path} holds a link, {inside}: a pack holds plain files")
                if name in names:
                    self.sizes[_checked_name(path, inside)] = file.stat().st_size

    def read(self, name: str) -> bytes:
        return (self._path / name).read_bytes()

    def sha256(self, name: str) -> str:
        with open(self._path / name, "rb") as file:
            return _sha256_of(file)


class _ZipFiles:
    def __init__(self, path: Path) -> None:
        self._path = path
        self.sizes: dict[str, int] = {}
        with self._open() as archive:
            if len(archive.infolist()) > 2 * MAX_FILES:  # folders may have entries of their own
                raise ValueError(f"{path} is too big for a pack: at most {MAX_FILES} files")
            for entry in archive.infolist():
                self._take(entry)

    def _take(self, entry: zipfile.ZipInfo) -> None:
        if entry.orig_filename != entry.filename or "\\" in entry.orig_filename:
            raise ValueError(f"{self._path} holds a file of a bad name: {entry.orig_filename!r}")
        name = _checked_name(self._path, entry.filename.removesuffix("/"))
        if entry.is_dir():
            return
        mode = entry.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise ValueError(f"{self._path} holds a link, {name}: a pack holds plain files")
        if entry.flag_bits & 1:
            raise ValueError(f"{self._path} is encrypted: a pack is a plain zip")
        if name.lower() in (known.lower() for known in self.sizes):
            raise ValueError(f"{self._path} holds {name} twice; get the pack again")
        self.sizes[name] = entry.file_size

    def read(self, name: str) -> bytes:
        with self._open() as archive, archive.open(name) as file:
            return file.read(self.sizes[name] + 1)

    def sha256(self, name: str) -> str:
        with self._open() as archive, archive.open(name) as file:
            return _sha256_of(file)

    @contextmanager
    def _open(self) -> Iterator[zipfile.ZipFile]:
        try:
            with zipfile.ZipFile(self._path) as archive:
                yield archive
        except _DAMAGED as error:
            raise ValueError(
                f"{self._path} is damaged, or no pack ({str(error)[:60]}); get it again"
            ) from error


def write_zip(path: Path, files: Mapping[str, bytes]) -> None:
    """A zip of the files, whole or not at all; the same bytes for the same files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _ZIP_TIME)
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            entry.create_system = 3  # Unix, wherever it is written
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name])
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(packed.getvalue())
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """A folder of the files, whole or not at all. Takes the place of a pack that was there."""
    if (
        path.exists()
        and not (path / MANIFEST).is_file()
        and (path.is_file() or any(path.iterdir()))
    ):
        raise ValueError(f"{path} exists and is no pack: give another place to write to")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as temporary:
        new, old = Path(temporary) / "new", Path(temporary) / "old"
        for name, content in files.items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).write_bytes(content)
        if path.exists():
            os.rename(path, old)
        try:
            _move_into_place(new, path)
        except OSError:
            if old.exists():
                os.rename(old, path)
            raise
        shutil.rmtree(old, ignore_errors=True)


def _move_into_place(new: Path, path: Path) -> None:
    os.rename(new, path)


def _checked_name(path: Path, name: str) -> str:
    if not is_file_name(name):
        raise ValueError(f"{path} holds a file of a bad name: {name!r}")
    return name


def _sha256_of(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()
