"""The annotation files as their authors published them: counts and splits are those of the papers.

The files are not part of the project: $FINGERPOST_DATA, or ../shared/data beside the checkout.
"""

import os
import zipfile
from pathlib import Path

import pytest

from fingerpost.trainer.corpora import read_corpus
from fingerpost.trainer.corpora.cues import read_cues
from fingerpost.trainer.corpora.sample import Sample, check
from fingerpost.trainer.corpora.wlasl import read_wlasl

DATA = Path(os.environ.get("FINGERPOST_DATA", Path(__file__).parents[2] / "shared" / "data"))
CORPORA = DATA / "corpora"

pytestmark = pytest.mark.skipif(
    not CORPORA.is_dir(), reason=f"no annotation files at {CORPORA}; set FINGERPOST_DATA"
)


def read(name: str, folder: str) -> list[Sample]:
    if not (CORPORA / folder).is_dir():
        pytest.skip(f"no {CORPORA / folder}")
    return list(read_corpus(name, CORPORA / folder))


@pytest.mark.parametrize(
    ("name", "folder", "splits", "n_signers", "n_glosses"),
    [
        ("ms_asl", "openhands/msasl", {"train": 3789, "val": 1190, "test": 757}, 189, 100),
        ("autsl", "openhands/autsl", {"train": 28142, "val": 4418, "test": 3742}, 43, 226),
        (
            "csl_daily",
            "uni_sign_labels/CSL_Daily",
            {"train": 18401, "val": 1077, "test": 1176},
            10,
            2000,
        ),
        ("phoenix14t", "phoenix14t", {"train": 7096, "val": 519}, 1, None),
        ("gsl", "openhands/gsl", {"train": 8821, "val": 588, "test": 881}, 7, None),
        ("include50", "openhands/include", {"train": 766, "test": 192}, 1, 50),
        ("phoenix_signer03", "openhands/phoenix_signer03", {"train": 3174, "test": 485}, 1, None),
        ("how2sign", "uni_sign_labels/How2Sign", {"train": 31086}, None, 0),
        ("how2sign", "how2sign", {"val": 1713}, None, 0),
        ("openasl", "uni_sign_labels/OpenASL", {"val": 967, "test": 976}, 1, 0),
        (
            "wlasl",
            "uni_sign_labels/WLASL",
            {"train": 14289, "val": 3916, "test": 2878},
            1,
            2000,
        ),
    ],
)
def test_counts(name, folder, splits, n_signers, n_glosses):
    samples = read(name, folder)
    report = check(samples, media=False)
    assert report.splits == splits
    assert report.empty == report.split_leaks == ()
    assert len(report.duplicate_ids) == (15 if name == "ms_asl" else 0)
    if n_signers is not None:
        assert len({s.signer for s in samples}) == n_signers
    if n_glosses is not None:
        assert len({gloss for s in samples for gloss in s.glosses}) == n_glosses


def test_media_that_are_not_there_are_all_listed():
    samples = read("autsl", "openhands/autsl")
    assert check(samples).missing_media == tuple(s.id for s in samples)


@pytest.fixture(scope="module")
def wlasl(tmp_path_factory) -> Path:
    archive = CORPORA / "wlasl" / "WLASL_v0.3.zip"
    if not archive.is_file():
        pytest.skip(f"no {archive}")
    folder = tmp_path_factory.mktemp("wlasl")
    with zipfile.ZipFile(archive) as zipped:
        zipped.extract("WLASL_v0.3/WLASL_v0.3.json", folder)
    return folder / "WLASL_v0.3"


@pytest.mark.parametrize(
    ("n_glosses", "n_samples", "n_signers"),  # Table 3 of the paper: 2,038 ... 21,083
    [(100, 2038, 97), (300, 5117, 109), (1000, 13168, 116), (2000, 21083, 119)],
)
def test_wlasl_subsets(wlasl, n_glosses, n_samples, n_signers):
    samples = list(read_wlasl(wlasl, n_glosses))
    assert len(samples) == n_samples
    assert len({s.signer for s in samples}) == n_signers
    assert len({s.glosses for s in samples}) == n_glosses


def test_wlasl_has_clips_in_two_splits(wlasl):
    """It is so in the published file: the same video of a dictionary under several glosses."""
    report = check(read_wlasl(wlasl), media=False)
    assert report.splits == {"train": 14289, "val": 3916, "test": 2878}
    assert len(report.split_leaks) == 997  # of 442 source videos
    assert report.duplicate_ids == report.empty == ()


def test_a_sentence_of_each_language():
    assert read("csl_daily", "uni_sign_labels/CSL_Daily")[0].text == "你们好！"
    phoenix = read("phoenix14t", "phoenix14t")[0]
    assert phoenix.text == "liebe zuschauer guten abend ."
    assert phoenix.glosses == ("__ON__", "LIEB", "ZUSCHAUER", "ABEND")
    assert read("how2sign", "how2sign")[0].text.startswith(
        "A baby snake might shed"
    )  # not simplify


def test_peruvian_captions():
    samples = read("perusil", "peruvian")
    signs = [
        cue for p in sorted((CORPORA / "peruvian/SRT_SIGN").glob("*.srt")) for cue in read_cues(p)
    ]
    assert len(signs) == 823 + 1498
    assert sum(len(s.glosses) for s in samples) == sum(bool(cue.text) for cue in signs)
    assert sum(bool(s.text) for s in samples) == 63 + 207
    assert len(check(samples, media=False).empty) == 2  # captions without a word
