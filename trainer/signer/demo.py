"""Renders the demo clip: ten everyday sentences, fidgets between some of them, and the truth.

    python -m fingerpost.trainer.signer.demo -o assets/demo --sheet docs/demo.png

Seeded: the same code writes the same movement. About half an hour on two cores.
"""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.progress import track

from fingerpost.trainer.signer.body import Body
from fingerpost.trainer.signer.renderer import render_motion
from fingerpost.trainer.signer.sentences import Performance, concatenate, fidget, sign_sentence
from fingerpost.trainer.signer.variation import Camera, Look, Signer, Style
from fingerpost.trainer.signer.video import write_video

FPS = 25
PAUSE_MS = 800  # between a performance's end and the next one's start: hands are down longer
SENTENCES = (  # all but the first, a formula, are not to train on: see signer_corpus.split_of
    ("Nice to meet you.", ("meet", "you", "good")),
    ("My brother is deaf.", ("my", "brother", "deaf")),
    ("I learn sign language.", ("sign", "language", "i", "learn")),
    ("I had a headache yesterday.", ("yesterday", "i", "headache")),
    ("I need to change the appointment.", ("appointment", "i", "change", "need")),
    ("How do I go to the office?", ("office", "i", "go", "how")),
    ("I am sick today.", ("today", "i", "sick")),
    ("Please bring me tea.", ("please", "tea", "bring", "i")),
    ("Who wants coffee?", ("coffee", "want", "who")),
    ("Your daughter signs.", ("your", "daughter", "sign")),
)
IDLE = {2: "scratch_nose", 5: "check_watch", 9: "adjust_glasses"}  # after which sentence
SIGNER = Signer(
    body=Body(),
    style=Style(tempo=1.15, jitter=0.3, mouthing=0.6, rest="hang"),
    look=Look(
        skin=(0.64, 0.40, 0.29),
        hair=(0.07, 0.04, 0.022),
        shirt=(0.035, 0.075, 0.115),
        wall=(0.62, 0.61, 0.57),
        hair_length=0.72,
        glasses=True,
    ),
    camera=Camera(y=0.0, view=1.04),
)


def demo_performance(seed: int = 16) -> tuple[Performance, dict]:
    """The clip's movement, and its truth as written to demo.json."""
    rng = np.random.default_rng(seed)
    parts, sentences, idle, start = [], [], [], 0
    for number, (text, glosses) in enumerate(SENTENCES):
        part = sign_sentence(glosses, SIGNER, rng, lead_ms=160, tail_ms=300)
        spans = [[gloss, a + start, b + start] for gloss, a, b in part.spans]
        sentences.append({"text": text, "glosses": spans})
        parts.append(part)
        start += part.duration_ms + PAUSE_MS
        if number in IDLE:
            parts.append(fidget(IDLE[number], SIGNER, rng))
            idle.append([start, start + parts[-1].duration_ms])
            start = idle[-1][1] + PAUSE_MS
    return concatenate(parts, PAUSE_MS), {"sentences": sentences, "idle_ms": idle}


def main(
    out: Annotated[Path, typer.Option("--out", "-o", help="folder to write to")],
    height: Annotated[int, typer.Option(help="of the picture, pixels")] = 480,
    sheet: Annotated[Path | None, typer.Option(help="also write a contact sheet, PNG")] = None,
    only_sheet: Annotated[bool, typer.Option(help="of the demo.mp4 that is there")] = False,
) -> None:
    """Write demo.mp4 and demo.json."""
    if sheet and only_sheet:
        write_sheet(out / "demo.mp4", demo_performance()[1], sheet)
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"cannot write to {out}: {error.strerror}") from error
    performance, truth = demo_performance()
    total = performance.duration_ms * FPS // 1000
    frames = render_motion(performance.motion, FPS, height, grain=0.25)
    write_video(track(frames, "rendering", total=total), out / "demo.mp4", FPS)
    (out / "demo.json").write_text(json.dumps(truth, indent=1) + "\n")
    if sheet:
        write_sheet(out / "demo.mp4", truth, sheet)


def write_sheet(video: Path, truth: dict, path: Path, columns: int = 4) -> None:
    """The first `columns` signs of the first two sentences, each with its gloss."""
    import cv2

    reader = cv2.VideoCapture(str(video))
    rows = []
    for sentence in truth["sentences"][:2]:
        row = []
        for gloss, start, end in sentence["glosses"][:columns]:
            reader.set(cv2.CAP_PROP_POS_FRAMES, round((start + 0.6 * (end - start)) * FPS / 1000))
            found, frame = reader.read()
            if not found:
                raise ValueError(f"{video} has no frame at {start} ms: render it again")
            tile = cv2.resize(frame[:, 80:-80], (300, 300), interpolation=cv2.INTER_AREA)
            cv2.putText(tile, gloss, (10, 288), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 255, 255), 2)
            row.append(tile // 4 * 4 + 2)  # fewer shades: half of the bytes
        rows.append(np.hstack(row))
    cv2.imwrite(str(path), np.vstack(rows), [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    typer.run(main)
