"""``fingerpost benchmark`` of a pack with experts: how often they look for each k, by hand."""

import json

import numpy as np
import pytest

from fingerpost.app.commands_benchmark import record_of, table_rows
from fingerpost.edge_runtime import benchmark
from fingerpost.edge_runtime.benchmark import Measured, Timed, measure_pack
from fingerpost.edge_runtime.expert_benchmark import sentence_calls
from fingerpost.edge_runtime.expert_routing import Adapters, adapters_bytes
from fingerpost.edge_runtime.experts import EATS
from fingerpost.edge_runtime.manifest import (
    Experts,
    GraphSpec,
    Licences,
    Manifest,
    Parent,
    TensorSpec,
    Translation,
)
from fingerpost.edge_runtime.pack import write_pack
from fingerpost.edge_runtime.preprocess import PREPROCESS_VERSION

NAMES = ("ase", "bfi", "csl")
WINDOW, MARGIN = 64, 6
E, P, PROMPT = 2, 3, 1
MAX_TOKENS, N_PIECES = 20, 3


def spec(inputs, outputs, state=()):
    tensors = [
        tuple(TensorSpec(name, shape, kind) for name, shape, kind in group)
        for group in (inputs, outputs, state)
    ]
    return GraphSpec("net", "tflite", "9", *tensors)


def manifest_of(max_frames=128):
    expert = spec(
        [("keypoints", (1, WINDOW, 69, 3), "float32")],
        [("frames", (1, WINDOW, E), "float32"), ("priors", (1, WINDOW, P), "float32")],
    )
    n_read = PROMPT + max_frames
    mask = ("latent_mask", (1, n_read), "float32")
    words = [(name, (1, 1, 1, MAX_TOKENS, 1), "float32") for name in ("keys", "values")]
    read = spec([("latents", (1, n_read, E), "float32"), mask], [])
    step = spec(
        [("token", (1, 1), "int64"), ("position", (1,), "int64"), mask],
        [("scores", (1, N_PIECES), "float32")],
        words,
    )
    return Manifest(
        name="signet",
        version="1",
        task="translation",
        languages=("mis",),
        view="sign69",
        preprocess=EATS,
        preprocess_version=PREPROCESS_VERSION,
        fps=25.0,
        window=WINDOW,
        graphs={**{f"expert_{name}": expert for name in NAMES}, "read": read, "decode_step": step},
        vocabulary="vocabulary.json",
        special={},
        quantization="none",
        parent=Parent("0" * 64),
        licences=Licences("", "", ""),
        measured={},
        translation=Translation("pieces.json", 1, {"French": 0}, 0, max_frames),
        experts=Experts(
            NAMES, dict.fromkeys(NAMES, "0"), "0", 2, WINDOW - MARGIN, MARGIN, {"French": "own.npz"}
        ),
    )


FILES = {
    "net": b"a graph",
    "vocabulary.json": b"[]",
    "pieces.json": json.dumps(["a"] * N_PIECES).encode(),
    "own.npz": adapters_bytes(
        Adapters(  # a router, so that k are chosen: the last one first
            NAMES,
            np.zeros((PROMPT, E), np.float32),
            {
                **{f"routing.aggregate.query.{i}.weight": np.eye(P, dtype="f4") for i in (0, 2)},
                "routing.aggregate.norm.weight": np.ones(P, np.float32),
                "routing.aggregate.norm.bias": np.zeros(P, np.float32),
                "routing.router.0.weight": np.eye(P, dtype=np.float32),
                "routing.router.0.bias": np.zeros(P, np.float32),
                "routing.router.2.weight": np.zeros((3, P), np.float32),
                "routing.router.2.bias": np.arange(3, dtype=np.float32),
            },
        )
    ),
}


class FakeGraph:
    """Gives zeros; counts how often it is run."""

    def __init__(self):
        self.n_runs, self.closed = 0, False

    def run(self, inputs):
        self.n_runs += 1
        if "keypoints" in inputs:
            frames = np.zeros((1, WINDOW, E), np.float32)
            return {"frames": frames, "priors": np.zeros((1, WINDOW, P), np.float32)}
        if "latents" in inputs:
            return {}
        scores = np.zeros((1, N_PIECES), np.float32)
        return {"scores": scores, **{k: v for k, v in inputs.items() if k in ("keys", "values")}}

    def close(self):
        self.closed = True


@pytest.fixture
def backends():
    return {name: FakeGraph() for name in (*(f"expert_{n}" for n in NAMES), "read", "decode_step")}


@pytest.fixture
def pack(tmp_path):
    return write_pack(tmp_path / "signet", manifest_of(), FILES)


def test_k_experts_see_what_comes_after_the_choice(pack, backends):
    """128 frames are windows of 58, 52 and 18 frames: all experts see the first, k the others."""
    calls = sentence_calls(pack, backends)
    assert list(calls) == [f"sentence of 128 frames, 16 tokens, k = {k}" for k in (1, 2, 3)]
    for k, call in enumerate(calls.values(), 1):
        before = {name: graph.n_runs for name, graph in backends.items()}
        call()
        runs = {name: graph.n_runs - before[name] for name, graph in backends.items()}
        assert [runs[f"expert_{name}"] for name in NAMES] == [
            3 if place < k else 1 for place in (2, 1, 0)
        ]
        assert (runs["read"], runs["decode_step"]) == (1, 16)


def test_a_call_looks_anew_each_time(pack, backends):
    call = sentence_calls(pack, backends)["sentence of 128 frames, 16 tokens, k = 1"]
    call()
    call()
    assert backends["expert_csl"].n_runs == 6 and not backends["expert_csl"].closed


def test_a_pack_that_takes_less_is_asked_for_less(tmp_path, backends):
    short = write_pack(tmp_path / "short", manifest_of(max_frames=40), FILES)
    assert list(sentence_calls(short, backends))[0] == "sentence of 40 frames, 16 tokens, k = 1"


def test_each_k_has_a_row_of_the_table(pack, backends, monkeypatch):
    monkeypatch.setattr(benchmark, "load_backends", lambda pack, num_threads: backends)
    monkeypatch.setattr(benchmark, "TELL_SHARES", {})
    measured = measure_pack(pack.path, n_calls=3)
    assert Measured.from_json(measured.to_json()) == measured
    assert [len(timed.calls_ms) for timed in measured.sentences.values()] == [3, 3, 3]
    assert all(graph.closed for graph in backends.values())
    shown = Measured(1.0, measured.graphs, {}, sentences={"sentence, k = 1": Timed(9, (1, 2, 3))})
    record = record_of(pack, [shown, shown])
    assert record["sentences"]["sentence, k = 1"] == {"p50_ms": 2.0, "p95_ms": 3.0, "calls": 6}
    row = ("sentence, k = 1, p50 / p95 ms", "2.00 / 3.00")
    assert row in table_rows([record])
