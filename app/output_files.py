"""Files that commands write: looked at before the work, and written whole or not at all."""

import os
import tempfile
from pathlib import Path


def check_destinations(source: str, *paths: Path | None) -> None:
    """Raises ValueError for a path that cannot be written later, or that would harm the source."""
    named = [path for path in paths if path is not None]
    for path in named:
        if path.is_dir():
            raise ValueError(f"{path} is a folder; name a file in it")
        if path.exists() and not path.is_file():  # /dev/null would be replaced by a file
            raise ValueError(f"{path} is no plain file; name another")
        if not path.parent.is_dir():
            raise ValueError(f"{path}: there is no folder {path.parent}; make it first")
        if not os.access(path.parent, os.W_OK):
            raise ValueError(f"{path}: the folder {path.parent} cannot be written to")
    if len({path.resolve() for path in named}) < len(named):
        raise ValueError("two outputs have the same name; give each a file of its own")
    if Path(source).resolve() in {path.resolve() for path in named}:
        raise ValueError(f"{source} is what is read; write to another file")


def write_text(path: Path, text: str) -> None:
    """Writes a UTF-8 text file in one go: a reader finds the old file or all of the new one."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _umask() -> int:
    """The process's mask for new files, which ``mkstemp`` does not follow."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
