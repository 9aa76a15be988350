"""A checkpoint of the recogniser becomes a pack, verified before it is written.

    python -m fingerpost.distill.export CHECKPOINT -o assets/demo/pack [--sample FILE.npz]
    python -m fingerpost.distill.export runs/wlasl100 -o my.fpk --name mine --data "my own clips"

The checkpoint is one of ``train_recogniser``, or of any recipe of the task isolated; ``EATS`` lists
the networks, with the preprocessing that the pack's manifest will name.

The exported graph is run by edge_runtime's own backend on sample windows and compared with the
network in PyTorch; what it gives may differ by no more than ``pack_check`` allows, or there is no
pack. A few of the samples go into the pack as its golden inputs, so give only what may be passed
on; without ``--sample``, the rendered signer's are used. The .npz holds ``keypoints``
(N, T, K, 4), as ``preprocess`` makes them, and may hold ``label`` (N,), numbers of glosses.
"""

import argparse
import hashlib
import importlib.metadata
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from fingerpost.distill.recipes import tflite as recipe
from fingerpost.distill.samples import INPUT, Samples, check_samples, read_samples, signer_samples
from fingerpost.edge_runtime.backends.tflite import TfliteBackend
from fingerpost.edge_runtime.keypoints import PoseSequence, schema
from fingerpost.edge_runtime.manifest import (
    CAUTION,
    QUANTIZATIONS,
    GraphSpec,
    Licences,
    Manifest,
    Parent,
    TensorSpec,
)
from fingerpost.edge_runtime.pack import SUFFIX, Pack, verify_pack, write_pack
from fingerpost.edge_runtime.pack_check import (
    GOLDEN,
    REFERENCE_LIMITS,
    CheckRow,
    compare,
    golden_bytes,
    run_samples,
)
from fingerpost.edge_runtime.preprocess import PREPROCESS_VERSION
from fingerpost.edge_runtime.preprocessings import find_preprocessing
from fingerpost.trainer.checkpoint import WEIGHTS, load_checkpoint, resolve_checkpoint
from fingerpost.trainer.recogniser_data import REJECT

GRAPH, OUTPUT = "recogniser", "logits"
EATS = {  # model of MODELS: the view and the preprocessing that its graph eats
    "pocket": ("sign69", "sign"),
    "ms_mae_classifier": ("msmae", "ms_mae"),
}
GRAPH_FILE, VOCABULARY_FILE = "recogniser.tflite", "vocabulary.json"
FPS = 25.0  # that keypoints are resampled to before a window is cut
N_GOLDEN = 12  # samples that go into the pack
OWN_DATA = ("rendered signer",)  # training data that leaves the weights free
N_TIMED_RUNS = 40
RESEARCH_NOTICE = "For research, not for commercial use. "


def export_pack(
    checkpoint: Path,
    out: Path,
    quantization: str = "int8",
    samples: Samples | None = None,
    name: str = "demo",
    version: str = "1",
    settings: Mapping[str, float] | None = None,
    with_latency: bool = True,
    data: Sequence[str] = (),
) -> Pack:
    """Checkpoint to pack; ValueError, and nothing written, where the pack does not verify.

    checkpoint : its folder, or that of a training
    samples : what parity is measured on; by default of the rendered signer
    settings : of the segmenter and decoder, where they are not to be the code's defaults
    with_latency : measured anew each time; without it, two exports are the same bytes
    data : what the weights were trained on, with its licence, where the checkpoint does not say
    """
    checkpoint = resolve_checkpoint(checkpoint)
    model, info, metrics = load_checkpoint(checkpoint)
    _check_exportable(checkpoint, info)
    view, preprocess = EATS[info["model"]]
    window, vocabulary = int(info["config"]["window"]), list(info["vocabulary"])
    shape = _input_shape(view, preprocess, window)
    samples = samples or signer_samples(vocabulary, window, view, shape[2])
    check_samples(samples, shape, N_GOLDEN)
    data = tuple(data) or tuple(info.get("data", ()))  # of a recipe: the names of its shards

    float_graph = recipe.convert(model, {INPUT: torch.zeros(shape)}, [OUTPUT])
    graph = recipe.quantize(float_graph, quantization)
    spec = _graph_spec(shape, len(vocabulary))
    reference = _run_eager(model, samples.keypoints)
    float_rows, _ = _parity(float_graph, spec, samples, reference, "none")
    rows, answers = _parity(graph, spec, samples, reference, quantization)
    _refuse_failed([*float_rows, *rows])

    measured = _flat_metrics(metrics) | _measure(graph, spec, samples, answers, rows, with_latency)
    manifest = Manifest(
        name=name,
        version=version,
        task="isolated-signs",
        languages=("ase",),
        view=view,
        preprocess_version=PREPROCESS_VERSION,
        fps=FPS,
        window=window,
        graphs={GRAPH: spec},
        vocabulary=VOCABULARY_FILE,
        special=_special(info, vocabulary),
        quantization=quantization,
        parent=Parent(hashlib.sha256((checkpoint / WEIGHTS).read_bytes()).hexdigest()),
        licences=_licences(data),
        measured=measured,
        settings=dict(settings or {}),
        notice=("" if _is_free(data) else RESEARCH_NOTICE) + CAUTION,
        preprocess=preprocess,
    )
    glosses = json.dumps(vocabulary, indent=0, ensure_ascii=False) + "\n"
    files = {
        GRAPH_FILE: graph,
        VOCABULARY_FILE: glosses.encode(),
        GOLDEN: golden_bytes(_golden(samples, reference, answers)),
    }
    with tempfile.TemporaryDirectory() as folder:  # first where it does no harm
        _refuse_failed(verify_pack(write_pack(Path(folder) / f"pack{SUFFIX}", manifest, files)))
    return write_pack(out, manifest, files)


def _check_exportable(checkpoint: Path, info: Mapping[str, Any]) -> None:
    """ValueError for what is no recogniser; a network knows only the numbers it was trained on."""
    if info["model"] not in EATS:
        raise ValueError(
            f"{checkpoint} is of the model {info['model']!r}, which cannot become a pack; those "
            f"that can: {', '.join(EATS)}"
        )
    if "vocabulary" not in info:
        raise ValueError(f"{checkpoint}: config.json has no vocabulary; train it again")
    trained_on = info.get("preprocess_version", PREPROCESS_VERSION)
    if trained_on != PREPROCESS_VERSION:
        raise ValueError(
            f"{checkpoint} was trained on preprocess_version {trained_on}, this Fingerpost has "
            f"{PREPROCESS_VERSION}; train it again"
        )


def _input_shape(view: str, preprocess: str, window: int) -> tuple[int, ...]:
    """(1, T, K, 4), of what the preprocessing makes of a clip."""
    n_points = len(schema(view))
    nothing = PoseSequence(
        np.zeros((1, n_points, 3), np.float32),
        np.zeros((1, n_points), np.float32),
        FPS,
        schema(view),
    )
    return find_preprocessing(preprocess)(nothing, window).shape


def _special(info: Mapping[str, Any], vocabulary: list[str]) -> dict[str, str]:
    """The class of no sign, if there is one. Without it a pack names signs, but cannot caption."""
    reject = info.get("reject", REJECT)
    return {"reject": reject} if reject in vocabulary else {}


def _graph_spec(shape: tuple[int, ...], n_glosses: int) -> GraphSpec:
    return GraphSpec(
        file=GRAPH_FILE,
        backend=recipe.BACKEND,
        backend_version="ai-edge-litert " + importlib.metadata.version("ai-edge-litert"),
        inputs=(TensorSpec(INPUT, shape, "float32"),),
        outputs=(TensorSpec(OUTPUT, (1, n_glosses), "float32"),),
    )


def _run_eager(model: nn.Module, keypoints: np.ndarray) -> np.ndarray:
    """(N, T, K, 4) to (N, V), one by one as the exported graph does it."""
    with torch.no_grad():
        return np.concatenate([model(torch.from_numpy(k[None])).numpy() for k in keypoints])


def _parity(
    graph: bytes, spec: GraphSpec, samples: Samples, reference: np.ndarray, quantization: str
) -> tuple[list[CheckRow], np.ndarray]:
    """The graph beside the network in PyTorch, and the graph's answers (N, V)."""
    backend = TfliteBackend(graph, spec)
    answers = run_samples(backend.run, spec, {INPUT: samples.keypoints})[OUTPUT]
    backend.close()
    limits = REFERENCE_LIMITS[quantization]
    return compare(GRAPH, OUTPUT, "reference", answers, reference, limits), answers


def _refuse_failed(rows: list[CheckRow]) -> None:
    failed = [f"{r.measure} {r.value:.4g} (limit {r.limit:g})" for r in rows if not r.passed]
    if failed:
        raise ValueError(f"no pack written, the exported graph differs: {'; '.join(failed)}")


def _measure(
    graph: bytes,
    spec: GraphSpec,
    samples: Samples,
    answers: np.ndarray,
    rows: list[CheckRow],
    with_latency: bool,
) -> dict[str, float]:
    """Parity, size, and where they can be had accuracy and time a window."""
    measured = {f"parity: {row.measure}": round(row.value, 6) for row in rows}
    measured |= {"parity: n": len(answers), "size_bytes": len(graph)}
    if samples.label is not None:
        best = np.argsort(-answers, axis=1)[:, :5]
        right = best == samples.label[:, None]
        measured["exported: samples: top1"] = round(float(right[:, 0].mean()), 4)
        measured["exported: samples: top5"] = round(float(right.any(axis=1).mean()), 4)
    if with_latency:
        backend = TfliteBackend(graph, spec)
        window = {INPUT: samples.keypoints[:1]}
        measured["latency_ms"] = round(_median_ms(lambda: backend.run(window)), 3)
        backend.close()
    return measured


def _median_ms(run: Callable[[], object]) -> float:
    times = []
    for _ in range(N_TIMED_RUNS):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1000)
    return float(np.median(times))


def _flat_metrics(metrics: Mapping[str, Any], prefix: str = "float network") -> dict[str, float]:
    """What the trainer measured: {"set": {"top1": 0.7}} to {"float network: set: top1": 0.7}."""
    flat: dict[str, float] = {}
    for key, value in metrics.items():
        name = f"{prefix}: {key}"
        if isinstance(value, Mapping):
            flat |= _flat_metrics(value, name)
        elif isinstance(value, int | float) and np.isfinite(value):
            flat[name] = round(value, 4)
    return flat


def _golden(samples: Samples, reference: np.ndarray, answers: np.ndarray) -> dict[str, np.ndarray]:
    chosen = np.linspace(0, len(answers) - 1, N_GOLDEN).round().astype(int)
    return {
        f"{GRAPH}/inputs/{INPUT}": samples.keypoints[chosen].astype(np.float16),
        f"{GRAPH}/reference/{OUTPUT}": reference[chosen],
        f"{GRAPH}/expected/{OUTPUT}": answers[chosen],
    }


def _is_free(data: Sequence[str]) -> bool:
    return bool(data) and all(source in OWN_DATA for source in data)


def _licences(data: Sequence[str]) -> Licences:
    """Weights are free only if all that they were trained on is known to be."""
    free = _is_free(data)
    return Licences(
        code="Apache-2.0",
        weights="Apache-2.0" if free else "research and non-commercial use only",
        data="; ".join(data) or "unknown",
    )


def _setting(text: str) -> tuple[str, float]:
    key, _, value = text.partition("=")
    number = float(value)
    return key, int(number) if number.is_integer() and "." not in value else number


def main() -> None:
    """The command line: see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("checkpoint", type=Path, help="folder with model.safetensors, config.json")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder, or FILE.fpk")
    parser.add_argument("--sample", type=Path, help=".npz with keypoints (N, T, K, 4) [and label]")
    parser.add_argument("--quantization", choices=QUANTIZATIONS, default="int8")
    parser.add_argument("--name", default="demo", help="of the pack: lower case")
    parser.add_argument("--pack-version", default="1")
    parser.add_argument("--data", action="append", default=[], help="trained on, with its licence")
    parser.add_argument("--set", type=_setting, action="append", default=[], metavar="KEY=NUMBER")
    parser.add_argument("--no-latency", action="store_true", help="for the same bytes every time")
    given = parser.parse_args()
    try:
        pack = export_pack(
            given.checkpoint,
            given.out,
            quantization=given.quantization,
            samples=read_samples(given.sample) if given.sample else None,
            name=given.name,
            version=given.pack_version,
            settings=dict(given.set),
            with_latency=not given.no_latency,
            data=given.data,
        )
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    for key, value in sorted(pack.manifest.measured.items()):
        print(f"{key:40s} {value:g}")
    print(f"{pack.path}: {pack.size_bytes / 1e6:.2f} MB, {len(pack.vocabulary)} glosses")


if __name__ == "__main__":
    main()
