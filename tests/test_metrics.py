"""Every metric against a case computed by hand, and against the library that papers quote."""

import math

import jiwer
import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from fingerpost.trainer.metrics import (
    accuracy,
    accuracy_per_class,
    align,
    bleu,
    characters,
    chrf,
    comparable,
    count_errors,
    error_rate,
    errors_per_clip,
    intervals,
    is_chinese,
    rouge_l,
    signatures,
    tokens,
    top_k,
)

SENTENCE = st.lists(st.sampled_from(["a", "b", "c", "dog", "größe", "猫", "."]), max_size=7)
PAIRS = st.lists(st.tuples(SENTENCE, SENTENCE), min_size=1, max_size=6)


def wer(truths: list[str], saids: list[str]):
    alignment = align([t.split() for t in truths], [s.split() for s in saids])
    return error_rate(errors_per_clip(alignment))


@pytest.mark.parametrize(
    ("truth", "said", "errors"),
    [
        ("a b c", "a b c", (0, 0, 0)),
        ("a b c", "a x c", (1, 0, 0)),
        ("a b c", "a c", (0, 1, 0)),
        ("a b c", "a b b c", (0, 0, 1)),
        ("a b c", "", (0, 3, 0)),
        ("", "a b", (0, 0, 2)),
        ("", "", (0, 0, 0)),
        ("a", "b", (1, 0, 0)),
        ("MÜDE 猫", "MÜDE 犬", (1, 0, 0)),
    ],
)
def test_errors_by_kind(truth, said, errors):
    assert tuple(count_errors(truth.split(), said.split())) == errors


def test_a_gloss_of_two_words_is_one_token():
    assert tuple(count_errors(["thank you", "a"], ["you", "a"])) == (1, 0, 0)


def test_word_error_rate_is_of_all_words_and_not_a_mean_of_clips():
    # 1 error in 1 word and 1 in 3: 2 of 4, where the mean of the two rates would be 66.7
    assert wer(["a", "a b c"], ["b", "a b"]).value == 50.0
    assert wer(["a b"], [""]).value == 100.0
    assert wer(["a"], ["b c d"]).value == 300.0  # insertions can make it more than all
    assert wer(["", "a b"], ["x", "a b"]).value == 50.0


def test_word_error_rate_without_a_true_word_counts_insertions():
    assert wer([""], ["a b"]).value == 200.0
    assert wer([""], [""]).value == 0.0


def test_characters_are_counted_without_blanks():
    assert characters("我 去　学校 。") == list(
        "我去学校。"
    )  # the second blank is a full-width one
    errors = errors_per_clip(align([characters("我去学校")], [characters("我 学笑")]))
    assert errors.tolist() == [[1, 1, 0, 4]]
    assert error_rate(errors).value == 50.0


def test_bleu_by_hand():
    # Said 3 of 6 words, so the brevity penalty is exp(1 - 6/3). Right are 3 of 3 words (both "the"
    # are in the truth), 1 of 2 bigrams, 0 of 1 trigram (smoothed to 1/2); there is no 4-gram.
    got = [m.value for m in bleu(["the cat is on the mat"], ["the the cat"], "en")]
    penalty = 100 * math.exp(-1)
    assert got == pytest.approx(
        [penalty, penalty * 0.5**0.5, penalty * (0.5 * 0.5) ** (1 / 3), 0.0], abs=1e-9
    )


def test_bleu_n_is_no_precision():
    said, truth = "a b x d", "a b c d"  # precisions 3/4, 1/3; BLEU-2 is their geometric mean
    assert bleu([truth], [said], "en")[1].value == pytest.approx(100 * (3 / 4 / 3) ** 0.5)


@pytest.mark.parametrize(
    ("truth", "said", "bleu1"),
    [("a b", "", 0), ("", "a b", 0), ("", "", 0), ("hi", "hi", 100), ("grüß dich", "grüß", None)],
)
def test_bleu_at_the_edges(truth, said, bleu1):
    expected = 100 * math.exp(-1) if bleu1 is None else bleu1  # one of two words
    assert bleu([truth], [said], "de")[0].value == pytest.approx(expected)


def test_the_tokenizer_follows_the_language():
    # As Chinese, 3 of 4 characters; as anything else, one wrong word
    chinese, other = (bleu(["我去学校"], ["我去学笑"], code)[0].value for code in ("zh", "de"))
    assert (chinese, other) == pytest.approx((75.0, 0.0))
    # 13a cuts punctuation off: 2 of 3 tokens
    assert bleu(["hello, you"], ["hello , me"], "en")[0].value == pytest.approx(200 / 3)
    assert is_chinese("zh") and is_chinese("zh_Hans") and is_chinese("YUE") and is_chinese("zh-TW")
    assert not is_chinese("de") and not is_chinese("")
    assert "tok:zh" in signatures("zh")["bleu"] and "tok:13a" in signatures("")["bleu"]


def test_chrf_by_hand():
    # Only 1-grams are in both: precision 1, recall 1/2; F2 = 5 * 1 * 0.5 / (4 * 1 + 0.5)
    assert chrf(["ab"], ["a"]).value == pytest.approx(100 * 2.5 / 4.5)
    assert chrf(["größer 猫"], ["größer猫"]).value == pytest.approx(100)  # blanks are left out
    assert chrf(["ab"], [""]).value == chrf([""], ["ab"]).value == 0.0


def test_rouge_l_by_hand():
    # LCS "a c" of 2: precision 1, recall 1/2; (1 + 1.44) * 0.5 / (0.5 + 1.44)
    assert rouge_l(["a b c d"], ["a c"], "en").value == pytest.approx(100 * 1.22 / 1.94)
    # recall weighs more: the same words the other way round give less than precision's half
    assert rouge_l(["a c"], ["a b c d"], "en").value == pytest.approx(100 * 1.22 / (1 + 0.72))
    assert rouge_l(["a b"], ["b a"], "en").value == pytest.approx(50)  # order counts
    # it is a mean over clips: 100, 0, 0 and, with nothing to say and nothing said, 100
    got = rouge_l(["a", "a", "", ""], ["a", "", "a", ""], "en")
    assert got.value == pytest.approx(50)


def test_rouge_l_of_chinese_is_of_characters():
    assert rouge_l(["我去学校"], ["我去学笑"], "zh").value == pytest.approx(75)
    assert tokens("我有2只cats。", "zh") == ["我", "有", "2", "只", "cats", "。"]
    assert tokens("one, two", "en") == ["one,", "two"]


def test_full_width_punctuation_of_chinese_is_compared_as_ascii():
    assert comparable("你好，１２？", "zh") == "你好,12?"
    assert comparable("“…” ｆ", "de") == "“…” ｆ"


def test_per_instance_and_per_class_accuracy():
    hits = np.array([True, True, False, False])  # a: 2 of 3, b: 0 of 1
    assert accuracy(hits).value == 50.0
    assert accuracy_per_class(hits, ["a", "a", "a", "b"]).value == pytest.approx(100 / 3)
    assert accuracy_per_class(np.array([True]), ["猫"]).value == 100.0


def test_top_k_counts_a_repeated_guess_once():
    ranked = [("a", "a", "a", "b"), ("b", "c"), ("c",), ()]
    assert top_k(ranked, ["b", "c", "a", "a"], 1).tolist() == [False] * 4
    assert top_k(ranked, ["b", "c", "a", "a"], 2).tolist() == [True, True, False, False]


@settings(max_examples=40, deadline=None)
@given(PAIRS, st.sampled_from(["en", "zh"]))
def test_figures_are_those_of_sacrebleu_and_jiwer(pairs, language):
    truths, saids = ([" ".join(row) for row in rows] for rows in zip(*pairs, strict=True))
    for n, measure in enumerate(bleu(truths, saids, language), start=1):
        tokenizer = {"en": "13a", "zh": "zh"}[language]
        theirs = sacrebleu.BLEU(tokenize=tokenizer, max_ngram_order=n)
        assert measure.value == pytest.approx(theirs.corpus_score(saids, [truths]).score)
    theirs = sacrebleu.CHRF().corpus_score(saids, [truths]).score
    assert chrf(truths, saids).value == pytest.approx(theirs)
    if any(truths):
        assert wer(truths, saids).value == pytest.approx(100 * jiwer.wer(truths, saids))


@settings(max_examples=40, deadline=None)
@given(PAIRS, st.data())
def test_a_clip_that_weighs_two_is_there_twice(pairs, data):
    """What the intervals rest on: a figure of weights is the figure of the drawn clips."""
    drawn = data.draw(st.lists(st.integers(0, len(pairs) - 1), min_size=1, max_size=8))
    weights = np.bincount(drawn, minlength=len(pairs)).astype(float)[None]

    def measures(of):
        truths, saids = ([" ".join(row) for row in rows] for rows in zip(*of, strict=True))
        hits = np.array([t == s for t, s in zip(truths, saids, strict=True)])
        by_class = accuracy_per_class(hits, truths)
        rouge = rouge_l(truths, saids, "en")
        return [*bleu(truths, saids, "en"), chrf(truths, saids), rouge, wer(truths, saids),
                accuracy(hits), by_class]  # fmt: skip

    whole, part = measures(pairs), measures([pairs[i] for i in drawn])
    for one, other in zip(whole, part, strict=True):
        assert one.weighted(weights)[0] == pytest.approx(other.value)


def test_the_interval_of_two_clips_one_of_them_right():
    # Of two draws, a quarter are both wrong and a quarter both right
    measure = accuracy(np.array([True, False]))
    assert intervals({"top1": measure}) == {"top1": (0.0, 100.0)}


def test_intervals_have_the_width_that_statistics_expects():
    hits = np.arange(1000) % 4 == 0  # a quarter: standard error sqrt(0.25 * 0.75 / 1000) = 1.37 %
    low, high = intervals({"top1": accuracy(hits)}, n_resamples=2000)["top1"]
    assert (low, high) == pytest.approx((25 - 1.96 * 1.369, 25 + 1.96 * 1.369), abs=0.3)


def test_intervals_are_the_same_again_and_of_the_same_resamples(monkeypatch):
    hits = np.arange(50) % 3 == 0
    both = {"a": accuracy(hits), "b": accuracy(~hits)}
    first = intervals(both, n_resamples=200, seed=5)
    assert first == intervals(both, n_resamples=200, seed=5)
    assert first != intervals(both, n_resamples=200, seed=6)
    (low, high), (other_low, other_high) = first["a"], first["b"]
    assert (low, high) == pytest.approx((100 - other_high, 100 - other_low))
    monkeypatch.setattr("fingerpost.trainer.metrics.MAX_WEIGHTS", 50 * 7)  # seven at a time
    assert first == intervals(both, n_resamples=200, seed=5)


def test_no_intervals_of_a_single_clip_or_without_resamples():
    assert intervals({"top1": accuracy(np.array([True]))}) == {}
    assert intervals({"top1": accuracy(np.array([True, False]))}, n_resamples=0) == {}


def test_measures_of_other_clips_are_refused():
    one, two = accuracy(np.array([True])), accuracy(np.array([True, False]))
    with pytest.raises(ValueError, match=r"the same clips, got \[1, 2\]"):
        intervals({"one": one, "two": two})


@pytest.mark.parametrize(
    "metric", [align, chrf, lambda t, s: bleu(t, s, "en"), lambda t, s: rouge_l(t, s, "en")]
)
def test_nothing_to_evaluate_and_missing_answers_are_one_line(metric):
    with pytest.raises(ValueError, match="^no predictions to evaluate$"):
        metric([], [])
    with pytest.raises(ValueError, match="^expected one answer for each of 2 clips, got 1$"):
        metric(["a", "b"], ["a"])


def test_accuracy_of_no_clips_is_one_line():
    nothing = np.array([], bool)
    for measure in (accuracy, lambda hits: accuracy_per_class(hits, [])):
        with pytest.raises(ValueError, match="^no predictions to evaluate$"):
            measure(nothing)
    with pytest.raises(ValueError, match="^expected one answer for each of 1 clips, got 2$"):
        accuracy_per_class(np.array([True, False]), ["a"])
