"""Does a pack with experts say here what it said where it was made?

Its golden clips are translated whole, as a device does it. Compared are what each expert sees of
them, the fused frames, and each next token's scores where the right tokens have been said. Arrays
of the golden file: ``clip_0/keypoints`` (T, 69, 3), ``clip_0/tokens/<question>`` (L,), and, under
``reference`` and ``expected``, ``expert_<name>`` (T, E), ``fused to <question>`` (T, E) and
``to <question>`` (L + 1, n_tokens).

A language that was added later (``expert_adapters``) has no golden answers: it is left out.
"""

from typing import TYPE_CHECKING

import numpy as np

from fingerpost.edge_runtime.experts import ExpertSentence, ExpertTranslator, Sight
from fingerpost.edge_runtime.pack_check import (
    CheckRow,
    Golden,
    answers_to_compare,
    golden_array,
)
from fingerpost.edge_runtime.translator_check import compare_rows, golden_clips

if TYPE_CHECKING:
    from fingerpost.edge_runtime.pack import Pack

Seen = dict[str, np.ndarray]


def check_experts(pack: "Pack", golden: Golden) -> list[CheckRow]:
    """Three figures for each kind of answer, against each of the two answers, over all clips."""
    translator = ExpertTranslator(pack)
    try:
        clips = golden_clips(golden)
        found = [seen_of_clip(translator, *clip) for clip in clips]
    finally:
        translator.close()
    rows = []
    for against, limits in answers_to_compare(pack).items():
        for name in found[0]:
            should_be = [
                golden_array(golden, f"clip_{i}/{against}/{name}") for i in range(len(clips))
            ]
            rows += compare_rows(
                _graph_of(name),
                name,
                against,
                [one[name] for one in found],
                should_be,
                limits[pack.manifest.quantization],
            )
    return rows


def seen_of_clip(
    translator: ExpertTranslator, keypoints: np.ndarray, tokens: dict[str, np.ndarray]
) -> Seen:
    """What the graphs make of a clip.

    keypoints : (T, 69, 3); tokens : by question, the right ones
    """
    sight = Sight(translator, keypoints.astype(np.float32))
    experts = translator.experts
    seen = {experts.graph(name): sight.frames(name) for name in experts.names}
    for question, said in tokens.items():
        sentence = ExpertSentence(translator, question, sight)
        seen[f"fused to {question}"] = sentence.fused
        seen[f"to {question}"] = sentence.scores_of(question, said.tolist())
    return seen


def _graph_of(name: str) -> str:
    if name.startswith("to "):
        return "decode_step"
    return "experts" if name.startswith("fused") else name
