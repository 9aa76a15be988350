"""Writes the source tree that a phone's app is built from: what main.py reaches, and nothing else.

    python .ci/phone_tree.py android build/android
    python .ci/phone_tree.py ios build/ios

In it: ``main.py``, ``buildozer.spec``, ``fingerpost/`` (the modules that ``app.phone`` imports, and
those that they import), the demo pack, and ``models/`` with the landmarker's bundle where this
machine has built one. No trainer, no distill, no command line. docs/phones.md says how to go on.
"""

import ast
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENTRY = "app.phone"
# Imported by name, so that no import statement leads there.
BY_NAME = {
    "android": (
        "app.platforms.android",
        "app.platforms.android_camera",
        "app.platforms.android_litert",
        "app.platforms.android_executorch",
    ),
    "ios": ("app.platforms.ios", "app.platforms.ios_camera", "app.platforms.ios_coreml"),
}
# Wheels and the terminal do this elsewhere: modules that a phone never gets to.
LEFT_OUT = {
    "app.doctor",
    "edge_runtime.backends.executorch",
    "edge_runtime.backends.onnx",
    "edge_runtime.backends.tflite",
}
DATA = {  # globs below the root
    "app/locales/*/LC_MESSAGES/*.po",
    "assets/demo/demo.json",
    "assets/demo/pack/*",
    "assets/SOURCES.md",
    "LICENSE",
}
MAIN = '''"""Fingerpost on a phone. Written by .ci/phone_tree.py."""

from pathlib import Path

from fingerpost.app.phone import main

if __name__ == "__main__":
    main(Path(__file__).resolve().parent)
'''


def write_tree(system: str, folder: Path) -> list[str]:
    """Writes the tree in the place of one that was there; the modules in it. The folder is there
    whole or not at all. ValueError for a system that is none, or a folder that is something else.
    """
    if system not in BY_NAME:
        raise ValueError(f"there is no {system!r}: give one of {', '.join(BY_NAME)}")
    if folder.exists() and not (folder / "main.py").is_file():
        raise ValueError(f"{folder} is something else: name a folder that is not there yet")
    folder.parent.mkdir(parents=True, exist_ok=True)
    modules = reached([ENTRY, *BY_NAME[system]])
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as place:
        tree = Path(place) / "tree"
        for module in modules:
            copy(file_of(module), tree / "fingerpost")
        for pattern in sorted(DATA):
            for path in sorted(ROOT.glob(pattern)):
                copy(path, tree / "fingerpost")
        (tree / "main.py").write_text(MAIN)
        shutil.copy(ROOT / "app" / "buildozer.spec", tree)
        copy_bundle(tree / "models")
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(tree, folder)
    return modules


def reached(entries: list[str]) -> list[str]:
    """The modules, by dotted name, that these import, that those import, and so on."""
    found: set[str] = set()
    waiting = list(entries)
    while waiting:
        module = waiting.pop()
        if module in found or module in LEFT_OUT:
            continue
        found.add(module)
        parent = module.rpartition(".")[0]
        waiting += [parent] if parent else []
        waiting += imported_by(file_of(module))
    return sorted(found)


@cache
def imported_by(path: Path) -> frozenset[str]:
    """Modules of Fingerpost that a file imports anywhere, but for types alone."""
    found = set()
    for node in running(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            names.append(str(node.module))
        else:
            continue
        for name in names:
            room, _, module = name.partition(".")
            if room == "fingerpost" and module and is_module(module):
                found.add(module)
    return frozenset(found)


def running(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but those under ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name):
            if child.test.id == "TYPE_CHECKING":
                continue
        yield child
        yield from running(child)


def is_module(module: str) -> bool:
    path = ROOT / Path(*module.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def file_of(module: str) -> Path:
    path = ROOT / Path(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def copy(path: Path, below: Path) -> None:
    target = below / path.relative_to(ROOT)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, target)


def copy_bundle(folder: Path) -> None:
    """The landmarker's bundle, which no phone can build; a line on how to get one where there is
    none here."""
    from fingerpost.edge_runtime.landmarker_bundle import bundle_path

    folder.mkdir()
    bundle = bundle_path()
    if bundle.is_file():
        shutil.copy(bundle, folder)
    else:
        print(
            f"no {bundle.name} here: `fingerpost landmarks VIDEO -o FILE.npz` builds it; then run"
            " this again",
            file=sys.stderr,
        )


def main() -> int:
    if len(sys.argv) != 3:
        print(f"usage: phone_tree.py {'|'.join(BY_NAME)} FOLDER", file=sys.stderr)
        return 2
    folder = Path(sys.argv[2])
    try:
        modules = write_tree(sys.argv[1], folder)
    except (ValueError, OSError) as error:
        print(f"phone_tree: {error}", file=sys.stderr)
        return 2
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder}: {len(modules)} modules, {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
