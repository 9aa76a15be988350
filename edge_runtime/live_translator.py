"""A camera's keypoints to sentences, live: glosses while somebody signs, then what they said.

Pass one reads every frame once, a step of frames at a time, and shows the glosses that begin; a
gloss that is shown stays. Pass two, when the hands have come to rest, reads the sentence and
completes the line: it never changes again. Like ``Captioner`` it is pure: time comes in with the
frames, and the same frames give the same events.

    live = LiveTranslator(open_pack(path), MEDIAPIPE_HOLISTIC, aspect=16 / 9)
    for frame in stream:
        show(live.push(frame))
    show(live.flush())
"""

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from fingerpost.edge_runtime.captions import (
    CaptionEvent,
    Line,
    LineChanged,
    LineCompleted,
    LineStarted,
)
from fingerpost.edge_runtime.keypoints import (
    SIGN69,
    KeypointFrame,
    KeypointSchema,
    PoseSequence,
    select,
)
from fingerpost.edge_runtime.live_glosses import BLANK
from fingerpost.edge_runtime.pack import Pack
from fingerpost.edge_runtime.resample import Resampler, sequence_of
from fingerpost.edge_runtime.segment import (
    Boundary,
    Segmenter,
    SegmentSettings,
    SigningEnded,
    SigningStarted,
)
from fingerpost.edge_runtime.stage_settings import check_settings, read_settings
from fingerpost.edge_runtime.translator import GLOSSES, Sentence, Translator

N_ALTERNATIVES = 3


@dataclass(frozen=True)
class TranslateSettings:
    """lead_ms : of the stream before the hands went up that belong to the sentence, as in training
    least_glosses : with fewer, there is no line: somebody scratched their head
    """

    lead_ms: int = 240
    least_glosses: int = 1


class LiveTranslator:
    """Push keypoint frames of any rate; out come caption events.

    pack : of the task translation
    schema : of the frames that will come: a source, or view sign69
    aspect : width over height of the picture
    language : of the sentences; by default the first that the pack knows
    translator : by default the pack's own
    """

    def __init__(
        self,
        pack: Pack,
        schema: KeypointSchema,
        aspect: float,
        language: str = "",
        translator: Translator | None = None,
    ) -> None:
        settings = pack.manifest.settings
        check_settings(settings, (SegmentSettings, TranslateSettings))
        self._translator = translator or Translator(pack)
        self._language = self._known(language)
        self._schema, self._aspect, self._fps = schema, aspect, pack.manifest.fps
        self._settings = read_settings(TranslateSettings, settings)
        segmenting = read_settings(SegmentSettings, settings)
        self._segmenter = Segmenter(SIGN69, self._fps, aspect, segmenting)
        self._resampler = Resampler(self._fps)
        # Frames that came since the hands went up, for the segmenter tells it later, and the lead.
        self._n_kept = round((self._settings.lead_ms + 2000) * self._fps / 1000)
        self._next_line_id = 0
        self.reset()

    def reset(self) -> None:
        """Forgets the stream; line numbers go on."""
        self._resampler.reset()
        self._segmenter.reset()
        self._recent: deque[KeypointFrame] = deque(maxlen=self._n_kept)
        self._begin_none()

    def push(self, frame: KeypointFrame) -> list[CaptionEvent]:
        """The events that a frame of keypoints brings about."""
        events: list[CaptionEvent] = []
        for even in self._resampler.push(frame):
            xyz, confidence = select(even.xyz, even.confidence, self._schema, SIGN69)
            seen = KeypointFrame(even.time_ms, xyz, confidence)
            self._recent.append(seen)
            if self._sentence is not None:
                events += self._read([seen])
            for event in self._segmenter.push(seen):
                events += self._take(event)
        return events

    def flush(self) -> list[CaptionEvent]:
        """The events that the end of the stream brings about."""
        return [out for event in self._segmenter.flush() for out in self._take(event)]

    def close(self) -> None:
        """Frees the memory of the graphs."""
        self._translator.close()

    def _take(self, event: SigningStarted | Boundary | SigningEnded) -> list[CaptionEvent]:
        match event:
            case SigningStarted(time_ms):
                first = time_ms - self._settings.lead_ms
                self._sentence = self._translator.begin()
                return self._read([f for f in self._recent if f.time_ms >= first])
            case SigningEnded(_):
                return self._complete()
        return []

    def _read(self, frames: list[KeypointFrame]) -> list[CaptionEvent]:
        """Shows the sentence the next frames; one that is too long for the pack ends here."""
        assert self._sentence is not None
        events: list[CaptionEvent] = []
        for frame in frames:
            if self._sentence.n_frames == self._translator.words.max_frames:
                events += self._complete()
                self._sentence = self._translator.begin()
            self._times.append(frame.time_ms)
            part = sequence_of([frame], self._fps, self._like(frame))
            self._glosses += self._sentence.push(part)
        return events + self._update()

    def _update(self) -> list[CaptionEvent]:
        """Started or changed, if there is anything new to show."""
        n = len(self._glosses)
        if n == self._n_shown or n < self._settings.least_glosses:
            return []
        self._n_shown = n
        line = self._line(" ".join(_shown(gloss) for gloss in self._glosses), 0.0)
        if self._line_id is not None:
            return [LineChanged(self._line_id, line, n)]
        self._line_id = self._next_line_id
        self._next_line_id += 1
        return [LineStarted(self._line_id, line, n)]

    def _complete(self) -> list[CaptionEvent]:
        """The sentence, if there was one."""
        sentence = self._sentence
        if sentence is None:
            return []
        self._glosses += sentence.end()
        events = self._update()
        if self._line_id is not None:
            answer = sentence.answer(self._language)
            line = self._line(answer.text, math.exp(answer.log_probability))
            events.append(LineCompleted(self._line_id, line))
        self._begin_none()
        return events

    def _begin_none(self) -> None:
        self._sentence: Sentence | None = None
        self._times: list[int] = []  # of the frames that the sentence has seen
        self._glosses: list[str] = []
        self._n_shown = 0
        self._line_id: int | None = None

    def _line(self, text: str, score: float) -> Line:
        """score : 0 to 1, of the answer; of a line in the making 0, which is not known yet"""
        assert self._sentence is not None
        runs = _runs(np.stack(self._sentence.scores))[: len(self._glosses)]
        spans = tuple((self._times[start], self._times[end - 1]) for start, end in runs)
        return Line(
            text=text,
            glosses=tuple(self._glosses),
            alternatives=tuple(self._alternatives(start, end) for start, end in runs),
            start_ms=spans[0][0] if spans else self._times[0],
            end_ms=spans[-1][1] if spans else self._times[-1],
            score=score or _mean_share(self._sentence.scores, runs),
            spans=spans,
        )

    def _alternatives(self, start: int, end: int) -> tuple[tuple[str, float], ...]:
        """Other glosses that these frames may show, with their shares, the best first."""
        assert self._sentence is not None
        shares = _shares(np.stack(self._sentence.scores[start:end])).mean(axis=0)
        best = np.argsort(-shares, kind="stable")
        names = self._translator.glosses
        others = [k for k in best if k != BLANK][1 : N_ALTERNATIVES + 1]
        return tuple((names[k - 1 - BLANK], float(shares[k])) for k in others)

    def _like(self, frame: KeypointFrame) -> PoseSequence:
        return PoseSequence(
            frame.xyz[None], frame.confidence[None], self._fps, SIGN69, aspect=self._aspect
        )

    def _known(self, language: str) -> str:
        languages = [one for one in self._translator.questions if one != GLOSSES]
        if not languages:
            raise ValueError("the pack gives glosses alone, and no sentences")
        if language and language not in languages:
            raise ValueError(f"the pack does not write {language}; it has: {', '.join(languages)}")
        return language or languages[0]


def _shown(gloss: str) -> str:
    """In capitals, as linguists write them."""
    return gloss.upper().replace(" ", "-")


def _runs(scores: np.ndarray) -> list[tuple[int, int]]:
    """Frames (start, end) in which one gloss is likeliest, as ``LiveGlosses`` finds them.

    scores : shape (T, V)
    """
    labels = scores.argmax(axis=1)
    edges = [0, *(np.flatnonzero(labels[1:] != labels[:-1]) + 1).tolist(), len(labels)]
    return [
        (start, end)
        for start, end in zip(edges[:-1], edges[1:], strict=True)
        if labels[start] != BLANK
    ]


def _shares(scores: np.ndarray) -> np.ndarray:
    """Soft-max of each row."""
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def _mean_share(scores: list[np.ndarray], runs: list[tuple[int, int]]) -> float:
    """Of the glosses' own shares in their frames; 0 where there are none."""
    shares = [float(_shares(np.stack(scores[a:b])).max(axis=1).mean()) for a, b in runs]
    return sum(shares) / len(shares) if shares else 0.0
