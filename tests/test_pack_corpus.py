"""The clips of a pack's recogniser: what is a sign, what is none, and where each comes from."""

from types import SimpleNamespace

import numpy as np
import pytest

from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence
from fingerpost.trainer.pack_corpus import Amounts, main, pack_clips, piece_of
from fingerpost.trainer.recogniser_data import REJECT
from fingerpost.trainer.shards import open_shards
from fingerpost.trainer.signer import LEXICON
from fingerpost.trainer.train_recogniser import ResearchData, vocabulary_of

pytestmark = pytest.mark.usefixtures("one_thread")


def sequence_of(n_frames: int) -> PoseSequence:
    xyz = np.full((n_frames, 69, 3), 0.5, np.float32)
    xyz[..., 0] = np.arange(n_frames)[:, None] / 100
    return PoseSequence(xyz, np.ones((n_frames, 69), np.float32), 25.0, SIGN69)


@pytest.fixture(scope="module")
def research():
    """WLASL of 102 glosses: the first 100 (of which the signer knows "book"), "hello", "zebra"."""
    glosses = ("book", *(f"gloss{i}" for i in range(1, 100)), "hello", "zebra")
    label = np.array([0, 0, 5, 100, 101, 101, 5, 100])
    split = np.array(["train", "val", "train", "train", "train", "train", "val", "val"])
    hands = SimpleNamespace(
        glosses=glosses,
        label=label,
        split=split,
        sequences=[sequence_of(20 + i) for i in range(8)],
        signer=np.arange(8),
        video_id=np.arange(8) + 70000,
    )
    holistic = SimpleNamespace(
        split=("train", "val", "train"),
        label=("book", "book", "zebra"),
        id=("1.0", "2.0", "3.0"),
        signer=("", "", ""),
        sequences=[sequence_of(30)] * 3,
    )
    return ResearchData(hands, holistic)


@pytest.fixture(scope="module")
def clips(research):
    amounts = Amounts(sentences=2, val_sentences=1, others=1, pieces=2)
    return {clip.id: clip for clip in pack_clips(research, amounts, seed=0)}


def test_real_signs_are_in_their_own_split(clips):
    real = {name: clip for name, clip in clips.items() if name.isdigit()}
    assert {name: clip.split for name, clip in real.items()} == {
        "70000": "train",
        "70002": "train",
        "70003": "train",
        "70001": "val",
        "70006": "val",
    }  # "hello" is no gloss of WLASL100: its val clip is left out
    assert real["70003"].glosses == ("hello",)


def test_other_glosses_and_pieces_are_no_sign(clips):
    others = [clip for name, clip in clips.items() if name.endswith(".other")]
    pieces = [clip for name, clip in clips.items() if name.endswith(".piece")]
    assert len(others) == 1 and others[0].id.startswith(("70004", "70005"))
    assert len(pieces) == 2 and all(len(clip.sequence) <= 10 for clip in pieces)
    assert {clip.glosses for clip in others + pieces} == {(REJECT,)}
    assert {clip.split for clip in others + pieces} == {"train"}


def test_with_a_body_only_what_is_trained_on(clips):
    bodies = {n: clip.glosses[0] for n, clip in clips.items() if n.endswith(".holistic")}
    assert bodies == {"1.0.holistic": "book", "3.0.holistic": REJECT}


def test_the_signer_signs_in_both_splits_but_not_the_same(clips):
    spans = {
        split: [clip for name, clip in clips.items() if name.startswith(f"signer.{split}.")]
        for split in ("train", "val")
    }
    assert len(spans["train"]) > len(spans["val"]) > 0
    assert {clip.glosses[0] for clip in spans["train"]} & set(LEXICON)
    first = [spans[split][0].sequence.xyz for split in ("train", "val")]
    assert first[0].shape != first[1].shape or not np.array_equal(*first)


def test_all_glosses_are_of_the_vocabulary(clips, research):
    assert {clip.glosses[0] for clip in clips.values()} <= set(vocabulary_of(research))


def test_a_piece_is_15_to_40_percent_of_a_sign():
    rng = np.random.default_rng(0)
    pieces = [piece_of(sequence_of(100), rng) for _ in range(200)]
    lengths = [len(piece) for piece in pieces]
    assert 15 <= min(lengths) <= 18 and 37 <= max(lengths) <= 40
    for piece in pieces:
        first = round(float(piece.xyz[0, 0, 0]) * 100)
        assert piece.start_ms == 40 * first  # 25 frames a second
        assert np.allclose(np.diff(piece.xyz[:, 0, 0]), 0.01)
    assert len(piece_of(sequence_of(1), rng)) == 1


def test_the_command_without_research_data(tmp_path, monkeypatch, capsys):
    out = tmp_path / "pack"
    given = ["pack_corpus", "-o", str(out), "--no-research-data", "--sentences", "1"]
    monkeypatch.setattr("sys.argv", given)
    main()
    shards = open_shards(out)
    assert set(shards.column("split")) == {"train", "val"}
    assert f"{len(shards)} clips" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main()
    error = capsys.readouterr().err
    assert stop.value.code == 2 and "holds shards already" in error and error.count("\n") == 1
