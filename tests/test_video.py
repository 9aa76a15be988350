"""Video in and out: times, sizes, rotation; and one line for each kind of bad file."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from fingerpost.edge_runtime.video import Video, open_camera, open_video, write_video

DATA = Path(os.environ.get("FINGERPOST_DATA") or Path(__file__).parents[2] / "shared" / "data")
PHONE_CLIP = DATA / "clips" / "signing_phone_camera.mp4"


def make_video(path, frames=20, size=(96, 64), fps=25):
    """A video whose left half is red and whose brightness of the right half tells the frame."""
    with write_video(path, fps, size) as out:
        for t in range(frames):
            rgb = np.zeros((size[1], size[0], 3), np.uint8)
            rgb[:, : size[0] // 2, 0] = 200
            rgb[:, size[0] // 2 :] = 10 * t
            out.write(rgb)
    return path


def boxes(content):
    """The top-level boxes of an mp4 file: (kind, start, end)."""
    at, found = 0, []
    while at + 8 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        found.append((content[at + 4 : at + 8], at, at + size))
        at += size
    return found


def test_round_trip_keeps_times_size_and_colours(tmp_path):
    path = make_video(tmp_path / "a.mp4")
    with open_video(path) as video:
        assert (video.info.width, video.info.height) == (96, 64)
        assert (video.info.fps, video.info.frames, video.info.duration_ms) == (25, 20, 800)
        times, pictures = zip(*video, strict=True)
        assert video.problem == ""
    assert times == tuple(range(0, 800, 40))
    for t, rgb in enumerate(pictures):
        assert rgb.shape == (64, 96, 3)
        assert rgb.dtype == np.uint8
        assert abs(rgb[:, 60:].mean() - 10 * t) < 8
    red, green, blue = pictures[0][:, 5:40].mean(axis=(0, 1))
    assert red > 150 > 60 > max(green, blue)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".avi"])
def test_kinds_of_file_that_can_be_written(tmp_path, suffix):
    with open_video(make_video(tmp_path / f"a{suffix}", frames=5)) as video:
        assert len(list(video)) == 5


def test_a_failed_write_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), write_video(tmp_path / "a.mp4", 25, (96, 64)) as out:
        out.write(np.zeros((64, 96, 3), np.uint8))
        raise KeyError("something else went wrong")
    assert list(tmp_path.iterdir()) == []
    with (
        pytest.raises(ValueError, match=r"expected pictures of \(64, 96\)"),
        write_video(tmp_path / "a.mp4", 25, (96, 64)) as out,
    ):
        out.write(np.zeros((60, 96, 3), np.uint8))
    with pytest.raises(ValueError, match=r"end its name in"):
        write_video(tmp_path / "a.txt", 25, (96, 64))
    with pytest.raises(FileNotFoundError, match="no folder"):
        write_video(tmp_path / "absent" / "a.mp4", 25, (96, 64))
    assert list(tmp_path.iterdir()) == []


def test_a_phones_rotation_is_honoured(tmp_path):
    content = bytearray(make_video(tmp_path / "a.mp4").read_bytes())
    at = content.find(b"tkhd") + 4 + 40  # version 0: the matrix begins 40 bytes into the box
    quarter_turn = [0, 1, 0, -1, 0, 0, 64, 0, 16384]
    units = [16, 16, 30, 16, 16, 30, 16, 16, 0]
    content[at : at + 36] = b"".join(
        (v << u).to_bytes(4, "big", signed=True) for v, u in zip(quarter_turn, units, strict=True)
    )
    (tmp_path / "turned.mp4").write_bytes(content)
    with open_video(tmp_path / "turned.mp4") as video:
        assert (video.info.width, video.info.height) == (64, 96)
        _, rgb = next(iter(video))
    assert rgb.shape == (96, 64, 3)
    assert rgb[10:40, :, 0].mean() > 150 > 60 > rgb[60:, :, 0].mean()  # left has become top


def test_a_file_cut_in_its_index_says_so(tmp_path):
    content = make_video(tmp_path / "a.mp4").read_bytes()
    kinds = [kind for kind, _, _ in boxes(content)]
    assert kinds.index(b"mdat") < kinds.index(b"moov")  # OpenCV writes the index last
    (tmp_path / "cut.mp4").write_bytes(content[: len(content) - 600])
    with pytest.raises(ValueError, match="cut off before its index was written"):
        open_video(tmp_path / "cut.mp4")


@pytest.mark.skipif(not PHONE_CLIP.is_file(), reason="no sample clips ($FINGERPOST_DATA/clips)")
def test_a_file_cut_in_its_pictures_is_read_as_far_as_it_goes(tmp_path):
    content = PHONE_CLIP.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: len(content) // 2])
    with open_video(tmp_path / "cut.mp4") as video:
        assert video.info.frames == 58
        assert 15 < len(list(video)) < 40
        assert "breaks off after" in video.problem
    with open_video(PHONE_CLIP) as video:
        assert len(list(video)) == 58
        assert video.problem == ""


def test_sound_without_pictures_says_so(tmp_path):
    content = bytearray(make_video(tmp_path / "a.mp4").read_bytes())
    at = content.find(b"vide")
    content[at : at + 4] = b"soun"
    (tmp_path / "sound.mp4").write_bytes(content)
    wave = b"RIFF" + (36).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    wave += bytes([1, 0, 1, 0, 64, 31, 0, 0, 128, 62, 0, 0, 2, 0, 16, 0]) + b"data" + bytes(2004)
    (tmp_path / "sound.wav").write_bytes(wave)
    for name in ("sound.mp4", "sound.wav"):
        with pytest.raises(ValueError, match="sound but no pictures"):
            open_video(tmp_path / name)


def test_other_bad_input_is_one_line(tmp_path):
    (tmp_path / "text.mp4").write_text("Dear diary, today I signed.\n" * 100)
    (tmp_path / "empty.mp4").write_bytes(b"")
    code = cv2.VideoWriter.fourcc(*"MJPG")
    tiny = cv2.VideoWriter(str(tmp_path / "tiny.avi"), code, 25, (1, 1))
    small = cv2.VideoWriter(str(tmp_path / "small.avi"), code, 25, (32, 32))
    assert small.isOpened()
    for _ in range(3):
        tiny.write(np.zeros((1, 1, 3), np.uint8))
        small.write(np.zeros((32, 32, 3), np.uint8))
    tiny.release()
    small.release()
    for name, message in (
        ("text.mp4", "is not a video"),
        ("empty.mp4", "is empty"),
        ("small.avi", "pictures of 32x32 pixels"),
        ("tiny.avi", "tiny.avi"),
        ("", "is not a file"),
    ):
        with pytest.raises(ValueError, match=message) as error:
            open_video(tmp_path / name)
        assert "\n" not in str(error.value)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        open_video(tmp_path / "absent.mp4")


def test_opencv_stays_quiet_about_what_we_report(tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    code = (
        "from fingerpost.edge_runtime.video import Video, open_camera, open_video\n"
        "for open_, source in ((open_video, {path!r}), (open_camera, 87)):\n"
        "    try: open_(source)\n"
        "    except ValueError as error: print(error)\n"
    ).format(path=str(tmp_path / "text.mp4"))
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    assert "is not a video" in ran.stdout
    assert "there is no camera 87" in ran.stdout


class FakeCapture:
    """A capture of a source whose clock cannot be trusted: (ms, picture) as given."""

    def __init__(self, times_ms, fps, frames=0):
        self.times_ms, self.at = times_ms, -1
        self.values = {cv2.CAP_PROP_FPS: fps, cv2.CAP_PROP_FRAME_COUNT: frames}

    def read(self):
        self.at += 1
        if self.at >= len(self.times_ms):
            return False, None
        return True, np.zeros((64, 64, 3), np.uint8)

    def get(self, prop):
        return self.times_ms[self.at] if prop == cv2.CAP_PROP_POS_MSEC else self.values[prop]

    def release(self):
        self.values = {}


@pytest.mark.parametrize(
    ("times_ms", "fps", "expected", "expected_fps"),
    [
        ([0.0, 0.0, 0.0, 0.0], 25, [0, 40, 80, 120], 25),  # no times: count / fps
        ([0, 40, 40, 120], 25, [0, 40, 80, 120], 25),  # a repeated one
        ([0, 30, 200, 210], 30, [0, 30, 200, 210], 30),  # an uneven rate is left as it is
        ([0, 50, 100, 150], 1000, [0, 50, 100, 150], 20),  # a screen recorder's "1000 fps"
        ([0, 50, 100, 150], 0, [0, 50, 100, 150], 20),
        ([-5.0, 0.0, -9.0], 0, [0, 33, 67], 30),  # nothing to go by
    ],
)
def test_times_rise_whatever_the_file_says(times_ms, fps, expected, expected_fps):
    with Video(FakeCapture(times_ms, fps), "fake", live=False) as video:
        assert video.info.fps == pytest.approx(expected_fps)
        assert video.info.frames == video.info.duration_ms == 0
        assert [time_ms for time_ms, _ in video] == expected


def test_a_camera_that_gives_nothing_is_named():
    with pytest.raises(ValueError, match="camera 3 gives no picture"):
        Video(FakeCapture([], 30), "camera 3", live=True)
    with pytest.raises(ValueError, match="there is no camera 99"):
        open_camera(99)
