"""How well running signing was captioned: like a speech recogniser's scores, and when it came.

    scores = score_replays([(stream, replay_stream(captioner, stream.frames)), ...])

A line belongs to the sentence that it shares most time with; the lines of one sentence are joined.
A sentence without a line got an empty answer. A line that touches no sentence is a false one, and
its words are too many.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fingerpost.edge_runtime.captions import Line, LineCompleted
from fingerpost.edge_runtime.replay import Replay
from fingerpost.trainer import metrics
from fingerpost.trainer.streams import SignedSentence, Stream


@dataclass(frozen=True)
class Shown:
    """A line as it stood for a while. stable : how many of its glosses were settled"""

    time_ms: int
    glosses: tuple[str, ...]
    stable: int


@dataclass(frozen=True)
class LiveLine:
    """All that happened to one line.

    partials : as it was shown, before it was complete
    final : None for a line that was never completed
    final_ms : of the stream, when it was; computing_ms : of the call that completed it
    """

    partials: tuple[Shown, ...]
    final: Line | None = None
    final_ms: int = 0
    computing_ms: float = 0.0

    @property
    def streamed(self) -> tuple[str, ...]:
        """The last glosses that were shown before the line was complete."""
        return self.partials[-1].glosses if self.partials else ()

    @property
    def glosses(self) -> tuple[str, ...]:
        """The final ones; of a line that never was completed, none."""
        return self.final.glosses if self.final else ()


@dataclass(frozen=True)
class Spread:
    """p50, p95 : of n milliseconds; NaN where there are none"""

    p50: float
    p95: float
    n: int


@dataclass(frozen=True)
class LiveScores:
    """Of all streams together.

    streaming_wer, final_wer : of glosses, percent; nan where nothing was signed
    bleu4 : of the texts of completed lines, percent; nan where nothing was signed
    exact : sentences whose text is right to the letter, percent; nan where nothing was signed
    false_lines : in idle_minutes of hands that say nothing
    sign_delay_ms : from a sign's end to its gloss, once it is settled; of the signs that partials
        have right, and whose times are known. Below 0 where it was known before the sign had ended
    final_delay_ms : from the end of a sentence's last sign to its last completed line, in stream
        time: the rest is part of it, the computing is not
    final_computing_ms : of the calls that completed these lines
    answer_delay_ms : both together
    flicker : glosses changed after they were shown, of all that were shown in partials, percent
    real_time_factor : computing of everything, per stream time
    """

    stream_minutes: float
    idle_minutes: float
    n_streams: int
    n_sentences: int
    n_signs: int
    n_lines: int
    streaming_wer: float
    final_wer: float
    bleu4: float
    exact: float
    false_lines: int
    sign_delay_ms: Spread
    final_delay_ms: Spread
    final_computing_ms: Spread
    answer_delay_ms: Spread
    flicker: float
    real_time_factor: float

    @property
    def false_lines_per_minute(self) -> float:
        """nan where nobody was idle."""
        return self.false_lines / self.idle_minutes if self.idle_minutes else math.nan


@dataclass(frozen=True)
class Answer:
    """What a sentence got: its lines, joined in order of time. sentence : None for false lines"""

    sentence: SignedSentence | None
    lines: tuple[LiveLine, ...]

    @property
    def streamed(self) -> tuple[str, ...]:
        return tuple(gloss for line in self.lines for gloss in line.streamed)

    @property
    def glosses(self) -> tuple[str, ...]:
        return tuple(gloss for line in self.lines for gloss in line.glosses)

    @property
    def text(self) -> str:
        texts = (line.final.text for line in self.lines if line.final)
        return " ".join(text for text in texts if text)


def score_replays(replays: Sequence[tuple[Stream, Replay]]) -> LiveScores:
    """The scores of streams, each with what it has brought about; ValueError for none."""
    if not replays:
        raise ValueError("no streams to score: replay one")
    lines = [lines_of(replay) for _, replay in replays]
    answers = [
        answer
        for (stream, _), of_stream in zip(replays, lines, strict=True)
        for answer in match(stream.sentences, of_stream)
    ]
    asked = [(a.sentence, a) for a in answers if a.sentence is not None]
    delays = [delay for sentence, answer in asked for delay in sign_delays(sentence, answer)]
    finals = [final for sentence, answer in asked if (final := _last(sentence, answer))]
    stream_ms = sum(replay.duration_ms for _, replay in replays)
    computing_ms = sum(sum(replay.computing_ms) for _, replay in replays)
    texts = [(sentence.text, answer.text) for sentence, answer in asked]
    language = next((stream.text_language for stream, _ in replays if stream.sentences), "")
    return LiveScores(
        stream_minutes=stream_ms / 60_000,
        idle_minutes=sum(stream.idle_ms for stream, _ in replays) / 60_000,
        n_streams=len(replays),
        n_sentences=len(asked),
        n_signs=sum(len(sentence.signs) for sentence, _ in asked),
        n_lines=sum(map(len, lines)),
        streaming_wer=_word_errors((_true(a), a.streamed) for a in answers),
        final_wer=_word_errors((_true(a), a.glosses) for a in answers),
        bleu4=_bleu4(texts, language),
        exact=100 * sum(true == said for true, said in texts) / len(texts) if texts else math.nan,
        false_lines=sum(len(a.lines) for a in answers if a.sentence is None),
        sign_delay_ms=spread(delays),
        final_delay_ms=spread([delay for delay, _ in finals]),
        final_computing_ms=spread([computing for _, computing in finals]),
        answer_delay_ms=spread([delay + computing for delay, computing in finals]),
        flicker=flicker(line for of_stream in lines for line in of_stream),
        real_time_factor=computing_ms / stream_ms if stream_ms else math.nan,
    )


def lines_of(replay: Replay) -> list[LiveLine]:
    """The lines of a replay, by their numbers."""
    partials: dict[int, list[Shown]] = {}
    finals: dict[int, tuple[Line, int, float]] = {}
    for one in replay.happened:
        event = one.event
        partials.setdefault(event.line_id, [])
        if isinstance(event, LineCompleted):
            finals[event.line_id] = event.line, one.time_ms, replay.computing_ms[one.call]
        else:
            partials[event.line_id].append(Shown(one.time_ms, event.line.glosses, event.stable))
    return [
        LiveLine(tuple(shown), *finals.get(line_id, ()))
        for line_id, shown in sorted(partials.items())
    ]


def match(sentences: Sequence[SignedSentence], lines: Sequence[LiveLine]) -> Iterator[Answer]:
    """An answer for each sentence, in their order, then one of all false lines.

    A line that was never completed has no time to be matched by: nobody got it as an answer, and
    it is a false one.
    """
    by_sentence: list[list[LiveLine]] = [[] for _ in sentences]
    false: list[LiveLine] = []
    for line in lines:
        shared = [shared_ms(sentence, line) for sentence in sentences]
        best = int(np.argmax(shared)) if shared else 0
        (by_sentence[best] if shared and shared[best] > 0 else false).append(line)
    for sentence, of_sentence in zip(sentences, by_sentence, strict=True):
        yield Answer(sentence, tuple(of_sentence))
    yield Answer(None, tuple(false))


def shared_ms(sentence: SignedSentence, line: LiveLine) -> int:
    """Time of both; a line of a single moment within the sentence shares 1 ms with it."""
    if line.final is None:
        return 0
    start = max(sentence.start_ms, line.final.start_ms)
    return max(0, min(sentence.end_ms, line.final.end_ms) + 1 - start)


def sign_delays(sentence: SignedSentence, answer: Answer) -> list[int]:
    """Of each sign that partials have right: from its end until its gloss was settled, ms."""
    said = [(line, k) for line in answer.lines for k in range(len(line.streamed))]
    if not said or not sentence.timed:
        return []
    alignment = metrics.align([sentence.glosses], [[line.streamed[k] for line, k in said]])
    delays = []
    for chunk in alignment.alignments[0]:
        if chunk.type == "equal":
            signs = sentence.signs[chunk.ref_start_idx : chunk.ref_end_idx]
            places = said[chunk.hyp_start_idx : chunk.hyp_end_idx]
            for (_, _, end_ms), (line, k) in zip(signs, places, strict=True):
                delays.append(settled_ms(line, k) - end_ms)
    return delays


def settled_ms(line: LiveLine, k: int) -> int:
    """When a gloss of the partials was shown as settled, at the latest with the completed line."""
    return next((shown.time_ms for shown in line.partials if shown.stable > k), line.final_ms)


def flicker(lines: Iterable[LiveLine]) -> float:
    """Glosses of partials that were changed or taken away, of those that were shown, percent.

    A gloss that takes the place of another is one more that was shown. 0 where none was.
    """
    changed = shown = 0
    for line in lines:
        before: tuple[str, ...] = ()
        for partial in line.partials:
            now = partial.glosses
            kept = sum(old == new for old, new in zip(before, now, strict=False))
            changed += len(before) - kept
            shown += len(now) - kept
            before = now
    return 100 * changed / shown if shown else 0.0


def spread(values: Sequence[float]) -> Spread:
    """The middle and the slow end of some milliseconds."""
    if not values:
        return Spread(math.nan, math.nan, 0)
    p50, p95 = np.percentile(values, [50, 95]).tolist()
    return Spread(p50, p95, len(values))


def _last(sentence: SignedSentence, answer: Answer) -> tuple[int, float] | None:
    """Delay and computing of the last completed line of a sentence, ms."""
    completed = [line for line in answer.lines if line.final is not None]
    if not completed or not sentence.timed:
        return None
    last = max(completed, key=lambda line: line.final_ms)
    return last.final_ms - sentence.end_ms, last.computing_ms


def _true(answer: Answer) -> tuple[str, ...]:
    return answer.sentence.glosses if answer.sentence else ()


def _word_errors(pairs: Iterable[tuple[tuple[str, ...], tuple[str, ...]]]) -> float:
    """Of (true, said) rows of glosses, percent; what was said where nothing is true counts."""
    truths, saids = zip(*pairs, strict=True)
    if not any(truths):
        return math.nan
    return metrics.error_rate(metrics.errors_per_clip(metrics.align(truths, saids))).value


def _bleu4(texts: Sequence[tuple[str, str]], text_language: str) -> float:
    if not texts:
        return math.nan
    truths, saids = zip(*texts, strict=True)
    return metrics.bleu(truths, saids, text_language)[-1].value
