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

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fingerpost.edge_runtime.captions import (
    CaptionEvent,
    Line,
    LineChanged,
    LineCompleted,
    LineStarted,
    ScoreSettings,
)
from fingerpost.edge_runtime.dominant_hand import DominantHand
from fingerpost.edge_runtime.endpoint import Endpoint, EndpointSettings
from fingerpost.edge_runtime.gloss_row import GlossRow, RowSettings, Sign
from fingerpost.edge_runtime.gloss_search import GlossSearch, SearchSettings
from fingerpost.edge_runtime.keypoints import (
    SIGN69,
    KeypointFrame,
    KeypointSchema,
    PoseSequence,
    mirrored,
)
from fingerpost.edge_runtime.live_glosses import BLANK
from fingerpost.edge_runtime.lost_hands import LostHandSettings
from fingerpost.edge_runtime.manifest import GLOSSES
from fingerpost.edge_runtime.one_person import PersonSettings
from fingerpost.edge_runtime.own_row import OwnRow, with_names
from fingerpost.edge_runtime.pack import Pack
from fingerpost.edge_runtime.sign_spotter import OwnSignSettings, Taught
from fingerpost.edge_runtime.stage_settings import check_settings, read_settings
from fingerpost.edge_runtime.steady import Steady
from fingerpost.edge_runtime.translator import Reading, Sentence, Translator

N_ALTERNATIVES = 3


@dataclass(frozen=True)
class TranslateSettings:
    """lead_ms : of the stream before the hands went up that belong to the sentence, as in training
    tail_ms : of a rest within a sentence or after it that are read: more was not in training. It
        is longer than what a gloss waits for (look-ahead and a step), so the last one is shown
    least_glosses : with fewer, there is no line: somebody scratched their head
    """

    lead_ms: int = 240
    tail_ms: int = 640
    least_glosses: int = 1


STAGES = (
    *(PersonSettings, LostHandSettings, EndpointSettings),
    *(RowSettings, SearchSettings, TranslateSettings, ScoreSettings, OwnSignSettings),
)


class LiveTranslator:
    """Push keypoint frames of any rate; out come caption events.

    pack : of the task translation
    schema : of the frames that will come: a source, or view sign69
    aspect : width over height of the picture
    language : of the sentences; by default the first that the pack knows
    translator : by default the pack's own
    dominant_hand : of the signer: left, right, or auto, which finds out
    own_signs : of the user, as ``teaching.learn`` gives them for this pack
    """

    def __init__(
        self,
        pack: Pack,
        schema: KeypointSchema,
        aspect: float,
        language: str = "",
        translator: Translator | None = None,
        dominant_hand: str = "auto",
        own_signs: Sequence[Taught] = (),
    ) -> None:
        settings = pack.manifest.settings
        check_settings(settings, STAGES)
        self._hand = DominantHand(dominant_hand)
        self._translator = translator or Translator(pack)
        self._language = self._known(language)
        self._aspect, self._fps = aspect, pack.manifest.fps
        self._settings = read_settings(TranslateSettings, settings)
        self._unsure_below = read_settings(ScoreSettings, settings).unsure_below
        ends = read_settings(EndpointSettings, settings)
        self._endpoint = Endpoint(aspect, ends)
        self._own = OwnRow(own_signs, BLANK + 1 + len(self._translator.glosses))
        self._names = (*self._translator.glosses, *self._own.names)
        order, self._judge = self._translator.gloss_order, self._translator.signing_judge
        self._row = GlossRow(self._fps, read_settings(RowSettings, settings), order)
        search = read_settings(SearchSettings, settings)
        self._search = None if order is None else GlossSearch(order, search)
        person = read_settings(PersonSettings, settings)
        lost_hands = read_settings(LostHandSettings, settings)
        self._steady = Steady(self._fps, schema, aspect, person, lost_hands)
        longest = max(1, round(ends.longest_ms * self._fps / 1000))
        self._max_frames = min(longest, self._translator.words.max_frames)
        self._n_lead = round(self._settings.lead_ms * self._fps / 1000)
        self._next_line_id = 0
        self.reset()

    def reset(self) -> None:
        """Forgets the stream; line numbers go on."""
        self._steady.reset()
        self._meet()
        self._begin_none()

    @property
    def languages(self) -> tuple[str, ...]:
        """That sentences can be written in."""
        return tuple(one for one in self._translator.questions if one != GLOSSES)

    def write_in(self, language: str) -> None:
        """From the sentence on that is being signed; "" is the first that the pack knows."""
        self._language = self._known(language)

    def push(self, frame: KeypointFrame) -> list[CaptionEvent]:
        """The events that a frame of keypoints brings about."""
        steadied, events = self._steady.push(frame), []
        if self._steady.somebody_else:
            events += self._complete()
            self._meet()
        for one in steadied:
            events += self._take(one)
        return events

    def flush(self) -> list[CaptionEvent]:
        """The events that the end of the stream brings about."""
        return self._complete()

    def close(self) -> None:
        """Frees the memory of the graphs."""
        self._translator.close()

    def _meet(self) -> None:
        """Somebody stands before the camera of whom nothing is known."""
        self._endpoint.reset()
        self._hand.reset()
        self._lead: deque[KeypointFrame] = deque(maxlen=self._n_lead)  # at rest, not yet read

    def _begin_none(self) -> None:
        self._sentence: Sentence | None = None
        self._left = self._hand.left  # the hand that the sentence is signed with
        self._row.reset()
        self._own.reset()
        self._frames: list[KeypointFrame] = []  # that the sentence has seen
        self._n_scores = 0  # of them that the rows have seen
        self._sign_ms: int | None = None  # the time of the last of them that shows a sign
        self._n_shown = 0
        self._line_id: int | None = None

    def _take(self, frame: KeypointFrame) -> list[CaptionEvent]:
        """Reads a frame of the sentence, or keeps it: it may belong to the one that comes."""
        self._endpoint.push(frame)
        self._hand.push(self._one(frame))
        if self._sentence is None and self._endpoint.moves:
            self._sentence = self._translator.begin()
        # A sign that turns on the spot looks like rest: while one is seen, only a long rest counts.
        in_sign = self._sentence is not None and _shows_gloss(self._sentence)
        resting = self._endpoint.rest_ms > self._settings.tail_ms and not in_sign
        if self._sentence is None or resting:
            self._lead.append(frame)
            events = []
        else:
            events = self._read([*self._lead, frame])
            self._lead.clear()
        something_read = bool(self._row.signs or self._own.signs) and not in_sign
        quiet_ms = 0 if self._sign_ms is None else frame.time_ms - self._sign_ms
        if self._sentence is not None and self._endpoint.ended(something_read, quiet_ms):
            events += self._complete()
        return events

    def _read(self, frames: list[KeypointFrame]) -> list[CaptionEvent]:
        """Shows the sentence the next frames; one that is too long ends here."""
        events: list[CaptionEvent] = []
        if self._left != self._hand.left and self._line_id is None:
            frames = [*self._frames, *frames]  # once more, the other way round
            self._begin_none()
        for frame in frames:
            if self._sentence is None or self._sentence.n_frames == self._max_frames:
                events += self._complete()
                self._sentence = self._translator.begin()
            self._frames.append(frame)
            self._show(self._sentence, frame)
        return events + self._update()

    def _show(self, sentence: Sentence, frame: KeypointFrame) -> None:
        """Shows a sentence its next frame."""
        seen = self._one(frame)
        sentence.push(mirrored(seen) if self._left else seen)

    def _update(self, over: bool = False) -> list[CaptionEvent]:
        """Started or changed, if there is anything new to show. over : the sentence has ended"""
        assert self._sentence is not None
        if len(self._sentence.scores) > self._n_scores:
            sentence, new = self._sentence, slice(self._n_scores, None)
            judge = self._judge
            signing = judge.logits(np.stack(sentence.states[new])) if judge else None
            self._row.push(np.stack(sentence.scores[new]), signing)
            if self._own.names:
                self._own.push(sentence.states[new])
            for t in range(self._n_scores, len(self._sentence.scores)):
                if _shows_gloss(self._sentence, t):
                    self._sign_ms = self._frames[t].time_ms
            self._n_scores = len(self._sentence.scores)
        if over:
            self._row.end()
            self._own.flush()
        signs = self._own.among(self._row.signs)
        n = len(signs)
        if n == self._n_shown or n < self._settings.least_glosses:
            return []
        self._n_shown = n
        text = " ".join(_shown(self._gloss(sign)) for sign in signs)
        line = self._line(signs, text, sum(sign.share for sign in signs) / n)
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
        sentence.end()
        events = self._update(over=True)
        if self._line_id is not None:
            signs = self._searched(sentence)
            best, *others = self._readings(sentence, signs)
            readings = tuple((one.text, one.score) for one in others)
            line = self._line(signs, best.text, best.score, readings)
            events.append(LineCompleted(self._line_id, line))
        self._begin_none()
        return events

    def _searched(self, sentence: Sentence) -> list[Sign]:
        """The signs of a sentence that is over; those of the rows, where the search finds none."""
        others = self._own.others(len(sentence.scores))
        found = self._search.signs(np.stack(sentence.scores)[others]) if self._search else []
        for sign in found:
            sign.frames = [others[t] for t in sign.frames]
        if not found:
            return self._own.among(self._row.signs)
        return sorted((*found, *self._own.signs), key=lambda sign: sign.frames[0])

    def _readings(self, sentence: Sentence, signs: Sequence[Sign]) -> list[Reading]:
        """What a sentence may be. Own signs, which no pack can read, are cut out of it."""
        own = self._own.signs
        if not own:
            return sentence.readings(self._language)
        first = min((s.frames[0] for s in signs if not self._own.is_own(s)), default=None)
        before = [self._gloss(s) for s in own if first is None or s.frames[0] < first]
        after = [self._gloss(s) for s in own][len(before) :]
        sure = min(sign.share for sign in own)
        if first is None:
            return [Reading(with_names("", before, after), sure)]
        rest = self._translator.begin()
        for t in self._own.others(len(self._frames)):
            self._show(rest, self._frames[t])
        return [
            Reading(with_names(one.text, before, after), one.score * sure)
            for one in rest.readings(self._language)
        ]

    def _line(
        self,
        signs: Sequence[Sign],
        text: str,
        score: float,
        others: tuple[tuple[str, float], ...] = (),
    ) -> Line:
        """score : 0 to 1, of the answer; of a line in the making, the mean of its signs"""
        times = [frame.time_ms for frame in self._frames]
        spans = tuple((times[s.frames[0]], times[s.frames[-1]]) for s in signs)
        return Line(
            text=text,
            glosses=tuple(self._gloss(sign) for sign in signs),
            alternatives=tuple(self._alternatives(sign) for sign in signs),
            start_ms=min(start for start, _ in spans),
            end_ms=max(end for _, end in spans),
            score=score,
            spans=spans,
            others=others,
            unsure=score < self._unsure_below,
        )

    def _gloss(self, sign: Sign) -> str:
        return self._names[sign.label - 1 - BLANK]

    def _alternatives(self, sign: Sign) -> tuple[tuple[str, float], ...]:
        """Other glosses that its frames may show, with their shares, the best first."""
        if self._own.is_own(sign):
            return ()
        assert self._sentence is not None
        shares = _shares(np.stack([self._sentence.scores[t] for t in sign.frames])).mean(axis=0)
        best = np.argsort(-shares, kind="stable")
        others = [k for k in best if k not in (BLANK, sign.label)][:N_ALTERNATIVES]
        return tuple((self._translator.glosses[k - 1 - BLANK], float(shares[k])) for k in others)

    def _one(self, frame: KeypointFrame) -> PoseSequence:
        """The frame as a sequence of one."""
        return PoseSequence(
            frame.xyz[None],
            frame.confidence[None],
            self._fps,
            SIGN69,
            frame.time_ms,
            self._aspect,
        )

    def _known(self, language: str) -> str:
        languages = self.languages
        if not languages:
            raise ValueError("the pack gives glosses alone, and no sentences")
        if language and language not in languages:
            raise ValueError(f"the pack does not write {language}; it has: {', '.join(languages)}")
        return language or languages[0]


def _shown(gloss: str) -> str:
    """In capitals, as linguists write them."""
    return gloss.upper().replace(" ", "-")


def _shows_gloss(sentence: Sentence, frame: int = -1) -> bool:
    """Whether a frame that was scored, by default the last, is of a sign."""
    return bool(sentence.scores) and int(sentence.scores[frame].argmax()) != BLANK


def _shares(scores: np.ndarray) -> np.ndarray:
    """Soft-max of each row."""
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)
