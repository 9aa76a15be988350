"""Frame to caption: the whole journey of keypoints, one frame at a time.

Pure and replayable: time comes in with the frames, and the same frames give the same events.
"""

from collections import deque

import numpy as np

from fingerpost.edge_runtime.captions import (
    CaptionEvent,
    Line,
    LineChanged,
    LineCompleted,
    LineStarted,
    ScoreSettings,
)
from fingerpost.edge_runtime.decode import Decoder, DecodeSettings, Sign
from fingerpost.edge_runtime.keypoints import KeypointFrame, KeypointSchema, PoseSequence, select
from fingerpost.edge_runtime.one_person import OnePerson, PersonSettings
from fingerpost.edge_runtime.pack import Pack
from fingerpost.edge_runtime.recogniser import Recogniser
from fingerpost.edge_runtime.resample import Resampler, sequence_of
from fingerpost.edge_runtime.segment import (
    LOOK_AHEAD_MS,
    Boundary,
    Segmenter,
    SegmentEvent,
    SegmentSettings,
    SigningEnded,
    SigningStarted,
)
from fingerpost.edge_runtime.stage_settings import check_settings, read_settings


class Captioner:
    """Push keypoint frames of any rate; out come caption events.

    pack : what to run
    schema : of the frames that will come: a source, or the pack's view
    aspect : width over height of the picture
    recogniser : by default the pack's own
    """

    def __init__(
        self,
        pack: Pack,
        schema: KeypointSchema,
        aspect: float,
        recogniser: Recogniser | None = None,
    ) -> None:
        manifest = pack.manifest
        stages = (PersonSettings, SegmentSettings, DecodeSettings, ScoreSettings)
        check_settings(manifest.settings, stages)
        self._recogniser = recogniser or Recogniser(pack)
        self._schema, self._view = schema, self._recogniser.view
        self._aspect, self._fps = aspect, manifest.fps
        following = read_settings(PersonSettings, manifest.settings)
        self._person = OnePerson(aspect, following, schema)
        self._resampler = Resampler(manifest.fps)
        segmenting = read_settings(SegmentSettings, manifest.settings)
        decoding = read_settings(DecodeSettings, manifest.settings)
        self._segmenter = Segmenter(self._view, manifest.fps, aspect, segmenting)
        self._unsure_below = read_settings(ScoreSettings, manifest.settings).unsure_below
        self._decoder = Decoder(self._probabilities, pack.vocabulary, manifest.reject, decoding)
        # The frames that are kept: of the longest sign, told as late as the segmenter can.
        latest_ms = max(segmenting.min_rest_ms, segmenting.max_still_ms, LOOK_AHEAD_MS)
        kept_ms = decoding.max_sign_ms + latest_ms
        self._n_kept = round(kept_ms * manifest.fps / 1000) + 2  # times may jump: so many frames
        self._next_line_id = 0
        self.reset()

    def reset(self) -> None:
        """Forgets the stream; line numbers go on."""
        self._person.reset()
        self._resampler.reset()
        self._meet()
        self._line_id: int | None = None
        self._shown: tuple[tuple[Sign, ...], int] = ((), 0)

    def push(self, frame: KeypointFrame) -> list[CaptionEvent]:
        """The events that a frame of keypoints brings about."""
        events: list[CaptionEvent] = []
        frame = self._person.push(frame)
        if self._person.somebody_else:
            events += self.flush()
            self._meet()
        for even in self._resampler.push(frame):
            seen = self._in_view(even)
            self._history.append(seen)
            for event in self._segmenter.push(seen):
                events += self._decode(event)
        return events

    def flush(self) -> list[CaptionEvent]:
        """The events that the end of the stream brings about."""
        return [out for event in self._segmenter.flush() for out in self._decode(event)]

    def _meet(self) -> None:
        """Somebody stands before the camera of whom nothing is known."""
        self._segmenter.reset()
        self._decoder.reset()
        self._history: deque[KeypointFrame] = deque(maxlen=self._n_kept)

    def _decode(self, event: SegmentEvent) -> list[CaptionEvent]:
        match event:
            case SigningStarted(time_ms):
                self._decoder.start(time_ms)
                return []
            case Boundary(time_ms):
                self._decoder.boundary(time_ms)
                return self._update()
            case SigningEnded(time_ms):
                self._decoder.boundary(time_ms)
                return self._update() + self._complete()

    def _update(self) -> list[CaptionEvent]:
        """Started or changed, if there is anything new to show."""
        signs, settled = self._decoder.signs()
        if (signs, settled) == self._shown or (not signs and self._line_id is None):
            return []
        self._shown = (signs, settled)
        if self._line_id is not None:
            return [LineChanged(self._line_id, self._line(signs), settled)]
        self._line_id = self._next_line_id
        self._next_line_id += 1
        return [LineStarted(self._line_id, self._line(signs), settled)]

    def _complete(self) -> list[CaptionEvent]:
        line_id, signs = self._line_id, self._shown[0]
        self._line_id, self._shown = None, ((), 0)
        self._decoder.reset()
        return [] if line_id is None else [LineCompleted(line_id, self._line(signs))]

    def _line(self, signs: tuple[Sign, ...]) -> Line:
        return line_of(signs, self._unsure_below)

    def _probabilities(self, start_ms: int, end_ms: int) -> np.ndarray:
        span = [f for f in self._history if start_ms <= f.time_ms <= end_ms]
        like = PoseSequence(
            span[0].xyz[None], span[0].confidence[None], self._fps, self._view, aspect=self._aspect
        )
        return self._recogniser.probabilities(sequence_of(span, self._fps, like))

    def _in_view(self, frame: KeypointFrame) -> KeypointFrame:
        xyz, confidence = select(frame.xyz, frame.confidence, self._schema, self._view)
        return KeypointFrame(frame.time_ms, xyz, confidence)


def line_of(signs: tuple[Sign, ...], unsure_below: float) -> Line:
    """The caption that a row of signs makes: their glosses in capitals, as linguists write them."""
    score = sum(sign.probability for sign in signs) / len(signs) if signs else 0.0
    return Line(
        text=" ".join(sign.gloss.upper().replace(" ", "-") for sign in signs),
        glosses=tuple(sign.gloss for sign in signs),
        alternatives=tuple(sign.alternatives for sign in signs),
        start_ms=signs[0].start_ms if signs else 0,
        end_ms=signs[-1].end_ms if signs else 0,
        score=score,
        spans=tuple((sign.start_ms, sign.end_ms) for sign in signs),
        unsure=score < unsure_below,
    )
