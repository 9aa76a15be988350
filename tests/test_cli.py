"""The command line: help, versions, outputs, exit codes, and one line for whatever is wrong."""

import dataclasses
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from fingerpost.app import commands_caption
from fingerpost.app.cli import app
from fingerpost.app.observer import Sight
from fingerpost.app.session import Step
from fingerpost.app.terminal import event_record, line_text
from fingerpost.edge_runtime import landmarker_bundle, landmarks
from fingerpost.edge_runtime.captions import Line, LineChanged, LineCompleted, LineStarted
from fingerpost.edge_runtime.keypoint_files import load_npz, save_npz
from fingerpost.edge_runtime.keypoints import MEDIAPIPE_HOLISTIC, KeypointFrame, PoseSequence
from fingerpost.edge_runtime.manifest import GraphSpec, Licences, Manifest, Parent
from fingerpost.edge_runtime.pack import write_pack
from fingerpost.edge_runtime.preprocess import PREPROCESS_VERSION
from fingerpost.edge_runtime.video import open_video, write_video

N = len(MEDIAPIPE_HOLISTIC)
MANIFEST = Manifest(
    name="tiny",
    version="1.0",
    task="isolated-signs",
    languages=("ase",),
    view="sign69",
    preprocess_version=PREPROCESS_VERSION,
    fps=25,
    window=48,
    graphs={"recogniser": GraphSpec("net.tflite", "tflite", "2.3.0", (), ())},
    vocabulary="vocabulary.json",
    special={"reject": "<none>"},
    quantization="int8",
    parent=Parent("0" * 64),
    licences=Licences("Apache-2.0", "Apache-2.0", "none"),
    measured={"top1": 0.7},
)
FILES = {"net.tflite": bytes(200), "vocabulary.json": b'["<none>", "HOW", "YOU"]'}


class FakeLandmarker:
    """Sees somebody, or with ``sees`` 0 nobody, in every picture."""

    schema, extractor, sees = MEDIAPIPE_HOLISTIC, "fake 1", 1.0

    def __init__(self, width, height, bundle=None, mirrored=False):
        self.aspect = width / height

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def detect(self, rgb, time_ms):
        return KeypointFrame(
            time_ms, np.full((N, 3), 0.5, np.float32), np.full(N, self.sees, np.float32)
        )


class FakeCaptioner:
    """HOW at the 3rd frame, HOW YOU at the 5th, complete at the 7th; then an unsure FINE."""

    interrupt_at = None

    def __init__(self):
        self.n = 0

    def push(self, frame):
        self.n += 1
        if self.n == self.interrupt_at:
            raise KeyboardInterrupt
        how = Line("HOW", ("how",), ((("how", 0.9),),), 1200, 1500, 0.9)
        how_you = Line("HOW YOU", ("how", "you"), (), 1200, 2000, 0.9)
        events = {3: LineStarted(0, how), 5: LineChanged(0, how_you, 1)}
        events[7] = LineCompleted(0, how_you)
        return [events[self.n]] if self.n in events else []

    def flush(self):
        return [LineCompleted(1, Line("FINE", ("fine",), (), 3000, 3200, 0.3, unsure=True))]


@pytest.fixture
def fakes(monkeypatch, tmp_path):
    """A machine with one installed pack whose captioner and landmarker are fakes."""
    monkeypatch.setattr(commands_caption, "make_captioner", lambda *given: FakeCaptioner())
    monkeypatch.setattr(landmarks, "Landmarker", FakeLandmarker)
    monkeypatch.setattr(landmarker_bundle, "landmarker_bundle", lambda tell=None: None)
    monkeypatch.setenv("FINGERPOST_PACKS", str(tmp_path / "packs"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("FINGERPOST_DEBUG", raising=False)
    write_pack(tmp_path / "packs" / "tiny.fpk", MANIFEST, FILES)


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def caption(*arguments):
    return run("caption", *arguments, "--pack", "tiny")


def refused(result, *words):
    """Exit code 2, nothing on stdout, and one line on stderr that holds the words."""
    lines = result.stderr.splitlines()
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert len(lines) == 1 and lines[0].startswith("fingerpost: "), lines
    for word in words:
        assert str(word) in lines[0]


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "signing.mp4"
    with write_video(path, 25, (96, 64)) as out:
        for t in range(12):
            out.write(np.full((64, 96, 3), 20 * t, np.uint8))
    return path


@pytest.fixture
def npz(tmp_path):
    path = tmp_path / "signing.npz"
    xyz, seen = np.full((12, N, 3), 0.5, np.float32), np.ones((12, N), np.float32)
    save_npz(path, PoseSequence(xyz, seen, 25, MEDIAPIPE_HOLISTIC, aspect=1.5))
    return path


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nsys.argv = ['fingerpost', '--help']\nfrom fingerpost.app.cli import app\n"
        "app(standalone_mode=False)\nprint(*{m.split('.')[0] for m in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not {"mediapipe", "kivy", "numpy", "cv2", "torch", "ai_edge_litert"} & loaded
    for command in ("demo", "caption", "landmarks", "doctor", "packs"):
        assert command in done.stdout


def test_version():
    assert re.fullmatch(r"fingerpost \d+\.\d+\.\d+\n", run("--version").stdout)


def test_captions_are_on_stdout_and_the_caution_on_stderr(fakes, video):
    result = caption(video)
    assert result.exit_code == 0
    assert result.stdout == "00:01.2  HOW YOU\n00:03.0  FINE  (unsure)\n"
    assert result.stderr.count("Captions can be wrong") == 1


def test_json_is_one_event_a_line(fakes, npz):
    result = caption(npz, "--json")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [e["event"] for e in events] == ["started", "changed", "completed", "completed"]
    assert [e["line_id"] for e in events] == [0, 0, 0, 1]
    assert events[0]["alternatives"] == [[["how", 0.9]]]
    assert events[2]["stable"] == 2 and events[2]["text"] == "HOW YOU"


def test_files_are_written(fakes, video, tmp_path):
    srt, vtt, overlay = (tmp_path / name for name in ("a.srt", "a.vtt", "a.mp4"))
    result = caption(video, "--srt", srt, "--vtt", vtt, "--overlay", overlay)
    assert result.exit_code == 0, result.stderr
    assert "00:00:01,200 --> 00:00:02,400\nHOW YOU\n" in srt.read_text()
    assert vtt.read_text().startswith("WEBVTT\n\nNOTE Captions can be wrong")
    with open_video(overlay) as drawn:
        assert drawn.info.frames == 12 and drawn.info.height > 64
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"a.srt", "a.vtt", "a.mp4", "signing.mp4", "packs"}


def test_keypoints_can_be_drawn_too(fakes, npz, tmp_path):
    assert caption(npz, "--overlay", tmp_path / "a.mp4").exit_code == 0
    with open_video(tmp_path / "a.mp4") as drawn:
        assert drawn.info.width == 720


def test_an_overlay_keeps_the_time_of_an_uneven_source(tmp_path):
    class SlowCamera:
        size, schema, fps = (96, 64), MEDIAPIPE_HOLISTIC, 25.0

    nobody = KeypointFrame(0, np.zeros((N, 3), np.float32), np.zeros(N, np.float32))
    with commands_caption.OverlayVideo(tmp_path / "a.mp4", SlowCamera()) as drawing:
        for time_ms in (300, 400, 410, 500, 700):  # 10 a second, one at once, one lost
            sight = Sight(time_ms, np.zeros((64, 96, 3), np.uint8), nobody)
            drawing.add(Step(sight, ()))
    with open_video(tmp_path / "a.mp4") as drawn:
        assert drawn.info.duration_ms == 440  # 400 ms, and the last picture


def test_seconds_end_a_source_early(fakes, video):
    result = caption(video, "--seconds", 0.2)  # the 6th frame: the line is still open
    assert result.stdout == "00:03.0  FINE  (unsure)\n"


def test_landmarks_are_written_and_captioned_alike(fakes, video, tmp_path):
    result = run("landmarks", video, "-o", tmp_path / "a.npz")
    assert result.exit_code == 0 and result.stdout == ""
    sequence = load_npz(tmp_path / "a.npz")
    assert (len(sequence), sequence.fps, sequence.aspect) == (12, 25, 1.5)
    assert sequence.extractor == "fake 1"
    assert caption(tmp_path / "a.npz").stdout == caption(video).stdout


def test_ctrl_c_ends_with_130_and_leaves_no_file(fakes, video, tmp_path, monkeypatch):
    monkeypatch.setattr(FakeCaptioner, "interrupt_at", 8)
    before = set(tmp_path.iterdir())
    result = caption(video, "--srt", tmp_path / "a.srt", "--overlay", tmp_path / "a.mp4")
    assert result.exit_code == 130
    assert "Traceback" not in result.output
    assert set(tmp_path.iterdir()) == before


def test_ctrl_c_is_how_a_camera_ends_and_its_files_are_kept(fakes, tmp_path, monkeypatch, video):
    from fingerpost.edge_runtime import video as videos

    monkeypatch.setattr(videos, "open_camera", lambda number: open_video(video))
    monkeypatch.setattr(FakeCaptioner, "interrupt_at", 8)
    monkeypatch.setattr("fingerpost.app.session.PICTURES_WAITING_LIVE", 20)
    result = caption("0", "--srt", tmp_path / "a.srt")
    assert result.exit_code == 130
    assert "HOW YOU" in (tmp_path / "a.srt").read_text()


def test_a_camera_that_is_unplugged_says_so_and_its_files_are_kept(
    fakes, tmp_path, monkeypatch, video
):
    from fingerpost.edge_runtime import video as videos

    def open_camera(number):
        camera = open_video(video)
        camera._live = True
        return camera

    monkeypatch.setattr(videos, "open_camera", open_camera)
    monkeypatch.setattr("fingerpost.app.session.PICTURES_WAITING_LIVE", 20)
    result = caption("0", "--srt", tmp_path / "a.srt")
    assert result.exit_code == 1
    assert "stopped giving pictures" in result.stderr
    assert "HOW YOU" in (tmp_path / "a.srt").read_text()


def test_the_demo_without_a_screen_prints_captions_and_ends(fakes, video, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("fingerpost.app.demo.demo_clip", lambda: video)
    assert run("demo", "--pack", "tiny").stdout == "00:01.2  HOW YOU\n00:03.0  FINE  (unsure)\n"
    refused(run("demo", "--pack", "tiny", "--window"), "there is no screen")


# ---- what users get wrong ------------------------------------------------------------------------


def test_sources_that_are_not_there(fakes, tmp_path, monkeypatch):
    refused(caption(tmp_path / "gone.mp4"), "gone.mp4", "no such file")
    refused(caption(tmp_path), "is a folder")
    refused(caption("93"), "no camera 93")
    refused(caption("99999999999"), "no camera 99999999999")
    refused(caption("²"), "no such file")
    refused(run("landmarks", "93", "-o", tmp_path / "a.npz"), "no camera 93")


def test_files_that_are_no_video(fakes, tmp_path, video):
    (tmp_path / "text.mp4").write_text("Dear diary,\n" * 99)
    (tmp_path / "cut.mp4").write_bytes(video.read_bytes()[:-600])
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "sound.mp4").write_bytes(b"ID3" + bytes(500))
    outputs = ("--srt", tmp_path / "a.srt", "--overlay", tmp_path / "a.mp4")
    before = set(tmp_path.iterdir())
    refused(caption(tmp_path / "text.mp4", *outputs), "is not a video")
    refused(caption(tmp_path / "cut.mp4", *outputs), "was cut off")
    refused(caption(tmp_path / "empty.mp4", *outputs), "is empty")
    refused(caption(tmp_path / "sound.mp4", *outputs), "has sound but no pictures")
    assert set(tmp_path.iterdir()) == before


def test_a_video_that_breaks_off(fakes, tmp_path, video, monkeypatch):
    from fingerpost.edge_runtime.video import Video

    read = Video._read
    monkeypatch.setattr(
        Video, "_read", lambda self: None if self._capture.get(1) >= 8 else read(self)
    )
    before = set(tmp_path.iterdir())
    result = caption(video, "--srt", tmp_path / "a.srt", "--overlay", tmp_path / "a.mp4")
    assert result.exit_code == 2 and result.stdout.startswith("00:01.2  HOW YOU")
    assert "breaks off after" in result.stderr.splitlines()[-1]
    refused(run("landmarks", video, "-o", tmp_path / "a.npz"), "breaks off after")
    assert set(tmp_path.iterdir()) == before


def test_a_video_of_one_pixel(fakes, tmp_path):
    import cv2

    out = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (1, 1))
    for _ in range(5):
        out.write(np.zeros((1, 1, 3), np.uint8))
    out.release()
    refused(caption(tmp_path / "a.avi", "--srt", tmp_path / "a.srt"))
    assert not (tmp_path / "a.srt").exists()


def test_a_video_without_people(fakes, video, tmp_path, monkeypatch):
    monkeypatch.setattr(FakeLandmarker, "sees", 0.0)
    monkeypatch.setattr(FakeCaptioner, "push", lambda self, frame: [])
    before = set(tmp_path.iterdir())
    refused(
        caption(video, "--srt", tmp_path / "a.srt", "--overlay", tmp_path / "a.mp4"),
        "nobody was seen in signing.mp4",
    )
    refused(run("landmarks", video, "-o", tmp_path / "a.npz"), "nobody was seen")
    assert set(tmp_path.iterdir()) == before


def test_keypoints_of_another_schema(fakes, tmp_path, npz):
    np.savez(tmp_path / "a.npz", **{**np.load(npz), "schema": "openpose"})
    refused(caption(tmp_path / "a.npz"), "unknown keypoint schema 'openpose'")
    np.savez(tmp_path / "b.npz", x=np.zeros(3))
    refused(caption(tmp_path / "b.npz"), "make it with `fingerpost landmarks`")
    (tmp_path / "c.pose").write_bytes(b"no pose")
    refused(caption(tmp_path / "c.pose"), "is not a .pose file")


def test_outputs_that_cannot_be_are_refused_before_the_work(fakes, video, tmp_path, monkeypatch):
    def must_not_run(*arguments):
        raise AssertionError("the work has begun")

    monkeypatch.setattr(commands_caption, "observe", must_not_run)
    gone = tmp_path / "gone"
    refused(caption(video, "--srt", gone / "a.srt"), "there is no folder", gone)
    refused(caption(video, "--vtt", tmp_path), "is a folder")
    refused(caption(video, "--srt", tmp_path / "a", "--vtt", tmp_path / "a"), "same name")
    refused(caption(video, "--overlay", video), "is what is read")
    refused(caption(video, "--srt", os.devnull), "no plain file")
    refused(run("landmarks", video, "-o", gone / "a.npz"), "there is no folder")
    refused(run("landmarks", video, "-o", tmp_path / "a.txt"), "must end in .npz")


def test_an_overlay_of_a_kind_that_cannot_be_written(fakes, video, tmp_path):
    refused(caption(video, "--overlay", tmp_path / "a.gif"), "end its name in")


def test_packs_that_are_not_whole(fakes, video, tmp_path):
    folder = write_pack(tmp_path / "broken", MANIFEST, FILES).path
    content = bytearray((folder / "net.tflite").read_bytes())
    content[100] ^= 1
    (folder / "net.tflite").write_bytes(content)
    for command in (("caption", video, "--pack"), ("packs", "show"), ("packs", "verify")):
        refused(run(*command, folder), "net.tflite is not the file that was packed")
    refused(run("packs", "add", folder), "net.tflite is not the file that was packed")
    refused(run("caption", video, "--pack", "nothing"), "no pack 'nothing' is installed")


def test_debug_shows_where_an_error_came_from(fakes, tmp_path, monkeypatch):
    monkeypatch.setenv("FINGERPOST_DEBUG", "1")
    result = caption(tmp_path / "gone.mp4")
    assert isinstance(result.exception, FileNotFoundError)


def test_a_real_process_says_one_line_too(tmp_path):
    (tmp_path / "text.mp4").write_text("Dear diary,\n")
    write_pack(tmp_path / "tiny", MANIFEST, FILES)
    environment = {name: v for name, v in os.environ.items() if name != "FINGERPOST_DEBUG"}
    command = [sys.executable, "-m", "fingerpost.app", "caption", str(tmp_path / "text.mp4")]
    command += ["--pack", str(tmp_path / "tiny")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"fingerpost: .*text\.mp4 is not a video.*\n", done.stderr)


def test_closed_streams_are_nowhere(fakes, tmp_path):
    command = f"{sys.executable} -m fingerpost.app packs list --json"
    for closed in (">&-", "2>&-", "<&- >&- 2>&-"):
        done = subprocess.run(
            ["sh", "-c", f"{command} {closed}"], capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, "")


# ---- packs and doctor ----------------------------------------------------------------------------


def test_packs_come_and_go(fakes, tmp_path):
    other = dataclasses.replace(MANIFEST, name="other")
    source = write_pack(tmp_path / "other.fpk", other, FILES).path
    assert run("packs", "add", source).exit_code == 0
    rows = {row["name"]: row for row in json.loads(run("packs", "list", "--json").stdout)}
    assert rows["other"]["signs"] == 2 and rows["other"]["problem"] == ""
    assert "other" in run("packs", "list").stdout
    shown = json.loads(run("packs", "show", "other", "--json").stdout)
    assert shown["signs"] == ["HOW", "YOU"] and shown["measured"] == {"top1": 0.7}
    assert "2: HOW, YOU" in run("packs", "show", "other").stdout
    assert run("packs", "remove", "other").exit_code == 0
    refused(run("packs", "remove", "other"), "no pack 'other' is installed")


def test_a_broken_pack_is_listed_with_its_problem(fakes, tmp_path):
    (tmp_path / "packs" / "torn.fpk").write_bytes(b"PK but not for long")
    rows = {row["name"]: row for row in json.loads(run("packs", "list", "--json").stdout)}
    assert rows["torn"]["problem"] and not rows["tiny"]["problem"]


def test_doctor_looks_at_everything_and_hints_where_something_is_missing(
    fakes, monkeypatch, tmp_path
):
    monkeypatch.setenv("FINGERPOST_CACHE", str(tmp_path / "cache"))
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    result = run("doctor", "--json", "--camera", "93")
    checks = {check["name"]: check for check in json.loads(result.stdout)}
    assert {"camera", "display", "landmarker", "backends", "pack", "lookup", "versions"} <= set(
        checks
    )
    assert checks["landmarker"]["state"] == "later"
    assert checks["camera"]["state"] == checks["display"]["state"] == "missing"
    assert all(check["hint"] for check in checks.values() if check["state"] == "missing")
    missing = [c for c in checks.values() if c["needed"] and c["state"] == "missing"]
    assert result.exit_code == (1 if missing else 0)
    text = run("doctor", "--camera", "93").stdout
    assert "hint: " in text and "camera 93 does not open" in text


def test_of_a_guess_the_next_best_one_is_shown_too():
    sure = Line("I am here.", ("here",), (), 1200, 1500, 0.9, others=(("He is here.", 0.05),))
    guess = dataclasses.replace(sure, score=0.4, unsure=True)
    assert line_text(sure) == "00:01.2  I am here."
    assert line_text(guess) == "00:01.2  I am here.  (unsure, or: He is here.)"
    record = event_record(LineCompleted(3, guess))
    assert (record["unsure"], record["others"]) == (True, [["He is here.", 0.05]])
