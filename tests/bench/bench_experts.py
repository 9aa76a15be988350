"""An epoch of SIGNET with features that were kept, against one that runs every expert again.

    python tests/bench/bench_experts.py [--experts 3] [--widths 64 64 128 256] [--frames 128]
        [--clips 16] [--batch 8] [--epochs 3] [--width 768] [--layers 2] [--vocabulary 2000]

Trains both ways by the command's own loop, on clips that stand still and a language model of random
weights, and prints seconds of processor time of each epoch but the first (which builds kernels, and
maps files), their medians and the ratio. What is saved is the experts' share of a step: the larger
the language model, the less of a whole epoch it is. With --width 768 --layers 12 --vocabulary
250112 the language model is as large as mT5-base.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence
from fingerpost.trainer.checkpoint import save_checkpoint
from fingerpost.trainer.feed import Clips
from fingerpost.trainer.freed_memory import keep_freed_memory
from fingerpost.trainer.models.uni_sign import UniSign, UniSignConfig
from fingerpost.trainer.recipe import Data, Recipe, Training
from fingerpost.trainer.shards import Clip, ShardsAbout, write_shards
from fingerpost.trainer.tasks.translation import Translation
from fingerpost.trainer.train import train

TEXT = "the mother bought a red book yesterday"


def write_clips(folder: Path, given: argparse.Namespace) -> None:
    rng = np.random.default_rng(0)
    seen = np.ones((given.frames, len(SIGN69)), np.float32)

    def clip(number: int) -> Clip:
        xyz = rng.random((given.frames, len(SIGN69), 3), dtype=np.float32)
        sequence = PoseSequence(xyz, seen, 25.0, SIGN69)
        return Clip(f"clip{number}", "me", "train", (), TEXT, "", "en", sequence)

    clips = (clip(number) for number in range(given.clips))
    write_shards(folder, clips, ShardsAbout(corpus="still", schema="sign69"))


def write_experts(folder: Path, shards: Path, given: argparse.Namespace) -> dict[str, str]:
    task = Translation.from_data({}, Clips([str(shards)], ""), None)
    numbers = {**task._token_numbers(), "vocab_size": given.vocabulary}
    language_model: dict[str, Any] = {
        **{"model_type": "mt5", "d_model": given.width, "d_kv": 64, "d_ff": given.width * 8 // 3},
        **{"num_layers": given.layers, "num_decoder_layers": given.layers},
        **{"num_heads": given.width // 64, "dropout_rate": 0.0},
    }
    folders = {}
    for number in range(given.experts):
        torch.manual_seed(number)
        config = UniSignConfig(
            {**language_model, **numbers}, pose_widths=tuple(given.widths), placed=False
        )
        own = folder / f"expert{number}"
        save_checkpoint(own, UniSign(config), {"task": "translation", **task.save(own)}, {})
        folders[f"expert{number}"] = str(own)
    return folders


def epoch_seconds(folder: Path, given: argparse.Namespace, features: str) -> list[float]:
    """Of the processor, of each epoch but the first."""
    recipe = Recipe(
        task="signet",
        data=Data(train=(str(folder / "shards"),), val_split="", cache=True),
        model={"k": min(2, given.experts)},
        settings={"experts": given.folders, "features": features},
        training=Training(
            lr=1e-4, batch=given.batch, epochs=given.epochs, save_every=10**6, ema=0.0
        ),
    )
    ends = [time.process_time()]

    def report(step: int, n_steps: int, figures: dict[str, float]) -> None:
        if step % (n_steps // given.epochs) == 0:
            ends.append(time.process_time())

    train(recipe, folder / ("with" if features else "without"), report)
    return np.diff(ends[1:]).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experts", type=int, default=3)
    parser.add_argument("--widths", type=int, nargs=4, default=[64, 64, 128, 256])
    for name, default in (("frames", 128), ("clips", 16), ("batch", 8), ("epochs", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, default in (("width", 768), ("layers", 2), ("vocabulary", 2000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    keep_freed_memory()  # as the command does
    torch.set_num_threads(1)  # so that time of the processor is time of the work
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_clips(folder / "shards", given)
        given.folders = write_experts(folder, folder / "shards", given)
        found = {}
        for what, features in (("kept", str(folder / "features")), ("run again", "")):
            seconds = epoch_seconds(folder, given, features)
            found[what] = statistics.median(seconds)
            listed = ", ".join(f"{s:.2f}" for s in seconds)
            print(f"features {what}: {listed} s an epoch; median {found[what]:.2f} s")
        print(f"{found['run again'] / found['kept']:.1f} times as fast")


if __name__ == "__main__":
    main()
