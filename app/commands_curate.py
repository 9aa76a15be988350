"""``fingerpost curate``: how far it is, what it kept of a video, and what it dropped and why."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from fingerpost.app.terminal import clock, print_json, stdout_console, tell
from fingerpost.edge_runtime.landmarker_bundle import landmarker_bundle
from fingerpost.edge_runtime.landmarks import Landmarker

MAX_SHOWN = 3  # captions of each reason; the record has them all
MAX_LETTERS = 40  # of a caption


def open_landmarker(width: int, height: int, bundle: Path | None = None) -> Landmarker:
    """bundle : a holistic .task file; None for ours, which is built at the first use"""
    return Landmarker(width, height, bundle or landmarker_bundle(tell))


def crop_of(crop: str | None, no_crop: bool) -> str:
    """The two options as one setting: a box, "whole" or "find"."""
    if crop is not None and no_crop:
        raise ValueError("--crop and --no-crop contradict each other: give one of them")
    return "whole" if no_crop else crop or "find"


def show_record(
    record: Mapping[str, Any], counts: Mapping[str, int], folder: str, as_json: bool
) -> None:
    """record : what the folder keeps of the video; counts : of what was dropped, by reason"""
    if as_json:
        print_json(record)
        return
    clips, box = record["clips"], record["box"]
    minutes = sum(clip["n_frames"] for clip in clips) / record["fps"] / 60
    tell(
        f"{folder}: {len(clips)} clips, {minutes:.1f} minutes, of {record['video']}; "
        f"{box['width']}x{box['height']} pixels at {box['x']}, {box['y']}"
    )
    if not counts:
        return
    table = Table("dropped", "captions", "such as", box=None, pad_edge=False)
    for reason, count in counts.items():
        such = [d for d in record["dropped"] if d["reason"] == reason]
        table.add_row(Text(reason), str(count), Text(_shown(such)))
    stdout_console().print(table)
    tell(f"{folder}/curated/ lists them all.")


def _shown(dropped: Sequence[Mapping[str, Any]]) -> str:
    """``00:12.3 What was said … | 01:15.0 [music]``."""
    texts = []
    for one in dropped[:MAX_SHOWN]:
        text = one["text"]
        short = text if len(text) <= MAX_LETTERS else text[: MAX_LETTERS - 2] + " …"
        texts.append(f"{clock(one['start_ms'])} {short}")
    return " | ".join(texts)
