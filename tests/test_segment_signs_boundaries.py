"""Boundaries in matrices made by hand."""

import numpy as np
import pytest

from fingerpost.trainer.segmentation.boundaries import (
    band_of,
    best_blocks,
    contrast,
    matrix_of,
    novelty,
)


def blocks(*sizes, inside=1.0, outside=0.0):
    """A matrix with blocks of these sizes along its diagonal."""
    n = sum(sizes)
    matrix = np.full((n, n), outside)
    start = 0
    for size in sizes:
        matrix[start : start + size, start : start + size] = inside
        start += size
    return matrix


def test_a_band_holds_the_matrix_near_its_diagonal():
    matrix = np.array([[1.0, 2, 3], [2, 4, 5], [3, 5, 6]])
    assert band_of(matrix, 2).tolist() == [[1, 2], [4, 5], [6, 0]]
    assert matrix_of(band_of(matrix, 5)).tolist() == matrix.tolist()
    again = matrix_of(band_of(matrix, 2))
    assert np.isnan(again[0, 2]) and np.isnan(again[2, 0])
    assert np.isfinite(again).sum() == 7


def test_three_clean_blocks_have_two_boundaries():
    band = band_of(blocks(5, 8, 6, inside=1, outside=-1), 19)
    assert best_blocks(band, 0.5, 2, 12) == [5, 13]


def test_a_block_that_is_too_long_is_cut():
    assert best_blocks(band_of(blocks(9, inside=1, outside=-1), 9), 0.5, 1, 5) in ([4], [5])


def test_the_price_of_a_block_joins_weak_ones():
    band = band_of(blocks(4, 4, inside=1, outside=0.5), 8)
    # Apart: 4 + 4, less two prices. Together: (2 * 16 + 2 * 8) / 8 = 6, less one price.
    assert best_blocks(band, 1.9, 1, 8) == [4]
    assert best_blocks(band, 2.1, 1, 8) == []


def test_a_block_is_never_too_short_but_at_the_ends():
    band = band_of(blocks(2, 6, 2, 6, 2, inside=1, outside=-1), 18)
    assert best_blocks(band, 0.1, 2, 10) == [2, 8, 10, 16]
    assert best_blocks(band, 0.1, 3, 10)[0] == 2
    inner = np.diff(best_blocks(band, 0.1, 3, 10))
    assert inner.min() >= 3


def test_what_a_cut_is_worth_moves_it():
    band = band_of(np.zeros((8, 8)), 8)
    worth = np.zeros(9)
    worth[3] = 1
    assert best_blocks(band, 0.5, 1, 8, worth) == [3]
    assert best_blocks(band, 1.5, 1, 8, worth) == []


@pytest.mark.parametrize("n", [0, 1, 2])
def test_next_to_nothing_has_no_boundary(n):
    assert best_blocks(np.zeros((n, 5)), 1.0, 2, 4) == []


def test_blocks_are_the_best_of_all():
    """Against every way to cut, on matrices at random."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        matrix = rng.normal(size=(7, 7))
        matrix += matrix.T
        best = max(
            ([i for i in range(1, 7) if code >> (i - 1) & 1] for code in range(64)),
            key=lambda cuts: sum(
                matrix[a:b, a:b].sum() / (b - a) - 0.7
                for a, b in zip([0, *cuts], [*cuts, 7], strict=True)
            ),
        )
        assert best_blocks(band_of(matrix, 7), 0.7, 1, 7) == best


def test_novelty_peaks_at_the_boundaries():
    found = novelty(band_of(blocks(6, 6, 6), 18), 4)
    assert found[[6, 12]] == pytest.approx([1, 1])  # within 1, across 0
    assert found[[0, 18]].tolist() == [0, 0]
    assert found[3] < 0.1
    assert set(np.argsort(found)[-2:]) == {6, 12}


def test_contrast_is_in_standard_deviations_of_what_there_is():
    band = band_of(np.exp(np.array([[1.0, 3], [3, 5]])), 2)  # logarithms 1, 3, 5: spread 1.63
    assert contrast(band) == pytest.approx(np.array([[-1, 0], [1, 0]]) * 1.5**0.5)
    assert contrast(np.full((4, 3), 0.2)).tolist() == np.zeros((4, 3)).tolist()
    assert contrast(np.zeros((0, 3))).shape == (0, 3)


def test_blocks_of_attention_that_falls_with_distance_are_found():
    n = 30
    falling = np.exp(-np.abs(np.subtract.outer(np.arange(n), np.arange(n))) / 10.0)
    two = falling * blocks(15, 15, inside=1.0, outside=0.3)
    assert best_blocks(contrast(band_of(two, n)), 5.0, 3, 20) == [15]
