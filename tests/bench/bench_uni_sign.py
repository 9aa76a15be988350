"""A training step (forward and backward) of Uni-Sign against the plain formulation of the same.

    python tests/bench/bench_uni_sign.py [--size tiny base] [--rounds 5] [--threads 2] [--batch 8]

Each is measured in a process of its own, in turn, so that a busy machine slows both alike and the
peak memory is that one's alone. Medians are printed. With --size base the language model has the
shapes of mT5-base (580 million parameters: 6 GB).
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

import torch
from plain_uni_sign import PlainUniSign
from transformers import AutoConfig, AutoModelForSeq2SeqLM

from fingerpost.trainer.import_uni_sign import uni_sign_from
from fingerpost.trainer.models.uni_sign import Prompt, UniSign, UniSignConfig

SIZES = {
    "tiny": {
        **{"vocab_size": 512, "d_model": 768, "d_kv": 16, "d_ff": 64},
        **{"num_layers": 2, "num_decoder_layers": 2, "num_heads": 4},
    },
    "base": {
        **{"vocab_size": 250112, "d_model": 768, "d_kv": 64, "d_ff": 2048},
        **{"num_layers": 12, "num_decoder_layers": 12, "num_heads": 12},
    },
}
PROMPT_TOKENS, LABELS, FRAMES = 10, 20, 128


def random_batch(batch: int, frames: int, vocabulary: int) -> tuple:
    torch.manual_seed(1)
    ids = torch.randint(3, vocabulary, (batch, PROMPT_TOKENS))
    labels = torch.randint(3, vocabulary, (batch, LABELS))
    keypoints = torch.rand(batch, frames, 69, 3) * 2 - 1
    mask = torch.ones(batch, frames, dtype=torch.long)
    return keypoints, mask, Prompt(ids, torch.ones_like(ids)), labels


def new_model(which: str, size: str) -> torch.nn.Module:
    torch.manual_seed(0)
    fields = {"model_type": "mt5", "dropout_rate": 0.0, **SIZES[size]}
    if which == "ours":
        return UniSign(UniSignConfig(fields))
    # The language model as transformers makes it, its linear layers untouched.
    return PlainUniSign(AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model(**fields)))


def step_seconds(which: str, given: argparse.Namespace) -> list[float]:
    """The first step, which allocates and builds kernels, is not counted."""
    model = new_model(which, given.size[0])
    batch = random_batch(given.batch, FRAMES, SIZES[given.size[0]]["vocab_size"])
    seconds = []
    for _ in range(given.rounds + 1):
        start = time.perf_counter()
        model(*batch).backward()
        seconds.append(time.perf_counter() - start)
        model.zero_grad(set_to_none=True)
    return seconds[1:]


def in_a_process(which: str, size: str, given: argparse.Namespace) -> tuple[list[float], float]:
    """Seconds of each step, and peak resident megabytes."""
    options = ["--threads", given.threads, "--batch", given.batch, "--rounds", 2]
    command = [sys.executable, __file__, "--only", which, "--size", size, *map(str, options)]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        sys.exit(run.stderr)
    result = json.loads(run.stdout.splitlines()[-1])
    return result["seconds"], result["megabytes"]


def difference() -> float:
    """The greatest difference between the two in what the language model reads, in training."""
    plain = new_model("plain", "tiny")
    ours = uni_sign_from(plain.state_dict()).train()
    keypoints = random_batch(2, 32, 512)[0]
    with torch.no_grad():
        return (ours.poses(keypoints) - plain.poses(keypoints)).abs().max().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--size", nargs="+", choices=list(SIZES), default=["tiny"])
    parser.add_argument("--rounds", type=int, default=5, help="each of two steps of either")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--only", choices=["plain", "ours"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.only:
        seconds = step_seconds(given.only, given)
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "megabytes": megabytes}))
        return
    print(f"greatest difference of outputs {difference():.1e}")
    for size in given.size:
        seconds: dict[str, list[float]] = {"plain": [], "ours": []}
        memory = dict.fromkeys(seconds, 0.0)
        for _ in range(given.rounds):
            for which in seconds:
                steps, megabytes = in_a_process(which, size, given)
                seconds[which] += steps
                memory[which] = max(memory[which], megabytes)
        medians = {which: statistics.median(times) for which, times in seconds.items()}
        for which, median in medians.items():
            print(f"{size} {which:6s} {median:7.2f} s a step   {memory[which]:6.0f} MB at most")
        print(f"{size} ratio  {medians['plain'] / medians['ours']:7.2f}     (goal: at least 1.50)")


if __name__ == "__main__":
    main()
