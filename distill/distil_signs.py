"""A student that names single signs, taught by a teacher that does: by its probabilities of them.

"Distilling the Knowledge in a Neural Network" (Hinton et al., 2015), Sec. 2: the labels and the
teacher's softened probabilities, each with its weight. Of the table [distil] two terms are meant
here: ``token``, the teacher's probabilities of each gloss, and ``sequence``, its best gloss.
"""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from fingerpost.distill.distil_recipe import TERMS, Distil
from fingerpost.distill.distil_task import TaughtTask
from fingerpost.distill.losses import token_loss
from fingerpost.distill.teacher_cache import TeacherCache
from fingerpost.distill.top_k import TopK
from fingerpost.trainer.tasks.task import Batch

KIND = "isolated"
OF_SIGNS = ("sequence", "token")  # the terms that a row of glosses of one has


class DistilSigns(TaughtTask):
    """task : of single signs, with the teacher's own vocabulary (``check_signs``)"""

    def __init__(
        self, task: Any, cache: TeacherCache, distil: Distil, temperatures: tuple[float, ...]
    ) -> None:
        super().__init__(task, cache)
        self.distil, self.temperatures = distil, temperatures

    def batch(self, clips: Sequence[Any], draws: Sequence[int] | None, at_least: int) -> Batch:
        batch = self.inner.batch(clips, draws, at_least)
        if draws is not None:  # else it is for answers, not to learn from
            batch.inputs["few"] = self.cache.targets([(clip.id, KIND) for clip in batch.clips]).few
        return batch

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        logits = model(batch.inputs["keypoints"])  # (B, V)
        few: TopK = batch.inputs["few"]  # (B, 1, k)
        terms = self.inner.losses_of(logits, batch)
        if self.distil.token:
            there = few.ids.new_ones(few.ids.shape[:2])
            loss = token_loss(
                logits[:, None], few, there, self.distil.temperature, self.temperatures
            )
            terms["teacher.token"] = self.distil.token * loss
        if self.distil.sequence:
            loss = F.cross_entropy(logits.float(), few.ids[:, 0, 0])
            terms["teacher.sequence"] = self.distil.sequence * loss
        return terms


def check_signs(distil: Distil, vocabulary: Sequence[str], taught: Sequence[str]) -> None:
    """ValueError for terms that single signs do not have, and for a teacher of other signs.

    vocabulary, taught : glosses of the student and of the teacher, in the order of their outputs
    """
    others = [term for term in TERMS if term not in OF_SIGNS and getattr(distil, term)]
    if others or distil.start:
        what = f"distil.{others[0]}" if others else "distil.start"
        raise ValueError(f"{what}: single signs have {' and '.join(OF_SIGNS)} alone; leave it out")
    if tuple(vocabulary) != tuple(taught):
        raise ValueError(
            f"the teacher names {len(taught)} signs, the clips have {len(vocabulary)}: train it on "
            "clips of the same glosses"
        )
