"""Scores of hand-made event logs, worked out by hand; the replay that makes such logs."""

import math

import numpy as np
import pytest

from fingerpost.edge_runtime.captions import Line, LineChanged, LineCompleted, LineStarted
from fingerpost.edge_runtime.keypoints import SIGN69, KeypointFrame
from fingerpost.edge_runtime.replay import Happened, Replay, replay_stream
from fingerpost.trainer.evaluate_live import figures_of
from fingerpost.trainer.live_scores import (
    LiveLine,
    Shown,
    flicker,
    lines_of,
    match,
    score_replays,
    spread,
)
from fingerpost.trainer.streams import SignedSentence, Stream

ONE = SignedSentence("I want coffee.", (("i", 1000, 1400), ("want", 1600, 2000)))
TWO = SignedSentence("You play now here.", (("you", 6000, 6400), ("play", 6600, 7000)))


def frame(time_ms):
    return KeypointFrame(time_ms, np.zeros((69, 3), np.float32), np.zeros(69, np.float32))


def stream_of(*sentences, idle=((3000, 5000), (9000, 13_000))):
    """Of 60 seconds, with 6 seconds of idle hands."""
    return Stream((frame(0), frame(60_000)), SIGN69, 1.0, sentences, idle, 1.0)


def line(glosses, text="", start=0, end=0):
    return Line(text, tuple(glosses.split()), (), start, end, 0.5)


def replay_of(*events, computing_ms=None):
    """events : (time_ms, event); each is brought about by a call of its own"""
    happened = tuple(Happened(t, event, k) for k, (t, event) in enumerate(events))
    return Replay(happened, 0, 60_000, tuple(computing_ms or [2.0] * len(events)))


def told(number, text, final_ms, *partials, start, end):
    """The events of a line. partials : (time_ms, glosses, stable), the last as it is completed"""
    events = [
        (t, (LineChanged if k else LineStarted)(number, line(glosses, "", start, end), stable))
        for k, (t, glosses, stable) in enumerate(partials)
    ]
    last = line(partials[-1][1], text, start, end)
    return [*events, (final_ms, LineCompleted(number, last))]


def test_a_perfect_log():
    events = [
        *told(0, ONE.text, 3000, (1300, "i", 1), (2300, "i want", 2), start=1000, end=2000),
        *told(1, TWO.text, 8200, (6500, "you", 0), (7500, "you play", 2), start=6000, end=7000),
    ]
    computing = [1, 1, 50, 1, 1, 6]
    scores = score_replays([(stream_of(ONE, TWO), replay_of(*events, computing_ms=computing))])
    assert scores.streaming_wer == scores.final_wer == scores.flicker == 0
    assert scores.bleu4 == pytest.approx(100) and scores.exact == 100
    assert scores.false_lines == 0 and scores.idle_minutes == pytest.approx(0.1)
    # i: 1300 - 1400; want: 2300 - 2000; you, play: settled at 7500, 6400 and 7000 were their ends
    assert scores.sign_delay_ms == spread([-100, 300, 1100, 500])
    assert scores.sign_delay_ms.p50 == 400 and scores.sign_delay_ms.n == 4
    assert scores.final_delay_ms == spread([1000, 1200])
    assert scores.final_computing_ms == spread([50, 6])
    assert scores.answer_delay_ms == spread([1050, 1206])
    assert scores.real_time_factor == pytest.approx(60 / 60_000)
    assert (scores.n_lines, scores.n_sentences, scores.n_signs) == (2, 2, 4)


def test_word_errors_of_partials_and_of_finals_and_false_lines():
    events = [
        (1500, LineStarted(0, line("i"), 1)),
        (2100, LineChanged(0, line("i eat"), 2)),
        (3000, LineCompleted(0, line("i want", "I want coffee.", 1000, 2000))),
        (3500, LineStarted(1, line("yes"), 1)),
        (4500, LineCompleted(1, line("yes", "Yes.", 3500, 3600))),
    ]
    scores = score_replays([(stream_of(ONE, TWO), replay_of(*events))])
    # 4 signs; streaming: one wrong, two missing, one too many; final: the wrong one is right
    assert scores.streaming_wer == 100 and scores.final_wer == 75
    assert scores.false_lines == 1 and scores.false_lines_per_minute == pytest.approx(10)
    assert scores.exact == 50 and 0 < scores.bleu4 < 50
    assert scores.sign_delay_ms == spread([1500 - 1400])  # what is right in the line alone is none
    assert scores.final_delay_ms == spread([1000])


def test_lines_of_one_sentence_are_joined_and_one_over_two_goes_to_the_longer_part():
    split = [
        *told(0, "I", 1600, (1500, "i", 1), start=1000, end=1400),
        *told(1, "want coffee.", 2600, (2100, "want", 1), start=1600, end=2000),
        *told(2, "", 9000, (8000, "you play", 2), start=1900, end=7000),
    ]
    first, second, false = match([ONE, TWO], lines_of(replay_of(*split)))
    assert first.text == "I want coffee." and first.glosses == ("i", "want")
    assert second.glosses == ("you", "play") and second.text == "" and not false.lines
    scores = score_replays([(stream_of(ONE), replay_of(*split[:4]))])
    assert scores.final_wer == 0 and scores.exact == 100
    assert scores.final_delay_ms == spread([600])  # of the last line


def test_touching_is_enough_and_beside_is_false():
    def lines(start, end):
        return [LiveLine((), line("i", "I", start, end), 5000, 1.0)]

    assert [len(answer.lines) for answer in match([ONE], lines(2000, 2000))] == [1, 0]
    assert [len(answer.lines) for answer in match([ONE], lines(2001, 2500))] == [0, 1]
    assert [len(answer.lines) for answer in match([], lines(0, 9))] == [1]


def test_flicker_by_hand():
    def shown(*partials):
        return LiveLine(tuple(Shown(0, tuple(p.split()), 0) for p in partials))

    assert flicker([shown("a", "a b", "a b c")]) == 0
    assert flicker([shown("a", "a b", "a c")]) == pytest.approx(100 / 3)  # a b c; b
    assert flicker([shown("a b", "a")]) == 50
    assert flicker([shown("a"), shown("b", "a b")]) == 25  # b becomes a, and b comes anew
    assert flicker([]) == flicker([shown()]) == 0


def test_a_line_that_was_never_completed_is_a_false_one():
    events = [(1500, LineStarted(0, line("i"), 1))]
    scores = score_replays([(stream_of(ONE), replay_of(*events))])
    assert scores.false_lines == 1 and scores.final_wer == 100 and scores.streaming_wer == 150
    assert scores.final_delay_ms.n == 0 and scores.bleu4 == 0


def test_nothing_said_and_nothing_signed():
    silent = score_replays([(stream_of(ONE), replay_of())])
    assert silent.final_wer == silent.streaming_wer == 100 and silent.bleu4 == 0
    assert silent.flicker == 0 and silent.real_time_factor == 0
    idle = score_replays([(stream_of(idle=()), replay_of())])
    assert math.isnan(idle.final_wer) and math.isnan(idle.bleu4) and math.isnan(idle.exact)
    figures = figures_of(idle)
    assert figures["final_wer_percent"] is None
    assert figures["false_lines_per_idle_minute"] is None and figures["sign_delay_p95_ms"] is None
    with pytest.raises(ValueError, match="no streams to score"):
        score_replays([])


def test_streams_are_weighed_by_their_signs():
    right = told(0, ONE.text, 3000, (2100, "i want", 2), start=1000, end=2000)
    scores = score_replays([(stream_of(ONE), replay_of(*right)), (stream_of(TWO), replay_of())])
    assert scores.final_wer == 50 and scores.n_streams == 2 and scores.stream_minutes == 2


class Echo:
    """Completes a line with every third frame, and one at the end."""

    def __init__(self):
        self.n = 0

    def push(self, frame):
        self.n += 1
        return [LineCompleted(self.n, line("a", "ä"))] if self.n % 3 == 0 else []

    def flush(self):
        return [LineCompleted(99, line("z"))]


def test_a_replay_notes_when_and_at_what_cost():
    seconds = iter(range(100))
    frames = [frame(t) for t in (40, 80, 130)]
    replay = replay_stream(Echo(), frames, clock=lambda: next(seconds))
    assert replay.computing_ms == (1000, 1000, 1000, 1000)
    assert [(h.time_ms, h.event.line_id, h.call) for h in replay.happened] == [
        (130, 3, 2),
        (130, 99, 3),
    ]
    assert (replay.start_ms, replay.end_ms, replay.duration_ms) == (40, 130, 90)
    log = replay.log()
    assert log == replay_stream(Echo(), frames).log() and log.count(b"\n") == 2
    assert "ä".encode() in log and b"1000" not in log
    assert log != replay_stream(Echo(), [frame(0), *frames[1:], frame(140)]).log()
    with pytest.raises(ValueError, match="without frames"):
        replay_stream(Echo(), [])
