"""A translation pack with several experts: all of them look at the start of a sentence, then k do.

    translator = ExpertTranslator(open_pack(path))
    translator.translate(clip).answers["French"]
    sentence = translator.sentence("French", translator.keypoints_of(clip))
    sentence.choice                 # who was listened to, and how much
    sentence.readings("French")     # as of any other Sentence

"SIGNET: Motion-Level Knowledge Transfer for Cross-Language Sign Language Translation" (Asasi,
Mercanoglu Sincan, Bowden), Sec. 3.4 to 3.6. Where a device departs from the paper:

- the paper takes its priors from the whole clip, by every expert. Here the first ``decide_frames``
  decide, once a sentence, and only the k that are chosen see the rest. A sentence that is no longer
  is decided as in the paper;
- graphs have a fixed number of frames. A sentence is read in windows that overlap: an expert hears
  ``margin`` frames to either side of one, so what is taken of a window is as if it had seen all.
  Where the sentence ends, its last frame is held for as long, as in training.

A clip is read when it has ended: ``preprocess_uni_sign`` places all of it in one square.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fingerpost.edge_runtime.backends import Backend, load_backends
from fingerpost.edge_runtime.expert_routing import Adapters, Choice, read_adapters
from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.edge_runtime.manifest import Experts, Manifest
from fingerpost.edge_runtime.preprocess_uni_sign import preprocess_uni_sign
from fingerpost.edge_runtime.resample import resample
from fingerpost.edge_runtime.translator import (
    Sentence,
    Translated,
    Translator,
    kept_frames,
    read_pieces,
)

if TYPE_CHECKING:
    from fingerpost.edge_runtime.pack import Pack

EATS = "uni_sign"  # the manifest's name for ``preprocess_uni_sign`` of a whole clip
READS = ("read", "decode_step")  # the graphs beside the experts'


class Window(NamedTuple):
    """start : its first frame; low, high : from and to which frame its features are taken"""

    start: int
    low: int
    high: int


class ExpertTranslator(Translator):
    """The graphs of a pack with experts, ready to run. ValueError where the pack has none.

    backends : what runs the graphs, by graph; by default what the manifest names
    k : experts that are listened to; by default what the manifest says
    """

    def __init__(
        self, pack: "Pack", backends: Mapping[str, Backend] | None = None, k: int | None = None
    ) -> None:
        manifest = pack.manifest
        if manifest.experts is None or manifest.translation is None:
            raise ValueError(f"pack {manifest.name} has no experts: open it as any other")
        self.experts: Experts = manifest.experts
        self.k = self.experts.k if k is None else k
        if not 1 <= self.k <= len(self.experts.names):
            raise ValueError(f"k is from 1 to {len(self.experts.names)} experts, got {self.k}")
        graphs = (*map(self.experts.graph, self.experts.names), *READS)
        _check_graphs(manifest, graphs)
        self.glosses = pack.vocabulary
        self.fps = manifest.fps
        self.words = manifest.translation
        self.pieces = read_pieces(pack.read(self.words.pieces))
        self.gloss_order = self.signing_judge = None
        self._backends = dict(backends or load_backends(pack, graphs))
        self._specs = {
            graph: {t.name: t for t in (*spec.inputs, *spec.state)}
            for graph, spec in manifest.graphs.items()
        }
        self._state = {
            graph: {t.name: np.zeros(t.shape, t.dtype) for t in manifest.graphs[graph].state}
            for graph in graphs
        }
        self.frames_shape = self._specs[graphs[0]]["keypoints"].shape[1:]  # (W, 69, 3)
        self.step = self.frames_shape[0]  # frames of a window
        self.n_latents, self.latent_width = self._specs["read"]["latents"].shape[1:]
        self.max_tokens = self._specs["decode_step"]["keys"].shape[3]
        self.adapters = read_all_adapters(manifest, pack.read)

    def keypoints_of(self, clip: PoseSequence) -> np.ndarray:
        """(T, 69, 3) of ``preprocess_uni_sign``, at the pack's frame rate, stride and length."""
        if clip.fps != self.fps:
            clip = resample(clip, self.fps)
        stride = self.experts.stride
        keypoints = preprocess_uni_sign(clip)
        keypoints = keypoints[kept_frames(len(keypoints), self.words.max_frames * stride)]
        return keypoints[min(stride // 2, len(keypoints) - 1) :: stride]

    def begin(self) -> Sentence:
        """ValueError: experts are chosen by a language, and read what has ended."""
        raise ValueError("a pack with experts reads whole sentences: use sentence() or translate()")

    def sentence(self, question: str, keypoints: np.ndarray) -> "ExpertSentence":
        """A sentence that has ended. keypoints : (T, 69, 3), of ``keypoints_of``"""
        return ExpertSentence(self, question, Sight(self, keypoints))

    def translate(self, clip: PoseSequence, questions: Sequence[str] | None = None) -> Translated:
        """A whole clip as one sentence; there are no glosses. questions : by default all"""
        sight = Sight(self, self.keypoints_of(clip))  # one, so that no expert looks twice
        asked = self.questions if questions is None else questions
        answers = {q: ExpertSentence(self, q, sight).answer(q) for q in asked}
        return Translated((), answers)


class Sight:
    """What experts see of one sentence. None looks at a window twice.

    keypoints : (T, 69, 3)
    """

    def __init__(self, translator: ExpertTranslator, keypoints: np.ndarray) -> None:
        if len(keypoints) == 0:
            raise ValueError("the sentence has no frames: give a clip with at least one")
        if keypoints.shape[1:] != translator.frames_shape[1:]:
            raise ValueError(
                f"expected keypoints (T, {', '.join(map(str, translator.frames_shape[1:]))}), got "
                f"{keypoints.shape}"
            )
        self._of, self._keypoints = translator, keypoints
        self._windows = held_windows(len(keypoints), translator.step, translator.experts.margin)
        self._seen: dict[tuple[str, int], tuple[np.ndarray, np.ndarray]] = {}
        self.n_runs = 0  # of experts' graphs so far

    def __len__(self) -> int:
        return len(self._keypoints)

    def priors(self, n_frames: int) -> np.ndarray:
        """The mean prior of each expert over the first frames, (N, P) (Eq. 4)."""
        names = self._of.experts.names
        return np.stack([self._parts(name, n_frames)[1][:n_frames].mean(axis=0) for name in names])

    def frames(self, name: str) -> np.ndarray:
        """All frames of an expert, (T, E)."""
        return self._parts(name, len(self))[0]

    def _parts(self, name: str, n_frames: int) -> tuple[np.ndarray, np.ndarray]:
        """Frames and priors, of the windows that the first n_frames are in."""
        needed = [i for i, window in enumerate(self._windows) if window.low < n_frames]
        frames, priors = zip(*(self._look(name, i) for i in needed), strict=True)
        return np.concatenate(frames), np.concatenate(priors)

    def _look(self, name: str, number: int) -> tuple[np.ndarray, np.ndarray]:
        if (name, number) not in self._seen:
            start, low, high = self._windows[number]
            shown = self._keypoints[start : start + self._of.step]
            if len(shown) < self._of.step:  # the sentence holds its last frame, as in training
                held = np.broadcast_to(shown[-1:], (self._of.step - len(shown), *shown.shape[1:]))
                shown = np.concatenate([shown, held])
            out = self._of.run(self._of.experts.graph(name), {"keypoints": shown[None]})
            part = slice(low - start, high - start)
            self._seen[name, number] = out["frames"][0, part], out["priors"][0, part]
            self.n_runs += 1
        return self._seen[name, number]


class ExpertSentence(Sentence):
    """A sentence that has ended, as the chosen experts see it; asked as any other.

    choice : who is listened to
    """

    def __init__(self, translator: ExpertTranslator, question: str, sight: Sight) -> None:
        if question not in translator.adapters:
            known = ", ".join(translator.adapters)
            raise ValueError(f"cannot answer in {question!r}; known: {known}")
        self._of = translator
        self.question, self.n_frames = question, len(sight)
        self.scores, self.states = [], []  # there are no glosses
        adapters = translator.adapters[question]
        n_first = min(len(sight), translator.experts.decide_frames)
        places = [translator.experts.names.index(name) for name in adapters.names]
        self.choice: Choice = adapters.choose(sight.priors(n_first)[places], translator.k)
        fused = np.zeros((len(sight), translator.latent_width), np.float32)
        for name, share in zip(*self.choice, strict=True):  # Eq. 8
            fused += share * adapters.adapted(name, sight.frames(name))
        self.fused = fused
        self._latents = [*adapters.prompt, *fused]
        self._read: dict[str, np.ndarray] | None = self._read_latents()

    def push_keypoints(self, keypoints: np.ndarray) -> list[str]:
        """ValueError: it has ended."""
        raise ValueError("the sentence has ended: begin another")

    def end(self) -> list[str]:
        """It has; there are no glosses."""
        return []

    def _first(self, question: str) -> int:
        if question != self.question:
            raise ValueError(f"the sentence was read for {self.question!r}, not for {question!r}")
        return super()._first(question)


def open_translator(pack: "Pack") -> Translator:
    """What runs a translation pack, with experts or without."""
    return Translator(pack) if pack.manifest.experts is None else ExpertTranslator(pack)


def windows(n_frames: int, width: int, margin: int) -> list[Window]:
    """Windows of `width` frames over a sentence: each frame is taken of one of them.

    Between frames that are taken and a window's edge there are at least `margin`, but at the
    sentence's own ends. The last window ends with the sentence; only one that is alone may be
    longer than it. ValueError for a width that leaves nothing between its margins.
    """
    if width <= 2 * margin:
        raise ValueError(f"a window of {width} frames has no room between margins of {margin}")
    found: list[Window] = []
    low = 0
    while True:
        start = max(low - margin, 0)
        if start + width >= n_frames:
            return [*found, Window(max(n_frames - width, 0), low, n_frames)]
        found.append(Window(start, low, start + width - margin))
        low = start + width - margin


def held_windows(n_frames: int, width: int, margin: int) -> list[Window]:
    """As ``windows``, of a sentence that holds its last frame for `margin` frames after its end."""
    longer = windows(n_frames + margin, width, margin)
    return [window._replace(high=min(window.high, n_frames)) for window in longer]


def read_all_adapters(manifest: Manifest, read: Callable[[str], bytes]) -> dict[str, Adapters]:
    """Of each question of a pack with experts; ValueError where they do not fit its graphs.

    read : the bytes of a file of the pack
    """
    experts, words = manifest.experts, manifest.translation
    assert experts is not None and words is not None
    graph = manifest.graphs[experts.graph(experts.names[0])]
    (prior_width,) = (t.shape[-1] for t in graph.outputs if t.name == "priors")
    (shape,) = (t.shape for t in manifest.graphs["read"].inputs if t.name == "latents")
    found = {}
    for question, file in experts.adapters.items():
        one = read_adapters(read(file), experts.names, shape[2], prior_width, file)
        room = shape[1] - words.max_frames
        if len(one.prompt) > room:
            raise ValueError(
                f"the prompt for {question} has {len(one.prompt)} tokens, the pack has room for "
                f"{room}: it was made for another"
            )
        found[question] = one
    return found


def _check_graphs(manifest: Manifest, graphs: Sequence[str]) -> None:
    """ValueError for a graph that is missing, or an expert's without the outputs of one."""
    missing = [graph for graph in graphs if graph not in manifest.graphs]
    if missing:
        raise ValueError(f"pack {manifest.name} has no graph {missing[0]!r}: export it again")
    for graph in graphs:
        if graph not in READS:
            outputs = {t.name for t in manifest.graphs[graph].outputs}
            if outputs != {"frames", "priors"}:
                raise ValueError(f"graph {graph!r} gives {sorted(outputs)}, not frames and priors")
