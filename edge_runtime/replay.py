"""A recorded stream once more, through anything that captions: what it said, when, at what cost.

    replay = replay_stream(captioner, frames)
    replay.log()    # the same bytes whenever the same frames are replayed
    replay.computing_ms

Stream time is the frames' own: an event has the time of the frame that brought it about, however
long the computing took. What computing cost is kept apart, for no two runs cost the same.
"""

import dataclasses
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from fingerpost.edge_runtime.captions import CaptionEvent
from fingerpost.edge_runtime.keypoints import KeypointFrame


class Streaming(Protocol):
    """What can be replayed: ``Captioner``, ``LiveTranslator``."""

    def push(self, frame: KeypointFrame) -> list[CaptionEvent]: ...
    def flush(self) -> list[CaptionEvent]: ...


@dataclass(frozen=True)
class Happened:
    """An event. time_ms : of the frame that brought it about; call : number of the push"""

    time_ms: int
    event: CaptionEvent
    call: int


@dataclass(frozen=True)
class Replay:
    """What a stream has brought about.

    start_ms, end_ms : times of the first and the last frame
    computing_ms : of each push, and at the end of the flush
    """

    happened: tuple[Happened, ...]
    start_ms: int
    end_ms: int
    computing_ms: tuple[float, ...]

    @property
    def duration_ms(self) -> int:
        return self.end_ms - self.start_ms

    def log(self) -> bytes:
        """The events, a line of JSON each, without what they cost."""
        return b"".join(_record(one) for one in self.happened)


def replay_stream(
    captioner: Streaming,
    frames: Iterable[KeypointFrame],
    clock: Callable[[], float] = time.process_time,
) -> Replay:
    """Pushes every frame, and flushes. ValueError for a stream without frames.

    clock : seconds. By default the processor's, of all threads: what other programs take does not
        count. ``time.perf_counter`` tells how long somebody would have waited.
    """
    happened: list[Happened] = []
    computing_ms: list[float] = []
    start_ms = end_ms = None
    for call, frame in enumerate(frames):
        start_ms, end_ms = frame.time_ms if start_ms is None else start_ms, frame.time_ms
        began = clock()
        events = captioner.push(frame)
        computing_ms.append((clock() - began) * 1000)
        happened += [Happened(frame.time_ms, event, call) for event in events]
    if start_ms is None or end_ms is None:
        raise ValueError("a stream without frames cannot be replayed")
    began = clock()
    events = captioner.flush()
    computing_ms.append((clock() - began) * 1000)
    happened += [Happened(end_ms, event, len(computing_ms) - 1) for event in events]
    return Replay(tuple(happened), start_ms, end_ms, tuple(computing_ms))


def _record(one: Happened) -> bytes:
    """Floats in full: a difference in the last digit is a difference."""
    record = {"time_ms": one.time_ms, "event": type(one.event).__name__}
    record |= dataclasses.asdict(one.event)
    return json.dumps(record, sort_keys=True, ensure_ascii=False).encode() + b"\n"
