"""Subtitles of a signed video, each at the time at which it is signed.

    aligned = align_subtitles(cues, sequence)           # by motion alone
    aligned = align_subtitles(cues, sequence, reader)   # by a trained model
    aligned.placements[7].span

Subtitles are placed by motion (``placing``), or by a model that looks at 20 seconds around each
("Lost in Translation, Found in Embeddings", section 4.2); what overlaps is taken apart
(``warping``); who found no place is put between its neighbours. In order, and nothing is lost.

Not in the paper: a model's answers are moved to the signs that they mean. Its six digits say about
where a sentence is; where signs begin and end motion says more exactly. And a model that learned to
translate is not asked for digits: how likely it thinks each text, given the signs that it may be,
decides between them (``found_listener``). That is how this code does best, at the sizes that were
trained; the digits are for models that learned nothing else.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, Protocol

import numpy as np

from fingerpost.edge_runtime.keypoints import KeypointSchema, PoseSequence, to_view
from fingerpost.edge_runtime.resample import resample
from fingerpost.edge_runtime.timed_text import Cue
from fingerpost.trainer.segmentation.spans import Span
from fingerpost.trainer.subtitles.activity import signing
from fingerpost.trainer.subtitles.placing import Listener, place_subtitles
from fingerpost.trainer.subtitles.runs import PlacingSettings
from fingerpost.trainer.subtitles.warping import without_overlaps
from fingerpost.trainer.subtitles.windows import Window, window_around
from fingerpost.trainer.text import clean_text

SHORTEST_MS = 200  # of a subtitle that is put between its neighbours
AT_ONCE = 16  # windows that a model is asked about together

How = Literal["found", "guessed", "unplaceable"]


@dataclass(frozen=True)
class Placement:
    """When a subtitle is shown from now on.

    span : start and end in ms; None where there is no room for it
    how : found in the signing; guessed, between its neighbours; unplaceable
    """

    span: tuple[int, int] | None
    how: How


@dataclass(frozen=True)
class Aligned:
    """placements : of each cue, in their order; signed : when somebody signs, ms, in order"""

    placements: list[Placement]
    signed: list[tuple[int, int]]


class Question(NamedTuple):
    """When is this text signed? prior : where it may be, frames of the window; None: no idea"""

    window: Window
    text: str
    prior: tuple[int, int] | None


class WindowReader(Protocol):
    """A model that finds texts in windows of video.

    view : the keypoints that it wants; fps : at this rate; n_frames : of a window
    """

    view: KeypointSchema
    fps: float
    n_frames: int

    def listener(self, sequence: PoseSequence, texts: Sequence[str]) -> Listener | None:
        """What says how likely the texts are, given signing; None for a model that cannot."""
        ...

    def spans(
        self, sequence: PoseSequence, questions: Sequence[Question]
    ) -> list[tuple[float, float] | None]:
        """Of each text the first frame in its window and the one after the last; None: no answer.

        sequence : of ``view``, at ``fps``
        """
        ...


def align_subtitles(
    cues: Sequence[Cue],
    sequence: PoseSequence,
    reader: WindowReader | None = None,
    settings: PlacingSettings | None = None,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Aligned:
    """A placement for each cue, in the order of ``cues``.

    By their old times the new ones are in order and apart. A cue that says nothing ("[music]") is
    not looked for. Times are those of the sequence, whatever the frame rate.

    cues : in any order
    reader : a model; None: by motion alone
    tell : is told how many subtitles of how many the model has been asked for
    """
    order = sorted(range(len(cues)), key=lambda i: (cues[i].start_ms, cues[i].end_ms, i))
    ordered = [cues[i] for i in order]
    texts = [clean_text(cue.text) for cue in ordered]
    spoken = [k for k, text in enumerate(texts) if text]
    times = [(ordered[k].start_ms, ordered[k].end_ms) for k in spoken]
    said = [texts[k] for k in spoken]
    stretches = signing(sequence)
    found, offsets = place_subtitles(times, said, stretches, settings)
    if reader is not None and len(sequence) and spoken:
        seen = _as_read(sequence, reader)
        listen = reader.listener(seen, said)
        if listen is not None:
            tell(0, len(said))
            found, offsets = place_subtitles(times, said, stretches, settings, listen)
            tell(len(said), len(said))
        else:
            answers = _ask(reader, seen, said, times, tell)
            found = _among_signs(answers, found, said, stretches, settings)
    spans: list[tuple[int, int] | None] = [None] * len(ordered)
    for k, span in zip(spoken, without_overlaps(found), strict=True):
        spans[k] = span
    all_times = [(cue.start_ms, cue.end_ms) for cue in ordered]
    all_offsets = np.interp(np.arange(len(ordered)), spoken or [0], offsets if spoken else [0])
    placed = between_neighbours(spans, _moved(all_times, all_offsets))
    result: list[Placement] = [Placement(None, "unplaceable")] * len(cues)
    for i, was, span in zip(order, spans, placed, strict=True):
        how: How = "found" if was else "guessed" if span else "unplaceable"
        result[i] = Placement(span, how)
    return Aligned(result, [(signs[0].start_ms, signs[-1].end_ms) for signs in stretches])


def _moved(times: Sequence[tuple[int, int]], by: np.ndarray) -> list[tuple[int, int]]:
    """Start and end in ms, each pair moved by its own number of ms (N,)."""
    whole = by.round().astype(int).tolist()
    return [(start + ms, end + ms) for (start, end), ms in zip(times, whole, strict=True)]


def between_neighbours(
    spans: Sequence[tuple[int, int] | None], wanted: Sequence[tuple[int, int]]
) -> list[tuple[int, int] | None]:
    """The spans, with those that are missing put between the others, near where they are wanted.

    Where there is too little room they become shorter, the more the longer; where not even
    ``SHORTEST_MS`` (or what they had, if that is less) is left for each, the last ones stay None.

    spans : start and end in ms, in order and apart; wanted : of all of them
    """
    placed = list(spans)
    first = 0
    while first < len(placed):
        end = first
        while end < len(placed) and spans[end] is None:
            end += 1
        before = placed[first - 1] if first else None
        after = spans[end] if end < len(spans) else None
        if end > first:
            low = before[1] if before is not None else 0
            placed[first:end] = _fitted(wanted[first:end], low, after[0] if after else None)
        first = end + 1
    return placed


def _fitted(
    wanted: Sequence[tuple[int, int]], low: int, high: int | None
) -> list[tuple[int, int] | None]:
    """Spans within low to high (None: no limit), in order, as near to the wanted as can be."""
    lengths = [max(end - start, 1) for start, end in wanted]
    if high is None:
        high = max(low, max(end for _, end in wanted)) + sum(lengths)
    least = [min(length, SHORTEST_MS) for length in lengths]
    kept = len(wanted)
    while kept and sum(least[:kept]) > high - low:
        kept -= 1
    spare, longer = high - low - sum(least[:kept]), sum(lengths[:kept]) - sum(least[:kept])
    share = min(1.0, spare / longer) if longer else 1.0
    lengths = [a + int((b - a) * share) for a, b in zip(least, lengths, strict=True)][:kept]
    fitted: list[tuple[int, int] | None] = []
    left = sum(lengths)
    for (start, _), length in zip(wanted, lengths, strict=False):
        start = min(max(start, low), high - left)  # those that come later need their room
        fitted.append((start, start + length))
        low, left = start + length, left - length
    return fitted + [None] * (len(wanted) - kept)


def _as_read(sequence: PoseSequence, reader: WindowReader) -> PoseSequence:
    """In the view, and at the rate, that a model reads."""
    sequence = to_view(sequence, reader.view)
    return sequence if sequence.fps == reader.fps else resample(sequence, reader.fps)


def _ask(
    reader: WindowReader,
    sequence: PoseSequence,
    texts: Sequence[str],
    times: Sequence[tuple[int, int]],
    tell: Callable[[int, int], None],
) -> list[tuple[int, int] | None]:
    """A model's answers: when each text is signed, ms; None where it gave none.

    sequence : as the model reads it
    times : when each was shown so far: windows are centred there, and the model is told so
    """
    video = sequence.start_ms, sequence.start_ms + sequence.duration_ms
    spans: list[tuple[int, int] | None] = []
    for first in range(0, len(texts), AT_ONCE):
        questions = []
        for text, time in zip(
            texts[first : first + AT_ONCE], times[first : first + AT_ONCE], strict=True
        ):
            window = window_around(*time, *video, reader.n_frames, reader.fps)
            questions.append(Question(window, text, window.frames_of(*time)))
        for question, answer in zip(questions, reader.spans(sequence, questions), strict=True):
            span = question.window.span_ms(*answer) if answer is not None else (0, 0)
            spans.append(span if span[0] < span[1] else None)
        tell(len(spans), len(texts))
    return spans


def _among_signs(
    answers: Sequence[tuple[int, int] | None],
    by_motion: Sequence[tuple[int, int] | None],
    texts: Sequence[str],
    stretches: Sequence[Sequence[Span]],
    settings: PlacingSettings | None,
) -> list[tuple[int, int] | None]:
    """A model's answers, moved to the signs that they mean.

    An answer is a subtitle at a better time, so it is placed as subtitles are, without an offset
    to look for. Where the model says nothing, or what cannot be with what it says of others, what
    was found by motion is in its place.
    """
    known = [answer or span for answer, span in zip(answers, by_motion, strict=True)]
    numbers = [n for n, span in enumerate(known) if span is not None]
    times = [span for span in known if span is not None]
    near = replace(settings or PlacingSettings(), reach_ms=0)
    placed, _ = place_subtitles(times, [texts[n] for n in numbers], stretches, near)
    spans: list[tuple[int, int] | None] = [None] * len(known)
    for n, span in zip(numbers, placed, strict=True):
        spans[n] = span or by_motion[n] or known[n]
    return spans
