"""What the recogniser of single signs is trained on: spans of keypoints, each with a gloss or none.

Real signs are whole clips of WLASL. From the rendered signer come the spans that a live captioner
would ask about: its sentences are cut by the very segmenter of the phone, and each stretch between
two boundaries that holds one whole sign is that sign; half a sign, two signs, a transition or a
scratched nose is "no sign".
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fingerpost.edge_runtime.decode import DecodeSettings
from fingerpost.edge_runtime.keypoints import SIGN69, PoseSequence
from fingerpost.edge_runtime.preprocess import preprocess
from fingerpost.edge_runtime.segment import Segmenter
from fingerpost.trainer.corpora.holistic_arrays import HolisticClips
from fingerpost.trainer.corpora.wlasl_hands import WlaslHands
from fingerpost.trainer.signer import LEXICON, Performance, fidget, random_signer, sign_sentence
from fingerpost.trainer.signer_corpus import NO_SIGN

REJECT = NO_SIGN
CLIP_FRAMES = 96  # spans are kept at twice the model's rate: augmentation cuts and warps them
FPS = 25.0

COVERED = 0.8  # a span holds a sign if it covers this share of it ...
LEFT_OUT = 0.5  # ... and does not if it covers less than this; in between, nobody can say
TOUCHED = 0.3  # a span of one sign covers less than this of any other
MAX_MARGIN_MS = 900  # a span of one sign has no more than this around it
MAX_REJECTS = 6  # spans of no sign that are kept of one performance


@dataclass(frozen=True)
class Spans:
    """clips : (N, CLIP_FRAMES, 69, 4) float16, preprocessed; label : (N,), in the vocabulary."""

    clips: np.ndarray
    label: np.ndarray

    def __len__(self) -> int:
        return len(self.label)

    def only(self, chosen: np.ndarray) -> "Spans":
        return Spans(self.clips[chosen], self.label[chosen])


def wlasl_spans(corpus: WlaslHands, clips: np.ndarray, vocabulary: Sequence[str]) -> Spans:
    """Whole clips, by number; a gloss that is not in the vocabulary is the reject class."""
    number = {gloss: i for i, gloss in enumerate(vocabulary)}
    none = number.get(REJECT, -1)
    labels = [number.get(corpus.glosses[corpus.label[i]], none) for i in clips]
    return _gather((corpus.sequences[i] for i in clips), labels)


def holistic_spans(
    clips: HolisticClips, vocabulary: Sequence[str], split: str | None = None
) -> Spans:
    """Clips with a body; a gloss that is not in the vocabulary is the reject class."""
    number = {gloss: i for i, gloss in enumerate(vocabulary)}
    chosen = [i for i, s in enumerate(clips.split) if split in (None, s)]
    labels = [number.get(clips.label[i], number[REJECT]) for i in chosen]
    return _gather((clips.sequences[i] for i in chosen), labels)


def signer_spans(vocabulary: Sequence[str], n_sentences: int, seed: int) -> Spans:
    """Spans of random sentences, and of a fidget for every fourth sentence."""
    number = {gloss: i for i, gloss in enumerate(vocabulary)}
    spans = list(signer_sequences(vocabulary, n_sentences, seed))
    return _gather((span for span, _ in spans), [number[gloss] for _, gloss in spans])


def signer_sequences(
    vocabulary: Sequence[str], n_sentences: int, seed: int
) -> Iterator[tuple[PoseSequence, str]]:
    """The spans of ``signer_spans`` as they are, each with its gloss or REJECT."""
    rng = np.random.default_rng(seed)
    glosses = [gloss for gloss in LEXICON if gloss in set(vocabulary)]
    for n in range(n_sentences):
        performance = random_performance(glosses, rng, idle=n % 5 == 4)
        sequence = performance.keypoints(fps=FPS, noise=rng)
        asked = list(labelled_spans(performance, sequence, rng))
        rejects = [span for span in asked if span[2] == REJECT]
        signs = [span for span in asked if span[2] != REJECT]
        for start_ms, end_ms, gloss in signs + rejects[:MAX_REJECTS]:
            yield _cut(sequence, start_ms, end_ms), gloss


def random_performance(glosses: Sequence[str], rng: np.random.Generator, idle: bool) -> Performance:
    """One to five signs in random order, or a fidget, by a random signer."""
    signer = random_signer(rng)
    if idle:
        return fidget(None, signer, rng)
    chosen = [glosses[i] for i in rng.integers(len(glosses), size=rng.integers(1, 6))]
    return sign_sentence(chosen, signer, rng)


def labelled_spans(
    performance: Performance, sequence: PoseSequence, rng: np.random.Generator
) -> Iterable[tuple[int, int, str]]:
    """(start_ms, end_ms, gloss or REJECT) for each span that a captioner would ask about.

    The true spans, their ends moved a little, are added: no sign may go without an example.
    """
    boundaries = segment(sequence)
    limits = DecodeSettings()
    asked = [
        (start, end)
        for i, start in enumerate(boundaries)
        for end in boundaries[i + 1 :]
        if limits.min_sign_ms <= end - start <= limits.max_sign_ms
    ]
    for _, start, end in performance.spans:
        before, after = rng.integers(-60, 200, size=2)
        asked.append((int(start - before), int(end + after)))
    for start, end in rng.permutation(asked).tolist():
        gloss = gloss_of_span(start, end, performance.spans)
        if gloss is not None:
            yield start, end, gloss


def gloss_of_span(start_ms: int, end_ms: int, truth: Sequence[tuple[str, int, int]]) -> str | None:
    """What a span holds: one whole sign, REJECT, or None where it is too close to call."""
    shares = [
        max(0, min(end_ms, end) - max(start_ms, start)) / (end - start) for _, start, end in truth
    ]
    if not shares or max(shares) < LEFT_OUT:
        return REJECT
    best = int(np.argmax(shares))
    others = max((s for i, s in enumerate(shares) if i != best), default=0.0)
    gloss, start, end = truth[best]
    if others >= LEFT_OUT:
        return REJECT
    if shares[best] < COVERED or others >= TOUCHED:
        return None
    return gloss if (end_ms - start_ms) - (end - start) <= MAX_MARGIN_MS else None


def segment(sequence: PoseSequence) -> list[int]:
    """The times in ms at which the runtime's segmenter puts a boundary."""
    segmenter = Segmenter(SIGN69, sequence.fps, sequence.aspect)
    events = [event for frame in sequence.frames() for event in segmenter.push(frame)]
    return [event.time_ms for event in events + segmenter.flush()]


def _cut(sequence: PoseSequence, start_ms: int, end_ms: int) -> PoseSequence:
    times = sequence.start_ms + np.arange(len(sequence)) * 1000 / sequence.fps
    inside = (times >= start_ms - 0.5) & (times <= end_ms + 0.5)
    return replace(
        sequence,
        xyz=sequence.xyz[inside],
        confidence=sequence.confidence[inside],
        start_ms=start_ms,
    )


def _gather(sequences: Iterable[PoseSequence], labels: Sequence[int]) -> Spans:
    clips = [preprocess(s, CLIP_FRAMES)[0].astype(np.float16) for s in sequences]
    empty = np.zeros((0, CLIP_FRAMES, len(SIGN69), 4), np.float16)
    return Spans(np.stack(clips) if clips else empty, np.array(labels, np.int64))
