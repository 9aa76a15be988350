"""The live translator with bad cameras: left-handed signers, somebody else, hands that get lost."""

import gc
import tracemalloc
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from fingerpost.app import commands_caption
from fingerpost.app.cli import app
from fingerpost.edge_runtime.captions import LineCompleted
from fingerpost.edge_runtime.keypoint_files import save_npz
from fingerpost.edge_runtime.keypoints import SIGN69, KeypointFrame, PoseSequence, mirrored
from fingerpost.edge_runtime.live_translator import LiveTranslator
from fingerpost.edge_runtime.translator import Reading

RIGHT = SIGN69.groups["right_hand"]
STEP_MS = 40


class RightHandReader:
    """A translator that sees a gloss wherever the right hand is up, and nothing of the left."""

    glosses, questions = ("wave",), ("English", "glosses")
    gloss_order = signing_judge = None

    def __init__(self):
        self.words = SimpleNamespace(max_frames=256)

    def begin(self):
        return RightHandSentence()

    def close(self):
        pass


class RightHandSentence:
    def __init__(self):
        self.scores = []

    @property
    def n_frames(self):
        return len(self.scores)

    def push(self, part):
        up = part.confidence[0, RIGHT].any() and part.xyz[0, RIGHT.start, 1] < 0.6
        self.scores.append(np.array([0, 12] if up else [12, 0], np.float32))
        return []

    def end(self):
        return []

    def readings(self, language):
        return [Reading("somebody waves", 0.9)]


def live_of(dominant_hand="auto", settings=None):
    pack = SimpleNamespace(manifest=SimpleNamespace(fps=25.0, settings=settings or {}))
    return LiveTranslator(pack, SIGN69, 1.0, "", RightHandReader(), dominant_hand)


def somebody(time_ms, hand, hand_group, x=0.5, width=0.3):
    """Shoulders at x, so wide, and a hand at so many of their widths from between them."""
    xyz, confidence = np.zeros((69, 3), np.float32), np.zeros(69, np.float32)
    for side, way in (("left", 1), ("right", -1)):
        point = SIGN69.index(f"{side}_shoulder")
        xyz[point, :2], confidence[point] = (x + way * width / 2, 0.4), 1
    hand_points = SIGN69.groups[hand_group]
    xyz[hand_points, :2] = x + hand[0] * width, 0.4 + hand[1] * width
    confidence[hand_points] = 0.8
    return KeypointFrame(time_ms, xyz, confidence)


def signing(hand_group, start_ms=0, **person):
    """0.4 s at rest, a second of waving, a second at rest."""
    frames = []
    for ms in range(0, 2400, STEP_MS):
        up = 400 <= ms < 1400
        hand = (0.3 * np.sin(ms / 64), -0.2) if up else (0.0, 1.6)
        frames.append(somebody(start_ms + ms, hand, hand_group, **person))
    return frames


def lines_of(live, frames):
    events = [e for frame in frames for e in live.push(frame)] + live.flush()
    return [e.line for e in events if isinstance(e, LineCompleted)]


@pytest.mark.parametrize("hand_group", ["right_hand", "left_hand"])
def test_a_left_handed_sentence_is_read_like_a_right_handed_one_from_its_first_frame(hand_group):
    (line,) = lines_of(live_of(), signing(hand_group))
    assert line.glosses == ("wave",) and line.start_ms <= 480
    (expected,) = lines_of(live_of("right"), signing("right_hand"))
    assert line.spans == expected.spans


def test_a_hand_that_is_given_is_not_looked_for():
    assert lines_of(live_of("right"), signing("left_hand")) == []
    assert len(lines_of(live_of("left"), signing("left_hand"))) == 1
    assert lines_of(live_of("left"), signing("right_hand")) == []
    with pytest.raises(ValueError, match="dominant hand is one of"):
        live_of("foot")


def test_the_mirror_image_of_a_stream_gives_the_same_lines():
    frames = signing("right_hand", x=0.4)
    xyz = np.stack([frame.xyz for frame in frames])
    confidence = np.stack([frame.confidence for frame in frames])
    image = mirrored(PoseSequence(xyz, confidence, 25.0, SIGN69))
    own, other = lines_of(live_of(), frames), lines_of(live_of(), image.frames())
    assert [line.spans for line in own] == [line.spans for line in other] and len(own) == 1


def test_somebody_larger_ends_the_sentence_and_begins_their_own():
    first = [f for f in signing("right_hand", x=0.8, width=0.2) if f.time_ms < 1400]
    larger = signing("left_hand", 1400, x=0.4, width=0.4)
    lines = lines_of(live_of(), first + larger)
    assert [line.glosses for line in lines] == [("wave",), ("wave",)]
    assert lines[0].end_ms < 1700 < lines[1].start_ms


@pytest.mark.parametrize(("settings", "n_lines"), [({}, 0), ({"away_ms": 0}, 1)])
def test_somebody_who_signs_in_the_background_says_nothing(settings, n_lines):
    """The signer rests; for two seconds the landmarker looks at somebody behind."""
    behind = signing("right_hand", 400, x=0.2, width=0.1)
    rests = [somebody(t, (0.0, 1.6), "right_hand") for t in (*range(0, 400, 40), 2800, 2840)]
    frames = sorted(rests + behind, key=lambda frame: frame.time_ms)
    settings = {**settings, "longest_alone_ms": 3000}  # they wave for so long
    assert len(lines_of(live_of(settings=settings), frames)) == n_lines


def test_a_sentence_outlasts_a_glance_at_somebody_behind():
    frames = signing("right_hand")
    glance = signing("right_hand", x=0.15, width=0.1)
    mixed = [b if 800 <= a.time_ms < 960 else a for a, b in zip(frames, glance, strict=True)]
    (line,) = lines_of(live_of(), mixed)
    assert line.end_ms == lines_of(live_of(), frames)[0].end_ms


def test_a_hand_that_is_lost_for_a_moment_does_not_split_its_sign():
    def lose(frame):
        lost = frame.confidence.copy()
        lost[RIGHT] = 0
        return replace(frame, xyz=frame.xyz * (lost > 0)[:, None], confidence=lost)

    frames = [lose(f) if 800 <= f.time_ms < 1000 else f for f in signing("right_hand")]
    quick = {"same_sign_ms": 80}
    (line,) = lines_of(live_of(settings=quick), frames)
    assert line.glosses == ("wave",)
    (line,) = lines_of(live_of(settings=quick | {"fill_ms": 0}), frames)
    assert line.glosses == ("wave", "wave")


def test_who_walks_out_and_comes_back_is_read_again():
    again = signing("left_hand", 6000)
    lines = lines_of(live_of(), signing("right_hand") + again)
    assert [line.start_ms >= 6000 for line in lines] == [False, True]


def test_after_a_reset_nothing_is_known_of_anybody():
    live = live_of()
    before = lines_of(live, signing("left_hand"))
    live.reset()
    after = lines_of(live, signing("right_hand"))
    assert [line.spans for line in after] == [line.spans for line in before]


def test_memory_does_not_grow_with_the_stream():
    live, sizes, n_lines = live_of(), [], 0
    tracemalloc.start()
    try:
        for start_ms in range(0, 6 * 2400, 2400):
            n_lines += sum(
                isinstance(event, LineCompleted)
                for frame in signing("right_hand", start_ms)
                for event in live.push(frame)
            )
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert n_lines >= 5
    assert max(sizes[4:]) - max(sizes[2:4]) < 5000  # bytes: a frame alone takes a thousand


def run_caption(*arguments):
    return CliRunner().invoke(app, ["caption", *map(str, arguments)])


@pytest.fixture
def keypoint_file(tmp_path):
    frames = signing("left_hand")
    xyz = np.stack([frame.xyz for frame in frames])
    confidence = np.stack([frame.confidence for frame in frames])
    save_npz(tmp_path / "left.npz", PoseSequence(xyz, confidence, 25.0, SIGN69))
    return tmp_path / "left.npz"


@pytest.mark.parametrize(
    ("given", "said"), [((), True), (("left",), True), (("right",), False), (("foot",), None)]
)
def test_the_command_is_told_the_hand(monkeypatch, keypoint_file, given, said):
    about = {"notice": "A test.", "languages": ("mis",), "name": "p", "version": "1"}
    pack = SimpleNamespace(manifest=SimpleNamespace(translation=None, **about))
    monkeypatch.setattr(commands_caption, "load_pack", lambda name: pack)
    monkeypatch.setattr(
        commands_caption, "make_captioner", lambda pack, observer, hand, *others: live_of(hand)
    )
    options = ["--dominant-hand", *given] if given else []
    done = run_caption(keypoint_file, *options)
    if said is None:
        assert done.exit_code == 2 and "one of auto, left, right, got 'foot'" in done.output
    else:
        assert done.exit_code == 0 and ("somebody waves" in done.stdout) is said


def test_packs_of_single_signs_find_the_hand_themselves(monkeypatch, keypoint_file):
    about = dict(name="words", translation=None, experts=None)
    pack = SimpleNamespace(manifest=SimpleNamespace(**about))
    monkeypatch.setattr(commands_caption, "load_pack", lambda name: pack)
    done = run_caption(keypoint_file, "--dominant-hand", "left")
    assert done.exit_code == 2 and "leave --dominant-hand out" in done.output
