"""Everything in assets is accounted for: origin, licence, hash, and a pack that verifies."""

import hashlib
import re
from pathlib import Path

import pytest

from fingerpost.edge_runtime.pack import bundled_pack, open_pack, verify_pack

ASSETS = Path(__file__).parents[1] / "assets"
ROW = re.compile(r"^\| `(?P<file>[^`]+)` \|(?P<rest>.*)\| `(?P<sha256>[0-9a-f]{64})` \|", re.M)


def rows() -> dict[str, re.Match]:
    found = ROW.finditer((ASSETS / "SOURCES.md").read_text(encoding="utf-8"))
    return {row["file"]: row for row in found}


def files() -> list[str]:
    return sorted(
        path.relative_to(ASSETS).as_posix()
        for path in ASSETS.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc") and path.name != "SOURCES.md"
    )


def test_every_asset_has_a_row_and_every_row_an_asset():
    assert files() == sorted(rows())


@pytest.mark.parametrize("file", files())
def test_the_row_has_the_files_hash(file):
    assert hashlib.sha256((ASSETS / file).read_bytes()).hexdigest() == rows()[file]["sha256"]


def test_the_bundled_pack_verifies_and_says_what_it_may_be_used_for():
    pack = open_pack(bundled_pack())
    checks = verify_pack(pack)
    assert checks and all(row.passed for row in checks)
    assert pack.size_bytes <= 15_000_000
    assert pack.manifest.task == "translation"
    assert "non-commercial" in pack.manifest.licences.weights
    assert "can be wrong" in pack.manifest.notice
    assert "WLASL" in pack.manifest.licences.data


def test_the_pack_of_single_signs_verifies():
    pack = open_pack(bundled_pack("signs"))
    checks = verify_pack(pack)
    assert checks and all(row.passed for row in checks)
    assert pack.size_bytes <= 8_000_000
    assert pack.manifest.task == "isolated-signs" and len(pack.vocabulary) == 1998
    lost = pack.manifest.measured["float network: isolated.top1"]
    assert lost - pack.manifest.measured["exported: isolated.top1"] <= 1.0
    assert "non-commercial" in pack.manifest.licences.weights


def test_the_demo_clip_is_small():
    assert (ASSETS / "demo" / "demo.mp4").stat().st_size <= 5_000_000
