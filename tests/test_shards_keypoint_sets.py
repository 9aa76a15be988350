"""Keypoints that are there already, as shards; and shards as keypoint files."""

import os
from pathlib import Path

import numpy as np
import pytest

from fingerpost.edge_runtime.keypoint_files import load_keypoints, save_npz
from fingerpost.edge_runtime.keypoints import MEDIAPIPE_HOLISTIC, MSMAE, SIGN69, PoseSequence
from fingerpost.trainer.corpora.keypoint_sets import (
    KEYPOINT_CORPORA,
    export_clips,
    import_clips,
    read_keypoint_set,
)
from fingerpost.trainer.shards import Clip, ShardsAbout, ShardWriter, open_shards, write_shards

DATA = Path(os.environ.get("FINGERPOST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def some_sequence(frames=10, a_schema=MSMAE, fps=10.0) -> PoseSequence:
    """x of every point is the number of its frame / 64: float16 holds that exactly."""
    xyz = np.zeros((frames, len(a_schema), 3), np.float32)
    xyz[..., 0] = np.arange(frames)[:, None] / 64
    return PoseSequence(xyz, np.ones(xyz.shape[:2], np.float32), fps, a_schema, extractor="me 1")


def some_clip(name: str, **labels) -> Clip:
    given = {"signer": "Ann", "split": "train", "glosses": ("HELLO",), "text": "Hello."}
    given |= {"language": "ase", "text_language": "en", "sequence": some_sequence()}
    return Clip(name, **(given | labels))


def fill(folder: Path, rows: str, *files: str) -> Path:
    """A folder of keypoint files with a table."""
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        save_npz(folder / name, some_sequence())
    if rows:
        header = "file,gloss,text,signer,split,start,end\n"
        (folder / "labels.csv").write_text(header + rows, encoding="utf-8")
    return folder


# A folder of files


def test_rows_find_their_files_by_the_videos_name_too(tmp_path):
    rows = "a.mp4,HELLO YOU,你好,Ann,train,,\nb.npz,,,Ben,dev,,\nc,BYE,,Ann,test,,\n"
    fill(tmp_path, rows, "clips/a.npz", "clips/b.npz", "c.npz", "clips/more/d.npz")
    (tmp_path / "clips" / "a.mp4").touch()  # the video itself is not asked for
    (tmp_path / "clips" / "e.mp4").touch()
    clips = list(read_keypoint_set("own_folder", tmp_path))
    assert [clip.id for clip in clips] == ["a.mp4", "b", "c", "more/d"]
    assert [clip.split for clip in clips] == ["train", "val", "test", ""]
    assert clips[0].glosses == ("HELLO", "YOU") and clips[0].text == "你好"
    assert clips[3].glosses == () and clips[3].signer == ""


def test_a_part_of_a_file(tmp_path):
    """10 frames at 10 fps: from 0.2 to 0.5 s are frames 2, 3 and 4."""
    fill(tmp_path, "a.npz,A,,,,0.2,0.5\na.npz,B,,,,0.5,9\n", "clips/a.npz")
    first, second = read_keypoint_set("own_folder", tmp_path)
    assert (first.sequence.xyz[:, 0, 0] * 64).tolist() == [2, 3, 4]
    assert first.sequence.start_ms == 200 and first.id == "a.0000"
    assert (second.sequence.xyz[:, 0, 0] * 64).tolist() == [5, 6, 7, 8, 9]
    fill(tmp_path, "a.npz,A,,,,3,4\n")
    with pytest.raises(ValueError, match=r"no frame from 3000 to 4000 ms; the clip ends at 1000"):
        list(read_keypoint_set("own_folder", tmp_path))


def test_rows_without_files_are_named_before_anything_is_read(tmp_path):
    fill(tmp_path, "a.npz,A,,,,,\n" + "".join(f"x{n},A,,,,,\n" for n in range(7)), "clips/a.npz")
    with pytest.raises(ValueError, match=r"no keypoint file for x0, x1, x2, x3, x4 and 2 more"):
        next(read_keypoint_set("own_folder", tmp_path))


def test_a_source_that_is_none(tmp_path):
    (tmp_path / "file").touch()
    for name, source, message in (
        ("own_folder", tmp_path, r"holds no \.npz and no \.pose"),
        ("own_folder", tmp_path / "file", "give the folder"),
        ("own_folder", tmp_path / "nowhere", "there is no"),
        ("webcam", tmp_path, "no webcam_"),
        ("wlasl_hands", tmp_path, "no WLASL hands"),
        ("nothing", tmp_path, "known are own_folder, wlasl_hands"),
    ):
        with pytest.raises((ValueError, OSError), match=message):
            list(read_keypoint_set(name, source))
    for name, n_glosses, message in (("webcam", 10, "have no order"), ("wlasl_hands", 0, "none")):
        with pytest.raises(ValueError, match=message):
            read_keypoint_set(name, tmp_path, n_glosses)


# In and out


def test_an_import_that_was_stopped_goes_on(tmp_path):
    clips = [some_clip(f"clip {n}") for n in range(4)]
    with pytest.raises(KeyError), ShardWriter(tmp_path / "s", ShardsAbout("x", "msmae")) as writer:
        writer.add(clips[0])
        raise KeyError
    assert len(import_clips(clips, tmp_path / "s", "x")) == 4
    whole = import_clips(clips, tmp_path / "t", "x")
    assert open_shards(tmp_path / "s").about == whole.about
    with pytest.raises(ValueError, match="holds shards already"):
        import_clips(clips, tmp_path / "s", "x")
    with pytest.raises(ValueError, match="two clips have the id 'clip 3'"):
        import_clips([*clips, clips[3]], tmp_path / "u", "x")
    with pytest.raises(ValueError, match="x has no clip"):
        import_clips([], tmp_path / "v", "x")


def test_a_view_is_what_is_kept(tmp_path):
    clip = some_clip("a", sequence=some_sequence(3, MEDIAPIPE_HOLISTIC))
    assert import_clips([clip], tmp_path / "s", "x", "sign69")[0].sequence.schema is SIGN69


def test_npz_out_and_in_again_is_the_same(tmp_path):
    clips = [
        some_clip("a", glosses=("HELLO", "YOU"), text="你好, „schön“"),
        some_clip("day 1/b.mp4", split="val", glosses=(), signer=""),
        some_clip("c", text="", language="", text_language="", split=""),
    ]
    shards = write_shards(tmp_path / "s", clips, ShardsAbout("x", "msmae"))
    assert len(list(export_clips(shards, tmp_path / "out", "npz"))) == 3
    again = import_clips(read_keypoint_set("own_folder", tmp_path / "out"), tmp_path / "t", "x")
    assert again.about == shards.about


def test_what_a_table_cannot_hold_is_told_by_other_letters(tmp_path):
    """Between glosses are spaces, and a text is one line."""
    clip = some_clip("a", glosses=("ICE CREAM", "ME"), text="Two\nlines,  please.")
    list(export_clips([clip], tmp_path / "out", "npz"))
    (again,) = read_keypoint_set("own_folder", tmp_path / "out")
    assert again.glosses == ("ICE_CREAM", "ME") and again.text == "Two lines, please."


def test_pose_files_out_and_in_again(tmp_path):
    sequence = some_sequence(4, MEDIAPIPE_HOLISTIC, fps=25.0)
    sequence.xyz[..., 1] = 0.25
    sequence.confidence[:, ::3] = 0.5
    list(export_clips([some_clip("a", sequence=sequence)], tmp_path / "out", "pose"))
    loaded = load_keypoints(tmp_path / "out" / "clips" / "a.pose")
    np.testing.assert_allclose(loaded.xyz, sequence.xyz, atol=1e-5)
    with pytest.raises(ValueError, match=r"\.pose files are for mediapipe_holistic.*take npz"):
        list(export_clips([some_clip("a")], tmp_path / "new", "pose"))
    assert not (tmp_path / "new").exists()


def test_exports_that_cannot_be(tmp_path):
    for name in ("../up", "/root", "", " ", "nul\0"):
        with pytest.raises(ValueError, match="cannot be a file's name"):
            list(export_clips([some_clip(name)], tmp_path / "out", "npz"))
    assert not list(tmp_path.rglob("*.npz"))
    with pytest.raises(ValueError, match="unknown format 'csv'; known are npz, pose"):
        list(export_clips([some_clip("a")], tmp_path / "out", "csv"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    with pytest.raises(ValueError, match="is not empty"):
        list(export_clips([some_clip("a")], tmp_path / "full", "npz"))


def test_a_stopped_export_has_no_table(tmp_path):
    def clips():
        yield some_clip("a")
        yield some_clip("../b")

    with pytest.raises(ValueError, match="cannot be"):
        list(export_clips(clips(), tmp_path / "out", "npz"))
    assert not (tmp_path / "out" / "labels.csv").exists()


# Real keypoints


@pytest.mark.parametrize(
    ("name", "n_clips", "splits", "n_signers", "n_glosses"),
    [
        ("wlasl50_holistic", 377, {"train": 311, "val": 66}, 38, 50),
        ("webcam", 1592, {"": 1592}, 3, 22),
    ],
)
def test_real_sets(name, n_clips, splits, n_signers, n_glosses):
    if not (DATA / name).is_dir():
        pytest.skip(f"no {DATA / name}; set FINGERPOST_DATA")
    clips = list(read_keypoint_set(name, DATA / name))
    assert len({clip.id for clip in clips}) == len(clips) == n_clips
    assert {split: sum(c.split == split for c in clips) for split in splits} == splits
    assert len({clip.signer for clip in clips}) == n_signers
    assert len({clip.glosses for clip in clips}) == n_glosses


@pytest.mark.slow
def test_real_hands(tmp_path):
    """WLASL100 of the release: its README's counts."""
    folder = DATA / "wlasl_hands"
    if not folder.is_dir():
        pytest.skip(f"no {folder}; set FINGERPOST_DATA")
    shards = import_clips(read_keypoint_set("wlasl_hands", folder, 100), tmp_path / "s", "wlasl100")
    assert (len(shards.in_split("train")), len(shards.in_split("val"))) == (748, 165)
    assert len({gloss for glosses in shards.column("glosses") for gloss in glosses}) == 100


def test_every_corpus_of_keypoints_is_named():
    assert set(KEYPOINT_CORPORA) == {"own_folder", "wlasl_hands", "wlasl50_holistic", "webcam"}
