"""What the runtime computes on this machine; a program for test_aarch64, which runs it on two.

    python tests/aarch64_smoke.py FOLDER graphs|landmarks

``graphs`` reads the bundled pack and writes FOLDER/graphs.npz: windows through the encoder, one
golden clip read to its sentence. ``landmarks`` reads FOLDER/pictures.npy, (3, H, W, 3) uint8, and
FOLDER/landmarker.task, and writes FOLDER/landmarks.npz.
"""

import platform
import sys
from pathlib import Path

import numpy as np

from fingerpost.edge_runtime.landmarks import Landmarker
from fingerpost.edge_runtime.pack import bundled_pack, open_pack
from fingerpost.edge_runtime.pack_check import GOLDEN, read_golden
from fingerpost.edge_runtime.translator import Translator

STEP_MS = 40
QUESTION = "English"


def graphs(folder: Path) -> None:
    """states, latents : of the encoder's second window, (1, step, D) and (1, ., .)
    glosses, tokens, text : of the sentence; right : the tokens that it should be
    """
    pack = open_pack(bundled_pack())
    golden = read_golden(pack.read(GOLDEN))
    clip = golden["clip_0/keypoints"].astype(np.float32)
    translator = Translator(pack)
    state = translator.new_state("encode")
    mask = np.ones((1, translator.step), np.float32)
    for start in (0, translator.step):  # it looks ahead: of the first window alone it says nothing
        window = clip[None, start : start + translator.step]
        encoded = translator.run("encode", {"keypoints": window, "frame_mask": mask, **state})
        state = {name: encoded[name] for name in state}
    sentence = translator.begin()
    sentence.push_keypoints(clip)
    sentence.end()
    answer = sentence.answer(QUESTION)
    translator.close()
    np.savez(
        folder / "graphs.npz",
        machine=platform.machine(),
        states=encoded["states"],
        latents=encoded["latents"],
        glosses=np.stack(sentence.scores),
        tokens=answer.tokens,
        text=answer.text,
        right=golden[f"clip_0/tokens/{QUESTION}"],
    )


def landmarks(folder: Path) -> None:
    """xyz (3, 543, 3), confidence (3, 543)"""
    pictures = np.load(folder / "pictures.npy")
    height, width = pictures.shape[1:3]
    with Landmarker(width, height, folder / "landmarker.task") as landmarker:
        frames = [landmarker.detect(rgb, t * STEP_MS) for t, rgb in enumerate(pictures)]
    np.savez(
        folder / "landmarks.npz",
        machine=platform.machine(),
        xyz=np.stack([frame.xyz for frame in frames]),
        confidence=np.stack([frame.confidence for frame in frames]),
    )


if __name__ == "__main__":
    {"graphs": graphs, "landmarks": landmarks}[sys.argv[2]](Path(sys.argv[1]))
