"""From a sample to a clip: what is cut out, what is dropped, and that no clip knows another."""

import os
import shutil
from contextlib import nullcontext
from pathlib import Path

import cv2
import numpy as np
import pytest

from fingerpost.edge_runtime.keypoint_files import save_npz
from fingerpost.edge_runtime.keypoints import (
    COCO_WHOLEBODY,
    MEDIAPIPE_HOLISTIC,
    SIGN69,
    KeypointFrame,
    PoseSequence,
)
from fingerpost.edge_runtime.landmarker_bundle import landmarker_bundle
from fingerpost.edge_runtime.video import open_video, write_video
from fingerpost.trainer.corpora.sample import Sample
from fingerpost.trainer.extraction.extract import (
    EXTRACTORS,
    Dropped,
    LazyFinders,
    Settings,
    extract_clip,
)
from fingerpost.trainer.extraction.media import open_pictures

DATA = Path(os.environ.get("FINGERPOST_DATA") or Path(__file__).parents[2] / "shared" / "data")
PHONE_CLIP = DATA / "clips" / "signing_phone_camera.mp4"
DEMO_CLIP = Path(__file__).parents[1] / "assets" / "demo" / "demo.mp4"
NOSE = MEDIAPIPE_HOLISTIC.index("nose")


class BrightnessFinder:
    """Sees a nose wherever a picture is not black; its x is the picture's brightness, 0 to 1."""

    def detect(self, rgb, time_ms):
        xyz, confidence = np.zeros((543, 3), np.float32), np.zeros(543, np.float32)
        if rgb.mean() > 4:
            xyz[NOSE, 0], confidence[NOSE] = rgb.mean() / 255, 1
        return KeypointFrame(time_ms, xyz, confidence)


def brightness(width, height):
    return nullcontext(BrightnessFinder())


def make_video(path, levels, fps=25, size=(96, 64)):
    """A grey video, one picture for each brightness (0 to 255)."""
    with write_video(path, fps, size) as out:
        for level in levels:
            out.write(np.full((size[1], size[0], 3), level, np.uint8))
    return path


def sample(media, **more):
    labels = {"glosses": ("HELLO",), "text": "Hello.", "text_language": "en"}
    same = {"id": "a", "signer": "Ann", "split": "train", "language": "ase"}
    return Sample(media=media, **(labels | same | more))


def test_a_video_becomes_a_clip_with_its_labels(tmp_path):
    media = make_video(tmp_path / "a.mp4", [40 + 10 * t for t in range(10)])
    clip = extract_clip(sample(media), brightness, Settings())
    assert (clip.id, clip.signer, clip.split, clip.language) == ("a", "Ann", "train", "ase")
    assert (clip.glosses, clip.text, clip.text_language) == (("HELLO",), "Hello.", "en")
    sequence = clip.sequence
    assert (sequence.schema.name, sequence.fps, sequence.start_ms) == ("mediapipe_holistic", 25, 0)
    assert sequence.aspect == 1.5
    assert sequence.extractor.startswith("mediapipe ")
    levels = sequence.xyz[:, NOSE, 0] * 255
    np.testing.assert_allclose(levels, [40 + 10 * t for t in range(10)], atol=4.9)  # mp4 loses some


def test_the_part_is_cut_at_start_included_and_end_excluded(tmp_path):
    media = make_video(tmp_path / "a.mp4", [40 + 10 * t for t in range(20)])
    part = sample(media, start_ms=200, end_ms=440)  # pictures 5 to 10, at 40 ms each
    sequence = extract_clip(part, brightness, Settings()).sequence
    np.testing.assert_allclose(
        sequence.xyz[:, NOSE, 0] * 255, range(90, 150, 10), atol=4.9
    )  # mp4 loses some
    assert sequence.start_ms == 200
    late = sample(media, start_ms=600, end_ms=9000)  # the end is beyond the video's
    assert len(extract_clip(late, brightness, Settings()).sequence) == 5


@pytest.mark.parametrize("clip", [DEMO_CLIP, PHONE_CLIP], ids=lambda path: path.stem)
def test_a_jump_gives_the_pictures_of_reading_through(clip):
    if not clip.is_file():
        pytest.skip("no sample clips ($FINGERPOST_DATA/clips)")
    with open_video(clip) as video:
        everything = [(ms, rgb[::8, ::8].copy()) for (ms, rgb), _ in zip(video, range(150))]  # noqa: B905
    for t in (0, 20, 37, len(everything) - 8):
        start_ms, end_ms = everything[t][0], everything[t + 7][0]
        with open_pictures(clip, start_ms, end_ms, 25) as pictures:
            part = [(ms, rgb[::8, ::8]) for ms, rgb in pictures]
        assert [ms for ms, _ in part] == [ms for ms, _ in everything[t : t + 7]]
        for (_, got), (_, expected) in zip(part, everything[t : t + 7], strict=True):
            np.testing.assert_array_equal(got, expected)


def test_a_jump_beyond_the_end_or_without_times_reads_from_the_start(tmp_path):
    media = make_video(tmp_path / "a.avi", [10 * (t % 25) for t in range(100)])
    with open_pictures(media, 3000, None, 25) as pictures:
        assert [ms for ms, _ in pictures] == list(range(3000, 4000, 40))
    with open_pictures(media, 90_000, None, 25) as pictures:
        assert list(pictures) == []


def test_a_folder_of_frames_is_read_by_number(tmp_path):
    frames = tmp_path / "one" / "1"  # as in Phoenix
    frames.mkdir(parents=True)
    for t in range(12):
        cv2.imwrite(str(frames / f"images{t}.png"), np.full((64, 96, 3), 40 + 10 * t, np.uint8))
    (frames / "notes.txt").write_text("not a frame")
    settings = Settings(folder_fps=10)
    clip = extract_clip(sample(tmp_path / "one"), brightness, settings)
    np.testing.assert_allclose(clip.sequence.xyz[:, NOSE, 0] * 255, range(40, 160, 10), atol=1)
    assert (clip.sequence.fps, clip.sequence.aspect) == (10, 1.5)
    part = extract_clip(sample(tmp_path / "one", start_ms=200, end_ms=700), brightness, settings)
    np.testing.assert_allclose(part.sequence.xyz[:, NOSE, 0] * 255, range(60, 110, 10), atol=1)
    (frames / "images5.png").write_bytes(b"no picture")
    broken = extract_clip(sample(tmp_path / "one"), brightness, settings)
    assert (broken.reason, "images5.png" in broken.detail) == ("unreadable media", True)


def test_what_cannot_be_a_clip_is_dropped_with_its_reason(tmp_path):
    (tmp_path / "junk.mp4").write_text("no video")
    (tmp_path / "junk.npz").write_text("no keypoints")
    (tmp_path / "empty").mkdir()
    good = make_video(tmp_path / "a.mp4", [90] * 8)
    black = make_video(tmp_path / "black.mp4", [0] * 8)
    for media, more, reason in (
        (tmp_path / "absent.mp4", {}, "missing media"),
        (tmp_path / "junk.mp4", {}, "unreadable media"),
        (tmp_path / "junk.npz", {}, "unreadable media"),
        (tmp_path / "empty", {}, "unreadable media"),
        (black, {}, "nobody seen"),
        (good, {"start_ms": 0, "end_ms": 100}, "too short"),  # 3 frames
        (good, {"start_ms": 5000, "end_ms": 6000}, "too short"),  # none
        (good, {"start_ms": 200, "end_ms": 100}, "too short"),  # nonsense
    ):
        found = extract_clip(sample(media, **more), brightness, Settings())
        assert isinstance(found, Dropped)
        assert (found.id, found.reason) == ("a", reason), media
        assert "\n" not in found.detail


@pytest.mark.skipif(not PHONE_CLIP.is_file(), reason="no sample clips ($FINGERPOST_DATA/clips)")
def test_a_video_that_breaks_off_is_dropped_unless_the_part_is_whole(tmp_path):
    content = PHONE_CLIP.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: len(content) // 2])
    whole = extract_clip(sample(tmp_path / "cut.mp4"), brightness, Settings())
    assert whole.reason == "unreadable media"
    assert "breaks off" in whole.detail
    early = sample(tmp_path / "cut.mp4", start_ms=0, end_ms=300)
    assert len(extract_clip(early, brightness, Settings()).sequence) >= 8


def test_an_error_of_the_extractor_is_not_the_clips(tmp_path):
    media = make_video(tmp_path / "a.mp4", [90] * 8)

    def missing(width, height):
        raise ValueError("MediaPipe is not installed")

    with pytest.raises(ValueError, match="MediaPipe is not installed"):
        extract_clip(sample(media), missing, Settings())


def sequence_of(schema, frames=6):
    rng = np.random.default_rng(3)
    shape = (frames, len(schema))
    xyz, confidence = rng.random((*shape, 3)), rng.random(shape)
    return PoseSequence(xyz.astype(np.float32), confidence.astype(np.float32), 25.0, schema)


def test_keypoint_files_are_taken_as_they_are_and_need_no_extractor(tmp_path):
    sequence = sequence_of(MEDIAPIPE_HOLISTIC, frames=10)
    save_npz(tmp_path / "a.npz", sequence)
    settings = Settings()
    clip = extract_clip(sample(tmp_path / "a.npz"), LazyFinders(settings), settings)
    np.testing.assert_array_equal(clip.sequence.xyz, sequence.xyz)
    part = sample(tmp_path / "a.npz", start_ms=80, end_ms=240)
    cut = extract_clip(part, LazyFinders(settings), settings).sequence
    np.testing.assert_array_equal(cut.xyz, sequence.xyz[2:6])
    assert cut.start_ms == 80


def test_a_view_takes_keypoints_of_either_source(tmp_path):
    for schema in (MEDIAPIPE_HOLISTIC, COCO_WHOLEBODY, SIGN69):
        save_npz(tmp_path / f"{schema.name}.npz", sequence_of(schema))
        media = sample(tmp_path / f"{schema.name}.npz")
        in_view = extract_clip(media, brightness, Settings(view="sign69"))
        assert in_view.sequence.schema.name == "sign69"
        as_found = extract_clip(media, brightness, Settings())
        if schema.name == "mediapipe_holistic":
            assert as_found.sequence.schema.name == "mediapipe_holistic"
        else:
            assert as_found.reason == "unreadable media"
            assert "choose a view" in as_found.detail
    poorer = extract_clip(media, brightness, Settings(view="found203")).sequence  # from sign69
    assert poorer.schema.name == "found203"
    assert 0 < (poorer.confidence[0] > 0).sum() <= 69  # what is not in it, is not seen


def test_settings_that_cannot_be_are_named():
    for wrong, message in (
        ({"extractor": "openpose"}, "known are mediapipe, rtmpose"),
        ({"view": "sign70"}, "known are sign69"),
        ({"folder_fps": 0}, "1 to 240"),
        ({"folder_fps": float("nan")}, "1 to 240"),
        ({"min_frames": 0}, "1 or more"),
    ):
        with pytest.raises(ValueError, match=message):
            Settings(**wrong)


@pytest.mark.skipif(not PHONE_CLIP.is_file(), reason="no sample clips ($FINGERPOST_DATA/clips)")
def test_mediapipe_gives_a_clip_the_same_keypoints_whatever_came_before(tmp_path):
    try:
        landmarker_bundle()
    except ValueError as error:
        if "could not fetch" not in str(error) and "no pip" not in str(error):
            raise
        pytest.skip(f"no landmarker bundle: {error}")
    shutil.copy(PHONE_CLIP, tmp_path / "a.mp4")
    settings = Settings()
    open_finder = EXTRACTORS["mediapipe"].load(settings, print)
    first = sample(tmp_path / "a.mp4", start_ms=0, end_ms=250)
    second = sample(tmp_path / "a.mp4", start_ms=1000, end_ms=1250)
    alone = extract_clip(second, open_finder, settings).sequence
    extract_clip(first, open_finder, settings)
    after = extract_clip(second, open_finder, settings).sequence
    assert alone.confidence.any()
    np.testing.assert_array_equal(after.xyz, alone.xyz)
    np.testing.assert_array_equal(after.confidence, alone.confidence)
