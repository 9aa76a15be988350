"""A line of code knows its room: which room may import which, and what the wheel must hold."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import tomllib

ROOT = Path(__file__).parent.parent
ROOMS_BELOW = {
    "assets": set(),
    "edge_runtime": {"assets"},
    "trainer": {"edge_runtime", "assets"},
    "distill": {"trainer", "edge_runtime", "assets"},
    "app": {"edge_runtime", "assets"},
}
TOO_HEAVY_FOR_A_PHONE = {"torch", "transformers", "torchao", "tensorflow", "pandas"}


def imports_of(path):
    """Yields the dotted name of everything a module imports, e.g. fingerpost.trainer.models.ctc."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("room", ROOMS_BELOW)
def test_room_imports_only_the_rooms_below_it(room):
    for path in (ROOT / room).rglob("*.py"):
        for name in imports_of(path):
            package, _, rest = name.partition(".")
            assert package not in ROOMS_BELOW, f"{path}: write fingerpost.{name}"
            if package == "fingerpost":
                assert rest.split(".")[0] in ROOMS_BELOW[room] | {room}, f"{path}: {name}"
            if room in ("edge_runtime", "app"):
                assert package not in TOO_HEAVY_FOR_A_PHONE, f"{path}: {name}"


def test_importing_edge_runtime_loads_nothing_heavy():
    code = "import sys, fingerpost.edge_runtime; print(*{m.split('.')[0] for m in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not TOO_HEAVY_FOR_A_PHONE & set(loaded.stdout.split())


def test_pyproject_lists_every_package():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {
        "fingerpost." + ".".join(path.parent.relative_to(ROOT).parts)
        for room in ROOMS_BELOW
        for path in (ROOT / room).rglob("__init__.py")
    }
    assert found == set(listed)
