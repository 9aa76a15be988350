"""What pyproject.toml promises, and what the built wheel really holds."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import tomllib

ROOT = Path(__file__).parent.parent
ROOMS = ("app", "assets", "distill", "edge_runtime", "trainer")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PYPROJECT["project"]["optional-dependencies"]


def shipped_files() -> set[str]:
    """Every file of the rooms, as the path that it has in the wheel."""
    return {
        f"fingerpost/{path.relative_to(ROOT)}"
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and path.parent.name != "__pycache__" and not path.name.startswith(".")
    }


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9_.-]", requirement)[0].lower() for requirement in requirements}


def test_pyproject_lists_every_package():
    found = {
        "fingerpost." + ".".join(path.parent.relative_to(ROOT).parts)
        for room in ROOMS
        for path in (ROOT / room).rglob("__init__.py")
    }
    assert found == set(PYPROJECT["tool"]["setuptools"]["packages"])


def test_every_folder_with_code_is_a_package():
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            assert (path.parent / "__init__.py").exists(), f"{path.parent} has no __init__.py"


def test_who_only_wants_captions_installs_no_torch():
    too_much = {"torch", "transformers", "torchao", "executorch", "scipy", "numba", "pandas"}
    assert not names(EXTRAS["app"]) & too_much
    assert names(PYPROJECT["project"]["dependencies"]) == {"numpy"}


def test_torch_stays_at_the_version_that_all_else_was_tried_with():
    setup = (ROOT / ".ci" / "setup.sh").read_text()
    pinned = {line for line in EXTRAS["train"] if line.startswith("torch==")}
    assert pinned == {"torch==" + re.search(r"^TORCH_VERSION=(\S+)", setup, re.M)[1]}


def test_every_dependency_says_why_it_is_there():
    reasons = (ROOT / "docs" / "dependencies.md").read_text()
    listed = {name.lower() for name in re.findall(r"^\| `([A-Za-z0-9_.-]+)`", reasons, re.M)}
    everything = [line for extra in EXTRAS.values() for line in extra]
    wanted = names(everything + PYPROJECT["project"]["dependencies"]) - {"fingerpost"}
    assert wanted <= listed, f"docs/dependencies.md lacks {sorted(wanted - listed)}"


def test_an_extra_of_ours_is_named_wherever_an_import_may_fail():
    """Hints such as `pip install "fingerpost[app]"` name an extra that exists."""
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            for extra in re.findall(r"fingerpost\[(\w+)\]", path.read_text()):
                assert extra in EXTRAS, f"{path}: there is no extra {extra!r}"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built as `make wheel` does, in a copy that has an old build/ lying about."""
    copy = tmp_path_factory.mktemp("packaging") / "checkout"
    copy.mkdir()
    skip = shutil.ignore_patterns("__pycache__", ".*")
    for room in ROOMS:
        shutil.copytree(ROOT / room, copy / room, ignore=skip)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    left_over = copy / "build" / "lib" / "fingerpost" / "app" / "deleted_last_week.py"
    left_over.parent.mkdir(parents=True)
    left_over.write_text("")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", str(copy)],
        check=True,
        capture_output=True,
    )
    (wheel,) = (copy / "dist").glob("*.whl")
    return wheel


def test_the_wheel_holds_the_rooms_and_nothing_else(built: Path):
    with zipfile.ZipFile(built) as wheel:
        files = {name for name in wheel.namelist() if ".dist-info/" not in name}
        licences = [name for name in wheel.namelist() if name.endswith("licenses/LICENSE")]
    assert files == shipped_files()
    assert "fingerpost/edge_runtime/py.typed" in files
    assert len(licences) == 1


def test_the_installed_wheel_works_without_the_checkout(built: Path, tmp_path: Path):
    with zipfile.ZipFile(built) as wheel:
        wheel.extractall(tmp_path / "site")
    code = (
        "import sys; sys.meta_path = [f for f in sys.meta_path if 'editable' not in repr(f)]\n"
        "import fingerpost.edge_runtime.keypoints as k; print(k.__file__, len(k.SIGN69))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    file, points = done.stdout.split()
    assert Path(file).is_relative_to(tmp_path / "site") and points == "69"
