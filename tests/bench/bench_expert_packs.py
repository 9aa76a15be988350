"""A sentence by a pack with N experts, of which k are listened to: what the choice costs and saves.

    python tests/bench/bench_expert_packs.py [--format tflite] [--quantization int8] [--rounds 9]
        [--experts 3] [--widths 64 64 128 256] [--width 768] [--layers 2] [--vocabulary 2000]
        [--frames 58 128 256] [--tokens 16]

Random weights, a language model of --layers layers, one thread. Printed are medians of
milliseconds of processor time for a sentence of so many frames: what all experts see before the
choice, the choice, what the k see after it, ``read``, and --tokens steps of ``decode_step``. "all"
is the paper's way: every expert sees everything. The first column is the length of the sentence.
--format eager runs the graphs in PyTorch in float32, without an export.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fingerpost.distill.export_graphs_of_experts import MARGIN, WINDOW, adapters_of, expert_graphs
from fingerpost.distill.export_translator import EagerBackend, specs_of
from fingerpost.distill.scheme import Built, Scheme, format_recipe
from fingerpost.edge_runtime.expert_routing import adapters_bytes
from fingerpost.edge_runtime.experts import EATS, ExpertSentence, ExpertTranslator, Sight
from fingerpost.edge_runtime.manifest import Experts, Licences, Manifest, Parent, Translation
from fingerpost.edge_runtime.pack import Pack, write_pack
from fingerpost.edge_runtime.preprocess import PREPROCESS_VERSION
from fingerpost.trainer.models.signet import Signet, SignetConfig

EAGER = "eager"
QUESTION, ADAPTERS = "French", "adapters/own.npz"
PROMPT_TOKENS = 10


def new_signet(given: argparse.Namespace) -> Signet:
    torch.manual_seed(0)
    names = [f"expert{i}" for i in range(given.experts)]
    reader = {
        "model_type": "mt5",
        **{"d_model": given.width, "d_kv": 64, "d_ff": 2 * given.width, "num_heads": 12},
        **{"num_layers": given.layers, "num_decoder_layers": given.layers},
        **{"vocab_size": given.vocabulary, "decoder_start_token_id": 0},
    }
    experts = [{"name": n, "pose_widths": given.widths, "placed": False} for n in names]
    return Signet(SignetConfig(reader, experts=experts, k=1)).eval()


def pack_of(model: Signet, given: argparse.Namespace, folder: Path) -> Pack:
    most = max(given.frames)
    graphs = expert_graphs(model, most, given.tokens + 1)
    if given.format == EAGER:
        built = Built({"none": b"graphs in memory"}, {n: specs_of(g) for n, g in graphs.items()})
    else:
        recipe = format_recipe(given.format)
        built = recipe.build(graphs, Scheme(given.quantization), {}, "bench")
    adapters = adapters_of(model, torch.zeros(1, PROMPT_TOKENS, dtype=torch.int64))
    names = model.config.names
    manifest = Manifest(
        name="bench",
        version="1",
        task="translation",
        languages=("mis",),
        view="sign69",
        preprocess=EATS,
        preprocess_version=PREPROCESS_VERSION,
        fps=25.0,
        window=WINDOW,
        graphs=built.specs,
        vocabulary="vocabulary.json",
        special={},
        quantization="none" if given.format == EAGER else given.quantization,
        parent=Parent(""),
        licences=Licences("", "", ""),
        measured={},
        translation=Translation("pieces.json", -1, {QUESTION: 0}, 0, most),
        experts=Experts(
            names, dict.fromkeys(names, "0"), "0", 1, WINDOW - MARGIN, MARGIN, {QUESTION: ADAPTERS}
        ),
    )
    files = {**built.files, "vocabulary.json": b"[]", "pieces.json": b"[]"}
    return write_pack(folder / "pack", manifest, {**files, ADAPTERS: adapters_bytes(adapters)})


def parts_of(translator: ExpertTranslator, keypoints: np.ndarray, n_tokens: int) -> list[float]:
    """Milliseconds of processor time: before the choice, choosing, after it, reading, words."""
    times = [time.process_time()]

    def clocked(do: Callable[[], Any]) -> Any:
        made = do()
        times.append(time.process_time())
        return made

    sight = Sight(translator, keypoints)
    first = min(len(sight), translator.experts.decide_frames)
    priors = clocked(lambda: sight.priors(first))
    adapters = translator.adapters[QUESTION]
    choice = clocked(lambda: adapters.choose(priors, translator.k))
    clocked(lambda: [sight.frames(name) for name in choice.names])
    sentence = clocked(lambda: ExpertSentence(translator, QUESTION, sight))
    clocked(lambda: sentence.scores_of(QUESTION, [1] * n_tokens))
    return [1000 * (b - a) for a, b in zip(times[:-1], times[1:], strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--format", default="tflite")
    parser.add_argument("--quantization", default="int8")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--experts", type=int, default=3)
    parser.add_argument("--widths", type=int, nargs=4, default=[64, 64, 128, 256])
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--vocabulary", type=int, default=2000)
    parser.add_argument("--frames", type=int, nargs="+", default=[58, 128, 256])
    parser.add_argument("--tokens", type=int, default=16)
    given = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        model = new_signet(given)
        pack = pack_of(model, given, Path(folder))
        backends: Any = None
        if given.format == EAGER:
            graphs = expert_graphs(model, max(given.frames), given.tokens + 1)
            backends = {name: EagerBackend(graph, None) for name, graph in graphs.items()}
        print(f"{given.format} {given.quantization}, {pack.size_bytes / 1e6:.1f} MB, "
              f"adapters {len(pack.read(ADAPTERS)) / 1e6:.2f} MB")  # fmt: skip
        print(f"{'frames':>6} {'k':>4} {'before':>8} {'choice':>8} {'after':>8} {'read':>8} "
              f"{'words':>8} {'total':>8}")  # fmt: skip
        whole = replace(pack.manifest.experts, decide_frames=10**6)
        paper = replace(pack, manifest=replace(pack.manifest, experts=whole))
        kinds = {str(k): ExpertTranslator(pack, backends, k) for k in range(1, given.experts + 1)}
        kinds["all"] = ExpertTranslator(paper, backends, given.experts)
        for n_frames in given.frames:
            keypoints = rng.uniform(-1, 1, (n_frames, 69, 3)).astype(np.float32)
            times: dict[str, list[list[float]]] = {kind: [] for kind in kinds}
            for _ in range(given.rounds + 1):  # in turns; the first round warms up
                for kind, translator in kinds.items():
                    times[kind].append(parts_of(translator, keypoints, given.tokens))
            for kind, rounds in times.items():
                medians = [statistics.median(column) for column in zip(*rounds[1:], strict=True)]
                row = " ".join(f"{ms:8.1f}" for ms in (*medians, sum(medians)))
                print(f"{n_frames:>6} {kind:>4} {row}")


if __name__ == "__main__":
    main()
