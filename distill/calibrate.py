"""Scores that can be believed: the temperature of a translation pack, fitted on held-back clips.

Guo et al., "On Calibration of Modern Neural Networks" (2017), Sec. 4.2: logits are divided by one
number, chosen so that held-back data are likeliest; answers stay what they are. What differs: there
it is a class that must be right, here a whole sentence, to the letter. So what is made likely is
whether the best reading is right, and its score is the product of its tokens' probabilities.

That one number does as well as a logistic regression on the mean, the sum and the least of the
tokens' log-probabilities, and glosses that are unsure say nothing of a sentence (docs/scores.md).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fingerpost.distill.reliability import Scored
from fingerpost.edge_runtime.captions import ScoreSettings
from fingerpost.edge_runtime.pack import Pack, write_pack
from fingerpost.edge_runtime.stage_settings import read_settings
from fingerpost.edge_runtime.translator import Sentence, Translator, log_chance
from fingerpost.trainer.evaluate_live import replay_pack
from fingerpost.trainer.language_names import language_name
from fingerpost.trainer.live_scores import lines_of, match
from fingerpost.trainer.shards import Clip
from fingerpost.trainer.streams import Stream

TEMPERATURES = np.geomspace(0.2, 5.0, 81)  # the next is 4 % more
LEAST = 10  # right answers, and wrong ones, that a temperature can be fitted on
SURE = 1 - 1e-6  # no score is nearer to 0 or 1 in the fit: one surprise would decide alone

Progress = Callable[[int, int], None]


def fit_temperature(
    translator: Translator, clips: Sequence[Clip], progress: Progress = lambda done, n: None
) -> float | None:
    """The temperature that makes it likeliest what is right of these clips and what is wrong.

    None where too few of them are right, or wrong, to tell; clips without a text do not count.
    """
    chances, right = [], []
    for i, clip in enumerate(clips):
        question = _question(translator, clip)
        if question:
            sentence = _read(translator, clip)
            best = sentence.readings(question)[0]
            chances.append(_log_chances(sentence, question, best.tokens, translator.words.end))
            right.append(best.text == clip.text.strip())
        progress(i + 1, len(clips))
    if min(sum(right), len(right) - sum(right)) < LEAST:
        return None
    scores = np.clip(np.exp(np.stack(chances)), 1 - SURE, SURE)  # (clips, temperatures)
    of_truth = np.where(np.array(right)[:, None], scores, 1 - scores)
    return round(float(TEMPERATURES[np.log(of_truth).sum(axis=0).argmax()]), 4)


def with_temperature(pack: Pack, temperature: float) -> Pack:
    """The pack as it would be. ValueError where it is no translator's."""
    if pack.manifest.translation is None:
        raise ValueError(f"pack {pack.manifest.name} writes no sentences: it has no temperature")
    words = replace(pack.manifest.translation, temperature=temperature)
    return replace(pack, manifest=replace(pack.manifest, translation=words))


def write_calibrated(pack: Pack, out: Path, temperature: float) -> Pack:
    """Writes the pack with a temperature; ``out`` may be where it is from."""
    manifest = with_temperature(pack, temperature).manifest
    return write_pack(out, manifest, {name: pack.read(name) for name in pack.manifest.files})


def unsure_below(pack: Pack) -> float:
    """The score below which the pack's lines are unsure."""
    return read_settings(ScoreSettings, pack.manifest.settings).unsure_below


def scored_clips(
    pack: Pack, clips: Sequence[Clip], progress: Progress = lambda done, n: None
) -> list[Scored]:
    """The best reading of each clip that has a text, each clip read as one sentence."""
    translator = Translator(pack)
    scored = []
    try:
        for i, clip in enumerate(clips):
            question = _question(translator, clip)
            if question:
                best = _read(translator, clip).readings(question)[0]
                scored.append(Scored(best.score, best.text == clip.text.strip()))
            progress(i + 1, len(clips))
    finally:
        translator.close()
    return scored


def scored_lines(
    pack: Pack, streams: Sequence[Stream], progress: Progress = lambda done, n: None
) -> list[Scored]:
    """Each completed line of live translation. It is right where a sentence got it alone, and its
    text is the sentence's; lines of no sentence are wrong."""
    scored = []
    for i, (stream, replay) in enumerate(replay_pack(pack, streams)):
        for answer in match(stream.sentences, lines_of(replay)):
            truth = answer.sentence.text if answer.sentence and len(answer.lines) == 1 else None
            finals = [line.final for line in answer.lines if line.final]
            scored += [Scored(line.score, line.text == truth) for line in finals]
        progress(i + 1, len(streams))
    return scored


def _question(translator: Translator, clip: Clip) -> str:
    """The language of a clip's text, if it has one that the pack writes."""
    language = language_name(clip.text_language)
    return language if clip.text.strip() and language in translator.questions else ""


def _read(translator: Translator, clip: Clip) -> Sentence:
    sentence = translator.begin()
    sentence.push_keypoints(translator.keypoints_of(clip.sequence))
    sentence.end()
    return sentence


def _log_chances(
    sentence: Sentence, question: str, tokens: tuple[int, ...], end: int
) -> np.ndarray:
    """Log-probability of a row of tokens at each temperature, (temperatures,)."""
    scores = sentence.scores_of(question, tokens)  # (L, n_tokens)
    return np.array([log_chance(scores, (*tokens, end), t) for t in TEMPERATURES])
