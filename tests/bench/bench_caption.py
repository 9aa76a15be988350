"""What captioning costs beside finding landmarks, and what a user waits for.

    python tests/bench/bench_caption.py [CLIP] [--rounds 3]

In turn, so that a busy machine slows both alike: the landmarker alone over the clip, and the whole
way from file to captions. Then ``fingerpost caption`` as a user runs it: seconds from the start of
the process to the first caption, and the memory it took. Medians are printed.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

DEMO = Path(__file__).parents[2] / "assets" / "demo" / "demo.mp4"


def landmarks_alone(clip: Path) -> float:
    """Frames a second: decode, find landmarks, nothing else; start-up not counted."""
    from fingerpost.edge_runtime.landmarks import Landmarker
    from fingerpost.edge_runtime.video import open_video

    with open_video(clip) as video:
        with Landmarker(video.info.width, video.info.height) as landmarker:
            frames, start = 0, 0.0
            for time_ms, rgb in video:
                landmarker.detect(rgb, time_ms)
                start = start or time.perf_counter()  # the first frame pays for the start
                frames += 1
    return (frames - 1) / (time.perf_counter() - start)


def captions(clip: Path) -> float:
    """Frames a second of the whole way from file to captions; start-up not counted."""
    from fingerpost.app.commands_caption import load_pack, make_captioner
    from fingerpost.app.session import Session, observe

    pack = load_pack()
    with observe(str(clip)) as observer:
        session = Session(observer, make_captioner(pack, observer))
        frames, start = 0, 0.0
        for step in session:
            start = start or time.perf_counter()
            frames += step.sight is not None
    return (frames - 1) / (time.perf_counter() - start)


def in_a_process(what: str, clip: Path) -> float:
    """One of the two, in a process of its own: neither inherits the other's warm state."""
    run = subprocess.run(
        [sys.executable, __file__, str(clip), "--only", what], capture_output=True, text=True
    )
    if run.returncode:
        sys.exit(run.stderr)
    return float(run.stdout)


def as_a_user(clip: Path) -> tuple[float, float]:
    """Seconds to the first caption event, and peak resident megabytes."""
    command = [sys.executable, "-m", "fingerpost.app", "caption", str(clip), "--json"]
    start = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        waited = time.perf_counter() - start
        process.stdout.read()
    json.loads(first)
    return waited, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("clip", type=Path, nargs="?", default=DEMO)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["landmarks", "captions"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        print((landmarks_alone if given.only == "landmarks" else captions)(given.clip))
        return
    waits, memory = zip(*(as_a_user(given.clip) for _ in range(given.rounds)), strict=True)
    alone, whole = [], []
    for _ in range(given.rounds):
        alone.append(in_a_process("landmarks", given.clip))
        whole.append(in_a_process("captions", given.clip))
    ratios = [w / a for w, a in zip(whole, alone, strict=True)]
    print(f"landmarks alone     {statistics.median(alone):6.1f} frames/s")
    print(f"file to captions    {statistics.median(whole):6.1f} frames/s")
    print(f"ratio               {statistics.median(ratios):6.2f}   (goal: at least 0.90)")
    print(f"to first caption    {statistics.median(waits):6.1f} s (goal: at most 4)")
    print(f"peak memory         {max(memory):6.0f} MB (goal: at most 400)")


if __name__ == "__main__":
    main()
