"""What `make check-wheels` makes of libraries, built here byte by byte."""

import importlib.util
import struct
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
AARCH64, X86_64 = 183, 62  # e_machine of the ELF specification
STRINGS, NEEDED_VERSIONS = 3, 0x6FFFFFFE  # kinds of sections

pytest.importorskip("elftools", reason="needs the extra dev")


@pytest.fixture(scope="module")
def wheels():
    """The program, which is in no package."""
    spec = importlib.util.spec_from_file_location("check_wheels", ROOT / ".ci" / "check_wheels.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def strings(*texts: str) -> tuple[bytes, dict[str, int]]:
    """A table of strings, and where in it each begins."""
    table, at = b"\0", {}
    for text in texts:
        at[text] = len(table)
        table += text.encode() + b"\0"
    return table, at


def library(needs: dict[str, list[str]], machine: int = AARCH64) -> bytes:
    """An ELF file of 64 bits that needs these versions of these libraries, and holds no code."""
    table, at = strings(*needs, *(version for of in needs.values() for version in of))
    versions = b""
    for i, (name, of) in enumerate(needs.items()):
        last = i + 1 == len(needs)
        versions += struct.pack(
            "<HHIII", 1, len(of), at[name], 16, 0 if last else 16 * (1 + len(of))
        )
        for j, version in enumerate(of):
            following = 0 if j + 1 == len(of) else 16
            versions += struct.pack("<IHHII", 0, 0, 2, at[version], following)
    names, name_at = strings(".dynstr", ".gnu.version_r", ".shstrtab")
    sections = [(".dynstr", STRINGS, table, 0, 0)]
    sections += [(".gnu.version_r", NEEDED_VERSIONS, versions, 1, len(needs))]
    sections += [(".shstrtab", STRINGS, names, 0, 0)]
    body, headers = b"", bytes(64)
    for name, kind, content, link, info in sections:
        place = 64 + len(body)
        headers += struct.pack(
            "<IIQQQQIIQQ", name_at[name], kind, 0, 0, place, len(content), link, info, 1, 0
        )
        body += content
    head = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    head += struct.pack(
        "<HHIQQQIHHHHHH", 3, machine, 1, 0, 0, 64 + len(body), 0, 64, 0, 0, 64, 4, 3
    )
    return head + body + headers


def looked_at(wheels, site: Path, content: bytes):
    path = site / "package" / "part.so.1"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return wheels.look_at(path, site)


def test_a_library_for_jetpack_6_has_no_problem(wheels, tmp_path):
    content = library({"libc.so.6": ["GLIBC_2.17", "GLIBC_2.35"], "libm.so.6": ["GLIBC_2.27"]})
    found = looked_at(wheels, tmp_path, content)
    assert found.problems == []
    assert {str(need) for need in found.needs} == {"GLIBC 2.17", "GLIBC 2.35", "GLIBC 2.27"}
    assert wheels.newest_glibc([found]) == "GLIBC 2.35 at the most (package/part.so.1)"


def test_2_36_is_newer_than_2_35_and_2_4_is_not(wheels, tmp_path):
    """Versions are numbers, not texts: "2.4" sorts behind "2.35"."""
    found = looked_at(wheels, tmp_path, library({"libc.so.6": ["GLIBC_2.36", "GLIBC_2.4"]}))
    assert found.problems == [
        "package/part.so.1 needs GLIBC 2.36 of libc.so.6; JetPack 6 has GLIBC 2.35"
    ]
    assert wheels.newest_glibc([found]) == "GLIBC 2.36 at the most (package/part.so.1)"


def test_libstdcxx_counts_too_but_not_one_that_the_wheel_brings(wheels, tmp_path):
    needs = {"libstdc++.so.6": ["GLIBCXX_3.4.31"], "libstdc++-1a2b3c.so.6": ["GLIBCXX_3.4.33"]}
    found = looked_at(wheels, tmp_path, library(needs))
    assert found.problems == [
        "package/part.so.1 needs GLIBCXX 3.4.31 of libstdc++.so.6; JetPack 6 has GLIBCXX 3.4.30"
    ]


def test_a_version_without_a_number_is_no_problem(wheels, tmp_path):
    found = looked_at(wheels, tmp_path, library({"libc.so.6": ["GLIBC_PRIVATE", "GLIBC_2.17"]}))
    assert found.problems == [] and len(found.needs) == 1


def test_a_library_for_another_machine_is_a_problem(wheels, tmp_path):
    found = looked_at(wheels, tmp_path, library({"libc.so.6": ["GLIBC_2.17"]}, X86_64))
    assert found.problems == ["package/part.so.1 is for EM_X86_64, not for aarch64"]


@pytest.mark.parametrize("length", [5, 40, 100, 300])
def test_a_library_that_was_cut_short_is_a_problem(wheels, tmp_path, length):
    content = library({"libc.so.6": ["GLIBC_2.17"]})
    assert len(content) > 300
    (problem,) = looked_at(wheels, tmp_path, content[:length]).problems
    assert problem.startswith("package/part.so.1 is no whole ELF file")


def test_libraries_are_known_by_what_they_are_not_by_their_names(wheels, tmp_path):
    (tmp_path / "empty.so").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("nothing to load")
    (tmp_path / "module").write_bytes(library({"libc.so.6": ["GLIBC_2.17"]}))
    assert wheels.libraries_in(tmp_path) == [tmp_path / "module"]


def test_a_wheel_that_is_missing_is_told_in_one_line(wheels, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(wheels, "FOLDER", tmp_path)
    told = subprocess.CompletedProcess([], 1, "", "  x No solution found\n  because kivy==9\n")
    monkeypatch.setattr(wheels.subprocess, "run", lambda *a, **k: told)
    assert wheels.main(("3.12",)) == 1
    assert capsys.readouterr().err.splitlines() == [
        "Python 3.12: the extra `app` does not resolve to aarch64 wheels: x No solution found "
        "because kivy==9"
    ]


def test_a_library_that_does_not_fit_makes_the_check_fail(wheels, tmp_path, monkeypatch, capsys):
    def install(version: str, site: Path) -> None:
        (site / "good.so").write_bytes(library({"libc.so.6": ["GLIBC_2.17"]}))
        if version == "3.12":
            (site / "bad.so").write_bytes(library({"libc.so.6": ["GLIBC_2.39"]}))

    monkeypatch.setattr(wheels, "FOLDER", tmp_path)
    monkeypatch.setattr(wheels, "install", install)
    assert wheels.main(("3.10",)) == 0
    assert wheels.main(("3.10", "3.12")) == 1
    said = capsys.readouterr()
    assert "GLIBC 2.17 at the most (good.so)" in said.out
    assert said.err == (
        "Python 3.12: bad.so needs GLIBC 2.39 of libc.so.6; JetPack 6 has GLIBC 2.35\n"
    )
    assert list(tmp_path.iterdir()) == []  # the unpacked wheels are gone


def test_an_unknown_python_is_told(tmp_path):
    command = [sys.executable, ROOT / ".ci" / "check_wheels.py", "3.9"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "no Jetson has Python 3.9: give one of 3.10, 3.11, 3.12, or none\n"
