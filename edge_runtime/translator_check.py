"""Does a translation pack say here what it said where it was made?

Its golden clips are run whole, as a device runs them: what one step gets wrong goes into the next,
so the graphs are checked together, with the states between them. Compared are each frame's scores
of glosses, each next token's scores where the right tokens have been said, and the answer that
comes out freely. Arrays of the golden file: ``clip_0/keypoints`` (T, 69, 4),
``clip_0/tokens/<question>`` (L,), and, under ``reference`` and ``expected``, ``glosses`` (T, V) and
``<question>`` (L + 1, n_tokens).
"""

from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from fingerpost.edge_runtime.pack_check import (
    EXPECTED_LIMITS,
    GOLDEN,
    CheckRow,
    Golden,
    Limits,
    answers_to_compare,
    compare,
    golden_array,
)
from fingerpost.edge_runtime.translator import Translator

if TYPE_CHECKING:
    from fingerpost.edge_runtime.pack import Pack

FREE = "free answers"  # the measure of what is said without being told the right tokens
LIVE = "glosses"  # the scores of frames, beside those of questions
Scores = dict[str, np.ndarray]


def check_translator(pack: "Pack", golden: Golden) -> list[CheckRow]:
    """Three figures for each kind of scores, against each of the two answers, over all clips."""
    translator = Translator(pack)
    try:
        clips = golden_clips(golden)
        found = [scores_of_clip(translator, *clip) for clip in clips]
        freely = _free_answers(translator, clips)
    finally:
        translator.close()
    quantization = pack.manifest.quantization
    rows = []
    for against, limits in answers_to_compare(pack).items():
        for name in found[0]:
            should_be = [
                golden_array(golden, f"clip_{i}/{against}/{name}") for i in range(len(clips))
            ]
            graph = "ctc" if name == LIVE else "decode_step"
            rows += compare_rows(
                graph, name, against, [one[name] for one in found], should_be, limits[quantization]
            )
    least = EXPECTED_LIMITS[quantization].min_top1
    rows.append(CheckRow("decode_step", "text", "expected", FREE, freely, least, freely >= least))
    return rows


def scores_of_clip(
    translator: Translator, keypoints: np.ndarray, tokens: dict[str, np.ndarray]
) -> Scores:
    """What the graphs say of a clip: ``LIVE``, and "to <question>" for what it is asked.

    keypoints : (T, 69, 4), of ``preprocess_live``; tokens : by question, the right ones
    """
    sentence = translator.begin()
    # As they come live; a whole clip may be read by another graph, which the free answers ask.
    for start in range(0, len(keypoints), translator.step):
        sentence.push_keypoints(keypoints[start : start + translator.step].astype(np.float32))
    sentence.end()
    scores = {LIVE: np.stack(sentence.scores)}
    for question, said in tokens.items():
        scores[f"to {question}"] = sentence.scores_of(question, said.tolist())
    return scores


def compare_rows(
    graph: str,
    output: str,
    against: str,
    values: Sequence[np.ndarray],
    should_be: Sequence[np.ndarray],
    limits: Limits,
) -> list[CheckRow]:
    """As ``compare``, of clips that differ in length; ValueError where one has another shape."""
    for value, wanted in zip(values, should_be, strict=True):
        if value.shape != wanted.shape:
            raise ValueError(f"{GOLDEN}: {against}/{output} is not of shape {value.shape}")
    return compare(
        graph, output, against, np.concatenate(values), np.concatenate(should_be), limits
    )


def _free_answers(
    translator: Translator, clips: list[tuple[np.ndarray, dict[str, np.ndarray]]]
) -> float:
    """The part of answers that are the expected tokens, one and all."""
    same = []
    for keypoints, tokens in clips:
        sentence = translator.begin()
        sentence.push_keypoints(keypoints.astype(np.float32))
        for question, said in tokens.items():
            same.append(sentence.answer(question).tokens == tuple(said.tolist()))
    return float(np.mean(same))


def golden_clips(golden: Golden) -> list[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Keypoints of each clip, and the right tokens by question; ValueError where there is none."""
    clips = []
    for i in count():
        if f"clip_{i}/keypoints" not in golden:
            break
        start = f"clip_{i}/tokens/"
        tokens = {
            name.removeprefix(start): golden[name] for name in golden if name.startswith(start)
        }
        clips.append((golden[f"clip_{i}/keypoints"], tokens))
    if not clips:
        raise ValueError(f"{GOLDEN} holds no clip; export the pack again")
    return clips
