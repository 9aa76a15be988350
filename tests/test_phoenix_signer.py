"""Phoenix sentences in invented signs: which are taken, what is signed, and that it stays so."""

import dataclasses
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from fingerpost.app.cli import app
from fingerpost.trainer.sentences.invented_signs import APART, LASTS_MS, invent_signs, movement
from fingerpost.trainer.sentences.phoenix_signer import (
    lexicon_of,
    make_phoenix_clip,
    n_clips,
    plain_glosses,
    read_sentences,
    write_phoenix_signer,
)
from fingerpost.trainer.shards import open_shards
from fingerpost.trainer.signer import FIDGETS, LEXICON, random_signer, sign_sentence
from fingerpost.trainer.signer_corpus import NO_SIGN

PARTS = {
    "train": [
        ("__ON__ MORGEN loc-SÜD REGEN REGEN-PLUSPLUS __OFF__", "morgen regnet es im süden ."),
        ("NACHT KALT SÜD", "die nächte im süden werden kälter ."),
        ("MORGEN KALT SELTEN", "morgen selten kalt ."),  # a gloss too many
        ("REGEN", "regen ."),  # too short
        ("MORGEN NACHT REGEN", "morgen nacht fällt regen ."),
    ],
    "dev": [("NACHT REGEN", "in der nacht regnet es ."), ("FÖHN SÜD", "föhn im süden .")],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("phoenix")
    for part, lines in PARTS.items():
        for suffix, column in {
            "sign": [f"features/{part}/{part}_{k}/" for k in range(len(lines))],
            "gloss": [glosses for glosses, _ in lines],
            "de": [text for _, text in lines],
        }.items():
            path = made / f"phoenix2014T.{part}.{suffix}"
            path.write_text("\n".join(column) + "\n", encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def samples(folder):
    return read_sentences(folder, n_signs=5)


@pytest.fixture(scope="module")
def lexicon(samples):
    return lexicon_of(samples)


# ---- the sentences


@pytest.mark.parametrize(
    ("written", "signed"),
    [
        (("__ON__", "loc-NORD", "REGEN", "REGEN-PLUSPLUS", "__OFF__"), ("NORD", "REGEN")),
        (("NORDRAUM", "NORD", "cl-KOMMEN"), ("NORD", "KOMMEN")),
        (("RAUM", "IN-KOMMEND", "WIE-AUSSEHEN"), ("RAUM", "IN-KOMMEND", "WIE-AUSSEHEN")),
        (("REGEN", "SONNE", "REGEN"), ("REGEN", "SONNE", "REGEN")),
        (("__PU__",), ()),
    ],
)
def test_marks_and_forms_are_no_signs_of_their_own(written, signed):
    assert plain_glosses(written) == signed


def test_sentences_of_the_most_frequent_glosses_are_taken(samples):
    assert [(sample.id, sample.split) for sample in samples] == [
        ("train_0", "train"),
        ("train_1", "train"),
        ("train_4", "train"),
        ("dev_0", "val"),
    ]
    assert samples[0].glosses == ("MORGEN", "SÜD", "REGEN")
    assert samples[0].text == "morgen regnet es im süden."
    assert {sample.text_language for sample in samples} == {"de"}


def test_too_few_signs_are_one_line(folder, tmp_path):
    for n_signs, message in ((0, "at least one sign"), (1, "1 signs are not enough for any")):
        with pytest.raises(ValueError, match=message):
            read_sentences(folder, n_signs)
    with pytest.raises(FileNotFoundError, match="no annotations"):
        read_sentences(tmp_path)


# ---- the signs


def test_invented_signs_are_apart_from_each_other_and_from_fidgets(lexicon):
    assert set(lexicon) == {"MORGEN", "SÜD", "REGEN", "NACHT", "KALT"}
    found = [movement(sign) for sign in lexicon.values()]
    found += [one for sign in FIDGETS.values() if (one := movement(sign)) is not None]
    for i in range(len(lexicon)):
        for other in found[i + 1 :]:
            assert np.linalg.norm(found[i] - other) >= APART


def test_they_are_as_far_apart_as_signs_are():
    """What ``APART`` says of itself, of every fourth sign."""
    found = [one for g in list(LEXICON)[::4] if (one := movement(LEXICON[g])) is not None]
    every = np.linalg.norm(np.array(found)[:, None] - np.array(found), axis=2)
    np.fill_diagonal(every, np.inf)
    assert abs(np.median(every.min(axis=1)) - APART) < 0.4


def test_a_name_gives_the_same_sign_and_another_name_another():
    one, again = invent_signs(["SÜD", "NORD"]), invent_signs(["SÜD"])
    assert one["SÜD"] == again["SÜD"] != one["NORD"]
    assert not set(LEXICON.values()) & set(one.values())


def test_they_last_as_long_as_signs_do_and_can_be_signed(lexicon):
    rng = np.random.default_rng(0)
    for gloss in lexicon:
        calm = sign_sentence([gloss], random_signer(rng), rng, lexicon=lexicon)
        assert calm.spans[0][0] == gloss and calm.keypoints().confidence.any()
    assert LASTS_MS[0] < LASTS_MS[1]
    with pytest.raises(ValueError, match="no sign for coffee; it knows: KALT, MORGEN"):
        sign_sentence(["coffee"], random_signer(rng), rng, lexicon=lexicon)


# ---- the corpus


def test_a_clip_is_the_same_whatever_is_made_with_it(samples, lexicon):
    one, again = (make_phoenix_clip(samples[1], lexicon) for _ in range(2))
    assert np.array_equal(one.sequence.xyz, again.sequence.xyz)
    assert (one.signer, one.spans) == (again.signer, again.spans)
    for other in (
        make_phoenix_clip(samples[1], lexicon, turn=1),
        make_phoenix_clip(samples[1], lexicon, seed=1),
        make_phoenix_clip(dataclasses.replace(samples[1], id="x"), lexicon),
    ):
        assert other.spans != one.spans and other.glosses == one.glosses


def test_shards_hold_the_words_whole_and_go_on(samples, tmp_path):
    begun = write_phoenix_signer(tmp_path / "shards", samples, clips=2, idle=1)
    assert [next(begun).id for _ in range(3)] == ["train_0-0", "train_0-1", "train_1-0"]
    begun.close()
    rest = [clip.id for clip in write_phoenix_signer(tmp_path / "shards", samples, 2, 1)]
    assert rest == ["train_1-1", "train_4-0", "train_4-1", "dev_0-0", "idle-000000"]
    assert n_clips(samples, clips=2, idle=1) == 8
    shards = open_shards(tmp_path / "shards")
    clips = {clip.id: clip for clip in shards}
    assert clips["train_1-1"].text == "die nächte im süden werden kälter."
    assert clips["train_1-1"].glosses == ("NACHT", "KALT", "SÜD")
    assert len(clips["train_1-1"].spans) == 3
    assert clips["dev_0-0"].split == "val" and clips["dev_0-0"].signer.startswith("val-")
    assert {clip.language for clip in clips.values()} == {"mis"}  # it is not DGS
    assert clips["idle-000000"].glosses == (NO_SIGN,)
    with pytest.raises(ValueError, match="expected .*seed 7"):
        next(write_phoenix_signer(tmp_path / "shards", samples, seed=7))
    with pytest.raises(ValueError, match="clips are at least 1"):
        next(write_phoenix_signer(tmp_path / "none", samples, clips=0))
    assert not (tmp_path / "none").exists()


def test_one_command_makes_it(folder, tmp_path):
    options = f"-o {tmp_path / 'made'} --annotations {folder} --signs 5 --clips 1 --idle 0 --json"
    made = CliRunner().invoke(app, ["shards", "make-phoenix", *options.split()])
    assert made.exit_code == 0, made.output
    summary = json.loads(made.stdout)
    assert summary["corpus"] == "phoenix14t, 5 invented signs, seed 0"
    assert summary["text_languages"] == {"de": 4} and summary["languages"] == {"mis": 4}
