"""Spans as digits: there and back, soft decoding by a plain loop, the losses by hand."""

import math

import pytest
import torch

from fingerpost.trainer.subtitles.digits import (
    alignment_loss,
    digit_spans,
    read_span,
    soft_digits,
    soft_loss,
    soft_spans,
    span_digits,
    span_text,
)
from fingerpost.trainer.subtitles.windows import Window, window_around


def logits_of(*digits: int, sure: float = 50.0) -> torch.Tensor:
    logits = torch.zeros(1, 6, 10)
    logits[0, torch.arange(6), list(digits)] = sure
    return logits


def random_logits(batch: int = 4, seed: int = 0) -> torch.Tensor:
    return torch.randn(batch, 6, 10, generator=torch.Generator().manual_seed(seed))


def test_spans_become_digits_and_come_back():
    spans = torch.tensor([[37, 152], [0, 500], [999, 7]])
    digits = span_digits(spans)
    assert digits.tolist() == [[0, 3, 7, 1, 5, 2], [0, 0, 0, 5, 0, 0], [9, 9, 9, 0, 0, 7]]
    assert digit_spans(digits).tolist() == spans.tolist()
    assert span_digits(torch.zeros(0, 2, dtype=torch.int64)).shape == (0, 6)


def test_a_span_is_written_and_read():
    assert span_text(37, 152) == "037-152"
    assert read_span("037-152") == (37, 152)
    assert read_span(" 037 - 152\n") == (37, 152)


@pytest.mark.parametrize(
    "text", ["", "37-152", "037152", "037-152-1", "152-037", "037-037", "no", "٠٣٧-١٥٢"]
)
def test_what_a_model_writes_else_is_no_span(text):
    assert read_span(text) is None


@pytest.mark.parametrize("span", [(-1, 5), (5, 5), (6, 5), (0, 1000)])
def test_a_span_that_cannot_be_written_is_refused(span):
    with pytest.raises(ValueError, match=r"0 <= start < end <= 999"):
        span_text(*span)


def test_soft_decoding_is_the_expectation():
    logits = random_logits()
    for b in range(4):
        for i in range(6):
            raised = [math.exp(float(x)) for x in logits[b, i]]
            expected = sum(k * p for k, p in enumerate(raised)) / sum(raised)
            assert float(soft_digits(logits)[b, i]) == pytest.approx(expected, rel=1e-5)
    assert soft_spans(logits_of(0, 3, 7, 1, 5, 2)).tolist() == [[pytest.approx(37), 152]]


def test_between_099_and_100_lies_99_and_a_half():
    """A carry does no harm: half of the one and half of the other is the middle of both."""
    logits = logits_of(0, 0, 0, 0, 9, 9)
    logits[0, 3, 1] = logits[0, 4, 0] = logits[0, 5, 0] = 50.0
    assert float(soft_spans(logits)[0, 1]) == pytest.approx(99.5)


def test_the_soft_loss_is_the_mean_distance_of_digits():
    digits = torch.tensor([[0, 3, 7, 1, 5, 2]])
    assert float(soft_loss(logits_of(0, 3, 7, 1, 5, 2), digits)) == pytest.approx(0, abs=1e-5)
    assert float(soft_loss(logits_of(0, 3, 9, 1, 1, 2), digits)) == pytest.approx((2 + 4) / 6)
    even = torch.zeros(1, 6, 10)  # every digit is expected to be 4.5
    by_hand = (4.5 + 1.5 + 2.5 + 3.5 + 0.5 + 2.5) / 6
    assert float(soft_loss(even, digits)) == pytest.approx(by_hand)


def test_the_loss_is_cross_entropy_and_distance():
    logits = random_logits()
    digits = span_digits(torch.tensor([[37, 152], [0, 500], [99, 100], [8, 9]]))
    entropy = 0.0
    for b in range(4):
        for i in range(6):
            entropy -= float(logits[b, i].log_softmax(-1)[digits[b, i]]) / 24
    soft = float(soft_loss(logits, digits))
    assert float(alignment_loss(logits, digits, 0.0)) == pytest.approx(entropy, rel=1e-5)
    assert float(alignment_loss(logits, digits, 0.3)) == pytest.approx(
        entropy + 0.3 * soft, rel=1e-5
    )


def test_the_soft_loss_moves_a_wrong_digit_towards_the_true_one():
    """Cross-entropy alone pulls 8 and 1 down alike; with the distance, 8 goes down more."""
    logits = torch.zeros(1, 6, 10, requires_grad=True)
    soft_loss(logits, torch.zeros(1, 6, dtype=torch.int64)).backward()
    assert logits.grad is not None
    slope = logits.grad[0, 0]
    assert (slope[1:] > slope[:-1]).all()


def test_nonsense_is_named():
    with pytest.raises(ValueError, match="from 0 to 999, got 3 to 1000"):
        span_digits(torch.tensor([[3, 1000]]))
    with pytest.raises(ValueError, match=r"expected spans \(..., 2\)"):
        span_digits(torch.zeros(3, 3, dtype=torch.int64))
    with pytest.raises(ValueError, match="soft_weight is 0 or more"):
        alignment_loss(random_logits(1), torch.zeros(1, 6, dtype=torch.int64), -1.0)
    with pytest.raises(ValueError, match="not empty"):
        alignment_loss(torch.zeros(0, 6, 10), torch.zeros(0, 6, dtype=torch.int64))
    with pytest.raises(ValueError, match="expected logits"):
        soft_loss(random_logits(2), torch.zeros(3, 6, dtype=torch.int64))


def test_a_window_is_centred_on_the_subtitle_and_stays_in_the_video():
    assert window_around(30_000, 34_000, 0, 60_000) == Window(22_000, 500)
    assert window_around(1000, 3000, 0, 60_000) == Window(0, 500)
    assert window_around(58_000, 70_000, 0, 60_000) == Window(40_000, 500)
    assert window_around(200, 400, 100, 8100) == Window(100, 200)
    assert window_around(0, 10, 0, 60_000).end_ms == 20_000
    assert window_around(0, 60_000, 0, 60_000, 100, 12.5) == Window(26_000, 100, 12.5)
    with pytest.raises(ValueError, match="nothing to look at"):
        window_around(0, 10, 0, 39)


def test_times_become_frames_of_the_window_and_come_back():
    window = Window(22_000, 500)
    assert window.frames_of(23_480, 28_080) == (37, 152)
    assert window.span_ms(37, 152) == (23_480, 28_080)
    assert window.frames_of(20_000, 60_000) == (0, 500)
    assert window.frames_of(10_000, 22_010) is None
    assert window.span_ms(-3, 501.5) == (22_000, 42_000)
