"""Memory and time of a training step of found's pose backbone on a long window, in two ways.

    python tests/bench/bench_found.py [--frames 500] [--width 512] [--view found203]

Together: the articulators' encoders read all frames at once, and the Conformer reads windows, as
Sec. 4.2 and B.3 of "Lost in Translation, Found in Embeddings" have it. Apart: the keypoints are cut
into windows first, and every one goes through everything. The paper counts 5.6 against 29.6 GB for
500 frames, with the lip backbone, on a GPU. Each is measured in a process of its own, forward and
backward, batch 1: the most memory beyond that of the process before the step, and processor time.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import torch

from fingerpost.trainer.models.found_poses import VIEWS, PoseBackbone, PoseBackboneConfig

WAYS = ("together", "apart")


def measure(way: str, frames: int, width: int, view: str) -> dict[str, float]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    backbone = PoseBackbone(PoseBackboneConfig(view=view, width=width)).train()
    keypoints, mask = torch.rand(1, frames, len(VIEWS[view]), 4), torch.ones(1, frames)
    read = backbone.forward if way == "together" else backbone.forward_by_windows
    before, start = _peak_mb(), time.process_time()
    read(keypoints, mask).sum().backward()
    return {"mb": _peak_mb() - before, "cpu_s": time.process_time() - start}


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--frames", type=int, default=500)
    options.add_argument("--width", type=int, default=512, help="of the Conformer")
    options.add_argument("--view", default="found203", choices=sorted(VIEWS))
    options.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)  # of a process of its own
    given = options.parse_args()
    if given.way:
        print(json.dumps(measure(given.way, given.frames, given.width, given.view)))
        return
    print(f"{given.frames} frames of {given.view}, Conformer {given.width} wide, batch 1, one step")
    for way in WAYS:
        command = [sys.executable, __file__, "--way", way, "--frames", str(given.frames)]
        command += ["--width", str(given.width), "--view", given.view]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        print(f"{way:10}{found['mb']:9,.0f} MB{found['cpu_s']:8.1f} s of processor time")


if __name__ == "__main__":
    main()
