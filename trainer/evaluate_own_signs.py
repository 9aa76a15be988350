"""How well a pack finds signs that it was taught by three examples, of the rendered signer.

    python -m fingerpost.trainer.evaluate_own_signs my-pack.fpk --rounds 4

In each round somebody teaches five invented signs. Then they, and somebody else, sign sentences
with one of them in each; and streams without any are watched, idle hands among them.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np

from fingerpost.edge_runtime.captions import Line, LineCompleted
from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.edge_runtime.live_translator import LiveTranslator
from fingerpost.edge_runtime.own_signs import OwnSign
from fingerpost.edge_runtime.pack import Pack, PackStore, open_pack
from fingerpost.edge_runtime.sign_spotter import Taught
from fingerpost.edge_runtime.teaching import ExampleCutter, learn, limit_of
from fingerpost.edge_runtime.translator import Translator
from fingerpost.trainer.signer import (
    LEXICON,
    Camera,
    Sign,
    Signer,
    concatenate,
    random_camera,
    random_signer,
    sign_sentence,
)
from fingerpost.trainer.signer.fidgets import nonsense
from fingerpost.trainer.signer_corpus import random_sentence
from fingerpost.trainer.streams import Stream, make_streams

N_SIGNS, N_EXAMPLES = 5, 3
N_SENTENCES = 24  # of each signer in a round
ALONE = 0.15  # of them are the own sign alone
NEAR_MS = 400  # that a line's sign may be from where it was made
_SEED = 11  # apart from the random numbers of the corpora


@dataclass
class OwnScores:
    """n : own signs that were made; found : those shown by their name; wrong : by another's
    false : shown where none was made; minutes : of stream without any, in which false_idle came
    exact, exact_untaught : of n_sentences with an own sign beside others: what was read of the rest
        is right to the letter; and the same where the sign was not taught
    """

    n_same: int = 0
    found_same: int = 0
    n_other: int = 0
    found_other: int = 0
    wrong: int = 0
    false: int = 0
    n_sentences: int = 0
    exact: int = 0
    exact_untaught: int = 0
    false_without: int = 0
    minutes: float = 0.0

    def add(self, other: "OwnScores") -> None:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


@dataclass(frozen=True)
class _Made:
    """A sentence with an own sign. text : what the rest of it means; "" where there is no rest"""

    name: str
    start_ms: int
    end_ms: int
    text: str


def score_own_signs(pack: Pack, rounds: int, minutes: float, seed: int = 0) -> OwnScores:
    """The scores of some rounds. minutes : of stream without own signs, in each round"""
    translator, scores = Translator(pack), OwnScores()
    try:
        for number in range(rounds):
            rng = np.random.default_rng([_SEED, seed, number])
            invented = {f"own {k}": nonsense(rng) for k in range(N_SIGNS)}
            people = {"same": random_signer(rng), "other": random_signer(rng)}
            signs = [_taught_by(people["same"], name, invented, rng) for name in invented]
            taught = learn(translator, signs, limit_of(pack))
            for who, signer in people.items():
                scores.add(_with_own(pack, translator, taught, invented, who, signer, rng))
            scores.add(_without(pack, translator, taught, minutes, seed + number))
    finally:
        translator.close()
    return scores


def _taught_by(
    signer: Signer, name: str, lexicon: dict[str, Sign], rng: np.random.Generator
) -> OwnSign:
    """Once more before another camera where one sees no example, as a user would do."""
    examples: list[PoseSequence] = []
    while not examples:
        parts = [sign_sentence([name], signer, rng, lexicon=lexicon) for _ in range(N_EXAMPLES)]
        sequence = concatenate(parts).keypoints(camera=random_camera(rng), noise=rng)
        cutter = ExampleCutter(sequence.schema, sequence.aspect)
        examples = [e for frame in sequence.frames() for e in cutter.push(frame)] + cutter.flush()
    return OwnSign(name, tuple(examples))


def _with_own(
    pack: Pack,
    translator: Translator,
    taught: Sequence[Taught],
    invented: dict[str, Sign],
    who: str,
    signer: Signer,
    rng: np.random.Generator,
) -> OwnScores:
    """Sentences of one signer, each with one own sign."""
    sequence, made = _signed(signer, invented, random_camera(rng), rng)
    lines = _lines(pack, translator, taught, sequence)
    untaught = _lines(pack, translator, (), sequence)
    names, scores = set(invented), OwnScores()
    n_found = 0
    for one in made:
        shown = [g for line in lines for g in _near(line, one) if g in names]
        n_found += one.name in shown
        scores.wrong += bool(shown) and one.name not in shown
        scores.false += len(shown) - bool(shown)
        if one.text:
            scores.n_sentences += 1
            scores.exact += one.text in map(_without_names, _of(lines, one))
            scores.exact_untaught += one.text in map(_without_names, _of(untaught, one))
    n_shown = sum(gloss in names for line in lines for gloss in line.glosses)
    scores.false += n_shown - sum(
        g in names for one in made for line in lines for g in _near(line, one)
    )
    if who == "same":
        scores.n_same, scores.found_same = len(made), n_found
    else:
        scores.n_other, scores.found_other = len(made), n_found
    return scores


def _signed(
    signer: Signer, invented: dict[str, Sign], camera: Camera, rng: np.random.Generator
) -> tuple[PoseSequence, list[_Made]]:
    parts, texts = [], []
    for _ in range(N_SENTENCES):
        phrase, name = random_sentence("test", rng), str(rng.choice(list(invented)))
        glosses, text = list(phrase.glosses), phrase.text
        glosses.insert(int(rng.integers(len(glosses) + 1)), name)
        if rng.random() < ALONE:
            glosses, text = [name], ""
        lead_ms, tail_ms = int(rng.integers(300, 900)), int(rng.integers(600, 2400))
        lexicon = {**LEXICON, **invented}
        parts.append(sign_sentence(glosses, signer, rng, lead_ms, tail_ms, lexicon))
        texts.append(text)
    whole = concatenate(parts, 400)
    spans = [span for span in whole.spans if span[0] in invented]
    made = [_Made(*span, text) for span, text in zip(spans, texts, strict=True)]
    return whole.keypoints(camera=camera, noise=rng), made


def _without(
    pack: Pack, translator: Translator, taught: Sequence[Taught], minutes: float, seed: int
) -> OwnScores:
    scores, names = OwnScores(), {one.name for one in taught}
    for stream in make_streams(minutes, seed) if minutes else ():
        lines = _lines(pack, translator, taught, stream)
        scores.false_without += sum(g in names for line in lines for g in line.glosses)
        scores.minutes += stream.duration_ms / 60_000
    return scores


def _lines(
    pack: Pack, translator: Translator, taught: Sequence[Taught], watched: PoseSequence | Stream
) -> list[Line]:
    """The completed lines."""
    frames = watched.frames() if isinstance(watched, PoseSequence) else watched.frames
    live = LiveTranslator(
        pack, watched.schema, watched.aspect, translator=translator, own_signs=taught
    )
    events = [event for frame in frames for event in live.push(frame)] + live.flush()
    return [event.line for event in events if isinstance(event, LineCompleted)]


def _near(line: Line, one: _Made) -> Iterator[str]:
    """The glosses of a line that were seen about where an own sign was made."""
    for gloss, (start_ms, end_ms) in zip(line.glosses, line.spans, strict=True):
        if start_ms < one.end_ms + NEAR_MS and end_ms > one.start_ms - NEAR_MS:
            yield gloss


def _of(lines: Sequence[Line], one: _Made) -> list[str]:
    """The texts of the lines that were signed while an own sign was made."""
    of = [line for line in lines if line.start_ms < one.end_ms and line.end_ms > one.start_ms]
    return [line.text for line in of]


def _without_names(text: str) -> str:
    """What stands outside the brackets."""
    words = text.replace("[", "\n[").replace("]", "]\n").split("\n")
    return " ".join(word.strip() for word in words if word.strip() and not word.startswith("["))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pack", help="its name or its path")
    parser.add_argument("--rounds", type=int, default=4, help="of five signs each")
    parser.add_argument("--minutes", type=float, default=4.0, help="without own signs, a round")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    try:
        pack = open_pack(PackStore().find(given.pack))
        found = score_own_signs(pack, given.rounds, given.minutes, given.seed)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    for field in fields(found):
        print(f"{field.name}: {getattr(found, field.name):g}")


if __name__ == "__main__":
    main()
