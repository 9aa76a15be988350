"""From nothing to a pack without research data: the whole command, with hardly any training."""

import pytest

from fingerpost.distill.make_pack import export_measured, with_measured
from fingerpost.edge_runtime.pack import open_pack, verify_pack
from fingerpost.trainer.evaluate_recogniser import Result
from fingerpost.trainer.signer import LEXICON
from fingerpost.trainer.train_recogniser import Recipe, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("make_pack")
    run(folder / "checkpoint", None, 0, 24, second=Recipe(steps=3, batch=8, peak_lr=1e-3))
    return export_measured(folder / "signer.fpk", folder / "checkpoint", None)


def test_a_pack_of_the_signer_alone_is_free_and_says_so(pack):
    assert pack.manifest.name == "signer-only"
    assert pack.manifest.licences.weights == "Apache-2.0"
    assert pack.manifest.licences.data == "rendered signer"
    assert "research" not in pack.manifest.notice.lower()
    assert set(pack.vocabulary) - {pack.manifest.reject} == set(LEXICON)


def test_it_runs_and_verifies(pack):
    assert all(row.passed for row in verify_pack(open_pack(pack.path)))


def test_what_was_measured_goes_into_the_manifest(pack, tmp_path):
    out = tmp_path / "measured.fpk"
    measured = with_measured(pack, out, Result(top1=0.5, top5=0.75, sure=0.4, n=8)).manifest
    assert measured.measured["edge_runtime: WLASL100 val: top1"] == 0.5
    assert open_pack(out).manifest.measured["edge_runtime: WLASL100 val: n"] == 8
    assert measured.files == pack.manifest.files
