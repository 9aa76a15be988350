"""What a whole sentence costs by a pack with experts, for each k that it can listen to.

    calls = sentence_calls(pack, load_backends(pack))
    calls["sentence of 128 frames, 16 tokens, k = 1"]()

The cost of one graph does not tell: k decides how many of the experts see what comes after the
first ``decide_frames`` (experts.py). A call is all that a device does for a sentence that has
ended, from keypoints to the last token's scores: what all experts see, the choice, what the k see
after it, ``read`` and ``decode_step``. Preprocessing is left out.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from fingerpost.edge_runtime.backends import Backend
from fingerpost.edge_runtime.experts import ExpertSentence, ExpertTranslator, Sight

if TYPE_CHECKING:
    from fingerpost.edge_runtime.pack import Pack

N_FRAMES = 128  # two windows more than what experts are chosen by; 5 seconds at 25 a second
N_TOKENS = 16  # of the answer


def sentence_calls(pack: "Pack", backends: Mapping[str, Backend]) -> dict[str, Callable[[], None]]:
    """A call for each k from 1 to N, by what it is; {} for a pack without experts.

    backends : of all of the pack's graphs; they are not closed

    The sentence is of random numbers (seed 0), for the time does not depend on them. Its frames and
    tokens are ``N_FRAMES`` and ``N_TOKENS``, or as many as the pack takes.
    """
    manifest = pack.manifest
    if manifest.experts is None or manifest.translation is None:
        return {}
    n_frames = min(N_FRAMES, manifest.translation.max_frames)
    translators = {
        k: ExpertTranslator(pack, backends, k) for k in range(1, len(manifest.experts.names) + 1)
    }
    some = translators[1]
    n_tokens = min(N_TOKENS, some.max_tokens)
    numbers = np.random.default_rng(0).uniform(-1, 1, (n_frames, *some.frames_shape[1:]))
    keypoints = numbers.astype(np.float32)
    return {
        f"sentence of {n_frames} frames, {n_tokens} tokens, k = {k}": _call(
            translator, keypoints, n_tokens
        )
        for k, translator in translators.items()
    }


def _call(translator: ExpertTranslator, keypoints: np.ndarray, n_tokens: int) -> Callable[[], None]:
    question = next(iter(translator.adapters))
    said = [0] * (n_tokens - 1)  # scores of the first token need none before it

    def call() -> None:
        sentence = ExpertSentence(translator, question, Sight(translator, keypoints))
        sentence.scores_of(question, said)

    return call
