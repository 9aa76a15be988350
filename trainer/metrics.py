"""The figures that sign recognition and translation are judged by, with their uncertainty.

Every figure is in percent. Every metric is a ``Measure``: it keeps what each clip contributes, so
that the figure of any part of the clips, or of a resample of them, is a sum and not a second run.

Texts are compared as they are: no lower-casing, no removal of punctuation.
"""

import functools
import unicodedata
from collections.abc import Callable, Hashable, Sequence, Sized
from dataclasses import dataclass
from typing import Any

import jiwer
import numpy as np
import scipy.sparse
import scipy.stats
from rapidfuzz.distance import LCSseq
from sacrebleu.metrics import BLEU, CHRF

MAX_ORDER = 4  # BLEU-4 is the longest n-gram that papers report
ROUGE_BETA = 1.2  # recall weighs more than precision
CHINESE = {"zh", "zho", "chi", "cmn", "yue"}
AT_NEW_LINES = jiwer.Compose([jiwer.ReduceToListOfListOfWords(word_delimiter="\n")])
MAX_WEIGHTS = 4_000_000  # resamples times clips at once: 32 MB


@dataclass(frozen=True)
class Measure:
    """A metric on N clips.

    per_clip : what each clip contributes, shape (N, S); a numpy array, or a sparse one
    of_sums : the figures of R sums of contributions, (R, S) to (R,), in percent
    """

    per_clip: Any
    of_sums: Callable[[np.ndarray], np.ndarray]

    @property
    def value(self) -> float:
        """The figure of all clips."""
        return float(self.weighted(np.ones((1, self.per_clip.shape[0])))[0])

    def weighted(self, weights: np.ndarray) -> np.ndarray:
        """The figures where each clip counts so many times; weights (R, N) to (R,)."""
        return self.of_sums(weights @ self.per_clip)


def align(truths: Sequence[Sequence[str]], saids: Sequence[Sequence[str]]) -> jiwer.WordOutput:
    """jiwer's cheapest alignment of each said sequence of tokens with the true one.

    Substitutions, deletions and insertions cost the same. The evaluation code of the CTC and SLT
    papers (neccam/slt) weighs them 4, 3 and 3 to choose an alignment, as sclite does, and then
    counts them all the same; its WER can be slightly higher, never lower.
    """
    _check_pairs(truths, saids)
    references, hypotheses = (["\n".join(row) for row in rows] for rows in (truths, saids))
    return jiwer.process_words(references, hypotheses, AT_NEW_LINES, AT_NEW_LINES)


def errors_per_clip(alignment: jiwer.WordOutput) -> np.ndarray:
    """Substitutions, deletions, insertions and true tokens of each clip, shape (N, 4)."""
    rows = []
    for reference, chunks in zip(alignment.references, alignment.alignments, strict=True):
        counts = {"substitute": 0, "delete": 0, "insert": 0, "equal": 0}
        for chunk in chunks:
            true_tokens = chunk.ref_end_idx - chunk.ref_start_idx
            counts[chunk.type] += true_tokens or chunk.hyp_end_idx - chunk.hyp_start_idx
        rows.append((counts["substitute"], counts["delete"], counts["insert"], len(reference)))
    return np.array(rows)


def error_rate(errors: np.ndarray) -> Measure:
    """Errors per true token of ``errors_per_clip``: WER for words, CER for characters.

    Of a part without any true token it is the number of insertions times 100, as with jiwer.
    """
    return Measure(errors, lambda sums: 100 * sums[:, :3].sum(axis=1) / np.maximum(sums[:, 3], 1))


def count_errors(truth: Sequence[str], said: Sequence[str]) -> np.ndarray:
    """Substitutions, deletions and insertions of one clip's tokens, shape (3,)."""
    return errors_per_clip(align([truth], [said]))[0, :3]


def accuracy(hits: np.ndarray) -> Measure:
    """Per-instance accuracy: the share of the clips that were right; hits (N,) bool."""
    return _mean(hits)


def accuracy_per_class(hits: np.ndarray, labels: Sequence[Hashable]) -> Measure:
    """The mean over the classes of each class's accuracy, so that rare signs count as much.

    hits : (N,) bool
    labels : the true class of each clip; classes that have no clip do not count
    """
    _check_pairs(labels, hits)
    classes = {label: k for k, label in enumerate(dict.fromkeys(labels))}
    column = np.array([classes[label] for label in labels])
    clips, shape = np.arange(len(hits)), (len(hits), len(classes))
    of_class = scipy.sparse.csr_array((np.ones(len(hits)), (clips, column)), shape)
    right = scipy.sparse.csr_array((hits.astype(float), (clips, column)), shape)

    def mean_of_classes(sums: np.ndarray) -> np.ndarray:
        right, n = sums[:, : len(classes)], sums[:, len(classes) :]
        share = np.divide(right, n, out=np.zeros_like(right), where=n > 0)
        return 100 * share.sum(axis=1) / (n > 0).sum(axis=1)

    return Measure(scipy.sparse.hstack([right, of_class], format="csr"), mean_of_classes)


def top_k(ranked: Sequence[Sequence[str]], truths: Sequence[str], k: int) -> np.ndarray:
    """Whether the true gloss is among the first k different ones of each ranking, (N,) bool.

    A beam search may give the same gloss twice; it is one guess.
    """
    _check_pairs(truths, ranked)
    pairs = zip(truths, ranked, strict=True)
    return np.array([truth in list(dict.fromkeys(row))[:k] for truth, row in pairs], bool)


def recall_at(ranked: Sequence[Sequence[str]], truths: Sequence[str], k: int) -> np.ndarray:
    """Whether one of the first k that a search found has the true text, (N,) bool: R@k.

    Two finds of the same text are two: what was searched is clips, or texts that differ.
    """
    _check_pairs(truths, ranked)
    return np.array([t in row[:k] for t, row in zip(truths, ranked, strict=True)], bool)


def bleu(truths: Sequence[str], saids: Sequence[str], text_language: str) -> tuple[Measure, ...]:
    """BLEU-1 to BLEU-4 of a corpus, as papers on sign language translation report them.

    BLEU-n is the brevity penalty times the geometric mean of the precisions of 1- to n-grams:
    sacrebleu with max_ngram_order n. It is not the n-gram precision that sacrebleu prints behind
    the score ("BLEU = 20.1 53.2/28.0/..."), which has no brevity penalty and no shorter n-grams.

    Smoothing is sacrebleu's own ("exp"): it matters only where a corpus has no n-gram right.
    """
    _check_pairs(truths, saids)
    per_clip = _statistics(_sacrebleu(text_language), truths, saids)  # (N, 2 + 2 * MAX_ORDER)

    def of_order(n: int) -> Measure:
        def score(sums: np.ndarray) -> np.ndarray:
            return np.array([_bleu_of(row, n) for row in sums])

        return Measure(per_clip, score)

    return tuple(of_order(n) for n in range(1, MAX_ORDER + 1))


def chrf(truths: Sequence[str], saids: Sequence[str]) -> Measure:
    """chrF2 of a corpus, sacrebleu's: n-grams of 1 to 6 characters, blanks left out."""
    _check_pairs(truths, saids)
    metric = CHRF()
    return Measure(
        _statistics(metric, truths, saids),
        lambda sums: np.array([metric._compute_f_score(row) for row in sums.tolist()]),
    )


def rouge_l(truths: Sequence[str], saids: Sequence[str], text_language: str) -> Measure:
    """ROUGE-L: of each clip an F score of the longest common subsequence; their mean.

    As neccam/slt and the papers after it compute it, with the code of the COCO captions: recall
    weighs beta = 1.2 times as much as precision. Two other definitions give other figures: neccam's
    first code (nslt) sets beta to precision / recall, and Uni-Sign's own uses the package ``rouge``
    (beta = 1).
    """
    _check_pairs(truths, saids)
    pairs = zip(truths, saids, strict=True)
    scores = [_rouge_l(tokens(t, text_language), tokens(s, text_language)) for t, s in pairs]
    return _mean(np.array(scores))


def signatures(text_language: str) -> dict[str, str]:
    """sacrebleu's own words on how its figures were computed, to be quoted with them."""
    named = {"bleu": _sacrebleu(text_language), "chrf": CHRF()}
    for metric in named.values():
        metric.corpus_score(["a"], [["a"]])  # before a first corpus it does not know how many
    return {name: str(metric.get_signature()) for name, metric in named.items()}


def is_chinese(text_language: str) -> bool:
    """Whether a language code ("zh", "zh-Hans", "yue") is of Chinese."""
    return text_language.lower().replace("_", "-").split("-")[0] in CHINESE


def comparable(text: str, text_language: str) -> str:
    """Chinese text with full-width letters and punctuation made ASCII; others as they are.

    mT5's tokenizer knows no full-width ``，`` and could never be right. Uni-Sign's evaluation
    replaces ``，`` and ``？`` for the same reason.
    """
    return unicodedata.normalize("NFKC", text) if is_chinese(text_language) else text


def tokens(text: str, text_language: str) -> list[str]:
    """What counts as a word: in Chinese sacrebleu's tokens (characters), else between blanks."""
    return (_sacrebleu("zh").tokenizer(text) if is_chinese(text_language) else text).split()


def characters(text: str) -> list[str]:
    """The characters of a text without its blanks."""
    return list("".join(text.split()))


def intervals(
    measures: dict[str, Measure], n_resamples: int = 1000, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """95 % confidence intervals: the percentiles of the figures of resampled clips.

    All measures see the same resamples. Clips of one signer are alike, so for signers that are not
    in the set the true uncertainty is larger. {} for a single clip, or no resamples.
    """
    n = {measure.per_clip.shape[0] for measure in measures.values()}
    if len(n) != 1:
        raise ValueError(f"expected measures of the same clips, got {sorted(n)} clips")
    n_clips = n.pop()
    if n_clips < 2 or n_resamples < 1:
        return {}

    def figures(drawn: np.ndarray, axis: int) -> np.ndarray:
        weights = _counts(drawn, n_clips)  # (R, N)
        return np.stack([measure.weighted(weights) for measure in measures.values()])

    result = scipy.stats.bootstrap(
        (np.arange(n_clips),),
        figures,
        vectorized=True,
        method="percentile",
        n_resamples=n_resamples,
        batch=max(1, MAX_WEIGHTS // n_clips),
        rng=np.random.default_rng(seed),
    )
    low, high = result.confidence_interval
    return {name: (float(low[i]), float(high[i])) for i, name in enumerate(measures)}


def _counts(drawn: np.ndarray, n: int) -> np.ndarray:
    """How often each of n numbers was drawn in each row: (R, any) int to (R, n) float."""
    apart = drawn + n * np.arange(len(drawn))[:, None]  # so that one count serves all rows
    return np.bincount(apart.ravel(), minlength=n * len(drawn)).reshape(-1, n).astype(float)


def _mean(values: np.ndarray) -> Measure:
    """The mean of a value of each clip, 0 to 1, in percent."""
    _check_pairs(values, values)
    per_clip = np.stack([values.astype(float), np.ones(len(values))], axis=1)  # (N, 2)
    return Measure(per_clip, lambda sums: 100 * sums[:, 0] / sums[:, 1])


@functools.cache
def _sacrebleu(text_language: str) -> BLEU:
    # force: Phoenix-2014T's sentences end in " .", and sacrebleu would warn of that
    tokenizer = "zh" if is_chinese(text_language) else "13a"
    return BLEU(tokenize=tokenizer, max_ngram_order=MAX_ORDER, force=True)


def _bleu_of(sums: np.ndarray, n: int) -> float:
    """BLEU-n of summed statistics: lengths said and true, right n-grams, said n-grams."""
    said, true = int(sums[0]), int(sums[1])
    right, total = sums[2 : 2 + n].tolist(), sums[2 + MAX_ORDER : 2 + MAX_ORDER + n].tolist()
    return BLEU.compute_bleu(right, total, said, true, "exp", max_ngram_order=n).score


def _statistics(metric: Any, truths: Sequence[str], saids: Sequence[str]) -> np.ndarray:
    """sacrebleu's counts of each sentence, (N, S): those that its own bootstrap starts from.

    They have no public name; a test holds the figures to those of its ``corpus_score``.
    """
    return np.array(metric._extract_corpus_statistics(saids, [truths]))


def _rouge_l(truth: list[str], said: list[str]) -> float:
    """Of one clip, 0 to 1. Nothing said where there was nothing to say is right."""
    if not truth or not said:
        return float(truth == said)
    common = LCSseq.similarity(truth, said)
    if common == 0:
        return 0.0
    precision, recall = common / len(said), common / len(truth)
    beta2 = ROUGE_BETA**2
    return (1 + beta2) * precision * recall / (recall + beta2 * precision)


def _check_pairs(truths: Sized, saids: Sized) -> None:
    if len(truths) != len(saids):
        raise ValueError(f"expected one answer for each of {len(truths)} clips, got {len(saids)}")
    if len(truths) == 0:
        raise ValueError("no predictions to evaluate")
