"""Keypoint files: what is saved comes back; what is no keypoint file is refused in one line."""

import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fingerpost.edge_runtime.keypoint_files import (
    load_keypoints,
    load_npz,
    load_pose,
    save_npz,
    save_pose,
)
from fingerpost.edge_runtime.keypoints import MEDIAPIPE_HOLISTIC, SCHEMAS, SIGN69, PoseSequence

DATA = Path(os.environ.get("FINGERPOST_DATA") or Path(__file__).parents[2] / "shared" / "data")
POSE_FILES = DATA / "pose_files"
needs_pose_files = pytest.mark.skipif(
    not POSE_FILES.is_dir(), reason="no sample .pose files ($FINGERPOST_DATA/pose_files)"
)


def some_sequence(a_schema=MEDIAPIPE_HOLISTIC, frames=3, seed=0, **fields):
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.1, 0.9, (frames, len(a_schema))).astype(np.float32)
    confidence[:, ::7] = 0
    xyz = rng.random((*confidence.shape, 3)).astype(np.float32)
    xyz[confidence == 0] = 0
    return PoseSequence(xyz, confidence, **({"fps": 29.97, "schema": a_schema} | fields))


def fields_of(sequence):
    return {
        "format_version": 1,
        "schema": sequence.schema.name,
        "fps": sequence.fps,
        "start_ms": sequence.start_ms,
        "aspect": sequence.aspect,
        "extractor": sequence.extractor,
        "xyz": sequence.xyz,
        "confidence": sequence.confidence,
    }


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(list(SCHEMAS.values())),
    st.integers(1, 9),
    st.floats(0.5, 240),
    st.integers(0, 10**9),
    st.floats(0.1, 5),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
)
def test_npz_round_trip(tmp_path_factory, a_schema, frames, fps, start_ms, aspect, extractor):
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    sequence = some_sequence(
        a_schema, frames, fps=fps, start_ms=start_ms, aspect=aspect, extractor=extractor
    )
    save_npz(path, sequence)
    loaded = load_keypoints(path)
    np.testing.assert_array_equal(loaded.xyz, sequence.xyz)
    np.testing.assert_array_equal(loaded.confidence, sequence.confidence)
    assert loaded.schema is a_schema
    for name in ("fps", "start_ms", "aspect", "extractor"):
        assert getattr(loaded, name) == getattr(sequence, name)
    assert [file.name for file in path.parent.iterdir()] == ["a.npz"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "openpose"}, "unknown keypoint schema 'openpose'"),
        ({"schema": "sign69"}, r"expected xyz \(T, 69, 3\)"),
        ({"xyz": np.full((3, 543, 3), np.nan, np.float32)}, "without NaN"),
        ({"xyz": np.zeros((3, 543), np.float32)}, r"expected xyz \(T, K, 3\)"),
        ({"xyz": np.zeros((0, 543, 3), np.float32)}, "T > 0"),
        ({"xyz": np.zeros((3, 543, 3), np.int64)}, "must be float32"),
        ({"xyz": np.full((3, 543, 3), 480, np.float32)}, "not pixels"),
        ({"confidence": np.full((3, 543), 2, np.float32)}, "between 0 and 1"),
        ({"fps": 0.0}, "fps 0.0"),
        ({"fps": np.ones(3)}, "fps is not a single value"),
        ({"fps": "fast"}, "could not convert"),
        ({"start_ms": np.inf}, "infinity"),
        ({"format_version": 9}, "format version 9"),
        ({"format_version": np.ones(2)}, "format version"),
        ({"extractor": np.array({"a": 1}, dtype=object)}, "allow_pickle"),
    ],
)
def test_a_wrong_npz_is_refused_in_one_line(tmp_path, change, message):
    path = tmp_path / "wrong.npz"
    np.savez(path, **(fields_of(some_sequence()) | change))
    with pytest.raises(ValueError, match=message) as error:
        load_npz(path)
    assert "\n" not in str(error.value)
    assert "wrong.npz" in str(error.value)


def test_what_is_no_npz_is_refused(tmp_path):
    (tmp_path / "text.npz").write_text("not a zip at all")
    (tmp_path / "empty.npz").write_bytes(b"")
    np.savez(tmp_path / "other.npz", pictures=np.zeros(3))
    save_npz(tmp_path / "good.npz", some_sequence())
    whole = (tmp_path / "good.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "flipped.npz").write_bytes(whole[:2000] + bytes([whole[2000] ^ 255]) + whole[2001:])
    for name in ("text", "empty", "other", "cut", "flipped"):
        with pytest.raises(ValueError, match=f"{name}.npz"):
            load_keypoints(tmp_path / f"{name}.npz")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load_keypoints(tmp_path / "absent.npz")
    with pytest.raises(ValueError, match=r"known kinds: \.npz, \.pose"):
        load_keypoints(tmp_path / "signing.csv")


@pytest.mark.parametrize("save", [save_npz, save_pose])
def test_whatever_bytes_are_changed_the_file_is_read_or_refused(tmp_path, save):
    path = tmp_path / f"a.{save.__name__.removeprefix('save_')}"
    save(path, some_sequence())
    whole, random = path.read_bytes(), np.random.default_rng(0)
    for trial in range(150):
        changed = bytearray(whole)
        ends = (len(whole), 400, 900)[trial % 3]  # anywhere, the header, the zip's directory
        for at in random.integers(ends, size=3):
            changed[-at if ends == 900 else at] = random.integers(256)
        path.write_bytes(changed)
        with suppress(ValueError):
            load_keypoints(path)


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.npz"
    save_npz(path, some_sequence())
    before = path.read_bytes()
    broken = some_sequence()
    object.__setattr__(broken, "xyz", "not an array")
    with pytest.raises(AttributeError):
        save_npz(path, broken)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]
    with pytest.raises(FileNotFoundError, match="no folder"):
        save_npz(tmp_path / "absent" / "a.npz", some_sequence())


def test_pose_round_trip(tmp_path):
    sequence = some_sequence(fps=30.0, aspect=16 / 9)
    save_pose(tmp_path / "a.pose", sequence)
    loaded = load_keypoints(tmp_path / "a.pose")
    np.testing.assert_allclose(loaded.xyz, sequence.xyz, atol=1e-5)
    np.testing.assert_allclose(loaded.confidence, sequence.confidence, atol=1e-6)
    assert loaded.fps == pytest.approx(30)
    assert loaded.aspect == pytest.approx(16 / 9, abs=1e-3)
    with pytest.raises(ValueError, match="not for sign69"):
        save_pose(tmp_path / "b.pose", some_sequence(SIGN69))
    assert not (tmp_path / "b.pose").exists()


def test_what_is_no_pose_file_is_refused(tmp_path):
    save_pose(tmp_path / "good.pose", some_sequence())
    whole = (tmp_path / "good.pose").read_bytes()
    contents = {"text": b"hello " * 99, "empty": b"", "zeros": bytes(4000)}
    contents |= {"header": whole[:300], "cut": whole[: len(whole) - 5000]}
    for name, content in contents.items():
        (tmp_path / f"{name}.pose").write_bytes(content)
        with pytest.raises(ValueError, match=f"{name}.pose") as error:
            load_pose(tmp_path / f"{name}.pose")
        assert "\n" not in str(error.value)


def test_a_normalised_pose_file_is_refused(tmp_path):
    sequence = some_sequence()
    small = PoseSequence(sequence.xyz / 1000, sequence.confidence, 25, sequence.schema)
    save_pose(tmp_path / "normalised.pose", small)
    with pytest.raises(ValueError, match="normalised keypoints"):
        load_pose(tmp_path / "normalised.pose")


@needs_pose_files
@pytest.mark.parametrize(
    ("name", "fps", "body_points", "upright"),
    [
        (
            "pose_format/0ff215ef4f1f111e217e2cefee0adc77.pose",
            29.89,
            33,
            False,
        ),  # all 543, phone lies on its side
        ("pose_format/6fb01565da31c5500d1ef2cd2906b06b.pose", 25, 33, True),  # 478 face points
        ("pose_format/mediapipe.pose", 24, 8, True),  # version 0.1, reduced, moved and scaled
        ("dummy_lexicon/sgg/pizza.pose", 24, 8, True),
        ("segmentation/example.pose", 30, 33, True),
    ],
)
def test_real_pose_files_are_people_in_a_picture(name, fps, body_points, upright):
    sequence = load_keypoints(POSE_FILES / name)
    groups, seen = sequence.schema.groups, sequence.confidence > 0
    assert sequence.fps == pytest.approx(fps, abs=0.01)
    assert seen[:, groups["body"]].any(axis=0).sum() == body_points
    assert np.isfinite(sequence.xyz).all()
    assert not sequence.xyz[~seen].any()
    left, right = (sequence.schema.index(f"{side}_shoulder") for side in ("left", "right"))
    if upright:  # facing the camera
        assert (sequence.xyz[:, left, 0] > sequence.xyz[:, right, 0]).all()
    for hand, wrist in (("left_hand", "left_wrist"), ("right_hand", "right_wrist")):
        both = seen[:, groups[hand].start] & seen[:, sequence.schema.index(wrist)]
        if both.any():  # the hand hangs on its own arm
            gap = (
                sequence.xyz[both, groups[hand].start]
                - sequence.xyz[both, sequence.schema.index(wrist)]
            )
            assert np.median(np.linalg.norm(gap[:, :2], axis=-1)) < 0.05


@needs_pose_files
@pytest.mark.parametrize(
    "name", ["openpose", "example", "mediapipe_hand_normalized", "mediapipe_long_hand_normalized"]
)
def test_other_layouts_are_refused_with_what_to_do(name):
    with pytest.raises(ValueError, match="no shoulders in MediaPipe Holistic's layout"):
        load_pose(POSE_FILES / "pose_format" / f"{name}.pose")
