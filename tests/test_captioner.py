"""The captioner with a made-up recogniser: events in order, settled words never taken back."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from fingerpost.edge_runtime.captioner import Captioner
from fingerpost.edge_runtime.captions import LineChanged, LineCompleted, LineStarted
from fingerpost.edge_runtime.keypoints import SIGN69
from fingerpost.trainer.signer import concatenate, random_signer, sign_sentence

VOCABULARY = ("<no sign>", "hello", "coffee", "want", "you")


class SpanReader:
    """A recogniser that knows the truth: which sign, if any, the span it is given covers."""

    view = SIGN69
    vocabulary = VOCABULARY

    def __init__(self, truth):
        self.truth = truth

    def probabilities(self, span):
        start, end = span.start_ms, span.time_ms(len(span) - 1)
        covered = [
            gloss
            for gloss, a, b in self.truth
            if max(0, min(end, b) - max(start, a)) >= 0.75 * (b - a)
        ]
        gloss = covered[0] if len(covered) == 1 else "<no sign>"
        return np.array([0.96 if g == gloss else 0.01 for g in VOCABULARY])


@pytest.fixture(scope="module")
def performance():
    rng = np.random.default_rng(5)
    signer = random_signer(rng)
    sentences = [["hello", "you"], ["you", "want", "coffee"]]
    return concatenate([sign_sentence(s, signer, rng) for s in sentences], pause_ms=1500)


def caption(performance, fps=25.0):
    manifest = SimpleNamespace(fps=25.0, settings={}, reject="<no sign>")
    pack = SimpleNamespace(manifest=manifest, vocabulary=VOCABULARY)
    sequence = performance.keypoints(fps=fps)
    reader = SpanReader(performance.spans)
    captioner = Captioner(pack, SIGN69, sequence.aspect, recogniser=reader)
    events = [e for frame in sequence.frames() for e in captioner.push(frame)]
    return events + captioner.flush(), captioner, sequence


@pytest.mark.parametrize("fps", [15.0, 25.0, 30.0, 60.0])
def test_the_sentences_come_out_at_any_frame_rate(performance, fps):
    events, _, _ = caption(performance, fps)
    lines = [e.line for e in events if isinstance(e, LineCompleted)]
    assert [line.glosses for line in lines] == [("hello", "you"), ("you", "want", "coffee")]
    assert lines[1].text == "YOU WANT COFFEE"


def test_signs_come_out_when_they_were_signed(performance):
    events, _, _ = caption(performance)
    got = [span for e in events if isinstance(e, LineCompleted) for span in e.line.spans]
    for (start, end), (_, true_start, true_end) in zip(got, performance.spans, strict=True):
        assert min(end, true_end) - max(start, true_start) >= 0.6 * (true_end - true_start)


def test_events_are_started_changed_completed_and_settled_words_stay(performance):
    events, _, _ = caption(performance)
    for line_id in {e.line_id for e in events}:
        of_line = [e for e in events if e.line_id == line_id]
        kinds = [type(e) for e in of_line]
        assert kinds[0] is LineStarted and kinds[-1] is LineCompleted
        assert set(kinds[1:-1]) <= {LineChanged}
        settled = ()
        for event in of_line:
            assert event.line.glosses[: len(settled)] == settled
            if not isinstance(event, LineCompleted):
                settled = event.line.glosses[: event.stable]


def test_replay_gives_the_same_captions_under_new_numbers(performance):
    events, captioner, sequence = caption(performance)
    captioner.reset()
    again = [e for f in sequence.frames() for e in captioner.push(f)] + captioner.flush()
    assert [e.line for e in again] == [e.line for e in events]
    assert {e.line_id for e in again}.isdisjoint({e.line_id for e in events})


def test_a_setting_that_no_stage_has_is_refused():
    manifest = SimpleNamespace(fps=25.0, settings={"min_probabilty": 0.4}, reject="<no sign>")
    pack = SimpleNamespace(manifest=manifest, vocabulary=VOCABULARY)
    with pytest.raises(ValueError, match="min_probabilty.*known settings: .*min_probability"):
        Captioner(pack, SIGN69, 4 / 3, recogniser=SpanReader([]))


def test_a_camera_that_stops_for_a_while_does_no_harm(performance):
    """Whenever it stops: what was signed before comes out."""
    _, captioner, sequence = caption(performance)
    frames, signed_ms = sequence.frames(), performance.spans[1][2]
    for stop in range(20, len(frames), 5):
        captioner.reset()
        late = [replace(frame, time_ms=frame.time_ms + 9000) for frame in frames[stop:]]
        events = [e for frame in frames[:stop] + late for e in captioner.push(frame)]
        lines = [e.line.glosses for e in events if isinstance(e, LineCompleted)]
        assert frames[stop].time_ms < signed_ms + 400 or lines[0] == ("hello", "you")
