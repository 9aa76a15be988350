"""A line of code knows its room: which room may import which, and what may be imported where."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
ROOMS_BELOW = {
    "assets": set(),
    "edge_runtime": {"assets"},
    "trainer": {"edge_runtime", "assets"},
    "distill": {"trainer", "edge_runtime", "assets"},
    "app": {"edge_runtime", "assets"},
}
# These may import every room, inside the subcommand that needs it.
FRONT_DOOR = set((ROOT / "app").glob("cli*.py"))

TOO_HEAVY_FOR_A_PHONE = {"torch", "transformers", "torchao", "tensorflow", "pandas", "scipy"}
# ExecuTorch's Python wheel takes PyTorch's tensors, and brings it along; not on phones.
OF_A_WHEEL = {"edge_runtime/backends/executorch.py": {"torch"}}
NEWER_THAN_PYTHON_3_10 = {"tomllib"}  # edge_runtime and app run on Jetson's 3.10
ONLY_IN = {  # package: the files that may import it
    "kivy": "app/*",
    "typer": "app/* trainer/* distill/*",
    "rich": "app/* trainer/* distill/*",
    "mediapipe": "edge_runtime/landmark*.py edge_runtime/mediapipe_alone.py",
    "pose_format": "edge_runtime/keypoint*.py trainer/corpora/*",
    "ai_edge_litert": "edge_runtime/backends/* distill/*",
    "tflite_runtime": "edge_runtime/backends/*",
    "executorch": "edge_runtime/backends/* distill/*",
    "coremltools": "edge_runtime/backends/* distill/*",
}


class Import(NamedTuple):
    """One name that a module imports. name : dotted; inside : within a function or for types."""

    name: str
    line: int
    inside: bool

    @property
    def package(self) -> str:
        return self.name.split(".")[0]

    @property
    def room(self) -> str:
        """`edge_runtime` of fingerpost.edge_runtime.keypoints; empty for another package."""
        return self.name.split(".")[1] if self.package == "fingerpost" else ""


def imports_of(path: Path) -> list[Import]:
    return list(_imports(ast.parse(path.read_text()), path, inside=False))


def _imports(node: ast.AST, path: Path, inside: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, inside) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"{path}:{child.lineno}: relative import"
            for alias in child.names:
                yield Import(f"{child.module}.{alias.name}", child.lineno, inside)
        else:
            function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            types_only = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            yield from _imports(child, path, inside or function or types_only)


def files_of(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def label(path: Path) -> str:
    return str(path.relative_to(ROOT))


ALL_FILES = [path for room in ROOMS_BELOW for path in files_of(room)]


@pytest.mark.parametrize("path", ALL_FILES, ids=label)
def test_a_file_imports_only_its_own_room_and_those_below(path: Path):
    room = path.relative_to(ROOT).parts[0]
    allowed = ROOMS_BELOW[room] | {room}
    for found in imports_of(path):
        where = f"{label(path)}:{found.line}: {found.name}"
        assert found.package not in ROOMS_BELOW, f"{where}: write fingerpost.{found.name}"
        if path in FRONT_DOOR and found.inside:
            continue
        assert found.room in allowed | {""}, f"{where}: {room} may not import {found.room}"


@pytest.mark.parametrize("path", ALL_FILES, ids=label)
def test_a_package_is_imported_only_where_it_belongs(path: Path):
    for found in imports_of(path):
        places = ONLY_IN.get(found.package, "*").split()
        assert any(fnmatch(label(path), place) for place in places), (
            f"{label(path)}:{found.line}: {found.package} belongs into {', '.join(places)}"
        )


@pytest.mark.parametrize("path", files_of("edge_runtime") + files_of("app"), ids=label)
def test_what_runs_on_a_phone_imports_nothing_too_heavy_for_it(path: Path):
    for found in imports_of(path):
        too_heavy = TOO_HEAVY_FOR_A_PHONE - OF_A_WHEEL.get(label(path), set())
        assert found.package not in too_heavy | NEWER_THAN_PYTHON_3_10, (
            f"{label(path)}:{found.line}: {found.package}"
        )


@pytest.mark.parametrize("path", files_of("edge_runtime") + files_of("assets"), ids=label)
def test_edge_runtime_needs_only_numpy_to_be_imported(path: Path):
    known = sys.stdlib_module_names | {"numpy", "fingerpost"}
    for found in imports_of(path):
        assert found.inside or found.package in known, (
            f"{label(path)}:{found.line}: import {found.package} inside the function that needs it"
        )


def test_only_the_session_of_the_app_starts_threads():
    for path in files_of("app"):
        threads = {"threading", "multiprocessing", "concurrent"}
        if path.name not in ("session.py", "session_worker.py"):
            assert not threads & {found.package for found in imports_of(path)}, label(path)


def test_there_are_no_utils():
    names = {path.stem for path in ALL_FILES}
    assert not names & {"utils", "util", "helpers", "helper", "misc", "common_utils"}


def loaded_by(code: str) -> set[str]:
    """The top-level packages that a fresh Python has loaded after running the code."""
    code += "\nimport sys; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_all_of_edge_runtime_loads_nothing_but_numpy():
    modules = [
        "fingerpost." + ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in files_of("edge_runtime")
    ]
    code = "\n".join(f"import {name.removesuffix('.__init__')}" for name in modules)
    loaded = loaded_by(code)
    assert "numpy" in loaded
    assert not (TOO_HEAVY_FOR_A_PHONE | set(ONLY_IN) | {"cv2", "matplotlib"}) & loaded


def test_importing_the_front_door_loads_no_other_room_and_nothing_heavy():
    loaded = loaded_by("import fingerpost.app.cli")
    assert not (TOO_HEAVY_FOR_A_PHONE | {"kivy", "mediapipe", "cv2", "ai_edge_litert"}) & loaded
