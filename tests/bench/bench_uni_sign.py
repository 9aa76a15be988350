"""A training step (forward and backward) of Uni-Sign against the plain formulation of the same.

    python tests/bench/bench_uni_sign.py [--size tiny base] [--rounds 5] [--threads 2] [--batch 8]
        [--frames 128] [--half] [--device cuda] [--of plain ours ours-kept plain-kept]

Each is measured in a process of its own, in turn, so that a busy machine slows all alike and the
peak memory is that one's alone. Medians are printed: of seconds by the clock, and of seconds of
processor time, which a busy machine changes less; and ratios to the first. ``ours-kept`` is ours as
``fingerpost train`` runs it: what a step frees is kept for the next (``trainer.freed_memory``).
With --size base the language model has the shapes of mT5-base (580 million parameters: 7 GB).
--half is bfloat16 by autocast. --device cuda adds tokens (frames and pieces of text) a second, and
the share of the GPU's peak (MFU) if its FLOP/s are given by --peak-tflops; not yet run on a GPU.
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

from fingerpost.trainer.freed_memory import keep_freed_memory
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
KEPT = "-kept"
PROMPT_TOKENS, LABELS = 10, 20


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


def on_device(batch: tuple, given: argparse.Namespace) -> tuple:
    keypoints, mask, prompt, labels = batch
    prompt = Prompt(prompt.ids.to(given.device), prompt.mask.to(given.device))
    return keypoints.to(given.device), mask.to(given.device), prompt, labels.to(given.device)


def step_seconds(which: str, given: argparse.Namespace) -> list[tuple[float, float]]:
    """By the clock and of the processor. The first step, which builds kernels, is not counted."""
    size = given.size[0]
    batch = on_device(random_batch(given.batch, given.frames, SIZES[size]["vocab_size"]), given)
    model = new_model(which, size).to(given.device)
    seconds = []
    for _ in range(given.rounds + 1):
        start, start_processor = time.perf_counter(), time.process_time()
        with torch.autocast(given.device, torch.bfloat16, enabled=given.half):
            loss = model(*batch)
        loss.backward()
        if given.device == "cuda":
            torch.cuda.synchronize()
        seconds.append((time.perf_counter() - start, time.process_time() - start_processor))
        model.zero_grad(set_to_none=True)
    return seconds[1:]


def step_flops(size: str, given: argparse.Namespace) -> int:
    """Of a step of the plain formulation, as ``torch.utils.flop_counter`` counts them."""
    from torch.utils.flop_counter import FlopCounterMode

    model = new_model("plain", size).to(given.device)
    batch = on_device(random_batch(given.batch, given.frames, SIZES[size]["vocab_size"]), given)
    with FlopCounterMode(display=False) as counter:
        model(*batch).backward()
    return counter.get_total_flops()


def in_a_process(which: str, size: str, given: argparse.Namespace) -> tuple[list, float]:
    """Seconds of each step, and peak megabytes: of the GPU's memory, else resident."""
    options = ["--threads", given.threads, "--batch", given.batch, "--frames", given.frames]
    options += ["--rounds", 2, "--device", given.device] + ["--half"] * given.half
    command = [sys.executable, __file__, "--only", which, "--size", size, *map(str, options)]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        sys.exit(run.stderr)
    result = json.loads(run.stdout.splitlines()[-1])
    return result["seconds"], result["megabytes"]


def difference(given: argparse.Namespace) -> float:
    """The greatest difference between the two in what the language model reads, in training."""
    plain = new_model("plain", "tiny")
    ours = uni_sign_from(plain.state_dict()).train()
    keypoints = random_batch(given.batch, given.frames, 512)[0]
    with torch.no_grad():
        return (ours.poses(keypoints) - plain.poses(keypoints)).abs().max().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--size", nargs="+", choices=list(SIZES), default=["tiny"])
    parser.add_argument("--rounds", type=int, default=5, help="each of two steps of either")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--frames", type=int, default=128)
    parser.add_argument("--half", action="store_true", help="bfloat16 by autocast")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--peak-tflops", type=float, help="of the GPU, for MFU")
    contestants = ["plain", "ours", "ours-kept", "plain-kept"]
    parser.add_argument("--of", nargs="+", choices=contestants, default=contestants[:3])
    parser.add_argument("--only", choices=contestants, help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no GPU that PyTorch can use; leave --device out")
    if given.only:
        if given.only.endswith(KEPT) and not keep_freed_memory():
            parser.error("only glibc can keep freed memory; give --of plain ours")
        seconds = step_seconds(given.only.removesuffix(KEPT), given)
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        if given.device == "cuda":
            megabytes = torch.cuda.max_memory_allocated() / 2**20
        print(json.dumps({"seconds": seconds, "megabytes": megabytes}))
        return
    print(f"greatest difference of outputs {difference(given):.1e}")
    for size in given.size:
        compare(size, given)


def compare(size: str, given: argparse.Namespace) -> None:
    seconds: dict[str, list] = {which: [] for which in given.of}
    memory = dict.fromkeys(seconds, 0.0)
    for _ in range(given.rounds):
        for which in seconds:
            steps, megabytes = in_a_process(which, size, given)
            seconds[which] += steps
            memory[which] = max(memory[which], megabytes)
    medians = {
        which: [statistics.median(column) for column in zip(*steps, strict=True)]
        for which, steps in seconds.items()
    }
    first = medians[given.of[0]]
    for which, (clock, processor) in medians.items():
        figures = f"{clock:7.3f} s a step   {processor:7.3f} s of the processor"
        print(f"{size} {which:10s} {figures}   {memory[which]:6.0f} MB at most")
        if given.device == "cuda":
            tokens = given.batch * (given.frames + PROMPT_TOKENS + LABELS) / clock
            print(f"{size} {which:10s} {tokens:7.0f} tokens/s")
            if given.peak_tflops:
                mfu = step_flops(size, given) / clock / (given.peak_tflops * 1e12)
                print(f"{size} {which:10s} {mfu:7.1%} of the GPU's peak")
        if which != given.of[0]:
            ratios = f"{first[0] / clock:7.2f}              {first[1] / processor:7.2f}"
            print(f"{size} {'ratio':10s} {ratios}             (goal: at least 1.50)")


if __name__ == "__main__":
    main()
