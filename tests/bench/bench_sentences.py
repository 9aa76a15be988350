"""Whole sentences by translation packs side by side: milliseconds, real-time factor, BLEU.

    python tests/bench/bench_sentences.py PACK... --corpus SHARDS [--split test] [--clips 0]

Each pack is asked about each clip through edge_runtime, with preprocessing and search, in turns, so
that a busy machine slows all of them alike. A pack with experts has a row for each k. Printed are
the median and the 95th percentile of milliseconds of processor time, what share of the sentences'
own length they are together, and the figures of the answers.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from fingerpost.distill.judge_pack import translator_answers
from fingerpost.edge_runtime.experts import ExpertTranslator
from fingerpost.edge_runtime.pack import Pack, open_pack
from fingerpost.edge_runtime.translator import Translator
from fingerpost.trainer.evaluate import Answers, main_figures
from fingerpost.trainer.feed import Clips


def translators_of(pack: Pack) -> dict[str, Translator]:
    name, experts = pack.manifest.name, pack.manifest.experts
    if experts is None:
        return {name: Translator(pack)}
    ks = range(1, len(experts.names) + 1)
    return {f"{name}, k = {k}": ExpertTranslator(pack, k=k) for k in ks}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packs", nargs="+", type=Path)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--clips", type=int, default=0, help="so many of them; 0 for all")
    given = parser.parse_args()
    packs = [open_pack(path) for path in given.packs]
    asked = {name: one for pack in packs for name, one in translators_of(pack).items()}
    clips = Clips([given.corpus], given.split)
    chosen = [clips[i] for i in range(given.clips or len(clips))]
    for translator in asked.values():  # what is built on a first call is not a sentence's
        translator_answers(translator, chosen[:1])
    answers: dict[str, Answers] = {name: {} for name in asked}
    seconds: dict[str, list[float]] = {name: [] for name in asked}
    for clip in chosen:
        for name, translator in asked.items():
            start = time.process_time()
            for kind, said in translator_answers(translator, [clip]).items():
                answers[name].setdefault(kind, []).extend(said)
            seconds[name].append(time.process_time() - start)
    lengths = sum(len(clip.sequence) / clip.sequence.fps for clip in chosen)
    sizes = {pack.manifest.name: pack.size_bytes for pack in packs}
    print(f"{len(chosen)} sentences of {lengths / len(chosen):.1f} s on average")
    for name, taken in seconds.items():
        middle, late = 1000 * np.percentile(taken, (50, 95))
        found = main_figures(answers[name], clips.text_language)
        figures = ", ".join(f"{kind} {value:.1f}" for kind, value in found.items())
        size = sizes[name.partition(", k = ")[0]] / 1e6
        factor = sum(taken) / lengths
        print(f"{name}: {size:.2f} MB, p50 {middle:.1f}, p95 {late:.1f} ms, real-time factor "
              f"{factor:.4f}, {figures}")  # fmt: skip


if __name__ == "__main__":
    main()
