"""Shards: clips that are written come back, whatever happens to the writer or to the files."""

import json
import pickle
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fingerpost.edge_runtime.keypoints import COCO_WHOLEBODY, MSMAE, SCHEMAS, SIGN69, PoseSequence
from fingerpost.trainer.shards import (
    Clip,
    Shards,
    ShardsAbout,
    ShardWriter,
    open_shards,
    write_shards,
)

ABOUT = ShardsAbout("made up", "msmae")
CLIP_BYTES = 3 * len(MSMAE) * 5  # of some_clip(): x and y are 2 bytes each, confidence 1


def some_clip(number=0, frames=3, a_schema=MSMAE, depth=False, fps=25.0, **labels) -> Clip:
    rng = np.random.default_rng(number)
    confidence = rng.uniform(0.1, 1, (frames, len(a_schema))).astype(np.float32)
    confidence[:, ::5] = 0
    xyz = rng.uniform(-0.5, 1.5, (*confidence.shape, 3)).astype(np.float32)
    xyz[confidence == 0] = 0
    if not depth:
        xyz[..., 2] = 0
    sequence = PoseSequence(xyz, confidence, fps, a_schema, extractor="by hand 1.0")
    split, signer = ("train", "val")[number % 2], f"signer {number % 3}"
    given = {"id": f"clip {number}", "signer": signer, "split": split, "glosses": ("HELLO", "YOU")}
    given |= {"text": "你好, schön.", "language": "csl", "text_language": "zh"}
    return Clip(**(given | labels), sequence=sequence)


def assert_same(stored: Clip, original: Clip) -> None:
    """Labels to the letter; coordinates to float16; confidence to half a step, never to unseen."""
    assert replace(stored, sequence=original.sequence) == original
    one, other = stored.sequence, original.sequence
    assert one.xyz.dtype == one.confidence.dtype == np.float32
    error = np.abs(one.xyz - other.xyz)
    assert (error <= np.maximum(np.abs(other.xyz) * 2**-11, 2**-25)).all()
    assert np.abs(one.confidence - other.confidence).max() <= 1 / 255
    np.testing.assert_array_equal(one.confidence > 0, other.confidence > 0)
    for name in ("fps", "schema", "start_ms", "aspect", "extractor"):
        assert getattr(one, name) == getattr(other, name)


words = st.text(st.characters(codec="utf-8"), max_size=12)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(list(SCHEMAS.values())),
    st.lists(st.integers(1, 6), min_size=1, max_size=4),
    st.booleans(),
    st.floats(0.1, 240),
    st.integers(-(2**40), 2**40),
    st.floats(0.01, 99),
    words,
    st.lists(words, max_size=3),
)
def test_round_trip(
    tmp_path_factory, a_schema, lengths, depth, fps, start_ms, aspect, word, glosses
):
    clips = []
    for number, frames in enumerate(lengths):
        clip = some_clip(
            number, frames, a_schema, depth, text=word, signer=word, glosses=tuple(glosses)
        )
        timed = replace(clip.sequence, fps=fps, start_ms=start_ms, aspect=aspect, extractor=word)
        clips.append(replace(clip, sequence=timed))
    folder = tmp_path_factory.mktemp("shards") / "new"
    shards = write_shards(folder, clips, ShardsAbout("made up", a_schema.name))
    assert len(shards) == len(clips)
    for stored, original in zip(shards, clips, strict=True):
        assert_same(stored, original)
    assert shards.about.fps == fps and shards.about.n_frames == sum(lengths)


def test_confidence_is_kept_in_steps_and_never_becomes_unseen(tmp_path):
    clip = some_clip(frames=1)
    confidence = clip.sequence.confidence.copy()
    confidence[0, :5] = 1e-6, 1, 0, 0.25, 0.3  # the last two times 255: 63.75, 76.5
    clip = replace(clip, sequence=replace(clip.sequence, confidence=confidence))
    stored = write_shards(tmp_path / "s", [clip], ABOUT)[0].sequence.confidence
    np.testing.assert_allclose(stored[0, :5] * 255, [1, 255, 0, 64, 76], atol=1e-4)


def test_what_is_far_outside_the_picture_stays_a_number(tmp_path):
    clip = some_clip()
    clip.sequence.xyz[0, 1] = 1e9, -1e9, 0
    stored = write_shards(tmp_path / "s", [clip], ABOUT)[0].sequence.xyz
    assert stored[0, 1].tolist() == [65504, -65504, 0]


def test_depth_is_stored_only_where_there_is_any(tmp_path):
    flat = write_shards(tmp_path / "flat", [some_clip(frames=100)], ABOUT)
    deep = write_shards(tmp_path / "deep", [some_clip(frames=100, depth=True)], ABOUT)
    sizes = [shards.files[0].stat().st_size for shards in (flat, deep)]
    assert sizes[1] - sizes[0] == 100 * len(MSMAE) * 2  # a float16 for each point
    assert not flat[0].sequence.xyz[..., 2].any() and deep[0].sequence.xyz[..., 2].any()


def test_what_comes_out_can_be_changed_without_harm(tmp_path):
    shards = write_shards(tmp_path / "s", [some_clip(depth=True)], ABOUT)
    shards[0].sequence.xyz[:] = 7
    shards[0].sequence.confidence[:] = 1
    assert_same(shards[0], some_clip(depth=True))


def test_labels_and_lengths(tmp_path):
    clips = [some_clip(n, frames=n + 1) for n in range(5)]
    shards = write_shards(tmp_path / "s", clips, ABOUT)
    assert shards.n_frames.tolist() == [1, 2, 3, 4, 5]
    assert shards.column("id") == [f"clip {n}" for n in range(5)]
    assert shards.column("glosses")[0] == ["HELLO", "YOU"]
    assert shards.column("fps") == [25.0] * 5
    for name in ("keypoints", "confidence"):  # no such column; one that is not for this
        with pytest.raises(ValueError, match="known are id, signer, split"):
            shards.column(name)


def test_spans_of_glosses(tmp_path):
    spans = ((40, 400), (520, 900))
    clips = [some_clip(0, spans=spans), some_clip(1)]
    stored = write_shards(tmp_path / "s", clips, ABOUT)
    assert [clip.spans for clip in stored] == [spans, ()]
    assert stored.column("spans") == [[40, 400, 520, 900], []]
    for wrong, message in ((((0, 9),), "1 spans; give one for"), (((0, 9), (8, 7)), "ends before")):
        with pytest.raises(ValueError, match=f"clip 'clip 3'.*{message}"):
            write_shards(tmp_path / "wrong", [some_clip(3, spans=wrong)], ABOUT)


def test_shards_from_before_there_were_spans(tmp_path):
    clips = [some_clip(n) for n in range(3)]
    shards = write_shards(tmp_path / "s", clips, ABOUT)
    (path,) = shards.files
    with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
        table = stream.read_all().drop_columns(["spans"])
    newer = tmp_path / "newer"  # the other one is mapped
    with pa.OSFile(str(newer), "wb") as file, pa.ipc.new_stream(file, table.schema) as out:
        out.write_table(table)
    newer.replace(path)
    old = open_shards(tmp_path / "s")
    old.verify()
    assert [clip.spans for clip in old] == [()] * 3
    assert_same(old[2], clips[2])


def test_a_selection_has_its_own_order(tmp_path):
    shards = write_shards(tmp_path / "s", [some_clip(n, n + 1) for n in range(6)], ABOUT)
    val = shards.in_split("val")
    assert val.column("id") == ["clip 1", "clip 3", "clip 5"]
    chosen = val.only([2, 0])
    assert chosen.n_frames.tolist() == [6, 2] and chosen.numbers.tolist() == [5, 1]
    assert [clip.id for clip in chosen] == ["clip 5", "clip 1"]
    assert chosen[-1].id == "clip 1"
    assert len(shards.only([])) == 0 and shards.only([]).n_frames.shape == (0,)
    with pytest.raises(IndexError):
        chosen[2]


def test_a_split_that_is_not_there_names_those_that_are(tmp_path):
    shards = write_shards(tmp_path / "s", [some_clip(0), some_clip(1, split="")], ABOUT)
    with pytest.raises(ValueError, match=r"no clip in split 'test'; its splits: \(none\), train"):
        shards.in_split("test")


def test_a_worker_process_gets_the_same_selection(tmp_path):
    shards = write_shards(tmp_path / "s", [some_clip(n) for n in range(6)], ABOUT).only([4, 1])
    sent = pickle.dumps(shards)
    assert len(sent) < 1000  # the folder's name and the numbers, not the clips
    copy = pickle.loads(sent)
    assert isinstance(copy, Shards) and copy.column("id") == ["clip 4", "clip 1"]
    assert_same(copy[0], some_clip(4))


def test_clips_over_many_parts_and_batches(tmp_path, monkeypatch):
    monkeypatch.setattr("fingerpost.trainer.shards.BATCH_ROWS", 2)
    clips = [some_clip(n) for n in range(11)]
    with ShardWriter(tmp_path / "s", ABOUT, part_bytes=4 * CLIP_BYTES) as writer:
        for clip in clips:
            writer.add(clip)
    shards = open_shards(tmp_path / "s")
    assert [path.name for path in shards.files] == [f"part-0000{n}.arrow" for n in range(3)]
    for number in np.random.default_rng(0).permutation(11):
        assert_same(shards[number], clips[number])


def test_clips_of_another_schema_are_converted_where_there_is_a_way(tmp_path):
    clip = some_clip(a_schema=COCO_WHOLEBODY)
    stored = write_shards(tmp_path / "s", [clip], ShardsAbout("made up", "sign69"))[0]
    assert stored.sequence.schema is SIGN69
    nose, number = COCO_WHOLEBODY.index("left_wrist"), SIGN69.index("left_wrist")
    np.testing.assert_allclose(
        stored.sequence.xyz[:, number], clip.sequence.xyz[:, nose], atol=1e-3
    )
    with pytest.raises(ValueError, match="'sign69' cannot be made from 'msmae'"):
        write_shards(tmp_path / "t", [some_clip()], ShardsAbout("made up", "sign69"))


def test_frame_rates_that_differ_are_said_to(tmp_path):
    same = write_shards(tmp_path / "s", [some_clip(0), some_clip(1)], ABOUT)
    mixed = write_shards(tmp_path / "t", [some_clip(0), some_clip(1, fps=30.0)], ABOUT)
    assert same.about.fps == 25.0 and mixed.about.fps is None
    assert [clip.sequence.fps for clip in mixed] == [25.0, 30.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: replace(s, xyz=np.full_like(s.xyz, np.nan)), "NaN or infinite"),
        (lambda s: replace(s, confidence=s.confidence * np.inf), "NaN or infinite"),
        (lambda s: replace(s, confidence=s.confidence + 1), "outside 0 to 1"),
        (lambda s: replace(s, confidence=s.confidence - 1), "outside 0 to 1"),
        (lambda s: replace(s, xyz=s.xyz[:0], confidence=s.confidence[:0]), "no frames"),
        (lambda s: replace(s, fps=0), "fps 0"),
        (lambda s: replace(s, aspect=-1.0), "aspect -1"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_clip_that_cannot_be_is_refused_by_name(tmp_path, change, message):
    clip = some_clip(7)
    with pytest.raises(ValueError, match=f"clip 'clip 7'.*{message}"):
        write_shards(tmp_path / "s", [replace(clip, sequence=change(clip.sequence))], ABOUT)


def test_two_clips_of_one_id_and_no_clip_at_all(tmp_path):
    with pytest.raises(ValueError, match="two clips have the id 'clip 0'"):
        write_shards(tmp_path / "s", [some_clip(0), some_clip(0)], ABOUT)
    with pytest.raises(ValueError, match="no clip to write"):
        write_shards(tmp_path / "t", [], ABOUT)


# The content hash


def test_the_hash_is_that_of_the_clips_not_of_the_files(tmp_path):
    clips = [some_clip(n) for n in range(4)]
    one = write_shards(tmp_path / "a", clips, ABOUT).about
    with ShardWriter(tmp_path / "b", ABOUT, part_bytes=1) as writer:
        for clip in reversed(clips):
            writer.add(clip)
    again = write_shards(tmp_path / "c", open_shards(tmp_path / "b"), ABOUT).about
    assert one == writer.about == again  # what was stored once is stored the same again
    changed = [*clips[:3], replace(clips[3], text="你好")]
    assert write_shards(tmp_path / "d", changed, ABOUT).about.content_hash != one.content_hash
    swapped = [replace(clips[0], signer=clips[1].signer), replace(clips[1], signer="signer 0")]
    swapped += clips[2:]
    assert write_shards(tmp_path / "e", swapped, ABOUT).about.content_hash != one.content_hash


# A writer that is stopped


WRITE_AND_DIE = """
import os, pickle, signal, sys
from pathlib import Path
from fingerpost.trainer.shards import ShardWriter
folder, where, (about, clips, part_bytes) = sys.argv[1], sys.argv[2], pickle.load(sys.stdin.buffer)
if where == "within a part":  # its bytes are there, its name is not
    Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
with ShardWriter(Path(folder), about, part_bytes=part_bytes) as writer:
    for number, clip in enumerate(clips):
        if number == 13 and where == "between clips":
            os.kill(os.getpid(), signal.SIGKILL)
        writer.add(clip)
"""


@pytest.mark.parametrize("where", ["between clips", "within a part"])
def test_a_killed_writer_leaves_whole_parts_and_goes_on_to_the_same_end(tmp_path, where):
    folder, clips = tmp_path / "s", [some_clip(number) for number in range(20)]
    command = [sys.executable, "-c", WRITE_AND_DIE, str(folder), where]
    killed = subprocess.run(command, input=pickle.dumps((ABOUT, clips, 2 * CLIP_BYTES)))
    assert killed.returncode == -signal.SIGKILL
    left = sorted(path.name for path in folder.iterdir())
    if where == "between clips":  # of 13, two in a part
        assert left == [f"part-0000{n}.arrow" for n in range(6)]
        with pytest.raises(ValueError, match="not complete; run the command"):
            open_shards(folder)
    else:
        assert len(left) == 1 and left[0].endswith(".partial")
        with pytest.raises(ValueError, match="holds no shards"):
            open_shards(folder)

    with ShardWriter(folder, ABOUT, resume=True, part_bytes=2 * CLIP_BYTES) as writer:
        assert len(writer.ids) == (12 if where == "between clips" else 0)
        for clip in clips:
            if clip.id not in writer.ids:
                writer.add(clip)
    with ShardWriter(tmp_path / "whole", ABOUT, part_bytes=2 * CLIP_BYTES) as writer:
        for clip in clips:
            writer.add(clip)
    names = [sorted(path.name for path in f.iterdir()) for f in (folder, tmp_path / "whole")]
    assert names[0] == names[1]
    for name in names[0]:
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_what_was_added_before_an_error_is_kept(tmp_path):
    with pytest.raises(KeyError), ShardWriter(tmp_path / "s", ABOUT) as writer:
        writer.add(some_clip(0))
        raise KeyError("the reader's mistake")
    with ShardWriter(tmp_path / "s", ABOUT, resume=True) as writer:
        assert writer.ids == {"clip 0"}
        writer.add(some_clip(1))
    assert open_shards(tmp_path / "s").column("id") == ["clip 0", "clip 1"]


def test_shards_are_never_overwritten_nor_mixed(tmp_path):
    write_shards(tmp_path / "s", [some_clip(0)], ABOUT)
    with pytest.raises(ValueError, match="holds shards already"):
        write_shards(tmp_path / "s", [some_clip(1)], ABOUT)
    with pytest.raises(ValueError, match="has corpus 'made up', expected 'another'"):
        ShardWriter(tmp_path / "s", ShardsAbout("another", "msmae"), resume=True)
    with pytest.raises(ValueError, match="has schema 'msmae', expected 'sign69'"):
        ShardWriter(tmp_path / "s", ShardsAbout("made up", "sign69"), resume=True)
    assert open_shards(tmp_path / "s").column("id") == ["clip 0"]


def test_a_finished_folder_can_grow_and_is_valid_meanwhile(tmp_path):
    write_shards(tmp_path / "s", [some_clip(0)], ABOUT)
    with ShardWriter(tmp_path / "s", ABOUT, resume=True) as writer:
        writer.add(some_clip(1))
        writer.flush()
        assert len(open_shards(tmp_path / "s")) == 1
    shards = open_shards(tmp_path / "s")
    assert len(shards) == 2 and shards.about == writer.about
    shards.verify()


# Files that are not what they should be


@pytest.fixture
def shards(tmp_path) -> Shards:
    return write_shards(tmp_path / "s", [some_clip(n) for n in range(4)], ABOUT)


def test_a_folder_that_is_none_or_holds_no_shards(tmp_path):
    with pytest.raises(FileNotFoundError, match="fingerpost extract"):
        open_shards(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds no shards"):
        open_shards(tmp_path)


def test_a_missing_part(shards):
    shards.files[0].unlink()
    with pytest.raises(FileNotFoundError, match="part-00000.arrow is missing"):
        open_shards(shards.folder)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format_version": 1, "parts": 3}', "\xff"])
def test_a_damaged_list_of_parts(shards, content):
    (shards.folder / "shards.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match=r"shards\.json is damaged"):
        open_shards(shards.folder)


def test_another_format_says_which(shards):
    path = shards.folder / "shards.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format_version": 2}))
    with pytest.raises(ValueError, match="shards of format 2, this Fingerpost reads 1"):
        open_shards(shards.folder)


def test_a_part_cut_off_anywhere_is_refused_in_one_line(shards):
    part = shards.files[0]
    content = part.read_bytes()
    for length in range(0, len(content) - 8, 101):  # the last 8 bytes say only that it ends
        part.write_bytes(content[:length])
        with pytest.raises(ValueError, match="part-00000.arrow is damaged") as refused:
            open_shards(shards.folder)
        assert "\n" not in str(refused.value)


def test_a_changed_byte_is_refused_or_found_by_verify(shards):
    """Never a crash, never other clips without a word."""
    part = shards.files[0]
    content = part.read_bytes()
    clips = [pickle.dumps(clip) for clip in shards]
    rng = np.random.default_rng(0)
    refused = found = 0
    for place in rng.choice(len(content), 400, replace=False):
        changed = bytearray(content)
        changed[place] ^= 1 << rng.integers(8)
        part.write_bytes(changed)
        try:
            opened = open_shards(shards.folder)
        except ValueError as error:
            assert "\n" not in str(error)
            refused += 1
            continue
        try:
            opened.verify()
        except ValueError:
            found += 1
        else:
            assert [pickle.dumps(clip) for clip in opened] == clips
    assert refused > 20 and found > 20


def test_a_stranger_among_the_parts(shards, tmp_path):
    import pyarrow as pa

    table = pa.table({"id": ["clip 0"]})
    with pa.OSFile(str(shards.files[0]), "wb") as file, pa.ipc.new_stream(file, table.schema) as s:
        s.write_table(table)
    with pytest.raises(ValueError, match="no column aspect, confidence"):
        open_shards(shards.folder)
