"""`fingerpost benchmark`: what is measured, what the table says, and what makes it fail."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from fingerpost.app import commands_benchmark
from fingerpost.app.cli import app
from fingerpost.app.commands_benchmark import (
    BenchmarkOptions,
    figures_of,
    in_a_process,
    markdown,
    record_of,
    table_rows,
)
from fingerpost.edge_runtime import benchmark
from fingerpost.edge_runtime.benchmark import Measured, Timed, fallbacks, measure_pack
from fingerpost.edge_runtime.benchmark_energy import Energy
from fingerpost.edge_runtime.manifest import GraphSpec, Licences, Manifest, Parent, TensorSpec
from fingerpost.edge_runtime.pack import bundled_pack, open_pack, write_pack
from fingerpost.edge_runtime.pack_check import GOLDEN, golden_bytes
from fingerpost.edge_runtime.preprocess import PREPROCESS_VERSION

STREAM = GraphSpec(
    file="net.tflite",
    backend="tflite",
    backend_version="9",
    inputs=(TensorSpec("keypoints", (1, 2), "float32"), TensorSpec("token", (1, 1), "int32")),
    outputs=(TensorSpec("scores", (1, 2), "float32"),),
    state=(TensorSpec("memory", (1,), "float32"),),
)
MANIFEST = Manifest(
    name="tiny",
    version="1.0",
    task="isolated-signs",
    languages=("ase",),
    view="sign69",
    preprocess_version=PREPROCESS_VERSION,
    fps=25,
    window=48,
    graphs={"encode": STREAM, "decode_step": STREAM},
    vocabulary="vocabulary.json",
    special={},
    quantization="int8",
    parent=Parent("0" * 64),
    licences=Licences("Apache-2.0", "Apache-2.0", "none"),
    measured={},
)
GRAPHS = "demo.tflite"  # of the bundled pack, all four in one file
KEYPOINTS = np.array([[3, 4], [5, 6]], np.float16)
FILES = {
    "net.tflite": bytes(1000),
    "vocabulary.json": b'["A", "B"]',
    GOLDEN: golden_bytes({"encode/inputs/keypoints": KEYPOINTS}),
}
# Two processes of one pack. All calls: 1 to 4 ms of encode, 2 ms of each step.
FIRST = Measured(
    load_ms=10,
    graphs={"encode": Timed(7, (1, 2)), "decode_step": Timed(1, (2, 2))},
    delegated={"encode": 0.96, "decode_step": 1.0},
    idle_mb=30,
    peak_mb=50,
)
SECOND = Measured(
    load_ms=20,
    graphs={"encode": Timed(9, (3, 4)), "decode_step": Timed(1, (2, 2))},
    delegated={},
    idle_mb=30,
    peak_mb=60,
)


class FakeBackend:
    """Adds 1 to its memory, and keeps what it was given."""

    def __init__(self):
        self.given, self.closed = [], False

    def run(self, inputs):
        self.given.append({name: array.copy() for name, array in inputs.items()})
        return {"scores": np.zeros((1, 2), np.float32), "memory": inputs["memory"] + 1}

    def close(self):
        self.closed = True


@pytest.fixture
def backends(monkeypatch):
    loaded = {"encode": FakeBackend(), "decode_step": FakeBackend()}
    monkeypatch.setattr(benchmark, "load_backends", lambda pack, num_threads: loaded)
    monkeypatch.setattr(benchmark, "TELL_SHARES", {})
    return loaded


@pytest.fixture
def pack(tmp_path):
    return write_pack(tmp_path / "tiny", MANIFEST, FILES)


def run(*arguments):
    return CliRunner().invoke(app, ["benchmark", *map(str, arguments)])


def open_demo():
    return open_pack(bundled_pack())


def demo_with(folder, files=None, **changes):
    """The bundled pack, changed, its checksums right."""
    demo = open_demo()
    content = {name: demo.read(name) for name in demo.manifest.files} | (files or {})
    return write_pack(folder, dataclasses.replace(demo.manifest, **changes), content).path


# Measuring


def test_each_graph_is_called_with_its_state_carried_on(pack, backends):
    measured = measure_pack(pack.path, n_calls=3)
    encode = backends["encode"]
    assert [given["memory"].item() for given in encode.given] == [0, 1, 2, 3]  # the first, and 3
    assert encode.given[0]["keypoints"].tolist() == [[3, 4]]  # golden
    assert encode.given[0]["token"].tolist() == [[0]] and encode.given[0]["token"].dtype == np.int32
    other = backends["decode_step"].given[0]["keypoints"]  # no golden: between 0 and 1
    assert other.shape == (1, 2) and other.dtype == np.float32 and 0 < other.min() < other.max() < 1
    assert all(len(timed.calls_ms) == 3 for timed in measured.graphs.values())
    assert all(min(timed.first_ms, *timed.calls_ms) > 0 for timed in measured.graphs.values())
    assert measured.load_ms > 0 and encode.closed and backends["decode_step"].closed
    assert Measured.from_json(measured.to_json()) == measured


def test_a_slow_graph_is_called_less_often(pack, backends, monkeypatch):
    monkeypatch.setattr(benchmark, "MAX_GRAPH_S", 0)
    assert len(measure_pack(pack.path, n_calls=100).graphs["encode"].calls_ms) == 1


def test_no_calls_at_all_are_refused_and_a_failing_graph_is_closed(pack, backends, monkeypatch):
    with pytest.raises(ValueError, match="at least 1 call"):
        measure_pack(pack.path, n_calls=0)

    def refuse(inputs):
        raise ValueError("net.tflite cannot be run")

    monkeypatch.setattr(backends["encode"], "run", refuse)
    with pytest.raises(ValueError, match="cannot be run"):
        measure_pack(pack.path)
    assert backends["encode"].closed


def test_what_a_process_has_measured_comes_back_whole():
    measured = dataclasses.replace(FIRST, energy=Energy(1.0, 2.0, 3.0), notes=("a", "b"))
    line = measured.to_json()
    assert "\n" not in line and Measured.from_json(line) == measured


@pytest.mark.skipif(sys.platform != "linux", reason="of Linux")
def test_the_memory_of_who_started_a_process_does_not_count():
    big = np.ones(40_000_000)  # 320 MB
    here = benchmark.peak_memory_mb()
    code = "from fingerpost.edge_runtime.benchmark import peak_memory_mb; print(peak_memory_mb())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 10 < float(done.stdout) < 200 < big.nbytes / 1e6 < here


@pytest.mark.parametrize(
    ("promised", "here", "found"),
    [
        ({"encode": 1.0}, {"encode": 1.0}, []),
        ({"encode": 0.9762}, {"encode": 0.97619}, []),  # rounded in the manifest
        ({"encode": 0.9}, {"encode": 0.95}, []),  # better than promised
        ({"encode": 1.0}, {}, []),  # nobody can tell
        ({}, {"encode": 0.4}, []),  # nothing was promised
        ({}, {"encode": 0.0}, ["encode runs without the delegate"]),
        (
            {"encode": 1.0, "ctc": 1.0},
            {"encode": 0.25, "ctc": 1.0},
            ["encode runs 25% of its operators on the delegate, its pack promises 100%"],
        ),
    ],
)
def test_a_fallback_is_found(promised, here, found):
    assert fallbacks(promised, here) == found


# The table


def test_the_processes_of_a_pack_become_one_record(pack):
    record = record_of(pack, [FIRST, SECOND])
    assert record["load_ms"] == 15 and record["first_call_ms"] == 9  # medians of 8 and 10
    # 1, 2, 3, 4: the middle is 2.5, and 95 % of the way from 1 to 4 is 3.85
    assert record["graphs"]["encode"] == pytest.approx({"p50_ms": 2.5, "p95_ms": 3.85, "calls": 4})
    assert record["tokens_per_s"] == 500  # 2 ms each
    assert (record["idle_mb"], record["peak_mb"]) == (30, 60)
    assert record["size_bytes"] == pack.size_bytes > 1000
    assert record["delegated"]["encode"] == {"here": 0.96, "promised": None}
    json.dumps(record, allow_nan=False)


def test_the_rows_say_what_was_measured_and_no_more(pack):
    with_energy = dataclasses.replace(FIRST, energy=Energy(5.0, 7.0, 12.34))
    rows = dict((row[0], row[1:]) for row in table_rows([record_of(pack, [with_energy, SECOND])]))
    assert rows == {
        "": ("tiny 1.0",),
        "backend": ("tflite (9)",),
        "quantization": ("int8",),
        "size, MB": ("0.00",),
        "load, ms": ("15",),
        "first call, ms": ("9.0",),
        "encode, p50 / p95 ms": ("2.50 / 3.85",),
        "decode_step, p50 / p95 ms": ("2.00 / 2.00",),
        "tokens a second": ("500",),
        "peak memory, MB": ("60",),
        "delegated operators": ("96% (encode)",),
        "energy of a window, mJ": ("12.3 (encode)",),
    }


def test_graphs_stand_in_the_order_that_they_are_run_in(pack):
    times = {"p50_ms": 0.0042, "p95_ms": 1.234, "calls": 1}
    graphs = dict.fromkeys(("own", "ctc", "decode_step", "read", "encode"), times)
    rows = table_rows([{**record_of(pack, [FIRST]), "graphs": graphs}])
    assert [row for row in rows if "p50" in row[0]] == [
        (f"{graph}, p50 / p95 ms", "0.004 / 1.23")
        for graph in ("encode", "ctc", "read", "decode_step", "own")
    ]


def test_a_pack_that_cannot_be_measured_has_a_column_all_the_same(tmp_path):
    promises = dataclasses.replace(MANIFEST, delegated={"encode": 0.97}, parity="not yet run")
    sound = record_of(write_pack(tmp_path / "sound", promises, FILES), [SECOND])
    broken = record_of(write_pack(tmp_path / "broken", MANIFEST, FILES), ["needs a Mac"])
    rows = dict((row[0], row[1:]) for row in table_rows([sound, broken]))
    assert rows["load, ms"] == ("20", "")
    assert rows["parity"] == ("not yet run", "")
    assert rows["delegated operators"] == ("97% (encode), as built", "")
    assert commands_benchmark.remarks([sound, broken]) == ["tiny: not measured: needs a Mac"]


def test_the_markdown_is_a_table(pack):
    record = record_of(pack, ["x"]) | {"backend": "a|b", "corpus": {"isolated.top1": 75.0}}
    assert markdown([record, record]).splitlines() == [
        "|  | tiny 1.0 | tiny 1.0 |",
        "| --- | ---: | ---: |",
        "| backend | a\\|b | a\\|b |",
        "| quantization | int8 | int8 |",
        "| size, MB | 0.00 | 0.00 |",
        "| here: isolated.top1, % | 75.0 | 75.0 |",
    ]


def test_figures_are_percent_and_stand_beside_their_teacher():
    measured = {
        "exported: text.bleu4": 20.0,
        "teacher: text.bleu4": 21.0,
        "float network: text.bleu4": 20.5,
        "edge_runtime: WLASL100 val: top1": 0.75,
        "float network: WLASL100 val: top1": 0.5,
        "exported: glosses.wer": 30.0,
        "exported: text.chrf": 40.0,  # not a main figure
        "exported: same answers": 99.0,
        "float network: samples: top1": 0.9,  # not of the pack
        "latency_ms": 1.0,
    }
    found = figures_of(dataclasses.replace(MANIFEST, measured=measured))
    assert found == {
        "WLASL100 val: top1": {
            **{"value": 75.0, "teacher": 50.0, "delta": 25.0, "beside": "float network"}
        },
        "glosses.wer": {"value": 30.0},
        "same answers": {"value": 99.0},
        "text.bleu4": {"value": 20.0, "teacher": 21.0, "delta": -1.0, "beside": "teacher"},
    }


def test_a_figure_of_the_table_says_what_it_lost(pack):
    measured = {"exported: text.bleu4": 20.0, "teacher: text.bleu4": 21.0}
    record = record_of(pack, [FIRST])
    record["figures"] = figures_of(dataclasses.replace(MANIFEST, measured=measured))
    assert ("text.bleu4, %", "20.0 (-1.0 to the teacher)") in table_rows([record])


# Processes


@pytest.mark.parametrize(
    ("code", "said", "message"),
    [
        (2, "a greeting\nerror: Core ML needs a Mac\n", "Core ML needs a Mac"),
        (-11, "", "its backend crashed (signal 11)"),
        (1, "Traceback\nKeyError: 'x'\n", "its process ended with exit code 1: KeyError: 'x'"),
        (0, "", "its process ended with exit code 0: "),
    ],
)
def test_a_process_that_fails_is_told_in_a_line(pack, monkeypatch, code, said, message):
    done = subprocess.CompletedProcess([], code, stdout="", stderr=said)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    assert in_a_process(pack, BenchmarkOptions(1, 1, 1), with_shares=True) == message


def test_packs_take_turns_and_a_failing_one_is_asked_once(tmp_path, monkeypatch, capsys):
    asked = []

    def measured(pack, options, with_shares):
        asked.append((pack.path.name, with_shares))
        return "needs a Mac" if pack.path.name == "broken" else FIRST

    monkeypatch.setattr(commands_benchmark, "in_a_process", measured)
    packs = [str(write_pack(tmp_path / name, MANIFEST, FILES).path) for name in ("ok", "broken")]
    judged = commands_benchmark.run_benchmark(
        packs, BenchmarkOptions(1, 2, 1), lambda pack: {"isolated.top1": 50.0}, "json"
    )
    assert judged == 1
    assert asked == [("ok", True), ("broken", True), ("ok", False)]
    sound, broken = json.loads(capsys.readouterr().out)
    assert sound["corpus"] == {"isolated.top1": 50.0} and sound["problem"] == ""
    assert broken["corpus"] == {} and broken["problem"] == "needs a Mac"


# The command, on the bundled pack


def test_the_bundled_pack_in_a_process_of_its_own():
    done = run("demo", "--json", "--calls", 3, "--rounds", 1)
    assert done.exit_code == 0, done.output
    (record,) = json.loads(done.stdout)
    assert record["pack"] == "demo" and list(record["graphs"]) == [*open_demo().manifest.graphs]
    assert all(graph["calls"] == 3 for graph in record["graphs"].values())
    assert all(0 < graph["p50_ms"] <= graph["p95_ms"] for graph in record["graphs"].values())
    assert record["idle_mb"] < record["peak_mb"] < 300
    assert 0.5 < record["delegated"]["encode"]["here"] < 1
    bleu4, measured = record["figures"]["text.bleu4"], open_demo().manifest.measured
    assert bleu4["value"] == measured["exported: text.bleu4"]
    assert bleu4["delta"] == bleu4["value"] - measured["float network: text.bleu4"]
    assert record["energy"] is None and record["fallbacks"] == [] and record["notes"] == []


def test_it_fails_where_a_pack_falls_back_and_where_one_cannot_be_run(tmp_path):
    greedy = demo_with(tmp_path / "greedy", name="greedy", delegated={"encode": 1.0})
    graph = open_demo().read(GRAPHS)
    half = {GRAPHS: graph[: len(graph) // 2]}
    broken = demo_with(tmp_path / "broken", half, name="broken")
    done = run(greedy, broken, "--calls", 1, "--rounds", 1)
    assert done.exit_code == 1
    version = open_demo().manifest.version
    assert f"greedy {version}" in done.stdout and f"broken {version}" in done.stdout
    assert "greedy: SILENT FALLBACK: encode runs 9" in done.output
    assert "its pack promises 100%" in done.output
    assert f"broken: not measured: {GRAPHS} is not a working TFLite graph" in done.output


def test_wrong_input_is_one_line_and_nothing_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(commands_benchmark, "in_a_process", None)
    damaged = demo_with(tmp_path / "damaged")
    (damaged / GRAPHS).write_bytes(b"x" * 100)
    for arguments, message in (
        ((damaged,), GRAPHS),
        (("no-such-pack",), "no pack 'no-such-pack' is installed"),
        (("demo", "--json", "--markdown"), "--markdown or --json"),
        (("demo", "--corpus", tmp_path / "none"), "none"),
    ):
        done = run(*arguments)
        assert done.exit_code == 2 and message in done.stderr and done.stdout == ""
        assert len(done.stderr.splitlines()) == 1
    assert run("demo", "--calls", 0).exit_code == 2
    assert run().exit_code == 2
