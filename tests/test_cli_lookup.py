"""``fingerpost lookup``: the likeliest glosses of single signs, from files and cameras."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from fingerpost.app import commands_lookup, watched_signs
from fingerpost.app.cli import app
from fingerpost.app.commands_lookup import candidates, in_words
from fingerpost.app.observer import Sight
from fingerpost.app.terminal import CaptionPrinter
from fingerpost.edge_runtime.keypoint_files import load_npz, save_npz
from fingerpost.edge_runtime.keypoints import HANDS
from fingerpost.edge_runtime.pack import bundled_pack
from fingerpost.edge_runtime.teaching import FPS, SHORT_MS, ClipCutter, ExampleCutter
from fingerpost.trainer.signer import concatenate, random_signer, sign_sentence

FOUND = [0.1, 0.4, 0.2, 0.3]


class FakePack:
    """Of four glosses, one of which is no sign."""

    class manifest:
        name, version, translation = "tiny", "1", None
        special, languages, notice = {"reject": "<no sign>"}, ("ase",), "For research."

    vocabulary = ("book", "<no sign>", "drink", "go")


class FakeRecogniser:
    """Always the same answer; ``spans`` is what it was asked about."""

    spans: list = []

    def __init__(self, pack):
        type(self).spans = []

    def probabilities(self, span):
        self.spans.append(span)
        return np.array(FOUND)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    rng = np.random.default_rng(2)
    signer, folder = random_signer(rng), tmp_path_factory.mktemp("clips")
    parts = [sign_sentence(["book"], signer, rng) for _ in range(4)]
    once = parts[0].keypoints(fps=25.0)
    save_npz(folder / "once.npz", once)
    save_npz(folder / "often.npz", concatenate(parts).keypoints(fps=25.0))
    save_npz(folder / "wave.npz", with_a_long_wave(once))
    no_hands = once.confidence.copy()
    for hand in HANDS:
        no_hands[:, once.schema.groups[hand]] = 0
    save_npz(folder / "no_hands.npz", replace(once, confidence=no_hands))
    save_npz(folder / "nobody.npz", replace(once, confidence=np.zeros_like(once.confidence)))
    return folder


def with_a_long_wave(clip):
    """The clip twice, and between them once more, with hands that stay up and move for 8 s."""
    middle, whole = len(clip) // 2, range(len(clip))
    to_and_fro = [*range(middle, middle + 5), *range(middle + 5, middle, -1)] * 20
    at = [*whole, *range(middle), *to_and_fro, *range(middle, len(clip)), *whole]
    return replace(clip, xyz=clip.xyz[at], confidence=clip.confidence[at])


@pytest.fixture
def run(clips, monkeypatch):
    monkeypatch.chdir(clips)
    monkeypatch.setattr(commands_lookup, "load_pack", lambda name: FakePack)
    monkeypatch.setattr(commands_lookup, "Recogniser", FakeRecogniser)

    def call(*arguments, code=0):
        result = CliRunner().invoke(app, ["lookup", *arguments])
        assert result.exit_code == code, result.output
        return result

    return call


def test_a_short_file_is_one_sign_and_no_sign_is_no_answer(run):
    said = run("once.npz").stdout
    assert said.startswith("00:00.") and said.endswith("  go  (or: drink, book)\n")
    (span,) = FakeRecogniser.spans
    assert len(span) > 20


def test_of_a_longer_file_each_sign_is_looked_up(run):
    lines = [json.loads(line) for line in run("often.npz", "--json").stdout.splitlines()]
    assert len(lines) == 4
    found = [["go", 0.3], ["drink", 0.2], ["book", 0.1]]
    assert [line["candidates"] for line in lines] == [found] * 4
    times = [time for line in lines for time in (line["start_ms"], line["end_ms"])]
    assert times == sorted(times) and times[0] < times[1]


def test_so_many_candidates_as_were_asked_for(run):
    assert run("once.npz", "--candidates", "1").stdout.endswith("  go\n")
    assert "at least 1, got 0" in run("once.npz", "--candidates", "0", code=2).output


def test_of_several_files_those_that_cannot_be_read_stop_no_other(run, monkeypatch):
    told: list[str] = []
    monkeypatch.setattr(commands_lookup, "tell", told.append)
    said = run("nobody.npz", "nowhere.npz", "once.npz", code=2)
    assert said.stdout.startswith("once.npz  00:00.") and said.stdout.count("\n") == 1
    assert "nobody was seen in nobody.npz" in told[0] and "nowhere.npz" in told[1]
    assert "2 of 3 could not be looked up" in said.stderr


def test_what_is_wrong_is_one_line(run, monkeypatch):
    for source, message in (
        ("no_hands.npz", "no_hands.npz: no sign was seen"),
        ("nowhere.npz", "no such file"),
    ):
        said = run(source, code=2).output
        assert message in said and len(said.strip().splitlines()) == 1
    monkeypatch.setattr(FakePack.manifest, "translation", "something")
    assert "pack tiny writes sentences: lookup needs" in run("once.npz", code=2).output


def test_what_is_no_single_sign_is_told_and_the_file_goes_on(run, monkeypatch):
    told: list[str] = []
    monkeypatch.setattr(CaptionPrinter, "tell", lambda self, message: told.append(message))
    assert len(run("wave.npz").stdout.splitlines()) == 2  # one before, one after
    caution, message = told
    assert "can be wrong" in caution and "For research." in caution
    assert message.startswith("wave.npz at 00:") and "sign one sign, and lower the hands" in message


def test_on_a_terminal_json_goes_by_the_printer(run, monkeypatch):
    lines: list[str] = []
    monkeypatch.setattr(CaptionPrinter, "result", lambda self, line: lines.append(line))
    assert run("once.npz", "--json").stdout == ""
    assert json.loads(lines[0])["source"] == "once.npz"


def test_a_camera_is_watched_alone_and_each_sign_goes_from_rest_to_rest(run, monkeypatch):
    assert "a camera is watched alone" in run("0", "once.npz", code=2).output
    told: list[str] = []
    monkeypatch.setattr(CaptionPrinter, "tell", lambda self, message: told.append(message))
    monkeypatch.setattr(watched_signs, "observe", lambda source, *rest, **more: Camera("often.npz"))
    assert len(run("0").stdout.splitlines()) == 4
    assert told[0] == "Make one sign, and lower the hands after it. Ctrl-C ends."
    assert len(told) == 2 and "can be wrong" in told[1]


class Camera:
    """A recording as if it came from a camera, which is then unplugged."""

    live, n_frames, problem = True, None, ""

    def __init__(self, path):
        self.sequence = load_npz(path)
        self.schema, self.aspect = self.sequence.schema, self.sequence.aspect

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def __iter__(self):
        return (Sight(frame.time_ms, None, frame) for frame in self.sequence.frames())


@pytest.mark.parametrize("name", ["signs", "demo"])
def test_a_pack_does_what_it_can_and_is_refused_for_the_rest(clips, name):
    arguments = {"signs": ["caption", "--pack", "signs"], "demo": ["lookup", "--pack", "demo"]}
    said = CliRunner().invoke(app, [*arguments[name], str(clips / "once.npz")])
    message = {"signs": "cannot caption: see fingerpost lookup", "demo": "demo writes sentences"}
    assert said.exit_code == 2 and message[name] in said.output


def test_the_likeliest_first():
    assert candidates(FakePack, np.array(FOUND), 2) == [("go", 0.3), ("drink", 0.2)]
    assert in_words([("go", 0.3)]) == "go"


def pushed(cutter, sequence):
    found = [sign for frame in sequence.frames() for sign in cutter.push(frame)]
    return found + cutter.flush()


@pytest.mark.parametrize(("n_frames", "n_signs"), [(100, 1), (102, 0)])
def test_four_seconds_are_one_sign_whatever_they_show(n_frames, n_signs):
    rng = np.random.default_rng(3)
    rest = sign_sentence(["drink"], random_signer(rng), rng).keypoints(fps=FPS)
    still = np.zeros(n_frames, int)  # hands that lie still
    assert round(SHORT_MS * FPS / 1000) == 100
    clip = replace(rest, xyz=rest.xyz[still], confidence=np.ones_like(rest.confidence[still]))
    assert len(pushed(ClipCutter(clip.schema, clip.aspect), clip)) == n_signs


def test_a_long_recording_is_cut_as_examples_are():
    rng = np.random.default_rng(3)
    signer = random_signer(rng)
    parts = [sign_sentence(["drink"], signer, rng) for _ in range(5)]
    recording = concatenate(parts).keypoints(fps=25.0)
    cut = pushed(ClipCutter(recording.schema, recording.aspect), recording)
    examples = pushed(ExampleCutter(recording.schema, recording.aspect), recording)
    assert len(cut) == len(examples) == 5
    for one, other in zip(cut, examples, strict=True):
        assert np.array_equal(one.xyz, other.xyz) and one.start_ms == other.start_ms


@pytest.mark.skipif(bundled_pack("signs") is None, reason="built without its pack")
def test_the_bundled_pack_answers(clips):
    said = CliRunner().invoke(app, ["lookup", str(clips / "once.npz"), "--json"])
    assert said.exit_code == 0, said.output
    (line,) = [json.loads(line) for line in said.stdout.splitlines()]
    shares = [share for _, share in line["candidates"]]
    assert len(shares) == 5 and shares == sorted(shares, reverse=True) and sum(shares) <= 1
