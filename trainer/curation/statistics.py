"""How long clips and their texts are, and how many words there are: of what curation has made.

"Uni-Sign: Toward Unified Sign Language Understanding at Scale", Fig. 2 "Distribution of video
durations and text lengths" and Fig. 8 "Vocabulary distribution". CSL-News, Sec. 3.1 and Table 1:
751,320 clips, 1,985 hours, 9.5 seconds a clip and 40 words a text, 5K different words, where a
word is a Chinese character. So it is here: a character of Chinese, Japanese or Thai is a word; in
other languages a word is what stands between spaces, in small letters and without punctuation.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fingerpost.trainer.curation.records import (
    RECORDS,
    STATISTICS,
    Record,
    finished_records,
    write_whole,
)
from fingerpost.trainer.curation.words import UNSPACED

CSL_NEWS_SECONDS, CSL_NEWS_WORDS = 9.5, 40  # means, Sec. 3.1
BIN_SECONDS, BIN_WORDS = 1, 5  # of the histograms
N_FREQUENT = 50
_WORD = re.compile(rf"[{UNSPACED}]|[^\W_{UNSPACED}]+(?:['’.,-][^\W_{UNSPACED}]+)*")


def words_of(text: str) -> list[str]:
    """The words of a text as they are counted: "It's 3.5 km, 公里." to it's, 3.5, km, 公, 里."""
    return _WORD.findall(text.lower())


def statistics(records: Sequence[Record]) -> dict[str, Any]:
    """Figures of all the clips together. Histograms are lists of counts from 0 on, in bins."""
    seconds = [clip.n_frames / record.fps for record in records for clip in record.clips]
    texts = [words_of(clip.text) for record in records for clip in record.clips]
    vocabulary = Counter(word for text in texts for word in text)
    dropped: Counter[str] = Counter()
    for record in records:
        dropped.update(record.counts())
    return {
        "videos": len(records),
        "clips": len(seconds),
        "hours": round(sum(seconds) / 3600, 4),
        "clip_seconds": _distribution(seconds, BIN_SECONDS),
        "text_words": _distribution([len(text) for text in texts], BIN_WORDS),
        "words": vocabulary.total(),
        "vocabulary": len(vocabulary),
        "words_once": sum(n == 1 for n in vocabulary.values()),
        "frequent_words": vocabulary.most_common(N_FREQUENT),
        "cut_at": dict(Counter(clip.cut for record in records for clip in record.clips)),
        "dropped": dict(dropped.most_common()),
        "csl_news": {"mean_clip_seconds": CSL_NEWS_SECONDS, "mean_text_words": CSL_NEWS_WORDS},
    }


def write_statistics(folder: Path) -> dict[str, Any]:
    """The figures of a folder's finished videos, as .json and .png in its curated/."""
    records = finished_records(folder)
    figures = statistics(records)
    path = folder / RECORDS / f"{STATISTICS}.json"
    write_whole(path, json.dumps(figures, ensure_ascii=False, indent=1) + "\n")
    counts = Counter(w for r in records for clip in r.clips for w in words_of(clip.text))
    draw_statistics(figures, sorted(counts.values(), reverse=True), path.with_suffix(".png"))
    return figures


def draw_statistics(figures: dict[str, Any], counts: Sequence[int], path: Path) -> None:
    """Fig. 2 and Fig. 8 of the paper. counts : how often each word is there, the highest first"""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 3.8), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    length, text, vocabulary = figure.subplots(1, 3)
    _draw_histogram(length, figures["clip_seconds"], "seconds", CSL_NEWS_SECONDS)
    length.set_title(f"{figures['clips']:,} clips, {_duration(figures['hours'])}")
    _draw_histogram(text, figures["text_words"], "words (Chinese: characters)", CSL_NEWS_WORDS)
    text.set_title(f"{figures['words']:,} words in their texts")
    vocabulary.loglog(range(1, len(counts) + 1), counts, ".-", color="#2f6db3", markersize=3)
    for axis in (vocabulary.xaxis, vocabulary.yaxis):
        axis.set_major_formatter("{x:,g}")
        axis.set_minor_formatter("")
    vocabulary.set(xlabel="rank of the word", ylabel="how often it is there")
    vocabulary.set_title(f"{figures['vocabulary']:,} different words")
    for axes in (length, text, vocabulary):
        axes.spines[["top", "right"]].set_visible(False)
    partial = path.with_name(f".{path.stem}.{os.getpid()}.part.png")
    figure.savefig(partial)
    os.replace(partial, path)


def _distribution(values: Iterable[float], width: int) -> dict[str, Any]:
    """Mean, quartiles, extremes, and counts in bins: [0, width), [width, 2 width) and so on."""
    values = np.array(list(values), float)
    if not len(values):
        return {"mean": 0.0, "bin": width, "counts": []}
    named = ("least", "quarter", "median", "three_quarters", "most")
    quantiles = np.quantile(values, [0, 0.25, 0.5, 0.75, 1])
    return {
        "mean": round(float(values.mean()), 3),
        **{name: round(float(value), 3) for name, value in zip(named, quantiles, strict=True)},
        "bin": width,
        "counts": np.bincount((values // width).astype(int)).tolist(),
    }


def _draw_histogram(axes: Any, values: dict[str, Any], unit: str, of_csl_news: float) -> None:
    counts, width = values["counts"], values["bin"]
    axes.bar(np.arange(len(counts)) * width, counts, width, align="edge", color="#9dbfe6", ec="w")
    axes.axvline(values["mean"], color="#2f6db3", label=f"mean {values['mean']:.1f}")
    axes.axvline(of_csl_news, color="#999", ls="--", label=f"CSL-News {of_csl_news:g}")
    axes.set(xlabel=unit, ylabel="clips", xlim=(0, None))
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.legend(frameon=False)


def _duration(hours: float) -> str:
    return f"{hours:,.1f} hours" if hours >= 1 else f"{hours * 60:.1f} minutes"
