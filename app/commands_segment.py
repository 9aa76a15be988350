"""``fingerpost segment``: what is told of spans."""

from collections.abc import Sequence
from pathlib import Path

from fingerpost.app.terminal import clock, print_json, tell


def check_picture(path: Path | None) -> None:
    """ValueError where the name of a picture does not end in .png."""
    if path is not None and path.suffix.lower() != ".png":
        raise ValueError(f"{path} must end in .png")


def show_spans(spans: Sequence[tuple[int, int]], written: Sequence[Path], as_json: bool) -> None:
    """Prints when each sign was signed, and tells what was written.

    spans : start and end in ms
    """
    if as_json:
        print_json([{"start_ms": start, "end_ms": end} for start, end in spans])
    else:
        for number, (start, end) in enumerate(spans, start=1):
            print(f"{number:4}  {clock(start)} to {clock(end)}")
    if not spans:
        tell("Nobody signs in it: no hand was seen to go up and move.")
    for path in written:
        tell(f"Wrote {path}")
