"""What a pack costs on this machine: time, memory, energy, and whether its accelerator is used.

    python -m fingerpost.edge_runtime.benchmark PACK

prints one line of JSON and needs nothing but numpy and the pack's backend. One process measures one
pack: memory that was freed, or a library that was loaded, for another would count for this one.
``fingerpost benchmark`` starts such processes and makes a table of many packs.
"""

import argparse
import dataclasses
import importlib
import json
import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fingerpost.edge_runtime.backends import Backend, load_backends
from fingerpost.edge_runtime.benchmark_energy import Energy, measure_energy
from fingerpost.edge_runtime.expert_benchmark import sentence_calls
from fingerpost.edge_runtime.manifest import GraphSpec, TensorSpec
from fingerpost.edge_runtime.pack import Pack, open_pack
from fingerpost.edge_runtime.pack_check import GOLDEN, Golden, read_golden

STEP_GRAPH = "decode_step"  # makes one token a call
WINDOW_GRAPHS = ("recogniser", "encode")  # what reads frames; a pack has one of them
TELL_SHARES = {  # backends that hand over operators when a graph is loaded; others when it is made
    "tflite": "fingerpost.edge_runtime.backends.tflite_delegate",
}
N_CALLS = 100  # of each graph, after the first
MAX_GRAPH_S = 10.0  # a slow graph is called less often than that
SAME_SHARE = 0.005  # two shares of operators this close are one
USER_ERROR = 2


@dataclass(frozen=True)
class Timed:
    """Calls of one graph, in milliseconds. first_ms : the first; calls_ms : each one after it"""

    first_ms: float
    calls_ms: tuple[float, ...]


@dataclass(frozen=True)
class Measured:
    """What one pack cost in a process of its own.

    load_ms : from its path to graphs that are ready, the backend's library included
    graphs : by name
    delegated : of ``delegated_here``
    idle_mb, peak_mb : resident memory, in MB of 10^6 bytes, before the load and at the most; None
        on a system that does not say
    energy : of a call of the graph that reads frames; None where nothing measures it
    notes : what could not be measured, and why, in one line each
    sentences : of ``sentence_calls``; {} for a pack without experts
    """

    load_ms: float
    graphs: dict[str, Timed]
    delegated: dict[str, float]
    idle_mb: float | None = None
    peak_mb: float | None = None
    energy: Energy | None = None
    notes: tuple[str, ...] = ()
    sentences: dict[str, Timed] = dataclasses.field(default_factory=dict)

    def to_json(self) -> str:
        """One line."""
        return json.dumps(dataclasses.asdict(self), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "Measured":
        """What ``to_json`` has written."""
        fields: dict[str, Any] = json.loads(text)
        for kind in ("graphs", "sentences"):
            fields[kind] = {
                name: Timed(timed["first_ms"], tuple(timed["calls_ms"]))
                for name, timed in fields[kind].items()
            }
        fields["energy"] = fields["energy"] and Energy(**fields["energy"])
        fields["notes"] = tuple(fields["notes"])
        return cls(**fields)


def measure_pack(
    path: Path, n_calls: int = N_CALLS, num_threads: int = 1, with_shares: bool = True
) -> Measured:
    """Loads a pack and calls each of its graphs; ValueError where it cannot be run here.

    n_calls : of each graph, after the first
    with_shares : ask for ``Measured.delegated``, which takes a second for each graph
    """
    if n_calls < 1:
        raise ValueError(f"expected at least 1 call of each graph, got {n_calls}")
    idle_mb = peak_memory_mb()
    start = time.perf_counter()
    pack = open_pack(path)
    backends = load_backends(pack, num_threads=num_threads)
    load_ms = _ms_since(start)
    try:
        calls = {
            graph: chained_call(backend, example_inputs(pack, graph), pack.manifest.graphs[graph])
            for graph, backend in backends.items()
        }
        first_ms = {graph: _timed(call) for graph, call in calls.items()}
        graphs = {g: Timed(first_ms[g], _many_times(call, n_calls)) for g, call in calls.items()}
        sentences = {
            name: Timed(_timed(call), _many_times(call, n_calls))
            for name, call in sentence_calls(pack, backends).items()
        }
        peak_mb = peak_memory_mb()
        energy, note = measure_energy(calls[window_graph(graphs)])
    finally:
        for backend in backends.values():
            backend.close()
    delegated = delegated_here(pack) if with_shares else {}
    notes = (note,) if note else ()
    return Measured(load_ms, graphs, delegated, idle_mb, peak_mb, energy, notes, sentences)


def window_graph(graphs: Mapping[str, object]) -> str:
    """The graph that reads frames; of a pack of other graphs, its first."""
    return next((name for name in WINDOW_GRAPHS if name in graphs), next(iter(graphs)))


def chained_call(
    backend: Backend, inputs: dict[str, np.ndarray], spec: GraphSpec
) -> Callable[[], None]:
    """A call as a stream makes it: the state that comes out of one goes into the next."""
    states = [tensor.name for tensor in spec.state]

    def call() -> None:
        outputs = backend.run(inputs)
        inputs.update({name: outputs[name] for name in states})

    return call


def example_inputs(pack: Pack, graph: str) -> dict[str, np.ndarray]:
    """Golden inputs where the pack has some of this shape, else numbers of a fixed seed.

    States are 0, as at the beginning of a stream, and so are whole numbers: token 0, position 0.
    """
    spec = pack.manifest.graphs[graph]
    has_golden = GOLDEN in pack.manifest.files
    golden = read_golden(pack.read(GOLDEN)) if has_golden else {}
    inputs = {tensor.name: _example(golden, graph, tensor) for tensor in spec.inputs}
    return inputs | {tensor.name: np.zeros(tensor.shape, tensor.dtype) for tensor in spec.state}


def delegated_here(pack: Pack) -> dict[str, float]:
    """By graph, the share (0 to 1) of its operators that a delegate runs on this machine.

    Of backends that hand operators over when a graph is loaded, see ``TELL_SHARES``.
    """
    shares: dict[str, float] = {}
    of_files: dict[str, dict[str, float]] = {}
    for graph, spec in pack.manifest.graphs.items():
        if spec.backend not in TELL_SHARES:
            continue
        if spec.file not in of_files:
            module = importlib.import_module(TELL_SHARES[spec.backend])
            of_files[spec.file] = module.delegated_shares(pack.read(spec.file))
        of_file = of_files[spec.file]
        signature = spec.signature or next(iter(of_file), "")  # "" = its only one
        if signature in of_file:
            shares[graph] = of_file[signature]
    return shares


def fallbacks(promised: Mapping[str, float], here: Mapping[str, float]) -> list[str]:
    """A line for each graph that the delegate runs less of than it should, without saying so.

    promised : by graph, what the manifest says; here : what this machine's backend says

    A graph of which nothing is promised should at least not run without the delegate altogether.
    """
    found = []
    for graph, share in here.items():
        if graph in promised and share < promised[graph] - SAME_SHARE:
            found.append(
                f"{graph} runs {share:.0%} of its operators on the delegate, "
                f"its pack promises {promised[graph]:.0%}"
            )
        elif graph not in promised and share == 0:
            found.append(f"{graph} runs without the delegate")
    return found


def peak_memory_mb() -> float | None:
    """The most memory that this process has held at once, MB of 10^6 bytes; None: nobody says.

    Linux's ``getrusage`` begins with the peak of the process that started this one (its memory is
    this one's until exec), so there the kernel's figure for this process alone is read.
    """
    system = platform.system()
    if system == "Linux":
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        lines = (line.split() for line in status.splitlines())
        kilobytes = [int(words[1]) for words in lines if words and words[0] == "VmHWM:"]
        return kilobytes[0] * 1024 / 1e6 if kilobytes else None
    if system == "Darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes there
    return None


def _example(golden: Golden, graph: str, tensor: TensorSpec) -> np.ndarray:
    real = golden.get(f"{graph}/inputs/{tensor.name}", np.empty(0))
    if real.shape[1:] == tensor.shape[1:] and len(real) >= tensor.shape[0]:
        return real[: tensor.shape[0]].astype(tensor.dtype)
    if not tensor.dtype.startswith("float"):
        return np.zeros(tensor.shape, tensor.dtype)
    return np.random.default_rng(0).uniform(0, 1, tensor.shape).astype(tensor.dtype)


def _many_times(call: Callable[[], None], n_calls: int) -> tuple[float, ...]:
    """Milliseconds of each of so many calls, or of as many as there is time for."""
    start, times = time.perf_counter(), [_timed(call)]
    while len(times) < n_calls and _ms_since(start) < MAX_GRAPH_S * 1000:
        times.append(_timed(call))
    return tuple(times)


def _timed(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    call()
    return _ms_since(start)


def _ms_since(start: float) -> float:
    return (time.perf_counter() - start) * 1000


def main() -> None:
    """The command line: see the module's docstring. Exit code 2: this pack cannot be measured."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pack", type=Path, help="a folder, or FILE.fpk")
    parser.add_argument("--calls", type=int, default=N_CALLS, help="of each graph")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-shares", action="store_true", help="of delegated operators")
    given = parser.parse_args()
    try:
        measured = measure_pack(given.pack, given.calls, given.threads, not given.no_shares)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(USER_ERROR)
    print(measured.to_json())


if __name__ == "__main__":
    main()
