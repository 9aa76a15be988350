"""Files of sign spans: SubRip (.srt), WebVTT (.vtt) and ELAN (.eaf), by the ending of their name.

An .srt is in the form of PeruSIL's ``SRT_SIGN`` (Bejarano et al., LREC 2022): UTF-8 without a mark,
LF, numbered from 1, the gloss on one line (an empty one where nobody knows it), and an empty line
after every span, the last one too.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from fingerpost.edge_runtime.timed_text import Cue, srt, vtt
from fingerpost.trainer.corpora.cues import read_cues
from fingerpost.trainer.segmentation.elan import read_eaf, write_eaf
from fingerpost.trainer.segmentation.spans import Span, in_order

KINDS = (".srt", ".vtt", ".eaf")


def check_span_file(path: Path) -> None:
    """ValueError where the name's ending is of no kind that spans are kept in."""
    if path.suffix.lower() not in KINDS:
        raise ValueError(f"{path} is no file of spans; its name must end in {', '.join(KINDS)}")


def read_spans(path: Path) -> list[Span]:
    """The spans of a file in order of time. ValueError or OSError where it is not a good one."""
    check_span_file(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; give a file of spans: {', '.join(KINDS)}")
    if path.suffix.lower() == ".eaf":
        return read_eaf(path)
    return in_order(Span(cue.start_ms, cue.end_ms, cue.text) for cue in read_cues(path))


def write_spans(
    path: Path, spans: Sequence[Span], media: Path | None = None, note: str = ""
) -> None:
    """Writes spans in order of time; the file appears whole or not at all.

    media : the video that they are of, for ELAN to show
    note : a comment for whoever opens a .vtt
    """
    check_span_file(path)
    if path.suffix.lower() == ".eaf":
        write_eaf(path, spans, media)
        return
    # A gloss on two lines would end its block, and come back as one line in any case.
    cues = [Cue(s.start_ms, s.end_ms, " ".join(s.gloss.split())) for s in in_order(spans)]
    text = vtt(cues, note) if path.suffix.lower() == ".vtt" else srt(cues)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text + "\n" if cues else text, encoding="utf-8", newline="\n")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
