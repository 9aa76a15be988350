"""A checkpoint that names single signs, as the export sees it.

A pack's scores are compared with those of the network in PyTorch, window by window. With held-out
clips the pack is also run on these whole, as a device does it, and so is the network.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fingerpost.distill.compare_pack import pack_answers
from fingerpost.distill.samples import INPUT, Samples, check_samples, signer_samples
from fingerpost.distill.scheme import Calibration
from fingerpost.edge_runtime.backends import load_backend
from fingerpost.edge_runtime.keypoints import PoseSequence, schema
from fingerpost.edge_runtime.pack import Pack
from fingerpost.edge_runtime.pack_check import Golden, run_samples
from fingerpost.edge_runtime.preprocess import PREPROCESS_VERSION
from fingerpost.edge_runtime.preprocessings import OF_HANDS, find_preprocessing
from fingerpost.edge_runtime.recogniser import GRAPH
from fingerpost.trainer.checkpoint import load_checkpoint
from fingerpost.trainer.evaluate import answers_to, load_for_answers
from fingerpost.trainer.evaluation import evaluate_predictions
from fingerpost.trainer.models.pocket_graphs import Graph
from fingerpost.trainer.predictions import Prediction
from fingerpost.trainer.recogniser_data import REJECT
from fingerpost.trainer.shards import Clip

OUTPUT = "logits"
VOCABULARY_FILE = "vocabulary.json"
EATS = {  # model of MODELS: the view and the preprocessing that its graph eats
    "pocket": ("sign69", "sign"),
    "ms_mae_classifier": ("msmae", "ms_mae"),
}
FPS = 25.0  # that keypoints are resampled to before a window is cut
N_GOLDEN = 12  # samples that go into the pack
BATCH = 32
UNDETERMINED = "und"  # BCP 47 for a language that nobody has named


class RecogniserSource:
    """checkpoint : its folder
    samples : what parity is measured on; by default signs of the rendered signer
    clips : held back, for figures; without them there are those of the samples' labels
    """

    def __init__(
        self, checkpoint: Path, samples: Samples | None = None, clips: Sequence[Clip] = ()
    ) -> None:
        self._network, self._info, _ = load_checkpoint(checkpoint)
        _check_exportable(checkpoint, self._info)
        self._view, self._preprocess = _eats(self._info)
        self.vocabulary = list(self._info["vocabulary"])
        self._window = int(self._info["config"]["window"])
        shape = _input_shape(self._view, self._preprocess, self._window)
        self._samples = samples or signer_samples(
            self.vocabulary, self._window, self._view, self._preprocess
        )
        check_samples(self._samples, shape, N_GOLDEN)
        self._clips = list(clips)
        self._task: Any = load_for_answers(checkpoint, {})[1] if clips else None
        self.graphs = recogniser_graphs(self._network.eval(), self._info)
        self.shared_graphs: dict[str, Graph] = {}
        self.scores = self._run_eager()
        self.n_samples, self.has_clips = len(self._clips) or len(self.scores), bool(clips)
        self.reference = self._figures_of(self.scores) | self._figures_of_clips()

    @property
    def files(self) -> dict[str, bytes]:
        """What the pack holds beside its graph."""
        return {VOCABULARY_FILE: json_bytes(self.vocabulary)}

    def describe(self) -> dict[str, Any]:
        """Fields of the manifest."""
        return {
            "task": "isolated-signs",
            "languages": languages_of(self._clips),
            "view": self._view,
            "preprocess": self._preprocess,
            "fps": FPS,
            "window": self._window,
            "vocabulary": VOCABULARY_FILE,
            "special": _special(self._info, self.vocabulary),
        }

    def calibration(self) -> Calibration:
        """The samples as the graph takes them."""
        windows = torch.from_numpy(self._samples.keypoints)
        return {GRAPH: [(window[None],) for window in windows]}

    def temperature(self, pack: Pack | None) -> float | None:
        """There are no sentences whose scores could be told."""
        return None

    def answers(self, pack: Pack) -> np.ndarray:
        """Scores (N, V) of the samples."""
        backend = load_backend(pack, GRAPH)
        try:
            spec = pack.manifest.graphs[GRAPH]
            return run_samples(backend.run, spec, {INPUT: self._samples.keypoints})[OUTPUT]
        finally:
            backend.close()

    def judge(self, pack: Pack) -> dict[str, float]:
        """Figures of the pack in percent, and "same answers" as the network gives."""
        scores = self.answers(pack)
        same = scores.argmax(axis=1) == self.scores.argmax(axis=1)
        figures = self._figures_of(scores) | {"same answers": 100 * float(same.mean())}
        if self._clips:
            figures |= _figures(pack_answers(pack, self._clips))
        return figures

    def judge_eager(self) -> dict[str, float]:
        """The same of the network as it is in PyTorch at this moment."""
        scores = self._run_eager()
        same = scores.argmax(axis=1) == self.scores.argmax(axis=1)
        figures = self._figures_of(scores) | {"same answers": 100 * float(same.mean())}
        return figures | self._figures_of_clips()

    def loss(self) -> float:
        """How far the network, as it is at this moment, is from what it was: the mean divergence.

        Kullback and Leibler's, of the glosses' probabilities; so samples need no labels.
        """
        was = torch.from_numpy(self.scores).log_softmax(dim=-1)
        now = torch.from_numpy(self._run_eager()).log_softmax(dim=-1)
        return float((was.exp() * (was - now)).sum(dim=-1).mean())

    def golden(self, pack: Pack | None) -> Golden:
        """Some of the samples, with the network's scores and those of the pack."""
        chosen = np.linspace(0, len(self.scores) - 1, N_GOLDEN).round().astype(int)
        golden = {
            f"{GRAPH}/inputs/{INPUT}": self._samples.keypoints[chosen].astype(np.float16),
            f"{GRAPH}/reference/{OUTPUT}": self.scores[chosen],
        }
        if pack is not None:
            golden[f"{GRAPH}/expected/{OUTPUT}"] = self.answers(pack)[chosen]
        return golden

    def _run_eager(self) -> np.ndarray:
        """(N, V), one by one as the exported graph does it."""
        with torch.no_grad():
            return np.concatenate(
                [
                    self._network(torch.from_numpy(window[None])).numpy()
                    for window in self._samples.keypoints
                ]
            )

    def _figures_of(self, scores: np.ndarray) -> dict[str, float]:
        """Of the samples, where they have labels."""
        if self._samples.label is None:
            return {}
        right = np.argsort(-scores, axis=1)[:, :5] == self._samples.label[:, None]
        return {
            "samples.top1": 100 * float(right[:, 0].mean()),
            "samples.top5": 100 * float(right.any(axis=1).mean()),
        }

    def _figures_of_clips(self) -> dict[str, float]:
        """What the network itself reaches on the clips."""
        if not self._clips:
            return {}
        return _figures(answers_to(self._network, self._task, self._clips, BATCH)["isolated"])


def recogniser_graphs(network: Any, info: Mapping[str, Any]) -> dict[str, Graph]:
    """What a device runs of a network. info : of its config.json"""
    shape = _input_shape(*_eats(info), int(info["config"]["window"]))
    return {GRAPH: Graph(network, (torch.zeros(shape),), (INPUT,), (OUTPUT,))}


def languages_of(clips: Sequence[Clip]) -> tuple[str, ...]:
    """The sign languages of clips, as a manifest names them; UNDETERMINED where none is known."""
    return tuple(sorted({clip.language for clip in clips if clip.language})) or (UNDETERMINED,)


def json_bytes(texts: Sequence[str]) -> bytes:
    """A list of texts, such as glosses, as the file of a pack."""
    return (json.dumps(list(texts), indent=0, ensure_ascii=False) + "\n").encode()


def _figures(said: Sequence[Prediction]) -> dict[str, float]:
    figures = evaluate_predictions("isolated", said, n_resamples=0).figures
    return {f"isolated.{name}": figures[name].value for name in ("top1", "top5")}


def _check_exportable(checkpoint: Path, info: Mapping[str, Any]) -> None:
    """ValueError for what is no recogniser; a network knows only the numbers it was trained on."""
    if "vocabulary" not in info:
        raise ValueError(f"{checkpoint}: config.json has no vocabulary; train it again")
    trained_on = info.get("preprocess_version", PREPROCESS_VERSION)
    if trained_on != PREPROCESS_VERSION:
        raise ValueError(
            f"{checkpoint} was trained on preprocess_version {trained_on}, this Fingerpost has "
            f"{PREPROCESS_VERSION}; train it again"
        )


def _eats(info: Mapping[str, Any]) -> tuple[str, str]:
    """The view and the preprocessing of a checkpoint's graph. info : of its config.json"""
    view, name = EATS[info["model"]]
    return view, name + (OF_HANDS if info.get("settings", {}).get("hands_only") else "")


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
