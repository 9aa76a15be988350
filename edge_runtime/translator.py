"""A translation pack at work: signing to glosses at once, and to a sentence when it has ended.

    translator = Translator(open_pack(path))
    sentence = translator.begin()
    sentence.push(part)          # the next frames; the glosses that begin in them
    sentence.end()               # the last glosses
    sentence.answer("English")   # an Answer
    sentence.readings("English") # the likeliest answers, best first

Frames are read ``STEP`` at a time, or more where a pack can and they wait already, each once: what
later frames need of earlier ones is carried in the graphs' states. A sentence is read once for all
that it is asked.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fingerpost.edge_runtime.backends import Backend, load_backends
from fingerpost.edge_runtime.beam import beam_search
from fingerpost.edge_runtime.gloss_search import read_order
from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.edge_runtime.live_glosses import BLANK, LiveGlosses
from fingerpost.edge_runtime.manifest import Translation
from fingerpost.edge_runtime.preprocess_live import LiveNormaliser
from fingerpost.edge_runtime.resample import resample
from fingerpost.edge_runtime.signing_judge import read_signing_judge

if TYPE_CHECKING:
    from fingerpost.edge_runtime.pack import Pack

GRAPHS = ("encode", "ctc", "read", "decode_step")
CLIP_GRAPH = "encode_clip"  # that a pack may have: ``encode`` for more frames at once
SPACE = "\u2581"  # as tokenizers write it
N_READINGS = 4  # of a sentence: the best, and three that it may be instead


class Answer(NamedTuple):
    """text : as it is read
    tokens : of it, without what begins and ends an answer
    log_probability : mean over the tokens and the end, 0 at the best
    """

    text: str
    tokens: tuple[int, ...]
    log_probability: float


class Reading(NamedTuple):
    """What a sentence may be.

    score : the chance, 0 to 1, that the text is right to the letter
    tokens : the likeliest that give the text, without what begins and ends an answer
    """

    text: str
    score: float
    tokens: tuple[int, ...] = ()


class Translated(NamedTuple):
    """Of a whole clip. glosses : as they were seen live; answers : by question"""

    glosses: tuple[str, ...]
    answers: dict[str, Answer]


class Translator:
    """The graphs of a translation pack, ready to run. ValueError where the pack is of another task.

    backends : what runs the graphs, by graph; by default what the manifest names
    """

    def __init__(self, pack: "Pack", backends: Mapping[str, Backend] | None = None) -> None:
        manifest = pack.manifest
        if manifest.translation is None:
            raise ValueError(f"pack {manifest.name} is for {manifest.task}: it cannot translate")
        missing = [graph for graph in GRAPHS if graph not in manifest.graphs]
        if missing and manifest.experts is not None:
            raise ValueError(
                f"pack {manifest.name} reads whole sentences, and cannot caption live; "
                "docs/packs.md says how it is asked"
            )
        if missing:
            raise ValueError(f"pack {manifest.name} has no graph {missing[0]!r}: export it again")
        self.glosses = pack.vocabulary
        self.fps = manifest.fps
        self.words: Translation = manifest.translation
        self.pieces = read_pieces(pack.read(self.words.pieces))
        self.gloss_order = (  # as ``GlossSearch`` takes it; None in a pack that knows none
            read_order(pack.read(self.words.gloss_order), len(self.glosses))
            if self.words.gloss_order
            else None
        )
        self.signing_judge = (  # of its states; None in a pack that has none
            read_signing_judge(pack.read(self.words.signing)) if self.words.signing else None
        )
        used = [graph for graph in (*GRAPHS, CLIP_GRAPH) if graph in manifest.graphs]
        self._backends = dict(backends or load_backends(pack, used))
        self._specs = {
            graph: {t.name: t for t in (*spec.inputs, *spec.state)}
            for graph, spec in manifest.graphs.items()
        }
        self._state = {
            graph: {t.name: np.zeros(t.shape, t.dtype) for t in manifest.graphs[graph].state}
            for graph in GRAPHS
        }
        self.frames_shape = self._specs["encode"]["keypoints"].shape[1:]
        self.step = self.frames_shape[0]  # frames that are read at once
        # Graphs that read frames, with how many each: the one of the most frames first.
        self.readers = [
            (graph, self._specs[graph]["keypoints"].shape[1])
            for graph in (CLIP_GRAPH, "encode")
            if graph in self._backends
        ]
        if any(n % self.step for _, n in self.readers):
            raise ValueError(f"pack {manifest.name} cannot be read in steps: export it again")
        self.n_latents, self.latent_width = self._specs["read"]["latents"].shape[1:]
        self.max_tokens = self._specs["decode_step"]["keys"].shape[3]

    @property
    def questions(self) -> tuple[str, ...]:
        """What a sentence can be asked for: languages, ``GLOSSES``."""
        return tuple(self.words.questions)

    def begin(self) -> "Sentence":
        """A sentence of which no frame was seen yet."""
        return Sentence(self)

    def translate(self, clip: PoseSequence, questions: Sequence[str] | None = None) -> Translated:
        """A whole clip as one sentence; one that is too long loses frames, evenly.

        questions : by default all
        """
        sentence = self.begin()
        glosses = sentence.push_keypoints(self.keypoints_of(clip)) + sentence.end()
        asked = self.questions if questions is None else questions
        return Translated(tuple(glosses), {q: sentence.answer(q) for q in asked})

    def keypoints_of(self, clip: PoseSequence) -> np.ndarray:
        """(T, 69, 4), of ``preprocess_live``: a whole clip, at the pack's frame rate and length."""
        if clip.fps != self.fps:
            clip = resample(clip, self.fps)
        keypoints = LiveNormaliser().push(clip)
        return keypoints[kept_frames(len(keypoints), self.words.max_frames)]

    def run(self, graph: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """A graph once; numbers are brought to the types that it takes."""
        specs = self._specs[graph]
        return self._backends[graph].run(
            {name: value.astype(specs[name].dtype, copy=False) for name, value in inputs.items()}
        )

    def close(self) -> None:
        """Frees the memory of the graphs."""
        for backend in self._backends.values():
            backend.close()

    def new_state(self, graph: str) -> dict[str, np.ndarray]:
        """What a graph remembers before it has run."""
        return dict(self._state[graph])

    def text_of(self, tokens: Sequence[int]) -> str:
        """Pieces as a text. Tokens that are no pieces, such as questions, are left out."""
        pieces = (self.pieces[token] for token in tokens if token < len(self.pieces))
        return "".join(pieces).replace(SPACE, " ").strip()


class Sentence:
    """One sentence, from its first frame to its answers."""

    def __init__(self, translator: Translator) -> None:
        self._of = translator
        self._normaliser = LiveNormaliser()
        self._live = LiveGlosses()
        self._state = translator.new_state("encode")
        self._waiting: list[np.ndarray] = []  # frames (69, 4), fewer than a step
        self._n_read = 0  # frames, those after the end among them
        self._latents: list[np.ndarray] = []  # (d,)
        self._read: dict[str, np.ndarray] | None = None
        self.n_frames = 0  # that were pushed
        self.scores: list[np.ndarray] = []  # (V,) of each frame so far, logits, ``BLANK`` first
        self.states: list[np.ndarray] = []  # (D,) of the same frames

    def push(self, part: PoseSequence) -> list[str]:
        """The next frames, at the pack's frame rate; returns the glosses that begin in them.

        A frame's gloss comes ``look_ahead`` frames later, and with the step that it is in.
        """
        if part.fps != self._of.fps:
            raise ValueError(
                f"the pack reads {self._of.fps:g} frames a second, got {part.fps:g}: resample first"
            )
        return self.push_keypoints(self._normaliser.push(part))

    def push_keypoints(self, keypoints: np.ndarray) -> list[str]:
        """keypoints : shape (T, 69, 4), of ``preprocess_live``"""
        if self._read is not None:
            raise ValueError("the sentence has ended: begin another")
        begun: list[str] = []
        self.n_frames += len(keypoints)
        self._waiting.extend(keypoints)
        for graph, n in self._of.readers:
            while len(self._waiting) >= n:
                frames, self._waiting = self._waiting[:n], self._waiting[n:]
                begun += self._step(np.stack(frames), n, graph)
        return begun

    def end(self) -> list[str]:
        """No frame comes any more; returns the last glosses."""
        if self._read is not None:
            return []
        begun: list[str] = []
        nothing = np.zeros(self._of.frames_shape, np.float32)
        frames = np.concatenate([np.stack(self._waiting), nothing]) if self._waiting else nothing
        if self._waiting:
            begun += self._step(frames[: self._of.step], len(self._waiting))
        while len(self.scores) < self.n_frames:
            begun += self._step(nothing, 0)
        self._read = self._read_latents()
        return begun

    def answer(self, question: str) -> Answer:
        """The likeliest next token again and again, until the end; ends the sentence."""
        end = self._of.words.end
        tokens: list[int] = []
        total = 0.0
        token, state = self._first(question), self._of.new_state("decode_step")
        for position in range(self._of.max_tokens):
            scores = self._next(token, position, state)
            token = int(scores.argmax())
            total += float(log_probabilities(scores)[token])
            if token == end:
                break
            tokens.append(token)
        n = len(tokens) + (token == end)
        return Answer(self._of.text_of(tokens), tuple(tokens), total / max(n, 1))

    def readings(self, question: str) -> list[Reading]:
        """The likeliest answers, best first, ``N_READINGS`` at most; ends the sentence.

        They are looked for, and put in order, as the network has them; their scores are at the
        pack's temperature, and true as far as the pack was calibrated (distill/calibrate.py). The
        best reading may be another than ``answer``'s, whose every token is the likeliest: one bad
        step can end a good row.
        """

        def step(
            token: int, position: int, state: dict[str, np.ndarray]
        ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
            after = dict(state)
            return log_probabilities(self._next(token, position, after)), after

        words, state = self._of.words, self._of.new_state("decode_step")
        rows = beam_search(
            *(step, self._first(question), state, words.end, N_READINGS, self._of.max_tokens)
        )
        by_text: dict[str, list[tuple[int, ...]]] = {}  # several rows of tokens may be one text
        for row in rows:
            by_text.setdefault(self._of.text_of(row.tokens), []).append(row.tokens)
        return [
            Reading(text, sum(self._chance(question, tokens) for tokens in same), same[0])
            for text, same in by_text.items()
        ]

    def _chance(self, question: str, tokens: tuple[int, ...]) -> float:
        """That these tokens are said and no others, at the pack's temperature, 0 to 1."""
        words = self._of.words
        scores = self.scores_of(question, tokens)
        return math.exp(log_chance(scores, (*tokens, words.end), words.temperature))

    def scores_of(self, question: str, tokens: Sequence[int]) -> np.ndarray:
        """Logits of each next token, (len(tokens) + 1, n_tokens), where these have been said."""
        state = self._of.new_state("decode_step")
        said = [self._first(question), *tokens][: self._of.max_tokens]
        return np.stack([self._next(token, i, state) for i, token in enumerate(said)])

    def _step(self, frames: np.ndarray, n_there: int, graph: str = "encode") -> list[str]:
        """Runs a reader and ``ctc`` on as many frames (n, 69, 4) as it takes; the first count."""
        mask = (np.arange(len(frames)) < n_there).astype(np.float32)
        out = self._of.run(
            graph, {"keypoints": frames[None], "frame_mask": mask[None], **self._state}
        )
        self._state = {name: out[name] for name in self._state}
        counts = out["latent_mask"][0] > 0.5
        self._latents += list(out["latents"][0][counts])
        of_steps = np.split(out["states"], len(frames) // self._of.step, axis=1)
        scores = [s for of in of_steps for s in self._of.run("ctc", {"states": of})["scores"][0]]
        first = self._n_read - self._of.words.look_ahead
        self._n_read += len(frames)
        there = [row for i, row in enumerate(scores, first) if 0 <= i < self.n_frames]
        self.scores += there
        self.states += [
            row for i, row in enumerate(out["states"][0], first) if 0 <= i < self.n_frames
        ]
        labels = self._live.push(np.stack(there)) if there else []
        return [self._of.glosses[label - 1 - BLANK] for label in labels]

    def _first(self, question: str) -> int:
        questions = self._of.words.questions
        if question not in questions:
            raise ValueError(f"cannot answer in {question!r}; known: {', '.join(questions)}")
        return questions[question]

    def _read_latents(self) -> dict[str, np.ndarray]:
        """Keys and values of the sentence, and which of its latents count."""
        n = self._of.n_latents
        latents = np.zeros((1, n, self._of.latent_width), np.float32)
        given = self._latents[:n]
        if given:
            latents[0, : len(given)] = given
        mask = (np.arange(n) < len(given)).astype(np.float32)[None]
        keys = self._of.run("read", {"latents": latents, "latent_mask": mask})
        return {**keys, "latent_mask": mask}

    def _next(self, token: int, position: int, state: dict[str, np.ndarray]) -> np.ndarray:
        """Logits (n_tokens,) of what comes after a token. state : changed in place"""
        if self._read is None:
            self.end()
        assert self._read is not None
        inputs = {"token": np.array([[token]]), "position": np.array([position])}
        out = self._of.run("decode_step", {**inputs, **self._read, **state})
        for name in state:
            state[name] = out[name]
        return out["scores"][0]


def kept_frames(n_frames: int, most: int) -> np.ndarray:
    """The frames of a clip that are used: all, or of one that is too long, so many, evenly."""
    if n_frames <= most:
        return np.arange(n_frames)
    return np.linspace(0, n_frames - 1, most).round().astype(int)


def read_pieces(content: bytes) -> tuple[str, ...]:
    """The pieces of text by token, of a pack's file; ValueError where it is no list of texts."""
    try:
        pieces = json.loads(content)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError("the pack's pieces of text are not JSON; export it again") from error
    if not isinstance(pieces, list) or not all(isinstance(piece, str) for piece in pieces):
        raise ValueError("the pack's pieces of text are no list of texts; export it again")
    return tuple(pieces)


def log_chance(scores: np.ndarray, said: Sequence[int], temperature: float) -> float:
    """Log-probability of a row of tokens. scores : logits of each, of ``Sentence.scores_of``"""
    rows = zip(scores, said, strict=False)  # of the longest answers, the end is not asked for
    return float(sum(log_probabilities(row / temperature)[token] for row, token in rows))


def log_probabilities(scores: np.ndarray) -> np.ndarray:
    """Of logits (n_tokens,), in float64."""
    scores = scores.astype(np.float64)
    scores -= scores.max()
    return scores - np.log(np.exp(scores).sum())
