"""Live translation with bad cameras: with and without what is done about them.

    python tests/bench/bench_trouble.py PACK [--minutes 10] [--seed 51] [--trouble NAME ...]

Streams of the rendered signer as ``fingerpost benchmark --stream`` makes them, each trouble of
``fingerpost.trainer.troubled_streams`` done to the same ones. "plain" is without following one
person, without filling in lost hands, and with everybody taken for right-handed. Each cell
shows plain → as it is.
"""

import argparse
import json
from dataclasses import replace

from fingerpost.app.terminal import print_columns
from fingerpost.edge_runtime.live_translator import LiveTranslator
from fingerpost.edge_runtime.pack import Pack, open_pack
from fingerpost.edge_runtime.replay import replay_stream
from fingerpost.edge_runtime.translator import Translator
from fingerpost.trainer.evaluate_live import figures_of
from fingerpost.trainer.live_scores import score_replays
from fingerpost.trainer.streams import Stream
from fingerpost.trainer.troubled_streams import trouble_names, troubled_streams

PLAIN = {"away_ms": 0, "fill_ms": 0}
COLUMNS = {
    "streaming_wer_percent": ("streaming WER %", ".1f"),
    "final_wer_percent": ("final WER %", ".1f"),
    "exact_percent": ("exact %", ".0f"),
    "false_lines_per_idle_minute": ("false/min", ".2f"),
    "sign_delay_p95_ms": ("sign p95", ".0f"),
    "answer_delay_p95_ms": ("final p95", ".0f"),
}


def plain(pack: Pack) -> Pack:
    """The pack with all that steadies a stream turned off."""
    manifest = pack.manifest
    return replace(pack, manifest=replace(manifest, settings={**manifest.settings, **PLAIN}))


def measure(
    pack: Pack, translator: Translator, streams: list[Stream], dominant_hand: str
) -> dict[str, float | int | None]:
    """The figures of ``fingerpost benchmark --stream``."""
    replays = []
    for stream in streams:
        live = LiveTranslator(
            pack,
            stream.schema,
            stream.aspect,
            translator=translator,
            dominant_hand=dominant_hand,
        )
        replays.append((stream, replay_stream(live, stream.frames)))
    return figures_of(score_replays(replays))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pack", help="of the task translation")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=51)
    parser.add_argument("--trouble", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each trouble")
    parser.add_argument("--markdown", action="store_true", help="a table for docs/live.md")
    given = parser.parse_args()
    pack = open_pack(given.pack)
    translator = Translator(pack)
    rows = [["", *(name for name, _ in COLUMNS.values())]]
    for name in trouble_names(given.trouble):
        streams = troubled_streams(name, given.minutes, given.seed)
        before = measure(plain(pack), translator, streams, "right")
        after = measure(pack, translator, streams, "auto")
        if given.json:
            print(json.dumps({"trouble": name, "plain": before, "steadied": after}), flush=True)
        pairs = ((before[figure], after[figure], form) for figure, (_, form) in COLUMNS.items())
        rows.append([name, *(" → ".join(_cell(v, form) for v in two) for *two, form in pairs)])
    if given.markdown:
        rows.insert(1, ["---", *["---:"] * len(COLUMNS)])
        print("\n".join(f"| {' | '.join(row)} |" for row in rows))
    elif not given.json:
        print_columns(rows)


def _cell(value: float | int | None, form: str) -> str:
    return "none" if value is None else format(value, form)


if __name__ == "__main__":
    main()
