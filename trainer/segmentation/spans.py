"""Sign spans: when each sign was signed, maybe with its gloss."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Span:
    """One sign from start_ms until end_ms of its source. gloss : "" where nobody knows."""

    start_ms: int
    end_ms: int
    gloss: str = ""


def in_order(spans: Iterable[Span]) -> list[Span]:
    """The spans by time; ValueError names one that cannot be: negative, or ending too early."""
    ordered = sorted(spans)
    for span in ordered:
        if span.start_ms < 0 or span.end_ms < span.start_ms:
            raise ValueError(
                f"a span from {span.start_ms} to {span.end_ms} ms cannot be; give a start of 0 or "
                "more, and an end that is not before it"
            )
    return ordered
