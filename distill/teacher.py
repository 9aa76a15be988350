"""Any checkpoint as a teacher: what it says of clips, for a student to learn from.

    teacher = open_teacher(Path("runs/slt"))
    for reading in teacher.read(batch, TeacherSettings(k=32)):
        ...  # a ClipReading

Nothing in here knows a model. A teacher that writes texts is a network with a ``language_model`` of
``transformers`` and a method ``embed``, which makes of a batch's inputs what that model reads: the
prompt, if there is one, then the frames. One that names single signs is a network from keypoints to
logits, of the task ``isolated``: its answers are texts of one token, its labels.
"""

import hashlib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fingerpost.distill.top_k import TopK, top_k
from fingerpost.trainer.checkpoint import CONFIG, WEIGHTS, resolve_checkpoint
from fingerpost.trainer.evaluate import load_for_answers
from fingerpost.trainer.models.gloss_alignment import frame_scores
from fingerpost.trainer.models.language_model import IGNORED
from fingerpost.trainer.plain_tensors import sha256_of
from fingerpost.trainer.recipe import convert, read_tables
from fingerpost.trainer.tasks.task import Batch, Task

STATES = ("encoder", "decoder")


class TeacherSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is asked of a teacher: the table [teacher] of a recipe.

    k : pieces of each token whose probability is kept
    temperatures : at which the probability of all others together is known
    n_best : answers, each with its score; 0 = none are looked for, which is most of the time saved
    beams : of the search for them; 0 = as many as the teacher's own task has, at least ``n_best``
    follows : whose tokens the probabilities are of: truth, or said (its best answer)
    frames : glosses of each frame whose probability is kept, for a teacher that was trained with
        ``settings.align``; 0 = none
    states : encoder (of the frames), decoder (of the tokens): the last layer's, 2 bytes a number
    batch : clips at once
    """

    k: int = 32
    temperatures: tuple[float, ...] = (1.0, 2.0, 4.0)
    n_best: int = 4
    beams: int = 0
    follows: str = "truth"
    frames: int = 0
    states: tuple[str, ...] = ()
    batch: int = 8


class Said(NamedTuple):
    """An answer. tokens : (L,), without what begins and fills up; score : mean log-probability"""

    tokens: Tensor
    score: float


@dataclass(frozen=True)
class QuestionReading:
    """What a teacher says to one question about a clip.

    kind : text, glosses or isolated
    tokens : shape (L,), int64, whose probabilities follow
    few : shape (L, k)
    said : the likeliest answers, the best first
    encoder : shape (T, D), states of the frames; None where they were not asked for
    decoder : shape (L, D)
    """

    kind: str
    tokens: Tensor
    few: TopK
    said: tuple[Said, ...] = ()
    encoder: Tensor | None = None
    decoder: Tensor | None = None


@dataclass(frozen=True)
class ClipReading:
    """What a teacher says of one clip. frames : shape (T, k), glosses of its own T frames."""

    id: str
    questions: tuple[QuestionReading, ...]
    frames: TopK | None = None


def read_settings(recipe: Path, changes: Sequence[str] = ()) -> TeacherSettings:
    """The table [teacher] of a recipe; as by default where it has none. ValueError in one line.

    changes : lines like ``teacher.k=16``, put in place of its own
    """
    tables = read_tables(recipe, changes)
    settings = convert(tables.get("teacher", {}), TeacherSettings, f"{recipe}: [teacher]")
    check_settings(settings)
    return settings


def check_settings(settings: TeacherSettings) -> None:
    """ValueError, in one line, for numbers that cannot be."""
    limits = {
        "k": settings.k >= 1,
        "temperatures": bool(settings.temperatures) and min(settings.temperatures) > 0,
        "n_best": settings.n_best >= 0,
        "beams": settings.beams == 0 or settings.beams >= max(settings.n_best, 1),
        "follows": settings.follows in ("truth", "said"),
        "frames": settings.frames >= 0,
        "states": set(settings.states) <= set(STATES),
        "batch": settings.batch >= 1,
    }
    for name, sound in limits.items():
        if not sound:
            raise ValueError(f"teacher.{name} cannot be {getattr(settings, name)!r}")
    if settings.follows == "said" and not settings.n_best:
        raise ValueError("teacher.follows: nothing is said where teacher.n_best is 0")


def open_teacher(folder: Path, changes: dict[str, Any] | None = None) -> "Teacher":
    """The teacher of a checkpoint, or of a training's folder: then its best one.

    changes : to the settings of its task, such as the folder of hands. ValueError where it answers
        nothing that a student could learn.
    """
    checkpoint = resolve_checkpoint(folder)
    network, task = load_for_answers(checkpoint, changes or {})
    kind = task.best.partition(".")[0]
    writes = hasattr(network, "language_model") and hasattr(network, "embed")
    if not writes and kind != "isolated":
        raise ValueError(f"{checkpoint} answers nothing that a student could learn: give another")
    return Teacher(network, task, hash_of_teacher(checkpoint))


def hash_of_teacher(folder: Path) -> str:
    """Of the weights, and of config.json, which says what is asked of them; hexadecimal."""
    checkpoint = resolve_checkpoint(folder)
    hashes = [sha256_of(checkpoint / name) for name in (WEIGHTS, CONFIG)]
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


class Teacher:
    """A network in eval mode, its task, and the hash of both."""

    def __init__(self, network: nn.Module, task: Task, hash: str) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network: Any = network.to(self.device).eval()
        self.task: Any = task
        self.hash = hash
        self._writes = hasattr(network, "language_model")

    @torch.no_grad()
    def read(self, batch: Batch, settings: TeacherSettings) -> list[ClipReading]:
        """What it says of the clips of a batch, which has no augmentation."""
        batch = batch.to(self.device)
        if self._writes:
            return self._read_texts(batch, settings)
        if settings.frames or settings.states:
            raise ValueError(
                "this teacher names signs, and has no glosses of frames and no states to keep: "
                "set teacher.frames to 0 and teacher.states to []"
            )
        return self._read_signs(batch, settings)

    def _read_signs(self, batch: Batch, settings: TeacherSettings) -> list[ClipReading]:
        logits = self.network(batch.inputs["keypoints"])  # (B, V)
        few = top_k(logits, settings.k, settings.temperatures)
        best = logits.float().log_softmax(dim=-1).topk(min(settings.n_best, logits.shape[1]))
        labels = batch.inputs["labels"] if settings.follows == "truth" else few.ids[:, 0]
        labels = torch.where(labels < 0, IGNORED, labels)  # a sign that it does not know
        readings = []
        for i, clip in enumerate(batch.clips):
            pairs = zip(best.indices[i], best.values[i].tolist(), strict=True)
            said = tuple(Said(label[None], score) for label, score in pairs)
            of_clip = TopK(*(part[i : i + 1] for part in few))
            question = QuestionReading("isolated", labels[i : i + 1], of_clip, said)
            readings.append(ClipReading(clip.id, (question,)))
        return readings

    def _read_texts(self, batch: Batch, settings: TeacherSettings) -> list[ClipReading]:
        wanted = inspect.signature(self.network.embed).parameters
        asked = {name: value for name, value in batch.inputs.items() if name in wanted}
        embeds, mask = self.network.embed(**asked)  # (R, P + T, D), (R, P + T)
        rows = _rows_of(batch.clips, self.task.best)
        n_prompt = asked["prompt"].ids.shape[1] if "prompt" in asked else 0
        labels = batch.inputs["labels"]  # (R, L)
        said = self._say(embeds, mask, labels, settings)
        if settings.follows == "said":
            labels = _labels_of([answers[0].tokens for answers in said])
        found = self._follow(embeds, mask, labels, settings.states)
        questions: list[list[QuestionReading]] = [[] for _ in batch.clips]
        for row, (i, kind) in enumerate(rows):
            there = labels[row] != IGNORED
            frames = mask[row, n_prompt:].bool()
            few = top_k(found.logits[row][there], settings.k, settings.temperatures)
            encoder = decoder = None
            if "encoder" in settings.states:
                encoder = found.encoder_last_hidden_state[row, n_prompt:][frames]
            if "decoder" in settings.states:
                decoder = found.decoder_hidden_states[-1][row][there]
            questions[i].append(
                QuestionReading(kind, labels[row][there], few, said[row], encoder, decoder)
            )
        first = {i: row for row, (i, _) in reversed(list(enumerate(rows)))}
        return [
            ClipReading(
                clip.id,
                tuple(questions[i]),
                self._glosses(embeds[first[i], n_prompt:], mask[first[i], n_prompt:], settings),
            )
            for i, clip in enumerate(batch.clips)
        ]

    def _say(
        self, embeds: Tensor, mask: Tensor, labels: Tensor, settings: TeacherSettings
    ) -> list[tuple[Said, ...]]:
        """The n best answers of each row, by beam search."""
        if not settings.n_best:
            return [() for _ in embeds]
        own = self.task.settings
        n_beams = max(settings.beams or own.beams, settings.n_best)
        found = self.network.language_model.generate(
            inputs_embeds=embeds,
            attention_mask=mask,
            num_beams=n_beams,
            num_return_sequences=settings.n_best,
            max_new_tokens=own.max_tokens,
            forced_bos_token_id=self._first_token(labels),
            output_scores=True,
            return_dict_in_generate=True,
        )
        tokens = found.sequences[:, 1:].unflatten(0, (-1, settings.n_best))  # (R, n_best, L)
        flat = found.sequences_scores if n_beams > 1 else self._greedy_scores(found)
        scores = flat.unflatten(0, (-1, settings.n_best))
        return [
            tuple(
                Said(self._until_end(one), float(score))
                for one, score in zip(of_row, row_scores, strict=True)
            )
            for of_row, row_scores in zip(tokens, scores, strict=True)
        ]

    def _greedy_scores(self, found: Any) -> Tensor:
        """The mean log-probability of each row's tokens, up to its end."""
        log_probs = self.network.language_model.compute_transition_scores(
            found.sequences, found.scores, normalize_logits=True
        )  # (R, L)
        lengths = [len(self._until_end(row)) for row in found.sequences[:, 1:]]
        return torch.stack([row[:n].mean() for row, n in zip(log_probs, lengths, strict=True)])

    def _until_end(self, tokens: Tensor) -> Tensor:
        """Tokens up to the end's, with it; what comes after only fills up."""
        ends = torch.nonzero(tokens == self.task.tokenizer.eos_token_id)
        return tokens[: int(ends[0]) + 1] if len(ends) else tokens

    def _first_token(self, labels: Tensor) -> int | None:
        """The special token that every true answer begins with, as mBART's with its language."""
        first = set(labels[:, 0].tolist())
        tokenizer = self.task.tokenizer
        plain = {tokenizer.eos_token_id, tokenizer.unk_token_id, tokenizer.pad_token_id}
        specials = set(tokenizer.all_special_ids) - plain
        return first.pop() if len(first) == 1 and first <= specials else None

    def _follow(self, embeds: Tensor, mask: Tensor, labels: Tensor, states: Sequence[str]) -> Any:
        """What the language model expects after each token of the labels."""
        model = self.network.language_model
        return model(
            inputs_embeds=embeds,
            attention_mask=mask,
            decoder_input_ids=model.prepare_decoder_input_ids_from_labels(labels),
            output_hidden_states="decoder" in states,
            use_cache=False,
        )

    def _glosses(self, frames: Tensor, mask: Tensor, settings: TeacherSettings) -> TopK | None:
        """Which token each frame shows, in the terms of ``gloss_alignment``; frames : (T, D)."""
        if not settings.frames:
            return None
        embeddings = self.network.language_model.get_input_embeddings().weight
        there = F.normalize(frames[mask.bool()], dim=-1)
        scores = frame_scores(there, F.normalize(embeddings, dim=-1))  # (T, V)
        return top_k(scores, settings.frames, settings.temperatures)


def _rows_of(clips: Sequence[Any], best: str) -> list[tuple[int, str]]:
    """Of each row of a batch the clip's number, and the kind of answer that is asked for.

    best : the figure that a task of one question for each clip is judged by, such as text.bleu4
    """
    rows = []
    for i, clip in enumerate(clips):
        questions = getattr(clip, "questions", None)
        kinds = [q.kind for q in questions] if questions else [best.partition(".")[0]]
        rows += [(i, kind) for kind in kinds]
    return rows


def _labels_of(rows: Sequence[Tensor]) -> Tensor:
    return nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_value=IGNORED)
