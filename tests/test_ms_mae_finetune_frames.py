"""Frames deleted and copied, by hand; adapters in one part of a network alone."""

import numpy as np
import pytest
from torch import nn

from fingerpost.trainer.augment_frames import deleted_or_copied
from fingerpost.trainer.network import add_adapters
from fingerpost.trainer.recipe import Lora


class Drawn:
    """Draws what it was told to."""

    def __init__(self, order: list[int], copied: list[int]) -> None:
        self.order, self.copied = order, copied

    def permutation(self, n: int) -> np.ndarray:
        assert n == len(self.order)
        return np.array(self.order)

    def integers(self, low: int, high: int | None = None, size: int = 1) -> np.ndarray:
        return np.array(self.copied[:size]) if high else 0


def test_of_ten_frames_two_are_changed_one_deleted_and_one_copied() -> None:
    drawn = Drawn(order=[7, 2, *(i for i in range(10) if i not in (2, 7))], copied=[0, 1])
    assert deleted_or_copied(10, 0.2, drawn).tolist() == [0, 1, 2, 2, 3, 4, 5, 6, 8, 9]


def test_something_is_left_of_a_clip_that_is_deleted_whole() -> None:
    assert deleted_or_copied(3, 1.0, Drawn([0, 1, 2], [0, 0, 0])).tolist() == [0]


@pytest.mark.parametrize("share", [0.0, 0.04])
def test_a_share_too_small_changes_nothing(share: float) -> None:
    assert deleted_or_copied(10, share, np.random.default_rng(0)).tolist() == list(range(10))


def test_over_many_clips_a_fifth_changes_and_the_length_stays() -> None:
    rng = np.random.default_rng(0)
    times = [np.bincount(deleted_or_copied(50, 0.2, rng), minlength=50) for _ in range(400)]
    counts = np.bincount(np.concatenate(times), minlength=3) / (400 * 50)
    assert counts == pytest.approx([0.1, 0.8, 0.1], abs=0.01)


@pytest.mark.parametrize(("n", "share"), [(0, 0.2), (5, -0.1), (5, 1.1)])
def test_nonsense_is_refused(n: int, share: float) -> None:
    with pytest.raises(ValueError, match="at least one frame|from 0 to 1"):
        deleted_or_copied(n, share, np.random.default_rng(0))


def two_parts() -> nn.Module:
    def part() -> nn.Module:
        return nn.ModuleDict({"q": nn.Linear(4, 4), "k": nn.Linear(4, 4)})

    return nn.ModuleDict({"encoder": part(), "decoder": part()})


def test_adapters_stay_within_the_part_that_is_named() -> None:
    network = two_parts()
    add_adapters(network, Lora(rank=2, modules=("q",), within=("decoder.",), train=("encoder.",)))
    learns = {name for name, p in network.named_parameters() if p.requires_grad}
    assert learns == {
        *(f"encoder.{layer}.{kind}" for layer in "qk" for kind in ("weight", "bias")),
        *(f"decoder.q.lora_{side}.default.weight" for side in "AB"),
    }


def test_adapters_within_a_part_that_is_not_there_are_refused() -> None:
    with pytest.raises(ValueError, match=r"lora.within: no layer q in reader\."):
        add_adapters(two_parts(), Lora(rank=2, modules=("q",), within=("reader.",)))
