"""Batches made ahead by a thread: the same ones, in order, and errors where they belong."""

import threading
from collections.abc import Iterator

import pytest

from fingerpost.trainer.feed import AHEAD, ahead


def test_the_same_in_order() -> None:
    assert list(ahead(iter(range(1, 50)))) == list(range(1, 50))
    assert list(ahead(iter(()))) == []


def test_some_are_made_before_they_are_asked_for_but_not_all() -> None:
    made, enough = [], threading.Semaphore(0)

    def numbers() -> Iterator[int]:
        for number in range(1, 100):
            made.append(number)
            enough.release()
            yield number

    batches = ahead(numbers())
    assert next(batches) == 1
    for _ in range(1 + AHEAD):
        assert enough.acquire(timeout=60)
    assert made == list(range(1, 2 + AHEAD))
    batches.close()  # as a training does that ends in an error
    assert len(made) <= 2 + AHEAD


def test_an_error_comes_where_the_batch_would_have_been() -> None:
    def failing() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("clip 3 has no frames")

    batches = ahead(failing())
    assert [next(batches), next(batches)] == [1, 2]
    with pytest.raises(ValueError, match="clip 3 has no frames"):
        next(batches)
