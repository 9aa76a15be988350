"""Do the wheels of the extra `app` fit a Jetson?

    python .ci/check_wheels.py            every Python of VERSIONS, some minutes, 250 MB each
    python .ci/check_wheels.py 3.12

For each Python, uv resolves the extra for aarch64 to wheels alone and unpacks them. A wheel's tag
promises an oldest glibc, and may be wrong: so every library is asked for the versions of symbols
that it needs. Ends with 1 where something does not fit, a line for each.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".aarch64"
VERSIONS = ("3.10", "3.11", "3.12")  # of Python: JetPack 6 has 3.10, JetPack 7 has 3.12
ELF_MAGIC = b"\x7fELF"
# What Ubuntu 22.04 has, which is under JetPack 6; 24.04 under JetPack 7 has more of each.
NEWEST = {"GLIBC": (2, 35), "GLIBCXX": (3, 4, 30), "CXXABI": (1, 3, 13), "GCC": (12, 0, 0)}
OF_THE_SYSTEM: tuple[str, ...] = (
    "libc.so.6",
    "libm.so.6",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
)
OF_THE_SYSTEM += ("ld-linux-aarch64.so.1", "libstdc++.so.6", "libgcc_s.so.1")


class Need(NamedTuple):
    """Of a library: a version of symbols in another. Need("libc.so.6", "GLIBC", (2, 34))"""

    library: str
    symbols: str
    version: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.symbols} {'.'.join(map(str, self.version))}"


class Library(NamedTuple):
    """name : its path below the packages; problems : lines, of what keeps it from loading"""

    name: str
    needs: Sequence[Need]
    problems: list[str]


def main(versions: tuple[str, ...]) -> int:
    """Prints what was found; returns 1 where a wheel does not fit, or there is none."""
    FOLDER.mkdir(exist_ok=True)
    problems = []
    for version in versions:
        with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
            site = Path(folder)
            try:
                install(version, site)
            except ValueError as error:
                problems.append(f"Python {version}: {error}")
                continue
            found = [look_at(path, site) for path in libraries_in(site)]
            problems += [f"Python {version}: {line}" for one in found for line in one.problems]
            n_packages = len(list(site.glob("*.dist-info")))
            print(
                f"Python {version}: {n_packages} packages as wheels, {len(found)} libraries, "
                f"{newest_glibc(found)}",
                flush=True,
            )
    for problem in problems:
        print(problem, file=sys.stderr)
    return int(bool(problems))


def install(version: str, site: Path) -> None:
    """The wheels of `app` for aarch64, unpacked into a folder. ValueError where one is missing.

    uv, because pip asks the markers of a requirement (python_version >= '3.11') of the Python that
    it runs on itself, whatever --python-version says.
    """
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet"]
    command += ["--python-platform", "aarch64-manylinux_2_35", "--python-version", version]
    command += ["--only-binary", ":all:", "--link-mode", "copy"]
    command += ["--target", str(site), "--requirement", "pyproject.toml", "--extra", "app"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env=with_certificates()
    )
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"uv ended with {done.returncode}"
        raise ValueError(f"the extra `app` does not resolve to aarch64 wheels: {said}")


def with_certificates() -> dict[str, str]:
    """The environment, with pip's own choice of certificates told to uv."""
    given = os.environ.get("PIP_CERT")
    return {**({"SSL_CERT_FILE": given} if given else {}), **os.environ}


def libraries_in(site: Path) -> list[Path]:
    """Every ELF file in a folder, whatever it is called."""
    files = (path for path in sorted(site.rglob("*")) if path.is_file())
    return [path for path in files if starts_as_elf(path)]


def starts_as_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(ELF_MAGIC)) == ELF_MAGIC


def look_at(path: Path, site: Path) -> Library:
    """What a library needs, and why it would not load on a Jetson."""
    name = str(path.relative_to(site))
    try:
        machine, needs = needs_of(path)
    except ValueError as error:
        return Library(name, (), [f"{name} {error}"])
    if machine != "EM_AARCH64":
        return Library(name, needs, [f"{name} is for {machine}, not for aarch64"])
    problems = [
        f"{name} needs {need} of {need.library}; JetPack 6 has "
        f"{Need('', need.symbols, NEWEST[need.symbols])}"
        for need in needs
        if need.version > NEWEST[need.symbols]
    ]
    return Library(name, needs, problems)


def needs_of(path: Path) -> tuple[str, list[Need]]:
    """What machine a library is for, and what it needs of the system's own libraries.

    ValueError for a file that is cut short or damaged.
    """
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile
    from elftools.elf.gnuversions import GNUVerNeedSection

    try:
        with path.open("rb") as file:
            elf = ELFFile(file)
            sections = [s for s in elf.iter_sections() if isinstance(s, GNUVerNeedSection)]
            needs = [need for section in sections for need in _needs(section)]
            return str(elf["e_machine"]), needs
    except (ELFError, UnicodeDecodeError) as error:
        raise ValueError(f"is no whole ELF file: {error}") from error


def _needs(section: Any) -> Iterator[Need]:
    for library, versions in section.iter_versions():
        if library.name not in OF_THE_SYSTEM:
            continue  # a library that the wheel brings
        for version in versions:
            symbols, _, number = version.name.partition("_")
            if symbols in NEWEST and number[:1].isdigit():  # not GLIBC_PRIVATE
                yield Need(library.name, symbols, tuple(map(int, number.split("."))))


def newest_glibc(libraries: list[Library]) -> str:
    """The newest glibc that any of them needs, and which one."""
    found = [
        (need.version, f"{need} at the most ({one.name})")
        for one in libraries
        for need in one.needs
        if need.symbols == "GLIBC"
    ]
    return max(found)[1] if found else "none of which asks for a glibc"


if __name__ == "__main__":
    unknown = [version for version in sys.argv[1:] if version not in VERSIONS]
    if unknown:
        sys.exit(f"no Jetson has Python {unknown[0]}: give one of {', '.join(VERSIONS)}, or none")
    sys.exit(main(tuple(sys.argv[1:]) or VERSIONS))
