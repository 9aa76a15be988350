"""How many frames of keypoints the signer gives in a second, on one core.

OMP_NUM_THREADS=1 python tests/bench/bench_signer.py
"""

import time

import numpy as np

from fingerpost.trainer.signer import LEXICON, random_signer, sign_sentence

SENTENCES = 100


def main() -> None:
    names = list(LEXICON)
    for label, noisy in (("true joints", False), ("with noise and drop-outs", True)):
        rng = np.random.default_rng(0)
        frames, start = 0, time.perf_counter()
        for _ in range(SENTENCES):
            glosses = [names[k] for k in rng.integers(len(names), size=4)]
            performance = sign_sentence(glosses, random_signer(rng), rng)
            frames += len(performance.keypoints(fps=25, noise=rng if noisy else None))
        seconds = time.perf_counter() - start
        print(f"{label}: {frames} frames, {frames / seconds:,.0f} frames/s")


if __name__ == "__main__":
    main()
