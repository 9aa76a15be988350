"""A pack: everything that a device needs to caption with one model, in a folder or one .fpk zip.

``open_pack`` trusts nothing: a pack that is damaged, of another version, or that holds anything
but what its manifest lists, is refused with one line that says why.
"""

import dataclasses
import hashlib
import importlib.resources
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from fingerpost.edge_runtime.experts import EATS
from fingerpost.edge_runtime.experts_check import check_experts
from fingerpost.edge_runtime.keypoints import schema
from fingerpost.edge_runtime.manifest import Manifest
from fingerpost.edge_runtime.pack_check import GOLDEN, CheckRow, check_graph, read_golden
from fingerpost.edge_runtime.pack_files import (
    MANIFEST,
    PackFiles,
    pack_files,
    write_folder,
    write_zip,
)
from fingerpost.edge_runtime.preprocess import PREPROCESS_VERSION
from fingerpost.edge_runtime.preprocessings import find_preprocessing
from fingerpost.edge_runtime.translator_check import check_translator

SUFFIX = ".fpk"
BUNDLED = "demo"  # the pack that comes with Fingerpost and captions
SIGNS = "signs"  # the one that comes with it and names single signs
MAX_MANIFEST_BYTES = 2**20


@dataclass(frozen=True)
class Pack:
    """A pack whose files were all found to be what its manifest says.

    path : the folder or .fpk file
    vocabulary : V glosses, in the order of the network's outputs
    """

    path: Path
    manifest: Manifest
    vocabulary: tuple[str, ...]
    _files: PackFiles = dataclasses.field(repr=False, compare=False)

    def read(self, name: str) -> bytes:
        """A file's bytes, checked once more: it may have changed since the pack was opened."""
        if name not in self.manifest.files:
            raise ValueError(f"pack {self.manifest.name} has no file {name!r}")
        content = self._files.read(name)
        if hashlib.sha256(content).hexdigest() != self.manifest.files[name]:
            raise ValueError(_changed(self.path, name))
        return content

    @property
    def size_bytes(self) -> int:
        """Of all its files, unpacked."""
        return sum(self._files.sizes.values())


def open_pack(path: Path | str) -> Pack:
    """Opens a folder or an .fpk file, and verifies it whole; ValueError says what is wrong."""
    path = Path(path)
    files = pack_files(path)
    if MANIFEST not in files.sizes:
        raise ValueError(f"{path} is not a pack: it has no {MANIFEST}")
    if files.sizes[MANIFEST] > MAX_MANIFEST_BYTES:
        raise ValueError(f"{path}: {MANIFEST} is too big to be one")
    try:
        manifest = Manifest.from_json(files.read(MANIFEST))
        _check_fits_this_version(manifest)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    listed, found = set(manifest.files), set(files.sizes) - {MANIFEST}
    for name in sorted(listed - found):
        raise ValueError(f"{path} is not whole: {name} is missing; get the pack again")
    for name in sorted(found - listed):
        raise ValueError(f"{path} holds {name}, which its manifest does not list; remove it")
    for name, sha256 in manifest.files.items():
        if files.sha256(name) != sha256:
            raise ValueError(_changed(path, name))
    words = () if manifest.translation is None else manifest.translation.files
    adapters = () if manifest.experts is None else manifest.experts.adapters.values()
    for needed in (
        manifest.vocabulary,
        *words,
        *adapters,
        *(g.file for g in manifest.graphs.values()),
    ):
        if needed not in listed:
            raise ValueError(f"{path}: {MANIFEST} names {needed}, which is not among its files")
    vocabulary = _read_vocabulary(path, manifest, files.read(manifest.vocabulary))
    return Pack(path, manifest, vocabulary, files)


def write_pack(path: Path | str, manifest: Manifest, files: Mapping[str, bytes]) -> Pack:
    """Writes a pack, as one zip if the path ends in .fpk and else as a folder, and opens it.

    manifest : its ``files`` are filled in here
    The pack is there whole or not at all, and takes the place of one that was there before.
    """
    path = Path(path)
    hashes = {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}
    manifest = dataclasses.replace(manifest, files=hashes)
    if MANIFEST in files:
        raise ValueError(f"{MANIFEST} is written from the manifest: leave it out of the files")
    _write(path, {**files, MANIFEST: manifest.to_json().encode()})
    return open_pack(path)


def pack_to_fpk(pack: Pack, path: Path | str) -> Pack:
    """The same pack as one .fpk file; the same bytes each time."""
    if Path(path).suffix != SUFFIX:
        raise ValueError(f"{path} must end in {SUFFIX}")
    return write_pack(path, pack.manifest, _contents(pack))


def unpack(pack: Pack, folder: Path | str) -> Pack:
    """The same pack as a folder."""
    if Path(folder).suffix == SUFFIX:
        raise ValueError(f"{folder} ends in {SUFFIX}: give a folder")
    return write_pack(folder, pack.manifest, _contents(pack))


def verify_pack(pack: Pack) -> list[CheckRow]:
    """Runs the pack's golden inputs on this machine: is its every graph what it was when exported?

    Opening the pack has checked the files already; this finds a backend that computes otherwise.
    """
    if GOLDEN not in pack.manifest.files:
        raise ValueError(f"pack {pack.manifest.name} has no {GOLDEN} to verify it by")
    golden = read_golden(pack.read(GOLDEN))
    if pack.manifest.experts is not None:
        return check_experts(pack, golden)
    if pack.manifest.translation is not None:
        return check_translator(pack, golden)
    return [
        row for graph in sorted(pack.manifest.graphs) for row in check_graph(pack, graph, golden)
    ]


@dataclass(frozen=True)
class InstalledPack:
    """Where a pack is. It may be a broken one: only open_pack knows."""

    name: str
    path: Path
    bundled: bool  # comes with Fingerpost: cannot be removed


class PackStore:
    """The user's packs, one .fpk file each, and those that come with Fingerpost.

    root : by default $FINGERPOST_PACKS, or the user's data folder
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or _default_root()

    def list(self) -> tuple[InstalledPack, ...]:
        """All packs by name, the bundled ones first."""
        bundled = ((name, bundled_pack(name)) for name in (BUNDLED, SIGNS))
        own = (InstalledPack(p.stem, p, False) for p in sorted(self.root.glob(f"[!.]*{SUFFIX}")))
        ours = tuple(InstalledPack(name, path, True) for name, path in bundled if path)
        names = [pack.name for pack in ours]  # one of the user's own from before ours had that name
        return (*ours, *(pack for pack in own if pack.name not in names))

    def captioning(self) -> tuple[InstalledPack, ...]:
        """Those that a user may choose for captions: all but the bundled one of single signs."""
        return tuple(pack for pack in self.list() if not (pack.bundled and pack.name == SIGNS))

    def add(self, source: Path | str) -> Pack:
        """Installs a pack from a path or file:// address, in the place of one of the same name.

        It is verified first, and the old one stays until the new one is whole and in its place.
        """
        pack = open_pack(_local_path(source))
        name = pack.manifest.name
        if name in (BUNDLED, SIGNS):
            raise ValueError(f"{name!r} is the name of a bundled pack: give the pack another")
        return pack_to_fpk(pack, self.root / (name + SUFFIX))

    def remove(self, name: str) -> None:
        """Deletes an installed pack."""
        pack = self._installed(name)
        if pack.bundled:
            raise ValueError(f"pack {name!r} comes with Fingerpost and cannot be removed")
        pack.path.unlink()

    def find(self, name_or_path: Path | str) -> Path:
        """Where a pack is: an installed one by name, any by its path."""
        text = str(name_or_path)
        if any(pack.name == text for pack in self.list()):
            return self._installed(text).path
        path = _local_path(name_or_path)
        return path if path.exists() else self._installed(text).path

    def _installed(self, name: str) -> InstalledPack:
        for pack in self.list():
            if pack.name == name:
                return pack
        known = ", ".join(pack.name for pack in self.list()) or "none"
        raise ValueError(f"no pack {name!r} is installed (installed: {known}); see: packs add")


def bundled_pack(name: str = BUNDLED) -> Path | None:
    """The folder of a pack that comes with Fingerpost; None in a copy built without it."""
    folder = importlib.resources.files("fingerpost.assets") / name / "pack"
    path = Path(str(folder))  # Fingerpost is installed as plain files, never run from a zip
    return path if (path / MANIFEST).is_file() else None


def _default_root() -> Path:
    given = os.environ.get("FINGERPOST_PACKS")
    if given:
        return Path(given)
    try:
        import platformdirs
    except ImportError as error:
        raise ValueError(
            'to install packs: pip install "fingerpost[app]", or set FINGERPOST_PACKS to a folder'
        ) from error
    return Path(platformdirs.user_data_dir("fingerpost")) / "packs"


def _local_path(source: Path | str) -> Path:
    address = urlsplit(str(source))
    if address.scheme == "file" and address.netloc in ("", "localhost"):
        return Path(url2pathname(address.path))
    if "://" in str(source):
        raise ValueError(f"{source} is not on this machine: download the pack, then give its path")
    return Path(source)


def _check_fits_this_version(manifest: Manifest) -> None:
    if manifest.preprocess_version != PREPROCESS_VERSION:
        raise ValueError(
            f"the pack was made for preprocess_version {manifest.preprocess_version}, this "
            f"Fingerpost has {PREPROCESS_VERSION}; get a pack for it, or export this one again"
        )
    schema(manifest.view)  # ValueError where there is no such view
    if manifest.experts is not None:
        if manifest.preprocess != EATS:
            raise ValueError(f"experts read whole clips by {EATS!r}, not {manifest.preprocess!r}")
    elif manifest.translation is None:
        find_preprocessing(manifest.preprocess)
    elif manifest.preprocess != "live":
        raise ValueError(f"a translator reads frames live, not by {manifest.preprocess!r}")


def _read_vocabulary(path: Path, manifest: Manifest, content: bytes) -> tuple[str, ...]:
    where = f"{path}: {manifest.vocabulary}"
    try:
        glosses = json.loads(content)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{where} is not JSON") from error
    if not isinstance(glosses, list) or not all(isinstance(g, str) and g for g in glosses):
        raise ValueError(f"{where} must be a list of glosses")
    may_be_empty = manifest.experts is not None  # a language model that writes no glosses
    if not (glosses or may_be_empty) or len(set(glosses)) != len(glosses):
        raise ValueError(f"{where} must name each gloss once")
    for role, gloss in manifest.special.items():
        if gloss not in glosses:
            raise ValueError(f"{where} lacks {gloss!r}, which the manifest names as {role}")
    return tuple(glosses)


def _contents(pack: Pack) -> dict[str, bytes]:
    return {name: pack.read(name) for name in pack.manifest.files}


def _write(path: Path, files: Mapping[str, bytes]) -> None:
    write = write_zip if path.suffix == SUFFIX else write_folder
    write(path, files)


def _changed(path: Path, name: str) -> str:
    return (
        f"{path}: {name} is not the file that was packed (its sha256 differs); get the pack again"
    )
