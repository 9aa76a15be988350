"""One checkpoint out of two trainings of the same network: the mean of their weights.

Where one training went on from the other, the mean is often better than either: what each has
learned by heart cancels out (Wortsman et al., "Model soups", ICML 2022; the authors average many).

    python -m fingerpost.trainer.average_weights runs/later runs/earlier -o runs/mean
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from fingerpost.trainer.checkpoint import (
    METRICS,
    WEIGHTS,
    load_checkpoint,
    resolve_checkpoint,
    save_checkpoint,
)


def average_weights(
    first: Path, second: Path, output: Path, within: Sequence[str] = ("",), share: float = 0.5
) -> int:
    """Writes the first checkpoint with means in it; returns how many of its tensors are such.

    within : names that parameters start with which are averaged; all others are the first's
    share : of the second, 0 to 1

    ValueError where nothing is to be averaged, or the two do not fit.
    """
    if not 0 < share < 1:
        raise ValueError(f"the second's share is between 0 and 1, got {share:g}")
    if output.exists():
        raise ValueError(f"{output} is there already: name another folder")
    first, second = resolve_checkpoint(first), resolve_checkpoint(second)
    network, info, _ = load_checkpoint(first)
    other, _, _ = load_checkpoint(second)
    ours, theirs = network.state_dict(), other.state_dict()
    names = [name for name in ours if name.startswith(tuple(within)) and _is_float(ours[name])]
    if not names:
        raise ValueError(f"no weight of {first} starts with {' or '.join(within)}")
    for name in names:
        if name not in theirs or theirs[name].shape != ours[name].shape:
            raise ValueError(f"{name} of {second} does not fit {first}: average one network's")
        ours[name] = (1 - share) * ours[name] + share * theirs[name]
    network.load_state_dict(ours)
    partial = output.with_name(output.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(first, partial, ignore=shutil.ignore_patterns(WEIGHTS, METRICS))
    known = {key: value for key, value in info.items() if key not in ("model", "config")}
    # What was measured was measured on other weights.
    save_checkpoint(partial, network, known, {"averaged": [str(first), str(second), share]})
    partial.replace(output)
    return len(names)


def _is_float(weights: Tensor) -> bool:
    return weights.is_floating_point()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("first", type=Path, help="checkpoint whose settings and files are kept")
    parser.add_argument("second", type=Path, help="checkpoint of the same network")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--within", nargs="+", default=[""], help="how averaged weights are named")
    parser.add_argument("--share", type=float, default=0.5, help="of the second")
    given = parser.parse_args()
    try:
        n = average_weights(given.first, given.second, given.output, given.within, given.share)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print(f"{given.output}: {n} tensors are means")


if __name__ == "__main__":
    main()
