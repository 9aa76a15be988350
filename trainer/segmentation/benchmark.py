"""How well signs are found: the attention of MS-MAE against the hands' slowest points.

    python -m fingerpost.trainer.segmentation.benchmark CHECKPOINT --signer SHARDS --signs SHARDS

Two kinds of sentences whose spans are known: of the rendered signer (``fingerpost shards
make-signer``), and real clips of single signs spliced into sentences (``splice``). ``--tune``
chooses the settings of both ways on dev sentences, the same for both kinds, by the mean of both F1;
the figures are always of the test sentences. Cuts at an even distance say what chance does.
"""

import argparse
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.trainer.clip_tables import Clip
from fingerpost.trainer.segmentation.attention import (
    AttentionBand,
    Reader,
    attention_band,
    open_reader,
)
from fingerpost.trainer.segmentation.score import SpanScore, score_spans
from fingerpost.trainer.segmentation.segmenter import AttentionSettings, attention_boundaries
from fingerpost.trainer.segmentation.spans import Span
from fingerpost.trainer.segmentation.spliced_corpus import spliced_sentences
from fingerpost.trainer.segmentation.stretches import signing_stretches, spans_between
from fingerpost.trainer.segmentation.velocity import VelocitySettings, velocity_boundaries
from fingerpost.trainer.shards import open_shards

ATTENTION_GRID = [
    AttentionSettings(*values)
    for values in itertools.product(
        (0.0, 0.5, 1.0, 1.5, 2.0, 3.0), (240.0, 400.0), (1500.0, 2400.0), (80.0, 160.0, 240.0)
    )
]
VELOCITY_GRID = [
    VelocitySettings(*values)
    for values in itertools.product(
        (40.0, 80.0, 120.0, 160.0),
        (0.1, 0.2, 0.4, 0.8, 1.2),
        (160.0, 240.0, 400.0, 560.0),
        (80.0, 160.0, 240.0),
        ("fastest", "sum", "wrists"),
    )
]
EVEN_GRID = [300.0, 400.0, 500.0, 600.0, 700.0, 800.0, 900.0, 1000.0, 1200.0, 1500.0]  # ms


@dataclass(frozen=True)
class Sentence:
    """truth : its signs; stretches : see ``signing_stretches``; band : of the attention"""

    sequence: PoseSequence
    truth: list[Span]
    stretches: list[tuple[int, int]]
    band: AttentionBand


Kinds = dict[str, list[Sentence]]  # by kind: signer, spliced
Way = Callable[[Sentence], list[Span]]


def prepared(clips: Iterable[Clip], reader: Reader) -> list[Sentence]:
    """What all ways of segmenting need of sentences, made once."""
    return [
        Sentence(
            clip.sequence,
            [
                Span(clip.sequence.start_ms + start, clip.sequence.start_ms + end)
                for start, end in clip.spans
            ],
            signing_stretches(clip.sequence),
            attention_band(reader, clip.sequence),
        )
        for clip in clips
    ]


def by_attention(settings: AttentionSettings) -> Way:
    def way(sentence: Sentence) -> list[Span]:
        found = attention_boundaries(sentence.band, sentence.stretches, settings)
        return spans_between(sentence.stretches, found, settings.way_ms)

    return way


def by_velocity(settings: VelocitySettings) -> Way:
    def way(sentence: Sentence) -> list[Span]:
        found = velocity_boundaries(sentence.sequence, settings)
        return spans_between(sentence.stretches, found, settings.way_ms)

    return way


def evenly(step_ms: float) -> Way:
    def way(sentence: Sentence) -> list[Span]:
        found = [
            float(time)
            for start, end in sentence.stretches
            for time in np.linspace(start, end, 1 + max(1, round((end - start) / step_ms)))
        ]
        return spans_between(sentence.stretches, found, 160.0)

    return way


def score_of(sentences: Iterable[Sentence], way: Way) -> SpanScore:
    """The score of all sentences together."""
    return sum((score_spans(s.truth, way(s)) for s in sentences), SpanScore())


def best_way(kinds: Kinds, ways: Sequence[Way]) -> int:
    """The number of the way with the best mean F1 over the kinds; mean IoU decides between equals.

    The mean of F1 and IoU: spans that are cut well count as well as boundaries that are hit.
    """
    scores = [[score_of(sentences, way) for sentences in kinds.values()] for way in ways]
    merits = [sum(score.f1 + score.iou for score in of_way) for of_way in scores]
    return int(np.argmax(merits))


def read_kinds(
    signer: Path, signs: Path, reader: Reader, n: int, dev: bool, seed: int = 0
) -> Kinds:
    """n sentences of each kind. Dev: signer's val, WLASL's train; test: signer's test, WLASL's val.

    Of the rendered signer only sentences, no single signs.
    """
    shards = open_shards(signer).in_split("val" if dev else "test")
    chosen = [i for i, glosses in enumerate(shards.column("glosses")) if len(glosses) > 1][:n]
    if not any(shards[i].spans for i in chosen):
        raise ValueError(f"{signer} does not say when signs are signed; make it again")
    single = open_shards(signs).in_split("train" if dev else "val")
    return {
        "rendered signer": prepared(shards.only(chosen), reader),
        "spliced clips": prepared(spliced_sentences(single, n, seed), reader),
    }


def table(kinds: Kinds, ways: dict[str, Way]) -> list[str]:
    """Lines of a Markdown table."""
    lines = ["| sentences | way | F1 | precision | recall | IoU |", "|---|---|---|---|---|---|"]
    for kind, sentences in kinds.items():
        for name, way in ways.items():
            score = score_of(sentences, way)
            figures = score.f1, score.precision, score.recall, score.iou
            lines.append(
                f"| {kind} | {name} | " + " | ".join(f"{100 * x:.1f}" for x in figures) + " |"
            )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--signer", type=Path, required=True, help="shards of the rendered signer")
    parser.add_argument("--signs", type=Path, required=True, help="shards of single signs")
    parser.add_argument("--sentences", type=int, default=300, help="of each kind")
    parser.add_argument("--tune", action="store_true", help="choose the settings on dev sentences")
    given = parser.parse_args()
    try:
        reader = open_reader(given.checkpoint)
        attention, velocity, step_ms = AttentionSettings(), VelocitySettings(), 800.0
        if given.tune:
            dev = read_kinds(given.signer, given.signs, reader, given.sentences, dev=True)
            attention = ATTENTION_GRID[best_way(dev, [by_attention(s) for s in ATTENTION_GRID])]
            velocity = VELOCITY_GRID[best_way(dev, [by_velocity(s) for s in VELOCITY_GRID])]
            step_ms = EVEN_GRID[best_way(dev, [evenly(s) for s in EVEN_GRID])]
            print(f"{attention}\n{velocity}\neven {step_ms:g} ms")
        test = read_kinds(given.signer, given.signs, reader, given.sentences, dev=False)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    ways = {
        "attention": by_attention(attention),
        "velocity": by_velocity(velocity),
        "even": evenly(step_ms),
    }
    print("\n".join(table(test, ways)))


if __name__ == "__main__":
    main()
