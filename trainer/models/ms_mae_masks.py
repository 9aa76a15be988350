"""Which tokens MS-MAE must reconstruct: Sec. 3.2 and 4.1 of the paper that ``ms_mae`` is after."""

from collections.abc import Callable, Sequence

import numpy as np


def draw_masks(
    kind: str, n_tokens: Sequence[int], n_streams: int, ratio: float, seeds: Sequence[int]
) -> np.ndarray:
    """Masked tokens of B clips, (B, S, N) bool, N = the most that a clip has of a stream.

    kind : a name of ``MASKS``
    n_tokens : of each clip in time; what lies behind them is not masked
    ratio : share of each stream's tokens, rounded; at least one is masked, and one is not
    seeds : one a clip; the mask depends on it and on the clip's own length alone
    """
    if kind not in MASKS:
        raise ValueError(f"unknown mask {kind!r}; known: {', '.join(MASKS)}")
    masked = np.zeros((len(n_tokens), n_streams, max(n_tokens, default=0)), bool)
    for row, n, seed in zip(masked, n_tokens, seeds, strict=True):
        n_masked = max(1, min(n - 1, int(ratio * n + 0.5)))
        row[:, :n] = MASKS[kind](n, n_streams, n_masked, np.random.default_rng(seed))
    return masked


def _diff(n: int, n_streams: int, n_masked: int, rng: np.random.Generator) -> np.ndarray:
    """DiffMask: each stream its own moments, and as many of them as the others, (S, N)."""
    return rng.random((n_streams, n)).argsort(axis=1) < n_masked


def _same(n: int, n_streams: int, n_masked: int, rng: np.random.Generator) -> np.ndarray:
    """SameMask: the same moments of all streams, (S, N)."""
    return np.tile(_diff(n, 1, n_masked, rng), (n_streams, 1))


MASKS: dict[str, Callable[[int, int, int, np.random.Generator], np.ndarray]] = {
    "diff": _diff,
    "same": _same,
}
