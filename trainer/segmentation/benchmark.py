"""How well signs are found: the attention of MS-MAE against the hands' speed.

    python -m fingerpost.trainer.segmentation.benchmark CHECKPOINT --signer SHARDS --signs SHARDS

Two kinds of sentences whose spans are known: of the rendered signer (``fingerpost shards
make-signer``), and real clips of single signs spliced into sentences (``splice``). ``--tune``
chooses the settings of every way on dev sentences, one set for both kinds, and prints them; the
table is always of test sentences. Cuts at an even distance say what chance does.
"""

import argparse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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
from fingerpost.trainer.segmentation.segmenter import (
    AttentionSettings,
    attention_boundaries,
    hurry,
)
from fingerpost.trainer.segmentation.spans import Span
from fingerpost.trainer.segmentation.spliced_corpus import spliced_sentences
from fingerpost.trainer.segmentation.stretches import signing_stretches, spans_between
from fingerpost.trainer.segmentation.velocity import (
    HAND_WAYS,
    VelocitySettings,
    hand_speed,
    velocity_boundaries,
)
from fingerpost.trainer.shards import open_shards

ROUNDS = 2  # of tuning, one setting after another


@dataclass(frozen=True)
class EvenSettings:
    """step_ms : between two cuts; way_ms : see ``spans_between``"""

    step_ms: float = 800.0
    way_ms: float = 160.0


@dataclass(frozen=True)
class Sentence:
    """truth : its signs; stretches : see ``signing_stretches``; band : of the attention

    speeds : of ``hand_speed``, by the hands; hurry : of ``hurry``
    """

    sequence: PoseSequence
    truth: list[Span]
    stretches: list[tuple[int, int]]
    band: AttentionBand
    speeds: dict[str, np.ndarray]
    hurry: np.ndarray


Kinds = dict[str, list[Sentence]]
Cutter = Callable[[Sentence, Any], list[float]]  # a sentence and settings to boundaries in ms


def prepared(clips: Iterable[Clip], reader: Reader) -> list[Sentence]:
    """What all ways of cutting need of sentences, made once."""
    made = []
    for clip in clips:
        sequence, start_ms = clip.sequence, clip.sequence.start_ms
        band = attention_band(reader, sequence)
        made.append(
            Sentence(
                sequence,
                [Span(start_ms + start, start_ms + end) for start, end in clip.spans],
                signing_stretches(sequence),
                band,
                {hands: hand_speed(sequence, hands) for hands in HAND_WAYS},
                hurry(sequence, band),
            )
        )
    return made


def cut_by_attention(sentence: Sentence, settings: AttentionSettings) -> list[float]:
    return attention_boundaries(sentence.band, sentence.stretches, settings, sentence.hurry)


def cut_by_speed(sentence: Sentence, settings: VelocitySettings) -> list[float]:
    return velocity_boundaries(sentence.sequence, settings, sentence.speeds[settings.hands])


def cut_evenly(sentence: Sentence, settings: EvenSettings) -> list[float]:
    return [
        float(time)
        for start, end in sentence.stretches
        for time in np.linspace(start, end, 1 + max(1, round((end - start) / settings.step_ms)))
    ]


_OF_SPEED: dict[str, tuple] = {
    "smooth_ms": (0.0, 40.0, 80.0, 120.0, 200.0),
    "depth": (0.1, 0.4, 0.8, 1.6, 2.4, 3.2),
    "min_sign_ms": (240.0, 400.0, 560.0, 720.0, 880.0),
    "hands": HAND_WAYS,
    "way_ms": (0.0, 80.0, 160.0, 240.0),
}
_OF_ATTENTION: dict[str, tuple] = {
    "cost": (0.5, 1.0, 2.0, 3.0, 4.0),
    "shortest_ms": (240.0, 400.0, 560.0),
    "longest_ms": (1200.0, 1600.0, 2400.0),
    "way_ms": (0.0, 80.0, 160.0, 240.0),
}
# Name of a way: how it cuts, its settings, and what tuning may choose of.
WAYS: dict[str, tuple[Cutter, Any, Mapping[str, tuple]]] = {
    "attention and speed": (
        cut_by_attention,
        AttentionSettings(),
        {**_OF_ATTENTION, "speed": (0.5, 1.0, 2.0, 3.0, 4.0)},
    ),
    "attention alone": (cut_by_attention, AttentionSettings(speed=0.0), _OF_ATTENTION),
    "slowest": (cut_by_speed, VelocitySettings(), _OF_SPEED),
    "fastest": (cut_by_speed, VelocitySettings(cut_at="fastest"), _OF_SPEED),
    "evenly": (
        cut_evenly,
        EvenSettings(),
        {
            "step_ms": (400.0, 500.0, 600.0, 700.0, 800.0, 900.0, 1000.0, 1200.0),
            "way_ms": (0.0, 80.0, 160.0, 240.0),
        },
    ),
}


def score_of(sentences: Iterable[Sentence], cutter: Cutter, settings: Any) -> SpanScore:
    """The score of all sentences together."""
    total = SpanScore()
    for sentence in sentences:
        cuts = cutter(sentence, settings)
        spans = spans_between(sentence.stretches, cuts, settings.way_ms)
        total += score_spans(sentence.truth, spans)
    return total


def tuned(
    kinds: Kinds, cutter: Cutter, settings: Any, choices: Mapping[str, tuple]
) -> tuple[Any, float]:
    """The best settings, one field chosen after another, and their merit.

    Merit is the mean over kinds of F1 and IoU: boundaries that are hit count as well as spans that
    are whole.
    """

    def merit(tried: Any) -> float:
        scores = [score_of(sentences, cutter, tried) for sentences in kinds.values()]
        return float(np.mean([(score.f1 + score.iou) / 2 for score in scores]))

    best = merit(settings)
    for _ in range(ROUNDS):
        for name, values in choices.items():
            for value in values:
                tried = replace(settings, **{name: value})
                if tried != settings and (found := merit(tried)) > best:
                    settings, best = tried, found
    return settings, best


def read_kinds(
    signer: Path, signs: Path, reader: Reader, n: int, dev: bool, seed: int = 0
) -> Kinds:
    """n sentences of each kind. Dev: the signer's val and WLASL's train; test: test and val.

    signer, signs : shards of the rendered signer, and of single signs
    """
    shards = open_shards(signer).in_split("val" if dev else "test")
    lengths = [len(spans) // 2 for spans in shards.column("spans")]
    chosen = [i for i, length in enumerate(lengths) if length > 1][:n]
    if not chosen:
        raise ValueError(f"{signer} does not say when signs are signed; make it again")
    single = open_shards(signs).in_split("train" if dev else "val")
    return {
        "rendered signer": prepared(shards.only(chosen), reader),
        "spliced clips": prepared(spliced_sentences(single, n, seed), reader),
    }


def table(kinds: Kinds, settings: Mapping[str, Any]) -> list[str]:
    """Lines of a Markdown table, in percent. settings : by the name of the way"""
    lines = ["| sentences | cut by | F1 | precision | recall | IoU |", "|---|---|---|---|---|---|"]
    for kind, sentences in kinds.items():
        for name, chosen in settings.items():
            score = score_of(sentences, WAYS[name][0], chosen)
            figures = score.f1, score.precision, score.recall, score.iou
            shown = " | ".join(f"{100 * figure:.1f}" for figure in figures)
            lines.append(f"| {kind} | {name} | {shown} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--signer", type=Path, required=True, help="shards of the rendered signer")
    parser.add_argument("--signs", type=Path, required=True, help="shards of single signs")
    parser.add_argument("--sentences", type=int, default=300, help="of each kind")
    parser.add_argument("--tune", type=int, default=0, metavar="N", help="on N dev sentences")
    given = parser.parse_args()
    settings = {name: chosen for name, (_, chosen, _) in WAYS.items()}
    try:
        reader = open_reader(given.checkpoint)
        if given.tune:
            dev = read_kinds(given.signer, given.signs, reader, given.tune, dev=True)
            for name, way in WAYS.items():
                settings[name], merit = tuned(dev, *way)
                print(f"{merit:.4f} {name}: {settings[name]}", flush=True)
        test = read_kinds(given.signer, given.signs, reader, given.sentences, dev=False)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print("\n".join(table(test, settings)))


if __name__ == "__main__":
    main()
