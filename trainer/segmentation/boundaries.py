"""Boundaries in a matrix of how much moments have to do with each other: arrays in, numbers out.

The matrix is a *band*, for only moments near each other matter and an hour has many: ``band[i, d]``
is how much moment i has to do with moment i + d, shape (n, w), w the furthest that is looked at;
what lies beyond the end is 0. A short clip's band holds all of its matrix.
"""

import numpy as np

EPSILON = 1e-6


def band_of(matrix: np.ndarray, width: int) -> np.ndarray:
    """The band (n, width) of a symmetric matrix (n, n)."""
    n = len(matrix)
    band = np.zeros((n, width), np.float64)
    for d in range(min(width, n)):
        band[: n - d, d] = np.diagonal(matrix, d)
    return band


def matrix_of(band: np.ndarray) -> np.ndarray:
    """The symmetric matrix (n, n) of a band; NaN outside of it."""
    n, width = band.shape
    matrix = np.full((n, n), np.nan)
    for d in range(min(width, n)):
        rows = np.arange(n - d)
        matrix[rows, rows + d] = matrix[rows + d, rows] = band[: n - d, d]
    return matrix


def contrast(band: np.ndarray) -> np.ndarray:
    """The logarithm of a band, in standard deviations from its mean.

    Positive: the two moments have more to do with each other than two that are near have usually.
    The mean is over the whole band and not over each diagonal: that attention falls with distance
    says how long signs are, and cuts made without it are worse (docs/segment.md).
    """
    n, width = band.shape
    there = np.add.outer(np.arange(n), np.arange(width)) < n
    logs = np.log(np.maximum(band, EPSILON))
    if not there.any():
        return logs
    spread = max(float(logs[there].std()), 0.05)
    return np.where(there, (logs - logs[there].mean()) / spread, 0)


def novelty(band: np.ndarray, reach: int) -> np.ndarray:
    """How much more alike moments are on either side of a cut than across it, shape (n + 1,).

    Entry i is of the cut before moment i; the first and last are 0. The mean over the two squares
    of ``reach`` moments beside the cut, less the mean over the squares between them: the
    checkerboard of Foote (Automatic audio segmentation using a measure of audio novelty, 2000).
    """
    n, width = band.shape
    reach = min(reach, width // 2)
    found = np.zeros(n + 1)
    if n < 2 or reach < 1:
        return found
    sums = _block_sums(band, min(2 * reach, width))
    cuts = np.arange(1, n)
    before, after = np.minimum(reach, cuts), np.minimum(reach, n - cuts)
    within = sums[cuts - before, before] + sums[cuts, after]
    whole = sums[cuts - before, before + after]
    found[1:n] = within / (before**2 + after**2) - (whole - within) / (2 * before * after)
    return found


def best_blocks(
    band: np.ndarray, cost: float, shortest: int, longest: int, cuts: np.ndarray | None = None
) -> list[int]:
    """The cuts, 0 < cut < n, that make the best blocks along the diagonal, by dynamic programming.

    A block of m moments is worth the sum of its part of the matrix over m, and costs ``cost``;
    the sum over all blocks is made the greatest. This is change-point detection with a kernel
    (Harchaoui & Cappe, Retrospective multiple change-point estimation with kernels, 2007).

    shortest, longest : moments of a block; the first and last may be shorter, what is cut off there
    cuts : shape (n + 1,), what each cut is worth beside; None = nothing
    """
    n, width = band.shape
    longest = min(longest, width, n)
    shortest = min(shortest, longest)
    bonus = np.zeros(n + 1) if cuts is None else cuts
    sizes = np.arange(1, longest + 1)
    worths = _block_sums(band, longest)[:, 1:] / sizes - cost  # (n, longest)
    best, cut = np.full(n + 1, -np.inf), np.zeros(n + 1, int)
    best[0] = 0
    for end in range(1, n + 1):
        starts = end - sizes[: min(longest, end)]
        worth = best[starts] + worths[starts, end - starts - 1] + bonus[starts] * (starts > 0)
        if end < n:  # a first block may be short, and so may the last one
            worth[(end - starts < shortest) & (starts > 0)] = -np.inf
        choice = int(np.argmax(worth))
        best[end], cut[end] = worth[choice], starts[choice]
    found = []
    end = n
    while end > 0:
        end = int(cut[end])
        found.append(end)
    return found[-2::-1]


def _block_sums(band: np.ndarray, longest: int) -> np.ndarray:
    """Sum of the square of the matrix from i to i + m, both ways, shape (n, longest + 1)."""
    n = len(band)
    sums = np.zeros((n, longest + 1))
    for m in range(1, longest + 1):
        rows = n - m + 1
        # The square from i to i + m: the one from i + 1, and row i twice but for its diagonal.
        inner = sums[1 : rows + 1, m - 1] if m > 1 else np.zeros(rows)
        row = 2 * band[:rows, :m].sum(axis=1) - band[:rows, 0]
        sums[:rows, m] = inner[:rows] + row
    return sums
