"""The decoder finds the cut that a made-up recogniser is sure of, and never takes back."""

import numpy as np
import pytest

from fingerpost.edge_runtime.decode import Decoder, DecodeSettings

VOCABULARY = ("<no sign>", "how", "you", "fine")


def sure_of(truth, probability=0.9):
    """A recogniser that knows the spans in ``truth`` {(start, end): gloss}, and no others."""
    asked = []

    def recognise(start, end):
        asked.append((start, end))
        gloss = truth.get((start, end), "<no sign>")
        rest = (1 - probability) / (len(VOCABULARY) - 1)
        return np.array([probability if g == gloss else rest for g in VOCABULARY])

    recognise.asked = asked
    return recognise


def decode(recognise, boundaries, **settings):
    decoder = Decoder(recognise, VOCABULARY, "<no sign>", DecodeSettings(**settings))
    decoder.start(boundaries[0])
    history = []
    for time_ms in boundaries[1:]:
        decoder.boundary(time_ms)
        history.append(decoder.signs())
    return history


def test_signs_are_found_among_false_boundaries():
    truth = {(0, 600): "how", (900, 1500): "you"}
    signs, _ = decode(sure_of(truth), [0, 300, 600, 900, 1200, 1500, 2000])[-1]
    assert [(s.gloss, s.start_ms, s.end_ms) for s in signs] == [("how", 0, 600), ("you", 900, 1500)]


def test_unknown_movement_gives_no_gloss():
    assert decode(sure_of({}), list(range(0, 9000, 300)))[-1] == ((), 0)


def test_a_doubtful_gloss_is_not_shown():
    assert decode(sure_of({(0, 600): "how"}, 0.4), [0, 600])[-1] == ((), 0)


def test_one_long_sign_beats_two_halves_of_it():
    truth = {(0, 400): "how", (400, 800): "how", (0, 800): "how"}
    signs, _ = decode(sure_of(truth), [0, 400, 800])[-1]
    assert [(s.start_ms, s.end_ms) for s in signs] == [(0, 800)]


def test_settled_signs_only_grow_while_the_rest_may_change():
    rng = np.random.default_rng(0)
    table = {}

    def recognise(start, end):
        return table.setdefault((start, end), rng.dirichlet(np.full(len(VOCABULARY), 0.3)))

    history = decode(recognise, list(range(0, 12_000, 250)), settle_ms=900)
    settled = ()
    for signs, n in history:
        assert signs[: len(settled)] == settled
        assert n >= len(settled)
        settled = signs[:n]
    assert len(settled) >= 3


def test_no_span_is_longer_than_a_sign_may_be():
    recognise = sure_of({})
    decode(recognise, list(range(0, 9000, 300)), max_sign_ms=1500)
    assert max(end - start for start, end in recognise.asked) <= 1500


def test_a_long_stretch_without_boundaries_takes_no_sign_back():
    truth = {(0, 600): "how", (900, 1500): "you"}
    history = decode(sure_of(truth), [0, 600, 900, 1500, 9000])
    assert [s.gloss for s in history[-1][0]] == [s.gloss for s in history[-2][0]] == ["how", "you"]


def test_alternatives_are_the_runners_up():
    signs, _ = decode(lambda a, b: np.array([0.05, 0.6, 0.25, 0.1]), [0, 600])[-1]
    assert signs[0].alternatives == (("you", 0.25), ("fine", 0.1))


def test_a_vocabulary_without_the_reject_class_is_refused():
    with pytest.raises(ValueError, match="reject"):
        Decoder(lambda a, b: np.ones(1), ("how",), "<no sign>")
