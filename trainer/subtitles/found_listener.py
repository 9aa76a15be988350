"""How well subtitles go with signing, by what a model of found would have translated.

Not in the paper, whose model writes when a subtitle is signed and nothing else. Its other half, the
translation, knows something too: how likely a text is, given a stretch of signing. For a training
that learned sentences cut out by themselves, that says which of two neighbouring runs of signs is
meant (``placing``). It needs no language but the one that the checkpoint learned.

The pose backbone goes over the whole video once; what it makes of it is cut into stretches, as
``tasks/found_features.py`` does in training.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from fingerpost.edge_runtime.keypoints import PoseSequence
from fingerpost.edge_runtime.preprocess_found import preprocess_found
from fingerpost.trainer.models.found import Found
from fingerpost.trainer.models.found_poses import PoseBackbone
from fingerpost.trainer.models.language_model import IGNORED
from fingerpost.trainer.models.uni_sign import PROMPT, Prompt
from fingerpost.trainer.subtitles.placing import Heard
from fingerpost.trainer.subtitles.windows import part
from fingerpost.trainer.tasks.found import FoundTask

PIECE_S, MARGIN_S = 60, 4  # of a long video at once, and more on either side of it
AROUND_MS = 200  # more of the video than the signs: clips to learn from begin and end at rest
AT_ONCE = 64


class FoundListener:
    """A ``Listener`` of ``placing``: texts of subtitles, and one video."""

    def __init__(
        self, network: Found, task: FoundTask, sequence: PoseSequence, texts: Sequence[str]
    ) -> None:
        """sequence : of the task's view, at its rate"""
        self.network, self.sequence = network, sequence
        self.features = video_features(network.poses, sequence)
        self.prompt = task.prompts([PROMPT.format(language="English")])
        self.labels = [task.answer_tokens(text) for text in texts]

    def __call__(self, heard: Sequence[Heard]) -> np.ndarray:
        """Log-likelihoods, nats, one for each. Each stretch of signing is read once."""
        spans = sorted({span for _, span in heard}, key=lambda span: span[1] - span[0])
        asked: dict[tuple[int, int], list[int]] = {span: [] for span in spans}
        for place, (_, span) in enumerate(heard):
            asked[span].append(place)
        found = np.zeros(len(heard))
        for first in range(0, len(spans), AT_ONCE):
            batch = spans[first : first + AT_ONCE]
            read, mask = self._read(batch)
            pairs = [(row, place) for row, span in enumerate(batch) for place in asked[span]]
            pairs.sort(key=lambda pair: len(self.labels[heard[pair[1]][0]]))
            for begin in range(0, len(pairs), 2 * AT_ONCE):
                some = pairs[begin : begin + 2 * AT_ONCE]
                rows = torch.tensor([row for row, _ in some])
                answers = [self.labels[heard[place][0]] for _, place in some]
                labels = pad_sequence(answers, batch_first=True, padding_value=IGNORED)
                nats = self.network.log_likelihoods(read[rows], mask[rows], labels)
                found[[place for _, place in some]] = nats.numpy()
        return found

    def _read(self, spans: Sequence[tuple[int, int]]) -> tuple[Tensor, Tensor]:
        cut = [self._cut(*span) for span in spans]
        step = self.network.poses.config.step
        lengths = torch.tensor([len(one) for one in cut])
        features = pad_sequence(cut, batch_first=True)
        n_frames = features.shape[1] * step
        mask = (torch.arange(n_frames) < lengths[:, None] * step).long()
        r = len(cut)
        prompt = Prompt(self.prompt.ids.expand(r, -1), self.prompt.mask.expand(r, -1))
        return self.network.read(features.new_zeros(r, 0, 0, 0), mask, prompt, features=features)

    def _cut(self, start_ms: int, end_ms: int) -> Tensor:
        """The features of a stretch, at least one."""
        per_ms = self.sequence.fps / 1000 / self.network.poses.config.step
        first, last = (
            round((ms - self.sequence.start_ms) * per_ms)
            for ms in (start_ms - AROUND_MS, end_ms + AROUND_MS)
        )
        first = min(max(first, 0), len(self.features) - 1)
        return self.features[first : max(last, first + 1)]


def video_features(backbone: PoseBackbone, sequence: PoseSequence) -> Tensor:
    """What a pose backbone makes of a video of any length, (ceil(T / step), W), piece by piece."""
    step = backbone.config.step
    piece, margin = (max(1, round(s * sequence.fps / step)) for s in (PIECE_S, MARGIN_S))
    pieces = []
    for first in range(0, -(-len(sequence) // step), piece):
        begin = max(0, first - margin)
        some = part(sequence, begin * step, (first + piece + margin) * step)
        keypoints = torch.from_numpy(preprocess_found(some, backbone.view))[None]
        with torch.no_grad():
            features = backbone(keypoints, keypoints.new_ones(keypoints.shape[:2]))[0]
        pieces.append(features[first - begin : first - begin + piece])
    return torch.cat(pieces)
