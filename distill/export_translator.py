"""A checkpoint of the pocket translator, as the export sees it.

What a pack says is compared with what the network in PyTorch says by ``generate()``, on clips that
were held back: figures, and how many answers are the very same.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fingerpost.distill.calibrate import fit_temperature
from fingerpost.distill.export_recogniser import VOCABULARY_FILE, json_bytes, languages_of
from fingerpost.distill.judge_pack import translator_answers
from fingerpost.distill.scheme import Calibration
from fingerpost.distill.sensitivity import score_loss
from fingerpost.edge_runtime.backends import Backend
from fingerpost.edge_runtime.manifest import (
    GraphSpec,
    Licences,
    Manifest,
    Parent,
    TensorSpec,
    Translation,
)
from fingerpost.edge_runtime.pack import Pack
from fingerpost.edge_runtime.pack_check import Golden
from fingerpost.edge_runtime.preprocess import PREPROCESS_VERSION
from fingerpost.edge_runtime.translator import Translator
from fingerpost.edge_runtime.translator_check import scores_of_clip
from fingerpost.trainer.evaluate import Answers, answers_to, load_for_answers, main_figures
from fingerpost.trainer.models.pocket_graphs import Graph, clip_graphs_of, graphs_of
from fingerpost.trainer.models.pocket_sizes import STRIDE
from fingerpost.trainer.shards import Clip
from fingerpost.trainer.signer_corpus import make_clip

PIECES_FILE = "pieces.json"
ORDER_FILE = "gloss_order.json"
LIVE_KIND = "live_glosses"  # the answer of the gloss head, among the kinds
N_CALIBRATED = 48  # clips that the ranges of activations are found on
N_RANKED = 16  # clips that the loss of each layer is measured on
N_GOLDEN = 2  # sentences of the rendered signer that go into the pack


class TranslatorSource:
    """checkpoint : of the task pocket_translation; clips : held back, for figures and parity"""

    def __init__(self, checkpoint: Path, clips: Sequence[Clip]) -> None:
        loaded: tuple[Any, Any] = load_for_answers(checkpoint, {"beams": 1})
        self._network, self._task = loaded
        if not self._task.settings.language:
            raise ValueError(
                f"{checkpoint} has learned glosses alone: train its second half, such as with the "
                "recipe conversation_translation, and export that"
            )
        self._clips = list(clips)
        self.graphs = translator_graphs(self._network, self._task.settings)
        self.shared_graphs = clip_graphs_of(self._network)
        self.n_samples, self.has_clips = len(self._clips), True
        self.loss = score_loss(self.graphs, self._network, self._task, self._clips[:N_CALIBRATED])
        self._answers = self._say_eager()
        self.reference = main_figures(self._answers, self._text_language)

    @property
    def files(self) -> dict[str, bytes]:
        """What the pack holds beside its graphs."""
        pairs = self._task.gloss_pairs
        return {
            VOCABULARY_FILE: json_bytes(list(self._task.glosses)),
            PIECES_FILE: json_bytes(pieces_of(self._task.tokenizer)),
            **({ORDER_FILE: json.dumps(pairs).encode()} if pairs else {}),
        }

    def describe(self) -> dict[str, Any]:
        """Fields of the manifest."""
        config = self._network.config
        n_pieces = config.n_pieces
        return {
            "task": "translation",
            "languages": languages_of(self._clips),
            "view": "sign69",
            "preprocess": "live",
            "fps": self._task.settings.fps,
            "window": self.graphs["encode"].example[0].shape[1],
            "vocabulary": VOCABULARY_FILE,
            "special": {},
            "translation": Translation(
                pieces=PIECES_FILE,
                end=self._task.tokenizer.eos_token_id,
                questions={q: n_pieces + i for i, q in enumerate(self._task.questions)},
                look_ahead=config.look_ahead,
                max_frames=self._task.settings.max_frames,
                gloss_order=ORDER_FILE if self._task.gloss_pairs else "",
            ),
        }

    def calibration(self) -> Calibration:
        """Inputs of every graph, as clips of the corpus make them."""
        recorded: dict[str, list[tuple[torch.Tensor, ...]]] = {name: [] for name in self.graphs}
        translator = self._eager_translator(recorded)
        for clip in self._clips[:N_CALIBRATED]:
            translator.translate(clip.sequence)
        return recorded

    def judge(self, pack: Pack) -> dict[str, float]:
        """Figures of the pack on the clips, in percent, and "same answers" as the network gives."""
        translator = Translator(pack)
        try:
            said = translator_answers(translator, self._clips)
        finally:
            translator.close()
        return self._judged(said)

    def judge_eager(self) -> dict[str, float]:
        """The same of the network as it is at this moment."""
        return self._judged(self._say_eager())

    def judge_graphs(self) -> dict[str, float]:
        """The same of the graphs in PyTorch, step by step as a device runs them."""
        return self._judged(translator_answers(self._eager_translator(), self._clips))

    def _judged(self, said: Answers) -> dict[str, float]:
        return {**main_figures(said, self._text_language), "same answers": self._same(said)}

    def temperature(self, pack: Pack | None) -> float | None:
        """Fitted on the clips; None where they cannot tell.

        pack : None where no machine here can run it: then that of the network
        """
        translator = Translator(pack) if pack is not None else self._eager_translator()
        try:
            return fit_temperature(translator, self._clips)
        finally:
            translator.close()

    def golden(self, pack: Pack | None) -> Golden:
        """Sentences of the rendered signer, with the network's scores and those of the pack.

        pack : None where no machine here can run it
        """
        arrays: dict[str, np.ndarray] = {}
        eager = self._eager_translator()
        translator = Translator(pack) if pack is not None else None
        for i in range(N_GOLDEN):
            # Only how it moves: what it means there, a pack of another language does not know.
            keypoints = eager.keypoints_of(make_clip("val", i).sequence).astype(np.float16)
            tokens: dict[str, np.ndarray] = {}
            sentence = (translator or eager).begin()
            sentence.push_keypoints(keypoints.astype(np.float32))
            for question in self._task.questions:
                tokens[question] = np.array(sentence.answer(question).tokens, np.int32)
            arrays[f"clip_{i}/keypoints"] = keypoints
            arrays |= {f"clip_{i}/tokens/{question}": said for question, said in tokens.items()}
            for against, who in (("reference", eager), ("expected", translator)):
                if who is not None:
                    scores = scores_of_clip(who, keypoints, tokens)
                    arrays |= {f"clip_{i}/{against}/{name}": row for name, row in scores.items()}
        if translator is not None:
            translator.close()
        return arrays

    def _eager_translator(
        self, recorded: dict[str, list[tuple[torch.Tensor, ...]]] | None = None
    ) -> Translator:
        backends: dict[str, Backend] = {
            name: EagerBackend(graph, None if recorded is None else recorded[name])
            for name, graph in self.graphs.items()
        }
        return Translator(self._as_if_packed(), backends)  # type: ignore[arg-type]

    def _as_if_packed(self) -> "InMemory":
        manifest = Manifest(
            name="eager",
            version="0",
            graphs={name: specs_of(graph) for name, graph in self.graphs.items()},
            preprocess_version=PREPROCESS_VERSION,
            quantization="none",
            parent=Parent(""),
            licences=Licences("", "", ""),
            measured={},
            **self.describe(),
        )
        return InMemory(manifest, tuple(self._task.glosses), self.files)

    @property
    def _text_language(self) -> str:
        return next((c.text_language for c in self._clips if c.text_language), "")

    def _say_eager(self) -> Answers:
        """What ``generate()`` says of the clips, by kind."""
        return answers_to(self._network, self._task, self._clips)

    def _same(self, said: Answers) -> float:
        """Percent of the decoder's answers that are the network's own, word for word."""
        same = []
        for kind in said.keys() - {LIVE_KIND}:
            wanted = {one.id: one.said for one in self._answers[kind]}
            same += [wanted[one.id] == one.said for one in said[kind]]
        return 100 * float(np.mean(same))


def translator_graphs(network: Any, settings: Any) -> dict[str, Graph]:
    """What a device runs of a network. settings : of its task"""
    return graphs_of(network, -(-settings.max_frames // STRIDE), settings.max_tokens)


@dataclass(frozen=True)
class InMemory:
    """As much of a pack as a translator needs, of a network that is in none yet."""

    manifest: Manifest
    vocabulary: tuple[str, ...]
    files: dict[str, bytes]

    def read(self, name: str) -> bytes:
        return self.files[name]


class EagerBackend:
    """A graph in PyTorch, as edge_runtime runs graphs; what it is given can be kept."""

    def __init__(self, graph: Graph, recorded: list[tuple[torch.Tensor, ...]] | None) -> None:
        self._graph, self._recorded = graph, recorded

    def run(self, inputs: Any) -> dict[str, np.ndarray]:
        given = tuple(torch.from_numpy(np.ascontiguousarray(inputs[n])) for n in self._graph.inputs)
        if self._recorded is not None:
            self._recorded.append(given)
        with torch.no_grad():
            found = self._graph.module(*given)
        found = (found,) if isinstance(found, torch.Tensor) else found
        return {n: t.numpy() for n, t in zip(self._graph.outputs, found, strict=True)}

    def close(self) -> None:
        """There is nothing to free."""


def pieces_of(tokenizer: Any) -> list[str]:
    """Of each token what it adds to a text; nothing for those that are no text."""
    special = set(tokenizer.all_special_ids)
    tokens = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    return ["" if i in special else token for i, token in enumerate(tokens)]


def specs_of(graph: Graph) -> GraphSpec:
    """What a graph takes and gives in PyTorch."""
    with torch.no_grad():
        found = graph.module(*graph.example)
    found = (found,) if isinstance(found, torch.Tensor) else tuple(found)
    given = {n: _spec(n, t) for n, t in zip(graph.inputs, graph.example, strict=True)}
    made = {n: _spec(n, t) for n, t in zip(graph.outputs, found, strict=True)}
    return GraphSpec(
        file="none",
        backend="eager",
        backend_version=torch.__version__,
        inputs=tuple(spec for name, spec in given.items() if name not in made),
        outputs=tuple(spec for name, spec in made.items() if name not in given),
        state=tuple(spec for name, spec in given.items() if name in made),
    )


def _spec(name: str, tensor: torch.Tensor) -> TensorSpec:
    return TensorSpec(name, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
