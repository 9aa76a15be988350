"""Streams of a corpus's own clips, with their truth: how live translation does on what you have.

    streams = make_clip_streams(Clips(["my_shards"], "val"), minutes=10)

Each clip is a stream by itself, and its last frame is held while the signer waits for the line. A
clip that says when each sign is made has delays; of any other, nobody knows when a gloss was due.
"""

import numpy as np

from fingerpost.edge_runtime.keypoints import KeypointFrame
from fingerpost.trainer.feed import Clips
from fingerpost.trainer.shards import Clip
from fingerpost.trainer.signer_corpus import is_idle
from fingerpost.trainer.streams import SignedSentence, Stream, check_minutes

HOLD_MS = 3000  # longer than the rest that ends a sentence


def make_clip_streams(clips: Clips, minutes: float, seed: int = 0) -> list[Stream]:
    """Clips drawn at random until they are so long together, or all of them.

    Used are those with glosses and a text, and those in which nobody signs (``is_idle``).
    ValueError where there is none.
    """
    check_minutes(minutes, seed, "test")
    labels = zip(clips.column("glosses"), clips.column("text"), strict=True)
    usable = [i for i, (row, text) in enumerate(labels) if row and (text or is_idle(row))]
    if not usable:
        raise ValueError(
            "no clip has both glosses and a text, which live translation is measured by"
        )
    streams: list[Stream] = []
    left_ms = minutes * 60_000
    for i in np.random.default_rng(seed).permutation(usable).tolist():
        if left_ms <= 0:
            break
        streams.append(stream_of(clips[i]))
        left_ms -= streams[-1].duration_ms
    return streams


def stream_of(clip: Clip) -> Stream:
    """A clip, and then ``HOLD_MS`` of its last frame."""
    frames = clip.sequence.frames()
    start_ms, end_ms = frames[0].time_ms, frames[-1].time_ms
    step_ms = 1000 / clip.sequence.fps
    held = [
        KeypointFrame(end_ms + round(n * step_ms), frames[-1].xyz, frames[-1].confidence)
        for n in range(1, round(HOLD_MS / step_ms) + 1)
    ]
    idle = is_idle(clip.glosses)
    return Stream(
        tuple(frames + held),
        clip.sequence.schema,
        clip.sequence.aspect,
        () if idle else (_sentence(clip, start_ms, end_ms),),
        ((start_ms, end_ms),) if idle else (),
        tempo=1.0,
        text_language=clip.text_language,
    )


def _sentence(clip: Clip, start_ms: int, end_ms: int) -> SignedSentence:
    timed = len(clip.spans) == len(clip.glosses)
    spans = clip.spans if timed else [(0, end_ms - start_ms)] * len(clip.glosses)
    signs = tuple(
        (gloss, start_ms + a, start_ms + b)
        for gloss, (a, b) in zip(clip.glosses, spans, strict=True)
    )
    return SignedSentence(clip.text, signs, timed)
