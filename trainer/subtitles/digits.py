"""Start and end of a subtitle as six digits that a language model writes, and their losses.

"Lost in Translation, Found in Embeddings: Sign Language Translation and Alignment", section 3.4
(alignment loss). Within a window of video a span is two frame numbers of three digits each, start
and end, in a fixed format: ``037-152``. Each digit is one of ten tokens. *Soft decoding* reads the
distribution over these ten as the number that it expects, so a loss can say how far from the truth
an answer is, and not only that it is wrong:

    expected digit   e_i = sum over k of k * p_i(k)          p_i = softmax over the ten tokens
    L_soft           = 1/6 * sum over i of |e_i - d_i|       d_i the true digit
    L                = L_CE + weight * L_soft

Nothing here knows a network: tensors in, tensors out. Letters: B batch, 6 digits, 10 values.

Where the text that we have is silent: whether the end is the last frame or the one after it (here
the one after, so that neighbours share a number and 500 means "until the window ends"); the weight
of L_soft (``SOFT_WEIGHT`` is our choice); over which of the answer's tokens L_CE runs (here the six
digits; ``-`` and the end of the answer are the language model's own business).
"""

import re

import torch
import torch.nn.functional as F
from torch import Tensor

DIGITS = 3  # of one frame number: a window has at most 999 frames
SPAN_DIGITS = 2 * DIGITS
BASE = 10
LARGEST = BASE**DIGITS - 1  # 999
SOFT_WEIGHT = 1.0
_SPAN = re.compile(r"\s*(\d{3})\s*-\s*(\d{3})\s*", re.ASCII)


def span_text(start: int, end: int) -> str:
    """``037-152``: from frame start until frame end, which is not in it any more.

    ValueError where that is no span of 0 to 999.
    """
    if not 0 <= start < end <= LARGEST:
        raise ValueError(
            f"a span from frame {start} to {end} cannot be written with {DIGITS} digits each; "
            f"give 0 <= start < end <= {LARGEST}"
        )
    return f"{start:0{DIGITS}}-{end:0{DIGITS}}"


def read_span(text: str) -> tuple[int, int] | None:
    """Start and end of ``037-152``; None where the text is none such, or ends before it starts.

    A model may write anything, so what is not a span is no error here.
    """
    found = _SPAN.fullmatch(text)
    if found is None or int(found[1]) >= int(found[2]):
        return None
    return int(found[1]), int(found[2])


def span_digits(spans: Tensor) -> Tensor:
    """The six digits of spans, the largest first: (B, 2) int64 to (B, 6) int64.

    ValueError where a number is below 0 or above 999.
    """
    _check_last(spans, 2, "spans")
    if spans.numel() and not 0 <= int(spans.min()) <= int(spans.max()) <= LARGEST:
        raise ValueError(
            f"frame numbers are from 0 to {LARGEST}, got {int(spans.min())} to {int(spans.max())}; "
            "cut the span to its window first"
        )
    places = torch.tensor([BASE**i for i in reversed(range(DIGITS))], device=spans.device)
    return (spans[..., None] // places % BASE).flatten(-2)  # (B, 2, 3) to (B, 6)


def digit_spans(digits: Tensor) -> Tensor:
    """The two numbers of six digits, true or expected ones: (B, 6) to (B, 2), of the same kind.

    That digits add up is so for expected ones, too: the expectation of a sum is the sum of the
    expectations.
    """
    _check_last(digits, SPAN_DIGITS, "digits")
    places = [BASE**i for i in reversed(range(DIGITS))]
    weights = torch.tensor(places, dtype=digits.dtype, device=digits.device)
    return (digits.unflatten(-1, (2, DIGITS)) * weights).sum(-1)


def written(digits: Tensor) -> list[str]:
    """Of each row of six digits (B, 6) ``037-152``, also where that ends before it starts."""
    return [f"{start:03d}-{end:03d}" for start, end in digit_spans(digits).tolist()]


def soft_digits(logits: Tensor) -> Tensor:
    """What each digit is expected to be, 0 to 9: (B, 6, 10) to (B, 6)."""
    _check_last(logits, BASE, "logits")
    values = torch.arange(BASE, dtype=logits.dtype, device=logits.device)
    return logits.softmax(-1) @ values


def soft_spans(logits: Tensor) -> Tensor:
    """Start and end as expected frame numbers, fractions and all: (B, 6, 10) to (B, 2).

    Where the logits of later digits were computed after given earlier ones (teacher forcing, or the
    digits that were written), it is the expectation after those.
    """
    return digit_spans(soft_digits(logits))


def soft_loss(logits: Tensor, digits: Tensor) -> Tensor:
    """L_soft: the mean distance of expected digits from true ones, 0 to 9, a scalar.

    logits : (B, 6, 10), of the ten digit tokens
    digits : (B, 6) int64
    """
    _check_pair(logits, digits)
    return (soft_digits(logits) - digits).abs().mean()


def alignment_loss(logits: Tensor, digits: Tensor, soft_weight: float = SOFT_WEIGHT) -> Tensor:
    """L: cross-entropy of the six digits and ``soft_weight`` times L_soft, a scalar.

    logits : (B, 6, 10), of the ten digit tokens
    digits : (B, 6) int64
    soft_weight : 0 leaves soft decoding out (the ablation of table A.6)
    """
    _check_pair(logits, digits)
    if soft_weight < 0:
        raise ValueError(f"soft_weight is 0 or more, got {soft_weight:g}")
    loss = F.cross_entropy(logits.flatten(0, -2), digits.flatten())
    return loss + soft_weight * soft_loss(logits, digits) if soft_weight else loss


def _check_last(tensor: Tensor, size: int, name: str) -> None:
    if tensor.ndim < 1 or tensor.shape[-1] != size:
        raise ValueError(f"expected {name} (..., {size}), got {tuple(tensor.shape)}")


def _check_pair(logits: Tensor, digits: Tensor) -> None:
    _check_last(logits, BASE, "logits")
    if logits.shape[:-1] != digits.shape or digits.numel() == 0:
        raise ValueError(
            f"expected logits (B, {SPAN_DIGITS}, {BASE}) and digits (B, {SPAN_DIGITS}) of a batch "
            f"that is not empty, got {tuple(logits.shape)} and {tuple(digits.shape)}"
        )
