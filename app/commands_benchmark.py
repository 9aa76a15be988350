"""``fingerpost benchmark``: packs side by side, each measured in processes of its own.

The packs take turns, so that a busy machine slows all of them alike.
"""

import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fingerpost.app.terminal import CountedBar, print_columns, print_json, tell
from fingerpost.edge_runtime.benchmark import (
    STEP_GRAPH,
    USER_ERROR,
    Measured,
    Timed,
    fallbacks,
    window_graph,
)
from fingerpost.edge_runtime.manifest import Manifest
from fingerpost.edge_runtime.pack import Pack, PackStore, open_pack
from fingerpost.edge_runtime.translator import GRAPHS

MEASURED_IN = "fingerpost.edge_runtime.benchmark"  # the module of a pack's process
SAME = "same answers"  # as the network in PyTorch gives, word for word; percent
NOT_SOUND = 1  # exit code where a pack cannot be measured, or runs without its delegate
MAIN_FIGURES = ("top1", "bleu4", "wer", SAME)  # of the many in a manifest
OF_PACK = ("exported", "edge_runtime")  # what a manifest calls figures of the pack itself
OF_TEACHER = ("teacher", "float network")  # and those of what it was made from, the best first

Record = dict[str, Any]  # of one pack, as --json prints it
Judge = Callable[[Pack], dict[str, float]]  # a pack to figures in percent


@dataclass(frozen=True)
class BenchmarkOptions:
    """calls : of each graph in a process; rounds : processes of each pack; threads : of each"""

    calls: int
    rounds: int
    threads: int


def run_benchmark(
    names: Sequence[str], options: BenchmarkOptions, judge: Judge | None, style: str
) -> int:
    """Measures packs and prints one table; returns the exit code.

    judge : measures how right a pack is, where that is asked for
    style : table, markdown or json

    ValueError, and nothing measured, where a name is no sound pack.
    """
    packs = [open_pack(PackStore().find(name)) for name in names]
    runs = _in_turns(packs, options)
    records = [record_of(pack, of_pack) for pack, of_pack in zip(packs, runs, strict=True)]
    for record, pack in zip(records, packs, strict=True):
        if judge is not None and not record["problem"]:
            record["corpus"] = judge(pack)
    if style == "json":
        print_json(records)
    elif style == "markdown":
        sys.stdout.write(markdown(records))
    else:
        print_columns(table_rows(records))
    for line in remarks(records):
        tell(line)
    return NOT_SOUND if any(r["problem"] or r["fallbacks"] for r in records) else 0


def _in_turns(packs: Sequence[Pack], options: BenchmarkOptions) -> list[list[Measured | str]]:
    """Of each pack, what each of its processes has measured, or why it could not."""
    runs: list[list[Measured | str]] = [[] for _ in packs]
    with CountedBar("processes") as bar:
        for turn in range(options.rounds):
            for i, pack in enumerate(packs):
                done = turn * len(packs) + i
                bar.show(pack.manifest.name, done, len(packs) * options.rounds)
                if not any(isinstance(run, str) for run in runs[i]):  # once is enough to know
                    runs[i].append(in_a_process(pack, options, with_shares=turn == 0))
    return runs


def in_a_process(pack: Pack, options: BenchmarkOptions, with_shares: bool) -> Measured | str:
    """What a fresh process measures of a pack, or in one line why it could not."""
    command = [sys.executable, "-m", MEASURED_IN, str(pack.path)]
    command += ["--calls", str(options.calls), "--threads", str(options.threads)]
    command += [] if with_shares else ["--no-shares"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    said = done.stderr.splitlines() or [""]
    if done.returncode == USER_ERROR:
        return said[-1].removeprefix("error: ")
    if done.returncode < 0:
        return f"its backend crashed (signal {-done.returncode})"
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        return f"its process ended with exit code {done.returncode}: {said[-1][:200]}"
    return Measured.from_json(lines[-1])  # the ones before it are a native library's


def record_of(pack: Pack, runs: Sequence[Measured | str]) -> Record:
    """All that is known of a pack. runs : at least one"""
    manifest = pack.manifest
    record: Record = {
        "pack": manifest.name,
        "version": manifest.version,
        "path": str(pack.path),
        "backend": " + ".join(
            dict.fromkeys(f"{g.backend} ({g.backend_version})" for g in manifest.graphs.values())
        ),
        "quantization": manifest.quantization,
        "parity": manifest.parity,
        "size_bytes": pack.size_bytes,
        "figures": figures_of(manifest),
        "corpus": {},
        "problem": "",
        "fallbacks": [],
        "notes": [],
    }
    measured = [run for run in runs if isinstance(run, Measured)]
    problems = [run for run in runs if isinstance(run, str)]
    if problems:
        return record | {"problem": problems[0]}
    return record | _together(manifest, measured)


def _together(manifest: Manifest, runs: Sequence[Measured]) -> Record:
    """The processes of one pack as one: medians of what happens once, percentiles of all calls."""
    graphs = _percentiles([run.graphs for run in runs])
    step = graphs.get(STEP_GRAPH)
    peaks = [run.peak_mb for run in runs if run.peak_mb is not None]
    idles = [run.idle_mb for run in runs if run.idle_mb is not None]
    energy = runs[0].energy
    return {
        "load_ms": statistics.median(run.load_ms for run in runs),
        "first_call_ms": statistics.median(
            sum(timed.first_ms for timed in run.graphs.values()) for run in runs
        ),
        "graphs": graphs,
        "sentences": _percentiles([run.sentences for run in runs]),
        "tokens_per_s": 1000 / step["p50_ms"] if step else None,
        "peak_mb": max(peaks) if peaks else None,
        "idle_mb": statistics.median(idles) if idles else None,
        "delegated": {
            graph: {"here": runs[0].delegated.get(graph), "promised": manifest.delegated.get(graph)}
            for graph in graphs
        },
        "energy": None
        if energy is None
        else {"idle_w": energy.idle_w, "busy_w": energy.busy_w, "call_mj": energy.call_mj},
        "fallbacks": fallbacks(manifest.delegated, runs[0].delegated),
        "notes": list(runs[0].notes),
    }


def _percentiles(runs: Sequence[Mapping[str, Timed]]) -> Record:
    """Of what every process has called, by name: its calls in all of them."""
    found: Record = {}
    for name in runs[0]:
        calls = [ms for run in runs for ms in run[name].calls_ms]
        p50, p95 = (float(np.percentile(calls, p)) for p in (50, 95))
        found[name] = {"p50_ms": p50, "p95_ms": p95, "calls": len(calls)}
    return found


def figures_of(manifest: Manifest) -> dict[str, Record]:
    """How right the pack was where it was made, beside its teacher; all in percent.

    Of each figure: value, and where the manifest has them teacher, delta (value - teacher), and
    beside (what the teacher is called there).
    """
    found: dict[str, Record] = {}
    for key, value in manifest.measured.items():
        source, _, name = key.partition(": ")
        if source not in OF_PACK or name.replace(": ", ".").split(".")[-1] not in MAIN_FIGURES:
            continue
        figure: Record = {"value": _percent(name, value)}
        found[name] = figure
        for of_teacher in OF_TEACHER:
            if (teacher := manifest.measured.get(f"{of_teacher}: {name}")) is not None:
                figure["teacher"] = _percent(name, teacher)
                figure["delta"] = figure["value"] - figure["teacher"]
                figure["beside"] = of_teacher
                break
    return dict(sorted(found.items()))


def _percent(name: str, value: float) -> float:
    """An evaluation's figures, "text.bleu4", are percent; an export's own, "set: top1", shares."""
    return value if name == SAME or "." in name.rpartition(": ")[2] else 100 * value


def remarks(records: Iterable[Record]) -> list[str]:
    """What has to be said beside the table, a line each."""
    lines = []
    for record in records:
        name = record["pack"]
        if record["problem"]:
            lines.append(f"{name}: not measured: {record['problem']}")
        lines += [f"{name}: SILENT FALLBACK: {line}" for line in record["fallbacks"]]
        lines += [f"{name}: {line}" for line in record["notes"]]
    return lines


def table_rows(records: Sequence[Record]) -> list[tuple[str, ...]]:
    """A heading, then what was measured: its name, and a text for each pack; no empty rows."""
    rows = [
        ("", *(f"{r['pack']} {r['version']}" for r in records)),
        ("backend", *(r["backend"] for r in records)),
        ("quantization", *(r["quantization"] for r in records)),
        ("parity", *("" if r["parity"] == "run" else r["parity"] for r in records)),
        ("size, MB", *(f"{r['size_bytes'] / 1e6:.2f}" for r in records)),
        ("load, ms", *(_number(r, "load_ms", ".0f") for r in records)),
        ("first call, ms", *(_number(r, "first_call_ms", ".1f") for r in records)),
    ]
    of_packs = {graph for r in records for graph in r.get("graphs", ())}
    for graph in sorted(of_packs, key=_turn):
        rows.append((f"{graph}, p50 / p95 ms", *(_times(r, "graphs", graph) for r in records)))
    for name in dict.fromkeys(name for r in records for name in r.get("sentences", ())):
        rows.append((f"{name}, p50 / p95 ms", *(_times(r, "sentences", name) for r in records)))
    rows += [
        ("tokens a second", *(_number(r, "tokens_per_s", ".0f") for r in records)),
        ("peak memory, MB", *(_number(r, "peak_mb", ".0f") for r in records)),
        ("delegated operators", *(_delegated(r) for r in records)),
        ("energy of a window, mJ", *(_energy(r) for r in records)),
    ]
    for name in dict.fromkeys(name for r in records for name in r["figures"]):
        rows.append((f"{name}, %", *(_figure(r["figures"].get(name)) for r in records)))
    for name in dict.fromkeys(name for r in records for name in r["corpus"]):
        rows.append((f"here: {name}, %", *(_number(r["corpus"], name, ".1f") for r in records)))
    return [row for row in rows if row is rows[0] or any(row[1:])]


def markdown(records: Sequence[Record]) -> str:
    """The table for a page of documentation."""
    heading, *rows = [[cell.replace("|", "\\|") for cell in row] for row in table_rows(records)]
    lines = [heading, ["---"] + ["---:"] * len(records), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _number(figures: Record, key: str, form: str) -> str:
    value = figures.get(key)
    return "" if value is None else format(value, form)


def _times(record: Record, kind: str, name: str) -> str:
    times = record.get(kind, {}).get(name)
    return f"{_ms(times['p50_ms'])} / {_ms(times['p95_ms'])}" if times else ""


def _turn(graph: str) -> tuple[int, str]:
    """Graphs in the order that a device runs them in; unknown ones after these."""
    return (GRAPHS.index(graph) if graph in GRAPHS else len(GRAPHS)), graph


def _ms(value: float) -> str:
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def _delegated(record: Record) -> str:
    """Of the graph with the least: "92 % (encode)", here, or as the pack was built."""
    shares = []
    for graph, share in record.get("delegated", {}).items():
        here, promised = share["here"], share["promised"]
        if here is not None:
            shares.append((here, f"{here:.0%} ({graph})"))
        elif promised is not None:
            shares.append((promised, f"{promised:.0%} ({graph}), as built"))
    return min(shares)[1] if shares else ""


def _energy(record: Record) -> str:
    energy = record.get("energy")
    if not energy:
        return ""
    return f"{energy['call_mj']:.1f} ({window_graph(record['graphs'])})"


def _figure(figure: Record | None) -> str:
    if figure is None:
        return ""
    if "delta" not in figure:
        return f"{figure['value']:.1f}"
    return f"{figure['value']:.1f} ({figure['delta']:+.1f} to the {figure['beside']})"
