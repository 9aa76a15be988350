"""A checkpoint of SIGNET, as the export sees it; and a further language as a small file.

"SIGNET: Motion-Level Knowledge Transfer for Cross-Language Sign Language Translation". What a pack
says is compared with what the network in PyTorch says by ``generate()``, on clips that were held
back. The two differ where a sentence is longer than what a device decides by (edge_runtime/
experts.py): ``decide_frames`` of ``ExpertsSource`` says how much is looked at.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fingerpost.distill.export_graphs_of_experts import (
    MARGIN,
    PROMPT_ROOM,
    WINDOW,
    adapters_of,
    expert_graphs,
)
from fingerpost.distill.export_recogniser import VOCABULARY_FILE, json_bytes, languages_of
from fingerpost.distill.export_translator import EagerBackend, InMemory, pieces_of, specs_of
from fingerpost.distill.judge_pack import translator_answers
from fingerpost.distill.scheme import Calibration
from fingerpost.distill.sensitivity import score_loss
from fingerpost.edge_runtime.backends import Backend
from fingerpost.edge_runtime.expert_adapters import FOLDER, AdapterAbout, write_adapter_file
from fingerpost.edge_runtime.expert_routing import Adapters, adapters_bytes
from fingerpost.edge_runtime.experts import EATS, ExpertTranslator
from fingerpost.edge_runtime.experts_check import seen_of_clip
from fingerpost.edge_runtime.manifest import (
    Experts,
    Licences,
    Manifest,
    Parent,
    Translation,
)
from fingerpost.edge_runtime.pack import Pack
from fingerpost.edge_runtime.pack_check import Golden
from fingerpost.edge_runtime.preprocess import PREPROCESS_VERSION
from fingerpost.trainer.evaluate import Answers, answers_to, load_for_answers, main_figures
from fingerpost.trainer.experts import hash_of_expert
from fingerpost.trainer.language_names import language_name
from fingerpost.trainer.models.pocket_graphs import Graph
from fingerpost.trainer.models.signet import Signet
from fingerpost.trainer.models.signet_routing import PRIORS
from fingerpost.trainer.shards import Clip
from fingerpost.trainer.signer_corpus import make_clip

PIECES_FILE = "pieces.json"
DECIDE_FRAMES = WINDOW - MARGIN  # as many as one window tells
N_CALIBRATED, N_RANKED, N_GOLDEN = 48, 16, 2  # clips, as of a pocket translator


class ExpertsSource:
    """checkpoint : of the task signet; clips : held back, for figures and parity
    decide_frames : of a sentence, that the device chooses experts by
    """

    def __init__(
        self, checkpoint: Path, clips: Sequence[Clip], decide_frames: int = DECIDE_FRAMES
    ) -> None:
        loaded: tuple[Any, Any] = load_for_answers(checkpoint, {"beams": 1})
        self._network, self._task = loaded
        self._clips = list(clips)
        self._decide_frames = decide_frames
        self.question = _question(checkpoint, self._task.settings, self._clips)
        self.graphs = experts_graphs(self._network, self._task.settings)
        self.shared_graphs: dict[str, Graph] = {}
        self.n_samples, self.has_clips = len(self._clips), True
        self._loss: Callable[[], float] | None = None
        self._answers = self._say_eager()
        self.reference = main_figures(self._answers, self._text_language)

    def loss(self) -> float:
        """As ``score_loss``, which looks at the network as it is when this is asked for first."""
        if self._loss is None:
            self._loss = score_loss(self.graphs, self._network, self._task, self._clips[:N_RANKED])
        return self._loss()

    @property
    def files(self) -> dict[str, bytes]:
        """What the pack holds beside its graphs."""
        return {
            VOCABULARY_FILE: json_bytes([]),  # its language model writes pieces, and no glosses
            PIECES_FILE: json_bytes(pieces_of(self._task.tokenizer)),
            self._adapter_file: adapters_bytes(self.adapters),
        }

    @property
    def adapters(self) -> Adapters:
        """What its language has of its own."""
        prompt = self._task.prompts([_prompt_of(self._task.settings, self.question)])
        return adapters_of(self._network, prompt.ids)

    def describe(self) -> dict[str, Any]:
        """Fields of the manifest."""
        settings, config = self._task.settings, self._network.config
        start = self._network.language_model.config.decoder_start_token_id
        return {
            "task": "translation",
            "languages": languages_of(self._clips),
            "view": "sign69",
            "preprocess": EATS,
            "fps": settings.fps or self._clips[0].sequence.fps,
            "window": WINDOW,
            "vocabulary": VOCABULARY_FILE,
            "special": {},
            "translation": Translation(
                pieces=PIECES_FILE,
                end=self._task.tokenizer.eos_token_id,
                questions={self.question: start},
                look_ahead=0,
                max_frames=settings.max_frames,
            ),
            "experts": Experts(
                names=config.names,
                weights=hashes_of_experts(self._network),
                reader=hash_of_reader(self._network),
                k=config.k if config.fusion == "gated" else len(config.names),
                decide_frames=self._decide_frames,
                margin=MARGIN,
                adapters={self.question: self._adapter_file},
                stride=settings.stride,
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
        translator = ExpertTranslator(pack)
        try:
            return self._judged(translator_answers(translator, self._clips))
        finally:
            translator.close()

    def judge_eager(self) -> dict[str, float]:
        """The same of the network as it is at this moment."""
        return self._judged(self._say_eager())

    def judge_graphs(self) -> dict[str, float]:
        """The same of the graphs in PyTorch, window by window as a device runs them."""
        return self._judged(translator_answers(self._eager_translator(), self._clips))

    def temperature(self, pack: Pack | None) -> float | None:
        """None: the chances of answers are not calibrated yet."""
        return None

    def golden(self, pack: Pack | None) -> Golden:
        """Sentences of the rendered signer, with what the network and the pack make of them.

        pack : None where no machine here can run it
        """
        arrays: dict[str, np.ndarray] = {}
        eager = self._eager_translator()
        translator = ExpertTranslator(pack) if pack is not None else None
        for i in range(N_GOLDEN):
            # Only how it moves: what it means there, a pack of another language does not know.
            keypoints = eager.keypoints_of(make_clip("val", i).sequence).astype(np.float16)
            sentence = (translator or eager).sentence(self.question, keypoints.astype(np.float32))
            said = np.array(sentence.answer(self.question).tokens, np.int32)
            arrays[f"clip_{i}/keypoints"] = keypoints
            arrays[f"clip_{i}/tokens/{self.question}"] = said
            for against, who in (("reference", eager), ("expected", translator)):
                if who is not None:
                    seen = seen_of_clip(who, keypoints, {self.question: said})
                    arrays |= {f"clip_{i}/{against}/{name}": row for name, row in seen.items()}
        if translator is not None:
            translator.close()
        return arrays

    @property
    def _adapter_file(self) -> str:
        return f"{FOLDER}/own.npz"

    def _judged(self, said: Answers) -> dict[str, float]:
        figures = main_figures(said, self._text_language)
        wanted = {one.id: one.said for one in self._answers["text"]}
        same = [wanted[one.id] == one.said for one in said["text"]]
        return {**figures, "same answers": 100 * float(np.mean(same))}

    def _eager_translator(
        self, recorded: dict[str, list[tuple[torch.Tensor, ...]]] | None = None
    ) -> ExpertTranslator:
        backends: dict[str, Backend] = {
            name: EagerBackend(graph, None if recorded is None else recorded[name])
            for name, graph in self.graphs.items()
        }
        return ExpertTranslator(self._as_if_packed(), backends)  # type: ignore[arg-type]

    def _as_if_packed(self) -> InMemory:
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
        return InMemory(manifest, (), self.files)

    @property
    def _text_language(self) -> str:
        return next((c.text_language for c in self._clips if c.text_language), "")

    def _say_eager(self) -> Answers:
        """What ``generate()`` says of the clips, one by one: in a batch, an expert also hears what
        fills a shorter clip up."""
        said = answers_to(self._network, self._task, self._clips, batch=1)
        return {"text": said["text"]}


def experts_graphs(network: Signet, settings: Any) -> dict[str, Any]:
    """What a device runs of a network. settings : of its task"""
    return expert_graphs(network, settings.max_frames, settings.max_tokens)


def export_adapter(
    checkpoint: Path, out: Path, languages: Sequence[str], code: str, data: Sequence[str]
) -> AdapterAbout:
    """The adapters, the router and the prompt of a checkpoint as a file for packs of its experts.

    languages : sign languages, as in a pack's manifest
    code : of the language that it writes, such as fr
    data : what it was trained on, with its licence

    ValueError for a checkpoint of another task, and for a prompt that is too long.
    """
    loaded: tuple[Any, Any] = load_for_answers(checkpoint, {})
    network, task = loaded
    if not isinstance(network, Signet):
        raise ValueError(f"{checkpoint} is no SIGNET: only its adapters are a file of their own")
    if network.config.fusion == "concat":
        raise ValueError("fusion concat listens to all experts at once: no pack can; use gated")
    question = language_name(code)
    adapters = adapters_of(network, task.prompts([_prompt_of(task.settings, question)]).ids)
    if len(adapters.prompt) > PROMPT_ROOM:
        raise ValueError(
            f"the prompt has {len(adapters.prompt)} tokens, a pack takes {PROMPT_ROOM}"
        )
    expert = network.poses.encoders[0]
    width_of_group = tuple(network.config.experts[0]["pose_widths"])[-1]
    about = AdapterAbout(
        question=question,
        start=network.language_model.config.decoder_start_token_id,
        languages=tuple(languages),
        experts=hashes_of_experts(network),
        reader=hash_of_reader(network),
        width=expert.projection.out_features,
        prior_width=len(PRIORS[network.config.priors]) * width_of_group,
        licences={"code": "", "weights": "", "data": "; ".join(data)},
    )
    write_adapter_file(out, about, adapters)
    return about


def hashes_of_experts(network: Signet) -> dict[str, str]:
    """By name; what ``trainer.experts.hash_of_expert`` says of each."""
    pairs = zip(network.config.names, network.poses.encoders, strict=True)
    return {name: hash_of_expert(encoder) for name, encoder in pairs}


def hash_of_reader(network: Signet) -> str:
    """Of the language model's weights; hexadecimal."""
    made = hashlib.sha256()
    for name, tensor in sorted(network.language_model.state_dict().items()):
        made.update(f"{name} {tuple(tensor.shape)}".encode())
        made.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return made.hexdigest()


def _question(checkpoint: Path, settings: Any, clips: Sequence[Clip]) -> str:
    """What the pack can be asked for: the language of the clips' texts."""
    if "text" not in settings.asks:
        raise ValueError(
            f"{checkpoint} was not asked for text; a pack with experts writes sentences"
        )
    codes = sorted({clip.text_language for clip in clips if clip.text})
    if len(codes) != 1:
        raise ValueError(
            f"the clips that were held back are in {', '.join(codes) or 'no language'}; give some "
            "in the one language that the pack is to write"
        )
    return language_name(codes[0])


def _prompt_of(settings: Any, question: str) -> str:
    """What the prompt says for a question: as ``trainer.tasks.translation`` asks for text."""
    return settings.prompts.get("text", question)
