"""Real signs spliced into sentences and streams: whose they are, where they are, no part leaks."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence, mirrored
from fingerpost.edge_runtime.preprocess import NOMINAL_SHOULDERS, hands_alone
from fingerpost.trainer.clip_tables import Clip
from fingerpost.trainer.sentences.real_signs import (
    SPLITS,
    RealSigns,
    in_one_picture,
    make_real_sentence,
    read_real_signs,
    write_real_sentences,
)
from fingerpost.trainer.sentences.real_streams import (
    make_idle_stream,
    make_real_streams,
)
from fingerpost.trainer.shards import ShardsAbout, open_shards, write_shards
from fingerpost.trainer.signer import LEXICON
from fingerpost.trainer.signer.phrases import Phrase
from fingerpost.trainer.signer_corpus import IDLE, SIGNS, make_clip, split_of

GLOSSES = (
    "i", "you", "my", "your", "no", "what", "where", "why", "want", "need", "have", "go", "see",
    "like", "friend", "mother", "father", "doctor", "book", "coffee", "house", "hungry", "sick",
    "tomorrow", "now", "good",
)  # fmt: skip


def single_signs(splits: tuple[str, ...] = ("train", "val")) -> Iterator[Clip]:
    """Five clips of a gloss to train on and one of the split val; hands alone, as in WLASL."""
    lexicon = list(LEXICON)
    for turn in range(6):
        for gloss in GLOSSES:
            clip = make_clip(SIGNS, turn * len(lexicon) + lexicon.index(gloss))
            split = "train" if turn < 5 else "val"
            if split in splits:
                yield replace(clip, split=split, sequence=hands_alone(clip.sequence), spans=())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("real") / "signs"
    write_shards(made, single_signs(), ShardsAbout("signs", SIGN69.name))
    return made


@pytest.fixture(scope="module")
def signs(folder: Path) -> RealSigns:
    return read_real_signs(open_shards(folder))


def test_no_clip_is_in_two_parts_and_every_gloss_can_be_learned(signs: RealSigns):
    ids = [
        {clip.id for clips in signs.of_gloss[split].values() for clip in clips} for split in SPLITS
    ]
    assert sum(map(len, ids)) == len(set.union(*ids)) == 6 * len(GLOSSES)
    assert set(signs.of_gloss["train"]) == set(signs.of_gloss["test"]) == set(GLOSSES)
    assert all(len(clips) >= 2 for clips in signs.of_gloss["train"].values())
    assert 0 < sum(map(len, signs.of_gloss["val"].values())) < len(GLOSSES) * 2
    assert all(clip.split == "val" for clips in signs.of_gloss["test"].values() for clip in clips)


def test_a_sentence_is_of_its_part_and_says_when(signs: RealSigns):
    for split in ("train", "test"):
        for number in range(6):
            clip = make_real_sentence(signs, split, number)
            assert clip.split == split and set(clip.glosses) <= set(GLOSSES)
            assert not clip.text or split_of(clip.text) == split
            assert len(clip.spans) == len(clip.glosses)
            assert all(a < b <= c for (a, b), (c, _) in pairwise(clip.spans))
            assert clip.spans[-1][1] <= clip.sequence.duration_ms + 40


def test_a_sentence_is_the_same_again(signs: RealSigns):
    one, again = (make_real_sentence(signs, "test", 3, seed=1) for _ in range(2))
    assert one.text == again.text and np.array_equal(one.sequence.xyz, again.sequence.xyz)
    assert make_real_sentence(signs, "test", 3, seed=2).text != one.text


def test_one_place_one_size_and_the_right_hand():
    clip = make_clip(SIGNS, 5)
    here = in_one_picture(clip.sequence)
    smaller = replace(clip.sequence, xyz=clip.sequence.xyz * 0.5 + np.float32([0.1, 0.3, 0]))
    seen = here.confidence > 0
    assert np.allclose(here.xyz[seen], in_one_picture(smaller).xyz[seen], atol=1e-4)
    shoulders = [SIGN69.index(f"{side}_shoulder") for side in ("left", "right")]
    middle = np.median(here.xyz[:, shoulders, :2].mean(axis=1), axis=0)
    assert middle == pytest.approx(NOMINAL_SHOULDERS, abs=1e-4)

    def travel(sequence: PoseSequence, hand: str) -> float:
        wrist = SIGN69.groups[hand].start
        there = sequence.confidence[:, wrist] > 0
        return float(np.abs(np.diff(sequence.xyz[there, wrist, :2], axis=0)).sum())

    for sequence in (clip.sequence, mirrored(clip.sequence)):
        turned = in_one_picture(sequence)
        assert travel(turned, "right_hand") >= travel(turned, "left_hand")


def test_sentences_go_on_where_they_were_stopped(signs: RealSigns, tmp_path: Path):
    counts = {"train": 3, "test": 2}
    first = list(write_real_sentences(tmp_path, signs, {"train": 2}, "signs"))
    rest = list(write_real_sentences(tmp_path, signs, counts, "signs"))
    assert [clip.id for clip in first] == ["real-train-000000", "real-train-000001"]
    assert len(rest) == 3 and len(open_shards(tmp_path)) == 5


def test_without_clips_to_test_on_it_says_so(tmp_path: Path):
    write_shards(tmp_path / "s", single_signs(("train",)), ShardsAbout("signs", SIGN69.name))
    with pytest.raises(ValueError, match="no clip of a sign of the lexicon for test"):
        read_real_signs(open_shards(tmp_path / "s"))


def test_a_phrase_that_nobody_signs_cannot_be_made(signs: RealSigns):
    assert signs.can_sign(Phrase(("i", "hungry"), "I am hungry."), "train")
    assert not signs.can_sign(Phrase(("i", "tired"), "I am tired."), "train")


def test_a_stream_has_its_truth_and_rests_between(signs: RealSigns):
    streams = make_real_streams(signs, minutes=1.5, seed=2)
    assert sum(stream.duration_ms for stream in streams) >= 90_000
    assert any(stream.idle for stream in streams)
    hands = [SIGN69.groups[hand] for hand in ("left_hand", "right_hand")]
    for stream in streams:
        spans = sorted([(s.start_ms, s.end_ms) for s in stream.sentences] + list(stream.idle))
        assert all(end < start for (_, end), (start, _) in pairwise(spans))
        rest = [
            frame
            for frame in stream.frames
            if spans[0][1] + 3000 < frame.time_ms < spans[1][0] - 3000 or frame.time_ms < 200
        ]
        assert rest and not any(frame.confidence[hand].any() for frame in rest for hand in hands)
        for sentence in stream.sentences:
            assert split_of(sentence.text) == "test"
    again = make_real_streams(signs, minutes=0.5, seed=2)[0]
    assert again.sentences == streams[0].sentences


def test_idle_clips_go_round(signs: RealSigns):
    clips = [make_clip(IDLE, number).sequence for number in range(2)]
    stream = make_idle_stream(clips, minutes=1)
    assert stream.duration_ms >= 59_900 and not stream.sentences
    assert stream.idle_ms == pytest.approx(stream.duration_ms, abs=100)
    assert np.array_equal(stream.frames[0].confidence, clips[0].confidence[0])
    with pytest.raises(ValueError, match="no clip in which nobody signs"):
        make_idle_stream([], minutes=1)
