"""``fingerpost align``: the keypoints of a whole video, and what is told of its subtitles."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fingerpost.app.session import KEYPOINT_SUFFIXES, Step, observe
from fingerpost.app.terminal import CaptionPrinter, clock, print_json, tell
from fingerpost.edge_runtime.keypoints import KeypointSchema, PoseSequence, select, to_view

if TYPE_CHECKING:
    from fingerpost.edge_runtime.timed_text import Cue

UNSURE = "Subtitles were moved by a machine; they can be wrong."
SHOWN_LETTERS = 60  # of a subtitle that is listed


class Moved(NamedTuple):
    """A subtitle, where it is now (start and end in ms; None: nowhere), and found or guessed."""

    cue: "Cue"
    span: tuple[int, int] | None
    how: str


def read_view(
    source: str, view: KeypointSchema, landmarker: Path | None = None, mirrored: bool = False
) -> PoseSequence:
    """The keypoints of a whole video or keypoint file, at its own rate, as a view.

    Of a video only the view is kept, for an hour of all that a landmarker finds fills a memory.
    ValueError for a camera, and for keypoints that the view cannot be made from.
    """
    if Path(source).suffix.lower() in KEYPOINT_SUFFIXES:
        from fingerpost.edge_runtime.keypoint_files import load_keypoints

        if mirrored:
            raise ValueError("--mirrored is for pictures; the keypoints in a file are as they are")
        return to_view(load_keypoints(source), view)
    from fingerpost.edge_runtime.resample import Resampler, sequence_of

    with observe(source, landmarker, mirrored, tell=tell) as observer:
        if observer.live:
            raise ValueError("a camera has no end to wait for; record a video and give that")
        resampler, frames = Resampler(observer.fps), []
        with CaptionPrinter(observer.n_frames, what="landmarks") as printer:
            for sight in observer:
                seen = sight.keypoints
                xyz, confidence = select(seen.xyz, seen.confidence, observer.schema, view)
                frames += resampler.push(replace(seen, xyz=xyz, confidence=confidence))
                printer.show(Step(sight, ()))
        if observer.problem:
            raise ValueError(observer.problem)
        nothing = np.zeros((0, len(view), 3), np.float32)
        like = PoseSequence(
            *(nothing, nothing[..., 0], observer.fps, view, 0, observer.aspect, observer.extractor)
        )
        return sequence_of(frames, observer.fps, like)


def show_moved(moved: Sequence[Moved], written: Sequence[Path], as_json: bool) -> None:
    """Prints what was not found in the signing (as JSON: everything), and tells a summary."""
    if as_json:
        print_json([_record(number, *row) for number, row in enumerate(moved, start=1)])
    else:
        for number, row in enumerate(moved, start=1):
            if row.how != "found":
                print(_line(number, row))
    tell(summary(moved))
    for path in written:
        tell(f"Wrote {path}")


def summary(moved: Sequence[Moved]) -> str:
    """One line: how many subtitles were found, guessed, unplaceable; by how much they moved."""
    count = {how: sum(row.how == how for row in moved) for how in ("found", "guessed")}
    lost = len(moved) - sum(count.values())
    by = [(row.span[0] - row.cue.start_ms) / 1000 for row in moved if row.span is not None]
    how_far = f"; moved by {np.median(by):+.1f} s ({min(by):+.1f} to {max(by):+.1f})" if by else ""
    return (
        f"{len(moved)} subtitles: {count['found']} found in the signing, {count['guessed']} put "
        f"between their neighbours, {lost} unplaceable{how_far}. {UNSURE}"
    )


def _line(number: int, row: Moved) -> str:
    text = row.cue.text
    if len(text) > SHOWN_LETTERS:
        text = text[: SHOWN_LETTERS - 1].rstrip() + "…"
    where = f"{clock(row.span[0])} to {clock(row.span[1])}" if row.span else f"{'nowhere':18}"
    return f"{number:5}  {clock(row.cue.start_ms)} -> {where}  {row.how}: {text}"


def _record(number: int, cue: "Cue", span: tuple[int, int] | None, how: str) -> dict[str, object]:
    start_ms, end_ms = span if span is not None else (None, None)
    return {
        "cue": number,
        "text": cue.text,
        "was_start_ms": cue.start_ms,
        "was_end_ms": cue.end_ms,
        "start_ms": start_ms,
        "end_ms": end_ms,
        "how": how,
    }
