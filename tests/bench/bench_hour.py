"""An hour of live translation: what it costs in memory, and whether streaming changes the answers.

    python tests/bench/bench_hour.py PACK [--minutes 60] [--seed 51]

Five minutes of streams of the rendered signer go through one translator again and again, as if a
camera had run that long. Resident memory is looked at after every minute, and what it has grown
since the first is printed. Then every line of these five minutes is read once more in one piece:
so many must have the same glosses. Linux only: memory is read from /proc.
"""

import argparse
import os
from dataclasses import replace
from itertools import cycle
from pathlib import Path

from fingerpost.app.terminal import CountedBar
from fingerpost.edge_runtime.live_translator import LiveTranslator
from fingerpost.edge_runtime.pack import open_pack
from fingerpost.edge_runtime.translator import Translator
from fingerpost.trainer.streamed_and_whole import read_both, share_same
from fingerpost.trainer.streams import Stream, make_streams

MADE_MINUTES = 5
PAUSE_MS = 1000  # between two streams


def memory_by_minute(live: LiveTranslator, streams: list[Stream], minutes: int) -> list[float]:
    """Resident memory after each minute of stream, MB of 10^6 bytes."""
    megabytes: list[float] = []
    start_ms = 0
    with CountedBar("minutes") as bar:
        for stream in cycle(streams):
            for frame in stream.frames:
                now_ms = start_ms + frame.time_ms
                live.push(replace(frame, time_ms=now_ms))
                if now_ms >= (len(megabytes) + 1) * 60_000:
                    megabytes.append(resident_mb())
                    bar.show("minutes", len(megabytes), minutes)
                    if len(megabytes) == minutes:
                        return megabytes
            start_ms += stream.duration_ms + PAUSE_MS
    raise ValueError("streams without frames last no minute")


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pack", help="of the task translation")
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--seed", type=int, default=51)
    given = parser.parse_args()
    pack = open_pack(given.pack)
    translator = Translator(pack)
    streams = make_streams(MADE_MINUTES, given.seed)
    live = LiveTranslator(pack, streams[0].schema, streams[0].aspect, translator=translator)
    megabytes = memory_by_minute(live, streams, given.minutes)
    growth = 100 * (max(megabytes) / megabytes[0] - 1)
    print(f"memory after minute 1     {megabytes[0]:8.1f} MB")
    print(f"memory after minute {given.minutes:<5d} {megabytes[-1]:8.1f} MB")
    print(f"most since minute 1       {growth:+8.2f} %  (goal: at most 1)")
    pairs = read_both(pack, translator, streams)
    glosses, texts = share_same(pairs)
    print(f"lines read in one piece   {len(pairs):8d}")
    print(f"  with the same glosses   {glosses:8.1f} %  (goal: at least 99)")
    print(f"  and with the same text  {texts:8.1f} %")


if __name__ == "__main__":
    main()
