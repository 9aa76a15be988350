"""Sign spans in ELAN's annotation files (.eaf), by pympi-ling.

ELAN is what most linguists of sign languages annotate in: https://archive.mpi.nl/tla/elan.
"""

import mimetypes
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from fingerpost.trainer.segmentation.spans import Span, in_order

TIER = "signs"


def write_eaf(path: Path, spans: Sequence[Span], media: Path | None = None) -> None:
    """Writes the spans as one tier, whole or not at all.

    media : the video that ELAN is to show beside them

    ValueError for spans that overlap or last no time: a tier of ELAN cannot hold them.
    """
    from pympi.Elan import Eaf

    ordered = in_order(spans)
    for before, after in zip(ordered, ordered[1:], strict=False):
        if after.start_ms < before.end_ms:
            raise ValueError(
                f"{path}: the span at {after.start_ms} ms starts before the one before it ends, "
                "which a tier of ELAN cannot hold; write .srt or .vtt"
            )
    document = Eaf(author="fingerpost")
    document.remove_tier("default")
    document.add_tier(TIER)
    for span in ordered:
        if span.end_ms == span.start_ms:
            raise ValueError(f"{path}: the span at {span.start_ms} ms lasts no time; leave it out")
        document.add_annotation(TIER, span.start_ms, span.end_ms, span.gloss)
    if media is not None:
        kind = mimetypes.guess_type(media.name)[0] or "video/mp4"
        document.add_linked_file(media.resolve().as_uri(), f"./{media.name}", kind)
    partial = path.with_name(f".{path.name}.partial")
    try:
        document.to_file(str(partial))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read_eaf(path: Path, tier: str = "") -> list[Span]:
    """The spans of a tier, in order of time.

    tier : its name; "" for the one called "signs", or else the only one with annotations

    ValueError where the file is no .eaf, or the tier is not clear.
    """
    from pympi.Elan import Eaf

    try:
        ElementTree.parse(path)  # pympi raises a bare Exception where it is no XML at all
        document = Eaf(str(path), suppress_version_warning=True)
        tiers = {name: document.get_annotation_data_for_tier(name) for name in document.tiers}
    except (ElementTree.ParseError, KeyError, IndexError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a whole .eaf file; save it again in ELAN") from error
    filled = [name for name, found in tiers.items() if found]
    named = tier or (TIER if TIER in tiers else "".join(filled[:1]))
    if (tier and tier not in tiers) or (not tier and TIER not in tiers and len(filled) > 1):
        raise ValueError(f"{path} has the tiers {', '.join(tiers)}; name one of them")
    if any(start is None or end is None for start, end, *_ in tiers.get(named, [])):
        raise ValueError(f"{path}: tier {named} has annotations without a time; align them in ELAN")
    return in_order(Span(start, end, text.strip()) for start, end, text, *_ in tiers.get(named, []))
