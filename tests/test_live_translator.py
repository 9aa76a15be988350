"""The live translator with a made-up pack: lines in order, no word taken back, rest ends them."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from fingerpost.edge_runtime.captions import LineChanged, LineCompleted, LineStarted
from fingerpost.edge_runtime.keypoints import SIGN69
from fingerpost.edge_runtime.live_translator import LiveTranslator
from fingerpost.edge_runtime.replay import replay_stream
from fingerpost.edge_runtime.sign_spotter import Taught
from fingerpost.edge_runtime.translator import Reading
from fingerpost.trainer.signer import concatenate, fidget, random_signer, sign_sentence

GLOSSES = ("hello", "coffee", "want", "you")
LOOK_AHEAD = 8  # frames
OWN = np.eye(len(GLOSSES) + 2, dtype=np.float32)[-1]  # the state of a sign that no pack knows


class FakeTranslator:
    """Knows the truth: (gloss, start_ms, end_ms). Scores come late, as a pack's do.

    An unknown gloss has states of its own, and scores as coffee has them.
    """

    glosses = GLOSSES
    questions = ("English", "glosses")
    score = 0.9

    def __init__(self, truth, max_frames=256):
        self.truth, self.words = truth, SimpleNamespace(max_frames=max_frames)
        self.gloss_order = self.signing_judge = None
        self.lengths = []  # of the sentences that have ended

    def begin(self):
        return FakeSentence(self)

    def close(self):
        pass


class FakeSentence:
    def __init__(self, of):
        self.of, self.times, self.scores, self.states = of, [], [], []

    @property
    def n_frames(self):
        return len(self.times)

    def push(self, part):
        assert part.schema is SIGN69 and part.fps == 25
        self.times.append(part.start_ms)
        self._say(len(self.times) - LOOK_AHEAD)
        return []

    def end(self):
        self._say(len(self.times))
        self.of.lengths.append(len(self.times))
        return []

    def readings(self, language):
        text = f"{language} of {len(self.times)}"
        return [Reading(text, self.of.score), Reading("or else", 0.1)]

    def _say(self, n):
        for time_ms in self.times[len(self.scores) : max(n, 0)]:
            row = np.zeros(len(GLOSSES) + 1, np.float32)
            now = [g for g, start, end in self.of.truth if start <= time_ms <= end]
            known = GLOSSES.index(now[0] if now[0] in GLOSSES else "coffee") if now else -1
            row[1 + known] = 12
            self.scores.append(row)
            self.states.append(OWN if now and now[0] not in GLOSSES else np.append(row, 0))


def live_of(truth, settings=None, max_frames=256, language="", own_signs=()):
    pack = SimpleNamespace(manifest=SimpleNamespace(fps=25.0, settings=settings or {}))
    translator = FakeTranslator(truth, max_frames)
    live = LiveTranslator(pack, SIGN69, 4 / 3, language, translator, own_signs=own_signs)
    return live, translator


def said(live, frames):
    return [e for frame in frames for e in live.push(frame)] + live.flush()


def completed(events):
    return [e.line for e in events if isinstance(e, LineCompleted)]


@pytest.fixture(scope="module")
def performance():
    rng = np.random.default_rng(5)
    signer = random_signer(rng)
    sentences = [["hello", "you"], ["you", "want", "coffee"]]
    return concatenate([sign_sentence(s, signer, rng) for s in sentences], pause_ms=1500)


@pytest.mark.parametrize("fps", [12.0, 25.0, 60.0])
def test_each_sentence_is_a_line_at_any_frame_rate(performance, fps):
    live, _ = live_of(performance.spans)
    lines = completed(said(live, performance.keypoints(fps=fps).frames()))
    assert [line.glosses for line in lines] == [("hello", "you"), ("you", "want", "coffee")]
    assert all(line.text.startswith("English of ") for line in lines)
    assert [line.score for line in lines] == [0.9] * 2
    assert [line.others for line in lines] == [(("or else", 0.1),)] * 2
    got = [span for line in lines for span in line.spans]
    for (start, end), (_, true_start, true_end) in zip(got, performance.spans, strict=True):
        assert abs(start - true_start) <= 40 and abs(end - true_end) <= 40


def test_glosses_only_grow_and_nothing_follows_a_completed_line(performance):
    live, _ = live_of(performance.spans)
    events = said(live, performance.keypoints(noise=np.random.default_rng(0)).frames())
    assert [e.line_id for e in events] == sorted(e.line_id for e in events)
    for line_id in {e.line_id for e in events}:
        of_line = [e for e in events if e.line_id == line_id]
        assert isinstance(of_line[0], LineStarted) and isinstance(of_line[-1], LineCompleted)
        assert {type(e) for e in of_line[1:-1]} <= {LineChanged}
        for before, after in zip(of_line, of_line[1:], strict=False):
            assert after.line.glosses[: before.stable] == before.line.glosses
        assert all(e.line.glosses for e in of_line)
        assert of_line[0].line.text == of_line[0].line.glosses[0].upper()


def test_glosses_are_shown_while_somebody_signs(performance):
    live, _ = live_of(performance.spans)
    replay = replay_stream(live, performance.keypoints().frames())
    shown = {h.event.line.glosses: h.time_ms for h in reversed(replay.happened)}
    ends = [end for _, _, end in performance.spans]
    assert shown[("hello",)] <= ends[0] + LOOK_AHEAD * 40 + 40
    assert shown[("you", "want")] < ends[4]


def test_no_line_where_nothing_is_signed(performance):
    live, translator = live_of([])
    assert said(live, performance.keypoints().frames()) == []
    assert len(translator.lengths) >= 2  # it has looked


def test_idle_hands_that_flash_a_gloss_give_no_line():
    rng = np.random.default_rng(3)
    idle = concatenate([fidget("scratch_head", random_signer(rng), rng)])
    for flash_ms, n_lines in ((60, 0), (400, 1)):
        live, _ = live_of([("hello", 1200, 1200 + flash_ms)])
        assert len(completed(said(live, idle.keypoints().frames()))) == n_lines


def test_replay_is_the_same_byte_for_byte(performance):
    frames = performance.keypoints(noise=np.random.default_rng(1)).frames()
    logs = {replay_stream(live_of(performance.spans)[0], frames).log() for _ in range(2)}
    assert len(logs) == 1 and logs.pop().count(b"LineCompleted") == 2


def test_after_a_reset_lines_have_new_numbers(performance):
    live, _ = live_of(performance.spans)
    frames = performance.keypoints().frames()
    half = [e for f in frames if f.time_ms < 2600 for e in live.push(f)]
    assert half and not completed(half)
    live.reset()
    again = said(live, frames)
    whole = said(live_of(performance.spans)[0], frames)
    assert [e.line for e in again] == [e.line for e in whole]
    assert {e.line_id for e in again}.isdisjoint({e.line_id for e in half})


@pytest.mark.parametrize(
    ("settings", "max_frames", "most"), [({}, 30, 30), ({"longest_ms": 1000}, 256, 25)]
)
def test_a_sentence_that_is_too_long_goes_on_in_another_line(
    performance, settings, max_frames, most
):
    live, translator = live_of(performance.spans, settings, max_frames)
    lines = completed(said(live, performance.keypoints().frames()))
    assert max(translator.lengths) == most
    assert len(lines) > 2
    glosses = [gloss for line in lines for gloss in line.glosses]
    assert list(dict.fromkeys(glosses)) == ["hello", "you", "want", "coffee"]


def test_a_sign_on_the_spot_is_no_rest(performance):
    """With such a reach coffee, ground for 1.4 s, is a hand that is still."""
    assert performance.spans[4][2] - performance.spans[4][1] > 1200
    live, _ = live_of(performance.spans, {"reach": 0.25})
    lines = completed(said(live, performance.keypoints().frames()))
    assert lines[-1].end_ms >= performance.spans[4][2] - 40


def test_the_end_of_the_stream_completes_the_line(performance):
    live, _ = live_of(performance.spans)
    frames = [f for f in performance.keypoints().frames() if f.time_ms <= performance.spans[1][2]]
    events = [e for frame in frames for e in live.push(frame)]
    assert not completed(events)
    assert [line.glosses for line in completed(live.flush())] == [("hello", "you")]
    assert live.flush() == []


def test_a_camera_that_stops_for_a_while_does_no_harm(performance):
    frames, signed_ms = performance.keypoints().frames(), performance.spans[1][2]
    for stop in range(20, len(frames), 15):
        late = [replace(frame, time_ms=frame.time_ms + 9000) for frame in frames[stop:]]
        before = [span for span in performance.spans if span[2] < frames[stop].time_ms]
        after = [(g, a + 9000, b + 9000) for g, a, b in performance.spans]
        live, _ = live_of(before + [s for s in after if s[1] >= late[0].time_ms])
        lines = completed(said(live, frames[:stop] + late))
        if frames[stop].time_ms > signed_ms:
            assert lines[0].glosses == ("hello", "you")


@pytest.mark.parametrize(
    ("score", "settings", "unsure"),
    [(0.51, {}, False), (0.49, {}, True), (0.49, {"unsure_below": 0.4}, False)],
)
def test_a_line_below_the_pack_s_threshold_is_unsure(performance, score, settings, unsure):
    live, translator = live_of(performance.spans, settings)
    translator.score = score
    assert [line.unsure for line in completed(said(live, performance.keypoints().frames()))] == (
        [unsure] * 2
    )


ANNA = Taught("Anna", (np.tile(OWN, (6, 1)),), 0.2)


@pytest.mark.parametrize(
    ("instead_of", "glosses", "text"),
    [
        (2, ("Anna", "want", "coffee"), "[Anna] English of {}"),
        (3, ("you", "Anna", "coffee"), "English of {} [Anna]"),
    ],
)
def test_an_own_sign_is_a_gloss_and_a_name_in_brackets(performance, instead_of, glosses, text):
    truth = [("anna", *s[1:]) if k == instead_of else s for k, s in enumerate(performance.spans)]
    live, translator = live_of(truth, own_signs=[ANNA])
    events = said(live, performance.keypoints().frames())
    first, second = completed(events)
    assert first.glosses == ("hello", "you") and first.text.startswith("English of ")
    assert second.glosses == glosses
    n_own = round((performance.spans[instead_of][2] - performance.spans[instead_of][1]) / 40)
    n_read = translator.lengths[1] - n_own
    assert second.text in [text.format(n) for n in range(n_read - 2, n_read + 6)]
    assert second.others[0][0] == text.replace("English of {}", "or else")
    assert abs(second.spans[glosses.index("Anna")][0] - performance.spans[instead_of][1]) <= 80
    shown = [e.line.glosses for e in events if e.line_id == 1]
    for before, after in zip(shown[:-1], shown[1:-1], strict=False):  # a partial only grows
        assert after[: len(before)] == before
    not_taught = completed(said(live_of(truth)[0], performance.keypoints().frames()))[1]
    assert "coffee" in not_taught.glosses[instead_of - 2 :] and "Anna" not in not_taught.text


def test_a_line_of_own_signs_alone_reads_as_their_names(performance):
    truth = [("anna", *span[1:]) for span in performance.spans]
    lines = completed(said(live_of(truth, own_signs=[ANNA])[0], performance.keypoints().frames()))
    assert [line.text for line in lines] == ["Anna, Anna", "Anna, Anna, Anna"]
    assert [line.glosses for line in lines] == [("Anna",) * 2, ("Anna",) * 3]
    assert all(line.score == pytest.approx(1) and not line.others for line in lines)


def test_languages_and_settings_that_are_not_there_are_refused():
    assert live_of([], language="English")[0]
    with pytest.raises(ValueError, match="does not write German; it has: English"):
        live_of([], language="German")
    with pytest.raises(ValueError, match="rest_mss.*known settings: .*rest_ms"):
        live_of([], settings={"rest_mss": 3})
