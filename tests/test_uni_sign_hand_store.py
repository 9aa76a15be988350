"""Pictures of hands beside their shards: cut once, whatever is killed, and found by clip."""

import pickle

import numpy as np
import pytest
from typer.testing import CliRunner

from fingerpost.app.cli import app
from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence
from fingerpost.edge_runtime.video import write_video
from fingerpost.trainer import hand_store
from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.hand_crops import ClipHands, only_frames
from fingerpost.trainer.hand_store import cut_hands_of, open_hands
from fingerpost.trainer.shards import Clip, ShardsAbout, open_shards, write_shards

N_CLIPS, N_FRAMES = 5, 20


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """Samples and their shards. Clip i has a square of grey 40 i for a left hand, and no right."""
    monkeypatch.setattr(hand_store, "PART_CLIPS", 2)
    samples, clips = [], []
    for i in range(N_CLIPS):
        with write_video(tmp_path / f"{i}.mp4", 25, (96, 80)) as writer:
            for _ in range(N_FRAMES):
                writer.write(np.full((80, 96, 3), 40 * i, np.uint8))
        xyz = np.zeros((N_FRAMES, 69, 3), np.float32)
        xyz[:, SIGN69.groups["left_hand"], :2] = np.random.default_rng(i).uniform(0.3, 0.7, (21, 2))
        confidence = np.zeros((N_FRAMES, 69), np.float32)
        confidence[:, SIGN69.groups["left_hand"]] = 1
        sequence = PoseSequence(xyz, confidence, 25.0, SIGN69)
        samples.append(Sample(f"{i}.mp4", tmp_path / f"{i}.mp4", "", "train", ("A",), "", "ase"))
        clips.append(Clip(f"{i}.mp4", "", "train", ("A",), "", "ase", "", sequence))
    about = ShardsAbout("own_folder", "sign69")
    return samples, write_shards(tmp_path / "shards", clips, about)


def _same(one, other):
    hands = zip((one.left_hand, one.right_hand), (other.left_hand, other.right_hand), strict=True)
    return all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for a, b in hands
        for name in ("pictures", "points", "frames")
    )


def test_each_clip_finds_its_own_hands(corpus, tmp_path):
    samples, shards = corpus
    counts = []
    store = cut_hands_of(shards, samples, tmp_path / "hands", tell=counts.append)
    assert counts == [0, 1, 2, 3, 4, 5] and len(store) == N_CLIPS and not store.problems
    assert len(list((tmp_path / "hands").glob("part-*.arrow"))) == 3
    for again in (open_hands(tmp_path / "hands"), pickle.loads(pickle.dumps(store))):
        for i in range(N_CLIPS):
            hands = again.hands(f"{i}.mp4")
            assert len(hands.left_hand.frames) == 2 and len(hands.right_hand.frames) == 0
            assert hands.left_hand.pictures.shape == (2, 112, 112, 3)
            assert hands.right_hand.pictures.shape == (0, 112, 112, 3)
            assert np.abs(hands.left_hand.pictures[:, 40:72, 40:72] - 40.0 * i).max() < 10
    with pytest.raises(ValueError, match="'9.mp4'"):
        store.hands("9.mp4")


def test_what_was_killed_goes_on_and_ends_the_same(corpus, tmp_path, monkeypatch):
    samples, shards = corpus
    whole = cut_hands_of(shards, samples, tmp_path / "whole", seed=3)

    class Killed(BaseException):
        pass

    def tell(n):
        if n == 5:
            raise Killed

    with pytest.raises(Killed):
        cut_hands_of(shards, samples, tmp_path / "hands", seed=3, tell=tell)
    with pytest.raises(ValueError, match="not complete"):
        open_hands(tmp_path / "hands")
    cut, counts = [], []
    original = hand_store.cut_hands
    monkeypatch.setattr(
        hand_store, "cut_hands", lambda m, *a: cut.append(m.stem) or original(m, *a)
    )
    resumed = cut_hands_of(shards, samples, tmp_path / "hands", seed=3, tell=counts.append)
    assert cut == ["4"] and counts == [4, 5]  # two parts of two clips were whole
    assert all(_same(whole.hands(f"{i}.mp4"), resumed.hands(f"{i}.mp4")) for i in range(N_CLIPS))
    with pytest.raises(ValueError, match="other shards or settings"):
        cut_hands_of(shards, samples, tmp_path / "hands", seed=4)


def test_media_that_cannot_be_read_are_listed(corpus, tmp_path):
    samples, shards = corpus
    samples[1].media.unlink()
    samples[3].media.write_bytes(b"no video")
    store = cut_hands_of(shards, samples, tmp_path / "hands")
    assert sorted(store.problems) == ["1.mp4", "3.mp4"] and "no file" in store.problems["1.mp4"]
    assert _same(store.hands("1.mp4"), ClipHands.none())
    assert open_hands(tmp_path / "hands").problems == store.problems


def test_the_command_cuts_the_hands_of_ones_own_clips(corpus, tmp_path):
    _, shards = corpus
    clips = tmp_path / "mine" / "clips"
    clips.mkdir(parents=True)
    rows = ["file,gloss"]
    for i in range(N_CLIPS):
        (tmp_path / f"{i}.mp4").rename(clips / f"{i}.mp4")
        rows.append(f"{i}.mp4,A")
    (clips.parent / "labels.csv").write_text("\n".join(rows))
    (clips / "2.mp4").write_bytes(b"")
    command = ["shards", "hands", str(shards.folder), str(clips.parent), "--strict"]
    result = CliRunner().invoke(app, [*command, "-o", str(tmp_path / "hands")])
    assert result.exit_code == 1, result.output
    assert list(open_hands(tmp_path / "hands").problems) == ["2.mp4"]


def test_another_corpus_and_damage_are_one_line(corpus, tmp_path):
    samples, shards = corpus
    with pytest.raises(ValueError, match="1 clips .* such as '4.mp4'"):
        cut_hands_of(shards, samples[:4], tmp_path / "hands")
    with pytest.raises(FileNotFoundError, match="fingerpost shards hands"):
        open_hands(tmp_path / "none")
    with pytest.raises(ValueError, match="no folder of hands"):
        open_hands(tmp_path / "shards")
    cut_hands_of(shards, samples, tmp_path / "hands")
    (tmp_path / "hands" / "part-00002.arrow").rename(tmp_path / "lost")
    with pytest.raises(ValueError, match="4 clips, 5 were made"):
        open_hands(tmp_path / "hands")
    part = tmp_path / "hands" / "part-00001.arrow"
    for content in (b"", b"junk" * 100, part.read_bytes()[:300]):
        part.write_bytes(content)
        with pytest.raises(ValueError, match="part-00001.arrow"):
            open_hands(tmp_path / "hands")


def test_frames_are_renumbered_for_a_model_that_sees_fewer(corpus, tmp_path):
    samples, shards = corpus
    hands = cut_hands_of(open_shards(shards.folder), samples, tmp_path / "h", 1.0).hands("0.mp4")
    assert hands.left_hand.frames.tolist() == list(range(N_FRAMES))
    hands.left_hand.points[:, 0, 0] = np.arange(N_FRAMES)
    fewer = only_frames(hands, np.array([0, 3, 4, 19]))
    assert fewer.left_hand.frames.tolist() == [0, 1, 2, 3]
    assert fewer.left_hand.points[:, 0, 0].tolist() == [0, 3, 4, 19]
    some = only_frames(fewer, np.array([1, 5]))  # 5 is beyond what is left
    assert some.left_hand.frames.tolist() == [0] and some.left_hand.points[0, 0, 0] == 3
