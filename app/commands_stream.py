"""``fingerpost benchmark --stream``: live translation, measured like a speech recogniser.

What is measured comes as plain figures (trainer/evaluate_live.py); here they become a table.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from fingerpost.app.terminal import CountedBar, print_columns, print_json
from fingerpost.edge_runtime.pack import Pack, PackStore, open_pack

Progress = Callable[[int, int], None]  # streams that are done, of how many
MeasureLive = Callable[[Pack, Progress], dict[str, Any]]


class Row(NamedTuple):
    """A figure of the table. goal : what it should be, at most or at least; form : of a number"""

    figure: str
    name: str
    form: str
    goal: float | None = None
    at_least: bool = False


ROWS = (
    Row("streaming_wer_percent", "gloss WER, streaming, %", ".1f", 12),
    Row("final_wer_percent", "gloss WER, final, %", ".1f", 8),
    Row("bleu4_percent", "BLEU-4 of final lines", ".1f", 55, at_least=True),
    Row("exact_percent", "sentences right to the letter, %", ".1f"),
    Row("false_lines_per_idle_minute", "false lines per idle minute", ".2f", 0.2),
    Row("sign_delay_p50_ms", "end of a sign to its stable gloss, p50, ms", ".0f"),
    Row("sign_delay_p95_ms", "the same, p95", ".0f", 600),
    Row("final_delay_p50_ms", "end of a sentence to its final line, p50, ms", ".0f"),
    Row("final_delay_p95_ms", "the same, p95", ".0f"),
    Row("final_computing_p50_ms", "computing of a final line, p50, ms", ".1f"),
    Row("final_computing_p95_ms", "the same, p95", ".1f", 400),
    Row("answer_delay_p95_ms", "the same with the computing, p95", ".0f", 1600),
    Row("flicker_percent", "flicker of partials, %", ".1f", 5),
    Row("real_time_factor", "real-time factor after the landmarks", ".4f", 0.1),
    Row("stream_minutes", "minutes of stream", ".1f"),
    Row("idle_minutes", "of them idle", ".1f"),
    Row("streams", "streams: signers, cameras, speeds", "d"),
    Row("sentences", "sentences", "d"),
    Row("signs", "signs", "d"),
)
GOALS_OF_REAL_SIGNS = {
    "streaming_wer_percent": 35.0,
    "final_wer_percent": 35.0,
    "bleu4_percent": 25.0,
}


def run_stream(
    names: Sequence[str], measure: MeasureLive, style: str, goals: Mapping[str, float] | None = None
) -> int:
    """Measures packs one after the other and prints one table; returns the exit code.

    style : table or json
    goals : by figure, where they are not those of ``ROWS``

    ValueError, and nothing measured, where a name is no sound pack.
    """
    packs = [open_pack(PackStore().find(name)) for name in names]
    rows = [row._replace(goal=(goals or {}).get(row.figure, row.goal)) for row in ROWS]
    records = []
    with CountedBar("streams") as bar:
        for pack in packs:
            name = pack.manifest.name

            def show(done: int, n: int, name: str = name) -> None:
                bar.show(name, done, n)

            figures = measure(pack, show)
            about = {"pack": name, "version": pack.manifest.version, "path": str(pack.path)}
            records.append(about | {"figures": figures, "missed": missed(figures, rows)})
    if style == "json":
        print_json(records)
    else:
        print_columns(table_rows(records, rows))
    return 0


def missed(figures: dict[str, Any], rows: Sequence[Row] = ROWS) -> list[str]:
    """The figures that are not what they should be; what was not measured is not missed."""
    return [row.figure for row in rows if meets(row, figures.get(row.figure)) is False]


def meets(row: Row, value: float | None) -> bool | None:
    """Whether a figure is what it should be; None where nobody can say."""
    if row.goal is None or value is None:
        return None
    return value >= row.goal if row.at_least else value <= row.goal


def table_rows(
    records: Sequence[dict[str, Any]], asked: Sequence[Row] = ROWS
) -> list[tuple[str, ...]]:
    """A heading, then of each figure its name, what it should be, and a text for each pack."""
    rows = [("", "asked", *(f"{r['pack']} {r['version']}" for r in records))]
    for row in asked:
        cells = (_cell(row, r["figures"].get(row.figure)) for r in records)
        rows.append((row.name, _goal(row), *cells))
    return rows


def _goal(row: Row) -> str:
    if row.goal is None:
        return ""
    return f"{'≥' if row.at_least else '≤'} {row.goal:g}"


def _cell(row: Row, value: float | None) -> str:
    if value is None:
        return "not measured"
    return format(value, row.form) + (" ✗" if meets(row, value) is False else "")
