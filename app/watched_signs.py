"""Single signs of a camera or a file: what ``teach`` and ``lookup`` read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fingerpost.app.observer import Observer
from fingerpost.app.session import Step, observe
from fingerpost.app.terminal import CaptionPrinter, clock, tell
from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.edge_runtime.teaching import ClipCutter, ExampleCutter

Seen = Callable[[CaptionPrinter, PoseSequence], bool]


@dataclass(frozen=True)
class Watching:
    """landmarker : a bundle to use instead of the usual one
    mirrored : the picture is a mirror image
    dominant_hand : of who signs: left, right, auto; a left hand's signs are mirrored
    lookup : a short file is one sign, as it is (``ClipCutter``), and what is none ends no file
    """

    landmarker: Path | None = None
    mirrored: bool = False
    dominant_hand: str = "auto"
    lookup: bool = False


def watch_signs(source: str, how: Watching, what: str, seen: Seen, invitation: str = "") -> None:
    """Watches a source to its end, or until it was enough.

    what : is looked for, beside the progress bar
    seen : is given each sign when it is over; says whether that was enough
    invitation : is told to whoever stands before a camera

    ValueError where a file shows no sign at all, or what is no single sign; a camera goes on, and a
    lookup too.
    """
    n_seen = 0
    with observe(source, how.landmarker, how.mirrored, tell=tell) as observer:
        with CaptionPrinter(observer.n_frames, what=what) as printer:
            if observer.live and invitation:
                printer.tell(invitation)
            for new in _signs(source, observer, how, printer):
                n_seen += len(new)
                if any([seen(printer, sign) for sign in new]):
                    break
        if observer.problem:
            raise ValueError(observer.problem)
    if not n_seen:
        raise ValueError(f"{source}: no sign was seen; the hands go up, sign, and go down again")


def _signs(
    source: str, observer: Observer, how: Watching, printer: CaptionPrinter
) -> Iterator[list[PoseSequence]]:
    """The signs that are over with each sight, and at last those that were not over yet."""
    cutter: ClipCutter | ExampleCutter
    if how.lookup and not observer.live:
        cutter = ClipCutter(observer.schema, observer.aspect)
    else:
        cutter = ExampleCutter(observer.schema, observer.aspect, how.dominant_hand)

    def cut(push: Callable[[], list[PoseSequence]], time_ms: int) -> list[PoseSequence]:
        try:
            return push()
        except ValueError as error:
            if not (observer.live or how.lookup):
                raise ValueError(f"{source}: {error}") from error
            printer.tell(f"{source} at {clock(time_ms)}: {error}")
            return []

    time_ms = 0
    for sight in observer:
        time_ms = sight.keypoints.time_ms
        yield cut(partial(cutter.push, sight.keypoints), time_ms)
        printer.show(Step(sight, ()))
    yield cut(cutter.flush, time_ms)
