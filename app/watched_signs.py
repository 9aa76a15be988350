"""Single signs of a camera or a file: what ``teach`` and ``lookup`` read."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fingerpost.app.session import Step, observe
from fingerpost.app.terminal import CaptionPrinter, tell
from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.edge_runtime.teaching import ClipCutter, ExampleCutter

Seen = Callable[[CaptionPrinter, PoseSequence], bool]


@dataclass(frozen=True)
class Watching:
    """landmarker : a bundle to use instead of the usual one
    mirrored : the picture is a mirror image
    dominant_hand : of who signs: left, right, auto; a left hand's signs are mirrored
    short_is_one : a short file is one sign, as it is (``ClipCutter``)
    """

    landmarker: Path | None = None
    mirrored: bool = False
    dominant_hand: str = "auto"
    short_is_one: bool = False


def watch_signs(source: str, how: Watching, what: str, seen: Seen, invitation: str = "") -> None:
    """Watches a source to its end, or until it was enough.

    what : is looked for, beside the progress bar
    seen : is given each sign when it is over; says whether that was enough
    invitation : is told to whoever stands before a camera

    ValueError where a file shows no sign at all, or what is no single sign; a camera goes on.
    """
    n_seen = 0
    with observe(source, how.landmarker, how.mirrored, tell=tell) as observer:
        cutter: ClipCutter | ExampleCutter
        if how.short_is_one and not observer.live:
            cutter = ClipCutter(observer.schema, observer.aspect)
        else:
            cutter = ExampleCutter(observer.schema, observer.aspect, how.dominant_hand)
        with CaptionPrinter(observer.n_frames, what=what) as printer:
            if observer.live and invitation:
                printer.tell(invitation)
            enough = False
            for sight in observer:
                try:
                    new = cutter.push(sight.keypoints)
                except ValueError as error:
                    if not observer.live:
                        raise ValueError(f"{source}: {error}") from error
                    printer.tell(f"Not kept: {error}")
                    continue
                printer.show(Step(sight, ()))
                n_seen += len(new)
                enough = any([seen(printer, sign) for sign in new])
                if enough:
                    break
            if not enough:
                last = cutter.flush()
                n_seen += len(last)
                for sign in last:
                    seen(printer, sign)
        if observer.problem:
            raise ValueError(observer.problem)
    if not n_seen:
        raise ValueError(f"{source}: no sign was seen; the hands go up, sign, and go down again")
