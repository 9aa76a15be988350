"""Renders the demo clip: four everyday sentences, then ten seconds of fidgeting, and the truth.

    python -m fingerpost.trainer.signer.demo -o assets/demo

Seeded: the same code writes the same movement. About ten minutes on two cores.
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
SENTENCES = (
    ("Hello, my mother is happy.", ("hello", "my", "mother", "happy")),
    ("I want more to drink.", ("i", "want", "more", "drink")),
    ("My family has finished eating.", ("my", "family", "eat", "finish")),
    ("Please wait. Thank you.", ("wait", "please", "thank you")),
)
IDLE = ("scratch_nose", "adjust_glasses")
SIGNER = Signer(
    body=Body(),
    style=Style(tempo=1.0, jitter=0.3, mouthing=0.6, rest="hang"),
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
    parts, sentences, start = [], [], 0
    for text, glosses in SENTENCES:
        part = sign_sentence(glosses, SIGNER, rng, lead_ms=160, tail_ms=300)
        spans = [[gloss, a + start, b + start] for gloss, a, b in part.spans]
        sentences.append({"text": text, "glosses": spans})
        parts.append(part)
        start += part.duration_ms + PAUSE_MS
    parts += [fidget(kind, SIGNER, rng) for kind in IDLE]
    idle_start = start - PAUSE_MS
    performance = concatenate(parts, PAUSE_MS)
    truth = {"sentences": sentences, "idle_ms": [idle_start, performance.duration_ms]}
    return performance, truth


def main(
    out: Annotated[Path, typer.Option("--out", "-o", help="folder to write to")],
    height: Annotated[int, typer.Option(help="of the picture, pixels")] = 480,
) -> None:
    """Write demo.mp4 and demo.json."""
    out.mkdir(parents=True, exist_ok=True)
    performance, truth = demo_performance()
    total = performance.duration_ms * FPS // 1000
    frames = render_motion(performance.motion, FPS, height, grain=0.25)
    write_video(track(frames, "rendering", total=total), out / "demo.mp4", FPS)
    (out / "demo.json").write_text(json.dumps(truth, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
