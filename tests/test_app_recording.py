"""Recordings: a folder that the trainer reads, consents, and taking them back."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from fingerpost.app import recording
from fingerpost.app.observer import Sight
from fingerpost.app.recording import (
    Consent,
    Label,
    RecordingFolder,
    sequence_of_sights,
    video_of,
    write_pictures,
)
from fingerpost.app.tape import Tape
from fingerpost.edge_runtime.keypoint_files import load_npz
from fingerpost.edge_runtime.keypoints import SIGN69, KeypointFrame, PoseSequence
from fingerpost.edge_runtime.video import open_video
from fingerpost.trainer.corpora import read_corpus

ANN = Consent("Ann", training=True, sharing=True)
BEN = Consent("Ben  B.", training=True)
HELLO = Label("HELLO", "", "ase")


def sequence(seen=1.0, n=20):
    xyz = np.full((n, 69, 3), 0.5, np.float32)
    return PoseSequence(xyz, np.full((n, 69), seen, np.float32), 25.0, SIGN69, aspect=4 / 3)


@pytest.fixture
def folder(tmp_path):
    return RecordingFolder(tmp_path / "recordings")


def rows(folder):
    with (folder.root / "labels.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_trainer_reads_the_folder_as_it_is(folder):
    path = folder.add(sequence(), HELLO, ANN, 1_000_000)
    folder.add(sequence(), Label("HOW YOU", "How are you, my friend?", "ase"), BEN, 2_000_000)
    samples = list(read_corpus("own_folder", folder.root))
    assert [(s.glosses, s.text, s.signer, s.language) for s in samples] == [
        (("HELLO",), "", "Ann", "ase"),
        (("HOW", "YOU"), "How are you, my friend?", "Ben B.", "ase"),
    ]
    assert samples[0].media == path and np.array_equal(load_npz(path).xyz, sequence().xyz)
    assert [row["may_be_shared"] for row in rows(folder)] == ["yes", "no"]


def test_a_consent_lies_beside_each_clip(folder):
    path = folder.add(sequence(), HELLO, ANN, 1_000_000)
    about = json.loads((path.parent / f"{path.stem}.consent.json").read_text())
    assert (about["signer"], about["training"], about["sharing"]) == ("Ann", True, True)
    assert about["holds"] == "keypoints" and about["recorded_ms"] == 1_000_000


def test_without_consent_to_training_a_clip_is_not_where_a_training_looks(folder):
    path = folder.add(sequence(), HELLO, Consent("Cat"), 0)
    assert path.parent.name == "not_for_training" and not (folder.root / "labels.csv").exists()
    folder.add(sequence(), HELLO, ANN, 0)
    assert len(list(read_corpus("own_folder", folder.root))) == 1
    assert folder.signers() == {"Ann": 1, "Cat": 1}


def test_withdrawal_deletes_all_of_a_signer_and_nothing_else(folder):
    for moment in (0, 0, 5000):  # two in the same second
        folder.add(sequence(), HELLO, ANN, moment)
    folder.add(sequence(), HELLO, Consent("Ann"), 0)
    kept = folder.add(sequence(), HELLO, BEN, 0)
    assert folder.signers() == {"Ann": 4, "Ben B.": 1}
    assert folder.withdraw("Ann") == 4 and folder.withdraw("Nobody") == 0
    left = sorted(p.name for p in folder.root.rglob("*") if p.is_file())
    assert left == sorted([kept.name, f"{kept.stem}.consent.json", "labels.csv"])
    assert [row["file"] for row in rows(folder)] == [kept.name]


def test_a_developers_own_columns_stay(folder):
    first = folder.add(sequence(), HELLO, ANN, 0)
    table = folder.root / "labels.csv"
    head, row = table.read_text().splitlines()
    table.write_text(f"{head},split\n{row},val\n")
    second = folder.add(sequence(), HELLO, ANN, 9000)
    assert [row["split"] for row in rows(folder)] == ["val", ""]
    folder.remove(second)
    assert [(row["file"], row["split"]) for row in rows(folder)] == [(first.name, "val")]


@pytest.mark.parametrize("name", ["../../x", "a/b", ".hidden", 'q"u,o\nte', "李"])
def test_names_stay_in_the_folder_and_in_their_cell(folder, name):
    path = folder.add(sequence(), Label(name, name, "ase"), Consent(name, training=True), 0)
    assert path.parent == folder.root / "clips" and not path.name.startswith(".")
    (sample,) = read_corpus("own_folder", folder.root)
    assert sample.media == path and sample.text == " ".join(name.split())


def test_what_is_no_clip_is_refused_and_leaves_nothing(folder):
    for label, consent, seen, message in (
        (HELLO, Consent(" ", True), 1.0, "name the signer"),
        (Label("", " ", "ase"), ANN, 1.0, "what is signed"),
        (HELLO, ANN, 0.0, "nobody was seen"),
    ):
        with pytest.raises(ValueError, match=message):
            folder.add(sequence(seen), label, consent, 0)
    assert not folder.root.exists() and folder.signers() == {}


def filmed(n=20, step_ms=40, pictures=True):
    """A tape of n sights whose pictures are of the brightness 10 times their number."""
    tape = Tape(with_pictures=True)
    for sight in sights(n, step_ms):
        grey = np.full((97, 129, 3), sight.time_ms // step_ms * 10, np.uint8) if pictures else None
        tape.push(replace(sight, rgb=grey))
    return tape


def kept(folder):
    return sorted(p.relative_to(folder.root).as_posix() for p in folder.root.rglob("*.*"))


def test_video_is_kept_only_of_who_has_agreed_to_it(folder):
    without = folder.add(sequence(), HELLO, ANN, 0, filmed())
    assert not [name for name in kept(folder) if name.endswith(".mp4")]
    about = json.loads((without.parent / f"{without.stem}.consent.json").read_text())
    assert about["video"] is False and about["holds"] == "keypoints"
    filmed_clip = folder.add(sequence(), HELLO, replace(ANN, video=True), 5000, filmed())
    about = json.loads((filmed_clip.parent / f"{filmed_clip.stem}.consent.json").read_text())
    assert about["video"] is True and about["holds"] == "keypoints and video"
    assert [row["video"] for row in rows(folder)] == ["", f"videos/{filmed_clip.stem}.mp4"]
    samples = list(read_corpus("own_folder", folder.root))  # the video is no sample of its own
    assert [sample.media for sample in samples] == [without, filmed_clip]
    private = folder.add(sequence(), HELLO, Consent("Cat", video=True), 9000, filmed())
    assert video_of(private) == private.with_suffix(".mp4") and video_of(private).is_file()
    assert private.parent.name == "not_for_training" and len(rows(folder)) == 2


def test_a_video_has_a_picture_for_each_frame_of_the_keypoints(tmp_path):
    tape = filmed(11, 80)  # 12.5 a second
    made = sequence_of_sights(tape.sights, Camera())
    write_pictures(tmp_path / "clip.mp4", tape, made)
    with open_video(tmp_path / "clip.mp4") as video:
        assert (video.info.width, video.info.height, video.info.fps) == (128, 96, 25.0)
        seen = [round(rgb.mean() / 10) for _, rgb in video]
    assert seen == [t // 2 for t in range(21)]  # of two that are as near, the earlier


def test_withdrawal_deletes_videos_and_what_a_crash_left_of_one(folder):
    agreed = replace(BEN, video=True)
    clip = folder.add(sequence(), HELLO, agreed, 0, filmed())
    folder.add(sequence(), HELLO, replace(agreed, training=False), 0, filmed())
    (folder.root / "videos" / f".{clip.stem}.123.part.mp4").touch()
    folder.withdraw("Ben B.")
    assert kept(folder) == ["labels.csv"] and rows(folder) == []


def test_video_that_is_agreed_to_and_not_there_is_refused_and_leaves_nothing(folder):
    agreed = replace(ANN, video=True)
    for tape in (None, Tape(), filmed(pictures=False)):
        with pytest.raises(ValueError, match="gives no pictures"):
            folder.add(sequence(), HELLO, agreed, 0, tape)
    assert not folder.root.exists()


def test_a_disk_that_will_not_have_the_video_leaves_no_part_of_the_clip(folder, monkeypatch):
    def full(path, *_):
        path.touch()
        raise OSError("no space left")

    monkeypatch.setattr(recording, "write_pictures", full)
    (folder.root / "videos").mkdir(parents=True)
    with pytest.raises(OSError, match="no space"):
        folder.add(sequence(), HELLO, replace(ANN, video=True), 0, filmed())
    assert kept(folder) == ["labels.csv"] and rows(folder) == []


class Camera:
    schema, aspect, extractor = SIGN69, 1.5, "fake 1"


def sights(n, step_ms):
    xyz, seen = np.zeros((69, 3), np.float32), np.ones(69, np.float32)
    return [Sight(t * step_ms, None, KeypointFrame(t * step_ms, xyz + t, seen)) for t in range(n)]


def test_an_uneven_camera_gives_an_even_clip():
    made = sequence_of_sights(sights(11, 80), Camera())  # 800 ms at 12.5 a second
    assert (len(made), made.fps, made.aspect, made.extractor) == (21, 25.0, 1.5, "fake 1")
    assert made.xyz[:5, 0, 0].tolist() == [0, 0.5, 1, 1.5, 2]
    with pytest.raises(ValueError, match="too short"):
        sequence_of_sights(sights(4, 80), Camera())
    with pytest.raises(ValueError, match="too short"):
        sequence_of_sights([], Camera())
