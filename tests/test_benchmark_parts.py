"""Energy, delegates and accuracy: the parts of `fingerpost benchmark` that ask something else."""

import functools
import sys
import types

import numpy as np
import pytest

from fingerpost.edge_runtime import benchmark_energy, recogniser
from fingerpost.edge_runtime.benchmark import delegated_here
from fingerpost.edge_runtime.benchmark_energy import measure_energy
from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence
from fingerpost.edge_runtime.pack import bundled_pack, open_pack
from fingerpost.edge_runtime.translator import Answer, Translated


class FakeClock:
    """Time passes only while somebody works or sleeps."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class JtopException(Exception):
    """As jetson-stats has it."""


@pytest.fixture
def clock(monkeypatch):
    clock = FakeClock()
    monkeypatch.setattr(benchmark_energy, "time", clock)
    return clock


@pytest.fixture
def board(monkeypatch, clock):
    """A Jetson that takes 5 W, and 7 W while somebody works; the first sample comes late."""

    class Board:
        works, power, fails = False, {"tot": {"power": 9000}}, ""

        def __init__(self, interval):
            assert interval == benchmark_energy.INTERVAL_S

        def __enter__(self):
            if Board.fails == "start":
                raise JtopException("The jtop.service is\nnot active")
            return self

        def __exit__(self, *error):
            return False

        def ok(self):
            if Board.fails == "sensor":
                self.power = {}
                return True
            milliwatts = 7000 if self.works else 5000
            late = self.power["tot"]["power"] == 9000 or Board.works != self.works
            self.works = Board.works
            self.power = {"tot": {"power": 8000 if late else milliwatts}}
            return Board.fails != "stop"

    monkeypatch.setitem(
        sys.modules, "jtop", types.SimpleNamespace(jtop=Board, JtopException=JtopException)
    )
    return Board


def test_the_energy_of_a_call_is_what_it_takes_beyond_an_idle_board(board, clock):
    def call():
        board.works = True
        clock.now += 0.125  # seconds; 2 W more for so long are 250 mJ

    energy, note = measure_energy(call)
    assert note == ""
    assert (energy.idle_w, energy.busy_w) == (5.0, 7.0)
    assert energy.call_mj == pytest.approx(250)


@pytest.mark.parametrize(
    ("fails", "message"),
    [
        ("start", "jetson-stats says The jtop.service is not active"),
        ("sensor", "no sensor of its power"),
        ("stop", "it has stopped"),
    ],
)
def test_a_jetson_that_cannot_tell_its_power_is_no_failure(board, fails, message):
    board.fails = fails
    energy, note = measure_energy(lambda: None)
    assert energy is None and message in note and "\n" not in note


def test_another_machine_has_no_energy_to_tell(monkeypatch):
    monkeypatch.setitem(sys.modules, "jtop", None)
    assert measure_energy(lambda: None) == (None, "")


# Delegates


@pytest.fixture(scope="module")
def graph():
    """The file of the bundled pack, with all its graphs."""
    return open_pack(bundled_pack()).read("demo.tflite")


@pytest.fixture(scope="module")
def files():
    return pytest.importorskip("ai_edge_litert.tools.flatbuffer_utils")


def delegated_shares(model):
    from fingerpost.edge_runtime.backends.tflite_delegate import delegated_shares

    return delegated_shares(model)


def test_the_share_that_xnnpack_runs(graph, files):
    """Of 541 operators of the encoder 12 stay LiteRT's own, of 227 of a decoder's step 4.

    Int8 depthwise convolutions, look-ups, casts, comparisons. The CTC head is one product.
    """
    shares = delegated_shares(graph)
    expected = {"encode": 1 - 12 / 541, "ctc": 1, "read": 1, "decode_step": 1 - 4 / 227}
    expected["encode_clip"] = 1 - 13 / 550
    assert shares == pytest.approx(expected, abs=0.02)  # of LiteRT 2.3.0 on x86-64
    assert delegated_here(open_pack(bundled_pack())) == shares


def test_without_xnnpack_no_operator_is_delegated(graph, files, monkeypatch):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    from fingerpost.edge_runtime.backends import tflite_delegate

    plain = functools.partial(
        Interpreter,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    monkeypatch.setattr(tflite_delegate, "find_interpreter", lambda: plain)
    assert set(delegated_shares(graph).values()) == {0.0}


def test_a_graph_alone_has_the_share_that_it_has_among_several(graph, files, monkeypatch):
    model, shares = files.read_model_from_bytearray(bytearray(graph)), delegated_shares(graph)
    (step,) = (one for one in model.signatureDefs if one.signatureKey == b"decode_step")
    model.subgraphs = [model.subgraphs[step.subgraphIndex]]
    model.signatureDefs, step.subgraphIndex, step.signatureKey = [step], 0, b"alone"
    alone = bytes(files.convert_object_to_bytearray(model))
    monkeypatch.setitem(sys.modules, "ai_edge_litert.tools.flatbuffer_utils", None)
    assert delegated_shares(alone) == {"alone": shares["decode_step"]}
    assert delegated_shares(graph) == {}  # as beside tflite-runtime


# Accuracy on a corpus


def clip_of(number, glosses, text):
    from fingerpost.trainer.shards import Clip

    still = np.zeros((2, 69, 3), np.float32)
    sequence = PoseSequence(still, np.ones((2, 69), np.float32), 25.0, SIGN69, aspect=1.0)
    return Clip(f"clip{number}", "anna", "val", glosses, text, "ase", "en", sequence)


class FakeTranslator:
    """Says of every clip HELLO BOOK, and "hello book"."""

    questions, asked, n_closed = ("English", "glosses"), [], 0
    glosses = ("HELLO", "BOOK")

    def __init__(self, pack):
        pass

    def translate(self, clip, questions):
        self.asked.append(tuple(questions))
        said = {"English": Answer("hello book", (1,), 0.0), "glosses": Answer("HELLO", (2,), 0.0)}
        return Translated(("HELLO", "BOOK"), {q: said[q] for q in questions})

    def close(self):
        FakeTranslator.n_closed += 1


class FakeClips(list):
    text_language = "en"


@pytest.fixture
def translation_pack(monkeypatch):
    pytest.importorskip("torch", reason="needs the extra train")
    from fingerpost.distill import judge_pack

    monkeypatch.setattr(judge_pack, "open_translator", FakeTranslator)
    FakeTranslator.asked, FakeTranslator.n_closed = [], 0
    manifest = types.SimpleNamespace(name="tiny", translation=object())
    return types.SimpleNamespace(manifest=manifest)


def test_a_translator_is_asked_what_a_clip_has_a_truth_for(translation_pack):
    from fingerpost.distill.judge_pack import judge_pack

    row = ("HELLO", "BOOK")
    clips = FakeClips([clip_of(0, row, "hello book"), clip_of(1, row, ""), clip_of(2, (), "no")])
    figures = judge_pack(translation_pack, clips)
    assert FakeTranslator.asked == [("English", "glosses"), ("glosses",), ("English",)]
    assert figures["glosses.wer"] == 50  # one of two glosses is not said
    assert figures["live_glosses.wer"] == 0
    assert set(figures) == {"text.bleu4", "glosses.wer", "live_glosses.wer"}
    assert FakeTranslator.n_closed == 1


def test_so_many_clips_are_chosen_evenly(translation_pack):
    from fingerpost.distill.judge_pack import judge_pack

    clips = FakeClips([clip_of(i, ("HELLO",) * (i + 1), "") for i in range(6)])
    # of 6 clips, 0 and 3: 1 and 4 glosses, of which HELLO is said once; 3 of 5 are missing
    assert judge_pack(translation_pack, clips, n_clips=2)["glosses.wer"] == 60
    assert len(FakeTranslator.asked) == 2


def test_clips_that_say_nothing_are_refused(translation_pack):
    from fingerpost.distill.judge_pack import judge_pack

    with pytest.raises(ValueError, match="no clip has a text or glosses that pack tiny can be"):
        judge_pack(translation_pack, FakeClips([clip_of(0, (), "")]))


def test_a_recogniser_is_asked_for_single_signs(monkeypatch):
    pytest.importorskip("torch", reason="needs the extra train")
    from fingerpost.distill.judge_pack import judge_pack

    about = dict(name="tiny", translation=None, view="sign69", window=4, preprocess="sign")
    pack = types.SimpleNamespace(manifest=types.SimpleNamespace(**about), vocabulary=("a", "BOOK"))
    logits = types.SimpleNamespace(run=lambda inputs: {"logits": np.array([[0, 1]], np.float32)})
    monkeypatch.setattr(recogniser, "load_backend", lambda pack, graph: logits)
    clips = FakeClips([clip_of(0, ("BOOK",), ""), clip_of(2, ("no such gloss",), "")])
    assert judge_pack(pack, clips) == {"isolated.top1": 50.0}
    with pytest.raises(ValueError, match="clip 'clip1' has 2 glosses"):
        judge_pack(pack, FakeClips([clip_of(1, ("a", "b"), "")]))
