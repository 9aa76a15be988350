"""Whether the first glosses of a line are signing, or hands that say nothing: a small fitted judge.

    start = read_line_start(pack.read("line_start.json"))
    start.begins(evidence(sure, unsure, now, 40.0, order))

Hands that scratch a head show a gloss for a moment as a sign does. No one figure tells the two
apart, but how long it lasted, how sure it was, what was seen beside it and what usually begins a
sentence do so together. ``distill/fit_line_start.py`` learns from streams how much each is worth.
A pack without such a judge goes by the limits of ``gloss_row.RowSettings``.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fingerpost.edge_runtime.seen_sign import EDGE, Sign, log_chances

N_EVIDENCE = 13  # figures
USUAL_MS, OTHERS_MS = 300, 500  # that times are measured by
LEFT = 1.02  # share of which what a gloss has not got is taken: its logarithm is never endless


@dataclass(frozen=True)
class LineStart:
    """One hidden layer of H numbers over F figures, each less its mean and over its scale.

    mean, scale : (F,); hidden : (F, H); hidden_bias, output : (H,)
    """

    mean: np.ndarray
    scale: np.ndarray
    hidden: np.ndarray
    hidden_bias: np.ndarray
    output: np.ndarray
    bias: float

    def score(self, figures: np.ndarray) -> np.ndarray:
        """Above 0 a line begins. figures : shape (..., F), of ``evidence``; returns (...)"""
        hidden = np.tanh((figures - self.mean) / self.scale @ self.hidden + self.hidden_bias)
        return np.asarray(hidden @ self.output + self.bias)

    def begins(self, figures: np.ndarray) -> bool:
        return bool(self.score(figures) > 0)

    def to_json(self) -> bytes:
        """As a pack keeps it: six digits, which is more than its data can tell."""
        arrays = {name: np.asarray(value) for name, value in vars(self).items()}
        rounded = {name: _rounded(value).tolist() for name, value in arrays.items()}
        return json.dumps(rounded).encode()


def read_line_start(content: bytes) -> LineStart:
    """Of a pack's file. ValueError where it is not one."""
    try:
        given: dict[str, Any] = {
            name: np.array(value, np.float64) for name, value in json.loads(content).items()
        }
        start = LineStart(**{**given, "bias": float(given["bias"])})
        shapes = [given[name].shape for name in ("mean", "scale", "hidden_bias", "output")]
        n_hidden = len(start.hidden_bias)
        expected = [(N_EVIDENCE,), (N_EVIDENCE,), (n_hidden,), (n_hidden,)]
        fits = shapes == expected and start.hidden.shape == (N_EVIDENCE, n_hidden)
        if not fits or not all(np.isfinite(value).all() for value in given.values()):
            raise ValueError("of other shapes, or not finite")
        if not (start.scale > 0).all():
            raise ValueError("a scale that is not above 0")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError("the pack's line_start is damaged; fit it again") from error
    return start


def evidence(
    sure: Sequence[Sign],
    others: Sequence[Sign],
    n_frames: int,
    frame_ms: float,
    order: np.ndarray | None,
) -> np.ndarray:
    """What is known of a line that has not begun, shape (F,).

    sure : at least one, the signs that are sure enough; others : those seen that are not
    n_frames : of the sentence so far
    order : shape (V, V), log-probabilities of what follows what; None where nobody knows
    """
    by_time = sorted(sure, key=lambda sign: sign.frames[0])
    chances = log_chances(by_time, order)
    best, *rest = sorted(by_time, key=lambda sign: -sum(sign.shares))
    second = rest[0] if rest else None
    span_ms = (best.frames[-1] - best.frames[0] + 1) * frame_ms
    return np.array(
        [
            _log_time(best, frame_ms),
            _log_left(best),
            0.0 if order is None else order[EDGE, best.label],
            span_ms / 1000,
            len(best.frames) * frame_ms / span_ms,
            best.frames[-1] < n_frames - 1,  # it is over
            second is not None,
            _log_time(second, frame_ms) if second else 0.0,
            _log_left(second) if second else 0.0,
            max(chances[1:], default=0.0),
            chances[0] if chances else 0.0,
            by_time[0].frames[0] * frame_ms / 1000,
            sum(len(sign.frames) for sign in others) * frame_ms / OTHERS_MS,
        ],
        np.float64,
    )


def _log_time(sign: Sign, frame_ms: float) -> float:
    return math.log(len(sign.frames) * frame_ms / USUAL_MS)


def _log_left(sign: Sign) -> float:
    return math.log(LEFT - sign.share)


def _rounded(value: np.ndarray) -> np.ndarray:
    digits = 5 - np.floor(np.log10(np.maximum(np.abs(value), 1e-12)))
    return np.round(value * 10**digits) / 10**digits
