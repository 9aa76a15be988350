"""Packs from elsewhere: fetched by their address, tried on this machine, and taken back.

A download goes on where it broke off, and is no pack before it is whole and its files are what its
manifest says. Written with Python's own urllib: pooch, the library for this, cannot go on with half
a file. An address may end in ``#sha256=…``, which the whole file must then have.
"""

import hashlib
import http.client
import json
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from fingerpost.app.output_files import write_text
from fingerpost.edge_runtime.pack import SUFFIX, Pack, PackStore, open_pack, verify_pack

CHUNK = 1 << 16  # bytes; between two of them a download can be cancelled
TIMEOUT_S = 30.0
LARGEST = 2 << 30  # bytes of a pack: more is a mistake, or an attack
SPARE = 64 << 20  # bytes that are left free on the disk
LOCAL = ("localhost", "127.0.0.1", "::1")
BEFORE = ".before" + SUFFIX  # what the pack that was there before is called, behind "." and a name

Tell = Callable[[float], None]  # how much is done, 0 to 1


def is_address(source: str) -> bool:
    return "://" in source and not source.startswith("file:")


def add_pack(source: str, store: PackStore, tell: Tell = lambda share: None) -> Pack:
    """Installs a pack from a path or an https address. ValueError or OSError, and nothing changed,
    where it is none, or does not compute here what it did where it was made."""
    if not is_address(source):
        return install(source, store)
    fetched = fetch(source, store.root, tell)
    try:
        return install(fetched, store)
    finally:
        fetched.unlink(missing_ok=True)


def install(path: Path | str, store: PackStore) -> Pack:
    """Tries a pack on this machine, then installs it; the one of that name before is kept aside."""
    opened = open_pack(store.find(path))
    name = opened.manifest.name
    failed = [row for row in verify_pack(opened) if not row.passed]
    if failed:
        raise ValueError(
            f"pack {name} does not compute here what it did where it was made "
            f"({failed[0].measure} {failed[0].value:.3g}); it was not installed"
        )
    there = store.root / (name + SUFFIX)
    if there.is_file():
        waiting = _before(name, store).with_suffix(".new")
        shutil.copyfile(there, waiting)
        os.replace(waiting, _before(name, store))
    return store.add(opened.path)


def can_roll_back(name: str, store: PackStore) -> bool:
    return _before(name, store).is_file()


def roll_back(name: str, store: PackStore) -> Pack:
    """Puts the pack back that was there before; a second call changes them back."""
    before, now = _before(name, store), store.root / (name + SUFFIX)
    if not before.is_file():
        raise ValueError(f"there is no earlier pack {name} on this device")
    open_pack(before)  # ValueError where it is not whole any more
    aside = before.with_suffix(".aside")
    if now.is_file():
        os.replace(now, aside)
    os.replace(before, now)
    if aside.is_file():
        os.replace(aside, before)
    return open_pack(now)


def remove(name: str, store: PackStore) -> None:
    """Deletes a pack, and the one that was there before it."""
    store.remove(name)
    _before(name, store).unlink(missing_ok=True)


def fetch(address: str, folder: Path, tell: Tell = lambda share: None) -> Path:
    """Downloads a file into a folder; goes on where the last try of the same address ended."""
    if not _is_safe(address):
        raise ValueError(f"{address}: packs are fetched from https:// addresses only")
    wanted = _wanted_sha256(urlsplit(address).fragment)
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(address.encode()).hexdigest()[:16]
    part, about = folder / f".{name}.part", folder / f".{name}.json"
    request = urllib.request.Request(address.partition("#")[0])
    if part.is_file() and (mark := _mark(about)):
        request.add_header("Range", f"bytes={part.stat().st_size}-")
        request.add_header("If-Range", mark)  # else, where it has changed, all of it anew
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            if not _is_safe(answer.geturl()):
                raise ValueError(f"{address} leads to an address that is not https://")
            _save(answer, part, about, tell)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is left to send, or the file has become shorter
            part.unlink(missing_ok=True)
            raise ValueError(f"{address}: the download did not fit any more; try again") from error
        raise ValueError(f"{address}: the server says {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise OSError(f"{address} cannot be reached: {error.reason}") from error
    except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise OSError(f"{address}: the download broke off; try again to go on") from error
    about.unlink(missing_ok=True)
    whole = folder / f".{name}{SUFFIX}"
    os.replace(part, whole)
    if wanted and _sha256(whole) != wanted:
        whole.unlink()
        raise ValueError(f"{address} is not the file that was announced: its sha256 differs")
    return whole


def _is_safe(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOCAL)


def _save(answer: http.client.HTTPResponse, part: Path, about: Path, tell: Tell) -> None:
    """Writes what comes, behind what is there where the server goes on with it."""
    goes_on = answer.status == http.client.PARTIAL_CONTENT
    there = part.stat().st_size if goes_on else 0
    length = int(answer.headers.get("Content-Length") or 0)
    total = there + length
    if total > LARGEST:
        raise ValueError(f"that is {total / 1e9:.1f} GB: no pack is so large")
    free = shutil.disk_usage(part.parent).free
    needed = length + total + SPARE  # once as it comes, once more when it is installed
    if free < needed:
        raise OSError(f"the disk has {free / 1e6:.0f} MB free, and {needed / 1e6:.0f} are needed")
    mark = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
    write_text(about, json.dumps({"mark": "" if mark.startswith("W/") else mark}))
    with part.open("ab" if goes_on else "wb") as file:
        done = there
        while chunk := answer.read(CHUNK):
            file.write(chunk)
            done += len(chunk)
            if done > LARGEST:
                raise ValueError("that is more than a pack can be")
            tell(done / total if total else 0.0)
    if total and done < total:
        raise http.client.IncompleteRead(b"")


def _mark(about: Path) -> str:
    """What the server called the version of the file that we have a part of; "" if unknown."""
    try:
        return str(json.loads(about.read_text(encoding="utf-8")).get("mark", ""))
    except (OSError, ValueError, AttributeError):
        return ""


def _wanted_sha256(fragment: str) -> str:
    kind, _, value = unquote(fragment).partition("=")
    if kind != "sha256":
        return ""
    value = value.strip().lower()
    if len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise ValueError("the sha256 in the address must have 64 hexadecimal digits")
    return value


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            found.update(chunk)
    return found.hexdigest()


def _before(name: str, store: PackStore) -> Path:
    return store.root / f".{name}{BEFORE}"
