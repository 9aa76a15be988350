"""Signing whose subtitles come at the wrong time: how well they are moved, and how fast.

    python tests/bench/bench_align.py [STREAM...] [--checkpoint RUN]

A stream is a folder that ``fingerpost shards make-streams`` wrote; without one, five minutes are
made. Scored are the subtitles as they come, as motion alone moves them and, with a checkpoint, as
its model does: by its answers, and by how likely it thinks each text. CPU seconds are those of this
process with all its threads, from keypoints in memory to new times.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from fingerpost.app.terminal import CountedBar, print_columns
from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.edge_runtime.timed_text import Cue
from fingerpost.trainer.sentences.subtitle_streams import (
    SubtitleStream,
    make_subtitle_stream,
    read_subtitle_stream,
)
from fingerpost.trainer.subtitles.aligner import Question, WindowReader, align_subtitles
from fingerpost.trainer.subtitles.placing import Listener
from fingerpost.trainer.subtitles.scores import OVERLAPS, Placed, Times, score_alignments

MADE_MINUTES = 5

Pairs = list[tuple[Times, Placed]]


class Answers:
    """A model that is asked for digits, though it may know better."""

    def __init__(self, reader: WindowReader) -> None:
        self.reader = reader
        self.view, self.fps, self.n_frames = reader.view, reader.fps, reader.n_frames

    def listener(self, sequence: PoseSequence, texts: Sequence[str]) -> Listener | None:
        return None

    def spans(
        self, sequence: PoseSequence, questions: Sequence[Question]
    ) -> list[tuple[float, float] | None]:
        return self.reader.spans(sequence, questions)


def times_of(cues: tuple[Cue, ...]) -> list[tuple[int, int]]:
    return [(cue.start_ms, cue.end_ms) for cue in cues]


def moved_by(reader: WindowReader | None, stream: SubtitleStream) -> tuple[Placed, float]:
    """Where a stream's subtitles are now, and the CPU seconds that it took."""
    with CountedBar(stream.name) as bar:
        began = time.process_time()
        aligned = align_subtitles(
            *(stream.shifted, stream.sequence, reader),
            tell=lambda done, total: bar.show(stream.name, done, total),
        )
        seconds = time.process_time() - began
    return [placement.span for placement in aligned.placements], seconds


def row(name: str, pairs: Pairs, seconds: str = "") -> list[str]:
    score = score_alignments(pairs)
    figures = [score.accuracy, score.balanced_accuracy, *(score.f1[o] for o in OVERLAPS)]
    return [name, *(f"{figure:.1f}" for figure in figures), seconds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("streams", type=Path, nargs="*")
    parser.add_argument("--checkpoint", type=Path, help="of a training of the task found")
    given = parser.parse_args()
    streams = [read_subtitle_stream(folder) for folder in given.streams]
    streams = streams or [make_subtitle_stream(0, MADE_MINUTES)]
    readers: dict[str, WindowReader | None] = {"motion alone": None}
    if given.checkpoint is not None:
        from fingerpost.trainer.subtitles.found_reader import open_reader

        reader = open_reader(given.checkpoint)
        if "spans" in reader.task.settings.asks:
            readers["by its answers"] = Answers(reader)
        if "text" in reader.task.settings.asks:
            readers["by how likely it thinks texts"] = reader
    lines = [["subtitles", "accuracy", "CB-Acc", *(f"F1@{o:.2f}" for o in OVERLAPS), "CPU s an h"]]
    come: Pairs = [(times_of(stream.cues), times_of(stream.shifted)) for stream in streams]
    lines.append(row("as they come", come))
    hours = sum(stream.sequence.duration_ms for stream in streams) / 3_600_000
    for name, reader in readers.items():
        moved = [moved_by(reader, stream) for stream in streams]
        pairs: Pairs = [
            (times_of(stream.cues), placed)
            for stream, (placed, _) in zip(streams, moved, strict=True)
        ]
        lines.append(row(name, pairs, f"{sum(took for _, took in moved) / hours:.1f}"))
    print_columns(lines)


if __name__ == "__main__":
    main()
