"""Sentences of 4 seconds: an int8 pack against the same student in PyTorch, and against a teacher.

    python tests/bench/bench_translate.py [--size nano] [--checkpoint DIR] [--pack FILE]
        [--corpus SHARDS] [--rounds 5] [--threads 2] [--teacher base tiny none]

pack     the student as a device runs it: LiteRT, int8, one thread; every step of ``encode`` and
         ``ctc`` that 100 frames take, ``read``, and ``decode_step`` for each token, greedily
student  eager PyTorch, float32: ``read`` and ``generate`` with one beam; no gloss scores
teacher  eager PyTorch, float32: Uni-Sign with random weights and a language model of mT5-base's
         shape (582 million parameters), ``generate`` with one beam after a prompt of 10 tokens

They take turns in one process, so that a busy machine slows all alike; in a turn each says all the
sentences. Medians are printed of a sentence: of seconds by the clock, and of seconds of processor
time, which a busy machine changes less.

Random weights do not know when a sentence ends, so without --checkpoint all are made to say
--tokens tokens. A checkpoint of the task pocket_translation says what it says; the teacher is made
to say as many. --pack is an exported pack of that checkpoint; else its graphs are built here.
--corpus has the sentences: ten of its test split, the nearest to 4 seconds; else the rendered
signer has one.
"""

import argparse
import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench_uni_sign import PROMPT_TOKENS, SIZES

from fingerpost.distill.recipes import tflite
from fingerpost.distill.scheme import Scheme
from fingerpost.edge_runtime.manifest import Licences, Manifest, Parent, Translation
from fingerpost.edge_runtime.pack import open_pack, write_pack
from fingerpost.edge_runtime.preprocess import PREPROCESS_VERSION
from fingerpost.edge_runtime.preprocess_live import FPS, preprocess_live
from fingerpost.edge_runtime.translator import Translator
from fingerpost.trainer.evaluate import load_for_answers
from fingerpost.trainer.models.pocket_graphs import clip_graphs_of, graphs_of
from fingerpost.trainer.models.pocket_sizes import STEP, PocketTranslatorConfig
from fingerpost.trainer.models.pocket_translator import EOS, Asked, PocketTranslator
from fingerpost.trainer.models.uni_sign import Prompt, UniSign, UniSignConfig
from fingerpost.trainer.shards import open_shards
from fingerpost.trainer.signer_corpus import make_clip

N_FRAMES = 100  # 4 seconds at 25 frames a second
N_PIECES, N_GLOSSES = 2000, 150  # of a student with random weights, as the signer's corpus has
QUESTION = "English"
NEVER = -1  # a token that is never said
GOALS = {"student": 1 / 5, "teacher": 1 / 50}  # of their time that the pack may take
N_SENTENCES = 10  # of a corpus
Say = Callable[[np.ndarray], int]  # translates a sentence; the number of tokens that were said


def new_student(given: argparse.Namespace) -> PocketTranslator:
    if given.checkpoint:
        return load_for_answers(given.checkpoint, {})[0]
    torch.manual_seed(0)
    config = PocketTranslatorConfig.of_size(given.size, n_pieces=N_PIECES, n_glosses=N_GLOSSES)
    return PocketTranslator(config).eval()


def sentences(corpus: Path | None) -> list[np.ndarray]:
    """(100, 69, 4) each: those of nearly that length, brought to it."""
    if corpus:
        shards = open_shards(corpus).in_split("test")
        nearest = np.abs(shards.n_frames - N_FRAMES).argsort(kind="stable")[:N_SENTENCES]
        clips = [shards[int(i)].sequence for i in nearest]
    else:
        made = [make_clip("val", number).sequence for number in range(8)]
        clips = [min(made, key=lambda clip: abs(len(clip) - N_FRAMES))]
    return [preprocess_live(clip)[_frames(len(clip))] for clip in clips]


def _frames(n: int) -> np.ndarray:
    return np.linspace(0, n - 1, N_FRAMES).round().astype(int)


def pack_of(model: PocketTranslator, folder: Path) -> Path:
    """A pack whose glosses and pieces are numbers: it is as fast as one with words."""
    config = model.config
    built = tflite.build(graphs_of(model) | clip_graphs_of(model), Scheme("int8"), {}, "translator")
    manifest = Manifest(
        name="student",
        version="1",
        task="translation",
        languages=("ase",),
        view="sign69",
        preprocess_version=PREPROCESS_VERSION,
        fps=FPS,
        window=STEP,
        graphs=built.specs,
        vocabulary="vocabulary.json",
        special={},
        quantization="int8",
        parent=Parent("0" * 64),
        licences=Licences("Apache-2.0", "Apache-2.0", "none"),
        measured={},
        preprocess="live",
        translation=Translation(
            pieces="pieces.json",
            end=EOS,
            questions={q: config.n_pieces + i for i, q in enumerate(config.questions)},
            look_ahead=config.look_ahead,
            max_frames=256,
        ),
    )
    numbers = {"vocabulary.json": config.n_glosses, "pieces.json": config.n_pieces}
    texts = {name: str([str(i) for i in range(n)]).replace("'", '"') for name, n in numbers.items()}
    files = built.files | {name: text.encode() for name, text in texts.items()}
    return write_pack(folder / "student.fpk", manifest, files).path


def by_pack(path: Path, n_tokens: int) -> Say:
    """n_tokens : to say; 0 = until it ends by itself"""
    translator = Translator(open_pack(path))
    if n_tokens:
        translator.words = dataclasses.replace(translator.words, end=NEVER)
        translator.max_tokens = n_tokens

    def say(keypoints: np.ndarray) -> int:
        said = translator.begin()
        said.push_keypoints(keypoints)
        said.end()
        return len(said.answer(QUESTION).tokens)

    return say


def by_student(model: PocketTranslator, n_tokens: int) -> Say:
    mask = torch.ones(1, N_FRAMES)
    question = model.config.questions.index(QUESTION)
    asked = Asked(torch.tensor([0]), torch.tensor([question]))
    force(model.language_model, n_tokens)

    @torch.inference_mode()
    def say(keypoints: np.ndarray) -> int:
        clip = torch.from_numpy(keypoints)[None]
        answer = model.generate(model.read(clip, mask), asked, 1, n_tokens or 31)
        return int((answer[0] > EOS).sum())

    return say


def by_teacher(size: str, n_tokens: int) -> Say:
    torch.manual_seed(0)
    model = UniSign(UniSignConfig({"model_type": "mt5", **SIZES[size]})).eval()
    ids = torch.randint(3, SIZES[size]["vocab_size"], (1, PROMPT_TOKENS))
    prompt = Prompt(ids, torch.ones_like(ids))
    mask = torch.ones(1, N_FRAMES, dtype=torch.long)
    force(model.language_model, n_tokens)

    @torch.inference_mode()
    def say(keypoints: np.ndarray) -> int:
        clip = torch.from_numpy(keypoints[..., [0, 1, 3]].clip(-1, 1))[None]  # x, y, confidence
        return model.generate(clip, mask, prompt, 1, n_tokens).shape[1] - 1

    return say


def force(language_model: Any, n_tokens: int) -> None:
    """``generate`` does not end before so many tokens."""
    if n_tokens:
        language_model.generation_config.min_new_tokens = n_tokens


def take_turns(
    sayers: dict[str, Say], clips: Sequence[np.ndarray], rounds: int
) -> dict[str, tuple[float, float]]:
    """Medians of seconds by the clock and of the processor; the first round is not counted."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in sayers}
    for turn in range(rounds + 1):
        for name, say in sayers.items():
            for clip in clips:
                start, start_processor = time.perf_counter(), time.process_time()
                say(clip)
                took = time.perf_counter() - start, time.process_time() - start_processor
                if turn:
                    seconds[name].append(took)
    return {
        name: (statistics.median(clock), statistics.median(processor))
        for name, (clock, processor) in ((n, zip(*s, strict=True)) for n, s in seconds.items())
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--size", choices=["nano", "small", "base"], default="nano")
    parser.add_argument("--checkpoint", type=Path, help="of the task pocket_translation")
    parser.add_argument("--pack", type=Path, help="of that checkpoint, exported")
    parser.add_argument("--corpus", type=Path, help="shards of sentences that the checkpoint knows")
    parser.add_argument("--tokens", type=int, default=12, help="to say, without a checkpoint")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch; a pack has one")
    parser.add_argument("--teacher", choices=[*SIZES, "none"], default="base")
    given = parser.parse_args()
    if given.pack and not given.checkpoint:
        parser.error("--pack is of a checkpoint: give --checkpoint too")
    torch.set_num_threads(given.threads)
    model, clips = new_student(given), sentences(given.corpus)
    n_tokens = 0 if given.checkpoint else given.tokens
    with tempfile.TemporaryDirectory() as folder:
        path = given.pack or pack_of(model, Path(folder))
        print(f"pack {open_pack(path).size_bytes / 1e6:.2f} MB")
        sayers = {"pack": by_pack(path, n_tokens)}
    sayers["student"] = by_student(model, n_tokens)
    said = {n: round(statistics.mean(map(say, clips))) for n, say in sayers.items()}
    if given.teacher != "none":
        sayers["teacher"] = by_teacher(given.teacher, max(said["pack"], 1))
    medians = take_turns(sayers, clips, given.rounds)
    for name, (clock, processor) in medians.items():
        n = f"{said.get(name, said['pack'])} tokens"
        print(f"{name:8s} {clock:8.4f} s   {processor:8.4f} s of the processor   {n}")
    for name, goal in GOALS.items():
        if name in medians:
            clock, processor = (medians[name][i] / medians["pack"][i] for i in range(2))
            print(
                f"{name:8s} / pack {clock:7.1f} {processor:9.1f}   (goal: at least {1 / goal:.0f})"
            )


if __name__ == "__main__":
    main()
