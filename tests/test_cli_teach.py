"""``fingerpost teach``: from clips to a sign that captions know, on this machine alone."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from fingerpost.app import commands_teach, watched_signs
from fingerpost.app.cli import app
from fingerpost.edge_runtime.keypoint_files import load_npz, save_npz
from fingerpost.edge_runtime.own_signs import OwnSigns
from fingerpost.trainer.signer import concatenate, random_signer, sign_sentence


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """One sign in a file, and four times in another."""
    rng = np.random.default_rng(2)
    signer, folder = random_signer(rng), tmp_path_factory.mktemp("clips")
    parts = [sign_sentence(["book"], signer, rng) for _ in range(4)]
    save_npz(folder / "once.npz", parts[0].keypoints())
    save_npz(folder / "often.npz", concatenate(parts).keypoints())
    still = parts[0].keypoints()
    still.xyz[:] = still.xyz[:1]
    still.confidence[:] = still.confidence[:1]
    save_npz(folder / "still.npz", still)
    return folder


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("FINGERPOST_SIGNS", str(tmp_path / "signs"))
    monkeypatch.setattr(commands_teach, "remarks_by", lambda pack, sign, others: ["a remark"])

    def call(*arguments, code=0):
        result = CliRunner().invoke(app, ["teach", *map(str, arguments)])
        assert result.exit_code == code, result.output
        return result

    return call


def test_three_clips_teach_a_sign(run, clips):
    run("Anna", *[clips / "once.npz"] * 3)
    (sign,) = OwnSigns().list()
    assert sign.name == "Anna" and len(sign.examples) == 3
    rows = json.loads(run("--list", "--json").stdout)
    assert [(row["name"], row["examples"]) for row in rows] == [("Anna", 3)]
    assert "Anna" in run("--list").stdout
    run("--remove", "anna")
    assert OwnSigns().list() == ()


def test_one_recording_of_all_examples_does_too_and_says_what_to_know(run, clips):
    record = json.loads(run("Anna", clips / "often.npz", "--json").stdout)
    assert (record["examples"], record["remarks"]) == (4, ["a remark"])


def test_a_name_that_is_taken_is_asked_about_before_anything_is_recorded(run, clips, monkeypatch):
    run("Anna", clips / "often.npz")
    with monkeypatch.context() as patch:
        patch.setattr(watched_signs, "observe", None)  # whoever watches fails
        said = run("anna", clips / "often.npz", code=2).output
    assert "there is a sign 'anna' already: give another name, or --replace" in said
    run("anna", *[clips / "once.npz"] * 3, "--replace")
    assert [(s.name, len(s.examples)) for s in OwnSigns().list()] == [("anna", 3)]


def test_signs_go_to_a_file_and_back(run, clips, tmp_path):
    run("Anna", clips / "often.npz")
    run("--export", tmp_path / "mine.signs")
    assert "--replace takes the new" in run("--import", tmp_path / "mine.signs", code=2).output
    run("--remove", "Anna")
    run("--import", tmp_path / "mine.signs")
    assert [sign.name for sign in OwnSigns().list()] == ["Anna"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give a NAME, or one of --list"),
        (("Anna", "--list"), "give a NAME, or one of --list"),
        (("Anna", "once.npz"), "3 to 5 examples are needed, and 1 were seen"),
        (("Anna", "often.npz", "often.npz"), "3 to 5 examples are needed, and 8 were seen"),
        (("Anna", "still.npz"), "no sign was seen; the hands go up"),
        (("Anna", "none.npz"), "there is no such file"),
        (("Anna", "once.npz", "--examples", "9"), "--examples is 3 to 5, got 9"),
        ((" ", "once.npz"), "a sign's name has 1 to 40 characters"),
        (("--remove", "Ben"), "there is no sign 'Ben'; taught: none"),
        (("--export", "mine.signs"), "no sign was taught yet"),
        (("--import", "once.npz"), "is no file of signs"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_kept(run, clips, monkeypatch, arguments, message):
    monkeypatch.chdir(clips)
    said = run(*arguments, code=2).output
    assert message in said and len(said.strip().splitlines()) == 1
    assert OwnSigns().list() == ()


class Camera:
    """A recording as if it came from a camera, which never ends by itself."""

    live, n_frames, problem = True, None, ""

    def __init__(self, path):
        self.sequence = load_npz(path)
        self.schema, self.aspect = self.sequence.schema, self.sequence.aspect
        self.n_seen = 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def __iter__(self):
        from fingerpost.app.observer import Sight

        for frame in self.sequence.frames():
            self.n_seen += 1
            yield Sight(frame.time_ms, None, frame)
        raise AssertionError("it should have been closed")


def test_a_camera_is_watched_until_there_are_enough(run, clips, monkeypatch):
    camera = Camera(clips / "often.npz")
    monkeypatch.setattr(watched_signs, "observe", lambda source, *rest, **more: camera)
    said = run("Anna").output
    assert [f"{n} of 3" in said for n in (1, 2, 3, 4)] == [True, True, True, False]
    assert len(OwnSigns().list()[0].examples) == 3 and camera.n_seen < len(camera.sequence)
