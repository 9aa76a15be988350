"""A student and what it learns from a teacher: each term with its weight, in one pass.

The learned matrices that bring the student's states to the teacher's width are parameters of this
network: they are trained and saved with a training's state, and are no part of a checkpoint.
"""

from typing import Any

from torch import Tensor, nn

from fingerpost.distill.distil_lesson import Lesson
from fingerpost.distill.distil_recipe import Distil
from fingerpost.distill.losses import hidden_loss, relation_loss, token_loss
from fingerpost.trainer.models.language_model import IGNORED, answers_loss
from fingerpost.trainer.models.pocket_translator import gloss_losses
from fingerpost.trainer.models.study import Studied
from fingerpost.trainer.network import Scaffold


class DistilNetwork(Scaffold):
    """A student with ``study``, and the terms that it learns from a teacher.

    temperatures : that the teacher's probabilities are known at
    widths : of the teacher's states, by name: encoder, decoder, or what was kept of them.
        ValueError where ``relation_heads`` cannot cut a width
    """

    def __init__(
        self,
        student: nn.Module,
        distil: Distil,
        temperatures: tuple[float, ...],
        widths: dict[str, int],
    ) -> None:
        super().__init__(student)
        self.distil, self.temperatures = distil, temperatures
        own: dict[str, int] = student.study_widths  # type: ignore[assignment]
        for width in (*own.values(), *widths.values()) if distil.relation else ():
            if width % distil.relation_heads:
                raise ValueError(
                    f"distil.relation_heads: states of width {width} cannot be cut into "
                    f"{distil.relation_heads}"
                )
        self.projections = nn.ModuleDict(
            {name: nn.Linear(own[name], width, bias=False) for name, width in widths.items()}
            if distil.hidden
            else {}
        )

    def forward(
        self, lesson: Lesson, weight: int, labels: Tensor, glosses: Any = None, **inputs: Any
    ) -> tuple[Any, dict[str, Tensor]]:
        """The student's own terms, without weights, and the teacher's, with theirs.

        weight : tokens of the batch's labels; a term is a sum per token of these, so that it is
            the same on one process and on many
        inputs : of the student
        """
        more = [lesson.followed, lesson.said]
        answers = [labels, *(tokens for tokens in more if tokens is not None)]
        student: Any = self.inner
        studied = student.study(answers, **inputs)
        own = student.losses_of(studied, inputs["frame_mask"], labels, glosses)
        terms = self._of_answers(studied, lesson, labels, weight)
        terms |= self._of_states(studied, lesson, labels, weight)
        terms |= self._of_frames(studied, lesson, inputs["frame_mask"], weight)
        return own, terms

    def _of_answers(
        self, studied: Studied, lesson: Lesson, labels: Tensor, weight: int
    ) -> dict[str, Tensor]:
        terms = {}
        if lesson.said is not None:
            n_said = (lesson.said != IGNORED).sum()
            student: Any = self.inner
            loss = answers_loss(studied.logits[-1], lesson.said, student.config.label_smoothing)
            # of no tokens at all the mean is not a number
            loss = loss if n_said else studied.logits[-1].sum() * 0
            terms["teacher.sequence"] = self.distil.sequence * loss * n_said / weight
        if lesson.few is not None:
            mask = _followed(lesson, labels) != IGNORED
            loss = token_loss(
                _of_followed(studied.logits, lesson),
                lesson.few,
                mask,
                self.distil.temperature,
                self.temperatures,
            )
            terms["teacher.token"] = self.distil.token * loss * mask.sum() / weight
        return terms

    def _of_states(
        self, studied: Studied, lesson: Lesson, labels: Tensor, weight: int
    ) -> dict[str, Tensor]:
        terms = {}
        pairs = []
        if lesson.encoder is not None:
            n = lesson.encoder.shape[1]
            mask = studied.mask[:, :n].to(studied.encoder.dtype)
            # each row counts as much as it has tokens, however many states it has
            mask = mask * (lesson.row_weights / mask.sum(dim=1).clamp(min=1))[:, None]
            pairs.append(("encoder", studied.encoder[:, :n], lesson.encoder, mask))
        if lesson.decoder is not None:
            mask = (_followed(lesson, labels) != IGNORED).to(lesson.decoder.dtype)
            states = _of_followed(studied.decoder, lesson)
            pairs.append(("decoder", states, lesson.decoder, mask))
        for name, states, theirs, mask in pairs:
            share = mask.sum() / weight
            if self.distil.hidden:
                loss = hidden_loss(states, theirs, mask, self.projections[name])
                terms[f"teacher.hidden_{name}"] = self.distil.hidden * loss * share
            if self.distil.relation:
                loss = relation_loss(states, theirs, mask, self.distil.relation_heads)
                terms[f"teacher.relation_{name}"] = self.distil.relation * loss * share
        return terms

    def _of_frames(
        self, studied: Studied, lesson: Lesson, frame_mask: Tensor, weight: int
    ) -> dict[str, Tensor]:
        terms: dict[str, Tensor] = {}
        if lesson.glosses is None and lesson.frames is None:
            return terms
        student: Any = self.inner
        scores = student.gloss_scores(studied.frames)
        if lesson.glosses is not None:
            ctc, _ = gloss_losses(scores, frame_mask, lesson.glosses)
            terms["teacher.ctc"] = self.distil.ctc * ctc / weight
        if lesson.frames is not None and lesson.frame_mask is not None:
            n_frames = frame_mask.sum(dim=1).clamp(min=1)
            mask = lesson.frame_mask * (lesson.clip_weights / n_frames)[:, None]
            loss = token_loss(
                scores[:, : mask.shape[1]],
                lesson.frames,
                mask,
                self.distil.temperature,
                self.temperatures,
            )
            terms["teacher.frames"] = self.distil.frames * loss * mask.sum() / weight
        return terms


def _followed(lesson: Lesson, labels: Tensor) -> Tensor:
    """(R, L) the tokens that the teacher's probabilities are of."""
    return labels if lesson.followed is None else lesson.followed


def _of_followed(of_answers: tuple[Tensor, ...], lesson: Lesson) -> Tensor:
    """Of what the student gave for each of the answers, that for these tokens."""
    return of_answers[0 if lesson.followed is None else 1]
