"""How good a list of predictions is: figures with intervals, signer by signer, as files.

    evaluation = evaluate_predictions("text", predictions, text_language="de")
    write_evaluation(folder, evaluation, predictions)

No model is needed, so the predictions of any other program can be judged by the same rules.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fingerpost.trainer import metrics
from fingerpost.trainer.confusion import Confusion, draw_confusions, most_confused
from fingerpost.trainer.metrics import Measure
from fingerpost.trainer.predictions import (
    Prediction,
    one_line,
    read_predictions,
    write_predictions,
)

METRICS, PREDICTIONS, PICTURE = "metrics.json", "predictions.csv", "confusion.png"
MIN_CLIPS = 10  # of a signer, to be called the worst
MAX_CONFUSED = 50  # pairs in metrics.json
TOP = 5
LABELS = {  # of the figures, in the order of a table
    "top1": "top-1",
    "top5": "top-5",
    "top1_per_class": "top-1 per class",
    "top5_per_class": "top-5 per class",
    "bleu1": "BLEU-1",
    "bleu2": "BLEU-2",
    "bleu3": "BLEU-3",
    "bleu4": "BLEU-4",
    "chrf": "chrF",
    "rouge_l": "ROUGE-L",
    "wer": "WER",
    "cer": "CER",
    "iou": "mean IoU",
    "f1_10": "F1@.10",
    "f1_25": "F1@.25",
    "f1_50": "F1@.50",
    "unexplained": "motion unexplained",
    "unaligned": "InfoNCE, share of guessing",
    "r1": "R@1",
    "r5": "R@5",
}
LOWER_IS_BETTER = {"wer", "cer", "unexplained", "unaligned"}
MAIN_FIGURE = {  # of each kind
    "isolated": "top1",
    "glosses": "wer",
    "live_glosses": "wer",  # as they are shown while somebody signs
    "text": "bleu4",
    "spans": "f1_50",  # of subtitles, one in each window
    "motion": "unexplained",
    "alignment": "unaligned",
    "sign_to_text": "r1",
    "text_to_sign": "r1",
}
UNSPACED = {"ja", "th", "lo", "km", "my"}  # written without blanks between words


@dataclass(frozen=True)
class Figure:
    """A figure in percent; low, high: its 95 % interval, None where none was computed."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class SignerRow:
    """All figures, in percent, of one signer's clips."""

    signer: str
    n_clips: int
    figures: dict[str, float]


@dataclass(frozen=True)
class Evaluation:
    """What was measured, and how.

    kind : a key of ``KINDS``
    figures : by name (``LABELS``), in percent
    errors : substitutions, deletions, insertions and true tokens; {} for isolated signs
    signers : worst first, by the kind's main figure
    worst_signer : the worst of those with min_clips clips or more; "" where there is none
    confused : the pairs most often taken for each other, the most frequent first
    how : what the figures depend on (tokenizer, version, resamples)
    notes : what a reader should know, one sentence each
    """

    kind: str
    text_language: str
    n_clips: int
    figures: dict[str, Figure]
    errors: dict[str, int]
    signers: tuple[SignerRow, ...]
    worst_signer: str
    min_clips: int
    confused: tuple[Confusion, ...]
    how: dict[str, str | int]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Everything, for metrics.json and ``--json``; figures in percent."""
        return {"unit": "percent", "main_figure": MAIN_FIGURE[self.kind], **asdict(self)}


@dataclass(frozen=True)
class _Measured:
    """What a kind of task measures, before it is weighed."""

    measures: dict[str, Measure]
    errors: dict[str, int]
    how: Mapping[str, str | int]
    notes: tuple[str, ...] = ()


def evaluate_predictions(
    kind: str,
    predictions: Sequence[Prediction],
    text_language: str = "",
    *,
    n_resamples: int = 1000,
    seed: int = 0,
    min_clips: int = MIN_CLIPS,
) -> Evaluation:
    """All figures of the kind, with intervals, for the whole and for each signer.

    kind : a key of ``KINDS``: isolated signs, gloss sequences, sentences, motion, or a search
    text_language : of the sentences ("zh", "de", ...); it chooses the tokenizer
    n_resamples : for the intervals; 0 for none, which is quicker
    min_clips : of a signer, to be called the worst

    ValueError where there is nothing to evaluate, an id comes twice, or a ranking does not fit.
    """
    if kind not in KINDS:
        raise ValueError(f"no kind {kind!r} of predictions; known are {', '.join(KINDS)}")
    predictions = _checked(predictions)
    measured = KINDS[kind](predictions, text_language)
    bounds = metrics.intervals(measured.measures, n_resamples, seed)
    figures = {
        name: Figure(measure.value, *bounds.get(name, (None, None)))
        for name, measure in measured.measures.items()
    }
    signers = _signers(predictions, measured.measures, MAIN_FIGURE[kind])
    worst = next((row.signer for row in signers if row.n_clips >= min_clips), "")
    return Evaluation(
        kind=kind,
        text_language=text_language,
        n_clips=len(predictions),
        figures=figures,
        errors=measured.errors,
        signers=signers,
        worst_signer=worst,
        min_clips=min_clips,
        confused=tuple(most_confused(kind, predictions)[:MAX_CONFUSED]),
        how={**measured.how, "resamples": n_resamples if bounds else 0, "seed": seed},
        notes=measured.notes + _notes_on_signers(predictions, worst, min_clips),
    )


def evaluate_file(
    path: Path, kind: str, text_language: str = "", *, n_resamples: int = 1000, seed: int = 0
) -> tuple[Evaluation, list[Prediction]]:
    """The evaluation of a predictions.csv, and what stands in it."""
    predictions = read_predictions(path)
    try:
        evaluation = evaluate_predictions(
            kind, predictions, text_language, n_resamples=n_resamples, seed=seed
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return evaluation, predictions


def write_evaluation(
    folder: Path, evaluation: Evaluation, predictions: Sequence[Prediction]
) -> Evaluation:
    """Writes predictions.csv, confusion.png and, last, metrics.json; each whole or not at all.

    The evaluation that comes back has a note more where the picture has a gap, or there is none.
    """
    if (folder / "model.safetensors").exists():  # whose metrics.json says other things
        raise ValueError(f"{folder} is a checkpoint; write the evaluation to another folder")
    folder.mkdir(parents=True, exist_ok=True)
    write_predictions(folder / PREDICTIONS, predictions)
    note = draw_confusions(folder / PICTURE, evaluation.kind, predictions)
    if note:
        evaluation = replace(evaluation, notes=(*evaluation.notes, note))
    text = json.dumps(evaluation.as_json(), indent=2, ensure_ascii=False, allow_nan=False)
    partial = folder / (METRICS + ".partial")
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(folder / METRICS)
    return evaluation


def table_rows(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    """Name, value and 95 % interval of each figure: ("BLEU-4", "21.3", "19.8 to 22.9")."""
    rows = []
    for name, label in LABELS.items():
        if figure := evaluation.figures.get(name):
            known = figure.low is not None
            interval = f"{figure.low:.1f} to {figure.high:.1f}" if known else ""
            rows.append((label, f"{figure.value:.1f}", interval))
    return rows


def signer_rows(evaluation: Evaluation) -> list[tuple[str, ...]]:
    """A heading, then of each signer the name, the clips and the figures, worst first, as texts."""
    names = [name for name in LABELS if name in evaluation.figures]
    rows = [("signer", "clips", *(LABELS[name] for name in names))]
    for row in evaluation.signers:
        worst = " (worst)" if row.signer == evaluation.worst_signer else ""
        figures = (f"{row.figures[name]:.1f}" for name in names)
        rows.append((row.signer + worst, str(row.n_clips), *figures))
    return rows


def _isolated(predictions: list[Prediction], text_language: str) -> _Measured:
    truths = [p.truth for p in predictions]
    unlabelled = [p.id for p in predictions if not p.truth]
    if unlabelled:
        raise ValueError(f"clip {unlabelled[0]} has no true gloss; leave it out")
    ranked = [p.ranked or (p.said,) for p in predictions]
    hits1, hits5 = (metrics.top_k(ranked, truths, k) for k in (1, TOP))
    measures = {
        "top1": metrics.accuracy(hits1),
        "top1_per_class": metrics.accuracy_per_class(hits1, truths),
    }
    notes: tuple[str, ...] = ()
    if any(len(p.ranked) > 1 for p in predictions):
        measures["top5"] = metrics.accuracy(hits5)
        measures["top5_per_class"] = metrics.accuracy_per_class(hits5, truths)
        short = sum(len(set(row)) < TOP for row in ranked)
        if short:
            notes = (f"{short} clips have fewer than {TOP} ranked glosses; top-5 counts those.",)
    return _Measured(measures, {}, {"classes": len(set(truths))}, notes)


def _glosses(predictions: list[Prediction], text_language: str) -> _Measured:
    truths, saids = [p.truth.split() for p in predictions], [p.said.split() for p in predictions]
    errors = metrics.errors_per_clip(metrics.align(truths, saids))
    return _Measured({"wer": metrics.error_rate(errors)}, _errors(errors), {})


def _text(predictions: list[Prediction], text_language: str) -> _Measured:
    chinese = metrics.is_chinese(text_language)
    truths = [metrics.comparable(p.truth, text_language) for p in predictions]
    saids = [metrics.comparable(p.said, text_language) for p in predictions]
    bleus = metrics.bleu(truths, saids, text_language)
    measures = {f"bleu{n}": measure for n, measure in enumerate(bleus, start=1)}
    measures["chrf"] = metrics.chrf(truths, saids)
    measures["rouge_l"] = metrics.rouge_l(truths, saids, text_language)
    cut = metrics.characters if chinese else str.split
    alignment = metrics.align([cut(t) for t in truths], [cut(s) for s in saids])
    errors = metrics.errors_per_clip(alignment)
    measures["cer" if chinese else "wer"] = metrics.error_rate(errors)
    notes: tuple[str, ...] = ()
    if text_language.lower().split("-")[0] in UNSPACED:
        notes = (f"{text_language} has no blanks between words: only chrF says much.",)
    return _Measured(measures, _errors(errors), metrics.signatures(text_language), notes)


def _motion(predictions: list[Prediction], text_language: str) -> _Measured:
    """How wrong a reconstruction is, as a share of how wrong standing still would be."""
    return _Measured({"unexplained": _share(predictions)}, {}, {})


def _alignment(predictions: list[Prediction], text_language: str) -> _Measured:
    """A contrastive loss, as a share of that of guessing: the logarithm of the batch's size."""
    return _Measured({"unaligned": _share(predictions)}, {}, {})


def _share(predictions: list[Prediction]) -> Measure:
    """What was said of what is true, both sums of numbers, in percent."""
    errors = np.array([(float(p.said), float(p.truth)) for p in predictions])
    return Measure(errors, lambda sums: 100 * sums[:, 0] / np.maximum(sums[:, 1], 1e-9))


def _retrieval(predictions: list[Prediction], text_language: str) -> _Measured:
    """What a search ranks: the texts of a clip, or of a text's clips what they say."""
    truths, ranked = [p.truth for p in predictions], [p.ranked for p in predictions]
    measures = {f"r{k}": metrics.accuracy(metrics.recall_at(ranked, truths, k)) for k in (1, TOP)}
    return _Measured(measures, {}, {"queries": len(predictions)})


def _spans(predictions: list[Prediction], text_language: str) -> _Measured:
    """Subtitles, one said and one true span of frames each: so precision is recall, and F1."""
    overlaps = np.array([_overlap(p.truth, p.said) for p in predictions])
    measures = {"iou": metrics.accuracy(overlaps)}
    for least in (0.10, 0.25, 0.50):
        measures[f"f1_{100 * least:.0f}"] = metrics.accuracy(overlaps >= least)
    return _Measured(measures, {}, {})


def _overlap(truth: str, said: str) -> float:
    """Intersection over union of two spans such as 037-152; 0 where one is none."""
    from fingerpost.trainer.subtitles.digits import read_span  # brings torch along

    true, found = read_span(truth), read_span(said)
    if true is None or found is None:
        return 0.0
    shared = max(0, min(true[1], found[1]) - max(true[0], found[0]))
    return shared / (true[1] - true[0] + found[1] - found[0] - shared)


KINDS: dict[str, Callable[[list[Prediction], str], _Measured]] = {
    "isolated": _isolated,
    "glosses": _glosses,
    "live_glosses": _glosses,
    "text": _text,
    "spans": _spans,
    "motion": _motion,
    "alignment": _alignment,
    "sign_to_text": _retrieval,
    "text_to_sign": _retrieval,
}


def _checked(predictions: Sequence[Prediction]) -> list[Prediction]:
    """The predictions without line breaks; ValueError where they cannot be evaluated."""
    if not predictions:
        raise ValueError("no predictions to evaluate")
    twice = [i for i, n in Counter(p.id for p in predictions).items() if n > 1]
    if twice:
        raise ValueError(f"clip {twice[0]} has more than one prediction; keep one")
    cleaned = [one_line(p) for p in predictions]
    for p in cleaned:
        if p.ranked and p.ranked[0] != p.said:
            raise ValueError(f"clip {p.id} said {p.said!r} but ranks {p.ranked[0]!r} first")
    if not any(p.truth for p in cleaned):
        raise ValueError("no clip says what is signed in it; there is nothing to compare with")
    return cleaned


def _errors(errors: np.ndarray) -> dict[str, int]:
    names = ("substitutions", "deletions", "insertions", "true_tokens")
    return dict(zip(names, errors.sum(axis=0).tolist(), strict=True))


def _signers(
    predictions: list[Prediction], measures: dict[str, Measure], main: str
) -> tuple[SignerRow, ...]:
    """A row for each known signer, the worst of the main figure first."""
    names = sorted({p.signer for p in predictions if p.signer})
    of_clip = np.array([p.signer for p in predictions])
    if not names:
        return ()
    weights = (np.array(names)[:, None] == of_clip).astype(float)  # (signers, N)
    columns = {name: measure.weighted(weights).tolist() for name, measure in measures.items()}
    rows = [
        SignerRow(
            signer,
            int(weights[i].sum()),
            {name: column[i] for name, column in columns.items()},
        )
        for i, signer in enumerate(names)
    ]
    worst_first = -1 if main in LOWER_IS_BETTER else 1
    return tuple(sorted(rows, key=lambda row: worst_first * row.figures[main]))


def _notes_on_signers(predictions: list[Prediction], worst: str, min_clips: int) -> tuple[str, ...]:
    unknown = sum(not p.signer for p in predictions)
    notes = []
    if unknown:
        notes.append(f"{unknown} of {len(predictions)} clips do not say who signs.")
    if not worst and unknown < len(predictions):
        notes.append(f"No signer has {min_clips} clips, so none is called the worst.")
    return tuple(notes)
